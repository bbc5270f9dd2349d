//! What there is to know of an interface.

use std::collections::BTreeSet;

use crate::kernel::{Filter, Link, VETH, driver, features, filters, program_name, xdp_features};

/// Readings of an interface.
#[derive(Clone, Debug, Default)]
pub(super) struct Nic {
    pub(super) link: Link,
    /// Nothing for interfaces that are made of software alone.
    pub(super) driver: Option<String>,
    /// What is switched on of what a card does by itself.
    pub(super) features: BTreeSet<String>,
    /// The kinds of XDP that its driver has, where the kernel tells.
    pub(super) xdp: Option<u64>,
    /// The XDP program on it, by name and id.
    pub(super) taken_by: Option<String>,
    /// Filters and programs of tc.
    pub(super) filters: Vec<Filter>,
}

impl Nic {
    /// That of this name, if there is one.
    pub(super) fn read(name: &str, links: &[Link]) -> Option<Self> {
        let link = links.iter().find(|link| link.is_called(name))?;
        Some(Self {
            link: link.clone(),
            driver: driver(&link.name),
            features: features(&link.name).unwrap_or_default(),
            xdp: xdp_features(link.index),
            taken_by: link.xdp.map(program_name),
            filters: filters(link.index, &link.name),
        })
    }

    /// Whether the sensor takes tc there by itself.
    pub(super) fn is_veth(&self) -> bool {
        self.driver.as_deref() == Some(VETH)
    }
}
