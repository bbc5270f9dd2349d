//! `sensor status`: what a running sensor is attached to, what it has given up, and whether its account adds up.

use std::io::{self, BufWriter, Write};

use crate::{
    cli::{self, Listing},
    enrich::Standing,
    failure::Failure,
    observe::{Answering, Identity, Snapshot, find},
    report::{count, flow::span, shown},
    store::Kept,
};

/// Why there is nothing to tell.
#[derive(Debug, thiserror::Error)]
enum StatusError {
    #[error(
        "no running sensor found in this network namespace (or not as that process); start one with sensor attach, or ask where it runs (ip netns exec, kubectl exec)"
    )]
    None,
    #[error(
        "the sensor that runs as process {pid} does not answer; ask as its user ({uid}) or as root, in its version"
    )]
    Silent { pid: u32, uid: u32 },
    #[error("the sockets of this network namespace cannot be listed ({0}): mount /proc")]
    List(#[source] io::Error),
}

impl From<StatusError> for Failure {
    fn from(error: StatusError) -> Self {
        Self::Other(Box::new(error))
    }
}

/// Asks the sensors that run here, and tells what each says.
///
/// # Errors
///
/// If none answers; or the output cannot be written.
pub fn run(options: &cli::Status) -> Result<(), Failure> {
    let agents = find(options.pid).map_err(StatusError::List)?;
    let mut silent = None;
    let out = &mut BufWriter::new(io::stdout().lock());
    let mut told = 0;
    for Answering { pid, uid, snapshot } in agents {
        let Some(mut snapshot) = snapshot else {
            silent = silent.or(Some(StatusError::Silent { pid, uid }));
            continue;
        };
        // Within a container it may know itself by another number.
        snapshot.pid = pid;
        match options.output {
            Listing::Json => {
                serde_json::to_writer(&mut *out, &snapshot).map_err(io::Error::from)?;
                writeln!(out)?;
            }
            Listing::Compact => {
                if told > 0 {
                    writeln!(out)?;
                }
                write(out, &snapshot, uid)?;
            }
        }
        told += 1;
    }
    out.flush()?;
    match (told, silent) {
        (0, silent) => Err(silent.unwrap_or(StatusError::None).into()),
        (_, Some(silent)) => {
            // Nobody may be listening there.
            let _ = writeln!(io::stderr(), "sensor: {silent}");
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Lines under a heading, which stands before the first.
fn section(out: &mut impl Write, heading: &str, lines: &[String]) -> io::Result<()> {
    for (i, line) in lines.iter().enumerate() {
        writeln!(out, "  {:<10}{}", if i == 0 { heading } else { "" }, shown(line))?;
    }
    Ok(())
}

fn write(out: &mut impl Write, snapshot: &Snapshot, uid: u32) -> io::Result<()> {
    let Snapshot { version, pid, started, uptime, flows, events, sweep, process, .. } = snapshot;
    let head = format!("sensor {version}, process {pid} of user {uid}, since {started}");
    writeln!(out, "{} ({})", shown(&head), span((uptime.max(0.0) * 1e9) as u64))?;
    let ready = vec!["ready".to_owned()];
    section(out, "state", if snapshot.trouble.is_empty() { &ready } else { &snapshot.trouble })?;
    section(out, "watching", &watching(snapshot))?;
    section(out, "pinned", &pinned(snapshot))?;
    section(out, "gave up", &layers(snapshot))?;
    let counter = |id| snapshot.counter(id);
    let traffic = format!(
        "{}, {}, {} ({} established)",
        count(counter("packets"), "frame"),
        count(counter("segments"), "TCP segment"),
        count(counter("flows_created"), "flow"),
        counter("flows_established")
    );
    section(out, "seen", &[traffic])?;
    let taken = format!(
        "{} established, {} embryonic, {} closed; room for {}; {} refused",
        flows.established,
        flows.embryonic,
        flows.closed,
        flows.capacity,
        counter("table_full") + counter("insert_races")
    );
    section(out, "table", &[taken])?;
    let allowed = snapshot.allowed.iter().map(|(reason, n)| format!("{n} allowed and not told: {reason:?}"));
    section(out, "findings", &[findings(snapshot)].into_iter().chain(allowed).collect::<Vec<_>>())?;
    let mut lost = vec![format!(
        "ring full {} low, {} high; held back {} by flow, {} by rate; dropped {}; at rest {}",
        counter("ring_full_low"),
        counter("ring_full_high"),
        counter("held_back_flow"),
        counter("held_back_rate"),
        events.dropped,
        sweep.lost
    )];
    if sweep.records > 0 {
        let skipped = counter("records_skipped") + events.parted_dropped;
        lost.push(format!("{} records told, {skipped} skipped, {} missed", sweep.records, sweep.missed));
    }
    if sweep.leaks_skipped > 0 {
        lost.push(format!("{} rejected segments not compared with other connections", sweep.leaks_skipped));
    }
    lost.extend(snapshot.written.map(|w| format!("{} findings written to the file, {} not", w.findings, w.lost)));
    lost.extend(snapshot.tail.map(|tail| {
        let readers = count(tail.readers, "reader");
        format!("{readers} of sensor tail, {} let go for being slow, who lost {}", tail.slow, tail.lost)
    }));
    section(out, "lost", &lost)?;
    if let Some(kept) = snapshot.kept {
        section(out, "database", &[database(kept)])?;
    }
    section(out, "account", &snapshot.identities.iter().map(sum).collect::<Vec<_>>())?;
    let maps: u64 = snapshot.maps.iter().filter_map(|map| map.bytes).sum();
    section(out, "names", &names(snapshot))?;
    let known = |number: Option<u64>, unit: u64| number.map_or("?".to_owned(), |number| (number / unit).to_string());
    let memory = format!(
        "maps {} MiB in the kernel, {} MiB resident, {} files open, {} s of CPU",
        maps >> 20,
        known(process.resident_bytes, 1 << 20),
        known(process.open_files, 1),
        process.cpu_seconds.map_or("?".to_owned(), |seconds| format!("{seconds:.2}"))
    );
    section(out, "memory", &[memory])?;
    // Stages come with their entries.
    let entries = snapshot.programs.iter().filter(|program| program.is_entry());
    let entries: Vec<String> = entries.map(|program| format!("{} (id {})", program.name, program.id)).collect();
    section(
        out,
        "programs",
        &[format!("{}, and {} stages", entries.join(", "), snapshot.programs.len() - entries.len())],
    )
}

fn watching(snapshot: &Snapshot) -> Vec<String> {
    let line = |one: &crate::observe::Watched| {
        if !one.present {
            return format!("{}: gone", one.interface);
        }
        let notes = if one.notes.is_empty() { String::new() } else { format!(" ({})", one.notes.join("; ")) };
        format!("{}: ingress by {}, egress by {}, since {}{notes}", one.interface, one.ingress, one.egress, one.since)
    };
    snapshot.watching.iter().map(line).collect()
}

/// What outlives the sensor.
fn pinned(snapshot: &Snapshot) -> Vec<String> {
    let line = |one: &crate::observe::Pinned| match (&*one.state, &one.reason) {
        ("adopted", _) => format!("in {}, taken over from the sensor before", one.folder),
        (_, Some(reason)) => format!("in {}, begun anew: {reason}", one.folder),
        _ => format!("in {}", one.folder),
    };
    snapshot.pinned.iter().map(line).collect()
}

/// Names from a cluster: how many, and what is wrong.
fn names(snapshot: &Snapshot) -> Vec<String> {
    let Some(Standing { pods, remembered, services, refused, trouble }) = &snapshot.kubernetes else {
        return Vec::new();
    };
    let full = if *refused > 0 { format!("; {refused} found no place") } else { String::new() };
    let mut lines =
        vec![format!("{pods} pods, {services} services, {remembered} addresses of pods that are gone{full}")];
    lines.extend(trouble.iter().map(|(what, cause)| format!("no {what} at the moment: {cause}")));
    lines
}

fn layers(snapshot: &Snapshot) -> Vec<String> {
    let named = snapshot.layers.iter().flat_map(|layers| layers.named());
    let line = |(name, layer): (&str, &crate::seal::Layer)| {
        format!("{name:<14}{}{}", if layer.enforced { "" } else { "not enforced: " }, layer.detail)
    };
    let mut lines: Vec<String> = named.map(line).collect();
    if let Some(threads) = snapshot.threads {
        let yes = |on| if on { "yes" } else { "no" };
        lines.push(format!(
            "of all {} threads the kernel says: CapEff {:x}, NoNewPrivs {}, Seccomp {}",
            threads.threads,
            threads.effective,
            yes(threads.no_new_privs),
            yes(threads.seccomp)
        ));
    }
    lines
}

fn findings(snapshot: &Snapshot) -> String {
    let of = |severity: sensor_common::detect::Severity| {
        let some = snapshot.findings.iter().filter(|one| one.severity == severity.name());
        format!("{} {}", some.map(|one| one.count).sum::<u64>(), severity.name())
    };
    sensor_common::detect::Severity::ALL.into_iter().rev().map(of).collect::<Vec<_>>().join(", ")
}

/// What became of what was to be kept.
fn database(kept: Kept) -> String {
    let Kept { incidents, findings, records, counters, batches, lost, deleted, bytes, failing } = kept;
    let rows = incidents + findings + records + counters;
    let failing = if failing { "; it cannot be written at present" } else { "" };
    format!(
        "{rows} rows written in {batches} batches, {lost} lost, {deleted} deleted; {} KiB in use{failing}",
        bytes >> 10
    )
}

/// A sum of the account, with what is missing in it.
fn sum(identity: &Identity) -> String {
    let Identity { name, whole, parts, difference } = identity;
    let parts: Vec<String> = parts.iter().map(|(name, part)| format!("{name} {part}")).collect();
    let rest = if *difference == 0 { String::new() } else { format!(" + on its way {difference}") };
    format!("{name} {whole} = {}{rest}", parts.join(" + "))
}
