//! Who judges: the engine on this thread, or on several.

use std::io;

use sensor_common::{
    config::Config,
    counters::Cpu,
    flow::{Extra, Flow, Head},
    service::Service,
    table::Bucket,
};

use crate::{
    host::{Crew, Host},
    sweep::Slots,
};

/// One, or many with the same result.
pub(super) enum Judges {
    One(Box<Host>),
    Many(Box<Crew>),
}

impl Judges {
    /// So many workers on an empty table.
    pub(super) fn new(config: Config, workers: usize) -> io::Result<Self> {
        Ok(match workers {
            0 | 1 => Self::One(Box::new(Host::new(config))),
            many => Self::Many(Box::new(Crew::new(config, many)?)),
        })
    }

    pub(super) fn cpu(&self) -> &Cpu {
        match self {
            Self::One(host) => host.cpu(),
            Self::Many(crew) => crew.cpu(),
        }
    }

    pub(super) fn services(&self) -> Vec<Service> {
        match self {
            Self::One(host) => host.services().to_vec(),
            Self::Many(crew) => crew.services(),
        }
    }
}

impl Slots for Judges {
    fn buckets(&self) -> usize {
        match self {
            Self::One(host) => host.buckets(),
            Self::Many(crew) => crew.buckets(),
        }
    }

    fn bucket(&self, index: usize) -> Bucket {
        match self {
            Self::One(host) => host.bucket(index),
            Self::Many(crew) => crew.bucket(index),
        }
    }

    fn flow(&self, index: usize) -> (Flow, Extra) {
        match self {
            Self::One(host) => host.flow(index),
            Self::Many(crew) => crew.flow(index),
        }
    }

    fn head(&self, index: usize) -> Head {
        match self {
            Self::One(host) => host.head(index),
            Self::Many(crew) => crew.head(index),
        }
    }

    fn fetch(&self, index: usize) {
        match self {
            Self::One(host) => host.fetch(index),
            Self::Many(crew) => crew.fetch(index),
        }
    }
}
