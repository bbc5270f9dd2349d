//! What happened, and how often: each look-alike is counted, so that none can stop being tested unnoticed.

macro_rules! classes {
    ($($(#[$doc:meta])* $name:ident;)*) => {
        /// A benign thing that may look like interference.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Class {
            $($(#[$doc])* $name,)*
        }

        impl Class {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),*];
        }
    };
}

classes! {
    /// A segment that never arrived.
    Loss;
    /// One that was overtaken.
    Reordered;
    /// One that arrived twice.
    Duplicate;
    /// Sent again after a timeout, from the first byte missing on, perhaps in other portions.
    TimeoutRetransmission;
    /// Sent again after three duplicate acknowledgments.
    FastRetransmission;
    /// An acknowledgment with SACK blocks.
    SelectiveAck;
    /// More than one segment's worth in one frame at egress.
    SuperSegment;
    /// The path's length changed in the middle, and stayed so.
    Reroute;
    /// A path that changed there and back, each for some time (flowlets over unequal paths).
    FlowletPaths;
    /// The IPv6 flow label changed after a timeout (Linux draws a new one).
    NewFlowLabel;
    /// A connection request sent again.
    SynRetry;
    /// The same without the request for ECN (RFC 3168 fallback).
    SynRetryWithoutEcn;
    /// An answer to a request sent again.
    SynAckRetry;
    /// A request to a closed port.
    Refused;
    /// The slower of two attempts, given up before its answer came.
    LoserBeforeAnswer;
    /// The slower of two attempts, reset at once.
    LoserAfterAnswer;
    /// A probe of an idle peer, empty.
    KeepAlive;
    /// A probe of an idle peer, with one old byte.
    KeepAliveByte;
    /// A receiver that cannot take more.
    ZeroWindow;
    /// A probe of a closed window.
    WindowProbe;
    /// Long silence, then more of the same connection.
    IdleThenResume;
    /// The client closed its half and got a long answer.
    HalfClose;
    /// Both closed at once.
    SimultaneousClose;
    /// A live socket aborted between requests.
    Abort;
    /// A live socket aborted with data on the way to it.
    AbortInTheMiddle;
    /// Closed, and data came later.
    ClosedThenData;
    /// A FIN, and a reset behind it.
    ResetAfterOwnFin;
    /// A reset in answer to the peer's FIN.
    ResetAfterPeerFin;
    /// A reset where the last acknowledgment should be.
    ResetForLastAck;
    /// A host without a socket answered.
    SocketlessReset;
    /// The same from a stack that sets ACK in it, as lwIP does.
    SocketlessResetWithAck;
    /// A peer that went away without a word.
    Vanished;
    /// The same addresses and ports again, within TIME_WAIT.
    ReuseWithinTimeWait;
    /// The same addresses and ports again, later.
    ReuseLater;
    /// A NAT that forgot: the connection goes on from another port, where nobody knows it.
    NatRebinding;
    /// Picked up in the middle.
    Midstream;
    /// Another stack behind an address already seen.
    SharedAddress;
    /// Two segments of a connection at the same time, as the coarse clock has it.
    ClockTie;
    /// Sequence numbers that wrapped.
    SequenceWrap;
}

/// How often each happened.
#[derive(Clone, Copy, Debug)]
pub struct Tally(pub [u64; Class::ALL.len()]);

impl Default for Tally {
    fn default() -> Self {
        Self([0; Class::ALL.len()])
    }
}

impl Tally {
    /// Counts one.
    pub const fn count(&mut self, class: Class) {
        self.0[class as usize] += 1;
    }

    /// Adds those of another run.
    pub fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine += theirs;
        }
    }

    /// Each with its count.
    pub fn iter(&self) -> impl Iterator<Item = (Class, u64)> {
        Class::ALL.iter().copied().zip(self.0)
    }
}
