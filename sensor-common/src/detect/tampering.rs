//! Tampering signatures: how a connection was cut off, judged once it has come to rest.
//!
//! After Sundara Raman et al., "Global, Passive Detection of Connection Tampering" (SIGCOMM 2023): what came from the client, told by
//! how far it got and by what ended it. The server's side is not needed; where it was seen, it rules out more.

use super::{
    Confidence, Evidence, RstClass,
    evidence::severity,
    origin::{self, Distance},
};
use crate::{
    event::Event,
    flow::{Bits, End, Flow, Reset, Segment, Side, TcpFlags, Watch, recorded},
    kind::Kind,
    time::Stamp,
};

/// How far the client got (the stages of Cloudflare Radar).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// A SYN.
    Syn,
    /// The handshake.
    Ack,
    /// The first data segment.
    Data,
    /// More than one data segment.
    Later,
}

impl Stage {
    /// The stage that a kind of tampering is about; `None` for other kinds.
    pub const fn of(kind: Kind) -> Option<Self> {
        Some(match kind {
            Kind::CtSynNone | Kind::CtSynRst | Kind::CtSynRstAck | Kind::CtSynRstRstAck => Self::Syn,
            Kind::RadarPostSyn => Self::Syn,
            Kind::CtAckNone | Kind::CtAckRst | Kind::CtAckRstRst => Self::Ack,
            Kind::CtAckRstAck | Kind::CtAckRstAckRstAck | Kind::RadarPostAck => Self::Ack,
            Kind::CtPshNone | Kind::CtPshRst | Kind::CtPshRstAck | Kind::CtPshRstRstAck => Self::Data,
            Kind::CtPshRstAckRstAck | Kind::CtPshRstEq | Kind::CtPshRstNe | Kind::CtPshRstRst0 => Self::Data,
            Kind::RadarPostPsh => Self::Data,
            Kind::CtDataRst | Kind::CtDataRstAck | Kind::RadarLater => Self::Later,
            _ => return None,
        })
    }
}

/// What a connection at rest comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The signature, or the stage where there is none.
    pub kind: Kind,
    /// How far the client got.
    pub stage: Stage,
    /// What speaks for somebody in between.
    pub evidence: Evidence,
    /// Greatest difference in hops between the client's segments and a reset.
    pub hops: u8,
    /// Greatest distance of a reset's IP-ID from the client's last one (IPv4).
    pub ipid: u16,
}

/// The most that one packet carries on an Ethernet: more is several, merged on receipt.
const ONE_PACKET: i32 = 1500;

/// An IP-ID is compared with one of at most this age (2 s).
const SOON: u32 = 1_953_125;

/// What cuts a connection off comes among the client's first segments (SIGCOMM 2023: the signatures look at the first ten).
pub const EARLY: u32 = 10;

/// Judges a connection that has come to rest: nothing for 3 s, or for 2 s after a reset. `None` where nothing cut it off.
#[must_use]
pub fn judge(flow: &Flow) -> Option<Verdict> {
    let view = View::of(flow)?;
    let stage = view.stage();
    let kind = if view.reset.n > 0 { view.cut(stage)? } else { view.silence(stage)? };
    if stage == Stage::Syn && view.scans() {
        return None;
    }
    let mut verdict = Verdict { kind, stage, evidence: Evidence::NONE, hops: 0, ipid: 0 };
    if view.reset.n > 0 {
        view.corroborate(&mut verdict);
        let guess = view.reset.class() == RstClass::SynSent as u8 && kind == Kind::CtSynRst;
        if guess && !verdict.evidence.any(ELSEWHERE) {
            // The kernel of a host that asked without a socket, a port scanner's.
            return None;
        }
    }
    Some(verdict)
}

/// A distance that is not the client's.
const ELSEWHERE: Evidence = Evidence(Evidence::TTL_RST.0 | Evidence::TTL_WEAK.0);

/// A flow from its client's side.
struct View<'a> {
    flow: &'a Flow,
    client: Side,
    c: &'a End,
    reset: &'a Reset,
    /// The server's end, if it was ever seen.
    s: Option<&'a End>,
}

impl<'a> View<'a> {
    /// `None` where the beginning was not seen, or the connection ended in order, or by its server.
    fn of(flow: &'a Flow) -> Option<Self> {
        let client = flow.head.client()?;
        let server = client.other() as usize;
        let c = &flow.ends[client as usize];
        let begun = c.bits.any(Bits::ISN) && c.flags.any(TcpFlags::SYN);
        // Behind a lone SYN, the other side's memory is an earlier flow's.
        let alone = flow.head.watch.any(Watch::ALONE) || flow.ends[server].segments == 0;
        let s = if alone { None } else { Some(&flow.ends[server]) };
        let reset = &flow.tails[client as usize].reset;
        let closed = s.is_some_and(|s| s.flags.any(TcpFlags::FIN) || flow.tails[server].reset.n > 0);
        let done = closed || c.flags.any(TcpFlags::FIN) || c.segments > EARLY;
        // A FIN that follows the reset shows that the client knew nothing of it.
        let over = if reset.n > 0 { reset.any(Reset::MOOT) } else { done };
        let in_scope = begun && !over;
        in_scope.then_some(Self { flow, client, c, reset, s })
    }

    /// The client's recorded segments.
    fn recorded(&self) -> impl Iterator<Item = &'a Segment> + use<'a> {
        recorded(self.flow, self.client)
    }

    fn stage(&self) -> Stage {
        let merged = self.c.nxt.since(self.c.isn) - 1 > ONE_PACKET;
        match self.c.data {
            0 if self.c.flags.any(TcpFlags::ACK) => Stage::Ack,
            0 => Stage::Syn,
            _ if merged || self.several() => Stage::Later,
            _ => Stage::Data,
        }
    }

    /// The signature of a connection that was reset.
    fn cut(&self, stage: Stage) -> Option<Kind> {
        let (bare, acked) = (self.reset.any(Reset::BARE), self.reset.any(Reset::ACKED));
        let again = self.reset.n > 1;
        let (differ, zero) = (self.reset.any(Reset::DIFFER), self.reset.any(Reset::ZERO));
        Some(match (stage, bare, acked) {
            (Stage::Syn, true, false) => Kind::CtSynRst,
            (Stage::Syn, false, _) => Kind::CtSynRstAck,
            (Stage::Syn, true, true) => Kind::CtSynRstRstAck,
            (Stage::Ack, true, true) => Kind::RadarPostAck,
            (Stage::Ack, true, false) if again => Kind::CtAckRstRst,
            (Stage::Ack, true, false) => Kind::CtAckRst,
            (Stage::Ack, false, _) if again => Kind::CtAckRstAckRstAck,
            (Stage::Ack, false, _) => Kind::CtAckRstAck,
            (Stage::Data, true, true) => Kind::CtPshRstRstAck,
            (Stage::Data, false, _) if again => Kind::CtPshRstAckRstAck,
            (Stage::Data, false, _) => Kind::CtPshRstAck,
            (Stage::Data, ..) if !again => Kind::CtPshRst,
            (Stage::Data, ..) if differ && zero => Kind::CtPshRstRst0,
            (Stage::Data, ..) if differ => Kind::CtPshRstNe,
            (Stage::Data, ..) => Kind::CtPshRstEq,
            // More was sent than one packet holds, so the stage is certain, and the number of segments is not.
            (Stage::Later, ..) if !self.several() => Kind::RadarLater,
            (Stage::Later, _, true) => Kind::CtDataRstAck,
            (Stage::Later, _, false) => Kind::CtDataRst,
        })
    }

    /// Whether its payload began at more than one sequence number.
    fn several(&self) -> bool {
        let mut starts = self.recorded().filter(|s| s.len > 0 && !s.flags.any(TcpFlags::RST)).map(first_byte);
        let first = starts.next();
        self.c.wscale & End::SEVERAL != 0 || starts.any(|seq| Some(seq) != first)
    }

    /// The signature of a connection that fell silent.
    fn silence(&self, stage: Stage) -> Option<Kind> {
        let Some(s) = self.s else {
            // What the server said is not known; what the client acknowledged after its request is.
            let last = self.recorded().min_by_key(|segment| self.c.last.0.wrapping_sub(segment.time.0));
            let answered = last.is_some_and(|last| last.len == 0);
            return match stage {
                Stage::Syn => Some(Kind::CtSynNone),
                Stage::Ack => Some(Kind::CtAckNone),
                Stage::Data if !answered => Some(Kind::CtPshNone),
                Stage::Data | Stage::Later => None,
            };
        };
        let granted = s.flags.all(TcpFlags::SYN.with(TcpFlags::ACK));
        let waiting = s.nxt.after(self.c.ack);
        let heard = self.c.ack.since(s.isn) > 1;
        match stage {
            Stage::Syn if granted => Some(Kind::CtSynNone),
            Stage::Syn => Some(Kind::RadarPostSyn),
            // It has taken what the server said first, and is merely idle.
            Stage::Ack if heard && !waiting => None,
            Stage::Ack => Some(Kind::CtAckNone),
            // Nothing is left for it to say: the silence is the server's.
            Stage::Data if !waiting => None,
            Stage::Data if heard => Some(Kind::RadarPostPsh),
            Stage::Data => Some(Kind::CtPshNone),
            Stage::Later => None,
        }
    }

    /// Whether the SYN is a port scanner's: of those tools that leave out what every system's own SYN has, come with a router's TTL,
    /// or with the constant IP-ID of ZMap.
    fn scans(&self) -> bool {
        let bare = !self.c.bits.any(Bits::WSCALE) && !self.c.bits.any(Bits::TIMESTAMPS);
        bare || self.c.wscale & End::ZMAP != 0 || self.c.ttl > 200
    }

    /// What the recorded resets have against having been made by the client.
    fn corroborate(&self, verdict: &mut Verdict) {
        let (c, flow) = (self.c, self.flow);
        let class = self.reset.class();
        let stateless = class == RstClass::Stateless as u8 || class == RstClass::SynSent as u8;
        let counts = c.ipid_steps >= 2 && c.ipid_jumps == 0 && flow.head.key.link.ip_version() == 4;
        let mut far = false;
        for reset in self.resets() {
            verdict.hops = verdict.hops.max(origin::hops(reset.ttl).abs_diff(origin::hops(c.ttl)));
            far |= origin::distance(c, reset.ttl) == Distance::Far;
            if counts && reset.ipid != 0 {
                let step = reset.ipid.wrapping_sub(c.ipid);
                verdict.ipid = verdict.ipid.max(step.min(step.wrapping_neg()));
            }
        }
        far &= origin::comparable(flow, c);
        let settled = origin::stable(flow, c);
        // Counters that a host's connections share run on meanwhile.
        let age = |segment: &Segment| c.last.0.wrapping_sub(segment.time.0);
        let soon = self.recorded().any(|segment| !segment.flags.any(TcpFlags::RST) && age(segment) < SOON);
        let evidence = &mut verdict.evidence;
        evidence.add_if(far && settled, Evidence::TTL_RST);
        evidence.add_if(far && !settled, Evidence::TTL_WEAK);
        // Made without a socket, it has not the socket's IP-ID.
        evidence.add_if(verdict.ipid > 1000 && soon && !stateless, Evidence::IPID_JUMP);
        evidence.add_if(self.unheard_of(verdict.kind), Evidence::NONCONFORMING);
        let linux = |reset: &Segment| reset.flags.0 == TcpFlags::RST.0 && reset.win == 0 && reset.ipid == 0;
        evidence.add_if(stateless && self.resets().all(linux), Evidence::LINUX_STATELESS);
    }

    /// The client's recorded resets.
    fn resets(&self) -> impl Iterator<Item = &'a Segment> + use<'a> {
        self.recorded().filter(|segment| segment.flags.any(TcpFlags::RST))
    }

    /// Whether no stack ends a connection like this. An aborted socket sends one reset with ACK; what comes later it answers
    /// without a socket, with a bare reset each. In place of an acknowledgment these have 0, or on Windows their own number.
    fn unheard_of(&self, kind: Kind) -> bool {
        let plain = |reset: &Segment| reset.flags.any(TcpFlags::ACK) || reset.ack.0 == 0 || reset.ack.0 == reset.seq.0;
        let header = |reset: &Segment| Segment { time: Stamp(0), ..*reset };
        let mut headers = self.resets().map(header);
        let first = headers.next();
        // One reset that a mirror port or a path has doubled.
        let doubled = headers.all(|other| Some(other) == first);
        let odd = match kind {
            Kind::CtSynRstRstAck | Kind::CtPshRstRst0 => true,
            Kind::CtAckRstAckRstAck | Kind::CtPshRstAckRstAck => !doubled,
            Kind::CtAckRstRst | Kind::CtPshRstEq | Kind::CtPshRstNe => !doubled && !self.resets().all(plain),
            Kind::RadarPostAck | Kind::CtPshRstRstAck => !self.resets().all(plain),
            _ => false,
        };
        odd || self.reset.class() == RstClass::Nonconforming as u8
    }
}

/// Number of a segment's first byte of payload.
const fn first_byte(segment: &Segment) -> u32 {
    segment.seq.0.wrapping_add((segment.flags.0 >> 1 & 1) as u32)
}

/// What the finding is about: the client's last reset, or its last segment.
pub(super) fn segment(flow: &Flow) -> Option<Segment> {
    let view = View::of(flow)?;
    let age = |segment: &&Segment| view.c.last.0.wrapping_sub(segment.time.0);
    view.resets().min_by_key(age).or_else(|| view.recorded().min_by_key(age)).copied()
}

/// Puts the verdict into the event.
pub(super) fn weigh(flow: &Flow, verdict: &Verdict, event: &mut Event) {
    let score = verdict.evidence.score();
    let reset = flow.head.client().map(|client| &flow.tails[client as usize].reset);
    event.evidence = verdict.evidence;
    event.severity = severity(score) as u8;
    event.confidence = verdict.evidence.confidence(score).max(Confidence::Possible) as u8;
    event.score = score;
    if let Some(reset) = reset.filter(|reset| reset.n > 0) {
        event.class = reset.class();
        event.detail[0] = u32::from(reset.n);
    }
    event.detail[1] = u32::from(verdict.hops) << 16 | u32::from(verdict.ipid);
}
