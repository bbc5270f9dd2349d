//! SYNs, ACKs, resets and SYN-ACKs of no connection.

use std::{
    thread,
    time::{Duration, Instant},
};

use sensor_common::flow::TcpFlags;

use super::{
    super::{child::Running, lab},
    scaled,
    talk::{connections, exchange, forge, listen, raise_files},
    told::{Told, all_told, cost, ended, opened},
    wire::{ATTACH, BURST, XDP, dropped, repeated, wire},
};

/// How many of the connections beside the floods are reset in their clients' names meanwhile.
const SEVERE: usize = 100;

#[test]
fn what_goes_on_beside_floods_is_seen() {
    let Some(lab) = lab() else { return };
    let room = raise_files();
    let mut flooder = wire(&lab);
    let listener = listen(&lab);
    let running = Running::attach(lab.server().netns(), &[&ATTACH[..], &["--min-severity", "notice"], XDP].concat());
    let began = Instant::now();
    // Connections that go on beside the floods, and frames of each flood: at least, and at most, if it is not told sooner.
    let (beside, [least, most]) = scaled((500, [0, 12 * BURST]), (10_000, [10_000_000; 2]));
    let beside = beside.min(room);
    let mut live = connections(&lab, &listener, beside);
    live.iter_mut().for_each(exchange);
    live.iter_mut().for_each(exchange);

    let (ticks, _) = cost(running.pid());
    let floods = [
        ("syn-flood", TcpFlags::SYN),
        ("ack-flood", TcpFlags::ACK),
        ("rst-flood-in", TcpFlags::RST),
        ("synack-flood", TcpFlags::SYN.with(TcpFlags::ACK)),
    ];
    let mut severed = Vec::new();
    let mut requests = 0;
    for (kind, flags) in floods {
        // For ten seconds after the sensor's start such segments may belong to connections from before it.
        while flags != TcpFlags::SYN && began.elapsed() < Duration::from_secs(13) {
            thread::sleep(Duration::from_millis(50));
        }
        let word = format!("\"{kind}\"");
        let [least, most] = [least, most].map(|n| flooder.sent + n);
        while flooder.sent < most && (flooder.sent < least || !running.stdout.text().contains(&word)) {
            flooder.burst(flags);
            live.iter_mut().skip(SEVERE).take(50).for_each(exchange);
            if severed.len() < SEVERE {
                severed.push(forge(&flooder, &live[severed.len()]));
            }
            // The agent looks once a second.
            thread::sleep(Duration::from_millis(50));
        }
        running.stdout.wait_for(&word);
        if flags == TcpFlags::SYN {
            requests = flooder.sent;
        }
    }
    // The rest of the resets.
    while severed.len() < SEVERE {
        severed.push(forge(&flooder, &live[severed.len()]));
    }
    live.iter_mut().skip(SEVERE).for_each(exchange);

    // Who comes now is followed, too.
    let mut new = connections(&lab, &listener, 1);
    exchange(&mut new[0]);
    exchange(&mut new[0]);
    let port = forge(&flooder, &new[0]);
    severed.push(port);
    running.stdout.wait_for(&format!("\"src_port\":{port}"));

    let (now, own) = cost(running.pid());
    let told = Told::settled(&lab);
    let counter = |name: &str| told.counter(name);
    eprintln!(
        "{} frames beside {beside} connections: {} seen, {} SYNs of {requests}; the agent: {} ticks of CPU time in {:.1} s, {own} KiB of its own",
        flooder.sent,
        counter("packets"),
        counter("syn"),
        now - ticks,
        began.elapsed().as_secs_f64()
    );
    assert!(own < 256 << 10, "{own} KiB");
    // All that reached the interface is counted, and no more.
    let asked = u64::from(requests) + beside as u64 + 1;
    let (lost, repeated) = (dropped(&lab), repeated(&lab));
    let bounds = asked.saturating_sub(lost)..=asked + repeated;
    assert!(bounds.contains(&counter("syn")), "{} of {asked}, {lost} lost, {repeated} repeated", counter("syn"));
    assert!(told.flows("established") >= (beside - SEVERE) as u64, "{}", told.flows("established"));
    assert_eq!((counter("evicted_silent"), counter("table_full"), counter("service_overflow")), (0, 0, 0));

    let told = ended(running);
    all_told(&told, &severed);
    for (kind, _) in floods {
        let lines = opened(&told, kind);
        let [line] = lines[..] else { panic!("{kind} in {told:#?}") };
        assert!(line["causes"].to_string().contains("none of them more than"), "its sources are spread: {line:#}");
    }
}
