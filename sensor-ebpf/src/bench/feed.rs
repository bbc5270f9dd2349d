//! The feeder: writes the next recipe into the packet.

use crate::{
    layout,
    maps::{FEED, RECIPES},
    recipe::{IPV6, PLAIN, Recipe, VLAN, WORDS, place},
};

/// Writes the next recipe's headers to the packet between `start` and `end`; `None` if there is no recipe or no room.
#[inline(always)]
pub(crate) fn fill(start: usize, end: usize) -> Option<()> {
    let feed = FEED.get_ptr_mut(0)?;
    // SAFETY: an element of an array map; one CPU runs the benchmark.
    let feed = unsafe { &mut *feed };
    let lap = feed.lap;
    let recipe = RECIPES.get_ptr(feed.next)?;
    feed.next += 1;
    if feed.next >= feed.end {
        feed.next = feed.first;
        feed.lap = lap.wrapping_add(1);
    }
    // SAFETY: an element of an array map; nobody writes it during a run.
    let recipe = unsafe { &*recipe };
    match layout() {
        VLAN => write::<VLAN>(start, end, recipe, lap),
        IPV6 => write::<IPV6>(start, end, recipe, lap),
        _ => write::<PLAIN>(start, end, recipe, lap),
    }
}

/// Writes the words, each by itself: a loop would not be taken apart by the compiler, and would cost what we measure.
#[inline(always)]
fn write<const LAYOUT: u32>(start: usize, end: usize, recipe: &Recipe, lap: u32) -> Option<()> {
    // The last word is the one farthest out.
    if start + const { behind(LAYOUT) } > end {
        return None;
    }
    let put = |index: usize| {
        if let Some(at) = place(LAYOUT, index) {
            // SAFETY: the packet reaches behind the last word, as was checked. Volatile, because the compiler must not make a
            // call to a byte loop of this.
            unsafe { ((start + at) as *mut u32).write_volatile(recipe.word(index, lap)) };
        }
    };
    put(0);
    put(1);
    put(2);
    put(3);
    put(4);
    put(5);
    put(6);
    put(7);
    put(8);
    put(9);
    put(10);
    put(11);
    put(12);
    put(13);
    put(14);
    Some(())
}

/// Bytes up to the end of the last word.
const fn behind(layout: u32) -> usize {
    match place(layout, WORDS - 1) {
        Some(at) => at + 4,
        None => 0,
    }
}
