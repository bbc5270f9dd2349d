//! The names of interfaces by index, for whoever reports: they come, go and change while findings are on their way.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, PoisonError, RwLock},
};

use sensor_common::flow::LinkId;

use crate::report::Place;

/// Names of interfaces that are gone, kept for findings that still wait, and for connections that end later.
const KEPT: usize = 1024;

/// The names, shared between who knows them and who tells them.
#[derive(Clone, Debug, Default)]
pub(super) struct Names(Arc<RwLock<Known>>);

#[derive(Debug, Default)]
struct Known {
    names: BTreeMap<u32, String>,
    gone: VecDeque<u32>,
}

impl Names {
    /// An interface is called so from now on.
    pub(super) fn set(&self, index: u32, name: &str) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        known.gone.retain(|gone| *gone != index);
        known.names.insert(index, name.to_owned());
    }

    /// An interface is gone, and its name not needed for long.
    pub(super) fn forget(&self, index: u32) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        known.gone.push_back(index);
        if known.gone.len() > KEPT
            && let Some(oldest) = known.gone.pop_front()
        {
            known.names.remove(&oldest);
        }
    }

    /// Calls `tell` with a link's place.
    pub(super) fn with<T>(&self, link: LinkId, tell: impl FnOnce(Place<'_>) -> T) -> T {
        // A copy, so that whoever writes to a stuck pipe holds no lock.
        let name = self.0.read().unwrap_or_else(PoisonError::into_inner).names.get(&link.ifindex).cloned();
        tell(Place { interface: name.as_deref(), ..Place::default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_outlive_their_interfaces_for_a_while() {
        let names = Names::default();
        for index in 0..KEPT as u32 + 10 {
            names.set(index, &format!("veth{index}"));
            names.forget(index);
        }
        let name = |index| names.with(LinkId::new(index, 4, 0, 0), |place| place.interface.map(str::to_owned));
        assert_eq!(name(9), None);
        assert_eq!(name(10).as_deref(), Some("veth10"));
        names.set(10, "back");
        names.set(5000, "one");
        names.forget(5000);
        assert_eq!(name(10).as_deref(), Some("back"));
        assert_eq!(names.0.read().unwrap().names.len(), KEPT + 1);
    }
}
