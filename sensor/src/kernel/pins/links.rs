//! Pinned links: taken over where they are still what they were, made and let go of with their interfaces. A link's program is
//! replaced in one step, so that each segment is seen, by the old one or the new.

use std::error::Error;

use aya::programs::{
    ProgramError, SchedClassifier, Xdp,
    links::{FdLink, LinkError, PinnedLink},
    tc::{SchedClassifierLink, SchedClassifierLinkId, qdisc_detach_program},
    xdp::{XdpLink, XdpLinkId, XdpMode},
};

use super::{
    super::{
        attach::{Ingress, Mode, Place, Tc},
        error::chain,
        link::Links,
    },
    Pins,
};

/// What a pin is called by its hook, before the interface's index.
const XDP_NATIVE: &str = "xdp-native";
const XDP_GENERIC: &str = "xdp-generic";
const HOOKS: [&str; 6] = [XDP_NATIVE, XDP_GENERIC, "tcx-ingress", "tcx-egress", "clsact-ingress", "clsact-egress"];

/// Said where a hook is no link.
const NO_LINK: &str = "clsact is no link: when a sensor takes over, that hook is open for a moment";

/// The hook and the interface of a pin.
fn parts(name: &str) -> Option<(&str, u32)> {
    let (hook, index) = name.rsplit_once('-')?;
    HOOKS.contains(&hook).then_some(hook).zip(index.parse().ok())
}

/// Whether a pin of this name is a link's.
pub(super) fn is_one(name: &str) -> bool {
    parts(name).is_some()
}

/// The name of an interface of this namespace.
fn interface(ifindex: u32) -> Option<String> {
    let links = Links::open().and_then(|links| links.all()).ok()?;
    links.into_iter().find(|link| link.index == ifindex).map(|link| link.name)
}

/// A link for people: its interface by name, where there is one, and its hook.
pub fn shown(name: &str) -> String {
    let Some((hook, ifindex)) = parts(name) else { return name.escape_debug().to_string() };
    match interface(ifindex) {
        Some(interface) => format!("{} ({hook})", interface.escape_debug()),
        None => format!("interface {ifindex}, which is not here ({hook})"),
    }
}

const fn hook_of(ingress: Ingress) -> Option<&'static str> {
    match ingress {
        Ingress::XdpNative => Some(XDP_NATIVE),
        Ingress::XdpGeneric => Some(XDP_GENERIC),
        Ingress::Tc(_) => None,
    }
}

const fn tcx(which: Tc) -> &'static str {
    match which {
        Tc::Ingress => "tcx-ingress",
        Tc::Egress => "tcx-egress",
    }
}

const fn clsact(which: Tc) -> &'static str {
    match which {
        Tc::Ingress => "clsact-ingress",
        Tc::Egress => "clsact-egress",
    }
}

impl Pins {
    /// Takes over the pinned XDP link of an interface, if it has one that this mode allows. One that it does not ends.
    pub(in super::super) fn take_xdp(
        &mut self,
        program: &mut Xdp,
        place: Place<'_>,
        mode: Mode,
        notes: &mut Vec<String>,
    ) -> Option<(XdpLinkId, Ingress)> {
        let on = |id| xdp_on(place.ifindex) == Some(id);
        for (hook, ingress, wanted) in [
            (XDP_NATIVE, Ingress::XdpNative, matches!(mode, Mode::Auto | Mode::Native)),
            (XDP_GENERIC, Ingress::XdpGeneric, matches!(mode, Mode::Auto | Mode::Generic)),
        ] {
            let name = format!("{hook}-{}", place.ifindex);
            let Some(link) = self.find(&name, wanted, on, notes) else { continue };
            let taken = XdpLink::try_from(link).map_err(|error| chain(&error));
            let taken = taken.and_then(|link| program.attach_to_link(link).map_err(|error| chain(&error)));
            if let Some(id) = self.hold(name, taken, notes) {
                return Some((id, ingress));
            }
        }
        None
    }

    /// Whether an interface has a pinned link at tc.
    pub(in super::super) fn has_tc(&self, place: Place<'_>, which: Tc) -> bool {
        self.path(&format!("{}-{}", tcx(which), place.ifindex)).exists()
    }

    /// The same at tc.
    pub(in super::super) fn take_tcx(
        &mut self,
        program: &mut SchedClassifier,
        place: Place<'_>,
        which: Tc,
        notes: &mut Vec<String>,
    ) -> Option<SchedClassifierLinkId> {
        let on = |id| {
            let all = SchedClassifier::query_tcx(place.interface, which.hook());
            all.is_ok_and(|(_, all)| all.iter().any(|one| one.id() == id))
        };
        let name = format!("{}-{}", tcx(which), place.ifindex);
        let link = self.find(&name, true, on, notes)?;
        let taken = SchedClassifierLink::try_from(link).map_err(|error| chain(&error));
        let taken = taken.and_then(|link| program.attach_to_link(link).map_err(|error| chain(&error)));
        self.hold(name, taken, notes)
    }

    /// A link that was taken over is in use; one that could not be is made anew.
    fn hold<Id>(&mut self, name: String, taken: Result<Id, String>, notes: &mut Vec<String>) -> Option<Id> {
        match &taken {
            Ok(_) => {
                self.held.insert(name);
            }
            Err(cause) => self.give_up(&name, cause, notes),
        }
        taken.ok()
    }

    /// Pins a link that was made.
    pub(in super::super) fn keep_xdp(
        &mut self,
        program: &mut Xdp,
        link: XdpLinkId,
        place: Place<'_>,
        ingress: Ingress,
        notes: &mut Vec<String>,
    ) -> Result<XdpLinkId, ProgramError> {
        let Some(hook) = hook_of(ingress) else { return Ok(link) };
        let name = format!("{hook}-{}", place.ifindex);
        let link = program.take_link(link)?;
        match self.pin(&name, FdLink::try_from(link)).and_then(|link| XdpLink::try_from(link).map_err(told)) {
            Ok(link) => program.attach_to_link(link),
            Err(cause) => {
                notes.push(cause);
                let mode = if ingress == Ingress::XdpNative { XdpMode::Driver } else { XdpMode::Skb };
                program.attach_to_if_index(place.ifindex, mode)
            }
        }
    }

    /// The same at tc.
    pub(in super::super) fn keep_tcx(
        &mut self,
        program: &mut SchedClassifier,
        link: SchedClassifierLinkId,
        place: Place<'_>,
        which: Tc,
        notes: &mut Vec<String>,
    ) -> Result<SchedClassifierLinkId, ProgramError> {
        let name = format!("{}-{}", tcx(which), place.ifindex);
        let link = program.take_link(link)?;
        match self.pin(&name, FdLink::try_from(link)).and_then(|link| SchedClassifierLink::try_from(link).map_err(told))
        {
            Ok(link) => program.attach_to_link(link),
            Err(cause) => {
                notes.push(cause);
                program.attach(place.interface, which.hook())
            }
        }
    }

    /// Notes a filter that stays by itself: pins its program under the filter's name.
    pub(in super::super) fn keep_clsact(
        &mut self,
        program: &mut SchedClassifier,
        place: Place<'_>,
        which: Tc,
        notes: &mut Vec<String>,
    ) {
        let name = format!("{}-{}", clsact(which), place.ifindex);
        self.remove(&name);
        notes.push(match program.pin(self.path(&name)) {
            Ok(()) => {
                self.held.insert(name);
                NO_LINK.into()
            }
            Err(error) => told(error),
        });
    }

    /// An interface is gone, or no longer watched.
    pub(in super::super) fn forget(&mut self, ifindex: u32) {
        for name in HOOKS.map(|hook| format!("{hook}-{ifindex}")) {
            self.held.remove(&name);
            self.remove(&name);
        }
    }

    /// Ends a link, and what stays of it.
    pub(super) fn remove_link(&self, name: &str) {
        self.remove(name);
        let which = match parts(name) {
            Some(("clsact-ingress", _)) => Tc::Ingress,
            Some(("clsact-egress", _)) => Tc::Egress,
            _ => return,
        };
        if let Some(interface) = parts(name).and_then(|(_, ifindex)| interface(ifindex)) {
            let _ = qdisc_detach_program(&interface, which.hook(), which.program());
        }
    }

    /// A pinned link that is `wanted`, and whose program is `on` the interface: numbers of interfaces are used again, and mean others
    /// in other namespaces.
    fn find(&self, name: &str, wanted: bool, on: impl Fn(u32) -> bool, notes: &mut Vec<String>) -> Option<FdLink> {
        let path = self.path(name);
        if !path.exists() {
            return None;
        }
        let link = PinnedLink::from_pin(&path).map(FdLink::from);
        let there = link.as_ref().is_ok_and(|link| link.info().is_ok_and(|info| on(info.program_id())));
        if !there {
            self.give_up(name, "it is no longer on this interface", notes);
        } else if !wanted {
            self.remove(name);
        }
        link.ok().filter(|_| there && wanted)
    }

    fn give_up(&self, name: &str, cause: &str, notes: &mut Vec<String>) {
        notes.push(format!("the pinned {name} is made anew: {cause}"));
        self.remove(name);
    }

    /// Pins a link, or ends it and says why.
    fn pin(&mut self, name: &str, link: Result<FdLink, LinkError>) -> Result<FdLink, String> {
        // Of an interface that had this number before.
        self.remove(name);
        let pinned = link.map_err(told)?.pin(self.path(name)).map_err(told)?;
        self.held.insert(name.into());
        Ok(pinned.into())
    }

    /// Whether nothing that is in use has lost its pin.
    pub fn holds(&self) -> bool {
        self.is_there() && self.held.iter().all(|name| self.path(name).exists())
    }
}

/// Why something is not pinned.
fn told(cause: impl Error + 'static) -> String {
    format!("it is not pinned: {}", chain(&cause))
}

/// The XDP program on an interface.
fn xdp_on(ifindex: u32) -> Option<u32> {
    let links = Links::open().and_then(|links| links.all()).ok()?;
    links.into_iter().find(|link| link.index == ifindex)?.xdp
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pins_are_told_from_other_files() {
        assert_eq!(parts("tcx-egress-17"), Some(("tcx-egress", 17)));
        assert_eq!(parts("xdp-native-2"), Some((XDP_NATIVE, 2)));
        for name in ["FLOWS", "xdp-native-", "xdp-native-x", "xdp-offload-2", "tcx-egress-17.old", "-7", ""] {
            assert!(!is_one(name), "{name}");
        }
    }
}
