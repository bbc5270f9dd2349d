//! What the engine works on: plain memory, changed by one thread at a time.

use sensor_common::{
    config::Config,
    event::ServiceSnapshot,
    flow::{Extra, Flow, Key, Side},
    service::Service,
    table::{Bucket, Services, Storage},
};

use super::part::Part;

/// The services, at hand.
pub(super) struct AtHand<'a>(pub(super) &'a mut [Service]);

impl Services for AtHand<'_> {
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
    fn service(&mut self, index: u32) -> Option<&mut Service> {
        self.0.get_mut(index as usize)
    }
}

/// Buckets, flows and services.
pub(super) struct Memory<'a, S> {
    pub(super) table: &'a mut Part,
    pub(super) services: S,
}

impl<S: Services> Services for Memory<'_, S> {
    #[inline(always)]
    fn swap_tag(tag: &mut u32, old: u32, new: u32) -> bool {
        S::swap_tag(tag, old, new)
    }

    #[inline(always)]
    fn add(counter: &mut u64, n: u64) {
        S::add(counter, n);
    }

    #[inline(always)]
    fn service(&mut self, index: u32) -> Option<&mut Service> {
        self.services.service(index)
    }

    #[inline(always)]
    fn service_of(&mut self, config: &Config, key: &Key, side: Side) -> Option<u32> {
        self.services.service_of(config, key, side)
    }

    #[inline(always)]
    fn snapshot(&mut self, index: u32) -> ServiceSnapshot {
        self.services.snapshot(index)
    }

    #[inline(always)]
    fn counts(&mut self, index: u32) -> Option<&mut Service> {
        self.services.counts(index)
    }
}

impl<S: Services> Storage for Memory<'_, S> {
    #[inline(always)]
    fn bucket(&mut self, index: u32) -> Option<&mut Bucket> {
        self.table.bucket(index)
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
}
