//! Names of pods and namespaces, as a cluster told them.

use std::str::FromStr;

use glob::Pattern;

use super::point;
use crate::enrich::Who;

/// Which pods are asked for.
#[derive(Clone, Debug)]
pub struct Pods {
    namespace: Option<Pattern>,
    /// Any, or none at all, where only the namespace is asked for.
    pod: Option<Pattern>,
}

impl Pods {
    /// Whether this is one. What may be another's is one, too: whoever asks wants to see it.
    pub fn fits(&self, who: &Who) -> bool {
        let fits = |pattern: &Option<Pattern>, name: &Option<String>| {
            pattern.as_ref().is_none_or(|pattern| name.as_deref().is_some_and(|name| pattern.matches(name)))
        };
        fits(&self.namespace, &who.namespace) && fits(&self.pod, &who.pod)
    }

    /// All of a namespace, its services included.
    ///
    /// # Errors
    ///
    /// What is wrong with the name.
    pub fn namespace(text: &str) -> Result<Self, String> {
        Ok(Self { namespace: Some(pattern(text)?), pod: None })
    }
}

impl FromStr for Pods {
    type Err = String;

    /// `web-0`, `shop/web-*`.
    fn from_str(text: &str) -> Result<Self, String> {
        let (namespace, pod) = text.split_once('/').map_or((None, text), |(namespace, pod)| (Some(namespace), pod));
        let read = || Some(Self { namespace: namespace.map(pattern).transpose().ok()?, pod: Some(pattern(pod).ok()?) });
        read().ok_or_else(|| point::whole(text, WHY))
    }
}

const WHY: &str = "a pod is named as web-0, shop/web-0 or shop/web-*; a namespace as shop or team-*";

fn pattern(text: &str) -> Result<Pattern, String> {
    let plain = !text.is_empty() && !text.contains(|letter: char| letter == '/' || letter.is_whitespace());
    Pattern::new(text).ok().filter(|_| plain).ok_or_else(|| point::whole(text, WHY))
}
