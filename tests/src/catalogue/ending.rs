//! How connections end: what explains a reset, and what does not.

use super::cases;
use crate::scenario::{ACK, PSH_ACK, SYN_ACK, Scenario, Who, finding};

cases! {
    IdleThenRst: rejected_after_an_hour, goes_on_after_an_hour, rejected_at_once;
    KeepAliveRst: keep_alive_finds_nobody, keep_alive_is_answered;
    RstInsteadOfLastAck: reset_instead_of_the_last_ack, last_ack_and_late_reset;
    ResponseLostAfterClose: closed_before_the_answer, closed_after_the_answer;
    RstCloseUnread: closed_without_reading, closed_after_reading;
    ResponseAfterFin: answers_only_the_end, answers_before_the_end;
    AcceptQueueDrop: nobody_accepts, deferred_accept, lost_last_ack;
}

fn rejected_after_an_hour(s: Scenario) -> Scenario {
    s.handshake()
        .talk(2)
        .after(3_500_000)
        .client_data(100)
        .socketless(Who::Server, |p| p)
        .expect(finding("rst-stateless").info())
        .expect(finding("idle-then-rst").notice())
}

fn goes_on_after_an_hour(s: Scenario) -> Scenario {
    s.handshake().talk(2).after(3_500_000).talk(2).rst(|p| p).expect(finding("rst-abort").info())
}

fn rejected_at_once(s: Scenario) -> Scenario {
    s.handshake()
        .talk(2)
        .after(20_000)
        .client_data(100)
        .socketless(Who::Server, |p| p)
        .expect(finding("rst-stateless").info())
}

fn keep_alive_finds_nobody(s: Scenario) -> Scenario {
    s.handshake()
        .talk(2)
        .after(60_000)
        .from_client(ACK, |p| p.seq_by(-1))
        .socketless(Who::Server, |p| p)
        .expect(finding("rst-stateless").info())
        .expect(finding("keepalive-ok-rst").notice())
}

fn keep_alive_is_answered(s: Scenario) -> Scenario {
    s.handshake().talk(2).after(60_000).from_client(ACK, |p| p.seq_by(-1)).server_ack().after(60_000).rst(|p| p)
}

fn reset_instead_of_the_last_ack(s: Scenario) -> Scenario {
    s.handshake()
        .talk(1)
        .client_fin()
        .server_data(500)
        .ack()
        .server_fin()
        .socketless(Who::Client, |p| p)
        .expect(finding("rst-instead-of-lastack").info())
}

fn last_ack_and_late_reset(s: Scenario) -> Scenario {
    s.handshake().talk(1).server_fin().ack().rst(|p| p).expect(finding("rst-abort").info())
}

fn closed_before_the_answer(s: Scenario) -> Scenario {
    s.handshake()
        .talk(1)
        .client_data(100)
        .client_fin()
        .server_data(900)
        .socketless(Who::Client, |p| p)
        .expect(finding("response-lost-after-close").info())
}

fn closed_after_the_answer(s: Scenario) -> Scenario {
    s.handshake().talk(1).client_data(100).server_data(900).client_fin().server_ack().rst(|p| p)
}

fn closed_without_reading(s: Scenario) -> Scenario {
    s.handshake().talk(1).server_data(900).rst(|p| p).expect(finding("rst-close-unread").info())
}

fn closed_after_reading(s: Scenario) -> Scenario {
    s.handshake().talk(1).server_data(900).ack().after(5_000).rst(|p| p).expect(finding("rst-abort").info())
}

fn answers_only_the_end(s: Scenario) -> Scenario {
    s.handshake()
        .client_data(900)
        .server_ack()
        .after(10_000)
        .client_fin()
        .server_data(1200)
        .expect(finding("response-after-fin").info())
        .server_fin()
        .ack()
}

fn answers_before_the_end(s: Scenario) -> Scenario {
    s.handshake()
        .client_data(900)
        .server_data(1200)
        .ack()
        .after(10_000)
        .client_fin()
        .server_data(100)
        .server_fin()
        .ack()
}

fn nobody_accepts(s: Scenario) -> Scenario {
    s.handshake()
        .client_data(100)
        .after(1_000)
        .again_from_server()
        .after(2_000)
        .again_from_server()
        .expect(finding("accept-queue-drop").warn())
}

fn deferred_accept(s: Scenario) -> Scenario {
    s.handshake()
        .after(1_000)
        .again_from_server()
        .after(2_000)
        .again_from_server()
        .after(100)
        .client_data(100)
        .server_ack()
}

fn lost_last_ack(s: Scenario) -> Scenario {
    s.syn()
        .synack()
        .from_client(ACK, |p| p.unseen())
        .after(1_000)
        .again_from_server()
        .ack()
        .from_client(PSH_ACK, |p| p.len(100))
        .server_ack()
}

impl Scenario {
    /// The server repeats its SYN-ACK.
    fn again_from_server(self) -> Self {
        self.from_server(SYN_ACK, |p| p.seq(0).forged())
    }
}
