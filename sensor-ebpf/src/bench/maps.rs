//! The benchmark's maps. Sizes are set when the object is loaded.

use aya_ebpf::{
    btf_maps::{Array, LruHashMap, ProgramArray},
    macros::btf_map,
};

use crate::{
    floor::{Places, State, Tuple},
    recipe::{Feed, Line, Recipe},
};

/// `BPF_F_MMAPABLE`: user space writes millions of recipes without a system call.
const MMAPABLE: usize = 1 << 10;

#[btf_map]
pub(crate) static RECIPES: Array<Recipe, 64, MMAPABLE> = Array::new();
#[btf_map]
pub(crate) static FEED: Array<Feed, 1, MMAPABLE> = Array::new();
/// The program under test. One array for each program type: the kernel does not let them share one.
#[btf_map]
pub(crate) static XDP_TARGET: ProgramArray<1> = ProgramArray::new();
#[btf_map]
pub(crate) static TC_TARGET: ProgramArray<1> = ProgramArray::new();
#[btf_map]
pub(crate) static FLOOR: LruHashMap<Tuple, State, 64> = LruHashMap::new();
#[btf_map]
pub(crate) static FLOOR_ARRAY: Array<Places, 16, 0> = Array::new();
/// Of a live run: frames received as the sender was told last, frames sent, frames received. Each has a line of its own.
#[btf_map]
pub(crate) static PROGRESS: Array<Line, 3, MMAPABLE> = Array::new();
/// The program under test of a live run.
#[btf_map]
pub(crate) static LIVE_TARGET: ProgramArray<1> = ProgramArray::new();
