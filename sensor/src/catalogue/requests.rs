//! Requests that are more than plain, and ports in TIME_WAIT: what became of them.

entries! {
    SynSentRstLoop: Warn to Warn, "SYN, old numbers, reset, and round again" {
        meaning: "The client asks, a plain ACK with an older connection's numbers answers, the client rejects it by a reset, and asks again: for the third time or more. A reset with these numbers clears what the other side remembers; so it does not arrive, or is not accepted there.",
        evidence: "Three resets of a client that has said nothing but SYN, and three SYNs. Told beside `rst-synsent`.",
        causes: &["a firewall or address translator that drops the client's resets, or rewrites their numbers", "a load balancer that sends SYN and reset to different machines", "the plain ACKs come from somebody else than the server"],
        benign: &["once or twice: `syn-bare-ack-stale` says what that is", "copies of one ACK, each rejected: there is no new SYN between"],
        next: &["Capture at the server: do the client's resets arrive, and with these numbers?", "Until that is found, use another client port or address: it is not remembered."],
        sources: &["RFC 9293 §3.10.7.3", "RFC 5961 §4.2", "Ask Wireshark, question 64076 (2017)"],
    }
    TwAssassination: Info to Info, "a reset ends TIME_WAIT" {
        meaning: "Both sides have closed, and all is acknowledged; the reset comes upon the receiver's TIME_WAIT, and where that is not protected it ends there. The ports are free at once, and late segments of the old connection may then disturb a new one.",
        evidence: "Both FINs are acknowledged, the reset's receiver closed first, and the reset has exactly the number that it waits for. Told beside the reset's anatomy, in place of `rst-instead-of-lastack`.",
        causes: &["a late or repeated ACK that came upon the other side's closed socket", "an application or a box that resets to be sure"],
        benign: &["nothing is lost: the connection is over", "a reset in place of the last ACK is `rst-instead-of-lastack`"],
        next: &["Nothing, unless ports are used again at once: then net.ipv4.tcp_rfc1337=1 protects TIME_WAIT on Linux."],
        sources: &["RFC 1337", "RFC 9293 §3.10.7.4"],
    }
    TwReuseRefused: Notice to Warn, "a port in TIME_WAIT is used again, and refused" {
        meaning: "The server keeps the last connection of these ports in TIME_WAIT, and the new SYN has nothing that shows it to be newer: its number is not above the old connection's, and neither is its timestamp, or there is none. So it is refused.",
        evidence: "The server closed first, within 240 s; the SYN's number and timestamp against the client's last. Warn if a plain ACK with the old numbers answers, beside `syn-bare-ack-stale-confirmed`; notice if nothing has answered three SYNs, beside `syn-retry-profile`.",
        causes: &["an address translator that gives one port to several clients, whose clocks differ", "a client with random initial numbers and without timestamps", "ports that are used again faster than TIME_WAIT ends"],
        benign: &["a higher number or a newer timestamp: such a SYN is accepted, see `tw-reuse-ok`", "old numbers of a connection that the client closed first: the server is not in TIME_WAIT"],
        next: &["Which device gives out the ports: how long before it uses one again?", "Turn timestamps on at the clients, where they are off; behind a translator let it keep ports longer.", "Let the clients close first, so that TIME_WAIT is theirs."],
        sources: &["RFC 6191", "RFC 9293 §3.6.1", "RFC 1122 §4.2.2.13"],
    }
    EcnSynDrop: Notice to Notice, "SYNs with ECN vanish, without it they are answered" {
        meaning: "A SYN with ECN was not answered, and the retry without it was; and so it is with nearly all of the service's others.",
        evidence: "The same initial number, without ECN; less than 20 % of the service's handshakes with ECN work, of 5 or more.",
        causes: &["a firewall that drops SYNs with ECE and CWR"],
        benign: &["a SYN that was lost: the retry goes without ECN too (RFC 3168 §6.1.1.1), so one says nothing"],
        next: &["Which firewall on the way drops ECE and CWR? Try from a place behind it.", "Until then, turn ECN off towards it: each connection waits for the retry."],
        sources: &["RFC 3168 §6.1.1.1", "RFC 3360"],
    }
    EcnBleach: Info to Info, "ECN was agreed on, and no data are marked" {
        meaning: "Both sides agreed on ECN, but none of a side's data came with its mark in the IP header: it is erased on the way, so congestion is told by loss alone.",
        evidence: "Eight or more segments with payload from a remote side, all of them Not-ECT when it closes.",
        causes: &["a router that clears the whole TOS byte, not only DSCP", "a tunnel that does not copy the bits"],
        benign: &["a sender that agrees on ECN and does not use it", "this host's own data: nothing lies between"],
        next: &["Is it so for all connections by that way? Then look for the router that rewrites DSCP."],
        sources: &["RFC 3168 §5", "RFC 8311 §4.3"],
    }
    Rfc3360RstOnOption: Info to Notice, "a SYN with something rare is reset, without it accepted" {
        meaning: "A SYN with a rare option was reset, and the same SYN without it accepted: something on the way, or the server, takes the option for an attack.",
        evidence: "The same initial number; the option is gone from the retry. Notice; info for ECN, where `ecn-syn-rst` is the verdict.",
        causes: &["a firewall or load balancer that resets what it does not know"],
        benign: &["a port that was closed for a moment, while the stack left the option out"],
        next: &["Which firewall on the way knows that option not? Compare the reset's TTL with the server's.", "Until then, turn the option off towards that service."],
        sources: &["RFC 3360", "RFC 7413 §4.1.3", "RFC 8684 §3.7"],
    }
    TfoDataIgnored: Info to Info, "the data on a SYN were not accepted" {
        meaning: "The SYN brought data, and the SYN-ACK acknowledges the SYN alone: the data must be sent again, and a round trip is not saved.",
        evidence: "The first SYN-ACK to the only SYN acknowledges its initial number plus one.",
        causes: &["a Fast Open cookie that is no longer valid", "a server without Fast Open, or with its queue full", "a box that answers SYNs itself (SYN cookies, SYN proxy)"],
        benign: &["a retry without data"],
        next: &["Is Fast Open on at the server (Linux: net.ipv4.tcp_fastopen, the listener's TCP_FASTOPEN), and its key the same on all machines behind the address?"],
        sources: &["RFC 7413 §4.2", "Suricata, stream.3whs_synack_tfo_data_ignored"],
    }
    TfoSynDrop: Info to Notice, "a SYN with Fast Open is not answered, without it it is" {
        meaning: "A SYN with Fast Open was not answered, and the retry without it was.",
        evidence: "The same initial number, without Fast Open. Info; notice if it was not answered twice or more.",
        causes: &["a firewall that drops SYNs with data, or with the option", "a lost SYN"],
        benign: &["every stack leaves Fast Open out of the retry, so a single one may be a loss"],
        next: &["Is it so for most connections to that service? Then which firewall drops them?", "Turn Fast Open off towards it: each connection waits for the retry."],
        sources: &["RFC 7413 §4.1.3", "RFC 7413 §7.1"],
    }
    TfoBlackhole: Notice to Notice, "a reset right after Fast Open's data" {
        meaning: "The server accepted the data on the SYN, and the connection was reset before it answered them.",
        evidence: "A reset in the server's name, within 3 s of a SYN with data that the SYN-ACK covers; the server has sent no data. Told beside the reset's anatomy.",
        causes: &["a firewall that did not expect data on a SYN, and resets what follows", "an application that rejects the request"],
        benign: &["a reset after the first answer"],
        next: &["Is it so for others by the same way? Linux turns Fast Open off by itself then (net.ipv4.tcp_fastopen_blackhole_timeout_sec).", "Compare the reset's TTL with the server's."],
        sources: &["RFC 7413 §7.1"],
    }
}
