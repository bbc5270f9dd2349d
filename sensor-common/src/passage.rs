//! A segment on its way through the engine, with what is found on the way.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{
    detect::{Confidence, Evidence, Severity, analysis::Rows, evidence::severity, forged::reset_kind},
    flow::{Reset, Segment, TcpFlags},
    kind::Kind,
    service::ServiceCounter,
    time::Stamp,
    wire::Packet,
};

/// The engine's working memory for one segment. It lies in a map, not on the kernel's small stack, and what is read back from it
/// is a plain unknown to the verifier, which so follows one path where registers would make it follow thousands.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(8))]
pub struct Passage {
    /// The segment as parsed.
    pub packet: Packet,
    /// Working memory of the table; with a finding, the index of the flow's service.
    pub scratch: u32,
    /// The time within the flow, strictly after everything before.
    pub stamp: Stamp,
    /// Engine time in nanoseconds: fine where it was taken.
    pub now: u64,
    /// The flow's place in the table.
    pub index: u32,
    /// What is being found.
    pub finding: Finding,
    /// [`crate::event::Hook`] as a number.
    pub hook: u8,
    /// What the state may learn from the segment: 0 nothing, 1 its numbers, 2 everything.
    pub learn: u8,
    /// Whether there is a finding to tell: 1, or 2 once it was lost to a full ring. One for each segment: what is found first is
    /// the strongest.
    pub found: u8,
    /// Connection requests that the first SYN-ACK answers, saturating.
    pub requests: u8,
    /// What to count for the flow's service: a bit for each [`ServiceCounter`].
    pub service: u32,
    /// Another kind of finding about the same segment, a fact or an oddity, told after the first: its number plus one; 0 if none.
    pub also: u8,
    /// How to conclude it: [`Rule`] as a number.
    pub also_rule: u8,
    /// Rows of [`crate::detect::analysis`] that apply to the segment.
    pub rows: Rows,
    /// 1 if nothing makes it unusual but its numbers.
    pub quiet: u8,
    /// What its header or its numbers have against it, told last: a kind's number plus one; 0 if nothing.
    pub shape: u8,
    /// How to conclude it: [`Rule`] as a number.
    pub shape_rule: u8,
    /// Keeps the record free of padding.
    pub reserved: u8,
    /// What its kind says beside.
    pub shape_detail: [u32; 2],
}

impl Passage {
    /// Nothing is found yet.
    #[inline(always)]
    pub const fn begin(&mut self) {
        self.found = 0;
        self.also = 0;
        self.shape = 0;
        self.rows = Rows(0);
        self.quiet = 0;
    }

    /// Has another kind told about the same segment.
    #[inline(always)]
    pub fn second(&mut self, kind: Kind, rule: Rule) {
        self.also = kind as u8 + 1;
        self.also_rule = rule as u8;
    }

    /// Makes what was found of the segment's shape the finding to tell, if anything was.
    #[inline(always)]
    pub fn take_shape(&mut self) -> bool {
        if self.shape == 0 {
            return false;
        }
        let class = self.finding.class;
        self.finding.about(self.packet.segment(self.stamp));
        if self.packet.flags.any(TcpFlags::RST) {
            // It has been told as a reset already.
            self.finding.class = class;
        }
        self.finding.detail = self.shape_detail;
        self.finding.kind = self.shape - 1;
        self.finding.rule = self.shape_rule;
        self.shape = 0;
        self.found = 1;
        true
    }

    /// Has one counted for the flow's service, once the segment is through.
    #[inline(always)]
    pub fn count(&mut self, counter: ServiceCounter, present: bool) {
        self.service |= (present as u32) << counter as u32;
    }
}

/// A finding before it is told.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Finding {
    /// The segment that it is about.
    pub segment: Segment,
    /// What speaks for and against.
    pub evidence: Evidence,
    /// Upper bound of the time between the segment and what it answers, in units of 1.024 µs; 0 if it answers nothing.
    pub delay: u32,
    /// [`Kind`] as a number.
    pub kind: u8,
    /// [`Severity`] as a number.
    pub severity: u8,
    /// [`Confidence`] as a number.
    pub confidence: u8,
    /// [`crate::detect::RstClass`] as a number; 255 if it is not about a reset.
    pub class: u8,
    /// In half points.
    pub score: i8,
    /// How to conclude from the evidence: [`Rule`] as a number.
    pub rule: u8,
    /// Keeps the record free of padding.
    pub reserved: [u8; 2],
    /// What its kind says beside: times, counts, numbers.
    pub detail: [u32; 2],
}

/// How severity and confidence follow from a finding's evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Rule {
    /// By its score.
    Score = 0,
    /// A reset: by its score; above info its strongest evidence names it.
    Reset = 1,
    /// A segment from elsewhere: distance alone is info, since parallel paths look the same.
    Stranger = 2,
    /// A side carried on after a reset: what spoke against the reset speaks again.
    CarriedOn = 3,
    /// A fact: info.
    Fact = 4,
    /// Unusual by itself: notice.
    Oddity = 5,
    /// Something is wrong: warn.
    Fault = 6,
    /// Somebody interferes: alert.
    Attack = 7,
}

impl Finding {
    /// Starts a finding about `segment`.
    #[inline(always)]
    pub fn about(&mut self, segment: Segment) {
        self.segment = segment;
        self.evidence = Evidence::NONE;
        self.delay = 0;
        self.class = 255;
        self.detail = [0; 2];
    }

    /// Names it.
    #[inline(always)]
    pub fn name(&mut self, kind: Kind, rule: Rule) {
        self.kind = kind as u8;
        self.rule = rule as u8;
    }

    /// Concludes from the evidence. `reset` is what is remembered of resets in the sender's name.
    #[inline(always)]
    pub fn conclude(&mut self, reset: &mut Reset) {
        let before = if self.rule == Rule::CarriedOn as u8 && reset.score > 0 { reset.score } else { 0 };
        self.score = self.evidence.score() + before;
        self.severity = severity(self.score) as u8;
        self.confidence = self.evidence.confidence(self.score) as u8;
        if self.rule == Rule::Reset as u8 {
            reset.score = if reset.n > 1 && reset.score > self.score { reset.score } else { self.score };
            if self.severity > Severity::Info as u8
                && let Some(kind) = reset_kind(self.evidence)
            {
                self.kind = kind as u8;
            }
        } else if self.rule == Rule::CarriedOn as u8 {
            self.severity = Severity::Alert as u8;
        } else if self.rule >= Rule::Oddity as u8 {
            // Oddity, fault, attack: notice, warn, alert.
            self.severity = self.rule - Rule::Oddity as u8 + Severity::Notice as u8;
            self.confidence =
                if self.rule == Rule::Oddity as u8 { Confidence::Possible as u8 } else { Confidence::Likely as u8 };
        } else if self.rule == Rule::Fact as u8
            || (self.rule == Rule::Stranger as u8
                && self.score == self.evidence.only(Evidence(Evidence::TTL.0 | Evidence::TTL_MIRROR.0)).score())
        {
            self.severity = Severity::Info as u8;
            self.confidence = Confidence::Possible as u8;
        }
    }

    /// Whether it is worth no more than an entry in the log.
    #[inline(always)]
    pub fn is_mild(&self) -> bool {
        self.severity < Severity::Warn as u8
    }
}
