//! Resets and SYNs that a live connection must doubt (RFC 5961).

use sensor_common::flow::TcpFlags;

use super::cases;
use crate::scenario::{RST, RST_ACK, Scenario, finding};

cases! {
    Rfc5961SynOnEst: asked_on_a_live_connection, asked_with_one_number_after_another, late_copy_of_the_request;
    Rfc5961RstInWindow: guessed_the_window, tried_three_times, lost_tail_and_reset;
    Rfc5961RstOutOfWindow: far_off, exact;
    RstBruteForce: sprayed, answers_to_each_of_many;
}

fn asked_on_a_live_connection(s: Scenario) -> Scenario {
    s.handshake()
        .talk(2)
        .from_client(TcpFlags::SYN, |p| p.forged().seq(7_000_000))
        .expect(finding("rfc5961-syn-on-est").info())
        .server_ack()
        .talk(1)
}

fn asked_with_one_number_after_another(s: Scenario) -> Scenario {
    s.handshake()
        .talk(2)
        .from_client(TcpFlags::SYN, |p| p.forged().seq(7_000_000))
        .expect(finding("rfc5961-syn-on-est").info())
        .from_client(TcpFlags::SYN, |p| p.forged().seq(8_000_000))
        .expect(finding("rfc5961-syn-on-est").notice())
}

fn late_copy_of_the_request(s: Scenario) -> Scenario {
    s.handshake().talk(2).from_client(TcpFlags::SYN, |p| p.forged()).server_ack().talk(1)
}

fn guessed_the_window(s: Scenario) -> Scenario {
    s.handshake()
        .talk(2)
        .rst(|p| p.forged().seq_by(5000))
        .expect(finding("rst-abort").info())
        .expect(finding("rfc5961-rst-inwindow").info().detail([5000, 0]))
}

fn tried_three_times(s: Scenario) -> Scenario {
    let guess = |s: Scenario, by| s.after(3000).rst(move |p| p.forged().seq_by(by));
    let s = guess(guess(s.handshake().talk(2), 9000), 6000);
    guess(s, 3000).expect(finding("rfc5961-rst-inwindow").warn().detail([3000, 2]))
}

fn lost_tail_and_reset(s: Scenario) -> Scenario {
    s.handshake().talk(2).from_client(crate::scenario::PSH_ACK, |p| p.len(800).unseen()).rst(|p| p)
}

fn far_off(s: Scenario) -> Scenario {
    s.handshake()
        .talk(2)
        .rst(|p| p.forged().seq_by(50_000_000))
        .expect(finding("rst-nonconforming"))
        .expect(finding("rfc5961-rst-outofwindow").info())
}

fn exact(s: Scenario) -> Scenario {
    s.handshake().talk(2).rst(|p| p).expect(finding("rst-abort").info())
}

/// A number for each window's width, downwards.
fn sprayed(s: Scenario) -> Scenario {
    (0..11).fold(s.handshake().talk(2), |s, i| {
        let seq = 0x3000_0000 - i * 0x80_0000;
        let s = s.after(100).from_client(RST, move |p| p.forged().seq(seq).raw_ack(0).bare());
        // The rest are held back.
        let s = if i < 4 { s.expect(finding("rst-nonconforming").notice()) } else { s };
        if i >= 9 { s.expect(finding("rst-bruteforce").alert()) } else { s }
    })
}

/// A host without the connection answers each segment of a window.
fn answers_to_each_of_many(s: Scenario) -> Scenario {
    let s = (0..12).fold(s.handshake().talk(2), |s, _| s.client_data(100));
    (0..12).fold(s, |s, _| s.after(1).send(crate::scenario::Who::Server, RST_ACK, |p| p))
}
