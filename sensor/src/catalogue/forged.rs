//! Packets that what came before or after them contradicts.

entries! {
    WinMirrorPeer: Notice to Alert, "a reset with the other side's window" {
        meaning: "The reset carries the other side's window, which its claimed sender never used: it was made by turning a packet \
            round.",
        evidence: "`win-mirror-peer` +2. Notice alone; more with other evidence.",
        causes: &["a firewall or load balancer that answers a packet by swapping its addresses"],
        benign: &["both sides use the same window", "the window is a common value", "the side has just used it"],
        next: &[
            "Ask the owners of the firewalls on the way for their connection entry and the reason for the teardown.",
            "Capture at the peer: did it send the reset?",
        ],
        sources: &["Ask Wireshark, question 21121 (2013)"],
    }
    RstTooFast: Notice to Alert, "a reset sooner than the path allows" {
        meaning: "The reset came after less than half of the least round trip to its claimed sender, and can be nothing but an \
            answer: it acknowledges what had just been sent, or takes its number from an acknowledgment.",
        evidence: "`rst-too-fast` +2. Notice alone. The delay is an upper bound, so no clock makes it too short.",
        causes: &["a device nearer than the peer answered in its name"],
        benign: &[
            "paths below 2 ms",
            "a reset that was on its way already",
            "the round trip is the handshake's: one that was slow for another reason makes it too long",
        ],
        next: &["Compare with the round trip of other connections to that peer."],
        sources: &["github.com/nmap/nmap issue 595"],
    }
    RstSeqChange: Alert to Alert, "resets with rising sequence numbers" {
        meaning: "Several resets, each ahead of the last and of all that was sent: somebody hedges against a race.",
        evidence: "`rst-seq-change` +3 and `rst-nonconforming` +2: alert, proven.",
        causes: &["a filter or traffic manager that injects resets, and guesses how far the connection will have come"],
        benign: &[
            "equal resets in a burst, or a reset for each late segment",
            "after a FIN, or where the other side was reset too",
        ],
        next: &["Some filters work like this. Does it depend on the content, the name asked for, the destination?"],
        sources: &[
            "Weaver, Sommer, Paxson: Detecting Forged TCP Reset Packets, NDSS 2009 (RST_SEQ_CHANGE)",
            "Clayton, Murdoch, Watson: Ignoring the Great Firewall of China, PET 2006",
        ],
    }
    RstAckChange: Warn to Alert, "resets that disagree on what was received" {
        meaning: "Resets that disagree on what was received, and one of them claims the impossible.",
        evidence: "`rst-ack-change` +3, as a rule with `rst-nonconforming` +2: alert and proven. Warn and likely if the impossible \
            one was the earlier one.",
        causes: &["an injector that sends several resets and guesses", "two devices that both reset the connection"],
        benign: &[
            "resets without the ACK flag, whose field says nothing",
            "acknowledgments that moved because more had arrived",
        ],
        sources: &["Weaver, Sommer, Paxson: Detecting Forged TCP Reset Packets, NDSS 2009 (RST_ACK_CHANGE)"],
        ..RstSeqChange
    }
    RstSeqData: Alert to Alert, "the sender carried on after \"its own\" reset" {
        meaning: "The side carried on after \"its own\" reset: the reset was not its.",
        evidence: "`rst-seq-data` +4, and the points of the reset itself. Always alert; likely alone, proven with 1 point more.",
        causes: &["a device on the way forged the reset, and lost the race, or the reset was ignored"],
        benign: &[
            "repeated bytes that the reset had covered",
            "segments that overtook it by less than 10 ms",
            "keep-alives, and a SYN that begins a new connection",
            "a side that has sent a FIN",
        ],
        next: &["The earlier reset is the one to look into. The connection may be half dead: who believed it?"],
        sources: &[
            "Weaver, Sommer, Paxson: Detecting Forged TCP Reset Packets, NDSS 2009 (RST_SEQ_DATA)",
            "Suricata, stream.suspected_rst_inject",
        ],
    }
    DataSeqRst: Notice to Alert, "a reset into bytes acknowledged long ago" {
        meaning: "The reset points into bytes that were acknowledged long ago: its maker's view of the connection is old.",
        evidence: "`data-seq-rst` +2, as a rule with `rst-nonconforming` +2: warn. Notice without the latter.",
        causes: &["a device that watches from aside and is late", "a firewall that remembers an old state of the connection"],
        benign: &["numbers of one of the last acknowledgments", "late answers after the side's FIN"],
        next: &["Is there a device that watches from aside, or one that was slow? Ask its owner for the reason."],
        sources: &[
            "Weaver, Sommer, Paxson: Detecting Forged TCP Reset Packets, NDSS 2009 (DATA_SEQ_RST)",
            "RFC 5961 §3",
        ],
    }
    DataAfterFin: Warn to Alert, "new data beyond \"its own\" FIN" {
        meaning: "The side sent new data beyond \"its own\" FIN: the FIN was probably not its.",
        evidence: "`data-after-fin` +4, and the FIN's distance, window and IP-ID if it came from elsewhere. Warn alone; alert and \
            proven with 1 point more.",
        causes: &["a FIN forged by a device on the way", "a broken stack or proxy"],
        benign: &["a single byte, which is a keep-alive probe", "the FIN repeated", "data of the other side"],
        next: &["The FIN is the one to look into: capture at the side that is said to have sent it."],
        sources: &["RFC 9293 §3.6", "Snort 3, stream_tcp 129:3"],
    }
    SynAckIsnChange: Notice to Warn, "two SYN-ACKs with different numbers" {
        meaning: "Two SYN-ACKs with different initial sequence numbers answered one SYN: one of them is not the server's.",
        evidence: "`synack-isn-change` +2: notice, more with other evidence; with another distance it becomes \
            `ttl-synack-mismatch`.",
        causes: &["two servers behind one address", "an injector that answers first", "a SYN proxy whose server answers too"],
        benign: &[
            "a SYN-ACK repeated",
            "another number after a repeated SYN, as the half-open entry was lost",
            "simultaneous open, or a new connection of the same ports",
        ],
        next: &["Are there two servers behind one address, or does an injector answer first?"],
        sources: &["Suricata, stream.3whs_synack_resend_with_diff_seq"],
    }
}
