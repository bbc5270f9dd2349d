//! Sending: the first SYN, data within both windows, what is lost once more, probes.

use sensor_common::flow::TcpFlags;

use super::{ACK, Endpoint, MS, Outbox, State};
use crate::benign::class::Class;

/// Attempts after which a side gives up.
const TRIES: u8 = 5;

impl Endpoint {
    /// Asks for a connection.
    pub(in crate::benign) fn connect(&mut self, now: u64, out: &mut Outbox) {
        self.state = State::SynSent;
        self.send_syn(now, out);
    }

    fn send_syn(&mut self, now: u64, out: &mut Outbox) {
        let mut flags = TcpFlags::SYN;
        if self.ask_ecn && self.tries == 0 {
            flags = flags.with(TcpFlags::ECE).with(TcpFlags::CWR);
        } else if self.ask_ecn {
            out.tally.count(Class::SynRetryWithoutEcn);
        }
        let segment = self.segment(now, flags, 0, 0);
        out.segments.push(segment);
        (self.nxt, self.max) = (1, 1);
        self.retransmit_at = now + ((1000 * MS) << self.tries);
    }

    pub(super) fn send_syn_ack(&mut self, now: u64, out: &mut Outbox) {
        let segment = self.segment(now, TcpFlags::SYN.with(ACK), 0, 0);
        out.segments.push(segment);
        (self.nxt, self.max) = (1, 1);
        self.retransmit_at = now + ((1000 * MS) << self.tries);
    }

    /// The application has more to say.
    pub(in crate::benign) fn write(&mut self, now: u64, bytes: u32, out: &mut Outbox) {
        if self.state == State::Open && !self.fin {
            self.written += bytes;
            self.pump(now, out);
        }
    }

    /// An empty acknowledgment.
    pub(in crate::benign) fn acknowledge(&mut self, now: u64, out: &mut Outbox) {
        let segment = self.segment(now, ACK, self.nxt, 0);
        if segment.options.blocks > 0 {
            out.tally.count(Class::SelectiveAck);
        }
        if segment.win == 0 {
            out.tally.count(Class::ZeroWindow);
        }
        out.segments.push(segment);
    }

    /// Asks whether the peer is still there.
    pub(in crate::benign) fn keep_alive(&mut self, now: u64, out: &mut Outbox) {
        if self.state != State::Open || self.una != self.max {
            return;
        }
        let byte = self.stack.byte_probes;
        out.tally.count(if byte { Class::KeepAliveByte } else { Class::KeepAlive });
        let segment = self.segment(now, ACK, self.nxt - 1, byte.into());
        out.segments.push(segment);
    }

    /// Sends what both windows allow.
    pub(super) fn pump(&mut self, now: u64, out: &mut Outbox) {
        if self.state != State::Open {
            return;
        }
        let mss = self.peer_mss.min(self.stack.mss.into());
        let burst = if self.stack.offload { 20 * mss } else { mss };
        while self.nxt < self.written + u32::from(self.fin) {
            if self.nxt == self.written {
                let segment = self.segment(now, TcpFlags::FIN.with(ACK), self.nxt, 0);
                out.segments.push(segment);
                self.nxt += 1;
                break;
            }
            let allowed = self.una + self.congestion.min(self.peer_window);
            let n = allowed.saturating_sub(self.nxt).min(self.written - self.nxt).min(burst);
            let n = if n > mss && n < self.written - self.nxt { n - n % mss } else { n };
            if n == 0 || (n < mss && n < self.written - self.nxt && self.una < self.nxt) {
                break;
            }
            self.send(now, n, out);
        }
        self.max = self.max.max(self.nxt);
        let pending = self.una < self.max || self.una < self.written;
        if pending && self.retransmit_at == 0 {
            self.retransmit_at = now + self.rto;
        }
    }

    fn send(&mut self, now: u64, n: u32, out: &mut Outbox) {
        let last = self.nxt + n == self.written;
        let mut flags = if last { ACK.with(TcpFlags::PSH) } else { ACK };
        let fin = last && self.fin;
        if fin {
            flags = flags.with(TcpFlags::FIN);
        }
        if n > self.stack.mss.into() {
            out.tally.count(Class::SuperSegment);
        }
        let at = self.nxt;
        if self.isn.wrapping_add(at) > self.isn.wrapping_add(at + n) {
            out.tally.count(Class::SequenceWrap);
        }
        let segment = self.segment(now, flags, at, n);
        out.segments.push(segment);
        self.nxt += n + u32::from(fin);
    }

    /// The first segment that is missing, once more.
    pub(super) fn resend_first(&mut self, now: u64, out: &mut Outbox) {
        let mss = self.peer_mss.min(self.stack.mss.into());
        let n = mss.min(self.written.saturating_sub(self.una));
        let fin = self.fin && self.una + n == self.written && self.max > self.written;
        let flags = if fin { ACK.with(TcpFlags::FIN) } else { ACK };
        let segment = self.segment(now, flags, self.una, n);
        out.segments.push(segment);
    }

    /// Called when a deadline has come.
    pub(in crate::benign) fn timer(&mut self, now: u64, out: &mut Outbox) {
        if self.acknowledge_at != 0 && now >= self.acknowledge_at {
            self.acknowledge(now, out);
        }
        if self.retransmit_at == 0 || now < self.retransmit_at {
            return;
        }
        self.retransmit_at = 0;
        self.tries += 1;
        if self.tries > TRIES {
            self.state = State::Gone;
            return;
        }
        match self.state {
            State::SynSent => {
                out.tally.count(Class::SynRetry);
                self.send_syn(now, out);
            }
            State::SynReceived => {
                out.tally.count(Class::SynAckRetry);
                self.send_syn_ack(now, out);
            }
            State::Open => self.overdue(now, out),
            _ => {}
        }
    }

    fn overdue(&mut self, now: u64, out: &mut Outbox) {
        self.rto *= 2;
        if self.una == self.max {
            out.tally.count(Class::WindowProbe);
            let byte = u32::from(self.stack.byte_probes);
            let segment = self.segment(now, ACK, self.nxt - 1 + byte, byte);
            out.segments.push(segment);
            self.max += byte;
            self.nxt = self.nxt.max(self.una);
            self.retransmit_at = now + self.rto;
            return;
        }
        if self.stack.linux {
            out.tally.count(Class::NewFlowLabel);
            self.label = self.label.wrapping_mul(0x9e37_79b1).wrapping_add(1);
        }
        out.tally.count(Class::TimeoutRetransmission);
        self.nxt = self.una;
        self.recover = self.max;
        self.congestion = self.peer_mss;
        if self.peer_window == 0 && self.nxt < self.written {
            // What the window has closed on is probed for.
            self.resend_first(now, out);
            self.nxt = self.max;
        }
        self.pump(now, out);
    }
}
