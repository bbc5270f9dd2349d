//! Names from a cluster's API server, over HTTP on loopback: what is learnt, and what becomes of it when the server fails.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod api;
#[allow(dead_code, reason = "shared with the tests of `attach`, which use all of it")]
#[path = "../attach/child.rs"]
mod child;
mod live;
mod objects;
mod pod;

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use sensor::{
    cli,
    enrich::{Cluster, Directory, Followed, Who},
};
use tempfile::TempDir;

use api::{Api, Mood};
use objects::{NODE, NODE_ADDRESS, host_pod, pod, service};

/// Asking again slows down to half a minute, and the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(120);

const ONE: &str = "10.244.1.7";
const TWO: &str = "10.244.1.8";
const CLUSTER_IP: &str = "10.96.14.2";

/// Who follows an API server, and what was said about it.
struct Follower {
    directory: Directory,
    said: Arc<Mutex<Vec<String>>>,
    _following: Followed,
    _folder: TempDir,
}

/// A file that names the server, as an operator would write it.
fn kubeconfig(address: SocketAddr) -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("kubeconfig");
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: here\ncontexts:\n- name: here\n  context: {{cluster: here, user: me}}\n\
         clusters:\n- name: here\n  cluster: {{server: 'http://{address}'}}\nusers:\n- name: me\n  user: {{token: secret}}\n"
    );
    fs::write(&file, text).unwrap();
    (folder, file)
}

fn options(file: PathBuf) -> cli::Kubernetes {
    let node_name = Some(NODE.to_owned());
    cli::Kubernetes { kubernetes: true, node_name, kubeconfig: Some(file), kubernetes_events: false }
}

impl Follower {
    fn of(address: SocketAddr) -> Self {
        let (folder, file) = kubeconfig(address);
        let (directory, said) = (Directory::default(), Arc::<Mutex<Vec<String>>>::default());
        let heard = Arc::clone(&said);
        let say = move |text: &str| heard.lock().unwrap().push(text.to_owned());
        let following = Cluster::find(&options(file)).unwrap().follow(directory.clone(), say).unwrap();
        Self { directory, said, _following: following, _folder: folder }
    }

    /// Whom an end belongs to now.
    fn who(&self, address: &str, port: u16) -> Option<Who> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
        let end = SocketAddr::new(address.parse().unwrap(), port);
        self.directory.ends([end, end], now).both()[0].cloned()
    }

    fn pod(&self, address: &str) -> Option<String> {
        self.who(address, 0)?.pod
    }

    /// Waits until the address is that of this pod, or of none.
    fn wait_for(&self, address: &str, pod: Option<&str>) {
        wait(&format!("{address} is {pod:?}"), || self.pod(address).as_deref() == pod);
    }

    fn said(&self) -> Vec<String> {
        self.said.lock().unwrap().clone()
    }
}

fn wait(what: &str, done: impl Fn() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < end, "{what}: waited in vain");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn what_is_there_and_what_comes_is_named() {
    let api = Api::start(Mood::Fine);
    // More than one page.
    api.pages_of(1);
    api.put("pods", pod("web-6d4cf56db6-aaaaa", "u1", ONE));
    api.put("pods", host_pod("cni-x", "u2"));
    api.put("services", service(CLUSTER_IP));
    let follower = Follower::of(api.address);
    wait("the service", || follower.who(CLUSTER_IP, 80).is_some());
    follower.wait_for(ONE, Some("web-6d4cf56db6-aaaaa"));
    let who = follower.who(ONE, 8080).unwrap();
    let workload = who.workload.clone().unwrap();
    assert_eq!((&*workload.kind, &*workload.name), ("Deployment", "web"));
    assert_eq!((who.services.as_slice(), who.node.as_deref()), (&["web".to_owned()][..], Some(NODE)));
    assert_eq!((who.to_string(), who.ambiguous), ("shop/web-6d4cf56db6-aaaaa".to_owned(), false));
    // Of the node's own address only the node is known.
    wait("the node", || follower.who(NODE_ADDRESS, 10250).is_some());
    let node = follower.who(NODE_ADDRESS, 10250).unwrap();
    assert_eq!((node.pod, node.node.as_deref(), node.ambiguous), (None, Some(NODE), true));
    assert_eq!(follower.who(CLUSTER_IP, 80).unwrap().to_string(), "service shop/web");
    assert_eq!(follower.who("198.51.100.1", 443), None);
    // A pod without an address yet, which gets one, and goes.
    let mut coming = pod("web-6d4cf56db6-bbbbb", "u3", TWO);
    coming["status"] = serde_json::json!({ "phase": "Pending" });
    api.put("pods", coming);
    api.put("pods", pod("web-6d4cf56db6-bbbbb", "u3", TWO));
    follower.wait_for(TWO, Some("web-6d4cf56db6-bbbbb"));
    api.delete("pods", "u3");
    follower.wait_for(TWO, None);
    assert!(follower.said().is_empty(), "{:?}", follower.said());
    // No more is asked for than this node's pods, and nothing is written.
    assert!(api.posted().is_empty());
    let requests = api.requests();
    let pods: Vec<&String> = requests.iter().filter(|request| request.contains("/pods?")).collect();
    assert!(
        !pods.is_empty() && pods.iter().all(|one| one.contains("fieldSelector=spec.nodeName%3Dnode-1")),
        "{pods:?}"
    );
}

#[test]
fn a_connection_that_ends_is_made_again_where_it_was() {
    let api = Api::start(Mood::Fine);
    api.put("pods", pod("one", "u1", ONE));
    let follower = Follower::of(api.address);
    follower.wait_for(ONE, Some("one"));
    wait("the watch", || api.requests().iter().any(|request| request.contains("/pods?") && request.contains("watch=")));
    api.put("pods", pod("seen", "u9", "10.244.1.9"));
    follower.wait_for("10.244.1.9", Some("seen"));
    // How far it is.
    api.put("services", service(CLUSTER_IP));
    api.bookmark("pods");
    api.put("pods", pod("also", "u10", "10.244.1.10"));
    follower.wait_for("10.244.1.10", Some("also"));
    let lists = || api.requests().iter().filter(|one| one.contains("/pods?") && !one.contains("watch=")).count();
    let before = lists();
    api.hang_up();
    api.put("pods", pod("two", "u2", TWO));
    api.delete("pods", "u1");
    follower.wait_for(TWO, Some("two"));
    follower.wait_for(ONE, None);
    assert_eq!(lists(), before, "the watch goes on, without a new list: {:?}", api.requests());
    assert!(follower.said().is_empty(), "{:?}", follower.said());
}

#[test]
fn a_watch_that_is_too_old_begins_with_a_new_list() {
    let api = Api::start(Mood::Fine);
    for (name, uid, address) in [("one", "u1", ONE), ("two", "u2", TWO)] {
        api.put("pods", pod(name, uid, address));
    }
    let follower = Follower::of(api.address);
    follower.wait_for(TWO, Some("two"));
    wait("the watch", || api.requests().iter().any(|request| request.contains("/pods?") && request.contains("watch=")));
    // The connection ends; meanwhile one pod goes, another gets its address, and none of that can be watched any more.
    api.mood(Mood::Silent);
    api.hang_up();
    api.delete("pods", "u1");
    api.put("pods", pod("three", "u3", ONE));
    api.compact("pods");
    api.mood(Mood::Fine);
    follower.wait_for(ONE, Some("three"));
    follower.wait_for(TWO, Some("two"));
    // And told so while it watches.
    api.delete("pods", "u2");
    follower.wait_for(TWO, None);
    api.compact("pods");
    api.put("pods", pod("four", "u4", TWO));
    follower.wait_for(TWO, Some("four"));
}

#[test]
fn a_server_that_is_not_there_is_said_once_and_asked_again() {
    // A port where nobody listens.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let follower = Follower::of(address);
    wait("the outage is said", || !follower.said().is_empty());
    assert_eq!(follower.who(ONE, 0), None);
    assert!(follower.directory.standing().trouble.len() <= 2);
    let api = Api::at(TcpListener::bind(address).unwrap(), Mood::Fine);
    api.put("pods", pod("one", "u1", ONE));
    follower.wait_for(ONE, Some("one"));
    wait("that it is back", || follower.said().len() > 1);
    let said = follower.said();
    let [first, last] = &said[..] else { panic!("{said:?}") };
    assert!(first.contains(&address.to_string()) && first.contains("Connection refused"), "{first}");
    assert!(first.contains("going on without, and trying again"), "{first}");
    assert!(last.ends_with("answers again"), "{last}");
}

#[test]
fn what_makes_no_sense_is_said_once_and_outlived() {
    for (mood, words) in
        [(Mood::Garbage, "expected value"), (Mood::Forbidden, "cannot list resource"), (Mood::Broken, "no leader")]
    {
        let api = Api::start(mood);
        api.put("pods", pod("one", "u1", ONE));
        let follower = Follower::of(api.address);
        wait("that it is said", || !follower.said().is_empty());
        assert!(follower.said()[0].contains(words), "{mood:?}: {:?}", follower.said());
        assert!(!follower.said()[0].contains(char::is_control));
        api.mood(Mood::Fine);
        follower.wait_for(ONE, Some("one"));
        wait("that it is back", || follower.said().len() == 2);
        // Garbage where an event should be.
        wait("the watch", || api.requests().iter().any(|one| one.contains("/pods?") && one.contains("watch=")));
        api.blurt("pods", "{\"type\":\"ADDED\",\"object\":[1,2\n");
        api.blurt("pods", "\u{0}\u{1}\u{2}\n");
        api.put("pods", pod("two", "u2", TWO));
        follower.wait_for(TWO, Some("two"));
    }
}

#[test]
fn a_slow_server_holds_nobody_up() {
    let api = Api::start(Mood::Silent);
    api.put("pods", pod("one", "u1", ONE));
    let follower = Follower::of(api.address);
    wait("that it is asked", || !api.requests().is_empty());
    assert_eq!(follower.who(ONE, 0), None);
    api.mood(Mood::Fine);
    follower.wait_for(ONE, Some("one"));
}

#[test]
fn a_file_that_will_not_do_is_said_in_a_sentence() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("kubeconfig");
    let refused = |file: &PathBuf| Cluster::find(&options(file.clone())).err().unwrap().to_string();
    assert!(refused(&file).contains("cannot be used (No such file"), "{}", refused(&file));
    fs::write(&file, "clusters: [[[").unwrap();
    let words = refused(&file);
    assert!(words.starts_with("--kubeconfig ") && !words.contains('\n'), "{words}");
    fs::write(
        &file,
        "current-context: a\ncontexts: [{name: a, context: {cluster: a, user: a}}]\n\
         clusters: [{name: a, cluster: {server: 'https://127.0.0.1:6443'}}]\n\
         users: [{name: a, user: {exec: {apiVersion: v1, command: /bin/true}}}]\n",
    )
    .unwrap();
    assert!(refused(&file).contains("asks for a program to be started"), "{}", refused(&file));
    let none = cli::Kubernetes { kubernetes: true, ..cli::Kubernetes::default() };
    let words = Cluster::find(&none).err().unwrap().to_string();
    assert!(words.starts_with("--kubernetes: this is no pod with a service account"), "{words}");
}
