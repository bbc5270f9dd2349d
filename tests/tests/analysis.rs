//! Wireshark's rows: a plain segment has none, and what is kept of it is what a judgment would have kept.

use proptest::prelude::*;
use sensor_common::{
    detect::analysis::{At, Rows, judge, plain},
    flow::{Bits, Extra, Flow, Half, Segment, TcpFlags},
    seq::SeqNumber,
    time::Stamp,
    track,
    wire::Packet,
};

/// Both sides as they are when nothing is pending: `isn` bytes before the wrap, `sent` bytes each.
fn settled(isn: u32, sent: [u32; 2], windows: [u16; 2], scales: [u8; 2]) -> (Flow, Extra) {
    let (mut flow, extra) = (Flow::default(), Extra::default());
    for side in 0..2 {
        let (own, other) = (sent[side], sent[side ^ 1]);
        let end = &mut flow.ends[side];
        end.isn = SeqNumber(isn);
        end.nxt = SeqNumber(isn) + own;
        end.ack = SeqNumber(isn) + other;
        end.windows = u64::from(windows[side]);
        end.wscale = scales[side];
        end.bits = Bits(Bits::WSCALE.0 | Bits::SCALED.0 | Bits::ISN.0);
        end.flags = TcpFlags::SYN.with(TcpFlags::ACK);
        end.segments = 5;
        end.last = Stamp(1000);
        let last = Segment { ack: end.ack, win: windows[side], flags: TcpFlags::ACK, ..Segment::default() };
        flow.tails[side].recorder[0] = last;
    }
    (flow, extra)
}

fn rows(flow: &mut Flow, extra: &mut Extra, packet: &Packet, time: u32) -> Rows {
    let at = At { stamp: Stamp(time), clock: Stamp(time) };
    let mut rows = Rows::default();
    judge(flow, extra, packet, at, true, &mut rows);
    track::advance(&mut flow.ends[packet.sender()], packet, at.stamp, true);
    track::record(flow, packet.sender(), &packet.segment(at.stamp));
    rows
}

fn packet(flow: &Flow, side: u8, len: u32) -> Packet {
    let d = &flow.ends[side as usize];
    let win = d.windows as u16;
    Packet { side, seq: d.nxt, ack: d.ack, len, win, flags: TcpFlags::ACK, ..Packet::default() }
}

/// SYN, FIN and RST never come as far as that.
fn without_edges(flags: u8) -> TcpFlags {
    TcpFlags(flags & !(TcpFlags::SYN.0 | TcpFlags::FIN.0 | TcpFlags::RST.0))
}

proptest! {
    /// Values lie close together, so that many segments are plain and many just not.
    #[test]
    fn a_plain_segment_has_no_rows(
        isn in prop_oneof![Just(1000), Just(u32::MAX - 20)],
        sent in [10_u32..40, 10_u32..40],
        windows in [0_u16..8, 0_u16..8],
        scales in [0_u8..3, 0_u8..3],
        seq in -2_i32..3,
        ack in -2_i32..3,
        len in 0_u32..6,
        win in 0_u16..4,
        flags in prop_oneof![4 => Just(TcpFlags::ACK), 1 => any::<u8>().prop_map(without_edges)],
        side in 0_u8..2,
    ) {
        let (mut flow, mut extra) = settled(isn, sent, windows, scales);
        let other = flow.ends[side as usize ^ 1].nxt;
        let mut packet = packet(&flow, side, len);
        packet.seq = SeqNumber(packet.seq.0.wrapping_add_signed(seq));
        packet.ack = SeqNumber(other.0.wrapping_add_signed(ack));
        packet.win = win;
        packet.flags = flags;
        let [d, r] = [side as usize, side as usize ^ 1];
        if plain(&flow.ends[d], &flow.ends[r], &packet) {
            let before = extra;
            prop_assert_eq!(rows(&mut flow, &mut extra, &packet, 2000), Rows(0));
            prop_assert!(!flow.ends[0].is_looked_at() && !flow.ends[1].is_looked_at());
            for side in 0..2 {
                let front = extra.halves[side].front;
                prop_assert_eq!(extra.halves[side], Half { front, ..before.halves[side] });
            }
        }
    }
}

#[test]
fn duplicate_acknowledgments_make_a_retransmission_fast_for_20_ms() {
    for (wait, row) in [(19_000, Rows::FAST_RETRANSMISSION), (20_000, Rows::RETRANSMISSION)] {
        let (mut flow, mut extra) = settled(1000, [500, 500], [60, 60], [7, 7]);
        let data = packet(&flow, 0, 100);
        assert!(plain(&flow.ends[0], &flow.ends[1], &data));
        for n in 0..3 {
            let more = packet(&flow, 0, 100);
            track::advance(&mut flow.ends[0], &more, Stamp(1001 + n), true);
            track::record(&mut flow, 0, &more.segment(Stamp(1001 + n)));
        }
        let again = packet(&flow, 1, 0);
        for n in 0..2 {
            assert_eq!(rows(&mut flow, &mut extra, &again, 5000 + n), Rows::DUPLICATE_ACK);
        }
        assert!(!plain(&flow.ends[0], &flow.ends[1], &packet(&flow, 0, 100)), "duplicates are pending");
        let repeated = rows(&mut flow, &mut extra, &data, 5001 + wait);
        assert!(repeated.any(row), "{repeated:?} after {wait}");
        assert_eq!(extra.halves[0].repeated, 1);
    }
}

#[test]
fn a_probe_does_not_count_as_sent() {
    let (mut flow, mut extra) = settled(1000, [500, 500], [60, 60], [7, 7]);
    let closed = Packet { win: 0, ..packet(&flow, 1, 0) };
    assert_eq!(rows(&mut flow, &mut extra, &closed, 2000), Rows::ZERO_WINDOW);
    let probe = packet(&flow, 0, 1);
    for n in 0..2 {
        assert_eq!(rows(&mut flow, &mut extra, &probe, 3000 + 2 * n), Rows::ZERO_WINDOW_PROBE);
        let answer = Rows(Rows::ZERO_WINDOW.0 | Rows::ZERO_WINDOW_PROBE_ACK.0);
        assert_eq!(rows(&mut flow, &mut extra, &closed, 3001 + 2 * n), answer);
    }
    assert_eq!(extra.halves[1].probes, 2);
}
