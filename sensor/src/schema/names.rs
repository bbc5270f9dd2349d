//! The schema of names from a cluster.

use serde_json::{Value, json};

use super::{list, object, or_null};

/// Whom the two ends of a connection belonged to.
pub(super) fn ends(from: &str, to: &str) -> Value {
    let either = [(from, or_null(who())), (to, or_null(who()))];
    or_null(object("Whom the ends belonged to, as a cluster told with `--kubernetes`.", &either))
}

/// Whom an address belonged to.
pub(super) fn who() -> Value {
    let text = |description: &str| json!({ "type": "string", "description": description });
    let workload = [("kind", text("Such as `Deployment`.")), ("name", text("In the pod's namespace."))];
    object(
        "A pod; or a service, for an address of its own; or else a node.",
        &[
            ("namespace", or_null(text("Of pod and service."))),
            ("pod", or_null(text("Its name."))),
            ("uid", or_null(text("The pod's, which no other ever has."))),
            ("workload", or_null(object("What made the pod.", &workload))),
            ("services", list(text("Those that select the pod, or have the address; those of the port, if known."))),
            ("node", or_null(text("The pod's; without a pod, the node whose address it is."))),
            ("ambiguous", json!({ "type": "boolean", "description": "Another may be meant." })),
        ],
    )
}
