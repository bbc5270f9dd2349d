//! What the kernel tells of an interface beyond its link: which XDP its driver has, and whose filters are on it.

use aya::programs::{SchedClassifier, TcAttachType};

use super::netlink::{Netlink, attribute, number, text, with_attribute};

/// Native XDP; native XDP on frames of several buffers.
pub(crate) const XDP_BASIC: u64 = 1;
pub(crate) const XDP_SEVERAL_BUFFERS: u64 = 1 << 5;

// From linux/genetlink.h and linux/netdev.h.
const CONTROL: u16 = 0x10;
const GET_FAMILY: u8 = 3;
const FAMILY_ID: u16 = 1;
const FAMILY_NAME: u16 = 2;
const DEV_GET: u8 = 1;
const DEV_IFINDEX: u16 = 1;
const DEV_XDP_FEATURES: u16 = 3;
/// `struct genlmsghdr`.
const GENERIC: usize = 4;

/// The kinds of XDP that an interface's driver has; `None` where the kernel (before 6.3) does not tell.
pub(crate) fn xdp_features(ifindex: u32) -> Option<u64> {
    let socket = Netlink::open(libc::NETLINK_GENERIC).ok()?;
    let mut family = None;
    let body = with_attribute(vec![GET_FAMILY, 2, 0, 0], FAMILY_NAME, b"netdev\0");
    let read = |body: &[u8]| family = attribute(body, GENERIC, FAMILY_ID).and_then(|id| id.first_chunk().copied());
    socket.ask(CONTROL, 0, &body, read).ok()?;
    let mut features = None;
    let body = with_attribute(vec![DEV_GET, 1, 0, 0], DEV_IFINDEX, &ifindex.to_ne_bytes());
    let read = |body: &[u8]| {
        features = attribute(body, GENERIC, DEV_XDP_FEATURES).and_then(|bits| bits.first_chunk().copied())
    };
    socket.ask(u16::from_ne_bytes(family?), 0, &body, read).ok()?;
    features.map(u64::from_ne_bytes)
}

/// `struct tcmsg`, and its attributes of a filter.
const TCMSG: usize = 20;
const TCA_KIND: u16 = 1;
const TCA_OPTIONS: u16 = 2;
const TCA_BPF_NAME: u16 = 7;

/// Where filters of the clsact qdisc hang.
const INGRESS: u32 = 0xffff_fff2;
const EGRESS: u32 = 0xffff_fff3;

/// A filter or program of tc on an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Filter {
    /// What it is called: its name, or the kind of filter.
    pub(crate) name: String,
    /// `ingress` or `egress`.
    pub(crate) direction: &'static str,
    /// By which number tc knows it; tcx programs have none.
    pub(crate) preference: Option<u32>,
}

/// All of them, in the order in which they run: tcx goes before clsact.
pub(crate) fn filters(ifindex: u32, name: &str) -> Vec<Filter> {
    let mut all = Vec::new();
    for (hook, parent, direction) in
        [(TcAttachType::Ingress, INGRESS, "ingress"), (TcAttachType::Egress, EGRESS, "egress")]
    {
        let programs = SchedClassifier::query_tcx(name, hook).map(|(_, programs)| programs).unwrap_or_default();
        all.extend(programs.iter().map(|program| {
            let name = program.name_as_str().unwrap_or_default();
            Filter { name: format!("{name} (id {})", program.id()), direction, preference: None }
        }));
        all.extend(classic(ifindex, parent, direction));
    }
    all
}

/// The filters of the clsact qdisc.
fn classic(ifindex: u32, parent: u32, direction: &'static str) -> Vec<Filter> {
    let mut filters: Vec<Filter> = Vec::new();
    let Ok(socket) = Netlink::open(libc::NETLINK_ROUTE) else { return filters };
    let words = [0, ifindex, 0, parent, 0];
    let body: Vec<u8> = words.iter().flat_map(|word: &u32| word.to_ne_bytes()).collect();
    // An interface without the qdisc is one without filters.
    let _ = socket.ask(libc::RTM_GETTFILTER, libc::NLM_F_DUMP, &body, |body| {
        let Some(info) = body.get(16..).and_then(number) else { return };
        let options = attribute(body, TCMSG, TCA_OPTIONS).unwrap_or_default();
        let bpf = attribute(options, 0, TCA_BPF_NAME).map(text);
        let kind = attribute(body, TCMSG, TCA_KIND).map(text).unwrap_or_default();
        let filter = Filter { name: bpf.unwrap_or(kind), direction, preference: Some(info >> 16) };
        // Some kinds come twice: the filter, and what it holds, which knows the name.
        match filters.last_mut().filter(|last| last.preference == filter.preference) {
            Some(last) => *last = filter,
            None => filters.push(filter),
        }
    });
    filters
}
