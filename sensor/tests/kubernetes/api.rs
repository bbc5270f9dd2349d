//! An API server, as far as it is asked here: lists in pages, watches with bookmarks, 410 Gone, and whatever else goes wrong. What
//! it says has the form of a real one's answers.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard},
    thread,
    time::Duration,
};

use serde_json::{Value, json};

/// How it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    Fine,
    /// Nothing comes, and the connection stays open.
    Silent,
    /// 200, and no JSON.
    Garbage,
    /// 403, as without a role.
    Forbidden,
    /// 500.
    Broken,
}

/// A running server; ends with its last owner.
#[derive(Clone)]
pub(crate) struct Api {
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<State>>,
}

struct State {
    mood: Mood,
    version: u64,
    /// Older versions cannot be watched from any more.
    oldest: u64,
    /// By kind and uid.
    objects: BTreeMap<(String, String), Value>,
    /// What happened, for watches that come back: version, kind, event.
    history: Vec<(u64, String, Value)>,
    watches: Vec<(String, TcpStream)>,
    requests: Vec<String>,
    tokens: Vec<String>,
    posted: Vec<Value>,
    page: usize,
}

impl Api {
    pub(crate) fn start(mood: Mood) -> Self {
        Self::at(TcpListener::bind("127.0.0.1:0").unwrap(), mood)
    }

    pub(crate) fn at(listener: TcpListener, mood: Mood) -> Self {
        let state = State {
            mood,
            version: 100,
            oldest: 0,
            objects: BTreeMap::new(),
            history: Vec::new(),
            watches: Vec::new(),
            requests: Vec::new(),
            tokens: Vec::new(),
            posted: Vec::new(),
            page: usize::MAX,
        };
        let api = Self { address: listener.local_addr().unwrap(), state: Arc::new(Mutex::new(state)) };
        let served = api.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let api = served.clone();
                thread::spawn(move || api.serve(stream));
            }
        });
        api
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(crate) fn mood(&self, mood: Mood) {
        self.state().mood = mood;
    }

    /// Lists have so many objects at the most.
    pub(crate) fn pages_of(&self, page: usize) {
        self.state().page = page;
    }

    /// An object is there or has changed; who watches is told.
    pub(crate) fn put(&self, kind: &str, object: Value) {
        self.change(kind, object, None);
    }

    pub(crate) fn delete(&self, kind: &str, uid: &str) {
        let object = self.state().objects[&(kind.to_owned(), uid.to_owned())].clone();
        self.change(kind, object, Some("DELETED"));
    }

    fn change(&self, kind: &str, mut object: Value, event: Option<&str>) {
        let mut state = self.state();
        state.version += 1;
        let version = state.version;
        object["metadata"]["resourceVersion"] = version.to_string().into();
        let key = (kind.to_owned(), object["metadata"]["uid"].as_str().unwrap().to_owned());
        let event = event.unwrap_or(if state.objects.contains_key(&key) { "MODIFIED" } else { "ADDED" });
        let news = json!({ "type": event, "object": object });
        if event == "DELETED" {
            state.objects.remove(&key);
        } else {
            state.objects.insert(key, object);
        }
        state.history.push((version, kind.to_owned(), news.clone()));
        state.tell(kind, &news);
    }

    /// Tells watches how far they are, so that they come back from there.
    pub(crate) fn bookmark(&self, kind: &str) {
        let mut state = self.state();
        let version = state.version.to_string();
        let (api_kind, metadata) = (one_of(kind), json!({ "resourceVersion": version, "creationTimestamp": null }));
        let object = json!({ "kind": api_kind, "apiVersion": "v1", "metadata": metadata });
        state.tell(kind, &json!({ "type": "BOOKMARK", "object": object }));
    }

    /// Says something that is no event.
    pub(crate) fn blurt(&self, kind: &str, text: &str) {
        self.state().say(kind, text);
    }

    /// Forgets what happened: whoever watches is told so, and must list anew.
    pub(crate) fn compact(&self, kind: &str) {
        let mut state = self.state();
        state.version += 1;
        state.oldest = state.version;
        state.history.clear();
        let gone = json!({ "type": "ERROR", "object": gone() });
        state.tell(kind, &gone);
    }

    /// Ends all watches.
    pub(crate) fn hang_up(&self) {
        for (_, stream) in self.state().watches.drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// What was asked, as `GET /api/v1/pods?…`.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.state().requests.clone()
    }

    /// Who asked, by the header.
    pub(crate) fn tokens(&self) -> Vec<String> {
        self.state().tokens.clone()
    }

    pub(crate) fn posted(&self) -> Vec<Value> {
        self.state().posted.clone()
    }

    fn serve(&self, mut stream: TcpStream) {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        while let Some((request, token, body)) = read(&mut reader) {
            let mood = {
                let mut state = self.state();
                state.requests.push(request.clone());
                state.tokens.push(token);
                state.mood
            };
            let (method, target) = request.split_once(' ').unwrap();
            let (path, query) = target.split_once('?').unwrap_or((target, ""));
            let kind = path.rsplit('/').next().unwrap();
            let query: BTreeMap<&str, &str> = query.split('&').filter_map(|pair| pair.split_once('=')).collect();
            match mood {
                Mood::Silent => {
                    while self.state().mood == Mood::Silent {
                        thread::sleep(Duration::from_millis(20));
                    }
                    return;
                }
                Mood::Garbage => answer(&mut stream, 200, "\u{1b}[31m<html>not what was asked for</html>\n"),
                Mood::Forbidden => answer(&mut stream, 403, &forbidden(kind).to_string()),
                Mood::Broken => answer(&mut stream, 500, "etcdserver: no leader"),
                Mood::Fine if method == "POST" => {
                    let object: Value = serde_json::from_slice(&body).unwrap();
                    self.state().posted.push(object.clone());
                    answer(&mut stream, 201, &object.to_string());
                }
                Mood::Fine if query.contains_key("watch") => {
                    if self.watch(stream.try_clone().unwrap(), kind, query["resourceVersion"]) {
                        return;
                    }
                }
                Mood::Fine => {
                    let list = self.state().list(kind, query.get("continue").copied());
                    answer(&mut stream, 200, &list.to_string());
                }
            }
        }
    }

    /// Whether the connection is a watch from now on.
    fn watch(&self, mut stream: TcpStream, kind: &str, from: &str) -> bool {
        let mut state = self.state();
        let from: u64 = from.parse().unwrap();
        if from < state.oldest {
            answer(&mut stream, 410, &gone().to_string());
            return false;
        }
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
        stream.write_all(head.as_bytes()).unwrap();
        let missed: Vec<Value> =
            state.history.iter().filter(|(v, k, _)| *v > from && k == kind).map(|e| e.2.clone()).collect();
        for news in missed {
            chunk(&mut stream, &format!("{news}\n"));
        }
        state.watches.push((kind.to_owned(), stream));
        true
    }
}

impl State {
    fn tell(&mut self, kind: &str, news: &Value) {
        self.say(kind, &format!("{news}\n"));
    }

    fn say(&mut self, kind: &str, text: &str) {
        for (_, stream) in self.watches.iter_mut().filter(|(of, _)| of == kind) {
            chunk(stream, text);
        }
    }

    fn list(&self, kind: &str, from: Option<&str>) -> Value {
        let from: usize = from.map_or(0, |from| from.parse().unwrap());
        let all: Vec<&Value> =
            self.objects.iter().filter(|((of, _), _)| of == kind).map(|(_, object)| object).collect();
        let items: Vec<&Value> = all.iter().skip(from).take(self.page).copied().collect();
        let next = from + items.len();
        let mut metadata = json!({ "resourceVersion": self.version.to_string() });
        if next < all.len() {
            metadata["continue"] = next.to_string().into();
            metadata["remainingItemCount"] = (all.len() - next).into();
        }
        json!({ "kind": format!("{}List", one_of(kind)), "apiVersion": "v1", "metadata": metadata, "items": items })
    }
}

fn one_of(kind: &str) -> &'static str {
    if kind == "pods" { "Pod" } else { "Service" }
}

fn gone() -> Value {
    json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": "too old resource version: 101 (142)", "reason": "Expired", "code": 410,
    })
}

fn forbidden(kind: &str) -> Value {
    let user = "system:serviceaccount:sensor:sensor";
    let message = format!(
        "{kind} is forbidden: User {user:?} cannot list resource {kind:?} in API group \"\" at the cluster scope"
    );
    json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": "Forbidden", "details": { "kind": kind }, "code": 403,
    })
}

/// A request's first line without the version, who asks, and its body; none at the end.
fn read(reader: &mut impl BufRead) -> Option<(String, String, Vec<u8>)> {
    let mut first = String::new();
    reader.read_line(&mut first).ok().filter(|read| *read > 0)?;
    let (mut length, mut token) = (0, String::new());
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        match line.trim().split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.trim().parse().unwrap()
            }
            Some((name, value)) if name.eq_ignore_ascii_case("authorization") => token = value.trim().to_owned(),
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((first.trim_end().rsplit_once(' ')?.0.to_owned(), token, body))
}

/// The other side may have gone.
fn answer(stream: &mut impl Write, code: u16, body: &str) {
    let length = body.len();
    let head = format!("HTTP/1.1 {code} -\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n");
    let _ = stream.write_all((head + body).as_bytes());
}

fn chunk(stream: &mut impl Write, text: &str) {
    let _ = stream.write_all(format!("{:x}\r\n{text}\r\n", text.len()).as_bytes());
}
