//! The names, shared between who learns them and who tells them.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
};

use serde::{Deserialize, Serialize};

use super::{Ends, Resolver};

/// A [`Resolver`] that is shared. Empty, it names nobody.
#[derive(Clone, Debug, Default)]
pub struct Directory(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    resolver: RwLock<Resolver>,
    /// What was asked for, and why it cannot be had.
    asked: Mutex<BTreeMap<String, Option<String>>>,
}

/// How it stands with the names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Pods that live.
    pub pods: u64,
    /// Addresses of pods that are gone and still remembered.
    pub remembered: u64,
    /// Services.
    pub services: u64,
    /// Pods and services that found no place.
    pub refused: u64,
    /// What cannot be had at the moment, and why.
    pub trouble: BTreeMap<String, String>,
}

impl Directory {
    /// Whom both ends belonged to at a time, in nanoseconds since the epoch.
    pub fn ends(&self, ends: [SocketAddr; 2], time: u64) -> Ends {
        let resolver = self.0.resolver.read().unwrap_or_else(PoisonError::into_inner);
        if resolver.is_empty() {
            Ends::default()
        } else {
            Ends(ends.map(|end| resolver.resolve(end, time).map(Box::new)))
        }
    }

    /// Learns something. What is done holds up whoever reports, so it is no more than one object, or one list.
    pub fn learn<T>(&self, learn: impl FnOnce(&mut Resolver) -> T) -> T {
        learn(&mut self.0.resolver.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// `what` was had, or not for a cause. What to say of it, where that changes something: of a server that does not answer no
    /// more than once, until it does.
    pub fn heard(&self, what: &str, cause: Option<String>) -> Option<String> {
        let mut asked = self.asked();
        let silent = |asked: &BTreeMap<_, Option<String>>| asked.values().flatten().count();
        let before = silent(&asked);
        let words = cause
            .as_ref()
            .map(|cause| format!("cannot be asked for {what} ({cause}); going on without, and trying again"));
        asked.insert(what.to_owned(), cause);
        match (before, silent(&asked)) {
            (0, 1) => words,
            (1, 0) => Some("answers again".to_owned()),
            _ => None,
        }
    }

    /// How it stands.
    pub fn standing(&self) -> Standing {
        let resolver = self.0.resolver.read().unwrap_or_else(PoisonError::into_inner);
        let [pods, remembered, services] = resolver.known().map(|count| count as u64);
        let trouble = self.asked().iter().filter_map(|(what, cause)| Some((what.clone(), cause.clone()?))).collect();
        Standing { pods, remembered, services, refused: resolver.refused(), trouble }
    }

    fn asked(&self) -> MutexGuard<'_, BTreeMap<String, Option<String>>> {
        self.0.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_is_said_once_and_its_end_too() {
        let directory = Directory::default();
        let hear = |what, cause: Option<&str>| directory.heard(what, cause.map(str::to_owned));
        assert_eq!(hear("pods", None), None);
        let words = hear("pods", Some("refused")).unwrap();
        assert!(words.starts_with("cannot be asked for pods (refused); going on without"), "{words}");
        assert_eq!(hear("pods", Some("refused")), None);
        assert_eq!(hear("services", Some("refused")), None);
        assert_eq!(hear("pods", None), None);
        assert_eq!(hear("services", None).as_deref(), Some("answers again"));
        assert_eq!(hear("services", None), None);
        assert!(hear("pods", Some("gone")).is_some());
        assert_eq!(directory.standing().trouble, BTreeMap::from([("pods".to_owned(), "gone".to_owned())]));
    }
}
