//! Which segments of a flow are in the file already: findings of one flow share most of what was recorded, and a segment
//! written twice looks like a retransmission. Bounded: when full, all is forgotten, and some segments come twice.

use std::collections::HashMap;

use sensor_common::{flow::Side, time::Stamp};

use crate::report::{Finding, Row};

/// Flows that are remembered.
const FLOWS: usize = 16_384;

/// The segments of each flow's last finding. What an earlier one had is among them, or no longer recorded.
#[derive(Debug, Default)]
pub(super) struct Seen(HashMap<u64, Vec<(Side, Stamp)>>);

impl Seen {
    /// Whether a row was written: no two stamps of one side are the same.
    pub(super) fn has(&self, finding: &Finding<'_>, row: &Row) -> bool {
        let written = self.0.get(&finding.flow_id());
        written.is_some_and(|written| written.contains(&(row.side, row.segment.time)))
    }

    /// Notes that a finding was written.
    pub(super) fn note(&mut self, finding: &Finding<'_>) {
        if self.0.len() >= FLOWS && !self.0.contains_key(&finding.flow_id()) {
            self.0.clear();
        }
        self.0.insert(finding.flow_id(), finding.rows.iter().map(|row| (row.side, row.segment.time)).collect());
    }
}
