//! The mixes of traffic: what is fed, what the sensor must have counted after it, and what it is called.

use anyhow::{Result, ensure};
use sensor_common::config::{Config, FIXED_HASH_KEYS};
use sensor_common::counters::{Counter, Cpu};
use sensor_common::table::WAYS;

use super::RING;
use super::traffic::{Layout, Traffic, struck};

/// Slots of the table in the mixes that establish no flows, and entries of the floor's map: full after the first few packets.
const CHURN: u32 = 65_536;

/// Connections at a time, where their number is not what is looked at: they fit the caches.
const FEW: usize = 1_000;

/// One mix.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mix {
    /// Established conversations.
    Flows(usize),
    /// The same behind a VLAN tag.
    Vlan,
    /// The same in IPv6.
    Ipv6,
    /// Connections from handshake to close, always new ones.
    Churn,
    /// Established conversations, and one frame in a hundred is a forged reset.
    Struck,
    /// Frames that are not TCP.
    Other,
    /// Connection requests, each of a new flow.
    Flood,
}

/// The configuration of a live interface. Twice the flows' number of slots, rounded up.
pub(super) fn config(flows: usize, fine: bool) -> Config {
    let slots = (flows * 2).next_power_of_two().max(1024);
    // With records, as the program is larger then.
    let config = Config::live(FIXED_HASH_KEYS, (slots / WAYS) as u32 - 1, RING).with_records(RING, 2_000);
    // 1 is the fine clock only.
    if fine { Config { clock: 1, ..config } } else { config }
}

impl Mix {
    /// What stands above its column.
    pub(super) fn title(self) -> String {
        match self {
            Self::Flows(n) => flows(n),
            Self::Vlan => format!("VLAN, {}", flows(FEW)),
            Self::Ipv6 => format!("IPv6, {}", flows(FEW)),
            Self::Churn => "connections made and closed".to_owned(),
            Self::Struck => format!("1 % forged resets, {}", flows(FEW)),
            Self::Other => "not TCP".to_owned(),
            Self::Flood => "SYN flood".to_owned(),
        }
    }

    /// The sensor's configuration for it.
    pub(super) fn config(self, fine: bool) -> Config {
        match self {
            Self::Flows(n) => config(n, fine),
            Self::Vlan | Self::Ipv6 | Self::Struck => config(FEW, fine),
            Self::Churn | Self::Other | Self::Flood => config(CHURN as usize / 2, fine),
        }
    }

    /// The frames.
    pub(super) fn traffic(self, config: &Config) -> Result<Traffic> {
        match self {
            Self::Flows(n) => Traffic::established(n, Layout::PLAIN, config),
            Self::Vlan => Traffic::established(FEW, Layout::VLAN, config),
            Self::Ipv6 => Traffic::established(FEW, Layout::IPV6, config),
            Self::Churn => Ok(Traffic::churn(FEW)),
            Self::Struck => Traffic::struck(FEW, config),
            Self::Other => Ok(Traffic::other()),
            Self::Flood => Ok(Traffic::flood()),
        }
    }

    /// Connections that are established before anything is measured.
    pub(super) fn established(self) -> usize {
        match self {
            Self::Flows(n) => n,
            Self::Vlan | Self::Ipv6 | Self::Struck => FEW,
            Self::Churn | Self::Other | Self::Flood => 0,
        }
    }

    /// Of these, those that nothing may be suspected of at the end.
    pub(super) fn quiet(self) -> usize {
        self.established() - if self == Self::Struck { struck(FEW) } else { 0 }
    }

    /// Fails unless the sensor has judged `packets` frames more since `before`, all of them in the way that is to be measured.
    pub(super) fn check(self, before: &Cpu, after: &Cpu, packets: u32) -> Result<()> {
        let grown = |counter| after.get(counter) - before.get(counter);
        let packets = u64::from(packets);
        let expect = |counter: Counter, expected: u64| {
            let grown = grown(counter);
            ensure!(grown == expected, "{} counted {grown}, not {expected}: the wrong path was measured", counter.id());
            Ok(())
        };
        expect(Counter::Packets, packets)?;
        expect(Counter::Segments, if self == Self::Other { 0 } else { packets })?;
        expect(Counter::StageMissing, 0)?;
        let found = after.matched_total() - before.matched_total();
        let none = |counters: &[Counter]| counters.iter().try_for_each(|counter| expect(*counter, 0));
        let forged = match self {
            Self::Struck => packets * struck(FEW) as u64 / (2 * FEW + struck(FEW)) as u64,
            _ => 0,
        };
        if forged == 0 {
            ensure!(found == 0, "honest traffic gave {found} findings");
        } else {
            ensure!(found >= forged, "{forged} forged resets gave {found} findings");
            ensure!(after.accounted_total() == after.matched_total(), "findings were lost in silence");
        }
        match self {
            Self::Flows(_) | Self::Vlan | Self::Ipv6 | Self::Struck => {
                expect(Counter::Data, (packets - forged) / 2)?;
                expect(Counter::Rst, forged)?;
                none(&[Counter::FlowsCreated, Counter::TableFull, Counter::Syn, Counter::Fin])
            }
            Self::Churn => {
                // Nine segments: three of the handshake, two with data, one that acknowledges, three of the close.
                let connections = packets / 9;
                for counter in [Counter::Syn, Counter::SynAck, Counter::FlowsCreated, Counter::FlowsEstablished] {
                    expect(counter, connections)?;
                }
                expect(Counter::Data, connections * 2)?;
                expect(Counter::Fin, connections * 2)?;
                none(&[Counter::Rst, Counter::TableFull, Counter::Strays])
            }
            Self::Other => expect(Counter::NotTcp, packets),
            Self::Flood => {
                expect(Counter::Syn, packets)?;
                expect(Counter::FlowsCreated, packets)
            }
        }
    }
}

/// So many flows, in few characters.
pub(super) fn flows(n: usize) -> String {
    match n {
        1 => "1 flow".to_owned(),
        n if n >= 1_000_000 && n % 1_000_000 == 0 => format!("{} M flows", n / 1_000_000),
        n if n >= 1_000 && n % 1_000 == 0 => format!("{} k flows", n / 1_000),
        n => format!("{n} flows"),
    }
}
