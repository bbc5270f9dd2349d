//! Connections that are cut off near their beginning, and what they come to once all is quiet.

use super::cases;
use crate::scenario::{ACK, Draft, PSH_ACK, RST, RST_ACK, Scenario, Who, finding};

cases! {
    CtSynNone: syn_and_silence, scanner_and_silence;
    CtSynRst: syn_rst, scanners_kernel;
    CtSynRstAck: syn_rstack, refused_syn;
    CtSynRstRstAck: syn_both_forms, refused_twice;
    CtAckNone: opened_and_silent, greeted_and_idle;
    CtAckRst: opened_and_reset, reset_after_the_server_closed;
    CtAckRstRst: opened_and_reset_twice, answers_to_a_greeting, aborted_before_a_greeting;
    CtAckRstAck: probed, probed_and_closed;
    CtAckRstAckRstAck: opened_and_aborted_twice, aborted_and_answered;
    CtPshNone: request_and_silence, slow_server;
    CtPshRst: request_and_reset, request_and_server_reset;
    CtPshRstAck: closed_tab, request_and_close;
    CtPshRstRstAck: request_and_both_forms, aborted_with_data_on_its_way, aborted_after_the_answer;
    CtPshRstAckRstAck: request_and_aborts, retransmitted_request_and_abort;
    CtPshRstEq: equal_fields, answers_to_stragglers, windows_answers, doubled_reset;
    CtPshRstNe: fields_differ, late_burst, windows_after_more;
    CtPshRstRst0: fields_with_and_without, burst_after_fin;
    CtDataRst: several_and_reset, long_talk_and_reset;
    CtDataRstAck: several_and_abort, several_and_close;
    RadarPostSyn: challenged_then_silent, challenged_and_refused;
    RadarPostAck: opened_and_both_forms, aborted_and_answered_once;
    RadarPostPsh: cut_in_the_answer, answered_and_idle;
    RadarLater: long_request_and_abort, short_request_and_abort;
}

/// A server asked for this, and it heard it.
fn open(s: Scenario) -> Scenario {
    s.handshake()
}

/// The handshake and a request.
fn ask(s: Scenario) -> Scenario {
    s.handshake().client_data(300)
}

/// A reset in the client's name that nobody's stack has made: without ACK, with this in the field for it.
fn bare(s: Scenario, field: u32) -> Scenario {
    s.from_client(RST, |p| p.forged().raw_ack(field))
}

/// Another one, which is not the same packet once more.
fn bare_again(s: Scenario, field: u32) -> Scenario {
    s.from_client(RST, |p| p.forged().raw_ack(field).win(505))
}

fn syn_and_silence(s: Scenario) -> Scenario {
    s.syn().synack().after(1000).synack().rest(finding("ct-syn-none").info())
}

fn scanner_and_silence(s: Scenario) -> Scenario {
    s.client(|c| c.plain()).syn().synack().after(1000).synack().rest_in_peace()
}

fn syn_rst(s: Scenario) -> Scenario {
    s.syn()
        .from_client(RST, |p| p.forged().seq_by(900))
        .expect(finding("rst-syn").info())
        .rest(finding("ct-syn-rst").info())
}

/// The scanner's kernel knows nothing of the SYN, and takes its number from the SYN-ACK.
fn scanners_kernel(s: Scenario) -> Scenario {
    s.syn().synack().socketless(Who::Client, |p| p).expect(finding("rst-synsent").info()).rest_in_peace()
}

fn syn_rstack(s: Scenario) -> Scenario {
    s.syn().synack().rst(|p| p.forged()).rest(finding("ct-syn-rstack").info())
}

fn refused_syn(s: Scenario) -> Scenario {
    s.syn().from_server(RST_ACK, |p| p.raw_seq(0)).expect(finding("rst-refused").info()).rest_in_peace()
}

fn syn_both_forms(s: Scenario) -> Scenario {
    s.syn()
        .synack()
        .rst(|p| p.forged())
        .from_client(RST, |p| p.forged())
        .rest(finding("ct-syn-rst-rstack").notice().evidence(&["rst-nonconforming"]))
}

fn refused_twice(s: Scenario) -> Scenario {
    s.syn().from_server(RST_ACK, |p| p.raw_seq(0)).syn().from_server(RST_ACK, |p| p.raw_seq(0)).rest_in_peace()
}

/// A browser that connects ahead of the need for it looks like this too.
fn opened_and_silent(s: Scenario) -> Scenario {
    open(s).rest(finding("ct-ack-none").info())
}

fn greeted_and_idle(s: Scenario) -> Scenario {
    open(s).server_data(80).ack().rest_in_peace()
}

fn opened_and_reset(s: Scenario) -> Scenario {
    bare(open(s), 0).rest(finding("ct-ack-rst").info())
}

fn reset_after_the_server_closed(s: Scenario) -> Scenario {
    open(s).server_fin().socketless(Who::Client, |p| p).rest_in_peace()
}

fn opened_and_reset_twice(s: Scenario) -> Scenario {
    bare_again(bare(open(s), 70_001), 70_001).rest(finding("ct-ack-rst-rst").notice())
}

/// The client's host has lost the socket: each segment of the server gets its answer.
fn answers_to_a_greeting(s: Scenario) -> Scenario {
    open(s)
        .server_data(80)
        .socketless(Who::Client, |p| p)
        .after(300)
        .from_server(PSH_ACK, |p| p.seq_by(-80).len(80))
        .socketless(Who::Client, |p| p)
        .rest(finding("ct-ack-rst-rst").info())
}

fn aborted_before_a_greeting(s: Scenario) -> Scenario {
    open(s).server_data(80).rst(|p| p).rest(finding("ct-ack-rstack").info())
}

fn probed(s: Scenario) -> Scenario {
    open(s).rst(|p| p).rest(finding("ct-ack-rstack").info())
}

fn probed_and_closed(s: Scenario) -> Scenario {
    open(s).client_fin().server_fin().ack().rest_in_peace()
}

fn opened_and_aborted_twice(s: Scenario) -> Scenario {
    open(s).rst(|p| p.forged()).rst(|p| p.forged().win(505)).rest(finding("ct-ack-rstack-rstack").notice())
}

fn aborted_and_answered(s: Scenario) -> Scenario {
    open(s)
        .server_data(80)
        .rst(|p| p)
        .server_data(80)
        .socketless(Who::Client, |p| p)
        .rest(finding("radar-post-ack").info())
}

fn request_and_silence(s: Scenario) -> Scenario {
    let again = |s: Scenario, n| s.after(n).from_server(PSH_ACK, |p| p.seq_by(-500).len(500));
    let s = ask(s).server_data(500);
    again(again(s, 300), 600).rest(finding("ct-psh-none").info())
}

fn slow_server(s: Scenario) -> Scenario {
    ask(s).server_ack().rest_in_peace()
}

fn request_and_reset(s: Scenario) -> Scenario {
    bare(ask(s), 0).rest(finding("ct-psh-rst").info())
}

fn request_and_server_reset(s: Scenario) -> Scenario {
    ask(s).server_rst(|p| p).rest_in_peace()
}

fn closed_tab(s: Scenario) -> Scenario {
    ask(s).server_data(500).rst(|p| p).rest(finding("ct-psh-rstack").info().evidence(&[]))
}

fn request_and_close(s: Scenario) -> Scenario {
    ask(s).server_data(500).client_fin().server_fin().ack().rest_in_peace()
}

fn request_and_both_forms(s: Scenario) -> Scenario {
    ask(s)
        .rst(|p| p.forged().ttl(50))
        .expect(finding("ttl-rst-mismatch"))
        .from_client(RST, |p| p.forged().ttl(50).raw_ack(7))
        .expect(finding("ttl-rst-mismatch"))
        .rest(finding("ct-psh-rst-rstack").alert())
}

/// The application aborts, and what was on its way to it is answered without a socket.
fn aborted_with_data_on_its_way(s: Scenario) -> Scenario {
    ask(s)
        .server_data(500)
        .rst(|p| p)
        .server_data(500)
        .socketless(Who::Client, |p| p)
        .rest(finding("ct-psh-rst-rstack").info())
}

fn aborted_after_the_answer(s: Scenario) -> Scenario {
    ask(s).server_data(500).ack().rst(|p| p).rest(finding("ct-psh-rstack").info())
}

fn request_and_aborts(s: Scenario) -> Scenario {
    let rst = |s: Scenario, win| s.rst(|p| p.forged().ttl(50).win(win)).expect(finding("ttl-rst-mismatch"));
    rst(rst(ask(s), 505), 506)
        .rest(finding("ct-psh-rstack-rstack").alert().evidence(&["ttl-rst-mismatch", "rst-nonconforming"]))
}

fn retransmitted_request_and_abort(s: Scenario) -> Scenario {
    let again = |s: Scenario| s.after(300).from_client(PSH_ACK, |p| p.seq_by(-300).len(300));
    again(again(ask(s))).rst(|p| p).rest(finding("ct-psh-rstack").info())
}

fn equal_fields(s: Scenario) -> Scenario {
    bare_again(bare(ask(s), 70_001), 70_001).rest(finding("ct-psh-rst-eq").notice().evidence(&["rst-nonconforming"]))
}

fn answers_to_stragglers(s: Scenario) -> Scenario {
    ask(s)
        .client_fin()
        .server_data(500)
        .socketless(Who::Client, |p| p)
        .server_data(500)
        .socketless(Who::Client, |p| p)
        .rest_in_peace()
}

/// Windows puts the reset's own number where the acknowledgment would be.
fn windows_answers(s: Scenario) -> Scenario {
    let answer = |s: Scenario| s.server_data(500).socketless(Who::Client, Draft::windows);
    answer(answer(ask(s))).rest(finding("ct-psh-rst-eq").info())
}

fn doubled_reset(s: Scenario) -> Scenario {
    bare(ask(s), 70_001).again().rest(finding("ct-psh-rst-eq").info())
}

/// The server takes the same request once more, and its answers with it.
fn windows_after_more(s: Scenario) -> Scenario {
    ask(s)
        .server_data(500)
        .socketless(Who::Client, Draft::windows)
        .from_server(ACK, |p| p.ack(101))
        .from_client(RST, |p| p.seq(101).win(0).windows().bare())
        .rest(finding("ct-psh-rst-ne").info())
}

fn fields_differ(s: Scenario) -> Scenario {
    bare(bare(bare(ask(s), 70_001), 71_461), 74_381).rest(finding("ct-psh-rst-ne").notice())
}

/// The same after a dozen segments: no longer the connection's beginning.
fn late_burst(s: Scenario) -> Scenario {
    bare(bare(open(s).talk(4), 70_001), 71_461).rest_in_peace()
}

fn fields_with_and_without(s: Scenario) -> Scenario {
    bare(bare(ask(s), 70_001), 0).rest(finding("ct-psh-rst-rst0").notice())
}

fn burst_after_fin(s: Scenario) -> Scenario {
    bare(bare(ask(s).client_fin(), 70_001), 0).rest_in_peace()
}

fn several_and_reset(s: Scenario) -> Scenario {
    bare(ask(s).server_ack().client_data(200), 0).rest(finding("ct-data-rst").info())
}

fn long_talk_and_reset(s: Scenario) -> Scenario {
    bare(open(s).talk(5), 0).rest_in_peace()
}

fn several_and_abort(s: Scenario) -> Scenario {
    ask(s).server_ack().client_data(200).rst(|p| p).rest(finding("ct-data-rstack").info())
}

fn several_and_close(s: Scenario) -> Scenario {
    ask(s).server_ack().client_data(200).client_fin().server_fin().ack().rst(|p| p).rest_in_peace()
}

/// The server believes that it has the connection already, and the client does not answer.
fn challenged_then_silent(s: Scenario) -> Scenario {
    s.syn()
        .from_server(ACK, |p| p.raw_seq(5_000).raw_ack(9_000))
        .expect(finding("syn-bare-ack-stale").notice())
        .rest(finding("radar-post-syn").info())
}

fn challenged_and_refused(s: Scenario) -> Scenario {
    s.syn()
        .from_server(ACK, |p| p.raw_seq(5_000).raw_ack(9_000))
        .expect(finding("syn-bare-ack-stale").notice())
        .from_client(RST, |p| p.raw_seq(9_000).win(0).bare())
        .expect(finding("rst-synsent").info())
        .rest_in_peace()
}

fn opened_and_both_forms(s: Scenario) -> Scenario {
    open(s).from_client(RST, |p| p.forged().raw_ack(7)).rst(|p| p.forged()).rest(finding("radar-post-ack").notice())
}

fn aborted_and_answered_once(s: Scenario) -> Scenario {
    open(s).server_data(80).rst(|p| p).rest(finding("ct-ack-rstack").info())
}

fn cut_in_the_answer(s: Scenario) -> Scenario {
    ask(s).server_data(500).ack().server_data(500).rest(finding("radar-post-psh").info())
}

fn answered_and_idle(s: Scenario) -> Scenario {
    ask(s).server_data(500).ack().rest_in_peace()
}

/// Segments merged on receipt: longer than a packet can be.
fn long_request_and_abort(s: Scenario) -> Scenario {
    open(s).client_data(4000).rst(|p| p).rest(finding("radar-later").info())
}

fn short_request_and_abort(s: Scenario) -> Scenario {
    open(s).client_data(1400).rst(|p| p).rest(finding("ct-psh-rstack").info())
}
