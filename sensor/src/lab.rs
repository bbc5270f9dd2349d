//! A lab of network namespaces: a client, three routers, a firewall that can be told to misbehave, and a server, each
//! with the kernel's real TCP stack. For `sensor demo`, the end-to-end tests, and whoever wants to see a forgery happen.
//!
//! ```text
//! client ── r1 ── r2 ── r3 ── middlebox ── server
//!  lan0                                     wan0
//! ```
//!
//! Client and server send with TTL 128, so the server sees its client at 125, three hops away, and whatever the
//! middlebox makes up at the TTL it chose. The machine's own interfaces are not touched. Dropping a [`Lab`] removes it.

mod bridge;
mod dial;
mod error;
pub mod forge;
mod frame;
mod ip;
mod middlebox;
mod netns;
mod offload;
mod packet;
mod sniffer;
pub mod tamper;
mod topology;
pub mod traffic;
mod worker;

use std::{
    io,
    net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener, TcpStream},
    sync::{Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use self::{
    bridge::Port,
    error::Task,
    netns::Namespaces,
    traffic::{Outcome, Pair},
    worker::Worker,
};
pub use self::{
    dial::from_port,
    error::LabError,
    frame::Frame,
    middlebox::Middlebox,
    netns::Netns,
    sniffer::{Captured, Sniffer},
};

/// Where the server listens.
pub const SERVER_PORT: u16 = 8080;
/// How long a connection may take to come about.
const PATIENCE: Duration = Duration::from_secs(2);

/// A version of IP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// How a lab is built.
#[derive(Clone, Copy, Debug, Default)]
pub struct LabOptions {
    /// Tags the frames between the middlebox and the server. The server's addresses are then on `wan0.ID`, behind
    /// `wan0`. The tagging is done by the lab, not by the kernel's 8021q, which not every kernel has; so both hooks
    /// at `wan0` find the tag in the frame.
    pub vlan: Option<u16>,
}

/// An end of the lab.
#[derive(Debug)]
pub struct Host {
    netns: Netns,
    interface: &'static str,
    addresses: [IpAddr; 2],
}

impl Host {
    /// Its namespace.
    pub fn netns(&self) -> &Netns {
        &self.netns
    }

    /// The interface through which all its frames pass.
    pub fn interface(&self) -> &'static str {
        self.interface
    }

    /// Its address.
    pub fn address(&self, family: Family) -> IpAddr {
        self.addresses[family as usize]
    }
}

/// A running lab.
pub struct Lab {
    // Dropped in this order: threads, handles, names.
    listener: Mutex<TcpListener>,
    _tagger: Option<Worker>,
    middlebox: Middlebox,
    client: Host,
    server: Host,
    routers: [Netns; 3],
    _names: Namespaces,
}

impl Lab {
    /// Builds a lab, beside any others.
    pub fn build(options: LabOptions) -> Result<Self, LabError> {
        // SAFETY: passes no memory and cannot fail.
        if unsafe { libc::geteuid() } != 0 {
            return Err(LabError::NotRoot);
        }
        let vlan = options.vlan;
        let (names, netns) = Namespaces::create(topology::ROLES)?;
        topology::wire(&netns, vlan)?;
        let [client, r1, r2, r3, middlebox, server] = netns;
        let middlebox = Middlebox::start(middlebox, topology::PORTS, vlan)?;
        let tagger = vlan.map(|id| start_tagger(&server, id)).transpose()?;
        let listener = server
            .enter(|| TcpListener::bind((Ipv6Addr::UNSPECIFIED, SERVER_PORT)))
            .flatten()
            .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
            .task(|| format!("listen on port {SERVER_PORT} in {}", server.name()))?;
        Ok(Self {
            listener: Mutex::new(listener),
            _tagger: tagger,
            middlebox,
            client: Host { netns: client, interface: topology::CLIENT_INTERFACE, addresses: topology::CLIENT },
            server: Host { netns: server, interface: topology::SERVER_INTERFACE, addresses: topology::SERVER },
            routers: [r1, r2, r3],
            _names: names,
        })
    }

    /// Removes what labs left behind whose process died without cleaning up; returns the number of namespaces.
    pub fn remove_leftovers() -> Result<usize, LabError> {
        netns::remove_leftovers()
    }

    /// The client.
    pub fn client(&self) -> &Host {
        &self.client
    }

    /// The server: the sensor's place is its [`Host::interface`].
    pub fn server(&self) -> &Host {
        &self.server
    }

    /// The routers, the client's first.
    pub fn routers(&self) -> &[Netns; 3] {
        &self.routers
    }

    /// The firewall in front of the server.
    pub fn middlebox(&self) -> &Middlebox {
        &self.middlebox
    }

    /// An established connection from the client to the server, both ends.
    pub fn connect(&self, family: Family) -> Result<Pair, Outcome> {
        self.open(family, |to| TcpStream::connect_timeout(&to, PATIENCE))
    }

    /// The same from a port of the client that may have been used a moment ago, and with the client's own patience.
    pub fn connect_from(&self, port: u16, family: Family, patience: Duration) -> Result<Pair, Outcome> {
        self.open(family, |to| from_port(port, to, patience))
    }

    fn open(
        &self,
        family: Family,
        connect: impl FnOnce(SocketAddr) -> io::Result<TcpStream> + Send,
    ) -> Result<Pair, Outcome> {
        let to = SocketAddr::new(self.server.address(family), SERVER_PORT);
        // One at a time, so that the next to be accepted is the one asked for.
        let listener = self.listener.lock().unwrap_or_else(PoisonError::into_inner);
        let client = self.client.netns.enter(|| connect(to)).flatten()?;
        let server = accept(&listener, client.local_addr()?.port())?;
        Ok(Pair::new(client, server)?)
    }
}

/// The connection from `port`; others are those that their clients gave up.
fn accept(listener: &TcpListener, port: u16) -> io::Result<TcpStream> {
    let end = Instant::now() + PATIENCE;
    loop {
        match listener.accept() {
            Ok((server, peer)) if peer.port() == port => {
                server.set_nonblocking(false)?;
                return Ok(server);
            }
            Ok(_) => {}
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
            // The client's last ACK may still be on its way.
            Err(_) if Instant::now() < end => thread::sleep(Duration::from_millis(1)),
            Err(error) => return Err(error),
        }
    }
}

/// Does for the server what a VLAN interface of the kernel does.
fn start_tagger(server: &Netns, id: u16) -> Result<Worker, LabError> {
    let trunk = Port::open(server, topology::SERVER_INTERFACE, None)?;
    let access = Port::open(server, topology::VLAN_PORT, Some(id))?;
    // The bridge's client side is where the client is.
    bridge::start(trunk, access, Default::default()).task(|| "start the tagger".into())
}
