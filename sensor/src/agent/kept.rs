//! The agent's database, if it has one.

use std::time::SystemTime;

use super::warn;
use crate::{
    cli,
    failure::Failure,
    kernel::Readings,
    observe::{Board, nanos},
    report::rfc3339,
    store::{Keeper, Manner, Origin, Source, Writer},
};

/// A database before anything is kept.
pub(super) struct Store(pub(super) Writer);

impl Store {
    /// Opens it, where one is asked for; says what became of the sensor before.
    pub(super) fn open(options: &cli::Attach) -> Result<Option<Self>, Failure> {
        let Some(file) = &options.keep.db else { return Ok(None) };
        let mut writer = Writer::open(file, Origin::Live(options.interfaces.join(", ")), nanos(SystemTime::now()))?;
        writer.limits = options.keep.limits();
        if let Some(last) = writer.broken_off() {
            let (last, file) = (rfc3339(last), file.display());
            warn(&format!(
                "the sensor before was broken off after {last}: what it found in its last second is not in {file}"
            ));
        }
        Ok(Some(Self(writer)))
    }

    /// Names what is watched, where nothing was named.
    pub(super) fn watching(&mut self, options: &cli::Attach, attached: &[String]) -> Result<(), Failure> {
        if options.interfaces.is_empty() {
            self.0.set_origin(Origin::Live(attached.join(", ")))?;
        }
        Ok(())
    }

    /// Starts to keep, the counters too.
    pub(super) fn start(self, counters: Readings, board: &Board) -> Result<Keeper, Failure> {
        let source: Source = Box::new(move || counters.counters().ok());
        let manner = Manner { source: Some(source), ..Manner::default() };
        let keeper = Keeper::start(self.0, manner).map_err(Failure::Loop)?;
        board.keep(Some(keeper.shared()));
        Ok(keeper)
    }
}
