//! Who else is told.

use super::{Finding, flow};
use crate::correlate::View;

/// Somebody who is told of all that is found, of any severity, beside the report's own reader. Whoever is slow must lose and
/// count, for nothing here may wait.
pub trait Sink: Send {
    /// A finding.
    fn finding(&mut self, finding: &Finding<'_>);
    /// A connection that ended.
    fn record(&mut self, record: &flow::Told<'_>);
    /// An incident begins, grows, or is over.
    fn incident(&mut self, incident: &View);
    /// What became of all that, for the summary.
    fn account(&self) -> Vec<String>;
}
