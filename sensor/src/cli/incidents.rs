//! What `sensor incidents` is asked.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Subcommand};
use sensor_common::detect::Severity;

use super::{Color, severity, when::When};
use crate::{filter::Pods, incidents::Hops};

/// Tell what incidents there were: the latest last, one a line. Times are UTC.
#[derive(Clone, Debug, Args)]
pub struct Incidents {
    /// Tell of one of them.
    #[command(subcommand)]
    pub verb: Option<IncidentsVerb>,
    /// Those that were not over by then: 12h, 3d, 2026-11-21, 2026-11-21T03:00, 03:00, today, yesterday.
    #[arg(long, value_name = "WHEN", value_parser = When::parse)]
    pub since: Option<When>,
    /// Those that had begun by then.
    #[arg(long, value_name = "WHEN", value_parser = When::parse)]
    pub until: Option<When>,
    /// Those of a device this far from here: hops, or hops/initial TTL as in 3/64.
    #[arg(long, value_name = "HOPS[/TTL]")]
    pub device: Option<Hops>,
    /// Those that hit this service.
    #[arg(long, value_name = "ADDR:PORT")]
    pub service: Option<SocketAddr>,
    /// Those that hit this pod, as the cluster told: a name or a pattern, `shop/web-*`.
    #[arg(long, value_name = "[NAMESPACE/]POD")]
    pub pod: Option<Pods>,
    /// Those that hit a pod or service of this namespace: a name or a pattern.
    #[arg(long, value_name = "NAMESPACE", value_parser = Pods::namespace)]
    pub namespace: Option<Pods>,
    /// Nothing milder.
    #[arg(long, value_name = "SEVERITY", value_parser = severity())]
    pub severity: Option<Severity>,
    /// So many at the most, the latest [default: 1000].
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// Where they are.
    #[command(flatten)]
    pub from: From,
}

impl Incidents {
    /// Whether some are asked for, and not one.
    pub fn chooses(&self) -> bool {
        let times = self.since.is_some() || self.until.is_some();
        let whom = self.pod.is_some() || self.namespace.is_some();
        times
            || whom
            || self.device.is_some()
            || self.service.is_some()
            || self.severity.is_some()
            || self.limit.is_some()
    }
}

/// Where incidents are, and how to tell of them.
#[derive(Clone, Debug, Args)]
pub struct From {
    /// The database [default: the one that the configuration names, else /var/lib/sensor/sensor.db].
    #[arg(long, value_name = "FILE", global = true)]
    pub db: Option<PathBuf>,
    /// JSON: one object a line, an incident, or a finding where one incident is asked for.
    #[arg(long, global = true)]
    pub json: bool,
    /// When to colour; `auto` also heeds NO_COLOR.
    #[arg(long, value_enum, default_value_t = Color::Auto, global = true)]
    pub color: Color,
}

/// What to do with one incident.
#[derive(Clone, Debug, Subcommand)]
pub enum IncidentsVerb {
    /// Tell all of an incident: what, why, why not, whom, and its findings with the recorded segments.
    Show(Show),
}

/// Tell all of an incident.
#[derive(Clone, Debug, Args)]
pub struct Show {
    /// Its name, or how it begins.
    #[arg(value_name = "ID")]
    pub id: String,
    /// Keep the recorded segments of its findings in a pcapng file, for Wireshark: headers only. A file that is there is overwritten.
    #[arg(short, long, value_name = "FILE")]
    pub write: Option<PathBuf>,
    /// Tell so many findings at the most, the first ones; all are written.
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub limit: usize,
}
