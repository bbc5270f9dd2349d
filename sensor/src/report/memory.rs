//! What was explained of which flow, so that one story is told once. Bounded: the oldest is forgotten first.

use std::collections::{HashMap, VecDeque};

use sensor_common::{detect::Severity, kind::Kind};

use super::Finding;

/// Flows that are remembered.
const FLOWS: usize = 16_384;

/// What was explained first of a flow.
#[derive(Clone, Debug)]
pub(super) struct Told {
    pub(super) kind: Kind,
    pub(super) severity: Severity,
    pub(super) reference: String,
}

#[derive(Debug, Default)]
pub(super) struct Memory {
    flows: HashMap<u64, Told>,
    order: VecDeque<u64>,
}

impl Memory {
    pub(super) fn told(&self, finding: &Finding<'_>) -> Option<&Told> {
        self.flows.get(&finding.flow_id())
    }

    pub(super) fn tell(&mut self, finding: &Finding<'_>) {
        let told = Told { kind: finding.kind, severity: finding.severity, reference: finding.reference() };
        if self.flows.insert(finding.flow_id(), told).is_none() {
            self.order.push_back(finding.flow_id());
        }
        if self.order.len() > FLOWS
            && let Some(oldest) = self.order.pop_front()
        {
            self.flows.remove(&oldest);
        }
    }
}
