//! What the host's own TCP counts, and its limits: where the sensor runs on the host that it watches.

use std::ops::RangeInclusive;

/// Of one moment; counters go on from the host's start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostReading {
    /// `TcpExt` of `/proc/net/netstat`.
    pub ext: TcpExt,
    /// The kernel's limits.
    pub limits: Limits,
}

/// Counters of the listening sockets, as `nstat` names them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TcpExt {
    /// Connections that found the accept queue full.
    pub listen_overflows: u64,
    /// Requests and connections that a listener dropped, for whichever reason.
    pub listen_drops: u64,
    /// Times that a full queue of requests was answered with SYN cookies.
    pub req_q_full_do_cookies: u64,
    /// Requests dropped by a full queue.
    pub req_q_full_drop: u64,
    /// Cookies sent.
    pub syncookies_sent: u64,
    /// Valid cookies that came back.
    pub syncookies_recv: u64,
}

impl TcpExt {
    /// From the text of `/proc/net/netstat`: a line of names, then one of numbers. What a kernel does not have is 0.
    pub fn parse(netstat: &str) -> Option<Self> {
        let mut lines = netstat.lines().filter_map(|line| line.strip_prefix("TcpExt:"));
        let (names, numbers) = (lines.next()?, lines.next()?);
        let mut ext = Self::default();
        for (name, number) in names.split_whitespace().zip(numbers.split_whitespace()) {
            let place = match name {
                "ListenOverflows" => &mut ext.listen_overflows,
                "ListenDrops" => &mut ext.listen_drops,
                "TCPReqQFullDoCookies" => &mut ext.req_q_full_do_cookies,
                "TCPReqQFullDrop" => &mut ext.req_q_full_drop,
                "SyncookiesSent" => &mut ext.syncookies_sent,
                "SyncookiesRecv" => &mut ext.syncookies_recv,
                _ => continue,
            };
            // Some counters of that table are signed; these never go below 0.
            *place = number.parse().ok()?;
        }
        Some(ext)
    }

    /// What was counted since.
    pub(super) const fn since(&self, before: &Self) -> Self {
        Self {
            listen_overflows: self.listen_overflows.saturating_sub(before.listen_overflows),
            listen_drops: self.listen_drops.saturating_sub(before.listen_drops),
            req_q_full_do_cookies: self.req_q_full_do_cookies.saturating_sub(before.req_q_full_do_cookies),
            req_q_full_drop: self.req_q_full_drop.saturating_sub(before.req_q_full_drop),
            syncookies_sent: self.syncookies_sent.saturating_sub(before.syncookies_sent),
            syncookies_recv: self.syncookies_recv.saturating_sub(before.syncookies_recv),
        }
    }

    /// Both together.
    pub(super) const fn and(&self, other: &Self) -> Self {
        Self {
            listen_overflows: self.listen_overflows + other.listen_overflows,
            listen_drops: self.listen_drops + other.listen_drops,
            req_q_full_do_cookies: self.req_q_full_do_cookies + other.req_q_full_do_cookies,
            req_q_full_drop: self.req_q_full_drop + other.req_q_full_drop,
            syncookies_sent: self.syncookies_sent + other.syncookies_sent,
            syncookies_recv: self.syncookies_recv + other.syncookies_recv,
        }
    }
}

/// Limits of the host's network namespace; the defaults of Linux where nothing is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// `net.core.somaxconn`: the longest accept queue that a listener may ask for, and with it its queue of requests.
    pub somaxconn: u32,
    /// `net.ipv4.tcp_max_syn_backlog`.
    pub syn_backlog: u32,
    /// `net.ipv4.ip_local_port_range`: the first and the last.
    pub ports: [u16; 2],
    /// `net.ipv4.tcp_tw_reuse` is 1: ports in TIME_WAIT are used again where timestamps allow it.
    pub tw_reuse: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self { somaxconn: 4096, syn_backlog: 4096, ports: [32_768, 60_999], tw_reuse: false }
    }
}

impl Limits {
    /// From the texts of `somaxconn`, `tcp_max_syn_backlog`, `ip_local_port_range` and `tcp_tw_reuse` below `/proc/sys/net`; the default
    /// for each that is none.
    pub fn parse([somaxconn, syn_backlog, ports, tw_reuse]: [&str; 4]) -> Self {
        let default = Self::default();
        let mut range = ports.split_whitespace().map(str::parse);
        let range = match (range.next(), range.next()) {
            (Some(Ok(first)), Some(Ok(last))) if first <= last => [first, last],
            _ => default.ports,
        };
        Self {
            somaxconn: somaxconn.trim().parse().unwrap_or(default.somaxconn),
            syn_backlog: syn_backlog.trim().parse().unwrap_or(default.syn_backlog),
            ports: range,
            tw_reuse: tw_reuse.trim() == "1",
        }
    }

    pub(super) const fn range(&self) -> RangeInclusive<u16> {
        self.ports[0]..=self.ports[1]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn netstat_is_read_by_name() {
        let text =
            "TcpExt: SyncookiesSent ListenOverflows Later ListenDrops\nTcpExt: 7 3 -1 4\nIpExt: InOctets\nIpExt: 9\n";
        let expected = TcpExt { syncookies_sent: 7, listen_overflows: 3, listen_drops: 4, ..TcpExt::default() };
        assert_eq!(TcpExt::parse(text), Some(expected));
        for damaged in ["", "TcpExt: ListenDrops\n", "TcpExt: ListenDrops\nTcpExt: many\n"] {
            assert_eq!(TcpExt::parse(damaged), None, "{damaged:?}");
        }
    }

    #[test]
    fn limits_fall_back_to_the_usual_ones() {
        let limits = Limits::parse(["128\n", "256\n", "1024\t2047\n", "1\n"]);
        assert_eq!(limits, Limits { somaxconn: 128, syn_backlog: 256, ports: [1024, 2047], tw_reuse: true });
        assert_eq!(Limits::parse(["", "x", "9 8", "2"]), Limits::default());
    }
}
