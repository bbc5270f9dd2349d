//! Who has how much of a flood, as far as was sampled. Of addresses, that is: no flooder has to give its own.

use std::{collections::BTreeMap, net::IpAddr};

use super::flood::percent;
use crate::report::count;

/// Sources that are named.
const NAMED: usize = 16;
/// So few are told with their shares, if they have more than so much.
const FEW: usize = 4;
const MUCH: f64 = 0.1;

/// Sources, with what each has.
#[derive(Debug, Default)]
pub(super) struct Shares {
    by: BTreeMap<IpAddr, f64>,
    all: f64,
    samples: usize,
}

impl Shares {
    /// Of samples: whose each is, and how many it stands for.
    pub(super) fn of(samples: impl Iterator<Item = (IpAddr, f64)>) -> Self {
        let mut shares = Self::default();
        for (source, n) in samples {
            *shares.by.entry(source).or_default() += n;
            shares.all += n;
            shares.samples += 1;
        }
        shares
    }

    /// How many sources there are.
    pub(super) fn sources(&self) -> usize {
        self.by.len()
    }

    /// Each with its share, the most first.
    fn sorted(&self) -> Vec<(IpAddr, f64)> {
        let mut sources: Vec<_> = self.by.iter().map(|(source, n)| (*source, n / self.all)).collect();
        sources.sort_by(|(a, x), (b, y)| y.total_cmp(x).then(a.cmp(b)));
        sources
    }

    /// Some sources, those with the most first.
    pub(super) fn peers(&self) -> Vec<IpAddr> {
        self.sorted().into_iter().take(NAMED).map(|(source, _)| source).collect()
    }

    /// The largest share of one source.
    pub(super) fn most(&self) -> f64 {
        self.sorted().first().map_or(0.0, |(_, share)| *share)
    }

    /// Whose `what` they are: by name who has much, else that nobody has. Nothing where nothing was sampled.
    pub(super) fn words(&self, what: &str) -> Option<String> {
        let (sources, n) = (self.sorted(), self.sources());
        let ((first, most), others) = sources.split_first()?;
        if *most <= MUCH {
            let most = percent((most * 1000.0).ceil() / 1000.0);
            return Some(format!("{} sampled {what} have {n} sources, none of them more than {most}", self.samples));
        }
        let few = others.iter().filter(|(_, share)| *share > MUCH).take(FEW - 1);
        let few: String = few.map(|(source, share)| format!(", {source} of {}", percent(*share))).collect();
        let most = percent(*most);
        Some(format!(
            "{first} is the source of {most}{few}, by {} sampled {what} from {}",
            self.samples,
            count(n as u64, "source")
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(sources: &[(u8, f64)]) -> String {
        let samples = sources.iter().map(|(last, n)| (IpAddr::from([192, 0, 2, *last]), *n));
        Shares::of(samples).words("requests").unwrap_or_default()
    }

    #[test]
    fn who_has_much_is_named_with_its_share() {
        assert_eq!(
            told(&[(1, 1.0), (1, 1.0)]),
            "192.0.2.1 is the source of 100 %, by 2 sampled requests from 1 source"
        );
        let words = "192.0.2.7 is the source of 60 %, 192.0.2.8 of 31 %, by 3 sampled requests from 3 sources";
        assert_eq!(told(&[(9, 9.0), (8, 31.0), (7, 60.0)]), words);
        let many: Vec<_> = (1..=6).map(|last| (last, 1.0)).collect();
        let words = "192.0.2.1 is the source of 17 %, 192.0.2.2 of 17 %, 192.0.2.3 of 17 %, 192.0.2.4 of 17 %, by 6";
        assert!(told(&many).starts_with(words), "{}", told(&many));
    }

    #[test]
    fn what_is_spread_has_no_names() {
        let ten: Vec<_> = (0..10).map(|last| (last, 1.0)).collect();
        assert_eq!(told(&ten), "10 sampled requests have 10 sources, none of them more than 10 %");
        let many: Vec<_> = (0..200).flat_map(|_| (0..250).map(|last| (last, 1.0))).collect();
        assert_eq!(told(&many), "50000 sampled requests have 250 sources, none of them more than 0.4 %");
        assert_eq!(told(&[]), "");
    }

    #[test]
    fn a_sample_counts_for_what_it_stands_for() {
        // One CPU's 64 of 64,000, another's 64 of 64.
        let two: Vec<_> = (0..64).flat_map(|_| [(1, 1000.0), (2, 1.0)]).collect();
        assert!(told(&two).starts_with("192.0.2.1 is the source of 100 %, by 128"), "{}", told(&two));
    }
}
