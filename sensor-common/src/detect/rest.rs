//! What a connection has to say for itself once it is at rest: nothing for 3 s, or for 2 s after a reset. Not for the kernel.

use zerocopy::FromZeros;

use super::{Confidence, Severity, one_way, tampering};
use crate::{
    event::{EVENT_VERSION, Event, Hook},
    flow::{End, Extra, Flow, Segment, Side},
    kind::Kind,
    time::{Stamp, stamp_nanos},
};

/// The finding, or none; `index` is the flow's place in the table, `now` the engine's time.
#[must_use]
pub fn at_rest(flow: &Flow, extra: &Extra, index: u32, now: u64) -> Option<Event> {
    let (kind, segment, verdict) = match tampering::judge(flow) {
        Some(verdict) => (verdict.kind, tampering::segment(flow)?, Some(verdict)),
        None => (Kind::AsymRoute, one_way::judge(flow)?, None),
    };
    let mut event = event(flow, extra, index, now, (flow.head.client()?, kind), &segment);
    if let Some(verdict) = verdict {
        tampering::weigh(flow, &verdict, &mut event);
    }
    Some(event)
}

/// A finding about a segment that `side` sent: info, and nothing claimed.
pub(super) fn event(
    flow: &Flow,
    extra: &Extra,
    index: u32,
    now: u64,
    (side, kind): (Side, Kind),
    segment: &Segment,
) -> Event {
    let own = &flow.ends[side as usize];
    let other = &flow.ends[side.other() as usize];
    let last = if other.segments > 0 && other.last.after(own.last) { other.last } else { own.last };
    let mut event = Event::new_zeroed();
    event.time = now.saturating_sub(stamp_nanos(Stamp::of(now).since(last)));
    event.segment = *segment;
    event.min_rtt = own.min_rtt;
    event.flow_index = index;
    event.expected_seq = own.nxt;
    event.version = EVENT_VERSION;
    event.kind = kind as u8;
    event.severity = Severity::Info as u8;
    event.confidence = Confidence::None as u8;
    event.side = side as u8;
    event.hook = match flow.head.local() {
        Some(local) if local == side => Hook::Egress,
        Some(_) => Hook::Ingress,
        None => Hook::Observer,
    } as u8;
    event.class = 255;
    event.expected_ttl = own.ttl;
    event.tos = own.tos & !End::MARKS;
    event.mac = own.mac;
    event.flow = *flow;
    event.extra = *extra;
    event
}
