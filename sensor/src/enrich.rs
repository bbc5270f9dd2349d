//! Names for addresses: which pod, workload, service or node of a Kubernetes cluster an address belonged to, and when.
//!
//! [`Resolver`] does no I/O and has no clock: objects, addresses and times come with each call. [`Directory`] is the same, shared
//! between who learns names and who tells them. What asks the API server needs the feature `k8s`; without it nobody learns names.

#[cfg(not(feature = "k8s"))]
mod absent;
#[cfg(feature = "k8s")]
mod client;
#[cfg(feature = "k8s")]
mod convert;
mod directory;
#[cfg(feature = "k8s")]
mod events;
mod object;
mod resolver;
#[cfg(feature = "k8s")]
mod watch;
mod who;

#[cfg(not(feature = "k8s"))]
pub use absent::{Cluster, ClusterError, Following};
#[cfg(feature = "k8s")]
pub use client::{Cluster, ClusterError, Following};
pub use directory::{Directory, Standing};
pub use object::{Learnt, Pod, Port, Service};
pub use resolver::{KEPT, LEAD, MAX_PODS, MAX_SERVICES, MAX_TOMBSTONES, Resolver};
pub use who::{Ends, Who, Workload};

/// Who learns names, and who makes events of findings, if that is wanted.
pub type Followed = (Following, Option<Box<dyn crate::report::Sink>>);
