//! What happened on a flow, in order: letters as in Zeek's `history`, and what follows from them.
//!
//! The newest letter lies in the lowest 5 bits of [`Extra::history`], so that entering one is a shift. Twelve have room; bit 63
//! says that there were more. Where this differs from Zeek: `d` is also noted where the payload came with a SYN or FIN; a
//! repeated `s` or `h` is compared with the initial sequence number and a repeated `f` with the end of what was sent, not with
//! the last of their kind; `t` and `w` are noted once for each direction; `c` and `g` need the payload and are not noted.

use super::{End, Extra, Flow, HeadBits, TcpFlags, Watch};
use crate::{
    opaque::{keep, recall},
    wire::Packet,
};

/// Letters that have room.
pub const LETTERS: usize = 12;

/// Set in [`Extra::history`] where there were more letters than room.
pub const MORE: u64 = 1 << 63;

/// In [`End::flags`]: a pure acknowledgment was seen. Resets are never entered there, so that their bit is free.
pub const PURE_ACK: TcpFlags = TcpFlags::RST;

/// Set in a letter that is the originator's.
const ORIGINATOR: u64 = 16;
/// A one in each letter's lowest bit.
const LANES: u64 = 0x0084_2108_4210_8421;

/// What a letter stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Letter {
    /// SYN.
    Syn = 1,
    /// SYN and ACK.
    SynAck = 2,
    /// An acknowledgment and nothing else.
    Ack = 3,
    /// Payload.
    Data = 4,
    /// FIN.
    Fin = 5,
    /// RST.
    Rst = 6,
    /// Payload that had been sent before.
    Repeated = 7,
    /// The window closed.
    Window = 8,
    /// FIN and RST in one.
    FinRst = 9,
    /// SYN and FIN, or SYN and RST, in one.
    SynOther = 10,
    /// Who is who was guessed from the ports, against who spoke first.
    Flipped = 11,
}

/// By [`Letter`] as a number.
const NAMES: &[u8; 16] = b"?shadfrtwiq^????";

/// The letters of a flow; see the module.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct History(pub u64);

impl History {
    /// What is noted of a flow. Of one that has a SYN and nothing else, nothing is written before the second segment.
    pub const fn of(flow: &Flow, extra: &Extra) -> Self {
        if !flow.head.watch.any(Watch::ALONE) {
            return Self(extra.history);
        }
        let client = flow.head.bits.any(HeadBits::CLIENT_B) as usize;
        Self::alone(&flow.ends[client])
    }

    /// What a first SYN leaves, which this side sent.
    #[inline(always)]
    pub(crate) const fn alone(client: &End) -> Self {
        let syn = Letter::Syn as u64 | ORIGINATOR;
        Self(if client.data > 0 { syn << 5 | Letter::Data as u64 | ORIGINATOR } else { syn })
    }

    /// Enters a letter with its direction.
    #[inline(always)]
    const fn push_code(&mut self, code: u64) {
        self.0 = if self.0 >> 55 != 0 { self.0 | MORE } else { self.0 << 5 | code };
    }

    /// Enters a letter.
    #[inline(always)]
    pub const fn push(&mut self, letter: Letter, originator: bool) {
        self.push_code(letter as u64 | (originator as u64) << 4);
    }

    /// Whether it has a letter of this direction.
    #[inline(always)]
    pub const fn has(self, letter: Letter, originator: bool) -> bool {
        self.has_code(letter as u64 | (originator as u64) << 4)
    }

    #[inline(always)]
    const fn has_code(self, wanted: u64) -> bool {
        // A lane is zero where the letter is. Borrows can make lanes above it look so too, which changes nothing.
        let lanes = (self.0 & !MORE) ^ (wanted * LANES);
        (lanes.wrapping_sub(LANES) & !lanes & (LANES << 4)) & ((1 << 60) - 1) != 0
    }

    /// The letters in order; a `+` at the end where there were more.
    pub fn letters(self) -> impl Iterator<Item = char> {
        let codes = (0..LETTERS).rev().map(move |n| (self.0 >> (5 * n) & 31) as u8).filter(|code| *code != 0);
        let letters = codes.map(|code| {
            let name = NAMES[code as usize & 15];
            char::from(if code as u64 & ORIGINATOR != 0 { name.to_ascii_uppercase() } else { name })
        });
        letters.chain((self.0 & MORE != 0).then_some('+'))
    }

    /// Whether a direction has any letter.
    pub fn speaks(self, originator: bool) -> bool {
        let codes = (0..LETTERS).map(|n| self.0 >> (5 * n) & 31);
        codes
            .filter(|code| code & 15 != Letter::Flipped as u64)
            .any(|code| code != 0 && (code & ORIGINATOR != 0) == originator)
    }

    /// `tcp.completeness` as Wireshark shows it: 1 SYN, 2 SYN-ACK, 4 ACK, 8 data, 16 FIN, 32 RST. There, a reset that
    /// acknowledges counts as an ACK, which `reset_acked` adds.
    pub const fn completeness(self, reset_acked: bool) -> u8 {
        let rst = self.either(Letter::Rst) || self.either(Letter::FinRst);
        self.either(Letter::Syn) as u8
            | (self.either(Letter::SynAck) as u8) << 1
            | ((self.either(Letter::Ack) || self.either(Letter::Fin) || rst && reset_acked) as u8) << 2
            | (self.either(Letter::Data) as u8) << 3
            | (self.either(Letter::Fin) as u8) << 4
            | (rst as u8) << 5
    }

    /// Whether it has a letter of either direction.
    pub const fn either(self, letter: Letter) -> bool {
        self.has(letter, false) || self.has(letter, true)
    }
}

impl core::fmt::Display for History {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        use core::fmt::Write as _;
        self.letters().try_for_each(|letter| f.write_char(letter))
    }
}

/// Whether a segment may have news for the history: read from its sender's own numbers, as they were before it.
#[inline(always)]
pub fn has_news(d: &End, packet: &Packet) -> bool {
    let control = packet.flags.any(TcpFlags::SYN.with(TcpFlags::FIN).with(TcpFlags::RST));
    let first = if packet.len > 0 { d.data == 0 } else { !d.flags.any(PURE_ACK) };
    control || first || (packet.win == 0 && d.windows as u16 != 0)
}

/// Whether a segment is an acknowledgment and nothing else.
#[inline(always)]
pub fn is_pure_ack(packet: &Packet) -> bool {
    let kind = TcpFlags::SYN.with(TcpFlags::FIN).with(TcpFlags::RST).with(TcpFlags::ACK);
    packet.len == 0 && packet.flags.0 & kind.0 == TcpFlags::ACK.0
}

/// Notes a segment in its flow's history; its sender's numbers are as they were before it.
///
/// `scratch` is working memory: the kernel's verifier would follow each letter by itself if it were in a register.
#[inline(always)]
pub fn note(flow: &Flow, extra: &mut Extra, packet: &Packet, scratch: &mut u32) {
    let sender = packet.sender();
    let originator = sender != flow.head.server() as usize;
    let d = &flow.ends[sender];
    let (syn, fin, rst) =
        (packet.flags.any(TcpFlags::SYN), packet.flags.any(TcpFlags::FIN), packet.flags.any(TcpFlags::RST));
    let data = packet.len > 0 && !rst;
    let plain = !syn && !fin && !rst;
    // The letter of the flags, and whether it is noted again.
    let (letter, again) = if syn && (fin || rst) {
        (Letter::SynOther, false)
    } else if fin && rst {
        (Letter::FinRst, false)
    } else if syn {
        let letter = if packet.flags.any(TcpFlags::ACK) { Letter::SynAck } else { Letter::Syn };
        (letter, packet.seq.0 != d.isn.0)
    } else if rst {
        let last = &flow.tails[sender & 1].reset;
        (Letter::Rst, last.n == 0 || packet.seq.0 != last.seq.0)
    } else {
        (Letter::Fin, packet.end().0 != d.nxt.0)
    };
    keep(scratch, letter as u32 | (again as u32) << 8 | (originator as u32) << 4);
    let history = &mut extra.history;
    enter(history, scratch, Letter::Flipped as u32 | 16, recall(history) == 0 && !originator);
    let who = recall(scratch) & 16;
    enter(history, scratch, Letter::Data as u32 | who, data && !syn);
    let control = recall(scratch);
    enter(history, scratch, control, !plain);
    enter(history, scratch, Letter::Data as u32 | who, data && syn);
    enter(history, scratch, Letter::Ack as u32 | who, is_pure_ack(packet));
    enter(history, scratch, Letter::Window as u32 | who, plain && packet.win == 0);
}

/// Enters `code`, a letter and its direction, if it is `wanted` and not there yet, or noted again (bit 8).
#[inline(always)]
fn enter(history: &mut u64, wanted_code: &mut u32, code: u32, wanted: bool) {
    if !wanted {
        return;
    }
    let before = *wanted_code;
    keep(wanted_code, code);
    let code = recall(wanted_code) as u64;
    keep(wanted_code, before);
    let mut letters = History(recall(history));
    let there = letters.has_code(code & 31);
    if !there || code >> 8 != 0 {
        letters.push_code(code & 31);
        keep(history, letters.0);
    }
}

/// Notes payload that had been sent before, or a copy of it.
#[inline(always)]
pub fn note_repeated(flow: &Flow, extra: &mut Extra, sender: usize) {
    let originator = sender != flow.head.server() as usize;
    let mut history = History(extra.history);
    if !history.has(Letter::Repeated, originator) {
        history.push(Letter::Repeated, originator);
        extra.history = history.0;
    }
}

#[cfg(test)]
mod tests {
    use std::string::String;

    use super::*;

    #[test]
    fn letters_come_in_order_and_are_found() {
        let mut history = History::default();
        let sent = [(Letter::Syn, true), (Letter::SynAck, false), (Letter::Ack, true), (Letter::Data, true)];
        for (n, (letter, originator)) in sent.into_iter().enumerate() {
            assert!(!history.has(letter, originator), "before {n}");
            history.push(letter, originator);
            assert!(history.has(letter, originator) && !history.has(letter, !originator), "after {n}");
        }
        assert_eq!(history.letters().collect::<String>(), "ShAD");
        assert_eq!(history.completeness(false), 15);
        assert!(history.speaks(true) && history.speaks(false));
    }

    #[test]
    fn what_has_no_room_is_marked() {
        let mut history = History::default();
        for _ in 0..LETTERS {
            history.push(Letter::Rst, true);
        }
        assert_eq!(history.letters().collect::<String>(), "RRRRRRRRRRRR");
        assert!(history.has(Letter::Rst, true) && !history.has(Letter::Fin, true) && !history.speaks(false));
        history.push(Letter::Fin, true);
        assert_eq!(history.letters().collect::<String>(), "RRRRRRRRRRRR+");
        assert!(!history.has(Letter::Fin, true));
    }

    #[test]
    fn every_letter_is_found_in_every_place() {
        for code in 1..=11u64 {
            for place in 0..LETTERS {
                let history = History((code | ORIGINATOR) << (5 * place));
                for letter in [Letter::Syn, Letter::SynAck, Letter::Ack, Letter::Data, Letter::Flipped] {
                    assert_eq!(history.has(letter, true), letter as u64 == code, "{code} {place}");
                    assert!(!history.has(letter, false));
                }
            }
        }
    }
}
