//! Listeners whose queues are full, by the host's own counters: too slow, too small, or attacked.

use sensor_common::{counters::Counter, detect::Severity, service::ServiceCounter};

use super::{
    About, Aggregate, Alternative, Not, Sign,
    flood::percent,
    host::{HostReading, TcpExt},
    reading::{Counted, Reading, Span},
};
use crate::report::count;

/// Seconds that drops are counted together.
const WINDOW: f64 = 10.0;
/// Drops within [`WINDOW`] that are a warning.
const MANY: u64 = 10;

/// Looks for full queues.
#[derive(Debug, Default)]
pub(super) struct Queues {
    before: Option<HostReading>,
    /// The service that came off worst of late.
    worst: Option<String>,
    /// Of this window: what was counted, for how many seconds, requests and connections.
    window: (TcpExt, f64, [u64; 2]),
}

impl Queues {
    /// What goes on at `now`; `flooded`: a flood of requests is on.
    pub(super) fn signs(&mut self, now: &Reading, span: &Span, before: &Reading, flooded: bool) -> Option<Sign> {
        let host = now.host?;
        let last = self.before.replace(host)?;
        let grown = host.ext.since(&last.ext);
        let (ext, seconds, [asked, came]) = &mut self.window;
        *ext = ext.and(&grown);
        *seconds += span.seconds;
        *asked += span.n(Counter::Syn);
        *came += span.n(Counter::FlowsEstablished);
        let sum = *ext;
        let completion = if *asked > 0 { (*came as f64 / *asked as f64).min(1.0) } else { 1.0 };
        let full = |ext: &TcpExt| ext.listen_overflows + ext.req_q_full_do_cookies + ext.req_q_full_drop;
        if *seconds >= WINDOW {
            self.window = Default::default();
            self.worst.take_if(|_| full(&sum) == 0);
        }
        if full(&grown) == 0 {
            return None;
        }
        self.worst = busiest(now, before).or_else(|| self.worst.take());
        Some(sign(&sum, full(&grown), host, completion, flooded, self.worst.as_ref()))
    }
}

fn sign(sum: &TcpExt, n: u64, host: HostReading, completion: f64, flooded: bool, busiest: Option<&String>) -> Sign {
    let drops = sum.listen_overflows + sum.req_q_full_do_cookies + sum.req_q_full_drop;
    let unanswered = sum.syncookies_sent > 10 * sum.syncookies_recv.max(1);
    let attacked = flooded || unanswered && completion < 0.5;
    let accept = sum.listen_overflows >= sum.req_q_full_do_cookies + sum.req_q_full_drop;
    let headline = match (attacked, accept) {
        (true, _) => "a listener's queue is full, by an attack: requests do not become connections",
        (false, true) => "an accept queue is full: the application does not accept fast enough",
        (false, false) => "a listener's queue of requests is full, without an attack",
    };
    let severity = if drops >= MANY { Severity::Warn } else { Severity::Notice };
    let whose = busiest.map_or_else(String::new, |service| format!(" (likely {service})"));
    let mut sign = Sign::new(Aggregate::ListenOverflow, About::Here, severity, format!("{headline}{whose}"));
    sign.amount = n;
    let mut say = |n: u64, name: &str, what: &str| {
        if n > 0 {
            sign.reasons.push(format!("{n} {what} ({name})"));
        }
    };
    say(sum.listen_overflows, "ListenOverflows", "times the accept queue was full");
    say(
        sum.req_q_full_do_cookies,
        "TCPReqQFullDoCookies",
        "times the queue of requests was full, and cookies were sent",
    );
    say(sum.req_q_full_drop, "TCPReqQFullDrop", "requests were dropped");
    say(sum.listen_drops, "ListenDrops", "requests or connections were dropped in all");
    if sum.syncookies_sent > 0 {
        sign.reasons.push(format!("{} sent, {} came back", count(sum.syncookies_sent, "cookie"), sum.syncookies_recv));
    }
    let limits = host.limits;
    sign.reasons.push(format!(
        "limits: somaxconn {}, tcp_max_syn_backlog {}; the application's own listen() may ask for less",
        limits.somaxconn, limits.syn_backlog
    ));
    if attacked {
        sign.ruled_out.push(Not::a(Alternative::SlowApplication, "hardly any request becomes a connection"));
    } else {
        let share = percent(completion);
        let reason = format!("{share} of requests come about, whatever the kernel's log says of \"SYN flooding\"");
        sign.ruled_out.push(Not::a(Alternative::Attack, reason));
    }
    sign
}

/// The service that has come off worst since: by repeated SYN-ACKs, else by the requests that are repeated to it.
fn busiest(now: &Reading, before: &Reading) -> Option<String> {
    let repeated = now.services.iter().map(|(server, counters)| {
        let last = before.services.iter().find(|(known, _)| known == server);
        let grown = Counted::since(counters, &last.map_or([0; _], |(_, counters)| *counters));
        let first = grown.get(ServiceCounter::Syn).saturating_sub(grown.get(ServiceCounter::SynRetransmit));
        let waiting = now.sample.requests.iter().filter(|r| r.server == *server && r.repeated).count() as u64;
        (grown.get(ServiceCounter::SynAck).saturating_sub(first) + waiting, *server)
    });
    let (n, server) = repeated.max()?;
    (n > 0).then(|| server.to_string())
}
