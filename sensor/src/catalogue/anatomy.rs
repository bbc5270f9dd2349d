//! Resets by the code path that makes one like them.

entries! {
    RstRefused: Info to Info, "port closed, or a rule answers" {
        meaning: "The other side sent a SYN and nothing else, and the reset acknowledges exactly that: the port is closed, or a \
            rule answers for it.",
        evidence: "Its acknowledgment, which covers the SYN and data on it. None speaks against it: it is told as info.",
        causes: &[
            "nobody listens on that address and port",
            "a firewall rule rejects with a TCP reset",
            "a load balancer has no backend left",
        ],
        benign: &["a refusal that is followed by a SYN-ACK to the same SYN was somebody else's: `rst-seq-data`"],
        next: &["Is the service up, and does it listen on this address?", "Does a firewall rule reject?"],
        sources: &["RFC 9293 §3.5.2, group 1"],
    }
    RstStateless: Info to Info, "the sender has no socket for what it answers" {
        meaning: "The sender has no socket for what it answers: a reset without ACK whose sequence number is one of the other \
            side's last acknowledgments. Also a late answer by a side that has sent a FIN, or was reset.",
        evidence: "Its sequence number beside the other side's last acknowledgments. Window 0 is part of the shape and says \
            nothing about load. Linux's own shape is `linux-stateless-shape`, -1 point.",
        causes: &[
            "an application that closed while data was on its way",
            "a restart, or another host that took over the address",
            "a device in between that forgot its translation and let a packet through to the wrong host",
        ],
        benign: &[
            "a router's REJECT rule on Linux has the same shape; only its distance betrays it: `ttl-rst-mismatch`",
        ],
        next: &["Who closed first, and who kept sending?", "Did the sender restart?"],
        sources: &["RFC 9293 §3.5.2, groups 1 and 2", "Linux, tcp_v4_send_reset"],
    }
    RstAbort: Info to Info, "a live socket was aborted" {
        meaning: "A live socket was aborted: the numbers are exact.",
        evidence: "Sequence number and acknowledgment, between what each side has acknowledged and what it has sent, or within \
            the other side's window ahead. Weak evidence of other kinds can raise it above info under this name.",
        causes: &[
            "SO_LINGER with time 0, or close() with unread data",
            "a killed process",
            "a timeout of the application, of keep-alives, or of retransmissions",
        ],
        benign: &[
            "a forged reset with exact numbers, at the peer's distance: nothing tells them apart until the side carries on, \
                which is `rst-seq-data`",
        ],
        next: &["Read the log of the application on the side that sent it."],
        sources: &["RFC 9293 §3.10.5", "RFC 2525 §2.17", "socket(7), SO_LINGER", "Linux, tcp_send_active_reset"],
    }
    RstSynSent: Info to Info, "the client rejects an impossible answer to its SYN" {
        meaning: "A client rejects an answer that does not fit its SYN: often the server still has an older connection of the same \
            ports.",
        evidence: "No ACK flag, from a side that has sent SYNs only, and the sequence number is one that the other side \
            acknowledged.",
        causes: &[
            "source ports used again too soon",
            "a device in between that keeps state for longer than the hosts do",
        ],
        benign: &["a port scanner with a raw socket: its kernel rejects the SYN-ACK that it never asked for"],
        next: &[
            "Are source ports reused too soon?",
            "Does a device in between keep state for longer than the hosts?",
        ],
        sources: &["RFC 9293 §3.10.7.3"],
    }
    RstAfterChallenge: Info to Info, "the peer confirms that it has no such connection" {
        meaning: "A peer that lost its state asked anew with a SYN, or sent a reset that was not exact; it was sent a challenge ACK \
            (see `challenge-ack`), and confirms that it has no such connection.",
        evidence: "No ACK flag, the sequence number is one that the other side acknowledged, and the side's last segment before it \
            was a SYN, or a reset of another number that a plain ACK with this one has answered.",
        causes: &["the peer restarted, and used the same port again", "it aborted while its last data were lost"],
        benign: &["this is how TCP recovers: a new connection should follow"],
        next: &["Did the peer restart?"],
        sources: &["RFC 5961 §3.2, §4"],
    }
    RstNonconforming: Notice to Alert, "a shape that no stack makes here" {
        meaning: "No TCP stack gives a reset these numbers in this situation.",
        evidence: "`rst-nonconforming` +2: notice. Warn or alert with other evidence, if none of it names the finding.",
        causes: &[
            "a firewall, load balancer or translator that builds resets from what it remembers of a connection",
            "an injector that guesses",
        ],
        benign: &[
            "bytes that the sensor missed but the other side acknowledged: they widen what counts as exact",
            "late answers after a FIN",
        ],
        next: &["Ask for the logs of the firewalls on the way: many build resets from what they remember of a connection."],
        sources: &["RFC 9293 §3.5.2", "RFC 3360", "Weaver, Sommer, Paxson: Detecting Forged TCP Reset Packets, NDSS 2009"],
    }
    SpontaneousRst: Info to Info, "only one side was seen: nothing to compare with" {
        meaning: "Nothing of the other side was seen, so there is nothing to compare the reset with.",
        evidence: "No segment of the other side on a connection that is followed. A reset of an unknown connection is counted as a \
            stray, not told.",
        causes: &["only one direction passes the sensor: asymmetric routes, or one half of a mirror port"],
        benign: &["the sensor began in the middle of the connection"],
        next: &["Does the sensor see both directions here?"],
        sources: &["Zeek, weird.log: spontaneous_RST"],
    }
}
