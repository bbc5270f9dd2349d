//! How connections end.

use sensor_common::kind::Kind;

use super::{Story, after, gap};
use crate::report::{Finding, explain::capital, timeouts};

pub(super) fn story(finding: &Finding<'_>) -> Option<Story> {
    let kind = finding.kind;
    let name = finding.cast.name(finding.side);
    let other = finding.cast.name(finding.side.other());
    let span = after(finding.event.detail[0]);
    let window = "Overload: the window of a reset says nothing about load.";
    Some(match kind {
        Kind::IdleThenRst => {
            let span = gap(finding);
            let known = timeouts::established(finding);
            Story::of(kind, format!("idle for {span}, then the first segment was rejected"))
                .what(format!(
                    "The connection was idle for {span}; the first segment after that found no connection at {name}, or at \
                     something on the way that answers for it.{known}"
                ))
                .not(window)
                .next([
                    format!("Compare {span} with the idle timeouts on the way and at {name}."),
                    "Use TCP keep-alives at shorter intervals, or raise the timeout.".to_owned(),
                ])
        }
        Kind::KeepAliveRst => Story::of(kind, format!("a keep-alive after {span} was answered by a reset"))
            .what(format!("{} has no such connection any more: it was restarted, or its state was lost.", capital(&name)))
            .not(window)
            .next([format!("Was {name}, or a device in front of it, restarted within {span}?")]),
        Kind::RstInsteadOfLastAck => {
            Story::of(kind, "a reset instead of the last ACK: an abortive close, harmless")
                .what(format!("Both sides had closed; {name} aborts instead of waiting in TIME_WAIT."))
                .not(window)
        }
        Kind::ResponseLostAfterClose => {
            Story::of(kind, format!("{name} had closed before the answer came, and rejects it"))
                .what(format!("{} sent data after {name} had closed; that data was not read.", capital(&other)))
                .not(window)
                .next([format!("Does {name} give up too soon, or does {other} answer too late?")])
        }
        Kind::RstCloseUnread => {
            Story::of(kind, format!("{name} closed without reading what had just arrived")).what(format!(
                "An application at {name} closed its socket with data unread, which aborts the connection (RFC 2525 §2.17)."
            ))
        }
        Kind::ResponseAfterFin => Story::of(
            kind,
            format!("{name} answered only once {other} had closed its side, {span} after the request"),
        )
        .what(format!(
            "{} waits for the end of the stream before it answers: it takes the request for incomplete, or does not look at \
             its length.",
            capital(&name)
        ))
        .next([format!("Check how {other} tells the length of its request (Content-Length, last chunk).")]),
        Kind::AcceptQueueDrop => Story::of(
            kind,
            format!("{name} repeats its SYN-ACK {span} after the client's request: its accept queue is full"),
        )
        .what(format!(
            "{} completed the handshake and sent its request; {name} does not take the connection and repeats its SYN-ACK. \
             The application does not accept connections fast enough.",
            capital(&other)
        ))
        .not("A SYN flood: this client completed its handshake.")
        .next([
            "On the server: ss -ltn (Recv-Q against Send-Q), nstat -az TcpExtListenOverflows TcpExtListenDrops.".to_owned(),
            "Raise the backlog of listen() and net.core.somaxconn, or find out what keeps the application from accepting."
                .to_owned(),
        ]),
        _ => return None,
    })
}
