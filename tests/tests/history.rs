//! History letters, `conn_state` and completeness of whole conversations.

use sensor_common::{
    flow::{Flow, TcpFlags},
    record::{Ending, Record, settled},
};
use tests::scenario::{ACK, PSH_ACK, SYN_ACK, Scenario};

/// The record of a scenario's only flow.
fn record(scenario: &Scenario) -> Record {
    let outcome = scenario.run();
    let used = |(_, flow): &(usize, &Flow)| flow.head.first != 0;
    let (index, flow) = outcome.host.flows().iter().enumerate().find(used).expect("a flow");
    let (flow, extra) = settled(*flow, outcome.host.extras()[index]);
    Record::of(&flow, &extra, Ending::Live, 0, scenario.frames().last().expect("a frame").time)
}

fn told(scenario: Scenario) -> (String, &'static str, u8) {
    let record = record(&scenario);
    (record.history.letters().collect(), record.conn_state, record.completeness)
}

fn is(scenario: Scenario, history: &str, conn_state: &str, completeness: u8) {
    let told = told(scenario);
    assert_eq!((told.0.as_str(), told.1, told.2), (history, conn_state, completeness));
}

fn start() -> Scenario {
    Scenario::v4()
}

#[test]
fn handshakes() {
    is(start().syn(), "S", "S0", 1);
    is(start().syn().again().again(), "S", "S0", 1);
    is(start().from_client(TcpFlags::SYN, |p| p.len(10)), "SD", "S0", 9);
    is(start().syn().from_client(TcpFlags::SYN, |p| p.seq_by(100_000)), "S", "S0", 1);
    is(start().syn().synack(), "Sh", "S1", 3);
    is(start().syn().synack().again(), "Sh", "S1", 3);
    is(start().handshake(), "ShA", "S1", 7);
    is(start().handshake().talk(3), "ShADad", "S1", 15);
    is(start().handshake().server_data(10).again(), "ShAdt", "S1", 15);
}

#[test]
fn closes() {
    is(start().handshake().talk(1).client_fin().server_fin().ack(), "ShADadFf", "SF", 31);
    is(start().handshake().talk(1).client_fin().again().server_ack(), "ShADadF", "S2", 31);
    is(start().handshake().talk(1).server_fin().ack(), "ShADadf", "S3", 31);
    is(start().syn().client_fin(), "SF", "SH", 21);
    is(start().handshake().from_server(PSH_ACK.with(TcpFlags::FIN), |p| p.len(9)), "ShAdf", "S3", 31);
}

#[test]
fn resets() {
    is(start().syn().server_rst(|p| p.ack(1)), "Sr", "REJ", 37);
    is(start().handshake().talk(1).rst(|p| p), "ShADadR", "RSTO", 47);
    is(start().handshake().talk(1).rst(|p| p).again(), "ShADadR", "RSTO", 47);
    is(start().handshake().talk(1).rst(|p| p).rst(|p| p.seq_by(9)), "ShADadRR", "RSTO", 47);
    is(start().handshake().talk(1).server_rst(|p| p), "ShADadr", "RSTR", 47);
    is(start().syn().from_client(TcpFlags::RST, |p| p), "SR", "RSTOS0", 33);
    is(start().from_client(TcpFlags::SYN, |p| p.unseen()).synack().server_rst(|p| p), "^hr", "RSTRH", 38);
    is(start().handshake().client_fin().server_fin().rst(|p| p), "ShAFfR", "SF", 55);
}

#[test]
fn odd_flags() {
    is(start().syn().from_client(TcpFlags::SYN.with(TcpFlags::RST), |p| p), "SQ", "S0", 1);
    is(start().handshake().from_client(TcpFlags::FIN.with(TcpFlags::RST).with(ACK), |p| p), "ShAI", "RSTO", 39);
    is(start().handshake().from_server(ACK, |p| p.win(0)).server_ack().again(), "ShAaw", "S1", 7);
}

#[test]
fn the_middle_of_a_conversation() {
    let midway = || start().from_client(TcpFlags::SYN, |p| p.unseen()).from_server(SYN_ACK, |p| p.unseen());
    is(midway().server_data(10).ack(), "^dA", "OTH", 12);
    is(midway().client_data(10), "D", "OTH", 8);
    is(midway().talk(1).client_fin().server_fin(), "DadAFf", "SF", 28);
    is(midway().talk(1).server_rst(|p| p), "DadAr", "RSTR", 44);
}

#[test]
fn a_new_connection_begins_anew() {
    let first = || start().handshake().talk(1).client_fin().server_fin().ack().after(500).reconnect();
    is(first().syn(), "S", "S0", 1);
    is(first().handshake().talk(1).server_rst(|p| p), "ShADadr", "RSTR", 47);
    // The request was taken for a stray of the live connection until its answer came.
    is(start().handshake().talk(1).reconnect().handshake(), "ShA", "S1", 7);
}

#[test]
fn totals_are_each_side_s_own() {
    let record = record(&start().handshake().talk(3).client_fin().server_fin().ack());
    let [client, server] = record.totals;
    assert_eq!((client.segments, client.data, client.bytes), (2 + 9 + 2, 3, 300));
    assert_eq!((server.segments, server.data, server.bytes), (1 + 6 + 1, 3, 1200));
    assert_eq!(record.client.map(|side| side as usize), Some(0));
    assert!(record.duration() > 0 && client.rtt > 0);
}

#[test]
fn repeated_segments_are_counted() {
    let repeats = |scenario: Scenario| record(&scenario).totals.map(|side| side.repeated);
    assert_eq!(repeats(start().handshake().client_data(10).server_data(10).ack()), [0, 0]);
    let again = |s: Scenario| s.after(300).from_server(PSH_ACK, |p| p.seq_by(-10).len(10));
    assert_eq!(repeats(again(again(start().handshake().server_data(10)))), [0, 2]);
    // Copies on the wire.
    assert_eq!(repeats(start().handshake().server_data(10).again().again()), [0, 0]);
}
