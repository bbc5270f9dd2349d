//! Where conversations come from: who talks to whom, over which path, and what follows on the same ports.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{Seat, What, World};
use crate::benign::{
    class::Class,
    conversation::{Conversation, Ending, Later},
    endpoint::{Endpoint, MS},
    path::Path,
    stack::{CLIENTS, SERVERS, Stack},
};

/// Ports of servers.
const PORTS: [u16; 6] = [443, 443, 80, 22, 5432, 8080];

impl World {
    /// A new conversation between a client, perhaps behind an address that others have too, and a server.
    pub(super) fn birth(&mut self) -> Conversation {
        let (client, server) = (self.dice.pick(&CLIENTS), self.dice.pick(&SERVERS));
        let address = self.dice.below(256) as u8;
        let known = &mut self.clients[address as usize].1;
        if *known != 0 && *known != client.ttl {
            self.out.tally.count(Class::SharedAddress);
        }
        *known = client.ttl;
        let (host, port) = (self.dice.below(4) as u8, self.dice.pick(&PORTS));
        let ends = if self.dice.chance(300_000) {
            let ip = |net, host: u8| Ipv6Addr::new(0x2001, 0xdb8, net, 0, 0, 0, 0, host.into());
            [SocketAddr::new(ip(1, address).into(), 0), SocketAddr::new(ip(2, host).into(), port)]
        } else {
            let ip = |net, host| Ipv4Addr::new(198, 51, net, host);
            [SocketAddr::new(ip(100, address).into(), 0), SocketAddr::new(ip(1, host).into(), port)]
        };
        let isns = [self.isn(), self.isn()];
        let mut talk = self.between(ends, [client, server], isns);
        self.take_port(&mut talk.ends[0]);
        if self.dice.chance(30_000) {
            self.out.tally.count(Class::Midstream);
            talk.unseen = self.dice.range(1, 30) as u32;
        }
        talk
    }

    /// Some begin shortly before the numbers wrap.
    fn isn(&mut self) -> u32 {
        if self.dice.chance(50_000) { u32::MAX - self.dice.below(100_000) as u32 } else { self.dice.any() as u32 }
    }

    fn between(&mut self, ends: [SocketAddr; 2], stacks: [Stack; 2], isns: [u32; 2]) -> Conversation {
        let dice = &mut self.dice;
        let hops = [dice.range(1, 18) as u8, dice.range(1, 18) as u8];
        let hops = match self.seat {
            Seat::Server => [hops[0], 0],
            Seat::Client => [0, hops[1]],
            Seat::Observer => hops,
        };
        let delay = dice.spread(MS / 10, 110 * MS);
        let rto = (4 * delay).max(200 * MS);
        let paths = hops.map(|hops| Path::new(hops, delay, dice));
        let [client, server] = stacks;
        let sides = [Endpoint::new(0, client, isns[0], rto, dice), Endpoint::new(1, server, isns[1], rto, dice)];
        let ending = Ending::draw(dice);
        self.born += 1;
        Conversation::new(self.born, ends, sides, paths, ending, dice)
    }

    /// The next port of a client's address.
    fn take_port(&mut self, end: &mut SocketAddr) {
        let address = match end {
            SocketAddr::V4(end) => end.ip().octets()[3],
            SocketAddr::V6(end) => end.ip().octets()[15],
        };
        let next = &mut self.clients[address as usize].0;
        *next = next.wrapping_add(1).max(10_000);
        end.set_port(*next);
    }

    /// The NAT has given the connection another port; its own host does not notice.
    pub(super) fn rebind(&mut self, place: usize) {
        self.conversations[place].rebind = false;
        if self.seat != Seat::Client {
            let mut end = self.conversations[place].ends[0];
            self.take_port(&mut end);
            self.conversations[place].ends[0] = end;
        }
    }

    /// What comes after a conversation: another one, sometimes on the same ports.
    pub(super) fn succeed(&mut self, place: usize) {
        if self.conversations[place].over() && self.dice.chance(150_000) {
            return self.reuse(place);
        }
        self.conversations[place] = self.birth();
        let delay = self.dice.below(2000) * MS;
        self.push(delay, place, What::Later(Later::Application));
    }

    fn reuse(&mut self, place: usize) {
        // A later connection begins at higher numbers (RFC 9293 §3.4.1, RFC 6191).
        let steps = [self.dice.range(70_000, 4_000_000) as u32, self.dice.range(70_000, 4_000_000) as u32];
        let Conversation { ends, sides: [client, server], paths, .. } = &self.conversations[place];
        let isns = [client.successor(steps[0]), server.successor(steps[1])];
        let (ends, stacks, clocks) = (*ends, [client.stack, server.stack], [client.clock(), server.clock()]);
        let hops = [paths[0].hops, paths[1].hops];
        let mut talk = self.between(ends, stacks, isns);
        for side in 0..2 {
            talk.paths[side].hops = hops[side];
            talk.paths[side].other = hops[side];
            talk.sides[side].set_clock(clocks[side]);
        }
        let soon = self.dice.chance(700_000);
        self.out.tally.count(if soon { Class::ReuseWithinTimeWait } else { Class::ReuseLater });
        let delay = if soon { self.dice.range(1000, 55_000) } else { self.dice.range(61_000, 230_000) };
        self.conversations[place] = talk;
        self.push(delay * MS, place, What::Later(Later::Application));
    }
}
