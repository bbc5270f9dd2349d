//! When exactly each piece of evidence is found. Ids and weights are those of the engine's own table.

use sensor_common::detect::Evidence;

/// The condition of a piece.
pub(super) fn condition(piece: Evidence) -> Option<&'static str> {
    CONDITIONS.iter().find(|(bit, _)| *bit == piece).map(|(_, condition)| *condition)
}

const CONDITIONS: &[(Evidence, &str)] = &[
    (Evidence::TTL_RST, "a reset at least 2 hops off the baseline"),
    (Evidence::TTL_WEAK, "exactly 1 hop off; or 2 and more against a baseline of two segments"),
    (Evidence::TTL_FIN, "a FIN at least 2 hops off the baseline"),
    (Evidence::TTL_DATA, "any other segment at least 2 hops off the baseline"),
    (Evidence::TTL_SYNACK, "a SYN-ACK at least 2 hops off the baseline"),
    (Evidence::TTL_ADJACENT, "from another distance, at most 1 hop away, where the side is at least 2 away"),
    (
        Evidence::TTL_MIRROR,
        "our own TTL less twice a number of hops: a box that answers with the TTL our packet had left",
    ),
    (
        Evidence::WIN_MIRROR,
        "the raw window is the other side's last, none of the side's last four, and uncommon: not 0, 512, 1024, 8192, 65535",
    ),
    (
        Evidence::WIN_UNSCALED,
        "scaling was agreed; a usual initial window (5840, 8192, 29200, 64240, 65535), over 4 times the largest before",
    ),
    (Evidence::IPID_JUMP, "IPv4: the side's IP-ID is a counter, this one is over 1000 off. Not in socketless resets"),
    (Evidence::IPID_DUP, "IPv4: not 0, and the same as the last of either side"),
    (Evidence::TOO_FAST, "after less than half the round trip, of 2 ms or more, and it can be nothing but an answer"),
    (Evidence::NONCONFORMING, "a shape that no stack makes here"),
    (
        Evidence::SEQ_CHANGE,
        "another reset in 2 s, ahead of the last and of all sent and acknowledged; no FIN, none back",
    ),
    (Evidence::ACK_CHANGE, "another reset within 2 s, both with ACK, that disagrees, and one of the two is impossible"),
    (Evidence::CARRIED_ON, "the side went on with payload, or a FIN, beyond its reset"),
    (
        Evidence::STALE_SEQ,
        "points into bytes acknowledged before, at none of the last acknowledgments; no FIN of the side",
    ),
    (Evidence::TOS_DF, "DSCP or IPv6 flow label of neither side, or another DF (IPv4). Not in socketless resets"),
    (Evidence::TS_MISSING, "both sides offered timestamps, and it has none. Not in socketless resets"),
    (Evidence::L2_ORIGIN, "another source MAC address than the side's (compared as one byte)"),
    (Evidence::SYNACK_ISN, "a second SYN-ACK to the same SYN with another initial sequence number"),
    (
        Evidence::DUP_CONTENT,
        "payload with the same start came again from another distance, with another length, too soon for a retransmission",
    ),
    (Evidence::DATA_AFTER_FIN, "two bytes or more of new payload beyond the side's FIN"),
    (Evidence::TTL_INITIAL, "a reset with a live socket's numbers: as many hops, from another initial TTL"),
    (Evidence::LINUX_STATELESS, "without a socket, window 0, no options, no payload, and for IPv4 DF with IP-ID 0"),
    (Evidence::AFTER_FIN, "after a FIN, at the side's own distance, with exact numbers"),
    (Evidence::SAME_DISTANCE, "without a socket, as many hops from another initial TTL: the same host, other code"),
];
