//! Wireshark's `tcp.analysis`, frame by frame: tshark's rows against ours. Writes a table of `docs/accuracy.md`.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    path::Path,
    process::{Command, Stdio},
};

use sensor::{capture::Reader, host::Host};
use sensor_common::{
    config::Config,
    counters::Counter,
    detect::analysis::{ROWS, Rows},
    engine::Seen,
    event::Hook,
    flow::Side,
    record::{Ending, Record, settled},
    wire::Slice,
};
use tests::{captures, document};

/// tshark's fields, by our rows.
const FIELDS: [&str; ROWS] = [
    "zero_window_probe",
    "zero_window",
    "lost_segment",
    "keep_alive",
    "window_update",
    "window_full",
    "keep_alive_ack",
    "zero_window_probe_ack",
    "duplicate_ack",
    "ack_lost_segment",
    "spurious_retransmission",
    "fast_retransmission",
    "out_of_order",
    "retransmission",
    "rto",
    "reused_ports",
];

/// The version that the table was made with; another one may count otherwise.
const VERSION: &str = "4.0.17";

/// Rows by frame number.
type Judged = BTreeMap<u64, Rows>;

/// What was seen of each connection, by its ends; of those that follow one another between the same ports, the last.
type Completeness = BTreeMap<[SocketAddr; 2], u8>;

/// Ours, of every frame that is a segment, and of every connection.
fn ours(file: &Path) -> (Judged, Completeness) {
    // Wireshark makes no difference between VLANs.
    let mut host = Host::new(Config { vlan_in_key: 0, ..Config::replay(16_383) });
    let mut reader = Reader::new(fs::File::open(file).expect("the capture")).expect("a capture");
    let mut judged = Judged::new();
    while let Some(frame) = reader.next_frame().expect("a whole capture") {
        let (segments, before) = (host.cpu().get(Counter::Segments), host.cpu().analysis);
        let seen = Seen { ifindex: frame.interface, tag: 0, hook: Hook::Observer };
        host.observe(frame.time, &Slice::new(frame.bytes, frame.wire_len as usize), seen);
        if host.cpu().get(Counter::Segments) != segments {
            let counted = host.cpu().analysis.iter().zip(before).map(|(after, before)| after - before);
            let rows = counted.enumerate().map(|(row, n)| (n as u16) << row).sum();
            judged.insert(frame.number, Rows(rows));
        }
    }
    let flows = host.flows().iter().zip(host.extras()).filter(|(flow, _)| flow.head.key.ports != 0);
    let seen = flows.map(|(flow, extra)| {
        let (flow, extra) = settled(*flow, *extra);
        let key = &flow.head.key;
        let ends = ends([Side::A, Side::B].map(|side| socket(key.addr(side), key.port(side))));
        (ends, Record::of(&flow, &extra, Ending::Live, 0, 0).completeness)
    });
    (judged, seen.collect())
}

fn socket(words: &[u32; 4], port: u16) -> SocketAddr {
    let [a, b, c, d] = words.map(u128::from);
    let address = Ipv6Addr::from_bits(a << 96 | b << 64 | c << 32 | d);
    (address.to_ipv4_mapped().map_or(IpAddr::V6(address), IpAddr::V4), port).into()
}

fn ends(mut ends: [SocketAddr; 2]) -> [SocketAddr; 2] {
    ends.sort_unstable();
    ends
}

/// Fast and spurious retransmissions are also marked as retransmissions; ours are told apart.
fn apart(rows: Rows) -> Rows {
    let special = rows.any(Rows::FAST_RETRANSMISSION) || rows.any(Rows::SPURIOUS_RETRANSMISSION);
    if special { Rows(rows.0 & !Rows::RETRANSMISSION.0) } else { rows }
}

/// tshark's; `None` if it cannot read the file.
fn theirs(file: &Path) -> Option<(Judged, Completeness)> {
    let mut command = Command::new("tshark");
    command.args(["-n", "-2", "-o", "tcp.analyze_sequence_numbers:TRUE", "-T", "fields", "-e", "frame.number"]);
    for field in FIELDS {
        command.args(["-e", &format!("tcp.analysis.{field}")]);
    }
    for field in ["tcp.completeness", "ip.src", "ip.dst", "ipv6.src", "ipv6.dst", "tcp.srcport", "tcp.dstport"] {
        command.args(["-e", field]);
    }
    let output = command.arg("-r").arg(file).stderr(Stdio::null()).output().expect("tshark runs");
    let text = String::from_utf8(output.stdout).expect("text");
    let (mut judged, mut seen) = (Judged::new(), Completeness::new());
    for line in text.lines() {
        let mut cells = line.split('\t');
        let number = cells.next().and_then(|number| number.parse().ok()).expect("a number");
        let rows = cells.by_ref().take(ROWS).enumerate().map(|(row, cell)| u16::from(!cell.is_empty()) << row).sum();
        judged.insert(number, apart(Rows(rows)));
        let [bits, v4_src, v4_dst, v6_src, v6_dst, src, dst] = cells.collect::<Vec<_>>()[..] else { panic!("{line}") };
        let socket = |v4: &str, v6: &str, port: &str| -> Option<SocketAddr> {
            let address: IpAddr = if v4.is_empty() { v6 } else { v4 }.parse().ok()?;
            Some((address, port.parse().ok()?).into())
        };
        // Addresses in tunnels come as lists, which are left out.
        if let (Ok(bits), Some(src), Some(dst)) =
            (bits.parse(), socket(v4_src, v6_src, src), socket(v4_dst, v6_dst, dst))
        {
            seen.insert(ends([src, dst]), bits);
        }
    }
    (output.status.success() && !judged.is_empty()).then_some((judged, seen))
}

/// Whether tshark is there, in the version that the table was made with.
fn is_there() -> bool {
    let output = Command::new("tshark").arg("--version").stderr(Stdio::null()).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    if !text.contains(VERSION) {
        eprintln!("SKIPPED: no tshark {VERSION}: `apt-get install tshark` on Debian 12 has it");
    }
    text.contains(VERSION)
}

#[test]
fn rows_agree_with_tshark() {
    if captures::folder().is_none() || !is_there() {
        return;
    }
    let verbose = std::env::var_os("TSHARK_FRAMES").is_some();
    // Both, ours alone, tshark's alone; and the captures of the latter two.
    let mut sums = [[0_u64; 3]; ROWS];
    let mut where_ = vec![Vec::new(); ROWS];
    let (mut files, mut frames) = (0, 0);
    let (mut alike, mut unlike) = (0, Vec::new());
    for file in captures::all() {
        let name = file.file_name().expect("a name").to_string_lossy().into_owned();
        let Some((theirs, their_seen)) = theirs(&file) else { continue };
        let (ours, our_seen) = ours(&file);
        let mut others = 0;
        for (ends, own) in &our_seen {
            let Some(other) = their_seen.get(ends) else { continue };
            if own == other {
                alike += 1;
                continue;
            }
            others += 1;
            if verbose {
                eprintln!("{name} {} {} completeness ours {own} tshark {other}", ends[0], ends[1]);
            }
        }
        if others > 0 {
            unlike.push(format!("{name} ({others})"));
        }
        files += 1;
        frames += ours.len();
        let mut differ = [[0; 2]; ROWS];
        for (number, own) in &ours {
            let other = theirs.get(number).copied().unwrap_or_default();
            for row in 0..ROWS {
                match (own.0 >> row & 1, other.0 >> row & 1) {
                    (1, 1) => sums[row][0] += 1,
                    (1, 0) => differ[row][0] += 1,
                    (0, 1) => differ[row][1] += 1,
                    _ => continue,
                }
                if verbose && own.0 >> row & 1 != other.0 >> row & 1 {
                    let who = if own.0 >> row & 1 == 1 { "ours" } else { "tshark" };
                    eprintln!("{name} {number} {} {who}", FIELDS[row]);
                }
            }
        }
        for row in 0..ROWS {
            let [own, other] = differ[row];
            sums[row][1] += own;
            sums[row][2] += other;
            if own + other > 0 {
                where_[row].push(format!("{name} (+{own} −{other})"));
            }
        }
    }
    let mut table = format!("{files} captures, {frames} segments, tshark {VERSION}.\n\n");
    table.push_str("| row | both | ours alone | tshark alone | where |\n|---|---|---|---|---|\n");
    for row in 0..ROWS {
        let [both, own, other] = sums[row];
        let id = Rows::IDS[row];
        writeln!(table, "| `{id}` | {both} | {own} | {other} | {} |", where_[row].join(", ")).expect("a string");
    }
    writeln!(table, "\n`tcp.completeness` agrees for {alike} connections; not in {}.", unlike.join(", "))
        .expect("a string");
    document::hold("tshark table", &table);
}
