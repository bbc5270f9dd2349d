//! What is wrong with an interface.

use super::{Check, State, nic::Nic};
use crate::{
    config::nearest,
    kernel::{Filter, Link, XDP_BASIC, XDP_SEVERAL_BUFFERS},
};

/// What the program of a sensor is called, wherever it hangs.
const OURS: &str = "sensor_";

/// The largest MTU that fits a page with room before and behind, as most drivers want it for XDP.
const ONE_BUFFER: u32 = 3498;

/// Everything about an interface, also about one that is not there.
pub(super) fn checks(name: &str, nic: Option<&Nic>, links: &[Link]) -> Vec<Check> {
    let Some(nic) = nic else {
        let others: Vec<_> = links.iter().map(|link| link.name.as_str()).collect();
        let text = format!("there is no interface {name:?}; there are {}", others.join(", "));
        let remedy = format!("sensor doctor -i {}", nearest(name, others.iter().copied()));
        return vec![Check::new("interface", State::Fail, text).mend(remedy)];
    };
    if !nic.link.is_ethernet() {
        let text = "it carries no Ethernet frames, and the sensor reads nothing else";
        let beneath =
            links.iter().find(|link| link.is_ethernet() && !link.is_loopback()).map(|link| link.name.as_str());
        let remedy = format!("sensor attach -i {} (the interface beneath it)", beneath.unwrap_or("NAME"));
        return vec![Check::new("ethernet", State::Fail, text).mend(remedy)];
    }
    [state(nic), belongs(nic, links), taken(nic), native(nic), mtu(nic)]
        .into_iter()
        .chain([merged(nic), cut(nic), vlans(nic), filters(nic)])
        .flatten()
        .collect()
}

fn state(nic: &Nic) -> Option<Check> {
    let name = &nic.link.name;
    Some(match (nic.link.up, nic.link.carrier) {
        (false, _) => Check::new("state", State::Warn, "it is down: nothing is to be seen")
            .mend(format!("ip link set dev {name} up")),
        (true, false) => {
            let text = "it has no carrier: the cable is out, or the other end is down";
            Check::new("state", State::Warn, text).mend(format!("ip link show dev {name} (and the other end: up)"))
        }
        (true, true) => Check::fine("state", "it is up"),
    })
}

/// Other interfaces that see the same frames.
fn belongs(nic: &Nic, links: &[Link]) -> Option<Check> {
    let name_of = |index: u32| links.iter().find(|link| link.index == index).map(|link| link.name.as_str());
    if let Some((master, kind)) = &nic.link.master
        && nic.link.is_slave()
    {
        let master = name_of(*master)?;
        let text = format!("it belongs to the {kind} {master}, and shows a part of its frames only");
        return Some(Check::new("bond-member", State::Warn, text).mend(format!("sensor attach -i {master}")));
    }
    let kind = nic.link.kind.as_deref()?;
    match (kind, nic.link.lower.and_then(name_of)) {
        ("bridge", _) => {
            let port =
                links.iter().find(|link| link.master.as_ref().is_some_and(|(index, _)| *index == nic.link.index));
            let port = port.map_or("PORT", |link| link.name.as_str());
            let text = "it is a bridge: what passes between its ports is not seen here";
            Some(Check::new("bridge", State::Note, text).mend(format!("sensor attach -i {port}")))
        }
        ("vlan" | "macvlan" | "macvtap" | "ipvlan", Some(lower)) => {
            let text = format!("it is a {kind} over {lower}, which shows its frames too: watch one of the two");
            Some(Check::new("upper", State::Note, text).mend(format!("sensor attach -i {lower}")))
        }
        _ => None,
    }
}

fn taken(nic: &Nic) -> Option<Check> {
    let owner = nic.taken_by.as_ref()?;
    Some(if owner.starts_with(OURS) {
        Check::new("xdp-taken", State::Note, format!("a sensor is on it already: {owner}"))
            .mend("sensor flows (asks it)")
    } else {
        let text = format!("XDP is taken by program {owner}, which is left alone: the sensor takes tc, behind it");
        Check::new("xdp-taken", State::Warn, text)
            .mend(format!("ip link set dev {} xdp off (if nobody needs it)", nic.link.name))
    })
}

/// What is known of the driver, in words.
fn made_by(nic: &Nic) -> String {
    nic.driver.as_ref().map_or("it has no driver of its own, and".into(), |driver| format!("its driver, {driver},"))
}

fn native(nic: &Nic) -> Option<Check> {
    let made_by = made_by(nic);
    Some(match nic.xdp {
        None => {
            let text = format!("{made_by} may have native XDP; kernels before 6.3 do not tell");
            Check::new("native-xdp", State::Note, text).mend(format!("sensor attach -i {} --duration 0", nic.link.name))
        }
        Some(features) if features & XDP_BASIC == 0 => {
            let text = format!("{made_by} has no native XDP: the sensor takes generic XDP, which costs more a packet");
            Check::new("native-xdp", State::Warn, text)
                .mend("sensor attach --mode tc (costs about as much, copies less)")
        }
        Some(_) if nic.is_veth() => {
            let text = format!("{made_by} has native XDP, which would break up packets of 64 KB: the sensor takes tc");
            Check::fine("native-xdp", text)
        }
        Some(_) => Check::fine("native-xdp", format!("{made_by} has native XDP")),
    })
}

fn mtu(nic: &Nic) -> Option<Check> {
    let features = nic.xdp.filter(|features| features & XDP_BASIC != 0)?;
    let mtu = nic.link.mtu;
    Some(if mtu > ONE_BUFFER && features & XDP_SEVERAL_BUFFERS == 0 {
        let text = format!("its MTU of {mtu} may be too large for native XDP, which has one buffer a frame here");
        Check::new("mtu", State::Warn, text).mend(format!("ip link set dev {} mtu {ONE_BUFFER}", nic.link.name))
    } else {
        Check::fine("mtu", format!("its MTU of {mtu} is no obstacle"))
    })
}

/// What merges frames before the sensor sees them.
fn merged(nic: &Nic) -> Option<Check> {
    let name = &nic.link.name;
    let on = |feature: &str| nic.features.contains(feature);
    let by_card: Vec<_> = [("rx-lro", "lro"), ("rx-gro-hw", "rx-gro-hw")].into_iter().filter(|(f, _)| on(f)).collect();
    if !by_card.is_empty() {
        let flags: Vec<_> = by_card.iter().map(|(_, flag)| format!("{flag} off")).collect();
        let text = "the card merges frames that come in (LRO): single segments are not seen, and some drivers refuse \
                    native XDP";
        return Some(Check::new("merged-in", State::Warn, text).mend(format!("ethtool -K {name} {}", flags.join(" "))));
    }
    let no_native = nic.xdp.is_some_and(|features| features & XDP_BASIC == 0) || nic.taken_by.is_some();
    ((no_native || nic.is_veth()) && on("rx-gro")).then(|| {
        let text = "frames that come in are merged (GRO) before generic XDP and tc see them";
        Check::new("merged-in", State::Note, text).mend(format!("ethtool -K {name} gro off (costs throughput)"))
    })
}

fn cut(nic: &Nic) -> Option<Check> {
    nic.features.contains("tx-tcp-segmentation").then(|| {
        let text = "what goes out is seen before the card cuts it (TSO): as segments of up to 64 KiB";
        let remedy =
            format!("ethtool -K {} tso off gso off (costs throughput; findings do not need it)", nic.link.name);
        Check::new("merged-out", State::Note, text).mend(remedy)
    })
}

fn vlans(nic: &Nic) -> Option<Check> {
    nic.features.contains("rx-vlan-hw-parse").then(|| {
        let text = "it takes VLAN tags off incoming frames: connections are told apart by addresses and ports alone";
        Check::new("vlan-offload", State::Note, text).mend(format!("ethtool -K {} rxvlan off", nic.link.name))
    })
}

fn filters(nic: &Nic) -> Option<Check> {
    let others: Vec<&Filter> = nic.filters.iter().filter(|filter| !filter.name.starts_with(OURS)).collect();
    let first = others.first()?;
    let names: Vec<_> =
        others.iter().map(|filter| format!("{} at {}", filter.name.escape_debug(), filter.direction)).collect();
    let text =
        format!("tc has filters of others, and what they take away is not seen behind them: {}", names.join(", "));
    let name = &nic.link.name;
    let remedy = match first.preference {
        Some(preference) => {
            format!("tc filter del dev {name} {} pref {preference} (if nobody needs it)", first.direction)
        }
        None => format!("bpftool net detach tcx_{} dev {name} (if nobody needs it)", first.direction),
    };
    Some(Check::new("tc-filters", State::Warn, text).mend(remedy))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(index: u32, name: &str) -> Link {
        let hardware = libc::ARPHRD_ETHER;
        Link { index, name: name.into(), hardware, up: true, carrier: true, mtu: 1500, ..Link::default() }
    }

    fn well() -> Nic {
        let xdp = Some(XDP_BASIC | XDP_SEVERAL_BUFFERS);
        Nic { link: link(2, "eth0"), driver: Some("ice".into()), xdp, ..Nic::default() }
    }

    #[test]
    fn each_class_is_told_with_what_mends_it() {
        let mut links = [link(2, "eth0"), link(3, "bond0"), link(4, "br0")];
        links[0].master = Some((4, "bridge".into()));
        let features = |nic: &mut Nic, name: &str| assert!(nic.features.insert(name.into()));
        type Case<'a> = (&'static str, State, &'a dyn Fn(&mut Nic), &'static str);
        let cases: &[Case<'_>] = &[
            ("state", State::Warn, &|n| n.link.up = false, "ip link set dev eth0 up"),
            ("state", State::Warn, &|n| n.link.carrier = false, "ip link show dev eth0"),
            ("bond-member", State::Warn, &|n| n.link.master = Some((3, "bond".into())), "sensor attach -i bond0"),
            ("bridge", State::Note, &|n| n.link = Link { kind: Some("bridge".into()), ..link(4, "br0") }, "-i eth0"),
            (
                "upper",
                State::Note,
                &|n| n.link = Link { kind: Some("vlan".into()), lower: Some(2), ..link(9, "eth0.5") },
                "sensor attach -i eth0",
            ),
            ("xdp-taken", State::Warn, &|n| n.taken_by = Some("xdp_filter (id 7)".into()), "xdp off"),
            ("xdp-taken", State::Note, &|n| n.taken_by = Some("sensor_xdp (id 7)".into()), "sensor flows"),
            ("native-xdp", State::Warn, &|n| n.xdp = Some(0), "--mode tc"),
            ("native-xdp", State::Note, &|n| n.xdp = None, "--duration 0"),
            ("mtu", State::Warn, &|n| (n.xdp, n.link.mtu) = (Some(XDP_BASIC), 9000), "ip link set dev eth0 mtu 3498"),
            ("merged-in", State::Warn, &|n| features(n, "rx-lro"), "ethtool -K eth0 lro off"),
            ("merged-in", State::Warn, &|n| features(n, "rx-gro-hw"), "ethtool -K eth0 rx-gro-hw off"),
            ("merged-out", State::Note, &|n| features(n, "tx-tcp-segmentation"), "tso off"),
            ("vlan-offload", State::Note, &|n| features(n, "rx-vlan-hw-parse"), "rxvlan off"),
            (
                "tc-filters",
                State::Warn,
                &|n| n.filters.push(Filter { name: "cil".into(), direction: "egress", preference: Some(1) }),
                "tc filter del dev eth0 egress pref 1",
            ),
        ];
        assert!(checks("eth0", Some(&well()), &links).iter().all(|check| check.state == State::Fine));
        for (class, state, spoil, remedy) in cases {
            let mut nic = well();
            spoil(&mut nic);
            let all = checks("eth0", Some(&nic), &links);
            let wrong: Vec<_> = all.into_iter().filter(|check| check.state > State::Fine).collect();
            let [check] = &wrong[..] else { panic!("{class}: {wrong:?}") };
            assert_eq!((check.class, check.state), (*class, *state));
            assert!(check.remedy.as_deref().is_some_and(|told| told.contains(remedy)), "{check:?}");
        }
        let mut generic = well();
        generic.xdp = Some(0);
        features(&mut generic, "rx-gro");
        assert!(checks("eth0", Some(&generic), &links).iter().any(|check| check.class == "merged-in"));
        let ours = Filter { name: "sensor_egress (id 3)".into(), direction: "egress", preference: None };
        assert_eq!(filters(&Nic { filters: vec![ours], ..well() }), None);
    }
}
