//! What many connections together show. User space finds these; no single segment does.

entries! {
    FixedIdleClose: Info to Info, "a service's connections close after the same silence" {
        meaning: "One side closes its connections after a fixed time without a byte: an idle timer of a client's pool or of a server's \
            keep-alive. It is no loss, and nobody interferes; but who sends into a connection that is just being closed finds it gone.",
        evidence: "Of the last 64 closes of a service, half of them and five at least come, by the same side, after a silence that is the \
            same to 2 % or 50 ms, and a second or longer.",
        causes: &["a connection pool's idle timeout", "a web server's keep-alive timeout", "a guard timer for further requests"],
        benign: &["closes at once after the last answer", "people who read for a while", "both sides closing now and then"],
        next: &[
            "Is the other side's timer longer? Then it may send just as the connection is closed: let the client's be the shorter one.",
        ],
        sources: &["Ask Wireshark, question 64076 (2017)"],
    }
    LbDrain: Notice to Notice, "a service lets go of many idle connections at once" {
        meaning: "Within a second ten connections of a service or more, all of them idle, were reset by the server itself: it was \
            restarted or stopped, or the load balancer in front of it failed over or drained.",
        evidence: "Resets in the server's name with a live socket's numbers, or of a host without one (`rst-abort`, `rst-stateless`), from \
            the distance of its other segments, each of a connection that had been idle for a second.",
        causes: &["a restart or a deployment", "a failover of a load balancer", "an application that drops its idle connections"],
        benign: &[
            "a deployment that closes with FIN",
            "resets one by one, over minutes",
            "resets of busy connections, or from another distance: `ttl-rst-mismatch`",
        ],
        next: &[
            "Was the service restarted or deployed, or did a load balancer change over, at that moment?",
            "Let it close with FIN: drain before it stops.",
        ],
        sources: &["RFC 9293 §3.6", "load balancers' manuals on connection draining"],
    }
    ForeignRst: Notice to Notice, "resets leave in this host's name, not by its stack" {
        meaning: "Resets of live connections left this host with an address of its own, and the kernel says that none of its TCP stacks \
            sent one: a firewall rule of this host made them, or a program with a raw socket.",
        evidence: "The tracepoint tcp:tcp_send_reset with its reason (Linux 6.10), joined by addresses, ports and time. It is told only \
            where no reset at all of this machine's stacks could be meant, also under a translated address, and none was missed.",
        causes: &[
            "nftables or iptables: reject with tcp reset, in mid-connection",
            "a program that makes packets: a scanner, an intrusion prevention system",
        ],
        benign: &["a closed port, an aborted socket: the stack says so itself", "connections that are routed or bridged through"],
        next: &[
            "nft list ruleset, iptables-save: which rule rejects with a reset, and since when?",
            "ss -A raw,packet -p: does a program hold a raw socket?",
        ],
        sources: &["Linux, include/trace/events/tcp.h and include/net/rstreason.h", "Linux, net/ipv4/netfilter/nf_reject_ipv4.c"],
    }
}
