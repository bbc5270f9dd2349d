//! What a sensor leaves to the next: how the maps are laid out, by which keys they are hashed, when it last went round. A map of the
//! agent's own, which no program knows.

use std::{path::Path, sync::Arc};

use aya::maps::{Array, Map, MapData, MapError};
use sensor_common::config::Config;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{
    super::{Bytes, error::chain, shared::Shared},
    PinError,
};

/// `BPF_F_MMAPABLE`: the agent writes to it once it may no longer ask the kernel to.
const MMAPABLE: u32 = 1 << 10;

/// The book as it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(super) struct Book {
    /// See [`super::layout`].
    pub(super) layout: u64,
    /// When the table was last swept, on the kernel program's clock; 0 is never.
    pub(super) swept: u64,
    /// The configuration of the programs, their secret keys with it.
    pub(super) config: Config,
}

/// The place of `swept`, in words.
const SWEPT: usize = 1;

type Page = Bytes<{ size_of::<Book>() }>;

impl Book {
    /// The one that is pinned there, if it is one.
    pub(super) fn read(path: &Path) -> Option<Self> {
        let map: Array<_, Page> = Map::Array(MapData::from_pin(path).ok()?).try_into().ok()?;
        Self::read_from_bytes(&map.get(&0, 0).ok()?.0).ok()
    }

    /// Enters it there, in the place of another.
    pub(super) fn write(&self, path: &Path) -> Result<(), PinError> {
        self.enter(path).map_err(|error| PinError::pin(path, chain(&error)))
    }

    fn enter(&self, path: &Path) -> Result<(), MapError> {
        if !path.exists() {
            let new = Array::<MapData, Page>::create(1, MMAPABLE)?;
            new.pin(path).map_err(|error| MapError::PinError { name: None, error })?;
        }
        let mut map: Array<_, Page> = Map::Array(MapData::from_pin(path)?).try_into()?;
        let mut page = Bytes([0; size_of::<Self>()]);
        page.0.copy_from_slice(self.as_bytes());
        map.set(0, page, 0)
    }
}

/// The entry that is made again and again, without asking the kernel.
#[derive(Clone)]
pub struct Rounds(Arc<Shared>);

impl Rounds {
    pub(super) fn open(path: &Path) -> Result<Self, PinError> {
        let failed = |cause: String| PinError::pin(path, cause);
        let map = MapData::from_pin(path).map_err(|error| failed(chain(&error)))?;
        let shared = Shared::new(&map, 0, size_of::<Book>(), true).map_err(|error| failed(error.to_string()))?;
        Ok(Self(Arc::new(shared)))
    }

    /// The table was swept at `now`, the engine's time: whoever comes after need not tell what was due by then.
    pub fn swept(&self, now: u64) {
        self.0.set(SWEPT, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_entry_is_where_it_is_written() {
        assert_eq!(std::mem::offset_of!(Book, swept), SWEPT * size_of::<u64>());
    }
}
