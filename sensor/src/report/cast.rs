//! Who is who in a flow: addresses, roles, and what to call each side in a sentence.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use sensor_common::flow::{Head, Key, Side, Words};

/// Both ends of a flow by name.
#[derive(Clone, Copy, Debug)]
pub struct Cast {
    ends: [SocketAddr; 2],
    client: Option<Side>,
    local: Option<Side>,
}

impl Cast {
    pub(crate) fn of(head: &Head) -> Self {
        Self::of_key(&head.key, head.client(), head.local())
    }

    /// The same from its parts.
    pub(crate) fn of_key(key: &Key, client: Option<Side>, local: Option<Side>) -> Self {
        let ends = [Side::A, Side::B]
            .map(|side| SocketAddr::new(address(key.addr(side), key.link.ip_version()), key.port(side)));
        Self { ends, client, local }
    }

    /// Address and port of a side.
    pub fn end(&self, side: Side) -> SocketAddr {
        self.ends[side as usize]
    }

    /// The sender of the SYN, where it was seen.
    pub fn client(&self) -> Option<Side> {
        self.client
    }

    /// The side that is this host, where that is known.
    pub fn local(&self) -> Option<Side> {
        self.local
    }

    /// Whether a side is this host.
    pub fn is_local(&self, side: Side) -> bool {
        self.local == Some(side)
    }

    /// What to call a side: `this host`, `the client`, `the server`, `the peer`, else its address.
    pub fn name(&self, side: Side) -> String {
        if self.is_local(side) { "this host".to_owned() } else { self.role(side) }
    }

    /// The same as a possessive: `our own`, `the client's`.
    pub fn whose(&self, side: Side) -> String {
        if self.is_local(side) { "our".to_owned() } else { format!("{}'s", self.role(side)) }
    }

    /// The same as an object: `us`, `the client`.
    pub fn whom(&self, side: Side) -> String {
        if self.is_local(side) { "us".to_owned() } else { self.role(side) }
    }

    /// A side's column in a table.
    pub fn label(&self, side: Side) -> &'static str {
        match (self.local, self.client) {
            (Some(local), _) if local == side => "us",
            (_, Some(client)) if client == side => "client",
            (_, Some(_)) => "server",
            (Some(_), None) => "peer",
            (None, None) => ["A", "B"][side as usize],
        }
    }

    /// Where distances are counted from.
    pub fn here(&self) -> &'static str {
        if self.local.is_some() { "this host" } else { "the capture point" }
    }

    fn role(&self, side: Side) -> String {
        match (self.client, self.local) {
            (Some(client), _) if client == side => "the client".to_owned(),
            (Some(_), _) => "the server".to_owned(),
            (None, Some(_)) => "the peer".to_owned(),
            (None, None) => self.end(side).ip().to_string(),
        }
    }
}

/// An address from a key's words.
pub(crate) fn address(words: &Words, version: u8) -> IpAddr {
    if version == 4 {
        return Ipv4Addr::from(words[3]).into();
    }
    let [a, b, c, d] = words.map(u128::from);
    Ipv6Addr::from(a << 96 | b << 64 | c << 32 | d).into()
}
