//! Rate limits: attack traffic degrades detail, never the count.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// A token bucket that is refilled once a coarse second.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Bucket {
    /// The coarse second of the last refill.
    pub second: u32,
    /// Tokens spent in it.
    pub spent: u32,
}

impl Bucket {
    /// Takes a token; `rate` tokens a coarse second (1.07 s), 0 is unlimited.
    #[inline(always)]
    pub fn take(&mut self, rate: u32, second: u32) -> bool {
        if rate == 0 {
            return true;
        }
        if self.second != second {
            self.second = second;
            self.spent = 0;
        }
        if self.spent >= rate {
            return false;
        }
        self.spent += 1;
        true
    }
}

/// Whether the `n`th finding of a flow (from 0 to 15) is told: the first `free` are, then only each power of two. After the last the
/// caller goes on from 8, so that one in eight is told however long it lasts.
#[inline(always)]
pub const fn told(n: u32, free: u32) -> bool {
    n < free || (n + 1) & n == 0
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    #[test]
    fn bucket_refills_each_second() {
        let mut bucket = Bucket::default();
        let taken = (0..10).filter(|_| bucket.take(3, 7)).count();
        assert_eq!(taken, 3);
        assert!(bucket.take(3, 8));
        assert!((0..100).all(|_| bucket.take(0, 8)));
    }

    #[test]
    fn back_off_doubles() {
        let told: Vec<u32> = (0..70).filter(|&n| told(n, 3)).collect();
        assert_eq!(told, [0, 1, 2, 3, 7, 15, 31, 63]);
    }
}
