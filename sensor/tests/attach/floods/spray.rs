//! Cheap anomalies without end, and severe ones among them: each of those is told.

use sensor::lab::forge::TcpPacket;
use sensor_common::flow::TcpFlags;

use super::{
    super::{child::Running, lab},
    scaled,
    talk::{connections, exchange, forge, listen, raise_files},
    told::{Told, all_told, ended},
    wire::{ATTACH, BURST, Flooder, NOBODY, XDP, dropped, wire},
};

/// What each of these frames is found to be.
const CHEAP: [&str; 4] = ["syn-with-data", "reserved-bits", "urg-inconsistent", "opt-invalid"];

/// What anybody can send from any address.
fn cheap(flooder: &Flooder) -> [Vec<u8>; 4] {
    let (syn, data) = (TcpFlags::SYN, TcpFlags::ACK.with(TcpFlags::PSH));
    let spoken = TcpPacket { payload: vec![b'x'; 100], ..flooder.packet(NOBODY, syn, 52, 0) };
    let reserved = flooder.packet(NOBODY, TcpFlags::ACK, 52, 0);
    let urgent = TcpPacket { payload: vec![b'x'; 10], ..flooder.packet(NOBODY, data, 52, 0) };
    let options = TcpPacket { options: vec![2, 0, 0, 0], ..flooder.packet(NOBODY, syn, 52, 0) };
    let mut frames = [spoken, reserved, urgent, options].map(|packet| packet.build().0);
    // A reserved bit; an urgent pointer without its flag.
    set(&mut frames[1], 46, 0x02);
    set(&mut frames[2], 53, 7);
    frames
}

/// Sets bits of a TCP header's byte that has been zero there, and corrects the checksum.
fn set(frame: &mut [u8], at: usize, bits: u8) {
    frame[at] |= bits;
    let word = if at.is_multiple_of(2) { u32::from(bits) << 8 } else { u32::from(bits) };
    let sum = u32::from(!u16::from_be_bytes([frame[50], frame[51]])) + word;
    let sum = (sum & 0xffff) + (sum >> 16);
    frame[50..52].copy_from_slice(&(!sum as u16).to_be_bytes());
}

#[test]
fn severe_ones_among_cheap_ones_are_told() {
    let Some(lab) = lab() else { return };
    raise_files();
    let mut flooder = wire(&lab);
    let listener = listen(&lab);
    let (n, severe) = scaled((3 * BURST, 100), (5_000_000, 1000_usize));
    let running = Running::attach(lab.server().netns(), &[&ATTACH[..], &["--min-severity", "info"], XDP].concat());
    let mut live = connections(&lab, &listener, severe);
    live.iter_mut().for_each(exchange);
    live.iter_mut().for_each(exchange);

    let mut frames = cheap(&flooder);
    let mut severed = Vec::new();
    while flooder.sent < n {
        let kind = flooder.sent as usize % frames.len();
        flooder.spoof(&mut frames[kind]);
        if flooder.sent.is_multiple_of(n / severe as u32) {
            severed.push(forge(&flooder, &live[severed.len()]));
        }
    }
    assert_eq!(severed.len(), severe);
    running.stdout.wait_for(&format!("\"src_port\":{}", severed[severe - 1]));
    let told = Told::settled(&lab);
    let (held, lost) = (told.counter("held_back_rate"), dropped(&lab));
    assert_eq!((told.counter("ring_full_high"), told.dropped()), (0, 0));
    let lines = ended(running);
    all_told(&lines, &severed);
    // Each cheap one that came through is found, once; of each kind some are told, and others held back.
    let each = u64::from(n) / CHEAP.len() as u64;
    let missed = lost + told.counter("insert_races");
    let mut words = 0;
    for kind in CHEAP {
        let matched = told.matched(kind);
        assert!(
            (each.saturating_sub(missed)..=each).contains(&matched),
            "{kind}: {matched} of {each}, {missed} missed"
        );
        let lines = lines.iter().filter(|line| line["kind"] == kind).count() as u64;
        assert!(0 < lines && lines < matched, "{kind}: {lines} of {matched}");
        words += lines;
    }
    eprintln!("spray: {n} cheap ones, {lost} lost by the wire; {words} told, {held} held back by rate");
}
