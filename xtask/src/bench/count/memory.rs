//! The memory that a program sees: regions far apart, so that no address of one can become another's.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail, ensure};

/// Bytes of a cache line.
const LINE: u64 = 64;

/// The lower half of a region's first address: compilers also ask the lower half alone whether a pointer is null.
const FIRST: u64 = 1 << 16;

/// An address: a region's number, and how far into it.
pub(super) const fn address(region: usize, offset: u64) -> u64 {
    (region as u64 + 1) << 32 | (FIRST + offset)
}

/// All regions, and which of their cache lines were touched.
#[derive(Default)]
pub(super) struct Memory {
    regions: Vec<Vec<u8>>,
    touched: BTreeSet<(usize, u64)>,
}

impl Memory {
    /// A new region of so many zeroes; its number.
    pub(super) fn region(&mut self, bytes: usize) -> usize {
        self.regions.push(vec![0; bytes]);
        self.regions.len() - 1
    }

    /// A region's bytes.
    pub(super) fn bytes(&self, region: usize) -> &[u8] {
        &self.regions[region]
    }

    /// A region's bytes, to be filled.
    pub(super) fn bytes_mut(&mut self, region: usize) -> &mut Vec<u8> {
        &mut self.regions[region]
    }

    /// Loads `size` bytes, little-endian.
    pub(super) fn load(&mut self, at: u64, size: usize) -> Result<u64> {
        let bytes = self.reach(at, size)?;
        let mut word = [0; 8];
        word[..size].copy_from_slice(bytes);
        Ok(u64::from_le_bytes(word))
    }

    /// Stores the lower `size` bytes of `value`.
    pub(super) fn store(&mut self, at: u64, size: usize, value: u64) -> Result<()> {
        self.reach(at, size)?.copy_from_slice(&value.to_le_bytes()[..size]);
        Ok(())
    }

    /// How many lines of each region were touched since the last call.
    pub(super) fn take_touched(&mut self) -> Vec<usize> {
        let mut lines = vec![0; self.regions.len()];
        std::mem::take(&mut self.touched).into_iter().for_each(|(region, _)| lines[region] += 1);
        lines
    }

    fn reach(&mut self, at: u64, size: usize) -> Result<&mut [u8]> {
        let region = ((at >> 32) as usize).checked_sub(1).with_context(|| format!("{at:#x} is no pointer"))?;
        let offset = (at & 0xffff_ffff).checked_sub(FIRST).with_context(|| format!("{at:#x} is no pointer"))?;
        let Some(memory) = self.regions.get_mut(region) else { bail!("{at:#x} is no pointer") };
        let end = offset as usize + size;
        ensure!(end <= memory.len(), "byte {end} of a region of {}", memory.len());
        self.touched.extend([(region, offset / LINE), (region, (offset + size as u64 - 1) / LINE)]);
        Ok(&mut memory[offset as usize..end])
    }
}
