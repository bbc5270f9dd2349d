//! The interfaces of a network namespace: what rtnetlink tells of them, and when something about them changes.

use std::io;

use tokio::io::unix::AsyncFd;

use super::netlink::{Netlink, attribute, attributes, number, text, with_attribute};

/// `struct ifinfomsg`, before the attributes.
const HEAD: usize = 16;

// From linux/if_link.h; libc has them for some targets only.
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_LINK: u16 = 5;
const IFLA_MASTER: u16 = 10;
const IFLA_LINKINFO: u16 = 18;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_SLAVE_KIND: u16 = 4;
const IFLA_EXT_MASK: u16 = 29;
const IFLA_CARRIER: u16 = 33;
const IFLA_LINK_NETNSID: u16 = 37;
const IFLA_XDP: u16 = 43;
/// The only program; then those of driver, stack and card, where there are several.
const IFLA_XDP_IDS: [u16; 4] = [4, 5, 6, 7];
const IFLA_PROP_LIST: u16 = 52;
const IFLA_ALT_IFNAME: u16 = 53;

/// Leaves the statistics out, which are most of an answer.
const SKIP_STATS: u32 = 1 << 3;

/// How often a list is asked for that changes while it is told.
const TRIES: usize = 10;

/// An interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// Its index, which stays when the name changes.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// Its other names.
    pub altnames: Vec<String>,
    /// What kind of hardware it looks like: `ARPHRD_*`.
    pub hardware: u16,
    /// Whether it is switched on.
    pub up: bool,
    /// Whether there is somebody at the other end of the wire.
    pub carrier: bool,
    /// Its MTU.
    pub mtu: u32,
    /// `veth`, `bond`, `vlan`…; nothing for hardware.
    pub kind: Option<String>,
    /// The bond, team or bridge to which it belongs, and of which kind that is.
    pub master: Option<(u32, String)>,
    /// The interface of this namespace beneath it.
    pub lower: Option<u32>,
    /// The XDP program on it.
    pub xdp: Option<u32>,
}

impl Link {
    /// Its name and its other names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.altnames.iter().chain([&self.name]).map(String::as_str)
    }

    /// Whether this is one of its names.
    pub fn is_called(&self, name: &str) -> bool {
        self.names().any(|own| own == name)
    }

    /// Whether what passes are Ethernet frames.
    pub fn is_ethernet(&self) -> bool {
        matches!(self.hardware, libc::ARPHRD_ETHER | libc::ARPHRD_LOOPBACK)
    }

    /// Whether it is the loopback.
    pub fn is_loopback(&self) -> bool {
        self.hardware == libc::ARPHRD_LOOPBACK
    }

    /// Whether it belongs to a bond or a team, which shows all of its frames.
    pub fn is_slave(&self) -> bool {
        self.master.as_ref().is_some_and(|(_, kind)| kind == "bond" || kind == "team")
    }

    fn read(body: &[u8]) -> Option<Self> {
        let word = |at: usize| body.get(at..).and_then(number);
        let mut link = Self {
            hardware: u16::from_ne_bytes(*body.get(2..)?.first_chunk()?),
            index: word(4)?,
            up: word(8)? & libc::IFF_UP as u32 != 0,
            ..Self::default()
        };
        let (mut master, mut slave_kind, mut elsewhere) = (None, None, false);
        for (kind, payload) in attributes(body, HEAD) {
            match kind {
                IFLA_IFNAME => link.name = text(payload),
                IFLA_MTU => link.mtu = number(payload)?,
                IFLA_CARRIER => link.carrier = payload.first() == Some(&1),
                // A physical interface names itself.
                IFLA_LINK => link.lower = number(payload).filter(|lower| *lower != 0 && *lower != link.index),
                IFLA_LINK_NETNSID => elsewhere = true,
                IFLA_MASTER => master = number(payload),
                IFLA_LINKINFO => {
                    link.kind = attribute(payload, 0, IFLA_INFO_KIND).map(text);
                    slave_kind = attribute(payload, 0, IFLA_INFO_SLAVE_KIND).map(text);
                }
                IFLA_XDP => {
                    link.xdp = IFLA_XDP_IDS.iter().find_map(|id| attribute(payload, 0, *id)).and_then(number);
                }
                IFLA_PROP_LIST => {
                    let names = attributes(payload, 0).filter(|(kind, _)| *kind == IFLA_ALT_IFNAME);
                    link.altnames = names.map(|(_, name)| text(name)).collect();
                }
                _ => {}
            }
        }
        link.master = master.map(|master| (master, slave_kind.unwrap_or_default()));
        // An index means something in its own namespace only; the peer of a veth has no say in what passes.
        link.lower = link.lower.filter(|_| !elsewhere && link.kind.as_deref() != Some("veth"));
        Some(link)
    }
}

/// The interfaces of the namespace in which this was opened.
pub struct Links(Netlink);

impl Links {
    /// Those of the calling thread's namespace.
    ///
    /// # Errors
    ///
    /// When the process may open no more files.
    pub fn open() -> io::Result<Self> {
        Netlink::open(libc::NETLINK_ROUTE).map(Self)
    }

    /// All of them.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn all(&self) -> io::Result<Vec<Link>> {
        let body = with_attribute(vec![0; HEAD], IFLA_EXT_MASK, &SKIP_STATS.to_ne_bytes());
        // One that is missing from a torn list would be taken for gone.
        for _ in 0..TRIES {
            let mut links = Vec::new();
            match self.0.ask(libc::RTM_GETLINK, libc::NLM_F_DUMP, &body, |body| links.extend(Link::read(body))) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                done => return done.map(|()| links),
            }
        }
        Err(io::ErrorKind::Interrupted.into())
    }
}

/// Rings when something about an interface changes. What it is must be looked up: the bell may ring once for many things, and
/// a message that was lost rings, too.
pub struct Bell(AsyncFd<Netlink>);

impl Bell {
    /// For the calling thread's namespace; to be made within a runtime.
    ///
    /// # Errors
    ///
    /// When the process may open no more files.
    pub fn hang() -> io::Result<Self> {
        let socket = Netlink::open(libc::NETLINK_ROUTE)?.listen(libc::RTMGRP_LINK as u32)?;
        // SAFETY: the socket owns its descriptor and keeps it open and the same for as long as it lives.
        unsafe { AsyncFd::register(socket) }.map(Self).map_err(io::Error::from)
    }

    /// Completes when it has rung.
    pub async fn rung(&self) {
        let Ok(mut ready) = self.0.readable().await else { return std::future::pending().await };
        // Too many messages for the socket are an error that is gone once it was read.
        while !matches!(ready.get_inner().receive(&mut [0; 16]), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
        {
        }
        ready.clear_ready();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_is_found() {
        let links = Links::open().and_then(|links| links.all()).unwrap();
        let lo = links.iter().find(|link| link.name == "lo").expect("there always is one");
        assert!(lo.is_loopback() && lo.is_ethernet() && !lo.is_slave() && lo.index == 1, "{lo:?}");
        assert!(lo.mtu > 0 && lo.xdp.is_none() && lo.lower.is_none());
    }

    #[test]
    fn an_answer_is_read_and_a_short_one_is_none() {
        let mut body = vec![0; HEAD];
        body[2] = libc::ARPHRD_ETHER as u8;
        body[4] = 7;
        body[8] = 1;
        let info =
            with_attribute(with_attribute(Vec::new(), IFLA_INFO_KIND, b"vlan\0"), IFLA_INFO_SLAVE_KIND, b"bond\0");
        for (kind, payload) in [
            (IFLA_IFNAME, &b"eth7\0"[..]),
            (IFLA_MTU, &1500u32.to_ne_bytes()),
            (IFLA_LINK, &3u32.to_ne_bytes()),
            (IFLA_MASTER, &9u32.to_ne_bytes()),
            (IFLA_LINKINFO, &info),
            (IFLA_CARRIER, &[1]),
            (IFLA_XDP, &with_attribute(Vec::new(), 6, &42u32.to_ne_bytes())),
            (IFLA_PROP_LIST, &with_attribute(Vec::new(), IFLA_ALT_IFNAME, b"other\0")),
        ] {
            body = with_attribute(body, kind, payload);
        }
        let link = Link::read(&body).unwrap();
        let expected = Link {
            index: 7,
            name: "eth7".into(),
            altnames: vec!["other".into()],
            hardware: libc::ARPHRD_ETHER,
            up: true,
            carrier: true,
            mtu: 1500,
            kind: Some("vlan".into()),
            master: Some((9, "bond".into())),
            lower: Some(3),
            xdp: Some(42),
        };
        assert!(link.is_slave());
        assert_eq!(link, expected);
        let abroad = with_attribute(body.clone(), IFLA_LINK_NETNSID, &[0; 4]);
        assert_eq!(Link::read(&abroad).unwrap().lower, None);
        assert_eq!(Link::read(&body[..8]), None);
    }
}
