//! The tampering signatures once more, slow and obvious: from the list of a connection's packets, as the catalogue words them.

use std::collections::BTreeSet;

use sensor_common::flow::RECORDED;

/// A packet as the list has it.
#[derive(Clone, Copy, Debug)]
pub struct Listed {
    /// Whether the client sent it.
    pub client: bool,
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgment field.
    pub ack: u32,
    /// Payload bytes.
    pub len: u32,
    /// TTL or hop limit.
    pub ttl: u8,
    fin: bool,
    syn: bool,
    rst: bool,
    acks: bool,
    /// Has window scaling or timestamps among its options.
    modern: bool,
    id: u16,
}

impl Listed {
    /// Reads an Ethernet frame without VLAN tags, extension headers or IP options.
    pub fn read(client: bool, frame: &[u8]) -> Self {
        let v6 = frame[12] == 0x86;
        let at = if v6 { 54 } else { 34 };
        let total =
            if v6 { 40 + u32::from(word(frame, 18)) } else { u32::from(word(frame, 16)) } - if v6 { 40 } else { 20 };
        let header = usize::from(frame[at + 12] >> 4) * 4;
        let flags = frame[at + 13];
        let flag = |bit: u8| flags >> bit & 1 == 1;
        Self {
            client,
            seq: double(frame, at + 4),
            ack: double(frame, at + 8),
            len: total - header as u32,
            ttl: frame[if v6 { 21 } else { 22 }],
            fin: flag(0),
            syn: flag(1),
            rst: flag(2),
            acks: flag(4),
            modern: modern(&frame[at + 20..at + header]),
            id: if v6 { 0 } else { word(frame, 18) },
        }
    }
}

fn word(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

fn double(bytes: &[u8], at: usize) -> u32 {
    u32::from(word(bytes, at)) << 16 | u32::from(word(bytes, at + 2))
}

fn modern(mut options: &[u8]) -> bool {
    while let [kind, rest @ ..] = options {
        match kind {
            0 => return false,
            1 => options = rest,
            3 | 8 => return true,
            _ => options = &options[usize::from(rest[0])..],
        }
    }
    false
}

/// The signature of a list that begins with the client's SYN and ends with silence.
pub fn classify(list: &[Listed]) -> Option<&'static str> {
    let client: Vec<_> = list.iter().filter(|p| p.client).collect();
    let server: Vec<_> = list.iter().filter(|p| !p.client).collect();
    let syn = client.first().filter(|p| p.syn && !p.acks)?;
    // "Either a reset from the client's side, or silence; no FIN of the client before, and before the server itself finished."
    let resets: Vec<_> = client.iter().filter(|p| p.rst).collect();
    let first = list.iter().position(|p| p.client && p.rst).unwrap_or(list.len());
    if list[..first].iter().any(|p| p.fin || (!p.client && p.rst)) {
        return None;
    }
    // "Within the first ten packets of the client."
    let before = list[..first].iter().filter(|p| p.client).count();
    if before > if resets.is_empty() { 10 } else { 9 } {
        return None;
    }
    // "Distinct data segments: different sequence numbers, retransmissions do not count."
    let said: Vec<_> = client.iter().filter(|p| !p.rst && p.len > 0).collect();
    let p = said.iter().map(|p| p.seq.wrapping_add(u32::from(p.syn))).collect::<BTreeSet<_>>().len();
    // Seen or not: what the client has passed, it has sent.
    let reached = |p: &Listed| {
        p.seq.wrapping_add(u32::from(p.syn) + u32::from(p.fin) + p.len).wrapping_sub(syn.seq.wrapping_add(1))
    };
    let merged = p > 0 && client.iter().filter(|p| !p.rst).any(|p| (1501..1 << 31).contains(&reached(p)));
    let a = client.iter().any(|p| !p.rst && p.acks);
    let r = resets.iter().filter(|p| !p.acks).count();
    let ra = resets.len() - r;
    let fields: BTreeSet<_> = resets.iter().map(|p| p.ack).collect();

    if p == 0 && !a && scanned(syn, &resets, list) {
        return None;
    }
    if resets.is_empty() {
        return silent(p, a, merged, &client, &server);
    }
    Some(match (p, a, r, ra) {
        (1, ..) if merged => "radar-later",
        (2.., _, _, 0) => "ct-data-rst",
        (2.., ..) => "ct-data-rstack",
        (1, _, 1, 0) => "ct-psh-rst",
        (1, _, 0, 1) => "ct-psh-rstack",
        (1, _, 0, _) => "ct-psh-rstack-rstack",
        (1, _, _, 1..) => "ct-psh-rst-rstack",
        (1, ..) if fields.len() == 1 => "ct-psh-rst-eq",
        (1, ..) if fields.contains(&0) => "ct-psh-rst-rst0",
        (1, ..) => "ct-psh-rst-ne",
        (0, true, 1, 0) => "ct-ack-rst",
        (0, true, _, 0) => "ct-ack-rst-rst",
        (0, true, 0, 1) => "ct-ack-rstack",
        (0, true, 0, _) => "ct-ack-rstack-rstack",
        (0, true, ..) => "radar-post-ack",
        (0, false, _, 0) => "ct-syn-rst",
        (0, false, 0, _) => "ct-syn-rstack",
        (0, false, ..) => "ct-syn-rst-rstack",
    })
}

fn silent(p: usize, a: bool, merged: bool, client: &[&Listed], server: &[&Listed]) -> Option<&'static str> {
    if p > 1 || merged {
        return None;
    }
    if server.is_empty() {
        // "Ingress only": a client that acknowledges after its data was answered.
        let last_is_data = client.last().is_some_and(|p| p.len > 0);
        return match (p, a) {
            (0, false) => Some("ct-syn-none"),
            (0, true) => Some("ct-ack-none"),
            _ => last_is_data.then_some("ct-psh-none"),
        };
    }
    let base = server.iter().find(|p| p.syn).unwrap_or(&server[0]).seq;
    let end = |p: &Listed| p.seq.wrapping_add(p.len + u32::from(p.syn)).wrapping_sub(base);
    let sent = server.iter().map(|p| end(p)).max().unwrap_or(0);
    let heard = client.iter().filter(|p| p.acks).map(|p| p.ack.wrapping_sub(base)).max().unwrap_or(0);
    let granted = server.iter().any(|p| p.syn && p.acks);
    match (p, a) {
        (0, false) if granted => Some("ct-syn-none"),
        (0, false) => Some("radar-post-syn"),
        (0, true) if heard > 1 && heard >= sent => None,
        (0, true) => Some("ct-ack-none"),
        _ if heard >= sent => None,
        _ if heard > 1 => Some("radar-post-psh"),
        _ => Some("ct-psh-none"),
    }
}

/// "SYN without the usual options, TTL above 200, IP-ID 54321"; or a kernel that knows nothing of the SYN that its host has sent, and
/// takes its reset's number from the SYN-ACK.
fn scanned(syn: &Listed, resets: &[&&Listed], list: &[Listed]) -> bool {
    if !syn.modern || syn.ttl > 200 || syn.id == 54321 {
        return true;
    }
    let Some(last) = resets.last() else { return false };
    let before = list.iter().rposition(|p| p.client && p.rst).unwrap_or(0);
    let told = |p: &Listed| !p.client && p.acks && !p.rst && p.ack == last.seq;
    let kernel = resets.iter().all(|p| !p.acks) && list[..before].iter().any(told);
    // Of a longer story the recorder has forgotten where the first ones came from.
    let mut recent = list.iter().filter(|p| p.client).rev().take(RECORDED).filter(|p| p.rst);
    kernel && recent.all(|p| hops(p.ttl).abs_diff(hops(syn.ttl)) < 2)
}

fn hops(ttl: u8) -> u8 {
    [32, 64, 128, 255].into_iter().find(|&initial| ttl <= initial).map_or(0, |initial| initial - ttl)
}
