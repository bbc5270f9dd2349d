//! The command line.

mod config;
mod doctor;
mod explain;
mod flows;
mod form;
mod guard;
mod incidents;
mod keep;
mod kubernetes;
mod limits;
mod status;
mod tail;
mod when;

use std::{fs::File, net::SocketAddr, path::PathBuf};

use clap::{
    Args, Parser, Subcommand, ValueEnum,
    builder::{PossibleValuesParser, TypedValueParser},
};
use sensor_common::detect::Severity;

pub use config::{Config, ConfigVerb};
pub use doctor::Doctor;
pub use explain::Explain;
pub use flows::Flows;
pub use form::{Color, Dedup, Listing};
pub use guard::Guard;
pub use incidents::{From, Incidents, IncidentsVerb, Show};
pub use keep::Keep;
pub use kubernetes::Kubernetes;
pub use limits::Limits;
pub use status::Status;
pub use tail::Tail;
pub use when::When;

use crate::{
    agent::Wanted,
    config::Loaded,
    failure::Failure,
    filter::Filter,
    kernel::DEFAULT_PINS,
    memory::MOST,
    replay::Net,
    report::{Output, PacketFile, Style},
};

/// Passive TCP anomaly sensor: says who killed a connection.
///
/// Exit codes: 0 fine, 1 `--fail-on` was given and something as severe was found (doctor: the sensor would not work), 2 error.
#[derive(Debug, Parser)]
#[command(name = "sensor", version)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Watch interfaces of this host.
    Attach(Box<Attach>),
    /// End what `sensor attach --pin` left to go on without it.
    Detach(Detach),
    /// Read a capture through the same engine.
    Replay(Replay),
    /// Tell what incidents there were: what happened last night.
    Incidents(Box<Incidents>),
    /// List the connections that a running sensor follows.
    Flows(Flows),
    /// Tell what a running sensor found, and finds.
    Tail(Tail),
    /// Say what a running sensor is attached to, what it gave up, what it lost.
    Status(Status),
    /// Show a forged reset being caught, in a network of its own.
    Demo(Demo),
    /// Say what an id means: a kind of finding, or a piece of evidence.
    Explain(Explain),
    /// Check, show or print a configuration file.
    Config(Config),
    /// Say what keeps the sensor from working here, or from working well, and what mends it. Changes nothing.
    Doctor(Doctor),
    /// Print the JSON Schema of what `--output json` prints.
    Schema,
}

/// Watch interfaces of this host.
#[derive(Clone, Debug, Args)]
pub struct Attach {
    /// Interface to watch, may be repeated: a name, a pattern such as `veth*`, or `default` [default: that of the default route].
    #[arg(short, long = "interface", value_name = "IFACE", value_parser = Wanted::parse)]
    pub interfaces: Vec<String>,
    /// Where to attach on the way in.
    #[arg(long, value_enum, default_value_t = Mode::Auto)]
    pub mode: Mode,
    /// `both` for a mirror port, where one hook sees both directions.
    #[arg(long, value_enum, default_value_t = Direction::In)]
    pub direction: Direction,
    /// Connections followed at a time, 464 bytes each; rounded up to a power of two [default: 131072, fewer where memory is short].
    #[arg(long, value_name = "N", value_parser = flows())]
    pub flows: Option<u32>,
    /// How much is told and kept.
    #[command(flatten)]
    pub limits: Limits,
    /// Stop after so many seconds.
    #[arg(long, value_name = "SECS")]
    pub duration: Option<u64>,
    /// Tell also of each connection that ended: who, how, how much.
    #[arg(long)]
    pub records: bool,
    /// What is kept.
    #[command(flatten)]
    pub keep: Keep,
    /// Outlive this process: pin programs, connections and findings in this folder of a BPF file system, and go on with what an earlier sensor pinned there. Without a folder: /sys/fs/bpf/sensor. `sensor detach` ends it.
    #[arg(long, value_name = "DIR", num_args = 0..=1, default_missing_value = DEFAULT_PINS)]
    pub pin: Option<PathBuf>,
    /// Keep CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON after attaching, to attach to interfaces that come later.
    #[arg(long)]
    pub keep_caps: bool,
    /// Where `sensor tail` finds this sensor: a socket for its user and group [default: /run/sensor/tail.sock, where it can be made]. `none` for no socket.
    #[arg(long, value_name = "PATH")]
    pub socket: Option<PathBuf>,
    /// Serve metrics (OpenMetrics) and health there: /metrics, /livez, /readyz, /startupz. Without an address: 127.0.0.1:9464.
    #[arg(long, value_name = "ADDR:PORT", num_args = 0..=1, default_missing_value = METRICS)]
    pub metrics: Option<SocketAddr>,
    /// Names from a cluster.
    #[command(flatten)]
    pub kubernetes: Kubernetes,
    /// Ports whose peers are near.
    #[command(flatten)]
    pub guard: Guard,
    /// How to report.
    #[command(flatten)]
    pub report: Report,
    /// Take settings from this file [default: /etc/sensor/sensor.toml, where there is one]. Variables SENSOR_NAME go before it, flags before both.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// What the file says.
    #[arg(skip)]
    pub loaded: Loaded,
}

/// End what `sensor attach --pin` left to go on without it: detach, and forget the connections. Nothing stays.
#[derive(Clone, Debug, Args)]
pub struct Detach {
    /// Where it is pinned.
    #[arg(value_name = "DIR", default_value = DEFAULT_PINS)]
    pub folder: PathBuf,
}

/// Read a capture through the same engine.
#[derive(Clone, Debug, Args)]
pub struct Replay {
    /// Capture in pcap or pcapng format, plain or compressed with gzip or zstd; `-` is stdin.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Address or network on the sensor's side, may be repeated. Without it, it is guessed from the first 512 TCP segments, which are waited for.
    #[arg(long, value_name = "ADDR[/LEN]")]
    pub local: Vec<Net>,
    /// Exit with 1 if anything at least this severe was found, printed or not.
    #[arg(long, value_name = "SEVERITY", value_parser = severity())]
    pub fail_on: Option<Severity>,
    /// Connections followed at a time, 464 bytes each; rounded up to a power of two.
    #[arg(long, value_name = "N", default_value_t = MOST, value_parser = flows())]
    pub flows: u32,
    /// Threads that judge, 1 to 64; what is found does not depend on it.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub workers: u8,
    /// Tell also of each connection that ended: who, how, how much. What the capture's end cuts off ends with it.
    #[arg(long)]
    pub records: bool,
    /// Keep all of it in this database, as `sensor attach --db` does; what is in there stays.
    #[arg(long, value_name = "FILE")]
    pub db: Option<PathBuf>,
    /// Ports whose peers are near.
    #[command(flatten)]
    pub guard: Guard,
    /// Tell of these only.
    #[command(flatten)]
    pub filter: Filter,
    /// How to report.
    #[command(flatten)]
    pub report: Report,
}

/// Show a forged reset being caught, in a network of its own.
#[derive(Clone, Debug, Args)]
pub struct Demo {
    /// How to report.
    #[command(flatten)]
    pub report: Report,
}

/// How to report.
#[derive(Clone, Debug, Args)]
pub struct Report {
    /// `compact` and `wide` are for people, their summary on stdout; the others are one object a line, the summary on stderr. Of several the last one holds.
    #[arg(short, long, value_enum, default_value_t = Output::Compact, overrides_with = "output")]
    pub output: Output,
    /// Tell nothing milder [default: notice; info where programs read].
    #[arg(long, value_name = "SEVERITY", value_parser = severity())]
    pub min_severity: Option<Severity>,
    /// Keep the recorded segments of each finding that is told (see `--min-severity`) in a pcapng file, for Wireshark: headers only, the finding as a comment. A file that is there is overwritten.
    #[arg(short, long, value_name = "FILE")]
    pub write: Option<PathBuf>,
    /// Tell findings that are like many others once in a while, and say how many there were: where people read, or always, or never.
    #[arg(long, value_enum, default_value_t = Dedup::Auto)]
    pub dedup: Dedup,
    /// Count segments as Wireshark's `tcp.analysis` does, in the summary.
    #[arg(long)]
    pub analysis: bool,
    /// When to colour; `auto` also heeds NO_COLOR.
    #[arg(long, value_enum, default_value_t = Color::Auto)]
    pub color: Color,
}

impl Report {
    /// The style, for a report on stdout.
    pub fn style(&self) -> Style {
        let mild = if self.output.is_for_people() { Severity::Notice } else { Severity::Info };
        let min_severity = self.min_severity.unwrap_or(mild);
        Style {
            output: self.output,
            min_severity,
            color: self.color.wanted(),
            analysis: self.analysis,
            dedup: self.dedup.wanted(self.output),
        }
    }

    /// The same where some are asked for: a kind or a severity that is asked for is told, however mild.
    pub fn style_of(&self, filter: &Filter) -> Style {
        let style = self.style();
        let least = filter.least().filter(|_| self.min_severity.is_none());
        Style { min_severity: least.map_or(style.min_severity, |least| least.min(style.min_severity)), ..style }
    }

    /// Opens the file of `--write`, if one is asked for; not if it is `input`.
    ///
    /// # Errors
    ///
    /// Why it cannot be written.
    pub fn packets(&self, input: Option<&File>) -> Result<Option<PacketFile>, Failure> {
        self.write.as_deref().map(|path| PacketFile::create(path, input)).transpose()
    }
}

/// Where to attach on the way in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// The fastest that the interface allows.
    Auto,
    /// XDP in the driver.
    Native,
    /// XDP in the kernel's generic path.
    Generic,
    /// Traffic control, where XDP is taken or refused.
    Tc,
}

/// What the ingress hook sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Direction {
    /// What comes in; what goes out is seen at egress.
    In,
    /// Both directions: a mirror port.
    Both,
}

/// Where metrics are served if no address is named: for this host alone.
const METRICS: &str = "127.0.0.1:9464";

/// What a table can be asked to hold: 7.7 GB at the most.
fn flows() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(64..=1 << 24)
}

fn severity() -> impl TypedValueParser<Value = Severity> {
    PossibleValuesParser::new(Severity::ALL.map(Severity::name))
        .map(|name| Severity::ALL.into_iter().find(|s| s.name() == name).unwrap_or(Severity::Info))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_holds() {
        Cli::command().debug_assert();
    }

    #[test]
    fn severities_and_networks_are_checked() {
        let parse = |line: &str| Cli::try_parse_from(line.split(' '));
        assert!(parse("sensor replay x.pcap --local 10.0.0.0/8 --local ::1 --fail-on warn").is_ok());
        assert!(parse("sensor replay x.pcap --local 10.0.0.0/33").is_err());
        assert!(parse("sensor replay x.pcap --fail-on fatal").is_err());
        assert!(parse("sensor replay x.pcap --flows 1").is_err());
        assert!(parse("sensor attach -i eth0 -i eth1 --mode tc --direction both --duration 5").is_ok());
        assert!(parse("sensor attach --gtsm-port 179 --gtsm-port 646 --gtsm-hops 2").is_ok());
        assert!(parse("sensor attach --gtsm-port 0").is_err());
        assert!(parse("sensor demo --output json --color never --write x.pcapng").is_ok());
    }

    #[test]
    fn four_ports_are_guarded_and_no_more() {
        let mut guard = Guard { ports: vec![179, 646], hops: 3 };
        assert_eq!(guard.ports().expect("room"), [179, 646, 0, 0]);
        guard.ports.extend([639, 711, 9]);
        assert!(guard.ports().is_err());
    }
}
