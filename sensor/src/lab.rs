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

pub mod forge;
mod frame;
pub mod tamper;

pub use self::frame::Frame;
