//! How to reach the cluster, found out while files may still be opened.

use std::{
    fs, io,
    path::{Path, PathBuf},
    thread,
};

use kube::{
    Client,
    config::{Config, KubeConfigOptions, Kubeconfig},
};
use tokio::runtime::{Builder, Runtime};

use super::{Directory, Followed, events, watch};
use crate::{cli, report::Sink, seal};

/// What the C library reads to look a host's name up.
const LOOKUP: [&str; 4] = ["/etc/hosts", "/etc/resolv.conf", "/etc/nsswitch.conf", "/etc/gai.conf"];

/// Why the cluster cannot be asked at all.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// No pod.
    #[error(
        "--kubernetes: this is no pod with a service account ({0}); give it one (automountServiceAccountToken), name a file with --kubeconfig, or leave --kubernetes out"
    )]
    NoAccount(String),
    /// A file that says nothing useful.
    #[error("--kubeconfig {file:?} cannot be used ({cause}); check it with `kubectl --kubeconfig FILE get pods`")]
    File {
        /// Its path.
        file: PathBuf,
        /// Why not.
        cause: String,
    },
    /// Its certificates will not do.
    #[error(
        "--kubernetes: the API server cannot be asked ({0}); check its certificates in the service account or --kubeconfig"
    )]
    Client(String),
    /// No sockets can be waited for.
    #[error("--kubernetes: sockets cannot be waited for ({0}); raise the number of open files (ulimit -n)")]
    Runtime(io::Error),
    /// The node's name is not known.
    #[error("the node's name is not known ({0}); give it with --node-name, in a pod from spec.nodeName")]
    Node(io::Error),
}

/// A cluster that can be asked.
pub struct Cluster {
    config: Config,
    /// Made early, for it may read the certificates of the system.
    client: Client,
    runtime: Own,
    node: String,
    events: bool,
}

impl Cluster {
    /// Finds it, and asks nothing yet.
    ///
    /// # Errors
    ///
    /// What is missing on this host.
    pub fn find(options: &cli::Kubernetes) -> Result<Self, ClusterError> {
        let node = match &options.node_name {
            Some(node) => node.clone(),
            None => fs::read_to_string("/proc/sys/kernel/hostname").map_err(ClusterError::Node)?.trim().to_lowercase(),
        };
        let runtime = Builder::new_current_thread().enable_all().build().map_err(ClusterError::Runtime)?;
        let config = match &options.kubeconfig {
            Some(file) => read(file, &runtime)?,
            None => Config::incluster().map_err(|error| ClusterError::NoAccount(root(&error)))?,
        };
        let client = {
            let _within = runtime.enter();
            Client::try_from(config.clone()).map_err(|error| ClusterError::Client(root(&error)))?
        };
        Ok(Self { config, client, runtime: Own(Some(runtime)), node, events: options.kubernetes_events })
    }

    /// What asking takes once everything else is given up.
    pub fn needs(&self) -> (seal::Connect, Vec<PathBuf>) {
        let uri = &self.config.cluster_url;
        let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("http") { 80 } else { 443 });
        let mut read = Vec::new();
        let renewed =
            self.config.auth_info.token_file.iter().map(PathBuf::from).chain(self.config.root_cert_file.clone());
        // The folder, in which they are replaced.
        read.extend(renewed.filter_map(|file| Some(file.parent()?.to_owned())));
        let host = uri.host().unwrap_or_default();
        let named = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_err();
        read.extend(LOOKUP.iter().filter(|_| named).map(PathBuf::from));
        read.retain(|path| path.exists());
        (seal::Connect { port, lookup: named }, read)
    }

    /// Learns names from now on, on a thread of its own, until what it returns is dropped; with it comes who makes events of
    /// findings, if that is wanted. `say` is told when the API server stops answering, and when it answers again.
    ///
    /// # Errors
    ///
    /// No thread.
    pub fn follow(self, directory: Directory, say: impl Fn(&str) + Send + 'static) -> io::Result<Followed> {
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let Self { config, client, mut runtime, node, events } = self;
        let url = config.cluster_url.to_string();
        let (events, maker) = events.then(events::events).unzip();
        thread::Builder::new().name("names".into()).spawn(move || {
            let Some(runtime) = runtime.0.take() else { return };
            runtime.block_on(async {
                tokio::select! {
                    () = watch::run(&client, &url, &node, &directory, maker, &say) => {}
                    // Also when the sender is gone.
                    _ = stopped => {}
                }
            });
            // A lookup of a name that hangs is not waited for.
            runtime.shutdown_background();
        })?;
        let events = events.map(|events| Box::new(events) as Box<dyn Sink>);
        Ok((Following { _stop: stop }, events))
    }
}

/// Ends the thread when dropped.
#[derive(Debug)]
pub struct Following {
    _stop: tokio::sync::oneshot::Sender<()>,
}

/// A runtime that may be dropped where another one runs.
struct Own(Option<Runtime>);

impl Drop for Own {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

fn read(file: &Path, runtime: &Runtime) -> Result<Config, ClusterError> {
    let failed = |cause: String| ClusterError::File { file: file.to_owned(), cause };
    let kubeconfig = Kubeconfig::read_from(file).map_err(|error| failed(root(&error)))?;
    let config = runtime.block_on(Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()));
    let config = config.map_err(|error| failed(root(&error)))?;
    if config.auth_info.exec.is_some() || config.auth_info.auth_provider.is_some() {
        return Err(failed(
            "it asks for a program to be started, which the sensor never does; use a token or a certificate".into(),
        ));
    }
    Ok(config)
}

/// The innermost cause, in one line; it may come from outside.
pub(super) fn root(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string().escape_debug().collect()
}
