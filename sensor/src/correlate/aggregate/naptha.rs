//! Sources that keep connections open and their windows shut, so that what is held for them stays: Naptha, Sockstress.

use std::{collections::BTreeMap, net::IpAddr};

use sensor_common::detect::Severity;

use super::{About, Aggregate, Alternative, Not, Sign, sample::Sample};

/// Connections of one source that are as many as no slow reader has.
const MANY: u32 = 20;

/// Counts shut windows, over the whole table in turns.
#[derive(Debug, Default)]
pub(super) struct Naptha(BTreeMap<IpAddr, u32>);

impl Naptha {
    /// What goes on, once the whole table has been read.
    pub(super) fn signs(&mut self, sample: &Sample) -> Vec<Sign> {
        // The sample is bounded, and so is a round of it by the table.
        for settled in sample.settled.iter().filter(|settled| settled.shut) {
            *self.0.entry(settled.client).or_default() += 1;
        }
        if !sample.round {
            return Vec::new();
        }
        let all = std::mem::take(&mut self.0).into_iter();
        all.filter(|(_, n)| *n >= MANY).map(|(source, n)| sign(source, n)).collect()
    }
}

fn sign(source: IpAddr, n: u32) -> Sign {
    let headline = format!("{source} keeps {n} connections open with their windows shut");
    let mut sign = Sign::new(Aggregate::Naptha, About::Source(source), Severity::Warn, headline);
    sign.amount = n.into();
    sign.sum = true;
    sign.peers = vec![source];
    sign.reasons.push(format!("{n} connections, a minute old and more, take next to nothing (8 bytes at most)"));
    sign.ruled_out.push(Not::a(Alternative::SlowReader, "it has one connection or a few"));
    sign
}
