//! What ethtool knows of an interface: its driver, and what the card does by itself.

use std::{collections::BTreeSet, os::fd::AsRawFd as _};

use super::{
    ioctl::{about, socket},
    netlink::text,
};

// From linux/ethtool.h.
const GET_DRIVER: u32 = 0x03;
const GET_STRINGS: u32 = 0x1b;
const GET_SET_INFO: u32 = 0x37;
const GET_FEATURES: u32 = 0x3a;
/// The set of the features' names, and how long a name may be.
const FEATURES: u32 = 4;
const NAME: usize = 32;
/// More features than any kernel has.
const MOST: u32 = 1024;

/// The driver of pairs of interfaces, whose packets meet no wire.
pub(crate) const VETH: &str = "veth";

/// The driver, as `ethtool -i` shows it.
pub(crate) fn driver(name: &str) -> Option<String> {
    // `struct ethtool_drvinfo`, whose driver follows the request's number.
    let mut info = [0u32; 49];
    info[0] = GET_DRIVER;
    ask(name, &mut info)?;
    let bytes: Vec<u8> = info[1..9].iter().flat_map(|word| word.to_ne_bytes()).collect();
    Some(text(&bytes)).filter(|driver| !driver.is_empty())
}

/// The features that are switched on, by the names of `ethtool -k` in the kernel.
pub(crate) fn features(name: &str) -> Option<BTreeSet<String>> {
    // Request, reserved, a mask of sets in 64 bits, then the number of names in the set asked for.
    let mut info = [GET_SET_INFO, 0, 1 << FEATURES, 0, 0];
    ask(name, &mut info)?;
    let count = info[4].min(MOST);
    let mut strings = vec![0u32; 3 + count as usize * NAME / 4];
    strings[..3].copy_from_slice(&[GET_STRINGS, FEATURES, count]);
    ask(name, &mut strings)?;
    // For each 32 of them: available, requested, active, never changed.
    let blocks = count.div_ceil(32);
    let mut features = vec![0u32; 2 + 4 * blocks as usize];
    features[..2].copy_from_slice(&[GET_FEATURES, blocks]);
    ask(name, &mut features)?;
    let names: Vec<u8> = strings[3..].iter().flat_map(|word| word.to_ne_bytes()).collect();
    let active = |bit: usize| features.get(2 + 4 * (bit / 32) + 2).is_some_and(|word| word >> (bit % 32) & 1 != 0);
    Some(names.chunks(NAME).enumerate().filter(|(bit, _)| active(*bit)).map(|(_, name)| text(name)).collect())
}

/// Asks something whose answer lies in the request.
fn ask(name: &str, request: &mut [u32]) -> Option<()> {
    let socket = socket()?;
    let mut asked = about(name);
    asked.ifr_ifru.ifru_data = request.as_mut_ptr().cast();
    // SAFETY: the request is as long as what it asks for, and outlives the call.
    let done = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCETHTOOL as _, &raw mut asked) };
    (done == 0).then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_has_features_and_nobody_else() {
        // The loopback has no driver to ask, but cuts segments by itself.
        let features = features("lo").expect("features");
        assert!(features.contains("tx-tcp-segmentation"), "{features:?}");
        assert_eq!(driver("nosuch0"), None);
        assert_eq!(super::features("nosuch0"), None);
    }
}
