//! Just enough of HTTP/1.1: GET of four paths, one answer a connection. A request is read to the end of its head and no
//! further; it and its answer have a deadline, and of too many connections the oldest goes.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::AbortHandle,
    time,
};

use super::{Cached, Snapshot, metrics};

/// Connections at a time.
const MOST: usize = 16;

/// The longest head of a request.
const HEAD: usize = 4096;

/// How long a request and its answer may take.
const DEADLINE: Duration = Duration::from_secs(5);

/// How long to wait when no connection can be taken: the process may open no more files.
const RESPITE: Duration = Duration::from_millis(100);

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const PLAIN: &str = "text/plain; charset=utf-8";

/// Answers until it is dropped.
pub(super) async fn serve(listener: TcpListener, cached: Arc<Cached>) {
    let mut open: VecDeque<AbortHandle> = VecDeque::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            time::sleep(RESPITE).await;
            continue;
        };
        open.retain(|connection| !connection.is_finished());
        if open.len() >= MOST
            && let Some(oldest) = open.pop_front()
        {
            oldest.abort();
        }
        let cached = Arc::clone(&cached);
        let connection = tokio::spawn(async move {
            // Who is too slow is not waited for.
            let _ = time::timeout(DEADLINE, converse(stream, &cached)).await;
        });
        open.push_back(connection.abort_handle());
    }
}

async fn converse(mut stream: TcpStream, cached: &Cached) -> std::io::Result<()> {
    let mut head = Vec::with_capacity(512);
    let answer = loop {
        let mut piece = [0; 512];
        match stream.read(&mut piece).await? {
            0 => return Ok(()),
            read => head.extend_from_slice(&piece[..read]),
        }
        if head.windows(4).any(|end| end == b"\r\n\r\n") {
            break answer(&head, || cached.snapshot());
        }
        if head.len() >= HEAD {
            break Answer::plain(431, "the request is too long\n");
        }
    };
    stream.write_all(&answer.bytes()).await?;
    stream.shutdown().await
}

/// What to answer.
#[derive(Debug, PartialEq, Eq)]
struct Answer {
    status: u16,
    content_type: &'static str,
    body: String,
}

impl Answer {
    fn plain(status: u16, body: impl Into<String>) -> Self {
        Self { status, content_type: PLAIN, body: body.into() }
    }

    /// 200 if `well`, else 503.
    fn health(well: bool, body: String) -> Self {
        Self::plain(if well { 200 } else { 503 }, body)
    }

    fn bytes(&self) -> Vec<u8> {
        let Self { status, content_type, body } = self;
        let reason = match status {
            200 => "OK",
            400 => "Bad Request",
            404 => "Not Found",
            405 => "Method Not Allowed",
            431 => "Request Header Fields Too Large",
            _ => "Service Unavailable",
        };
        let allow = if *status == 405 { "Allow: GET\r\n" } else { "" };
        let length = body.len();
        format!(
            "HTTP/1.1 {status} {reason}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n{allow}Cache-Control: no-store\r\nConnection: close\r\n\r\n{body}"
        )
        .into_bytes()
    }
}

/// The answer to a request, of which only the first line counts.
fn answer(head: &[u8], snapshot: impl FnOnce() -> Arc<Snapshot>) -> Answer {
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let words: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
    let [method, target, version] = words[..] else { return Answer::plain(400, "this is no HTTP request\n") };
    if !version.starts_with(b"HTTP/1.") {
        return Answer::plain(400, "this is no HTTP/1 request\n");
    }
    if method != b"GET" {
        return Answer::plain(405, "only GET is answered\n");
    }
    match target.split(|byte| *byte == b'?').next().unwrap_or_default() {
        b"/metrics" => Answer { status: 200, content_type: OPENMETRICS, body: metrics::render(&snapshot()) },
        b"/livez" => {
            let alive = snapshot().alive;
            Answer::health(alive, if alive { "alive\n".into() } else { "the ring is not drained\n".into() })
        }
        b"/readyz" => {
            let snapshot = snapshot();
            let missing = snapshot.layers.as_ref().and_then(crate::seal::Layers::missing);
            let state = if snapshot.trouble.is_empty() { Some("ready") } else { None };
            let lines = state.into_iter().chain(snapshot.trouble.iter().map(String::as_str)).chain(missing.as_deref());
            Answer::health(state.is_some(), lines.fold(String::new(), |body, line| body + line + "\n"))
        }
        // Nobody answers before it watches.
        b"/startupz" => Answer::plain(200, "started\n"),
        _ => Answer::plain(404, "there are /metrics, /livez, /readyz and /startupz\n"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(head: &str, trouble: &[&str]) -> Answer {
        let trouble = trouble.iter().map(|&text| text.into()).collect::<Vec<String>>();
        answer(head.as_bytes(), || Arc::new(Snapshot { alive: trouble.is_empty(), trouble, ..Snapshot::default() }))
    }

    #[test]
    fn four_paths_are_answered_and_nothing_else() {
        for (line, status) in [
            ("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", 200),
            ("GET /metrics?name=x HTTP/1.0\r\n\r\n", 200),
            ("GET /livez HTTP/1.1\r\n\r\n", 200),
            ("GET /readyz HTTP/1.1\r\n\r\n", 200),
            ("GET /startupz HTTP/1.1\r\n\r\n", 200),
            ("GET / HTTP/1.1\r\n\r\n", 404),
            ("GET /metrics/../livez HTTP/1.1\r\n\r\n", 404),
            ("POST /metrics HTTP/1.1\r\n\r\n", 405),
            ("HEAD /metrics HTTP/1.1\r\n\r\n", 405),
            ("GET /metrics HTTP/2\r\n\r\n", 400),
            ("GET  /metrics HTTP/1.1\r\n\r\n", 400),
            ("\r\n\r\n", 400),
        ] {
            assert_eq!(of(line, &[]).status, status, "{line:?}");
        }
    }

    #[test]
    fn trouble_is_named() {
        let ready = of("GET /readyz HTTP/1.1\r\n\r\n", &["no interface is watched"]);
        assert_eq!((ready.status, &*ready.body), (503, "no interface is watched\n"));
        assert_eq!(of("GET /livez HTTP/1.1\r\n\r\n", &["x"]).status, 503);
        assert!(String::from_utf8(ready.bytes()).unwrap().starts_with("HTTP/1.1 503 Service Unavailable\r\n"));
    }

    proptest! {
        #[test]
        fn any_bytes_have_an_answer(head in prop::collection::vec(any::<u8>(), 0..512)) {
            prop_assert!([200, 400, 404, 405].contains(&answer(&head, Arc::default).status));
        }
    }
}
