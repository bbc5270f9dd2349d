//! Packets from another distance than their side's own.

entries! {
    TtlRstMismatch: Notice to Alert, "a reset from another distance" {
        meaning: "The reset was made at another distance than the side's own segments. Something in between spoke in its name.",
        evidence: "`ttl-rst-mismatch` +3, `ttl-initial-mismatch` +2, or `ttl-weak-mismatch` +1 with other pieces; then all that \
            applies. Warn and likely alone; notice in Linux's socketless shape, which a Linux router's REJECT has too; alert from 2 \
            more points on. Next to us (+1) and with our own window (+2) it is 6 points: the case of a firewall that answers for \
            its client.",
        causes: &[
            "a firewall, load balancer or translator that has lost, or never had, its entry of the connection",
            "an intrusion prevention system or a filter that ends connections",
            "a router's rule that rejects",
        ],
        benign: &[
            "one hop off, or a path known from before: reroutes and parallel paths",
            "another initial TTL at the same distance, without a socket: the same host's other code path",
            "ports and TTLs that applications set (BGP, LDP, MSDP)",
            "fewer than three segments of the side (four in the middle of a connection)",
        ],
        next: &[
            "Find the device at that distance (traceroute), and ask its owner for its connection entry and the reason for the \
                teardown.",
            "Capture at the peer: did it send the reset, did it get one?",
        ],
        sources: &[
            "Clayton, Murdoch, Watson: Ignoring the Great Firewall of China, PET 2006",
            "Nmap Network Scanning, Detecting Packet Forgery",
            "RFC 5082",
        ],
    }
    TtlFinMismatch: Info to Alert, "a FIN from another distance" {
        meaning: "A FIN from elsewhere, between segments from the side's own distance: somebody tried to close the connection.",
        evidence: "`ttl-fin-mismatch` +3. Info alone; warn with 1 more point, alert with 2. Told when the side's own distance \
            returns: a reroute that stays looks the same until then.",
        causes: &["a firewall or proxy that closes in its client's name", "an injector that uses a FIN where resets are ignored"],
        benign: &["a path that changes with the FIN and stays so", "a single segment over a parallel path: it stays info"],
        next: &[
            "Find the device at that distance (traceroute), and ask its owner for the reason.",
            "Capture at the peer: did it send the FIN?",
        ],
        sources: &["Nmap Network Scanning, Detecting Packet Forgery"],
    }
    TtlDataMismatch: Info to Alert, "payload from another distance" {
        meaning: "Payload, or a bare ACK, from elsewhere between the side's own: content may have been put into the connection.",
        evidence: "`ttl-data-mismatch` +3, `dup-seq-different-content` +4: the genuine segment came too, with another length. Info \
            alone; warn with 1 more point, alert with 2; with `dup-seq-different-content` alert and proven. Before a baseline is \
            settled, a race for the same bytes counts also where the distances differ by one hop only.",
        causes: &[
            "a block page or redirect put in by a filter, a provider or a captive portal",
            "a cache, proxy or accelerator that answers for the server",
        ],
        benign: &[
            "reroutes, also several",
            "another host behind an address translator that uses the port again",
            "a single segment over a parallel path: it stays info",
        ],
        next: &[
            "Capture with payload on both sides, and compare.",
            "Is there a proxy, cache or captive portal on the way?",
        ],
        sources: &["Weaver, Kreibich, Dam, Paxson: Here Be Web Proxies, PAM 2014"],
    }
    TtlSynAckMismatch: Info to Alert, "SYN-ACK and the rest from two devices" {
        meaning: "The SYN-ACK and what followed come from two distances; or two SYN-ACKs to one SYN do.",
        evidence: "`ttl-synack-mismatch` +3, `synack-isn-change` +2. Info if the server speaks for itself afterwards; alert if two \
            SYN-ACKs contradict each other.",
        causes: &[
            "a SYN proxy, or a load balancer that binds late",
            "somebody who answers faster than the server, if two SYN-ACKs contradict each other",
        ],
        benign: &["a SYN proxy or load balancer: a fact about the network, which stays info"],
        next: &[
            "Who owns a SYN proxy, load balancer or cache in front of the server?",
            "If nobody does: who answers for it?",
        ],
        sources: &["RFC 4987 §3.8"],
    }
    TtlFlap: Notice to Notice, "a side alternates between two distances" {
        meaning: "A side has returned from another distance for the third time: parallel paths, or two speakers in one name.",
        evidence: "The side's TTLs. Told once; its distance is no evidence from then on.",
        causes: &["routes that share load packet by packet", "two devices behind one address"],
        benign: &["parallel paths of equal length are not seen at all"],
        next: &["Compare both paths: equal-cost routes, or two devices behind one address?"],
        sources: &["RFC 2991 §2"],
    }
}
