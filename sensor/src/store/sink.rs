//! The keeper as somebody who is told.

use super::{Keeper, Row};
use crate::{
    correlate::View,
    report::{Finding, Sink, flow::Told},
};

impl Sink for Keeper {
    fn finding(&mut self, finding: &Finding<'_>) {
        self.keep(Row::finding(finding));
    }

    fn record(&mut self, record: &Told<'_>) {
        self.keep(Row::record(record));
    }

    fn incident(&mut self, incident: &View) {
        self.keep(Row::incident(incident));
    }

    fn account(&self) -> Vec<String> {
        Self::account(self)
    }
}
