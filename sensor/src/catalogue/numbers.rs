//! What the two numbers beside a finding ([`sensor_common::event::Event::detail`]) are called and mean: the single table behind
//! the JSON lines, their schema, and the explanations.

use sensor_common::{detect::tampering::Stage, kind::Kind};
use serde::{Serialize, Serializer};

/// Where a number lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The first of the two.
    First,
    /// The first, signed.
    Signed,
    /// The second.
    Second,
    /// The upper 16 bits of the second.
    High,
    /// The lower 16 bits of the second.
    Low,
}

/// A number with a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number {
    /// Its field in the JSON lines, its unit included.
    pub name: &'static str,
    /// Where it lies.
    pub part: Part,
    /// What it means.
    pub meaning: &'static str,
}

impl Number {
    /// Its value.
    pub const fn of(&self, detail: [u32; 2]) -> i64 {
        let [first, second] = detail;
        match self.part {
            Part::First => first as i64,
            Part::Signed => first.cast_signed() as i64,
            Part::Second => second as i64,
            Part::High => (second >> 16) as i64,
            Part::Low => (second & 0xffff) as i64,
        }
    }

    /// The bits that it lies in.
    pub const fn bits(&self) -> [u32; 2] {
        match self.part {
            Part::First | Part::Signed => [u32::MAX, 0],
            Part::Second => [0, u32::MAX],
            Part::High => [0, 0xffff_0000],
            Part::Low => [0, 0xffff],
        }
    }
}

macro_rules! numbers {
    ($($id:ident = $name:literal $part:ident, $meaning:literal;)*) => {
        $(const $id: Number = Number { name: $name, part: Part::$part, meaning: $meaning };)*

        /// Every number, in the order of the table.
        pub const ALL: &[Number] = &[$($id),*];
    };
}

numbers! {
    IDLE = "idle_ms" First, "milliseconds of silence before the segment that was rejected, or not answered: modulo 73 minutes";
    UNANSWERED = "unanswered_ms" Second, "milliseconds from that segment to its last repetition; 0 if it was rejected";
    CARRIED_ON = "carried_on_ms" Second, "milliseconds from the reset to what contradicts it";
    INTERVAL = "interval_ms" First, "milliseconds from one keep-alive to the next";
    UNHEARD = "unheard_ms" Second, "milliseconds since the other side was last heard: modulo 73 minutes";
    WAITED = "waited_ms" First, "milliseconds from the request to the client's FIN";
    SINCE_REQUEST = "since_request_ms" First, "milliseconds since the client's first data";
    SINCE_SYN = "since_syn_ms" First, "milliseconds since the last SYN";
    SYNS = "syns" Second, "SYNs so far";
    SINCE_BARE_ACK = "since_bare_ack_ms" First, "milliseconds since the plain ACK";
    SINCE_RESET = "since_reset_ms" First, "milliseconds from the reset to the answer";
    ECN_WORKED = "ecn_worked" High, "how many of the service's other handshakes with ECN worked; 0 of 0 if this one did not ask for it";
    ECN_HANDSHAKES = "ecn_handshakes" Low, "how many of the service's other handshakes asked for ECN";
    SINCE_CLOSE = "since_close_ms" First, "milliseconds since the connection, or the one of the same ports before, was closed; 0 if it was not, or that is not known";
    CLIENT_RESETS = "client_resets" Second, "the client's resets so far";
    SINCE_LAST = "since_last_ms" First, "milliseconds since the side's last segment";
    SYNS_BEFORE = "syns_before" Second, "SYNs before this one";
    OFF = "off_bytes" Signed, "bytes from what the receiver waits for to the reset, negative before it";
    RESETS_BEFORE = "resets_before" Second, "resets of the side before this one";
    HOPS_APART = "hops_apart" First, "hops between where the reset and the side's own segments were made";
    SINCE_DATA = "since_data_ms" First, "milliseconds from the last new bytes of the side that was reset first to the reset in its name";
    RESETS = "resets" First, "resets in the client's name";
    HOPS_OFF = "hops_off" High, "most hops by which one of them differs from the client's own segments";
    STALLED = "stalled_ms" First, "milliseconds that the window has been closed so far";
    PROBES = "probes" Second, "probes of the closed window so far";
    CLOSED = "closed" First, "times that the side has closed its window; 15 are counted";
    FILLED = "filled" First, "times that the side has filled the other side's window; 15 are counted";
    WINDOW = "window_bytes" Second, "bytes of that window";
    REPEATED = "repeated" First, "segments that the side has repeated";
    SENT = "sent" Second, "segments that the side has sent, as many as it would be without offload";
    STOOD = "stood_ms" First, "milliseconds in which nothing went forward";
    REPEATS = "repeats" Second, "segments that the side has repeated, this one included";
    OVERTAKEN = "overtaken" First, "gaps in the side's bytes that were filled within a round trip";
    ASKED = "asked" First, "times that the side has asked for missing bytes";
    SEGMENTS = "segments" Second, "segments that the side has sent";
    SKIPPED = "skipped_bytes" First, "bytes that the side skipped";
    UNSEEN = "unseen" First, "times that the side has acknowledged bytes which were not seen";
    IPID_OFF = "ipid_off" Low, "most by which one's IP-ID differs from the client's last";
    SINCE_CAUSE = "since_cause_ms" First, "milliseconds since what it answers";
    CAUSE = "cause" Second, "what it, or the last one, answers: 1 a SYN, 2 a reset, 3 an acknowledgment";
    ELEVEN = "eleven_ms" First, "milliseconds for eleven of them";
    IN_A_ROW = "in_a_row" First, "ACKs in a row";
    ACK_OFF = "ack_off_bytes" Signed, "bytes from the side's last acknowledgment to this one, negative before it";
    SINCE_FIRST_SYN = "since_first_syn_ms" First, "milliseconds since the first SYN";
    OPTION = "option" Second, "what was gone from the retry: 1 Fast Open, 2 Multipath TCP, 3 an unknown one or several, 4 ECN";
    DATA_SEGMENTS = "data_segments" Second, "segments with payload, none of them with ECN's marks";
    SYN_BYTES = "syn_bytes" Second, "bytes that came with the SYN";
    BELOW = "below_bytes" First, "bytes from the number to the first that the connection is known to have used";
    FIN_AHEAD = "fin_ahead_bytes" First, "bytes from the first FIN to this one";
    RECANTED = "recanted_bytes" First, "bytes of window that were promised and are taken back";
    WINDOW_LEFT = "window_left_bytes" Second, "bytes of window that are left";
    OLDER = "older_ticks" First, "ticks of the sender's clock from the timestamp to its last one";
    ECHO_AHEAD = "echo_ahead_ticks" First, "ticks by which the echo is ahead of the last timestamp seen";
    SERVICE_ADDRESS = "service_address" First, "last 32 bits of the address that the connection was opened to";
    SERVICE_PORT = "service_port" High, "port that the connection was opened to";
    SILENT = "silent_s" Low, "seconds from the connection's segment before to this one; 0 if that is not known: modulo 73 minutes";
    FIRST_BESIDE = "first_beside" First, "the first number of the finding told beside it";
    SECOND_BESIDE = "second_beside" Second, "the second number of the finding told beside it";
}

/// The numbers of a kind.
pub const fn numbers(kind: Kind) -> &'static [Number] {
    match kind {
        Kind::IdleThenRst | Kind::KeepAliveRst => &[IDLE],
        Kind::IdleThenSilence | Kind::HalfCloseTimeout => &[IDLE, UNANSWERED],
        Kind::IdleOneSideRst => &[IDLE, CARRIED_ON],
        Kind::KeepAliveDead => &[INTERVAL, UNHEARD],
        Kind::ResponseAfterFin => &[WAITED],
        Kind::AcceptQueueDrop => &[SINCE_REQUEST],
        Kind::UnNatedLeak => &[SERVICE_ADDRESS, SERVICE_PORT, SILENT],
        Kind::SynBareAckMatch => &[SINCE_SYN, SYNS],
        Kind::SynBareAckThenRst | Kind::EcnNotTheCause => &[SINCE_BARE_ACK, ECN_WORKED, ECN_HANDSHAKES],
        Kind::EcnSynRst => &[SINCE_RESET, ECN_WORKED, ECN_HANDSHAKES],
        Kind::SynBareAckStale | Kind::SynBareAckStaleConfirmed => &[SINCE_CLOSE, CLIENT_RESETS],
        Kind::SynRetryProfile => &[SINCE_LAST, SYNS_BEFORE],
        Kind::SynAckBadAck | Kind::SplitHandshake | Kind::SynAckWrongDir | Kind::IsnJump | Kind::DataBeforeEst => {
            &[SINCE_CLOSE]
        }
        Kind::WscaleRange | Kind::WindowSlam | Kind::TwReuseOk | Kind::SynAfterClose => &[SINCE_CLOSE],
        Kind::Rfc5961SynOnEst | Kind::AckBeyondFin => &[SINCE_CLOSE],
        Kind::Rfc5961RstInWindow | Kind::Rfc5961RstOutOfWindow | Kind::RstBruteForce => &[OFF, RESETS_BEFORE],
        Kind::ChallengeAck => &[SINCE_CAUSE, CAUSE],
        Kind::ChallengeAckStorm => &[ELEVEN, CAUSE],
        Kind::AckLoop => &[IN_A_ROW],
        Kind::Rfc5961AckRange => &[ACK_OFF],
        Kind::SynSentRstLoop => &[SINCE_FIRST_SYN, CLIENT_RESETS],
        Kind::TwReuseRefused => &[FIRST_BESIDE, SECOND_BESIDE],
        Kind::EcnSynDrop => &[SINCE_FIRST_SYN, ECN_WORKED, ECN_HANDSHAKES],
        Kind::EcnBleach => &[DATA_SEGMENTS],
        Kind::Rfc3360RstOnOption => &[SINCE_RESET, OPTION],
        Kind::TfoDataIgnored => &[SINCE_SYN, SYN_BYTES],
        Kind::TfoSynDrop => &[SINCE_FIRST_SYN, SYNS],
        Kind::WsReusedPorts => &[SINCE_CLOSE],
        Kind::ZeroWindowStall => &[STALLED, PROBES],
        Kind::WsZeroWindow => &[CLOSED],
        Kind::WsWindowFull => &[FILLED, WINDOW],
        Kind::WsRetransmission => &[REPEATED, SENT],
        Kind::WsRto => &[STOOD, REPEATS],
        Kind::WsOutOfOrder => &[OVERTAKEN, SENT],
        Kind::WsDupAck => &[ASKED, SEGMENTS],
        Kind::WsLostSegment => &[SKIPPED],
        Kind::WsAckLostSegment => &[UNSEEN, SEGMENTS],
        Kind::SeqUnderflow | Kind::AckUnderflow => &[BELOW],
        Kind::FinMoved => &[FIN_AHEAD],
        Kind::WinRecision => &[RECANTED, WINDOW_LEFT],
        Kind::PawsReject => &[OLDER],
        Kind::TsEchoImpossible => &[ECHO_AHEAD],
        Kind::RstSyn => &[HOPS_APART],
        Kind::RstBothEnds => &[SINCE_DATA],
        Kind::CtSynNone | Kind::CtAckNone | Kind::CtPshNone | Kind::RadarPostSyn | Kind::RadarPostPsh => &[],
        _ => match Stage::of(kind) {
            Some(_) => &[RESETS, HOPS_OFF, IPID_OFF],
            None => &[],
        },
    }
}

/// A finding's numbers as an object, in the order of the table.
#[derive(Clone, Copy, Debug)]
pub struct Detail {
    /// The finding's kind.
    pub kind: Kind,
    /// As the event has them.
    pub detail: [u32; 2],
}

impl Detail {
    /// Names and values.
    pub fn fields(self) -> impl Iterator<Item = (&'static str, i64)> {
        numbers(self.kind).iter().map(move |number| (number.name, number.of(self.detail)))
    }
}

impl Serialize for Detail {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.fields())
    }
}
