//! The feeder: writes the next recipe into the packet.

use crate::{
    maps::{FEED, RECIPES},
    recipe::{ETHERNET, Recipe, WORDS},
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
    let at = start + ETHERNET;
    if at + WORDS * 4 > end {
        return None;
    }
    write(at as *mut u32, recipe, lap);
    Some(())
}

/// Writes the words, each by itself: a loop would not be taken apart by the compiler, and would cost what we measure.
#[inline(always)]
fn write(to: *mut u32, recipe: &Recipe, lap: u32) {
    let put = |index: usize| {
        // SAFETY: `index` is below `WORDS`, and that many words of the packet were checked. Volatile, because the compiler must
        // not make a call to a byte loop of this.
        unsafe { to.add(index).write_volatile(recipe.word(index, lap)) };
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
}
