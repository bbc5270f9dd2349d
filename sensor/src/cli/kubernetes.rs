//! Names from a Kubernetes cluster.

use std::path::PathBuf;

use clap::Args;

/// Whether and where to learn the names of pods and services.
#[derive(Clone, Debug, Default, Args)]
pub struct Kubernetes {
    /// Name pods, workloads and services beside addresses, as the cluster's API server tells them.
    #[arg(long)]
    pub kubernetes: bool,
    /// The node whose pods are asked for [default: this host's name].
    #[arg(long, value_name = "NODE")]
    pub node_name: Option<String>,
    /// Ask the API server of this file's current context [default: that of the cluster whose pod this is].
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Also make a Kubernetes Event on the pod that a finding from warn up is about: one for each kind in 10 minutes.
    #[arg(long)]
    pub kubernetes_events: bool,
}

impl Kubernetes {
    /// Whether the API server is asked at all.
    pub const fn wanted(&self) -> bool {
        self.kubernetes || self.kubernetes_events
    }
}
