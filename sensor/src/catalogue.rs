//! What every id means: the single table behind `sensor explain`, `sensor schema` and the documents.
//!
//! A new kind needs two lines of thought: its block in the file of its family, and its name below. Without either it does not
//! compile. `UPDATE_CATALOGUE=1 cargo test -p sensor --test catalogue` then writes it into README.md and docs/detections.md.

use sensor_common::{
    detect::{Evidence, Severity},
    kind::Kind,
};

use crate::correlate::{Pattern, aggregate::Aggregate};

/// Names each entry as its kind is named. After `..` may stand an entry that the other fields are taken from.
macro_rules! entries {
    ($($kind:ident: $least:ident to $most:ident, $brief:literal { $($field:ident: $text:expr,)* $(..$like:ident)? })*) => {$(
        #[allow(non_upper_case_globals, reason = "it is named as its kind is")]
        pub(super) const $kind: crate::catalogue::Entry = crate::catalogue::Entry {
            brief: $brief,
            severity: [sensor_common::detect::Severity::$least, sensor_common::detect::Severity::$most],
            $($field: $text,)*
            $(..$like)?
        };
    )*};
}

mod aggregates;
mod anatomy;
mod distance;
mod doubt;
mod ending;
mod forged;
pub mod numbers;
mod patterns;
mod performance;
mod pieces;
mod protocol;
mod requests;
mod shape;
mod silence;
mod tampering;

/// All that is to be said about a kind. Ids within the texts stand in backticks.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// What it is, in a line.
    pub brief: &'static str,
    /// The mildest and the most severe that it usually is.
    pub severity: [Severity; 2],
    /// What it says about the connection.
    pub meaning: &'static str,
    /// What the engine looks at, and how that is weighed.
    pub evidence: &'static str,
    /// What usually brings it about.
    pub causes: &'static [&'static str],
    /// What looks like it and is harmless, or keeps the engine silent.
    pub benign: &'static [&'static str],
    /// What to check next, most useful first.
    pub next: &'static [&'static str],
    /// RFC sections, papers, manuals.
    pub sources: &'static [&'static str],
}

/// A piece of evidence.
#[derive(Clone, Copy, Debug)]
pub struct Piece {
    /// The public id.
    pub id: &'static str,
    /// Its weight in points, negative where it speaks for the segment.
    pub points: f32,
    /// When exactly it is found.
    pub condition: &'static str,
}

/// Kinds that belong together.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    /// Its title.
    pub title: &'static str,
    /// Its kinds.
    pub kinds: &'static [Kind],
}

macro_rules! families {
    ($($file:ident, $title:literal: $($kind:ident)*;)*) => {
        /// All kinds, by family.
        pub const FAMILIES: &[Family] = &[$(Family { title: $title, kinds: &[$(Kind::$kind),*] }),*];

        /// Its family, by the name of the file that tells of it.
        pub const fn family(kind: Kind) -> &'static str {
            match kind {
                $($(Kind::$kind)|* => stringify!($file),)*
            }
        }

        /// What is to be said about a kind.
        pub const fn entry(kind: Kind) -> &'static Entry {
            match kind {
                $($(Kind::$kind => &$file::$kind,)*)*
            }
        }
    };
}

families! {
    anatomy, "Resets by their anatomy": RstRefused RstStateless RstAbort RstSynSent RstAfterChallenge RstNonconforming
        SpontaneousRst;
    distance, "Packets from another distance": TtlRstMismatch TtlFinMismatch TtlDataMismatch TtlSynAckMismatch TtlFlap;
    forged, "Packets that contradict the connection": WinMirrorPeer RstTooFast RstSeqChange RstAckChange RstSeqData DataSeqRst
        DataAfterFin SynAckIsnChange;
    ending, "How connections end": IdleThenRst KeepAliveRst RstInsteadOfLastAck ResponseLostAfterClose RstCloseUnread
        ResponseAfterFin AcceptQueueDrop UnNatedLeak;
    silence, "Connections that one side has forgotten": IdleThenSilence HalfCloseTimeout KeepAliveDead IdleOneSideRst;
    protocol, "Rules of the protocol": SynBareAckMatch SynBareAckThenRst SynBareAckStale SynBareAckStaleConfirmed SynRetryProfile
        EcnNotTheCause EcnSynRst EcnReflect EcnBadSynAck SynAckBadAck SplitHandshake SynAckWrongDir IsnJump DataBeforeEst
        WscaleRange WindowSlam TwReuseOk SynAfterClose Rfc5961SynOnEst Rfc5961RstInWindow Rfc5961RstOutOfWindow RstBruteForce
        AckBeyondFin AsymRoute;
    doubt, "What a live connection must doubt": ChallengeAck ChallengeAckStorm AckLoop Rfc5961AckRange;
    requests, "Requests, and ports in TIME_WAIT": SynSentRstLoop TwAssassination TwReuseRefused EcnSynDrop EcnBleach
        Rfc3360RstOnOption TfoDataIgnored TfoSynDrop TfoBlackhole;
    performance, "Losses and windows": ZeroWindowStall WsZeroWindow WsWindowFull WsRetransmission WsRto WsOutOfOrder WsDupAck
        WsLostSegment WsAckLostSegment WsReusedPorts;
    shape, "Segments that no stack makes": FlagSynFin FlagSynRst FlagFinRst FlagFinNoAck FlagNull Land PortZero SynWithData
        UrgInconsistent ReservedBits RstWithData AckNonzeroNoAck OptInvalid OptDup SeqUnderflow AckUnderflow FinMoved WinRecision
        TsMissing TsEchoImpossible PawsReject GtsmViolation;
    tampering, "Connections cut off near their beginning": RstSyn RstBothEnds CtSynNone CtSynRst CtSynRstAck CtSynRstRstAck CtAckNone CtAckRst CtAckRstRst CtAckRstAck CtAckRstAckRstAck CtPshNone CtPshRst CtPshRstAck CtPshRstRstAck CtPshRstAckRstAck CtPshRstEq CtPshRstNe CtPshRstRst0 CtDataRst CtDataRstAck RadarPostSyn RadarPostAck RadarPostPsh RadarLater;
}

/// Their title.
pub const PATTERNS_TITLE: &str = "Many connections together: what a service does";

/// What no finding says by itself and many connections together show, by its public id.
pub const PATTERNS: &[(&str, &Entry)] = &[
    (Pattern::FixedIdleClose.id(), &patterns::FixedIdleClose),
    (Pattern::LbDrain.id(), &patterns::LbDrain),
    (Pattern::ForeignRst.id(), &patterns::ForeignRst),
];

/// What is to be said about a pattern.
pub const fn pattern_entry(pattern: Pattern) -> &'static Entry {
    match pattern {
        Pattern::FixedIdleClose => &patterns::FixedIdleClose,
        Pattern::LbDrain => &patterns::LbDrain,
        Pattern::ForeignRst => &patterns::ForeignRst,
    }
}

/// The kind of that id.
pub fn kind(id: &str) -> Option<Kind> {
    Kind::ALL.iter().copied().find(|kind| kind.id() == id)
}

pub use aggregates::{GROUPS, Group, aggregate};

/// Every piece of evidence, in the order of its table.
pub fn pieces() -> impl Iterator<Item = Piece> {
    Evidence::ALL.iter().map(|&(bit, id, half_points)| Piece {
        id,
        points: f32::from(half_points) / 2.0,
        condition: pieces::condition(bit).unwrap_or_default(),
    })
}

/// The piece of that id.
pub fn piece(id: &str) -> Option<Piece> {
    pieces().find(|piece| piece.id == id)
}

/// What is to be said of an id that is a kind's, an aggregate's or a pattern's.
pub fn find(id: &str) -> Option<&'static Entry> {
    let pattern = || PATTERNS.iter().find(|(known, _)| *known == id).map(|(_, entry)| *entry);
    kind(id).map(entry).or_else(|| Aggregate::of(id).map(aggregate)).or_else(pattern)
}

/// The id, of a kind, an aggregate or a piece, that is spelt most alike.
pub fn nearest(id: &str) -> &'static str {
    let ids = Kind::ALL.iter().map(|kind| kind.id()).chain(pieces().map(|piece| piece.id));
    let ids =
        ids.chain(Aggregate::ALL.iter().map(|aggregate| aggregate.id())).chain(PATTERNS.iter().map(|(id, _)| *id));
    let alike = |a: &&str, b: &&str| strsim::jaro_winkler(a, id).total_cmp(&strsim::jaro_winkler(b, id));
    ids.max_by(alike).unwrap_or_default()
}

/// A text without its backticks, for where there is no markup.
pub fn plain(text: &str) -> String {
    text.replace('`', "")
}
