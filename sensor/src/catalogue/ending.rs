//! How connections end. These accuse nobody: they say what an ending was, so that it is not taken for something else. None is told
//! beside a reset that is suspected of being forged.

entries! {
    IdleThenRst: Notice to Notice, "the first segment after a long silence was rejected" {
        meaning: "The connection was idle for 30 s or more; the first segment after that was answered by a reset of a host that has \
            no such connection.",
        evidence: "The times of the last segments, and the anatomy `rst-stateless`. A gap at most 2 s or 2 % above a known idle \
            timeout names its owners. The gap is told modulo 73 minutes.",
        causes: &[
            "a firewall, translator or load balancer has forgotten the idle connection",
            "the peer was restarted, or its application has closed meanwhile",
        ],
        benign: &["an application's own idle timer that aborts, which answers nothing", "a silence under 30 s"],
        next: &[
            "Compare the gap with the idle timeouts on the way and at the peer.",
            "Use TCP keep-alives at shorter intervals, or raise the timeout.",
        ],
        sources: &["vendors' documentation of idle timeouts", "RFC 5382 §5"],
    }
    KeepAliveRst: Notice to Notice, "a keep-alive was answered by a reset" {
        meaning: "The peer, or a device in front of it, has no such connection any more.",
        evidence: "As `idle-then-rst`, where the segment lies one byte below the next, with at most one byte of payload.",
        causes: &["the peer was restarted", "a device on the way has lost its state"],
        benign: &["a keep-alive that is answered by an ACK"],
        next: &["Was the peer, or a device in front of it, restarted?"],
        sources: &["RFC 9293 §3.8.4"],
    }
    RstInsteadOfLastAck: Info to Info, "a reset instead of the last ACK" {
        meaning: "Both sides have closed, and the last ACK is a reset: the application avoids TIME_WAIT. Its window of 0 says nothing \
            about load.",
        evidence: "FINs of both sides, and a reset without a socket, or with a live one's numbers, of the side that closed first.",
        causes: &["an application that closes with SO_LINGER 0, or had closed altogether"],
        benign: &["it is harmless itself, unless ports are used again quickly"],
        next: &["Nothing, unless connections from the same port fail afterwards."],
        sources: &["Ask Wireshark, question 64076 (2017)", "RFC 1337"],
    }
    ResponseLostAfterClose: Info to Info, "an answer came after its reader had closed" {
        meaning: "A side had closed; data that came after that was rejected, so it was not read.",
        evidence: "A FIN of the side, then data of the other, then the side's reset below or at that data.",
        causes: &["a client that gives up before the answer comes", "a browser that leaves a page"],
        benign: &["an answer that was acknowledged before the reset"],
        next: &["Does one side give up too soon, or the other answer too late?"],
        sources: &["RFC 9293 §3.6", "RFC 2525 §2.17"],
    }
    RstCloseUnread: Info to Info, "closed with data unread" {
        meaning: "An application closed its socket without reading what had just arrived, which aborts the connection.",
        evidence: "An abort (`rst-abort`) within a second of payload that nothing else acknowledged, without a FIN.",
        causes: &["an application that has what it wants, or fails"],
        benign: &["an abort long after the last data"],
        next: &["Look into that application's log."],
        sources: &["RFC 2525 §2.17", "RFC 9293 §3.10.4"],
    }
    ResponseAfterFin: Info to Info, "the server answers only the end of the stream" {
        meaning: "A request was acknowledged and not answered until the client closed its side: the server waits for the end of the \
            stream.",
        evidence: "A request, a second or more of nothing, the client's FIN, and the server's first byte within two round trips or \
            50 ms.",
        causes: &["a length of the request that is missing or wrong", "a server that reads to the end on purpose"],
        benign: &["an answer that was on its way", "data before and after the FIN"],
        next: &["Check how the client tells the length of its request (Content-Length, last chunk)."],
        sources: &["Ask Wireshark, question 64076 (2017)"],
    }
    AcceptQueueDrop: Notice to Warn, "the server does not take a completed connection" {
        meaning: "The client has completed the handshake and sent its request; the server repeats its SYN-ACK.",
        evidence: "A third SYN-ACK half a second or more after the client's first data. Warn where the server is this host: from \
            afar the client's segments may be lost behind the sensor.",
        causes: &["a full accept queue: the application is too slow, or its backlog too small"],
        benign: &["TCP_DEFER_ACCEPT, which repeats SYN-ACKs until there is data", "a lost ACK"],
        next: &[
            "On the server: ss -ltn, nstat -az TcpExtListenOverflows TcpExtListenDrops.",
            "Raise the backlog of listen() and net.core.somaxconn, or find out what keeps the application from accepting.",
        ],
        sources: &["Linux, tcp_abort_on_overflow in ip-sysctl", "listen(2)"],
    }
    UnNatedLeak: Warn to Warn, "an answer came untranslated, and was reset" {
        meaning: "A segment of a live connection came from the address of the server behind the service, not from the service's: \
            the translation of addresses on the way had let it through. The host that it reached knows no such connection and \
            resets it, which ends the real one at the server; its other end hangs, or is reset by what it sends next.",
        evidence: "A segment that began a flow midway and was answered within 100 ms by a reset without a socket \
            (`rst-stateless`). The same address and port has opened a connection to another address, which is alive, and both \
            numbers of the segment lie within two of its windows (64 KiB to 16 MiB). The server's port may be another than the \
            service's. Judged once the segment's own flow has been at rest for 3 s.",
        causes: &[
            "conntrack takes a segment out of its window for INVALID, and does not translate it (Kubernetes services)",
            "the translator has forgotten the idle connection, and the server speaks first",
            "the server's answers take a way back that leaves the translator out",
        ],
        benign: &[
            "a late segment of a connection that is over",
            "a port that was used before, a scan with ACKs, or a capture that begins midway: their numbers fit no connection",
            "both sides of a translator at one place: the host's own connection is reset there too",
        ],
        next: &[
            "On the node that translates: sysctl -w net.netfilter.nf_conntrack_tcp_be_liberal=1, or drop INVALID where it forwards.",
            "Watch its conntrack -S: does the count of invalid rise with these?",
        ],
        sources: &["Kubernetes issues 74839, 117924, 93337", "Linux, nf_conntrack-sysctl"],
    }
}
