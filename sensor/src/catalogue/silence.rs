//! Connections that are over for one side, or for something in between, and not for the other.

entries! {
    IdleThenSilence: Notice to Warn, "after a long silence nothing is answered any more" {
        meaning: "The connection was idle for 30 s or more; the first segment after that, and three repetitions, were not answered: \
            a device on the way has dropped its state without a word, or the host at the far end, or the way to it, is down.",
        evidence: "The last acknowledgment and the last segment of the other side before, then three repetitions of one segment, \
            100 ms or more apart, the third after a second or later. Warn where the side that repeats had opened the connection; \
            notice where it had not, or that is not known: clients go away without a word, servers hardly do. The gap is known \
            modulo 73 minutes.",
        causes: &[
            "a firewall, translator or load balancer has forgotten the idle connection and drops what comes",
            "the host at the far end lost power, network or address",
        ],
        benign: &["a loss that a repetition mends", "a side whose answers take another way, past the sensor", "a loss without a silence before", "a silence under 30 s"],
        next: &[
            "Do other connections between the same hosts live? Then it is the state of this one: compare the gap with the idle \
                timeouts on the way.",
            "If none does, look after the host at the far end and the way to it.",
            "Use TCP keep-alives at shorter intervals, or raise the timeout.",
        ],
        sources: &["vendors' documentation of idle timeouts", "RFC 5382 §5", "RFC 6298 §5"],
    }
    HalfCloseTimeout: Notice to Notice, "half-closed for long, then rejected or not answered" {
        meaning: "A side had closed. After 10 s or more of silence the other one sent data or its FIN, which was rejected, or not \
            answered: the half-closed connection had been given up.",
        evidence: "A FIN, a gap of 10 s or more, then a reset without a socket, or three repetitions without an answer. \
            Under 10 s see `response-lost-after-close` and `rst-instead-of-lastack`.",
        causes: &[
            "the closer's own timer for half-closed connections (Linux, tcp_fin_timeout: 60 s)",
            "an application that closed altogether, and a peer that did not look at the FIN: a stale connection of a pool",
            "a device on the way whose timer for half-closed connections is short",
        ],
        benign: &["data and FIN that are acknowledged, however late", "a rejection within 10 s"],
        next: &[
            "Why did the side that was told keep the connection open? Connections in CLOSE_WAIT: ss -tn state close-wait.",
            "Compare the gap with the timers for half-closed connections on the way.",
        ],
        sources: &["RFC 9293 §3.6", "Linux, tcp_fin_timeout in ip-sysctl", "vendors' documentation of half-closed timeouts"],
    }
    KeepAliveDead: Info to Notice, "keep-alives are not answered" {
        meaning: "Three keep-alives in a row were not answered: the peer is gone, or a device on the way drops them.",
        evidence: "Three keep-alives one byte below the next, then another one or the side's own reset, at intervals that differ \
            by an eighth at most; nothing from the other side since the first. Notice where they are the client's, as for \
            `idle-then-silence`; else info.",
        causes: &[
            "the peer lost power, network or address",
            "a device on the way has forgotten the connection and drops what comes",
        ],
        benign: &["window probes, whose intervals double", "keep-alives that are answered, or are lost now and then"],
        next: &[
            "Does the peer answer on other connections?",
            "If it does, send keep-alives more often than devices on the way forget.",
        ],
        sources: &["RFC 9293 §3.8.4", "RFC 1122 §4.2.3.6"],
    }
    IdleOneSideRst: Notice to Notice, "after a long silence only one side was told of the end" {
        meaning: "The first segment after a long silence was answered by a reset in the peer's name; the peer knew nothing of it \
            and carried on. A device in between has forgotten the connection and answered for the peer.",
        evidence: "Told beside `rst-seq-data`, which proves the reset a stranger's: the reset answered a segment that came after \
            30 s or more of silence.",
        causes: &["a firewall, translator or load balancer that resets what it has no state for, towards the sender only"],
        benign: &["a reset without a silence before: `rst-seq-data` alone"],
        next: &[
            "Compare the gap with the idle timeouts on the way.",
            "Expect the other side to hang until its own timers run out: turn keep-alives on at both ends.",
        ],
        sources: &["Ask Wireshark, question 21121 (2013)", "RFC 5382 §5"],
    }
}
