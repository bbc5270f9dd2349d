//! Attaching: XDP and tc where the interface allows, and a word on what it did not allow.

use std::fmt;

use aya::{
    Ebpf,
    programs::{
        LinkOrder, ProgramError, SchedClassifier, TcAttachType, Xdp,
        links::FdLink,
        tc::{NlOptions, SchedClassifierLinkId, TcAttachOptions, qdisc_add_clsact, qdisc_detach_program},
        xdp::{XdpLinkId, XdpMode},
    },
};

use super::{
    KernelError, Pins, TC_EGRESS, TC_INGRESS, XDP,
    error::{chain, errno},
    ethtool, ioctl, netdev, privilege, program,
};

/// How to attach to ingress.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// The best that works: native XDP, generic XDP, tc. On a veth, tc.
    #[default]
    Auto,
    /// XDP in the driver.
    Native,
    /// XDP in the network stack.
    Generic,
    /// The tc hook, behind any XDP program.
    Tc,
}

impl Mode {
    const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Native => "native",
            Self::Generic => "generic",
            Self::Tc => "tc",
        }
    }
}

/// The ingress hook that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ingress {
    /// XDP in the driver: sees frames as they come.
    XdpNative,
    /// XDP in the network stack: may see merged frames.
    XdpGeneric,
    /// The tc hook.
    Tc(Egress),
}

/// The flavour of the tc hook that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Egress {
    /// tcx (Linux 6.6): detached when the agent dies.
    Tcx,
    /// The clsact qdisc: outlives the agent if it is killed; the next start clears it.
    Clsact,
    /// Not attached: one hook sees both directions.
    None,
}

/// What was attached where.
#[derive(Clone, Debug)]
pub struct Attached {
    /// The interface.
    pub interface: String,
    /// Its index.
    pub ifindex: u32,
    /// The ingress hook.
    pub ingress: Ingress,
    /// The egress hook.
    pub egress: Egress,
    /// Why better hooks were not taken, and what else is not as usual.
    pub notes: Vec<String>,
}

impl Attached {
    /// Whether something of it must be taken down by hand, with CAP_NET_ADMIN.
    pub fn is_clsact(&self) -> bool {
        self.egress == Egress::Clsact || self.ingress == Ingress::Tc(Egress::Clsact)
    }
}

impl fmt::Display for Attached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tc = |flavour| match flavour {
            Egress::Tcx => "tcx",
            Egress::Clsact => "tc (clsact)",
            Egress::None => "nothing",
        };
        let ingress = match self.ingress {
            Ingress::XdpNative => "native XDP",
            Ingress::XdpGeneric => "generic XDP",
            Ingress::Tc(flavour) => tc(flavour),
        };
        // The kernel takes almost anything for a name.
        let interface = self.interface.escape_debug();
        write!(f, "{interface}: ingress by {ingress}, egress by {}", tc(self.egress))?;
        if !self.notes.is_empty() {
            write!(f, " ({})", self.notes.join("; "))?;
        }
        Ok(())
    }
}

/// Links to take down again.
pub(super) struct Links {
    pub(super) ifindex: u32,
    xdp: Option<XdpLinkId>,
    tc: Vec<(&'static str, SchedClassifierLinkId)>,
}

/// An interface of this namespace.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) interface: &'a str,
    pub(super) ifindex: u32,
}

/// One of the two hooks of tc.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tc {
    Ingress,
    Egress,
}

impl Tc {
    pub(super) const fn program(self) -> &'static str {
        match self {
            Self::Ingress => TC_INGRESS,
            Self::Egress => TC_EGRESS,
        }
    }

    pub(super) const fn hook(self) -> TcAttachType {
        match self {
            Self::Ingress => TcAttachType::Ingress,
            Self::Egress => TcAttachType::Egress,
        }
    }
}

/// What is asked of an attachment.
pub(super) struct How {
    pub(super) mode: Mode,
    pub(super) both_directions: bool,
    pub(super) clsact: bool,
}

pub(super) fn attach(
    ebpf: &mut Ebpf,
    mut pins: Option<&mut Pins>,
    interface: &str,
    how: How,
) -> Result<(Links, Attached), KernelError> {
    let How { mode, both_directions, clsact } = how;
    let ifindex = netdev::interface_index(interface)?;
    if !ioctl::is_ethernet(interface) {
        return Err(KernelError::NotEthernet { interface: interface.into() });
    }
    let mut notes = Vec::new();
    let mut links = Links { ifindex, xdp: None, tc: Vec::new() };
    let failed = |notes: &[String]| KernelError::Attach { interface: interface.into(), cause: notes.join("; ") };

    let place = Place { interface, ifindex };
    let ingress = match xdp(ebpf, pins.as_deref_mut(), place, mode, &mut notes)? {
        Some((link, ingress)) => {
            links.xdp = Some(link);
            ingress
        }
        None if matches!(mode, Mode::Native | Mode::Generic) => {
            let (mode, cause) = (mode.name(), notes.join("; "));
            return Err(KernelError::Mode { interface: interface.into(), mode, cause });
        }
        None => {
            let Some((link, flavour)) = tc(ebpf, pins.as_deref_mut(), place, Tc::Ingress, clsact, &mut notes)? else {
                return Err(failed(&notes));
            };
            links.tc.push((TC_INGRESS, link));
            Ingress::Tc(flavour)
        }
    };
    let mut egress = Egress::None;
    if !both_directions {
        match tc(ebpf, pins, place, Tc::Egress, clsact, &mut notes)? {
            Some((link, flavour)) => {
                links.tc.push((TC_EGRESS, link));
                egress = flavour;
            }
            None => {
                detach(ebpf, links);
                return Err(failed(&notes));
            }
        }
    }
    if ioctl::is_down(interface) {
        notes.push("it is down for now".into());
    }
    Ok((links, Attached { interface: interface.into(), ifindex, ingress, egress, notes }))
}

/// Takes an XDP hook, native before generic. `None` if there is none to take; the notes say why.
fn xdp(
    ebpf: &mut Ebpf,
    mut pins: Option<&mut Pins>,
    place: Place<'_>,
    mode: Mode,
    notes: &mut Vec<String>,
) -> Result<Option<(XdpLinkId, Ingress)>, KernelError> {
    let ifindex = place.ifindex;
    if let Some(pins) = pins.as_deref_mut() {
        match pins.take_xdp(program(ebpf, XDP)?, place, mode, notes) {
            Some(taken) => return Ok(Some(taken)),
            // What is pinned at tc goes on there.
            None if mode == Mode::Auto && pins.has_tc(place, Tc::Ingress) => return Ok(None),
            None => {}
        }
    }
    let ladder: &[_] = match mode {
        Mode::Auto => &[(XdpMode::Driver, Ingress::XdpNative), (XdpMode::Skb, Ingress::XdpGeneric)],
        Mode::Native => &[(XdpMode::Driver, Ingress::XdpNative)],
        Mode::Generic => &[(XdpMode::Skb, Ingress::XdpGeneric)],
        Mode::Tc => &[],
    };
    if !ladder.is_empty()
        && let Some(owner) = netdev::xdp_owner(ifindex)
    {
        // A second one would have to push it out. It was there first.
        let pinned = if owner.starts_with(XDP) { ": a sensor's, or pinned by one (sensor detach)" } else { "" };
        notes.push(format!("XDP is taken by program {owner}, which is left alone{pinned}"));
        return Ok(None);
    }
    if mode == Mode::Auto && ethtool::driver(place.interface).as_deref() == Some(ethtool::VETH) {
        notes.push("on a veth XDP would break up packets of 64 KB: --mode native takes it".into());
        return Ok(None);
    }
    let program: &mut Xdp = program(ebpf, XDP)?;
    for &(mode, ingress) in ladder {
        match program.attach_to_if_index(ifindex, mode) {
            Ok(link) => {
                let kept = match pins.as_deref_mut() {
                    Some(pins) => pins.keep_xdp(program, link, place, ingress, notes),
                    None => Ok(link),
                };
                return kept.map(|link| Some((link, ingress))).map_err(KernelError::program);
            }
            Err(error) => {
                let name = if mode == XdpMode::Driver { "native" } else { "generic" };
                notes.push(format!("{name} XDP refused: {}", reason(&error)));
            }
        }
    }
    Ok(None)
}

/// Takes a tc hook, tcx before clsact. `None` if neither is to be had; the notes say why.
fn tc(
    ebpf: &mut Ebpf,
    mut pins: Option<&mut Pins>,
    place: Place<'_>,
    which: Tc,
    clsact: bool,
    notes: &mut Vec<String>,
) -> Result<Option<(SchedClassifierLinkId, Egress)>, KernelError> {
    let (name, hook, interface) = (which.program(), which.hook(), place.interface);
    let program: &mut SchedClassifier = program(ebpf, name)?;
    if let Some(pins) = pins.as_deref_mut()
        && let Some(link) = pins.take_tcx(program, place, which, notes)
    {
        return Ok(Some((link, Egress::Tcx)));
    }
    let tcx = if clsact {
        "not wanted".into()
    } else {
        match program.attach_with_options(interface, hook, TcAttachOptions::TcxOrder(LinkOrder::default())) {
            Ok(link) => {
                let kept = match pins {
                    Some(pins) => pins.keep_tcx(program, link, place, which, notes),
                    None => Ok(link),
                };
                return kept.map(|link| Some((link, Egress::Tcx))).map_err(KernelError::program);
            }
            Err(error) => reason(&error),
        }
    };
    // The qdisc may be there already, also of others; adding it twice is refused and harmless. A filter of ours that a killed
    // agent left is not.
    let _ = qdisc_add_clsact(interface);
    let _ = qdisc_detach_program(interface, hook, name);
    match program.attach_with_options(interface, hook, TcAttachOptions::Netlink(NlOptions::default())) {
        Ok(link) => {
            if let Some(pins) = pins {
                pins.keep_clsact(program, place, which, notes);
            }
            Ok(Some((link, Egress::Clsact)))
        }
        Err(error) => {
            notes.push(format!("tcx refused: {tcx}; clsact refused: {}", reason(&error)));
            Ok(None)
        }
    }
}

/// What a refusal for lack of rights says.
const DENIED: &str = "CAP_NET_ADMIN is missing";

/// A refusal, or what lies behind it where rights were given up since the program was loaded. Who may not ask is told that
/// there is nothing.
pub(super) fn explained(error: KernelError) -> KernelError {
    let denied = match &error {
        KernelError::Attach { cause, .. } | KernelError::Mode { cause, .. } => cause.contains(DENIED),
        KernelError::NoInterface { .. } => true,
        _ => false,
    };
    if denied { privilege::check().err().unwrap_or(error) } else { error }
}

/// The kernel's word on a refusal, with what usually lies behind it.
fn reason(error: &ProgramError) -> String {
    let hint = match errno(error) {
        Some(libc::EBUSY) => "another program is attached",
        Some(libc::EOPNOTSUPP) => "the driver does not support it",
        Some(libc::EINVAL) => "the driver or the kernel does not support it here",
        Some(libc::ERANGE | libc::EMSGSIZE) => "the MTU is too large for it",
        Some(libc::EPERM | libc::EACCES) => DENIED,
        Some(libc::ENODEV) => "the interface is gone",
        _ => return chain(error),
    };
    format!("{hint} ({})", chain(error))
}

pub(super) fn detach(ebpf: &mut Ebpf, links: Links) {
    // What is gone already (the interface was removed) needs no detaching.
    if let Some(link) = links.xdp
        && let Ok(xdp) = program::<Xdp>(ebpf, XDP)
    {
        let _ = xdp.detach(link);
    }
    for (name, link) in links.tc {
        if let Ok(tc) = program::<SchedClassifier>(ebpf, name) {
            let _ = tc.detach(link);
        }
    }
}

/// Leaves the hooks as they are: links to their pins, without which they end with the process, and filters to their qdisc.
pub(super) fn leave(ebpf: &mut Ebpf, links: Links) {
    for (name, link) in links.tc {
        let link = program::<SchedClassifier>(ebpf, name).ok().and_then(|tc| tc.take_link(link).ok());
        // A filter would be removed with its handle.
        if let Some(link) = link.filter(|link| <&FdLink>::try_from(link).is_err()) {
            std::mem::forget(link);
        }
    }
}
