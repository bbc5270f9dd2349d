//! Kubernetes Events on the pod that a finding is about, few enough that nobody minds.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use k8s_openapi::{
    api::{core::v1::ObjectReference, events::v1},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
    jiff::Timestamp,
};
use kube::{Api, Client, api::PostParams};
use sensor_common::detect::Severity;
use tokio::{sync::mpsc, time};

use super::{Who, client::root};
use crate::{
    correlate::View,
    report::{Finding, Sink, flow},
};

/// Milder findings make none.
const LEAST: Severity = Severity::Warn;
/// Between two of one kind on one pod: 10 minutes in nanoseconds.
const APART: u64 = 600 * 1_000_000_000;
/// Pods and kinds that are remembered.
const MOST: usize = 4096;
/// Events that wait for the API server.
const QUEUE: usize = 64;
/// For the API server to take one.
const PATIENCE: Duration = Duration::from_secs(10);
/// What the API server takes of a note.
const NOTE: usize = 1024;

/// What happened to which pod.
#[derive(Debug)]
pub(super) struct Happened {
    who: Who,
    time: u64,
    kind: &'static str,
    note: String,
}

/// What became of the events.
#[derive(Debug, Default)]
struct Counts {
    made: AtomicU64,
    held_back: AtomicU64,
    lost: AtomicU64,
}

/// Takes findings, and waits for nobody.
#[derive(Debug)]
pub(super) struct Events {
    queue: mpsc::Sender<Happened>,
    limit: Limit,
    counts: Arc<Counts>,
}

/// Makes the events.
#[derive(Debug)]
pub(super) struct Maker {
    queue: mpsc::Receiver<Happened>,
    counts: Arc<Counts>,
}

/// Both ends of the queue.
pub(super) fn events() -> (Events, Maker) {
    let (sender, receiver) = mpsc::channel(QUEUE);
    let counts = Arc::<Counts>::default();
    let events = Events { queue: sender, limit: Limit::default(), counts: Arc::clone(&counts) };
    (events, Maker { queue: receiver, counts })
}

impl Sink for Events {
    fn finding(&mut self, finding: &Finding<'_>) {
        // Where it is not sure whose address it was, nobody is accused.
        let pods = finding.who.both().into_iter().flatten().filter(|who| who.uid.is_some() && !who.ambiguous);
        for who in pods.filter(|_| finding.severity >= LEAST) {
            if !self.limit.passes(who.uid.as_deref().unwrap_or_default(), finding.kind.id(), finding.time) {
                self.counts.held_back.fetch_add(1, Relaxed);
                continue;
            }
            let happened =
                Happened { who: who.clone(), time: finding.time, kind: finding.kind.id(), note: note(finding) };
            if self.queue.try_send(happened).is_err() {
                self.counts.lost.fetch_add(1, Relaxed);
            }
        }
    }

    fn record(&mut self, _: &flow::Told<'_>) {}

    fn incident(&mut self, _: &View) {}

    fn account(&self) -> Vec<String> {
        let [made, held_back, lost] =
            [&self.counts.made, &self.counts.held_back, &self.counts.lost].map(|count| count.load(Relaxed));
        let words = format!(
            "Kubernetes Events: made {made}, lost {lost}; held back {held_back}, which had one within 10 minutes"
        );
        if made + held_back + lost > 0 { vec![words] } else { Vec::new() }
    }
}

impl Maker {
    /// Makes events until nobody wants any more. `hear` is told of each whether it could be made.
    pub(super) async fn run(mut self, client: Client, node: &str, hear: &impl Fn(&str, Option<String>)) {
        while let Some(happened) = self.queue.recv().await {
            let namespace = happened.who.namespace.clone().unwrap_or_default();
            let event = object(happened, node);
            let api = Api::<v1::Event>::namespaced(client.clone(), &namespace);
            let made = time::timeout(PATIENCE, api.create(&PostParams::default(), &event)).await;
            let cause = match made {
                Ok(Ok(_)) => None,
                Ok(Err(error)) => Some(root(&error)),
                Err(_) => Some("no answer within 10 s".to_owned()),
            };
            let count = if cause.is_none() { &self.counts.made } else { &self.counts.lost };
            count.fetch_add(1, Relaxed);
            hear("events", cause);
        }
    }
}

/// What happened, in a line as long as the API server takes.
fn note(finding: &Finding<'_>) -> String {
    let text = format!("{} > {}: {}", finding.src(), finding.dst(), finding.words());
    text.chars()
        .filter(|c| !c.is_control())
        .scan(0, |bytes, c| {
            *bytes += c.len_utf8();
            (*bytes <= NOTE).then_some(c)
        })
        .collect()
}

/// The event as the API server takes it.
fn object(happened: Happened, node: &str) -> v1::Event {
    let Happened { who, time, kind, note } = happened;
    let regarding = ObjectReference {
        api_version: Some("v1".to_owned()),
        kind: Some("Pod".to_owned()),
        namespace: who.namespace.clone(),
        name: who.pod,
        uid: who.uid,
        ..ObjectReference::default()
    };
    v1::Event {
        metadata: ObjectMeta {
            generate_name: Some("sensor-".to_owned()),
            namespace: who.namespace,
            ..ObjectMeta::default()
        },
        event_time: Timestamp::from_nanosecond(time.into()).ok().map(MicroTime),
        type_: Some("Warning".to_owned()),
        reason: Some(reason(kind)),
        action: Some("Observed".to_owned()),
        reporting_controller: Some("sensor".to_owned()),
        reporting_instance: Some(node.to_owned()),
        regarding: Some(regarding),
        note: Some(note),
        ..v1::Event::default()
    }
}

/// A kind as Kubernetes writes reasons: `rst-seq-data` is `RstSeqData`.
fn reason(kind: &str) -> String {
    let capital = |word: &str| {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect::<String>()
    };
    kind.split('-').map(capital).collect()
}

/// When which pod had an event of which kind.
#[derive(Debug, Default)]
struct Limit(BTreeMap<(String, &'static str), u64>);

impl Limit {
    /// Whether a pod may have one now; time in nanoseconds since the epoch.
    fn passes(&mut self, uid: &str, kind: &'static str, now: u64) -> bool {
        if let Some(last) = self.0.get(&(uid.to_owned(), kind))
            && now.abs_diff(*last) < APART
        {
            return false;
        }
        if self.0.len() >= MOST {
            self.0.retain(|_, last| now.abs_diff(*last) < APART);
        }
        let room = self.0.len() < MOST;
        if room {
            self.0.insert((uid.to_owned(), kind), now);
        }
        room
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_for_each_pod_and_kind_in_ten_minutes() {
        let mut limit = Limit::default();
        assert!(limit.passes("a", "rst-abort", 0));
        assert!(!limit.passes("a", "rst-abort", APART - 1));
        assert!(limit.passes("a", "rst-seq-data", 1) && limit.passes("b", "rst-abort", 1));
        assert!(limit.passes("a", "rst-abort", APART));
        assert!(!limit.passes("a", "rst-abort", 2 * APART - 1));
        // A wall clock that was set back holds nobody back for ever.
        assert!(limit.passes("c", "rst-abort", 100 * APART) && limit.passes("c", "rst-abort", 1));
    }

    #[test]
    fn what_it_remembers_is_bounded() {
        let mut limit = Limit::default();
        let passed = (0..2 * MOST).filter(|i| limit.passes(&i.to_string(), "rst-abort", 1)).count();
        assert_eq!((passed, limit.0.len()), (MOST, MOST));
        assert!(limit.passes("x", "rst-abort", 2 * APART));
        assert_eq!(limit.0.len(), 1);
    }

    #[test]
    fn reasons_are_written_as_kubernetes_writes_them() {
        assert_eq!((reason("rst-seq-data"), reason("ecn-syn-rst")), ("RstSeqData".into(), "EcnSynRst".into()));
    }
}
