//! Whom an address belonged to.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Whom an address belonged to: a pod; or a service, for an address of its own; or else a node.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Who {
    /// Of pod and service.
    pub namespace: Option<String>,
    /// The pod's name.
    pub pod: Option<String>,
    /// The pod's uid, which no other pod ever has.
    pub uid: Option<String>,
    /// What made the pod.
    pub workload: Option<Workload>,
    /// The services that select the pod or have the address; those of the port, where one is known to be of it.
    pub services: Vec<String>,
    /// The pod's node; without a pod, the node whose address it is.
    pub node: Option<String>,
    /// Another may be meant: a node's address is also that of its host-network pods, or two pods had the address at about that
    /// time, of which the later one is named.
    pub ambiguous: bool,
}

/// What made a pod.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Workload {
    /// Such as `Deployment` or `DaemonSet`.
    pub kind: String,
    /// In the pod's namespace.
    pub name: String,
}

/// `shop/web-0`, `service shop/web`, `node n1`; with a question mark where another may be meant.
impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let namespace = self.namespace.as_deref().unwrap_or_default().escape_default();
        match (&self.pod, self.services.first(), &self.node) {
            (Some(pod), ..) => write!(f, "{namespace}/{}", pod.escape_default())?,
            (None, Some(service), _) => write!(f, "service {namespace}/{}", service.escape_default())?,
            // What runs in the node's own network has the node's address: who of them it is, the address does not say.
            (None, None, Some(node)) => return write!(f, "node {}", node.escape_default()),
            (None, None, None) => return Ok(()),
        }
        f.write_str(if self.ambiguous { "?" } else { "" })
    }
}

/// Whom both ends of a connection belonged to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ends(pub [Option<Box<Who>>; 2]);

impl Ends {
    /// Both.
    pub fn both(&self) -> [Option<&Who>; 2] {
        let [from, to] = &self.0;
        [from.as_deref(), to.as_deref()]
    }

    /// Words for behind each address, as ` (shop/web-0)`; none where nothing is known.
    pub fn words(&self) -> [String; 2] {
        self.both().map(|who| who.map_or_else(String::new, |who| format!(" ({who})")))
    }

    /// Whether anything is known.
    pub fn known(&self) -> bool {
        self.0.iter().any(Option::is_some)
    }
}
