//! The kinds of findings: the single table of public ids.
//!
//! Ids are the detection catalogue's, kebab-case, and stable once released.

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $id:literal;)*) => {
        /// What was found. The number travels in events, the id is public.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Kind {
            $($(#[$doc])* $name = $number,)*
        }

        impl Kind {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The public id.
            pub const fn id(self) -> &'static str {
                match self {
                    $(Self::$name => $id,)*
                }
            }

            /// From its number.
            pub const fn from_u8(number: u8) -> Option<Self> {
                match number {
                    $($number => Some(Self::$name),)*
                    _ => None,
                }
            }
        }
    };
}

kinds! {
    /// The port is closed, or a rule answers for it (RFC 9293 §3.5.2, group 1).
    RstRefused = 0, "rst-refused";
    /// The host has no socket for the segment that it answers.
    RstStateless = 1, "rst-stateless";
    /// A live socket was aborted.
    RstAbort = 2, "rst-abort";
    /// The client rejects an impossible answer to its SYN (RFC 9293 §3.10.7.3).
    RstSynSent = 3, "rst-synsent";
    /// The peer confirms, after a challenge ACK, that it has no state (RFC 5961 §3, §4).
    RstAfterChallenge = 4, "rst-after-challenge";
    /// A shape that no stack makes in this situation.
    RstNonconforming = 5, "rst-nonconforming";
    /// The first that was seen of its connection, or one-sided: nothing to compare it with.
    SpontaneousRst = 6, "spontaneous-rst";
    /// A reset from another distance than the peer's.
    TtlRstMismatch = 7, "ttl-rst-mismatch";
    /// A FIN from another distance than the peer's.
    TtlFinMismatch = 8, "ttl-fin-mismatch";
    /// Payload from another distance than the peer's.
    TtlDataMismatch = 9, "ttl-data-mismatch";
    /// A SYN-ACK from another distance than the peer's other segments.
    TtlSynAckMismatch = 10, "ttl-synack-mismatch";
    /// A reset that carries the other side's window.
    WinMirrorPeer = 11, "win-mirror-peer";
    /// A reset that came sooner than the path allows.
    RstTooFast = 12, "rst-too-fast";
    /// Resets with rising sequence numbers ahead of the sender.
    RstSeqChange = 13, "rst-seq-change";
    /// Resets that disagree on what was received.
    RstAckChange = 14, "rst-ack-change";
    /// The sender carried on after "its own" reset.
    RstSeqData = 15, "rst-seq-data";
    /// A reset into data that was acknowledged long ago.
    DataSeqRst = 16, "data-seq-rst";
    /// The sender carried on after "its own" FIN.
    DataAfterFin = 17, "data-after-fin";
    /// A second SYN-ACK with another initial sequence number.
    SynAckIsnChange = 18, "synack-isn-change";
    /// A side alternates between two distances.
    TtlFlap = 19, "ttl-flap";
    /// The first segment after a long silence was rejected.
    IdleThenRst = 20, "idle-then-rst";
    /// A keep-alive was rejected: the peer has no such connection any more.
    KeepAliveRst = 21, "keepalive-ok-rst";
    /// A reset instead of the last ACK: an application that avoids TIME_WAIT.
    RstInsteadOfLastAck = 22, "rst-instead-of-lastack";
    /// An answer that came after the side that asked had closed.
    ResponseLostAfterClose = 23, "response-lost-after-close";
    /// An application closed without reading what had arrived.
    RstCloseUnread = 24, "rst-close-unread";
    /// The server answers only once the client has closed its side.
    ResponseAfterFin = 25, "response-after-fin";
    /// The server keeps repeating its SYN-ACK to a client that has long sent its request.
    AcceptQueueDrop = 26, "accept-queue-drop";
    /// A plain ACK answers a SYN, with the right number: the other side holds a half-open entry from an earlier SYN.
    SynBareAckMatch = 27, "syn-bare-ack-match";
    /// That entry was given up: a reset with the plain ACK's own numbers.
    SynBareAckThenRst = 28, "syn-bare-ack-then-rst";
    /// A plain ACK answers a SYN, with numbers of something else: an older connection's.
    SynBareAckStale = 29, "syn-bare-ack-stale";
    /// The same, and the numbers are the final ones of the connection before.
    SynBareAckStaleConfirmed = 30, "syn-bare-ack-stale-confirmed";
    /// A connection request was repeated.
    SynRetryProfile = 31, "syn-retry-profile";
    /// The failed handshake asked for ECN, and nearly all others that did so worked.
    EcnNotTheCause = 32, "ecn-not-the-cause";
    /// Requests with ECN are reset, and work once they go without (RFC 3360).
    EcnSynRst = 33, "ecn-syn-rst";
    /// A SYN-ACK with both ECN bits of the SYN: they were copied (RFC 3168 §6.1.1).
    EcnReflect = 34, "ecn-reflect";
    /// A SYN-ACK grants ECN that nobody asked for.
    EcnBadSynAck = 35, "ecn-bad-synack";
    /// A SYN-ACK acknowledges what the client never sent (RFC 9293 §3.10.7.3).
    SynAckBadAck = 36, "synack-badack";
    /// A SYN answers a SYN: both sides ask at once, or a server splits its answer (RFC 9293 §3.5).
    SplitHandshake = 37, "split-handshake";
    /// A SYN-ACK from the side that asked.
    SynAckWrongDir = 38, "synack-wrong-dir";
    /// A second request with another initial sequence number, while the first is pending.
    IsnJump = 39, "isn-jump";
    /// Payload before the connection is established.
    DataBeforeEst = 40, "data-before-est";
    /// A window scale above 14 (RFC 7323 §2.3).
    WscaleRange = 41, "wscale-range";
    /// The client completes the handshake with next to no window.
    WindowSlam = 42, "window-slam";
    /// A port is used again while the other side may be in TIME_WAIT, and accepted (RFC 6191, RFC 9293 §3.6.1).
    TwReuseOk = 43, "tw-reuse-ok";
    /// A port is used again within seconds of the connection's end.
    SynAfterClose = 44, "syn-after-close";
    /// A SYN on a live connection (RFC 5961 §4).
    Rfc5961SynOnEst = 45, "rfc5961-syn-on-est";
    /// A reset in the receiver's window, but not exact (RFC 5961 §3).
    Rfc5961RstInWindow = 46, "rfc5961-rst-inwindow";
    /// A reset outside of the receiver's window, which ignores it.
    Rfc5961RstOutOfWindow = 47, "rfc5961-rst-outofwindow";
    /// Resets outside of the window with many numbers: somebody guesses.
    RstBruteForce = 48, "rst-bruteforce";
    /// An acknowledgment of bytes behind the other side's FIN.
    AckBeyondFin = 49, "ack-beyond-fin";
    /// A reset in the course of the handshake that neither side's kernel sends.
    RstSyn = 50, "rst-syn";
    /// Both ends were reset at the same instant.
    RstBothEnds = 51, "rst-both-ends";
    /// A SYN, then silence.
    CtSynNone = 52, "ct-syn-none";
    /// A SYN, then resets without ACK.
    CtSynRst = 53, "ct-syn-rst";
    /// A SYN, then resets with ACK.
    CtSynRstAck = 54, "ct-syn-rstack";
    /// A SYN, then resets of both forms.
    CtSynRstRstAck = 55, "ct-syn-rst-rstack";
    /// A handshake, then silence.
    CtAckNone = 56, "ct-ack-none";
    /// A handshake, then one reset without ACK.
    CtAckRst = 57, "ct-ack-rst";
    /// A handshake, then several resets without ACK.
    CtAckRstRst = 58, "ct-ack-rst-rst";
    /// A handshake, then one reset with ACK.
    CtAckRstAck = 59, "ct-ack-rstack";
    /// A handshake, then several resets with ACK.
    CtAckRstAckRstAck = 60, "ct-ack-rstack-rstack";
    /// The first data, then silence.
    CtPshNone = 61, "ct-psh-none";
    /// The first data, then one reset without ACK.
    CtPshRst = 62, "ct-psh-rst";
    /// The first data, then one reset with ACK.
    CtPshRstAck = 63, "ct-psh-rstack";
    /// The first data, then resets of both forms.
    CtPshRstRstAck = 64, "ct-psh-rst-rstack";
    /// The first data, then several resets with ACK.
    CtPshRstAckRstAck = 65, "ct-psh-rstack-rstack";
    /// The first data, then resets without ACK whose acknowledgment fields are equal.
    CtPshRstEq = 66, "ct-psh-rst-eq";
    /// The first data, then resets without ACK whose acknowledgment fields differ, none of them 0.
    CtPshRstNe = 67, "ct-psh-rst-ne";
    /// The first data, then resets without ACK, some with 0 in the acknowledgment field and some not.
    CtPshRstRst0 = 68, "ct-psh-rst-rst0";
    /// Several data segments, then resets without ACK.
    CtDataRst = 69, "ct-data-rst";
    /// Several data segments, then resets with ACK.
    CtDataRstAck = 70, "ct-data-rstack";
    /// Cut off after the SYN, in a way that has no signature.
    RadarPostSyn = 71, "radar-post-syn";
    /// Cut off after the handshake, in a way that has no signature.
    RadarPostAck = 72, "radar-post-ack";
    /// Cut off after the first data, in a way that has no signature.
    RadarPostPsh = 73, "radar-post-psh";
    /// Reset after several data packets that were seen as one segment.
    RadarLater = 74, "radar-later";
    /// The first segment after a long silence, and its repetitions, are not answered.
    IdleThenSilence = 75, "idle-then-silence";
    /// A side had closed; what came after a long silence from the other was rejected, or not answered.
    HalfCloseTimeout = 76, "half-close-timeout";
    /// Keep-alives at a constant interval are not answered.
    KeepAliveDead = 77, "keepalive-dead";
    /// After a long silence one side was told that the connection is over; the other was not.
    IdleOneSideRst = 78, "idle-oneside-rst";
    /// A plain ACK in answer to what a live connection must doubt (RFC 5961).
    ChallengeAck = 79, "challenge-ack";
    /// More challenge ACKs than a careful host sends.
    ChallengeAckStorm = 80, "challenge-ack-storm";
    /// ACKs that answer one another, always the same.
    AckLoop = 81, "ack-loop";
    /// An acknowledgment far from what its sender's others say (RFC 5961 §5).
    Rfc5961AckRange = 82, "rfc5961-ack-range";
    /// Request, old numbers, reset, and round again: the resets clear nothing.
    SynSentRstLoop = 83, "syn-sent-rst-loop";
    /// A reset ends its receiver's TIME_WAIT (RFC 1337).
    TwAssassination = 84, "tw-assassination";
    /// TIME_WAIT refuses a port that is used again: neither number nor timestamp is newer.
    TwReuseRefused = 85, "tw-reuse-refused";
    /// Requests with ECN are not answered, those without are.
    EcnSynDrop = 86, "ecn-syn-drop";
    /// ECN was agreed on, and the sender's data never carry its marks.
    EcnBleach = 87, "ecn-bleach";
    /// A request with something rare was reset, and works without it (RFC 3360).
    Rfc3360RstOnOption = 88, "rfc3360-rst-on-option";
    /// The data that came with a SYN were not accepted.
    TfoDataIgnored = 89, "tfo-data-ignored";
    /// A request with Fast Open is not answered, the plain one is.
    TfoSynDrop = 90, "tfo-syn-drop";
    /// A reset right after Fast Open's data.
    TfoBlackhole = 91, "tfo-blackhole";
    /// A receiver kept its window closed for more than 5 s.
    ZeroWindowStall = 92, "zero-window-stall";
    /// A new connection between ports that had one, in a way that nothing else tells of.
    WsReusedPorts = 93, "ws-reused-ports";
    /// A receiver closes its window again and again.
    WsZeroWindow = 94, "ws-zero-window";
    /// A sender fills the receiver's window again and again.
    WsWindowFull = 95, "ws-window-full";
    /// A side repeats much of what it sends.
    WsRetransmission = 96, "ws-retransmission";
    /// A side repeated what it had waited for long.
    WsRto = 97, "ws-rto";
    /// Much of what a side sends comes out of order.
    WsOutOfOrder = 98, "ws-out-of-order";
    /// A receiver asks for missing bytes again and again, and no answer is seen.
    WsDupAck = 99, "ws-dup-ack";
    /// Bytes were skipped.
    WsLostSegment = 100, "ws-lost-segment";
    /// Bytes were acknowledged that were not seen.
    WsAckLostSegment = 101, "ws-ack-lost-segment";
    /// SYN and FIN in one segment.
    FlagSynFin = 102, "flag-syn-fin";
    /// SYN and RST in one segment.
    FlagSynRst = 103, "flag-syn-rst";
    /// FIN and RST in one segment.
    FlagFinRst = 104, "flag-fin-rst";
    /// A FIN without ACK.
    FlagFinNoAck = 105, "flag-fin-noack";
    /// None of SYN, ACK, FIN and RST.
    FlagNull = 106, "flag-null";
    /// Source and destination are the same.
    Land = 107, "land";
    /// Port 0.
    PortZero = 108, "port-zero";
    /// Payload on a SYN without Fast Open.
    SynWithData = 109, "syn-with-data";
    /// The urgent pointer and its flag disagree (RFC 6093).
    UrgInconsistent = 110, "urg-inconsistent";
    /// A reserved bit of the header is set (RFC 9293 §3.1).
    ReservedBits = 111, "reserved-bits";
    /// A reset with payload (RFC 9293 §3.5.3).
    RstWithData = 112, "rst-with-data";
    /// A SYN with an acknowledgment, but without the flag.
    AckNonzeroNoAck = 113, "ack-nonzero-noack";
    /// An option of an impossible length.
    OptInvalid = 114, "opt-invalid";
    /// An option that is there twice.
    OptDup = 115, "opt-dup";
    /// A sequence number far below the connection's first.
    SeqUnderflow = 116, "seq-underflow";
    /// An acknowledgment far below the first byte that there was to acknowledge.
    AckUnderflow = 117, "ack-underflow";
    /// A second FIN, behind the first one.
    FinMoved = 118, "fin-moved";
    /// A side takes back window that it had promised (RFC 9293 §3.8.6).
    WinRecision = 119, "win-recision";
    /// Timestamps were agreed and are missing (RFC 7323 §3.2).
    TsMissing = 120, "ts-missing";
    /// A side's timestamps ran backwards, and the other side rejects its payload (RFC 7323 §5).
    PawsReject = 121, "paws-reject";
    /// A segment of a guarded port that has passed more routers than its peer is away (RFC 5082).
    GtsmViolation = 122, "gtsm-violation";
    /// A timestamp is echoed that the other side cannot have sent yet (RFC 7323 §3.2).
    TsEchoImpossible = 123, "ts-echo-impossible";
    /// The client's acknowledgments go on, and nothing that they acknowledge was ever seen.
    AsymRoute = 124, "asym-route";
    /// A live connection's segment came from its server's own address, untranslated, and was rejected.
    UnNatedLeak = 125, "un-nated-leak";
}

/// Room for kinds in tables that are indexed by them.
pub const MAX_KINDS: usize = 256;

const _: () = assert!(Kind::ALL.len() <= MAX_KINDS);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_ids_are_a_bijection() {
        for (i, &kind) in Kind::ALL.iter().enumerate() {
            assert_eq!(kind as usize, i, "numbers are dense");
            assert_eq!(Kind::from_u8(kind as u8), Some(kind));
            assert!(Kind::ALL[..i].iter().all(|k| k.id() != kind.id()));
            assert!(kind.id().bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'));
        }
        assert_eq!(Kind::from_u8(Kind::ALL.len() as u8), None);
    }
}
