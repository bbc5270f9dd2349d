//! Requests that are more than plain, and ports in TIME_WAIT.

use sensor_common::flow::TcpFlags;

use super::{
    cases,
    ecn::{ECN_SYN, GRANT, others},
};
use crate::scenario::{ACK, FIN_ACK, PSH_ACK, RST_ACK, SYN_ACK, Scenario, Who, finding};

cases! {
    SynSentRstLoop: three_rounds, two_rounds, copies_of_one_answer;
    TwAssassination: reset_into_time_wait, reset_for_the_last_ack_only, reset_by_the_one_that_waits, data_are_left;
    TwReuseRefused: lower_number_is_refused, lower_number_and_no_timestamps, lower_number_is_not_answered,
        higher_number_is_refused, newer_timestamp_is_refused, client_closed_first, lower_number_is_accepted,
        lower_number_is_lost_once;
    EcnSynDrop: never_answered_with_ecn, lost_once_with_ecn, lost_where_ecn_works;
    EcnBleach: never_marked, marked_once, never_agreed, too_little_to_tell, from_this_host;
    Rfc3360RstOnOption: multipath_is_refused, fast_open_is_refused, unknown_option_is_refused, ecn_is_refused_once,
        refused_with_the_option_kept, plain_request_is_refused, known_options_are_refused;
    TfoDataIgnored: data_not_acknowledged, data_acknowledged, retried_without_data;
    TfoSynDrop: twice_unanswered_then_plain, once_unanswered_then_plain, answered_with_the_option, plain_retry_of_plain;
    TfoBlackhole: reset_after_the_data, reset_after_the_answer, reset_without_data, reset_by_the_client;
}

/// The server answers a SYN with old numbers, and the client rejects them.
fn round(s: Scenario) -> Scenario {
    s.syn()
        .from_server(ACK, |p| p.forged().raw_seq(888_888).raw_ack(777_777))
        .expect(finding("syn-bare-ack-stale"))
        .from_client(TcpFlags::RST, |p| p.raw_seq(777_777).win(0).bare())
}

fn three_rounds(s: Scenario) -> Scenario {
    round(round(round(s).after(1000)).after(2000)).expect(finding("syn-sent-rst-loop").warn().detail([3000, 3]))
}

fn two_rounds(s: Scenario) -> Scenario {
    round(round(s).after(1000)).after(2000).handshake().talk(1)
}

fn copies_of_one_answer(s: Scenario) -> Scenario {
    (0..4).fold(s.syn(), |s, _| {
        s.from_server(ACK, |p| p.forged().raw_seq(888_888).raw_ack(777_777))
            .expect(finding("syn-bare-ack-stale"))
            .from_client(TcpFlags::RST, |p| p.raw_seq(777_777).win(0).bare())
    })
}

/// The server closes first, and waits.
fn server_waits(s: Scenario) -> Scenario {
    s.handshake().talk(1).server_fin().client_fin().server_ack()
}

fn reset_into_time_wait(s: Scenario) -> Scenario {
    server_waits(s).after(20).rst(|p| p).expect(finding("rst-abort").info()).expect(finding("tw-assassination").info())
}

fn reset_for_the_last_ack_only(s: Scenario) -> Scenario {
    s.handshake()
        .talk(1)
        .server_fin()
        .from_client(FIN_ACK, |p| p.ack_by(-1))
        .server_ack()
        .rst(|p| p.ack_by(-1))
        .expect(finding("rst-instead-of-lastack").info())
}

fn reset_by_the_one_that_waits(s: Scenario) -> Scenario {
    server_waits(s).after(20).server_rst(|p| p).expect(finding("rst-instead-of-lastack").info())
}

fn data_are_left(s: Scenario) -> Scenario {
    s.handshake().talk(1).server_data(100).server_fin().rst(|p| p.ack_by(-101))
}

/// The server waits, and the client uses the port again; `below` its last number.
fn asks_again(s: Scenario, below: u32, time: u32) -> Scenario {
    let s = server_waits(s).after(5000);
    let (_, last) = s.next_numbers();
    s.reconnect()
        .client(|c| c.isn(last.wrapping_sub(below)))
        .from_client(TcpFlags::SYN, move |p| if time == 0 { p } else { p.timestamp(time) })
}

/// TIME_WAIT answers by the old numbers, and the client rejects that.
fn refused(s: Scenario, old: (u32, u32)) -> Scenario {
    s.from_server(ACK, move |p| p.forged().raw_seq(old.0).raw_ack(old.1))
        .expect(finding("syn-bare-ack-stale-confirmed").notice())
}

/// What TIME_WAIT answers, whoever asks.
fn numbers(s: &Scenario) -> (u32, u32) {
    server_waits(s.clone()).next_numbers()
}

/// A timestamp of long before.
const OLD: u32 = 3_000_000_000;

fn lower_number_is_refused(s: Scenario) -> Scenario {
    let old = numbers(&s);
    refused(asks_again(s, 1000, OLD), old).expect(finding("tw-reuse-refused").warn())
}

fn lower_number_and_no_timestamps(s: Scenario) -> Scenario {
    let s = s.client(|c| c.plain()).server(|c| c.plain());
    let old = numbers(&s);
    refused(asks_again(s, 1000, 0), old).expect(finding("tw-reuse-refused").warn())
}

fn lower_number_is_not_answered(s: Scenario) -> Scenario {
    let again = |s: Scenario| s.from_client(TcpFlags::SYN, |p| p.timestamp(OLD));
    again(again(asks_again(s, 1000, OLD).after(1000)).after(2000))
        .expect(finding("syn-retry-profile").info())
        .expect(finding("tw-reuse-refused").notice())
}

fn higher_number_is_refused(s: Scenario) -> Scenario {
    let old = numbers(&s);
    refused(asks_again(s, 0u32.wrapping_sub(70_000), OLD), old)
}

fn newer_timestamp_is_refused(s: Scenario) -> Scenario {
    let old = numbers(&s);
    refused(asks_again(s, 1000, 0), old)
}

/// A server in LAST_ACK, or one that has lost the last ACK: it does not wait.
fn client_closed_first(s: Scenario) -> Scenario {
    let s = s.handshake().talk(1).client_fin().server_fin();
    let (seq, ack) = s.next_numbers();
    let s = s.ack().after(5000).reconnect().client(move |c| c.isn(ack.wrapping_sub(1000)));
    refused(s.from_client(TcpFlags::SYN, |p| p.timestamp(OLD)), (seq, ack))
}

fn lower_number_is_accepted(s: Scenario) -> Scenario {
    asks_again(s, 1000, OLD).synack().expect(finding("tw-reuse-ok").info()).ack().talk(1)
}

fn lower_number_is_lost_once(s: Scenario) -> Scenario {
    asks_again(s, 1000, OLD).after(1000).from_client(TcpFlags::SYN, |p| p.timestamp(OLD)).synack().ack().talk(1)
}

/// A request with ECN is not answered, the one without is.
fn unanswered(s: Scenario, port: u16) -> Scenario {
    s.port(port).from_client(ECN_SYN, |p| p).after(1000).syn().synack()
}

fn never_answered_with_ecn(s: Scenario) -> Scenario {
    (0..5)
        .fold(s, |s, i| {
            let s = unanswered(s, 43_000 + i);
            if i == 4 { s.expect(finding("ecn-syn-drop").notice().detail([1000, 4])) } else { s }.ack().talk(1)
        })
        .after(100)
}

fn lost_once_with_ecn(s: Scenario) -> Scenario {
    unanswered(s, 43_000).ack().talk(1)
}

fn lost_where_ecn_works(s: Scenario) -> Scenario {
    (0..4).fold(others(s, 6), |s, i| unanswered(s, 43_000 + i).ack().talk(1))
}

/// `n` requests, all of the client's data but the `marked`th not ECT, and the client closes.
fn sends(s: Scenario, n: usize, marked: usize) -> Scenario {
    let s = s.from_client(ECN_SYN, |p| p).from_server(GRANT, |p| p).ack();
    (0..n)
        .fold(s, |s, i| s.from_client(PSH_ACK, move |p| p.len(100).tos((i == marked).into())).server_ack())
        .client_fin()
}

fn never_marked(s: Scenario) -> Scenario {
    sends(s, 8, 99).expect(finding("ecn-bleach").info().detail([0, 8])).server_fin().ack()
}

fn marked_once(s: Scenario) -> Scenario {
    sends(s, 12, 3).server_fin().ack()
}

fn never_agreed(s: Scenario) -> Scenario {
    (0..9).fold(s.from_client(ECN_SYN, |p| p).synack().ack(), |s, _| s.client_data(100).server_ack()).client_fin()
}

fn too_little_to_tell(s: Scenario) -> Scenario {
    sends(s, 7, 99).server_fin().ack()
}

fn from_this_host(s: Scenario) -> Scenario {
    let s = s.from_client(ECN_SYN, |p| p).from_server(GRANT, |p| p).ack();
    (0..9).fold(s, |s, _| s.server_data(100).ack()).server_fin().client_fin().server_ack()
}

const MULTIPATH: &[u8] = &[2, 4, 5, 0xb4, 30, 4, 1, 1];
const FAST_OPEN: &[u8] = &[2, 4, 5, 0xb4, 34, 6, 1, 2, 3, 4, 1, 1];
const UNKNOWN: &[u8] = &[2, 4, 5, 0xb4, 253, 4, 1, 1];
const KNOWN: &[u8] = &[2, 4, 5, 0xb4, 4, 2, 1, 3, 3, 7, 1, 1];

/// A request with these options is refused, and repeated with those.
fn refused_until(s: Scenario, before: &'static [u8], after: &'static [u8]) -> Scenario {
    s.from_client(TcpFlags::SYN, |p| p.options(before))
        .server_rst(|p| p.forged().raw_seq(0).win(0).ack(1).bare())
        .expect(finding("rst-refused").info())
        .after(50)
        .from_client(TcpFlags::SYN, |p| p.options(after))
        .synack()
}

fn multipath_is_refused(s: Scenario) -> Scenario {
    refused_until(s, MULTIPATH, KNOWN).expect(finding("rfc3360-rst-on-option").notice().detail([50, 2])).ack().talk(1)
}

fn fast_open_is_refused(s: Scenario) -> Scenario {
    refused_until(s, FAST_OPEN, KNOWN).expect(finding("rfc3360-rst-on-option").notice().detail([50, 1])).ack().talk(1)
}

fn unknown_option_is_refused(s: Scenario) -> Scenario {
    refused_until(s, UNKNOWN, KNOWN).expect(finding("rfc3360-rst-on-option").notice().detail([50, 3])).ack().talk(1)
}

fn ecn_is_refused_once(s: Scenario) -> Scenario {
    s.from_client(ECN_SYN, |p| p)
        .server_rst(|p| p.forged().raw_seq(0).win(0).ack(1).bare())
        .after(50)
        .syn()
        .synack()
        .expect(finding("rfc3360-rst-on-option").info().detail([50, 4]))
        .ack()
        .talk(1)
}

fn refused_with_the_option_kept(s: Scenario) -> Scenario {
    refused_until(s, MULTIPATH, MULTIPATH).ack().talk(1)
}

fn plain_request_is_refused(s: Scenario) -> Scenario {
    refused_until(s, KNOWN, MULTIPATH).ack().talk(1)
}

fn known_options_are_refused(s: Scenario) -> Scenario {
    refused_until(s, KNOWN, &[2, 4, 5, 0xb4]).ack().talk(1)
}

fn data_not_acknowledged(s: Scenario) -> Scenario {
    s.from_client(TcpFlags::SYN, |p| p.len(100).options(FAST_OPEN))
        .after(20)
        .from_server(SYN_ACK, |p| p.ack(1))
        .expect(finding("tfo-data-ignored").info().detail([20, 100]))
        .from_client(PSH_ACK, |p| p.seq(1).len(100))
        .server_ack()
        .talk(1)
}

fn data_acknowledged(s: Scenario) -> Scenario {
    s.from_client(TcpFlags::SYN, |p| p.len(100).options(FAST_OPEN)).synack().server_data(200).ack().talk(1)
}

fn retried_without_data(s: Scenario) -> Scenario {
    s.from_client(TcpFlags::SYN, |p| p.len(100).options(FAST_OPEN))
        .after(1000)
        .from_client(TcpFlags::SYN, |p| p.options(KNOWN))
        .from_server(SYN_ACK, |p| p.ack(1))
        .from_client(PSH_ACK, |p| p.seq(1).len(100))
        .talk(1)
}

fn open_fast(s: Scenario) -> Scenario {
    s.from_client(TcpFlags::SYN, |p| p.len(100).options(FAST_OPEN)).after(1000)
}

fn twice_unanswered_then_plain(s: Scenario) -> Scenario {
    open_fast(open_fast(s))
        .from_client(TcpFlags::SYN, |p| p.options(KNOWN))
        .from_server(SYN_ACK, |p| p.ack(1))
        .expect(finding("tfo-syn-drop").notice().detail([2000, 3]))
        .from_client(PSH_ACK, |p| p.seq(1).len(100))
        .talk(1)
}

fn once_unanswered_then_plain(s: Scenario) -> Scenario {
    open_fast(s)
        .from_client(TcpFlags::SYN, |p| p.options(KNOWN))
        .from_server(SYN_ACK, |p| p.ack(1))
        .expect(finding("tfo-syn-drop").info().detail([1000, 2]))
        .from_client(PSH_ACK, |p| p.seq(1).len(100))
        .talk(1)
}

fn answered_with_the_option(s: Scenario) -> Scenario {
    open_fast(open_fast(s)).synack().ack().talk(1)
}

fn plain_retry_of_plain(s: Scenario) -> Scenario {
    s.syn().after(1000).syn().synack().ack().talk(1)
}

/// The data on the SYN are accepted.
fn opened_fast(s: Scenario) -> Scenario {
    s.from_client(TcpFlags::SYN, |p| p.len(100).options(FAST_OPEN)).synack().ack()
}

fn reset_after_the_data(s: Scenario) -> Scenario {
    opened_fast(s)
        .after(20)
        .server_rst(|p| p)
        .expect(finding("rst-abort").info())
        .expect(finding("tfo-blackhole").notice())
}

fn reset_after_the_answer(s: Scenario) -> Scenario {
    opened_fast(s).server_data(300).ack().send(Who::Server, RST_ACK, |p| p)
}

fn reset_without_data(s: Scenario) -> Scenario {
    s.handshake().after(20).server_rst(|p| p)
}

fn reset_by_the_client(s: Scenario) -> Scenario {
    opened_fast(s).after(20).rst(|p| p)
}
