//! Receiving: the handshake, acknowledgments, data in and out of order.

use sensor_common::flow::TcpFlags;

use super::{Endpoint, MS, Manners, Outbox, State};
use crate::benign::{class::Class, segment::Segment};

impl Endpoint {
    /// A segment of the peer's is here.
    pub(in crate::benign) fn arrive(&mut self, now: u64, segment: &Segment, out: &mut Outbox) {
        if self.state == State::Gone {
            // A request that comes late is for the listener, which is not of interest here.
            if self.rcv == 0 || !segment.flags.is_syn() {
                self.socketless(segment, out);
            }
            return;
        }
        if segment.has(TcpFlags::RST) {
            return self.reset_arrives(now, segment, out);
        }
        match self.state {
            State::Listen if segment.flags.is_syn() => self.accept(now, segment, out),
            State::Listen => self.socketless(segment, out),
            State::SynSent if segment.flags.is_syn_ack() && segment.ack == self.isn.wrapping_add(1) => {
                self.learn(segment);
                self.una = 1;
                self.peer_window = segment.win.into();
                self.enter(now);
                self.acknowledge(now, out);
            }
            State::SynSent => {}
            State::SynReceived if segment.flags.is_syn() => self.send_syn_ack(now, out),
            State::SynReceived if segment.ack != self.isn.wrapping_add(1) => {}
            _ if segment.has(TcpFlags::SYN) => self.acknowledge(now, out),
            State::SynReceived => {
                self.una = 1;
                self.enter(now);
                self.established(now, segment, out);
            }
            _ => self.established(now, segment, out),
        }
    }

    fn enter(&mut self, _now: u64) {
        self.state = State::Open;
        self.retransmit_at = 0;
        self.tries = 0;
    }

    fn accept(&mut self, now: u64, segment: &Segment, out: &mut Outbox) {
        self.learn(segment);
        self.state = State::SynReceived;
        self.send_syn_ack(now, out);
    }

    /// What a SYN says.
    fn learn(&mut self, segment: &Segment) {
        self.peer_isn = segment.seq;
        self.rcv = 1;
        self.peer_mss = u32::from(segment.options.mss).max(536);
        self.scaled = self.stack.wscale.is_some() && segment.options.wscale.is_some();
        self.peer_shift = segment.options.wscale.unwrap_or(0);
        self.timestamps &= segment.options.timestamps.is_some();
        self.sack &= segment.options.sack_permitted;
        self.echo = segment.options.timestamps.map_or(0, |(value, _)| value);
        // Both must have offered it.
        if !self.scaled {
            self.peer_shift = 0;
        }
        self.peer_window = segment.win.into();
    }

    fn established(&mut self, now: u64, segment: &Segment, out: &mut Outbox) {
        if let Some((value, _)) = segment.options.timestamps
            && segment.seq.wrapping_sub(self.peer_isn) <= self.rcv
            && value.wrapping_sub(self.echo) as i32 > 0
        {
            self.echo = value;
        }
        self.acknowledged(now, segment, out);
        self.received(now, segment, out);
        self.maybe_done();
        self.pump(now, out);
    }

    fn acknowledged(&mut self, now: u64, segment: &Segment, out: &mut Outbox) {
        let ack = segment.ack.wrapping_sub(self.isn);
        let window = u32::from(segment.win) << self.peer_shift;
        if ack > self.max || ack < self.una {
            return;
        }
        if ack > self.una {
            let news = ack - self.una;
            self.una = ack;
            self.nxt = self.nxt.max(ack);
            self.duplicates = 0;
            self.tries = 0;
            self.congestion = (self.congestion + news).min(400_000);
            self.retransmit_at = if self.una < self.max { now + self.rto } else { 0 };
            if self.una < self.recover && self.nxt == self.max {
                self.resend_first(now, out);
            }
        } else if self.una < self.max && segment.len == 0 && window == self.peer_window && !segment.has(TcpFlags::FIN) {
            self.duplicates = self.duplicates.saturating_add(1);
            if self.duplicates == 3 && self.una >= self.recover {
                out.tally.count(Class::FastRetransmission);
                self.recover = self.max;
                self.congestion = (self.congestion / 2).max(2 * self.peer_mss);
                self.resend_first(now, out);
            }
        } else if self.una == self.max {
            // The answer to a probe.
            self.tries = 0;
        }
        self.peer_window = window;
    }

    fn received(&mut self, now: u64, segment: &Segment, out: &mut Outbox) {
        let at = segment.seq.wrapping_sub(self.peer_isn);
        let end = at.wrapping_add(segment.len);
        let fin = segment.has(TcpFlags::FIN);
        if segment.len == 0 && !fin {
            if at < self.rcv {
                self.acknowledge(now, out);
            }
            return;
        }
        if self.manners == Manners::Orphaned && segment.len > 0 && end > self.rcv {
            out.tally.count(Class::ClosedThenData);
            self.state = State::Gone;
            return self.socketless(segment, out);
        }
        let late = end + u32::from(fin) <= self.rcv;
        if late || at > self.rcv || end > self.rcv + self.window() {
            if !late && end <= self.rcv + self.window() {
                self.keep(at, end);
                if fin {
                    self.peer_fin = Some(end);
                }
            }
            return self.acknowledge(now, out);
        }
        let before = self.rcv;
        self.rcv = end.max(self.rcv);
        if fin {
            self.peer_fin = Some(end);
        }
        self.close_gap();
        if self.slow {
            self.unread += self.rcv - before;
        }
        let finished = self.peer_fin == Some(self.rcv);
        if finished {
            self.rcv += 1;
            self.closed_by_peer = true;
            return self.peer_closed(now, out);
        }
        self.unacknowledged += 1;
        if self.unacknowledged >= 2 || segment.len > 2 * self.peer_mss || !self.ahead.is_empty() || self.window() < 2000
        {
            self.acknowledge(now, out);
        } else if self.acknowledge_at == 0 {
            self.acknowledge_at = now + self.stack.ack_delay * MS;
        }
    }

    /// Keeps bytes that came too early.
    fn keep(&mut self, at: u32, end: u32) {
        if at < end {
            self.ahead.push((at, end));
            self.ahead.sort_unstable();
            self.ahead.dedup_by(|next, kept| {
                let joined = next.0 <= kept.1;
                if joined {
                    kept.1 = kept.1.max(next.1);
                }
                joined
            });
        }
    }

    fn close_gap(&mut self) {
        while let Some(&(at, end)) = self.ahead.first()
            && at <= self.rcv
        {
            self.rcv = self.rcv.max(end);
            self.ahead.remove(0);
        }
    }

    /// The application reads at last.
    pub(in crate::benign) fn read(&mut self, now: u64, out: &mut Outbox) {
        let news = self.unread > self.stack.buffer / 2;
        self.unread = 0;
        if news && self.state == State::Open {
            self.acknowledge(now, out);
        }
    }
}
