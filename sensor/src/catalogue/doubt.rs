//! What the hosts of a live connection must doubt, and how they say so.

entries! {
    ChallengeAck: Info to Info, "a plain ACK answers what a live connection must doubt" {
        meaning: "A plain ACK that says nothing new answers a segment which its sender must doubt: a SYN on the live connection, a reset that is not exact, an acknowledgment out of range. A host that has no such connection resets it by the numbers of this ACK; one that has it goes on.",
        evidence: "It is the first ACK since, and came within 50 ms, or two round trips.",
        causes: &["a client that lost its state, or whose port somebody else was given", "a reset whose sender's last data was lost", "a blind attack, warded off"],
        benign: &["an ACK that repeats itself for another reason, within the same moment"],
        next: &["What it answers is told before it: start there."],
        sources: &["RFC 5961 §3.2, §4.2, §5.2", "RFC 9293 §3.10.7.4"],
    }
    ChallengeAckStorm: Warn to Warn, "more challenge ACKs than a careful host sends" {
        meaning: "More than ten challenge ACKs within 5 s: what provokes them keeps coming, and their sender does not limit them.",
        evidence: "Eleven challenge ACKs of the flow within 5 s; the count starts anew then.",
        causes: &["a blind attack that tries one number after another", "a client, or a box before it, that keeps asking on a port which is in use"],
        benign: &["up to ten within 5 s: the limit that RFC 5961 proposes; Linux sends one in 500 ms"],
        next: &["What provokes them? `rfc5961-syn-on-est`, `rfc5961-rst-inwindow` and `rfc5961-ack-range` of the same flow name it.", "Does its sender limit them (Linux: net.ipv4.tcp_invalid_ratelimit, tcp_challenge_ack_limit)?"],
        sources: &["RFC 5961 §7"],
    }
    AckLoop: Warn to Warn, "ACKs that answer one another" {
        meaning: "The two sides answer each other's ACKs by the same ACKs, again and again: they no longer agree on where the stream stands.",
        evidence: "Twenty plain ACKs in a row, from either side in turn, each a repetition of its side's last one, each within two round trips.",
        causes: &["somebody has injected data into the connection (hijacking)", "one side is a half-open remnant of an older connection", "a box that rewrites sequence numbers has lost count"],
        benign: &["duplicate ACKs after a loss: they answer data", "keep-alives and window probes with their answers", "ACKs that change the window"],
        next: &["Compare captures of both ends: which bytes has one of them acknowledged that the other never sent?", "End it: one of the two has to reset."],
        sources: &["RFC 1337, H2", "Joncheray, A simple active attack against TCP (1995)"],
    }
    Rfc5961AckRange: Info to Warn, "an acknowledgment far from its sender's others" {
        meaning: "A segment acknowledged what is more than a window from what its sender acknowledged before, and its sender's next segment went on as before: somebody else made it, who does not know the connection's numbers.",
        evidence: "The acknowledgment lies more than the sender's largest window ahead of, or behind, its last one; its sequence number is plausible; the next segment takes it back. Nothing is learnt from it. Warn with payload, notice for a plain ACK ahead, info for one behind.",
        causes: &["blind injection of data: the forger has to guess the acknowledgment (RFC 5961 §5)", "a box that confuses two connections"],
        benign: &["a segment of old numbers that was on its way for long", "segments that this sensor missed: the next one agrees then", "a connection whose handshake was not seen: its windows are unknown"],
        next: &["Where does it come from: TTL, IP-ID, interface, against the sender's others?", "Did the receiver take the payload? RFC 5961 wants it discarded and challenged."],
        sources: &["RFC 5961 §5.2", "RFC 9293 §3.10.7.4"],
    }
}
