//! The connections of an incident that is of many together, and has no findings: as their records tell of them.

use std::{
    io::{self, Write},
    net::{IpAddr, SocketAddr},
};

use serde_json::Value;

use super::clean;
use crate::{
    correlate::{About, View},
    store::{Found, Reader, StoreError},
};

/// Their records, answered ones first, at most `limit`; none where an incident is not about anybody.
pub(super) fn of(reader: &Reader, found: &Found, view: &View, limit: usize) -> Result<Vec<Value>, StoreError> {
    let (client, server): (Option<IpAddr>, Option<SocketAddr>) = match view.about {
        About::Source { address, .. } => (Some(address), None),
        About::Client { address, server, .. } => (Some(address), Some(server)),
        About::Service { server, .. } => (None, Some(server)),
        About::Device { .. } | About::Here { .. } => return Ok(Vec::new()),
    };
    let records = reader.records(found, client, server, limit)?;
    let read = |record: String| {
        let mut record = serde_json::from_str(&record).unwrap_or_default();
        clean(&mut record);
        record
    };
    Ok(records.into_iter().map(read).collect())
}

/// A record in a line, in the manner of `--records`.
pub(super) fn line(out: &mut impl Write, record: &Value) -> io::Result<()> {
    let text = |field: &str| record[field].as_str().unwrap_or("?");
    let end = |side: &str| {
        let address = text(&format!("{side}_addr"));
        let port = record[format!("{side}_port")].as_u64().unwrap_or_default();
        if address.contains(':') { format!("[{address}]:{port}") } else { format!("{address}:{port}") }
    };
    let sent = |side: &str| {
        let number = |field| record[side][field].as_u64().unwrap_or_default();
        format!("{} / {} B", number("segments"), number("bytes"))
    };
    let (time, ended, state, history) = (text("time"), text("ended"), text("conn_state"), text("history"));
    let (client, server) = (end("client"), end("server"));
    write!(out, "{time} FLOW   {ended:<19} {client} > {server}  {state} {history}")?;
    writeln!(out, "  sent {}, answered {}", sent("client"), sent("server"))
}
