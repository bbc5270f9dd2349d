//! In place of what asks the API server, where the sensor was built without it.

use std::{convert::Infallible, io, path::PathBuf};

use super::{Directory, Followed};
use crate::{cli, seal};

/// Why the cluster cannot be asked at all.
#[derive(Debug, thiserror::Error)]
#[error("--kubernetes: this sensor was built without it; build it with --features k8s, or leave --kubernetes out")]
pub struct ClusterError;

/// A cluster that can be asked; there is none.
#[derive(Debug)]
pub struct Cluster(Infallible);

/// Ends the thread when dropped; there is none.
#[derive(Debug)]
pub struct Following(Infallible);

impl Cluster {
    /// Finds none.
    ///
    /// # Errors
    ///
    /// Always.
    pub fn find(_: &cli::Kubernetes) -> Result<Self, ClusterError> {
        Err(ClusterError)
    }

    /// What asking takes once everything else is given up.
    pub fn needs(&self) -> (seal::Connect, Vec<PathBuf>) {
        match self.0 {}
    }

    /// Learns names from now on.
    ///
    /// # Errors
    ///
    /// None.
    pub fn follow(self, _: Directory, _: impl Fn(&str) + Send + 'static) -> io::Result<Followed> {
        match self.0 {}
    }
}
