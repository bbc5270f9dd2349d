//! Ends of connections: in order, by abort, and what a host says where there is no socket any more.

use sensor_common::flow::TcpFlags;

use super::{ACK, Endpoint, Manners, Outbox, State};
use crate::benign::{class::Class, segment::Segment};

impl Endpoint {
    /// The application has no more to say.
    pub(in crate::benign) fn close(&mut self, now: u64, out: &mut Outbox) {
        if self.state == State::Open && !self.fin {
            self.passive = self.closed_by_peer;
            self.fin = true;
            self.pump(now, out);
        }
    }

    /// The application goes without a word to the peer but a reset, with the numbers of the live socket.
    pub(in crate::benign) fn abort(&mut self, now: u64, out: &mut Outbox) {
        if self.state != State::Open {
            return;
        }
        let mut reset = self.segment(now, TcpFlags::RST.with(ACK), self.max, 0);
        reset.options.blocks = 0;
        if !self.stack.window_in_abort {
            reset.win = 0;
        }
        out.segments.push(reset);
        self.leave();
    }

    /// The socket is gone, and the peer is not told.
    pub(in crate::benign) fn leave(&mut self) {
        self.state = State::Gone;
        self.retransmit_at = 0;
        self.acknowledge_at = 0;
    }

    /// What is said where there is no socket (RFC 9293 §3.5.2).
    pub(super) fn socketless(&mut self, segment: &Segment, out: &mut Outbox) {
        if segment.has(TcpFlags::RST) {
            return;
        }
        let syn_or_fin = u32::from(segment.has(TcpFlags::SYN)) + u32::from(segment.has(TcpFlags::FIN));
        let all = segment.seq.wrapping_add(segment.len + syn_or_fin);
        let reset = if !segment.has(ACK) {
            out.tally.count(Class::Refused);
            self.bare(TcpFlags::RST.with(ACK), 0, all)
        } else if self.stack.ack_in_resets {
            out.tally.count(Class::SocketlessResetWithAck);
            self.bare(TcpFlags::RST.with(ACK), segment.ack, all)
        } else {
            out.tally.count(Class::SocketlessReset);
            self.bare(TcpFlags::RST, segment.ack, 0)
        };
        out.segments.push(reset);
    }

    /// Only an exact reset ends a connection (RFC 5961 §3).
    pub(super) fn reset_arrives(&mut self, now: u64, reset: &Segment, out: &mut Outbox) {
        if self.state == State::SynSent {
            if reset.has(ACK) && reset.ack == self.isn.wrapping_add(1) {
                self.leave();
            }
            return;
        }
        let at = reset.seq.wrapping_sub(self.peer_isn);
        if at == self.rcv {
            self.leave();
        } else if at > self.rcv && at < self.rcv + self.window() && self.state == State::Open {
            self.acknowledge(now, out);
        }
    }

    pub(super) fn peer_closed(&mut self, now: u64, out: &mut Outbox) {
        match self.manners {
            Manners::Rude => {
                out.tally.count(Class::ResetAfterPeerFin);
                self.abort(now, out);
            }
            Manners::Forgetful if self.fin => {
                out.tally.count(Class::ResetForLastAck);
                let fin = self.bare(
                    TcpFlags::FIN.with(ACK),
                    self.peer_isn.wrapping_add(self.rcv - 1),
                    self.isn.wrapping_add(self.max),
                );
                self.leave();
                self.socketless(&fin, out);
            }
            _ => self.acknowledge(now, out),
        }
    }

    /// Whether both sides have closed and know of it.
    pub(super) fn maybe_done(&mut self) {
        if self.state == State::Open && self.fin && self.una > self.written && self.closed_by_peer {
            if self.passive {
                self.leave();
            } else {
                self.state = State::TimeWait;
                self.retransmit_at = 0;
            }
        }
    }
}
