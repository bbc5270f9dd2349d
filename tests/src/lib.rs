//! Scenarios: conversations written as the story of what happened, with the findings that they must lead to.

pub mod catalogue;
pub mod scenario;
