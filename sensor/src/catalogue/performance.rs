//! Losses and windows: each segment is counted by Wireshark's rows, and told is only what crosses a line, once for each side of a
//! connection. They weigh no evidence.

entries! {
    ZeroWindowStall: Warn to Warn, "a receiver kept its window closed for more than 5 s" {
        meaning: "A side keeps its receive window closed for more than 5 s, while the other probes it. Its application does not drain \
            the socket; the network is innocent.",
        evidence: "Told once a stall: when an answer shows the window still closed after 5 s.",
        causes: &["an application that is blocked, too slow, or waits for something else", "a download that was paused"],
        benign: &["shorter stalls", "an opening that was lost: the next probe finds it", "a peer that has sent its FIN and so needs no window", "a stall that a reset ends"],
        next: &["Look at the receiving host, not at the network: is its application blocked, or too slow?"],
        sources: &["RFC 9293 §3.8.6.1", "Wireshark, `tcp.analysis.zero_window`"],
    }
    WsReusedPorts: Info to Info, "a new connection between ports that had one" {
        meaning: "A SYN with a new initial number between ports that had an established connection, which was reset, or closed longer \
            ago than anybody waits.",
        evidence: "Nobody waits in TIME_WAIT then. What follows a FIN is told as `syn-after-close` and \
            `tw-reuse-ok`, a SYN on a live connection as `rfc5961-syn-on-est`.",
        causes: &["a client, or an address translator, that runs out of ports", "an application that uses a fixed source port"],
        benign: &["a repeated SYN", "a connection that never came about", "ports that were closed by FIN"],
        next: &["Does the client, or an address translator, run out of ports?"],
        sources: &["RFC 1337", "Wireshark, `tcp.analysis.reused_ports`"],
    }
    WsZeroWindow: Info to Info, "a receiver closes its window again and again" {
        meaning: "A side has closed its receive window for the fourth time: its application reads more slowly than the other side \
            sends.",
        evidence: "Window 0 on segments without SYN, FIN or RST, where the window was open before.",
        causes: &["an application that does not keep up, or reads at its own pace"],
        benign: &["a window that closes once or twice", "a peer that has sent its FIN", "the window of a reset"],
        next: &["Look at the receiving host, not at the network: what does its application wait for?"],
        sources: &["Wireshark, `tcp.analysis.zero_window`"],
    }
    WsWindowFull: Info to Info, "a sender fills the receiver's window again and again" {
        meaning: "A side has filled the other side's window to the brim for the tenth time: the receiver's window, and not the network, \
            limits it.",
        evidence: "Payload that ends where the window ends; only where the window's scale is known.",
        causes: &["a receive buffer smaller than bandwidth times round trip", "an application that reads too slowly"],
        benign: &["a window that is filled now and then, while the receiver's buffer still grows"],
        next: &[
            "Raise the receiver's buffer (net.ipv4.tcp_rmem), or find out why its application reads slowly.",
            "Does a box on the way take window scaling out of the SYN?",
        ],
        sources: &["RFC 7323 §2", "Wireshark, `tcp.analysis.window_full`"],
    }
    WsRetransmission: Info to Notice, "a side repeats more than 1 % of what it sends" {
        meaning: "More than 1 % of a side's segments, and 20 at least, were repeats: its segments, or their acknowledgments, are lost. \
            Notice, once more, from 10 % and 100 on.",
        evidence: "Wireshark's retransmissions, fast and spurious ones included. What was joined by offload counts as full-sized \
            segments. Copies on the wire do not count.",
        causes: &["a congested or faulty link", "a policer that drops", "acknowledgments that are lost on the way back"],
        benign: &["a mirror port that shows each frame twice", "segments that came out of order", "keep-alives and window probes"],
        next: &[
            "Between the sensor and the receiver, if `ws-lost-segment` is absent: what is repeated had passed here.",
            "Look at error and drop counters of the links on the way (ip -s link, ethtool -S).",
        ],
        sources: &["RFC 5681", "Wireshark, `tcp.analysis.retransmission`"],
    }
    WsRto: Info to Info, "a side waited more than a second before it repeated" {
        meaning: "A side repeated payload after more than 1 s in which nothing went forward: neither new bytes nor an acknowledgment.",
        evidence: "A retransmission that nothing asked for, 1 s to 5 min after the side's last new byte and the other side's last \
            progress.",
        causes: &["the last segments of a burst were lost, and the timer ran several times", "a peer that has gone away", "a path that broke"],
        benign: &["a closed window", "repeated SYNs and FINs", "keep-alives", "a peer that has sent its FIN, or is not seen"],
        next: &[
            "Does the other side still answer at all? If not, it is gone, or the path to it is.",
            "If it does, look for the loss as with `ws-retransmission`: single losses at a burst's end hurt most.",
        ],
        sources: &["RFC 6298", "Wireshark, `tcp.analysis.rto`"],
    }
    WsOutOfOrder: Notice to Notice, "more than 1 % of a side's segments come out of order" {
        meaning: "Segments of a side overtake one another often: in more than 1 % of its segments, and 20 at least, a gap was filled \
            within a round trip.",
        evidence: "Wireshark's out-of-order, and bytes that had not been seen.",
        causes: &["parallel paths that do not keep connections together", "a host or NIC that spreads one connection over several queues"],
        benign: &["a retransmission later than a round trip", "copies on the wire"],
        next: &["Balance by connection, not by packet: link aggregation, equal-cost routes, the sensor's own mirror port."],
        sources: &["RFC 4737", "Wireshark, `tcp.analysis.out_of_order`"],
    }
    WsDupAck: Notice to Notice, "bytes are asked for again and again, and do not come" {
        meaning: "A side has asked for missing bytes by three duplicate acknowledgments again and again, in more than 1 % of its segments \
            and 20 times at least, and hardly any repeat of the other side was seen.",
        evidence: "Runs of three duplicate acknowledgments; the other side's repeats are less than half of them, else \
            `ws-retransmission` says it.",
        causes: &["segments are lost before the receiver, and the sensor sees one direction only, or a part of the other"],
        benign: &["repeats that are seen", "window updates", "keep-alives", "copies on the wire: without IP-ID, whatever comes within 3 ms"],
        next: &["Capture where the data passes: does its sender repeat what is asked for?"],
        sources: &["RFC 5681 §3.2", "Wireshark, `tcp.analysis.duplicate_ack`"],
    }
    WsLostSegment: Info to Info, "bytes of a side were skipped" {
        meaning: "A side's segment lies beyond the next byte: those between were lost before the sensor, come later, or passed elsewhere.",
        evidence: "Told at a side's first gap; the flow's record has their sum.",
        causes: &["loss between the sender and the sensor", "segments that overtake one another", "a sensor that sees a part only"],
        benign: &["numbers more than 1 GiB off: another connection"],
        next: &["Nothing for one gap. If `ws-ack-lost-segment` follows, the receiver has the bytes and the sensor missed them."],
        sources: &["Wireshark, `tcp.analysis.lost_segment`"],
    }
    WsAckLostSegment: Info to Warn, "bytes were acknowledged that the sensor never saw" {
        meaning: "A side acknowledges bytes that were not seen: the sensor sees a part of the other side's segments only. Findings that \
            rest on gaps in that side's numbers are withheld from then on.",
        evidence: "Told at the first; warn once there are 64, and more than one in 16 of the side's segments: no network loses so \
            much, so it is the sensor.",
        causes: &["asymmetric or parallel routes, of which the sensor sees one", "a mirror port or sensor that drops"],
        benign: &["a direction that was not seen at all", "a capture that begins in the middle"],
        next: &[
            "Where does the other part pass? Compare the routes of both directions, and the members of aggregated links.",
            "Look at the drop counters of the mirror port, and of the sensor's interface (ethtool -S).",
        ],
        sources: &["Wireshark, `tcp.analysis.ack_lost_segment`"],
    }
}
