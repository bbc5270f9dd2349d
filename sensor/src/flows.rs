//! `sensor flows`: what a running sensor knows of the connections of this moment, or of those that end.

use std::{
    io::{self, BufWriter, Write},
    time::{Duration, SystemTime},
};

use sensor_common::{
    record::{Ending, Record, closed, quiet, settled},
    table::{Note, WAYS},
    time::seconds,
};

use crate::{
    agent::monotonic,
    cli::{self, Listing},
    failure::Failure,
    interrupt,
    kernel::Running,
    report::{
        Place, WallClock,
        flow::{Told, losses, rtt, span},
    },
    sweep::{Slots, Sweeper, patience},
};

/// Between two sweeps.
const ROUND: Duration = Duration::from_secs(1);

/// Lists connections, or follows those that end.
///
/// # Errors
///
/// If no sensor runs or it cannot be looked at; or the output cannot be written.
pub fn run(options: &cli::Flows) -> Result<(), Failure> {
    let running = Running::find(options.pid)?;
    if running.sensors > 1 {
        let others = match running.sensors - 1 {
            1 => "another sensor runs".to_owned(),
            n => format!("{n} other sensors run"),
        };
        // Nobody may be listening there.
        let _ = writeln!(io::stderr(), "{others} here; this is the one started last; --pid names another");
    }
    if options.closed { follow(&running, options) } else { list(&running, options) }
}

fn clock() -> WallClock {
    WallClock::matching(monotonic(), SystemTime::now())
}

/// Lists the connections that live, the latest first.
fn list(running: &Running, options: &cli::Flows) -> Result<(), Failure> {
    let (now, clock) = (monotonic(), clock());
    let all = live(running.table(), now);
    let mut told: Vec<_> = all.iter().map(|record| Told::new(record, Place::default(), clock)).collect();
    told.retain(|told| options.ends.fits(told.ends()));
    let out = &mut BufWriter::new(io::stdout().lock());
    let shown = &told[..told.len().min(options.limit)];
    match options.output {
        Listing::Json => shown.iter().try_for_each(|told| told.json(out))?,
        Listing::Compact => {
            let rows: Vec<_> = shown.iter().map(|told| row(told, now)).collect();
            align(out, &rows)?;
            writeln!(out, "{} of {} connections", shown.len(), told.len())?;
        }
    }
    Ok(out.flush()?)
}

/// The records of all that is neither closed nor over, the latest first.
fn live(table: &impl Slots, now: u64) -> Vec<Record> {
    let mut records = Vec::new();
    for b in 0..table.buckets() {
        let bucket = table.bucket(b);
        for way in (0..WAYS).filter(|way| bucket.tags[*way] != 0) {
            let (flow, extra) = table.flow(b * WAYS + way);
            if table.bucket(b).tags[way] != bucket.tags[way] {
                continue;
            }
            let (flow, extra) = settled(flow, extra);
            let coarse = u64::from(Note(bucket.notes[way]).idle(seconds(now))) << 30;
            let idle = quiet(&flow, coarse, now);
            if closed(&flow).is_none() && idle < patience(&flow) {
                records.push(Record::of(&flow, &extra, Ending::Live, idle, now));
            }
        }
    }
    records.sort_by_key(|record| std::cmp::Reverse((record.last, record.first)));
    records
}

const HEAD: [&str; 14] = [
    "CLIENT",
    "SERVER",
    "STATE",
    "AGE",
    "IDLE",
    "SENT",
    "ANSWERED",
    "RTT",
    "REPEATED",
    "REORDERED",
    "SKIPPED",
    "UNSEEN",
    "HISTORY",
    "FINDINGS",
];

fn row(told: &Told<'_>, now: u64) -> [String; HEAD.len()] {
    let ([client, server], [asked, answered], record) = (told.ends(), told.totals(), told.record());
    let round: Vec<String> = rtt(asked).into_iter().chain(rtt(answered)).collect();
    let [mild, severe] = record.findings;
    let [repeated, reordered, skipped, unseen] =
        losses([asked, answered]).map(|(_, [asked, answered])| format!("{asked} / {answered}"));
    [
        client.to_string(),
        server.to_string(),
        record.conn_state.to_owned(),
        span(now.saturating_sub(record.first)),
        span(now.saturating_sub(record.last)),
        format!("{} / {} B", asked.segments, asked.bytes),
        format!("{} / {} B", answered.segments, answered.bytes),
        if round.is_empty() { "-".to_owned() } else { round.join(" + ") },
        repeated,
        reordered,
        skipped,
        unseen,
        record.history.to_string(),
        if record.findings == [0, 0] { "-".to_owned() } else { format!("{severe} severe, {mild} mild") },
    ]
}

/// Writes rows below their head, in columns.
fn align(out: &mut impl Write, rows: &[[String; HEAD.len()]]) -> io::Result<()> {
    let width = |column: usize| rows.iter().map(|row| row[column].len()).fold(HEAD[column].len(), usize::max);
    let widths: [usize; HEAD.len()] = std::array::from_fn(width);
    let head = HEAD.map(str::to_owned);
    for row in std::iter::once(&head).chain(rows) {
        let line =
            row.iter().zip(widths).fold(String::new(), |line, (cell, width)| line + &format!("{cell:<width$}  "));
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

/// Tells of each connection that ends, until it is interrupted or the sensor is gone.
fn follow(running: &Running, options: &cli::Flows) -> Result<(), Failure> {
    let mut sweeper = Sweeper::new(running.table().buckets(), &running.counters()?);
    let mut ended = Vec::new();
    // What had ended before is no news.
    sweeper.sweep(running.table(), monotonic(), &mut (), &mut ended);
    ended.clear();
    let (runtime, mut signals) = interrupt::listen()?;
    let out = &mut BufWriter::new(io::stdout().lock());
    let mut shown = 0;
    while shown < options.limit {
        let interrupted = runtime.block_on(async {
            tokio::select! {
                () = signals.wait() => true,
                () = tokio::time::sleep(ROUND) => false,
            }
        });
        let clock = clock();
        sweeper.sweep(running.table(), monotonic(), &mut (), &mut ended);
        for record in ended.drain(..) {
            let told = Told::new(&record, Place::default(), clock);
            if shown < options.limit && options.ends.fits(told.ends()) {
                shown += 1;
                match options.output {
                    Listing::Json => told.json(out)?,
                    Listing::Compact => told.line(out)?,
                }
            }
        }
        out.flush()?;
        if interrupted || !running.is_alive() {
            break;
        }
    }
    let missed = sweeper.missed(&running.counters()?);
    if missed > 0 {
        // Nobody may be listening there.
        let _ = writeln!(io::stderr(), "records_missed: {missed} flows gave way to others before they were told of");
    }
    Ok(())
}
