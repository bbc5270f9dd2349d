//! A run of the table's buckets with their flows: the whole table, or what one worker has of it.

use std::process;

use sensor_common::{
    flow::{Extra, Flow, Head},
    table::{Bucket, Place, WAYS},
};

use super::pages::Pages;
use crate::fetch::fetch_all;

/// Buckets, flows and cold state. Indexes are those of the whole table.
pub(crate) struct Part {
    /// The first bucket.
    first: u32,
    buckets: Pages<Bucket>,
    flows: Pages<Flow>,
    extras: Pages<Extra>,
}

impl Part {
    /// So many empty buckets from `first` on.
    pub(crate) fn new(first: u32, buckets: u32) -> Self {
        let slots = buckets as usize * WAYS;
        let parts = Pages::new(buckets as usize).and_then(|b| Ok((b, Pages::new(slots)?, Pages::new(slots)?)));
        // The table's size is checked against the machine before it gets here.
        let Ok((buckets, flows, extras)) = parts else { process::abort() };
        Self { first, buckets, flows, extras }
    }

    /// How many buckets.
    pub(crate) fn len(&self) -> usize {
        self.buckets.len()
    }

    /// All flows, used or not.
    pub(super) fn flows(&self) -> &[Flow] {
        &self.flows
    }

    /// Their cold state.
    pub(super) fn extras(&self) -> &[Extra] {
        &self.extras
    }

    /// Copies for the sweep; nothing of what is elsewhere.
    pub(crate) fn copy_of_bucket(&self, index: usize) -> Bucket {
        self.buckets.get(index.wrapping_sub(self.first as usize)).copied().unwrap_or_default()
    }

    pub(crate) fn copy_of_flow(&self, index: usize) -> (Flow, Extra) {
        let slot = index.wrapping_sub(self.first as usize * WAYS);
        let (flow, extra) = (self.flows.get(slot), self.extras.get(slot));
        (flow.copied().unwrap_or_default(), extra.copied().unwrap_or_default())
    }

    /// Has a slot's flow and its cold state fetched.
    pub(crate) fn fetch(&self, index: usize) {
        let slot = index.wrapping_sub(self.first as usize * WAYS);
        if let (Some(flow), Some(extra)) = (self.flows.get(slot), self.extras.get(slot)) {
            fetch_all(flow);
            fetch_all(extra);
        }
    }

    pub(crate) fn copy_of_head(&self, index: usize) -> Head {
        let slot = index.wrapping_sub(self.first as usize * WAYS);
        self.flows.get(slot).map(|flow| flow.head).unwrap_or_default()
    }

    #[inline(always)]
    pub(super) fn bucket(&mut self, index: u32) -> Option<&mut Bucket> {
        self.buckets.get_mut(index.wrapping_sub(self.first) as usize)
    }

    #[inline(always)]
    fn slot(&self, index: u32) -> usize {
        index.wrapping_sub(self.first * WAYS as u32) as usize
    }

    #[inline(always)]
    pub(super) fn flow(&mut self, index: u32) -> Option<&mut Flow> {
        let slot = self.slot(index);
        self.flows.get_mut(slot)
    }

    #[inline(always)]
    pub(super) fn extra(&mut self, index: u32) -> Option<&mut Extra> {
        let slot = self.slot(index);
        self.extras.get_mut(slot)
    }

    #[inline(always)]
    pub(super) fn whole(&mut self, index: u32) -> Option<(&mut Flow, &mut Extra)> {
        let slot = self.slot(index);
        Some((self.flows.get_mut(slot)?, self.extras.get_mut(slot)?))
    }

    /// Has the bucket fetched.
    #[inline(always)]
    pub(super) fn expect_bucket(&self, at: Place) {
        if let Some(bucket) = self.buckets.get(at.bucket.wrapping_sub(self.first) as usize) {
            fetch_all(bucket);
        }
    }

    /// Has the flow fetched that the bucket tells of; without one, the slot that a new one is likely to take.
    #[inline(always)]
    pub(super) fn expect_flow(&self, at: Place) {
        let index = at.bucket.wrapping_sub(self.first) as usize;
        let Some(bucket) = self.buckets.get(index) else { return };
        // Without a branch that depends on what is found, and all eight at once.
        let same = |slot: usize| u32::from(bucket.tags[slot] == at.tag) << slot;
        let found = (0..WAYS).fold(1 << (WAYS + at.home as usize), |found, slot| found | same(slot));
        if let Some(flow) = self.flows.get(index * WAYS + found.trailing_zeros() as usize % WAYS) {
            fetch_all(flow);
        }
    }
}
