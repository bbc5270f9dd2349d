//! What lies where in the tracepoint's record, from the kernel's own description of it.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    ops::Range,
};

use sensor_common::own::{OwnReset, RECORD};

use super::Sent;

/// A socket address takes so many bytes there.
const ADDRESS: usize = 28;

/// Where to look, and what the numbers mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Format {
    ends: [Range<usize>; 2],
    reason: Range<usize>,
    pub(super) reasons: BTreeMap<u32, String>,
}

impl Format {
    /// Reads a tracepoint's `format`; none if it is not as expected.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let field = |name: &str, size: usize| {
            let named = |line: &&str| {
                let declared = line.trim().strip_prefix("field:").and_then(|rest| rest.split(';').next());
                declared.and_then(|declared| declared.rsplit([' ', '*']).next()?.split('[').next()) == Some(name)
            };
            let line = text.lines().find(named)?;
            let offset = number(line, "offset:")?;
            (number(line, "size:")? == size && offset + size <= RECORD).then_some(offset..offset + size)
        };
        let ends = [field("saddr", ADDRESS)?, field("daddr", ADDRESS)?];
        let reason = field("reason", 4)?;
        // The last list of names is that of the reasons.
        let names = text.rsplit_once("__print_symbolic(REC->reason,")?.1;
        let pairs = names.split('{').skip(1).filter_map(|pair| {
            let (n, name) = pair.split('}').next()?.split_once(',')?;
            Some((n.trim().parse().ok()?, name.trim().trim_matches('"').to_owned()))
        });
        Some(Self { ends, reason, reasons: pairs.collect() }).filter(|format| !format.reasons.is_empty())
    }

    pub(super) fn read(&self, own: &OwnReset) -> Option<Sent> {
        let [a, b] = &self.ends;
        let ends = [address(own.record.get(a.clone())?)?, address(own.record.get(b.clone())?)?];
        let reason = u32::from_ne_bytes(own.record.get(self.reason.clone())?.try_into().ok()?);
        Some(Sent { time: own.time, ends, reason })
    }
}

fn number(line: &str, label: &str) -> Option<usize> {
    line.split_once(label)?.1.split(';').next()?.trim().parse().ok()
}

/// A `sockaddr_in` or `sockaddr_in6`; IPv4 within IPv6 becomes plain.
fn address(bytes: &[u8]) -> Option<SocketAddr> {
    let family = u16::from_ne_bytes(bytes.get(..2)?.try_into().ok()?);
    let port = u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?);
    let address: IpAddr = match i32::from(family) {
        libc::AF_INET => Ipv4Addr::from(<[u8; 4]>::try_from(bytes.get(4..8)?).ok()?).into(),
        libc::AF_INET6 => Ipv6Addr::from(<[u8; 16]>::try_from(bytes.get(8..24)?).ok()?).to_canonical(),
        _ => return None,
    };
    Some(SocketAddr::new(address, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Linux 6.18.
    const FORMAT: &str = r#"name: tcp_send_reset
ID: 2280
format:
	field:unsigned short common_type;	offset:0;	size:2;	signed:0;
	field:int common_pid;	offset:4;	size:4;	signed:1;

	field:const void * skbaddr;	offset:8;	size:8;	signed:0;
	field:int state;	offset:24;	size:4;	signed:1;
	field:enum sk_rst_reason reason;	offset:28;	size:4;	signed:0;
	field:__u8 saddr[28];	offset:32;	size:28;	signed:0;
	field:__u8 daddr[28];	offset:60;	size:28;	signed:0;

print fmt: "state=%s reason=%s", __print_symbolic(REC->state, { 1, "TCP_ESTABLISHED" }), __print_symbolic(REC->reason, { 0, "NOT_SPECIFIED" }, { 1, "NO_SOCKET" }, { 11, "TCP_ABORT_ON_CLOSE" })
"#;

    #[test]
    fn the_kernels_description_is_read() {
        let format = Format::parse(FORMAT).expect("a format");
        assert_eq!((format.ends.clone(), format.reason.clone()), ([32..60, 60..88], 28..32));
        let reasons: Vec<_> = format.reasons.iter().map(|(n, name)| (*n, name.as_str())).collect();
        assert_eq!(reasons, [(0, "NOT_SPECIFIED"), (1, "NO_SOCKET"), (11, "TCP_ABORT_ON_CLOSE")]);
    }

    #[test]
    fn older_kernels_and_nonsense_have_none() {
        assert_eq!(Format::parse(&FORMAT.replace(" reason;", " other;")), None, "before 6.10");
        assert_eq!(Format::parse(&FORMAT.replace("offset:60", "offset:6000")), None, "beyond what is kept");
        assert_eq!(Format::parse(&FORMAT.replace("size:28", "size:4")), None, "addresses of another kind");
        assert_eq!(Format::parse(FORMAT.split("print fmt").next().unwrap_or_default()), None);
        assert_eq!(Format::parse(""), None);
    }

    #[test]
    fn a_record_is_both_ends_and_a_reason() {
        let format = Format::parse(FORMAT).expect("a format");
        let mut record = [0; RECORD];
        record[28] = 11;
        record[32..34].copy_from_slice(&(libc::AF_INET as u16).to_ne_bytes());
        record[34..40].copy_from_slice(&[0x1f, 0x90, 10, 0, 0, 1]);
        record[60..62].copy_from_slice(&(libc::AF_INET6 as u16).to_ne_bytes());
        record[62..64].copy_from_slice(&[0x9c, 0x40]);
        record[68..84].copy_from_slice(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 7]);
        let sent = format.read(&OwnReset { time: 5, record }).expect("an address");
        assert_eq!(sent.ends.map(|end| end.to_string()), ["10.0.0.1:8080", "192.0.2.7:40000"]);
        assert_eq!(sent.reason, 11);
        assert_eq!(format.read(&OwnReset { time: 5, record: [0; RECORD] }), None, "of no family");
    }
}
