//! How a connection went, in one word: Zeek's `conn_state`, from its history.

use super::{
    Extra, Flow, HeadBits,
    history::{History, Letter},
};

/// What one side has come to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// It was not seen.
    Silent,
    /// It was seen, its SYN was not.
    Midway,
    /// Its SYN was seen, and no answer.
    Asked,
    /// Its SYN and the other side's were seen.
    Open,
    /// It sent a FIN.
    Closed,
    /// It sent a reset, or somebody in its name.
    Reset,
}

impl State {
    fn of(history: History, originator: bool) -> Self {
        let (fin, rst) = (Letter::Fin, Letter::Rst);
        // A reset after both sides' FIN changes nothing.
        let reset = (history.has(rst, originator) || history.has(Letter::FinRst, originator))
            && !(history.has(fin, originator) && history.has(fin, !originator));
        let asked = history.has(Letter::Syn, true);
        let answered = history.has(Letter::SynAck, false);
        if reset {
            Self::Reset
        } else if history.has(fin, originator) {
            Self::Closed
        } else if asked && answered {
            Self::Open
        } else if if originator { asked } else { answered } {
            Self::Asked
        } else if history.speaks(originator) {
            Self::Midway
        } else {
            Self::Silent
        }
    }
}

/// Zeek's word for it. Connections whose start was not seen have one too where both sides agreed and one of them reset it;
/// else they are `OTH`, unless both sides closed them.
pub fn conn_state(flow: &Flow, extra: &Extra) -> &'static str {
    let history = History::of(flow, extra);
    let (origin, answer) = (State::of(history, true), State::of(history, false));
    let met = flow.head.bits.any(HeadBits::ESTABLISHED);
    let no_data = flow.ends[0].data == 0 && flow.ends[1].data == 0;
    let active = |state| met || !matches!(state, State::Silent | State::Midway);
    let (syn, syn_ack) = (history.has(Letter::Syn, true), history.has(Letter::SynAck, false));
    match (origin, answer) {
        (State::Asked, State::Reset) => "REJ",
        (State::Reset, State::Reset) if no_data => "REJ",
        (_, State::Reset) if active(origin) => "RSTR",
        (_, State::Reset) if syn_ack => "RSTRH",
        (State::Reset, _) if active(answer) => "RSTO",
        (State::Reset, _) if syn => "RSTOS0",
        (State::Closed, State::Closed) => "SF",
        (State::Closed, _) if active(answer) => "S2",
        (State::Closed, _) if syn => "SH",
        (_, State::Closed) if active(origin) => "S3",
        (_, State::Closed) if syn_ack => "SHR",
        (State::Asked, State::Silent) => "S0",
        (State::Open, State::Open) => "S1",
        _ => "OTH",
    }
}
