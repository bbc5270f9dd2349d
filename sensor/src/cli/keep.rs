//! What is kept, and for how long.

use std::path::PathBuf;

use clap::Args;

use crate::store::{self, DEFAULT_FILE};

/// What is kept.
#[derive(Clone, Debug, Args)]
pub struct Keep {
    /// Keep incidents, findings, records of connections and counters in this database, for `sensor incidents`. Without a file: /var/lib/sensor/sensor.db.
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = DEFAULT_FILE)]
    pub db: Option<PathBuf>,
    /// Delete from the database what is older than so many days.
    #[arg(long, value_name = "DAYS", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=3650))]
    pub db_days: u32,
    /// MiB of the database at the most; what is worth least then gives way: the oldest records of connections first, incidents last.
    #[arg(long, value_name = "MIB", default_value_t = 512, value_parser = clap::value_parser!(u32).range(1..=1 << 20))]
    pub db_size: u32,
}

impl Keep {
    /// How much.
    pub fn limits(&self) -> store::Limits {
        store::Limits {
            days: Some(self.db_days),
            bytes: Some(u64::from(self.db_size) << 20),
            ..store::Limits::default()
        }
    }
}
