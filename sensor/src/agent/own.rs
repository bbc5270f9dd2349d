//! Which of the resets that leave are the stack's own: what the kernel says, joined with findings by addresses, ports and time.
//!
//! That a reset is *not* the stack's is claimed only where nothing else can be: its source is an address of this namespace, none of
//! the machine's stacks sent any reset at that time, also not one that address translation could have made into this, and none was
//! missed.

use std::{
    collections::{BTreeMap, HashSet, VecDeque},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    ptr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use sensor_common::event::{Event, Hook};

use super::monotonic;
use crate::{
    kernel::{OwnResets, Sent},
    report::{Cast, Word},
};

/// Nanoseconds that may lie between the reset and the kernel's word: it says some before and some after they leave.
const APART: u64 = 100_000_000;
/// Any other reset that is so near, in nanoseconds, may have been translated into this one.
const NEAR: u64 = 20_000_000;
/// After so many nanoseconds the kernel's word has come, if it comes.
const SAID: u64 = 50_000_000;
/// Resets that are remembered, and for how many nanoseconds.
const KEPT: usize = 16_384;
const MEMORY: u64 = 10_000_000_000;

/// What was heard lately.
#[derive(Debug, Default)]
struct Ledger {
    sent: VecDeque<Sent>,
    /// Before this some may be missing.
    sure_from: u64,
}

/// What there is to say of a reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Own(u32),
    Elsewhere(u32),
    Nobody,
    Unknown,
}

impl Ledger {
    /// Notes a reset; the oldest are forgotten.
    fn note(&mut self, sent: Sent) {
        if self.sent.len() == KEPT
            && let Some(oldest) = self.sent.pop_front()
        {
            self.sure_from = self.sure_from.max(oldest.time + 1);
        }
        self.sent.push_back(sent);
    }

    /// Forgets what is too old to be asked for at `now`.
    fn forget(&mut self, now: u64) {
        let over = now.saturating_sub(MEMORY);
        let gone = self.sent.iter().take_while(|sent| sent.time < over).count();
        self.sent.drain(..gone);
        self.sure_from = self.sure_from.max(over);
    }

    /// Who sent the reset from `src` to `dst` at `time`.
    fn judge(&self, src: SocketAddr, dst: SocketAddr, time: u64) -> Verdict {
        let near = || self.sent.iter().filter(|sent| sent.time.abs_diff(time) <= APART);
        // Of several that fit, the latest: of a socket that answers twice, the first word was the first reset's.
        let find =
            |fits: &dyn Fn(&Sent) -> bool| near().filter(|sent| fits(sent)).min_by_key(|sent| sent.time.abs_diff(time));
        // A listener answers for its port and names no peer.
        let unnamed = |end: &SocketAddr| end.port() == 0;
        let own = find(&|sent: &Sent| {
            sent.ends.contains(&src) && (sent.ends.contains(&dst) || sent.ends.iter().any(unnamed))
        });
        let elsewhere = find(&|sent: &Sent| sent.ends.contains(&dst));
        let strange = near().any(|sent| sent.time.abs_diff(time) <= NEAR);
        match (own, elsewhere) {
            (Some(sent), _) => Verdict::Own(sent.reason),
            (None, Some(sent)) => Verdict::Elsewhere(sent.reason),
            (None, None) if strange || time.saturating_sub(NEAR) < self.sure_from => Verdict::Unknown,
            (None, None) => Verdict::Nobody,
        }
    }
}

/// The kernel's word, for who reports.
#[derive(Clone)]
pub(super) struct Own {
    heard: Arc<Mutex<(OwnResets, Ledger)>>,
    reasons: Arc<BTreeMap<u32, String>>,
    addresses: Arc<HashSet<IpAddr>>,
}

impl Own {
    /// Listens from now on.
    pub(super) fn of(resets: OwnResets) -> Self {
        let reasons = Arc::new(resets.reasons().clone());
        let ledger = Ledger { sure_from: monotonic(), ..Ledger::default() };
        Self { heard: Arc::new(Mutex::new((resets, ledger))), reasons, addresses: Arc::new(addresses()) }
    }

    /// Takes in what was said, which must happen every second or so.
    pub(super) fn listen(&self) {
        drop(self.heard_now());
    }

    fn heard_now(&self) -> MutexGuard<'_, (OwnResets, Ledger)> {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let (resets, ledger) = &mut *heard;
        let all = resets.take(|sent| ledger.note(sent));
        let now = monotonic();
        ledger.forget(now);
        if !all {
            ledger.sure_from = now;
        }
        heard
    }

    /// What the kernel says of an event, if that is a reset that left.
    pub(super) fn word(&self, event: &Event) -> Option<Word<'_>> {
        if !event.is_reset() || event.hook() != Hook::Egress {
            return None;
        }
        let cast = Cast::of_key(&event.flow.head.key, None, None);
        let (src, dst) = (cast.end(event.side()), cast.end(event.side().other()));
        let local = self.addresses.contains(&src.ip());
        let mut verdict = self.heard_now().1.judge(src, dst, event.time);
        if verdict == Verdict::Nobody {
            if !local {
                return None;
            }
            // It may be about to say it. Resets that nobody sent are rare, and it waits once for each at the most.
            let left = (event.time + SAID).saturating_sub(monotonic());
            if left > 0 {
                std::thread::sleep(Duration::from_nanos(left.min(SAID)));
                verdict = self.heard_now().1.judge(src, dst, event.time);
            }
        }
        let name = |reason: u32| self.reasons.get(&reason).map_or("NOT_SPECIFIED", String::as_str);
        match verdict {
            Verdict::Own(reason) if local => Some(Word::Own(name(reason))),
            // Routed or bridged through: a container's, say.
            Verdict::Own(reason) => Some(Word::Elsewhere(name(reason))),
            Verdict::Elsewhere(reason) => Some(Word::Elsewhere(name(reason))),
            Verdict::Nobody => Some(Word::Foreign),
            Verdict::Unknown => None,
        }
    }
}

/// The addresses of this namespace as of now. Those that come later are not claimed to be this host's; what is routed or bridged
/// through has others, and is nobody's business here.
fn addresses() -> HashSet<IpAddr> {
    let mut list = ptr::null_mut();
    // SAFETY: a place to write a list to, which is given back below.
    if unsafe { libc::getifaddrs(&mut list) } != 0 {
        return HashSet::new();
    }
    let mut all = HashSet::new();
    let mut next = list;
    // SAFETY: the list is the C library's until it is given back.
    while let Some(entry) = unsafe { next.as_ref() } {
        // SAFETY: an entry's address is as large as its family has it, if there is one.
        all.extend(unsafe { address(entry.ifa_addr) });
        next = entry.ifa_next;
    }
    // SAFETY: the list from above, which nothing refers to any more.
    unsafe { libc::freeifaddrs(list) };
    all
}

/// # Safety
///
/// What is pointed to, if anything, is as large as its family has it.
unsafe fn address(of: *const libc::sockaddr) -> Option<IpAddr> {
    // SAFETY: every address begins with its family.
    match i32::from(unsafe { of.as_ref() }?.sa_family) {
        libc::AF_INET => {
            // SAFETY: of that family.
            let v4 = unsafe { *of.cast::<libc::sockaddr_in>() };
            Some(Ipv4Addr::from_bits(u32::from_be(v4.sin_addr.s_addr)).into())
        }
        libc::AF_INET6 => {
            // SAFETY: of that family.
            let v6 = unsafe { *of.cast::<libc::sockaddr_in6>() };
            Some(Ipv6Addr::from(v6.sin6_addr.s6_addr).into())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 60_000_000_000;

    fn end(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    fn sent(time: u64, ends: [&str; 2]) -> Sent {
        Sent { time, ends: ends.map(end), reason: 7 }
    }

    fn judge(all: &[Sent]) -> Verdict {
        let mut ledger = Ledger::default();
        all.iter().for_each(|sent| ledger.note(*sent));
        ledger.judge(end("10.0.0.1:80"), end("192.0.2.9:4000"), NOW)
    }

    #[test]
    fn whoever_sent_it_is_found_in_either_order_and_without_a_peer() {
        for ends in [["10.0.0.1:80", "192.0.2.9:4000"], ["192.0.2.9:4000", "10.0.0.1:80"], ["10.0.0.1:80", "0.0.0.0:0"]]
        {
            assert_eq!(judge(&[sent(NOW - 50_000, ends)]), Verdict::Own(7), "{ends:?}");
            assert_eq!(judge(&[sent(NOW + 50_000, ends)]), Verdict::Own(7), "{ends:?}");
            assert_eq!(judge(&[sent(NOW - 2 * APART, ends)]), Verdict::Nobody, "long before");
        }
    }

    #[test]
    fn what_translation_may_have_made_is_nobodys_fault() {
        assert_eq!(judge(&[sent(NOW, ["172.17.0.2:80", "192.0.2.9:4000"])]), Verdict::Elsewhere(7), "a container's");
        assert_eq!(judge(&[sent(NOW, ["172.17.0.2:80", "10.0.0.1:61000"])]), Verdict::Unknown, "both ends translated");
        assert_eq!(judge(&[]), Verdict::Nobody);
    }

    #[test]
    fn what_may_have_been_missed_is_not_claimed() {
        let mut ledger = Ledger { sure_from: NOW - NEAR / 2, ..Ledger::default() };
        let verdict = |ledger: &Ledger, time| ledger.judge(end("10.0.0.1:80"), end("192.0.2.9:4000"), time);
        assert_eq!(verdict(&ledger, NOW), Verdict::Unknown);
        assert_eq!(verdict(&ledger, NOW + APART), Verdict::Nobody);
        for n in 0..KEPT as u64 + 1 {
            ledger.note(sent(NOW + 10 * APART + n, ["10.0.0.9:1", "10.0.0.9:2"]));
        }
        assert_eq!(ledger.sent.len(), KEPT, "bounded");
        assert_eq!(verdict(&ledger, NOW + APART), Verdict::Unknown, "the first was pushed out");
        ledger.forget(NOW + 20 * MEMORY);
        assert!(ledger.sent.is_empty());
    }

    #[test]
    fn addresses_of_this_host_are_known() {
        let all = addresses();
        assert!(all.contains(&IpAddr::from([127, 0, 0, 1])), "{all:?}");
        assert!(!all.contains(&IpAddr::from([192, 0, 2, 77])));
    }
}
