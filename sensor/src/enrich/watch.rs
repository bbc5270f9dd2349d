//! Learns names from the API server: the node's pods and all services, first listed, then watched. `kube`'s watcher knows how to
//! go on: bookmarks, connections that end, 410 Gone and a new list. What cannot be had is asked for again, ever more slowly.

use std::{
    fmt::Debug,
    pin::pin,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use super::{Directory, Learnt, MAX_PODS, MAX_SERVICES, Pod, Service, client::root, events::Maker};
use futures_util::StreamExt as _;
use k8s_openapi::api::core::v1;
use kube::{
    Api, Client, Resource,
    runtime::{
        WatchStreamExt as _,
        watcher::{self, Error, Event, watcher},
    },
};
use serde::de::DeserializeOwned;
use tokio::time;

/// Before a new list where the watch was refused.
const PAUSE: Duration = Duration::from_secs(1);

/// Watches for ever.
pub(super) async fn run(
    client: &Client,
    url: &str,
    node: &str,
    directory: &Directory,
    maker: Option<Maker>,
    say: &impl Fn(&str),
) {
    let hear = |what: &str, cause: Option<String>| {
        if let Some(words) = directory.heard(what, cause) {
            say(&format!("Kubernetes: {url} {words}"));
        }
    };
    let events = async {
        if let Some(maker) = maker {
            maker.run(client.clone(), node, &hear).await;
        }
    };
    let this_node = watcher::Config::default().fields(&format!("spec.nodeName={node}"));
    let pods = follow(Api::<v1::Pod>::all(client.clone()), this_node, MAX_PODS, &hear, |news: News<Pod>| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64);
        directory.learn(|resolver| match news {
            News::All(pods) => resolver.pods(pods, now),
            News::One(pod) => resolver.pod(pod, Learnt::Watched, now),
            News::Gone(pod) => resolver.pod_gone(&pod.uid, now),
        });
    });
    let services = Api::<v1::Service>::all(client.clone());
    let services = follow(services, watcher::Config::default(), MAX_SERVICES, &hear, |news: News<Service>| {
        directory.learn(|resolver| match news {
            News::All(services) => resolver.services(services),
            News::One(service) => resolver.service(service),
            News::Gone(service) => resolver.service_gone(&service.namespace, &service.name),
        });
    });
    tokio::join!(pods, services, events);
}

/// What was learnt of objects.
enum News<T> {
    /// These are there, and no others.
    All(Vec<T>),
    /// This one is there, or has changed.
    One(T),
    /// This one is gone.
    Gone(T),
}

/// Watches objects of one kind; a list ends with the first `most`.
async fn follow<K, T>(
    api: Api<K>,
    config: watcher::Config,
    most: usize,
    hear: &impl Fn(&str, Option<String>),
    learn: impl Fn(News<T>),
) where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + 'static,
    T: for<'a> From<&'a K>,
{
    let what = K::plural(&());
    loop {
        let mut news = pin!(watcher(api.clone(), config.clone()).default_backoff());
        let mut listed = Vec::new();
        while let Some(news) = news.next().await {
            match &news {
                // That a list begins says nothing: it was not asked for yet.
                Ok(Event::Init) => {}
                // Watches end all the time, and lists grow too old for them: the watcher goes on where it was, or lists anew.
                Err(Error::WatchFailed(_) | Error::WatchError(_)) => {}
                Err(error) if is_gone(error) => {}
                Err(error) => hear(&what, Some(root(error))),
                Ok(_) => hear(&what, None),
            }
            match news {
                Ok(Event::Init) => listed.clear(),
                Ok(Event::InitApply(object)) if listed.len() < most => listed.push(T::from(&object)),
                Ok(Event::InitDone) => learn(News::All(std::mem::take(&mut listed))),
                Ok(Event::Apply(object)) => learn(News::One(T::from(&object))),
                Ok(Event::Delete(object)) => learn(News::Gone(T::from(&object))),
                Err(error) if is_gone(&error) => break,
                Ok(Event::InitApply(_)) | Err(_) => {}
            }
        }
        time::sleep(PAUSE).await;
    }
}

/// Whether a watch was refused because its list is too old. The watcher lists anew where a watch that runs says so, and would ask
/// for the same one for ever where it is said instead of one.
fn is_gone(error: &Error) -> bool {
    matches!(error, Error::WatchStartFailed(kube::Error::Api(status)) if status.code == 410)
}
