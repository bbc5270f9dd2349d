//! Who is joined to whom, and the addresses: all from the ranges for documentation (RFC 5737, RFC 3849).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{
    error::{LabError, Task},
    ip,
    netns::Netns,
    offload,
};

/// The namespaces, from the client to the server.
pub(crate) const ROLES: [&str; 6] = ["client", "r1", "r2", "r3", "middlebox", "server"];

/// The client's interface.
pub(crate) const CLIENT_INTERFACE: &str = "lan0";
/// The interface through which the server sees everything.
pub(crate) const SERVER_INTERFACE: &str = "wan0";
/// The middlebox's ports, client's side first.
pub(crate) const PORTS: [&str; 2] = ["near", "far"];
/// The server's end of the wire on which its VLAN interface hangs.
pub(crate) const VLAN_PORT: &str = "tag0";

/// The client's addresses.
pub(crate) const CLIENT: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(198, 51, 100, 10)), IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 0x10))];
/// The server's addresses.
pub(crate) const SERVER: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(203, 0, 113, 10)), IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 4, 0, 0, 0, 0, 0x10))];

/// Both ends of each link: namespace (an index of [`ROLES`]) and interface.
const LINKS: [[(usize, &str); 2]; 5] = [
    [(0, CLIENT_INTERFACE), (1, "left")],
    [(1, "right"), (2, "left")],
    [(2, "right"), (3, "left")],
    [(3, "right"), (4, PORTS[0])],
    [(4, PORTS[1]), (5, SERVER_INTERFACE)],
];

/// Set before the links come, which inherit them. Addresses are known to be unique; asking takes a second.
const ALL: &[(&str, &str)] = &[("ipv6/conf/all/accept_dad", "0"), ("ipv6/conf/default/accept_dad", "0")];
const HOST: &[(&str, &str)] = &[
    ("ipv4/ip_default_ttl", "128"),
    ("ipv6/conf/all/hop_limit", "128"),
    ("ipv6/conf/default/hop_limit", "128"),
    ("ipv6/conf/default/router_solicitations", "0"),
];
const ROUTER: &[(&str, &str)] = &[("ipv4/ip_forward", "1"), ("ipv6/conf/all/forwarding", "1")];
/// A wire has no voice of its own.
const SILENT: &[(&str, &str)] = &[("ipv6/conf/default/disable_ipv6", "1")];

/// Addresses and routes by role; `$wan` is the server's interface with the addresses.
const NETWORK: [&str; 6] = [
    "\
address add 198.51.100.10/24 dev lan0
address add 2001:db8:1::10/64 dev lan0 nodad
route add 0.0.0.0/0 via 198.51.100.1
route add ::/0 via 2001:db8:1::1
",
    "\
address add 198.51.100.1/24 dev left
address add 2001:db8:1::1/64 dev left nodad
address add 192.0.2.1/30 dev right
address add 2001:db8:2::1/64 dev right nodad
route add 0.0.0.0/0 via 192.0.2.2
route add ::/0 via 2001:db8:2::2
",
    "\
address add 192.0.2.2/30 dev left
address add 2001:db8:2::2/64 dev left nodad
address add 192.0.2.5/30 dev right
address add 2001:db8:3::1/64 dev right nodad
route add 198.51.100.0/24 via 192.0.2.1
route add 2001:db8:1::/64 via 2001:db8:2::1
route add 203.0.113.0/24 via 192.0.2.6
route add 2001:db8:4::/64 via 2001:db8:3::2
",
    "\
address add 192.0.2.6/30 dev left
address add 2001:db8:3::2/64 dev left nodad
address add 203.0.113.1/24 dev right
address add 2001:db8:4::1/64 dev right nodad
route add 0.0.0.0/0 via 192.0.2.5
route add ::/0 via 2001:db8:3::1
",
    "",
    "\
address add 203.0.113.10/24 dev $wan
address add 2001:db8:4::10/64 dev $wan nodad
route add 0.0.0.0/0 via 203.0.113.1
route add ::/0 via 2001:db8:4::1
",
];

/// The server's interface that has the addresses.
pub(crate) fn addressed(vlan: Option<u16>) -> String {
    match vlan {
        Some(id) => format!("{SERVER_INTERFACE}.{id}"),
        None => SERVER_INTERFACE.into(),
    }
}

/// Makes the links, addresses and routes.
pub(crate) fn wire(netns: &[Netns; 6], vlan: Option<u16>) -> Result<(), LabError> {
    for (role, netns) in netns.iter().enumerate() {
        netns.sysctl(ALL)?;
        netns.sysctl(match role {
            0 | 5 => HOST,
            4 => SILENT,
            _ => ROUTER,
        })?;
    }
    let wan = addressed(vlan);
    let mut links: Vec<[(usize, &str); 2]> = LINKS.to_vec();
    if vlan.is_some() {
        links.push([(5, VLAN_PORT), (5, &wan)]);
    }
    let script: String = links
        .iter()
        .map(|&[(a, left), (b, right)]| {
            let [a, b] = [netns[a].name(), netns[b].name()];
            format!("link add name {left} netns {a} type veth peer name {right} netns {b}\n")
        })
        .collect();
    ip::batch(None, &script)?;
    if vlan.is_some() {
        for wire in [SERVER_INTERFACE, VLAN_PORT] {
            netns[5].sysctl(&[(&format!("ipv6/conf/{wire}/disable_ipv6"), "1")])?;
        }
    }
    for (role, netns) in netns.iter().enumerate() {
        let ends = links.iter().flatten();
        let interfaces: Vec<&str> = ends.filter(|(at, _)| *at == role).map(|(_, interface)| *interface).collect();
        prepare(netns, &interfaces)?;
        let up: String = interfaces.iter().map(|interface| format!("link set {interface} up\n")).collect();
        let network = NETWORK[role].replace("$wan", &wan);
        ip::batch(Some(netns.name()), &format!("link set lo up\n{up}{network}"))?;
    }
    Ok(())
}

fn prepare(netns: &Netns, interfaces: &[&str]) -> Result<(), LabError> {
    netns
        .enter(|| interfaces.iter().try_for_each(|interface| offload::disable(interface)))
        .flatten()
        .task(|| format!("switch offloads off in {}", netns.name()))
}
