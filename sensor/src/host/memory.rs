//! What the engine works on: plain memory, changed by one thread at a time.

use sensor_common::{
    flow::{Extra, Flow},
    service::Service,
    table::{Bucket, Storage},
};

use super::part::Part;

/// The services: at hand, or to be waited for.
pub(super) trait Services {
    /// The one with this index.
    fn service(&mut self, index: u32) -> Option<&mut Service>;
}

impl Services for &mut [Service] {
    #[inline(always)]
    fn service(&mut self, index: u32) -> Option<&mut Service> {
        self.get_mut(index as usize)
    }
}

/// Buckets, flows and services.
pub(super) struct Memory<'a, S> {
    pub(super) table: &'a mut Part,
    pub(super) services: S,
}

impl<S: Services> Storage for Memory<'_, S> {
    #[inline(always)]
    fn bucket(&mut self, index: u32) -> Option<&mut Bucket> {
        self.table.bucket(index)
    }

    #[inline(always)]
    fn swap_tag(tag: &mut u32, old: u32, new: u32) -> bool {
        let same = *tag == old;
        if same {
            *tag = new;
        }
        same
    }

    #[inline(always)]
    fn add(counter: &mut u64, n: u64) {
        *counter += n;
    }

    #[inline(always)]
    fn flow(&mut self, index: u32) -> Option<&mut Flow> {
        self.table.flow(index)
    }

    #[inline(always)]
    fn extra(&mut self, index: u32) -> Option<&mut Extra> {
        self.table.extra(index)
    }

    #[inline(always)]
    fn whole(&mut self, index: u32) -> Option<(&mut Flow, &mut Extra)> {
        self.table.whole(index)
    }

    #[inline(always)]
    fn service(&mut self, index: u32) -> Option<&mut Service> {
        self.services.service(index)
    }
}
