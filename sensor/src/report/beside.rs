//! What is known of a finding beside its event: whoever keeps findings, or hands them on, keeps this with them.

use serde::{Deserialize, Serialize};

use super::{Finding, Word};
use crate::enrich::{Ends, Who};

/// What is known of a finding beside its event, as JSON: named as in its own JSON line. What is missing is not known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Beside {
    /// Whose stack sent a reset that left.
    #[serde(skip_serializing_if = "Option::is_none")]
    stack: Option<String>,
    /// Why, as the kernel names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    stack_reason: Option<String>,
    /// Whom sender and receiver belonged to.
    #[serde(skip_serializing_if = "Option::is_none")]
    kubernetes: Option<Names>,
}

/// Whom the ends belonged to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Names {
    src: Option<Box<Who>>,
    dst: Option<Box<Who>>,
}

impl Beside {
    /// What is known of this one.
    pub fn of(finding: &Finding<'_>) -> Self {
        let word = finding.place.word;
        let kubernetes = finding.who.known().then(|| {
            let Ends([src, dst]) = finding.who.clone();
            Names { src, dst }
        });
        Self {
            stack: word.map(|word| word.id().to_owned()),
            stack_reason: word.and_then(Word::name).map(str::to_owned),
            kubernetes,
        }
    }

    /// Whether there is nothing to keep.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What the kernel said. A name that is not known says nothing.
    pub fn word(&self) -> Option<Word<'_>> {
        Word::named(self.stack.as_deref()?, self.stack_reason.as_deref())
    }

    /// Whom the ends belonged to.
    pub fn who(&self) -> Ends {
        let Names { src, dst } = self.kubernetes.clone().unwrap_or_default();
        Ends([src, dst])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_is_read_again() {
        let who = Who { pod: Some("web-0".into()), ..Who::default() };
        let kubernetes = Some(Names { src: None, dst: Some(Box::new(who.clone())) });
        for word in [Word::Own("TCP_STATE"), Word::Elsewhere("NO_SOCKET"), Word::Foreign] {
            let (stack, stack_reason) = (Some(word.id().to_owned()), word.name().map(str::to_owned));
            let kept = Beside { stack, stack_reason, kubernetes: kubernetes.clone() };
            let again: Beside = serde_json::from_str(&serde_json::to_string(&kept).unwrap()).unwrap();
            assert_eq!((again.word(), again.who().both()), (Some(word), [None, Some(&who)]));
        }
    }

    #[test]
    fn nothing_takes_no_room_and_what_a_newer_sensor_adds_is_left() {
        assert_eq!(serde_json::to_string(&Beside::default()).unwrap(), "{}");
        let newer: Beside = serde_json::from_str(r#"{"stack": "a-new-one", "mood": "good"}"#).unwrap();
        assert!(newer.word().is_none() && newer.who() == Ends::default() && !newer.is_empty());
    }
}
