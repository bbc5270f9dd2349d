//! Rules of the protocol: nobody else is suspected, the state of the hosts, or of boxes that keep some, explains these. They weigh no
//! evidence.

entries! {
    SynBareAckMatch: Info to Warn, "a plain ACK answers a SYN: half-open since an earlier one" {
        meaning: "A plain ACK, with the right number and without SYN, answers a SYN: the server, or a box before it, already holds a half-open entry from an earlier SYN, whose SYN-ACK did not arrive.",
        evidence: "The acknowledgment is the client's initial number plus one. Warn after a repeated SYN; info after the first one.",
        causes: &["the first SYN-ACK was lost or filtered on its way back", "a load balancer or firewall with broken firmware"],
        benign: &["a stack that acknowledges a SYN before it answers it", "a SYN-ACK that was not seen: then the client's ACK is", "both sides ask at once"],
        next: &["Capture on the far side of the load balancer or firewall: was the first SYN-ACK sent?", "Look for an asymmetric route: does the way back pass a firewall that never saw the SYN?", "Ask for the firmware's state of the device that answers for the server."],
        sources: &["RFC 9293 §3.10.7.4", "Ask Wireshark, question 17280 (2012)"],
    }
    SynBareAckThenRst: Warn to Warn, "that half-open entry was given up" {
        meaning: "The half-open entry was given up: a reset with the plain ACK's numbers and window.",
        evidence: "The reset repeats the plain ACK's numbers.",
        benign: &["a connection that came about and was aborted", "a reset that is suspicious itself is told as such"],
        ..SynBareAckMatch
    }
    SynBareAckStale: Notice to Warn, "a plain ACK with old numbers answers a SYN" {
        meaning: "A plain ACK with numbers of an older connection answers a SYN: a challenge ACK, or TIME_WAIT. The client's reset clears it.",
        evidence: "The acknowledgment is not the client's. Notice; warn if a reset of the client has not cleared it.",
        causes: &["the client uses a port again that the server still remembers", "an address translator has given the port to somebody else"],
        benign: &["ports that are used again and accepted at once"],
        next: &["Turn over ports more slowly: reuse connections (keep-alive, pools), or add ports, addresses, server ports.", "Compare how long the hosts, and NATs or firewalls between them, keep closed connections.", "Leave TIME_WAIT as long as it is: shortening it is the worst of the remedies."],
        sources: &["RFC 5961 §4.2", "Ask Wireshark, question 64076 (2017)", "github.com/cilium/cilium issue 45863"],
    }
    SynBareAckStaleConfirmed: Notice to Warn, "the same, and the connection before had these numbers" {
        meaning: "A plain ACK with the final numbers, one off at most, of the connection of the same ports before answers a SYN. The client's reset clears it.",
        ..SynBareAckStale
    }
    SynRetryProfile: Info to Info, "a SYN was repeated" {
        meaning: "A SYN was repeated with the same initial sequence number.",
        evidence: "The initial sequence number is that of the SYN before.",
        causes: &["a SYN, or its answer, was lost or filtered", "the server is slow"],
        benign: &["a copy of the SYN made on the way"],
        next: &["Which of the two was lost? Capture on the far side."],
        sources: &["RFC 6298 §2.1", "RFC 1122 §4.2.3.1"],
    }
    EcnNotTheCause: Info to Info, "a handshake with ECN failed where nearly all work" {
        meaning: "The failed handshake asked for ECN, but most others of the service that did so worked: it is not ECN.",
        evidence: "Told with `syn-bare-ack-then-rst`: 3 or more others worked, and 80 % or more of all.",
        causes: &["whatever broke this handshake, not ECN"],
        benign: &["a service with fewer handshakes with ECN"],
        next: &["Look elsewhere: the finding beside it says where."],
        sources: &["RFC 3168 §6.1.1", "RFC 3360"],
    }
    EcnSynRst: Notice to Notice, "SYNs with ECN are reset, without it they work" {
        meaning: "A SYN with ECN was reset, and the retry without it answered.",
        evidence: "Less than 20 % of the service's handshakes with ECN work, of 5 or more.",
        causes: &["an old firewall that takes ECE and CWR for an attack"],
        benign: &["a port that was closed for a moment: others with ECN work"],
        next: &["Which firewall on the way takes ECE and CWR for an attack? Or turn ECN off towards it."],
        sources: &["RFC 3360"],
    }
    EcnReflect: Info to Info, "a SYN-ACK repeats the SYN's ECN bits" {
        meaning: "A SYN-ACK repeats both ECN bits of the SYN: they were copied.",
        evidence: "ECE and CWR, both set.",
        causes: &["a stack that copies reserved bits"],
        benign: &["an AccECN server's answer (RFC 9768) has both bits too"],
        next: &["Nothing, unless ECN misbehaves on that service."],
        sources: &["RFC 3168 §6.1.1"],
    }
    EcnBadSynAck: Info to Info, "a SYN-ACK grants ECN unasked" {
        meaning: "A SYN-ACK grants ECN that the SYN did not ask for.",
        evidence: "ECE without a request for ECN.",
        causes: &["a stack or box that sets the bit on its own"],
        benign: &["a SYN that was not seen"],
        next: &["Nothing, unless ECN misbehaves on that service."],
        sources: &["RFC 3168 §6.1.1"],
    }
    SynAckBadAck: Notice to Notice, "a SYN-ACK acknowledges what was not sent" {
        meaning: "A SYN-ACK acknowledges what the client never sent.",
        evidence: "Its acknowledgment lies outside of what the client sent.",
        causes: &["an answer to an older request", "a forged answer, or a scan"],
        benign: &["Fast Open's data is acknowledged with the SYN"],
        next: &["Capture at the server: did it send this?"],
        sources: &["RFC 9293 §3.10.7.3", "Suricata, stream.3whs_synack_with_wrong_ack"],
    }
    SplitHandshake: Info to Info, "a SYN answers a SYN" {
        meaning: "A SYN is answered by a SYN: both sides ask at once, or a server splits its answer.",
        evidence: "A SYN without ACK from the side that was asked.",
        causes: &["peer-to-peer applications that connect at once", "a test tool, or evasion"],
        benign: &["simultaneous open is legal (RFC 9293 §3.5)"],
        next: &["Is that application known to connect from both sides?"],
        sources: &["RFC 9293 §3.5", "Snort 129:13"],
    }
    SynAckWrongDir: Info to Info, "a SYN-ACK from the side that asked" {
        meaning: "A SYN-ACK comes from the side that asked.",
        evidence: "A SYN-ACK of the client.",
        causes: &["simultaneous open", "a scan with SYN-ACKs"],
        benign: &["both sides ask at once"],
        next: &["Is the sender scanning?"],
        sources: &["Suricata, stream.3whs_synack_in_wrong_direction"],
    }
    IsnJump: Notice to Notice, "a second SYN with another number" {
        meaning: "A second SYN with another initial sequence number, while the first is pending.",
        evidence: "Another initial number within the pending request.",
        causes: &["the application started anew", "an address translator gave the port to somebody else"],
        benign: &["a repeated SYN: the same number"],
        next: &["Are ports used up on the client or a translator?"],
        sources: &["Zeek, SYN_seq_jump"],
    }
    DataBeforeEst: Notice to Notice, "payload before the connection is established" {
        meaning: "Payload without ACK before the SYN-ACK, or from the server before the client's ACK.",
        evidence: "Payload while the handshake is pending.",
        causes: &["evasion, or injection", "a broken stack"],
        benign: &["Fast Open", "an ACK that was lost before payload with ACK"],
        next: &["Capture at the sender: did it send this?"],
        sources: &["Zeek, data_before_established", "Suricata, stream.3whs_ack_data_inject"],
    }
    WscaleRange: Notice to Notice, "a window scale above 14" {
        meaning: "A window scale above 14, in a SYN-ACK or a later SYN.",
        evidence: "The value of the window scale option.",
        causes: &["a broken or hostile stack"],
        benign: &["14 itself"],
        next: &["Which device sends it?"],
        sources: &["RFC 7323 §2.3", "Snort 116:59"],
    }
    WindowSlam: Notice to Notice, "the handshake is completed with next to no window" {
        meaning: "The handshake's last ACK leaves a window of 4 bytes at most.",
        evidence: "The window of the last ACK, scaled.",
        causes: &["an attack that holds connections open (Sockstress)", "an embedded stack"],
        benign: &["a small raw window that is scaled"],
        next: &["Does that client hold many such connections?"],
        sources: &["Snort 129:19"],
    }
    TwReuseOk: Info to Info, "a port is used again and accepted" {
        meaning: "A port was used again and accepted, within 240 s of the last connection's end.",
        evidence: "The tombstone of the connection before.",
        causes: &["a client with a high rate of connections"],
        benign: &["it is harmless itself"],
        next: &["Nothing, unless others fail: reuse connections."],
        sources: &["RFC 6191", "RFC 9293 §3.6.1"],
    }
    SynAfterClose: Info to Info, "a port is used again within 5 s" {
        meaning: "A SYN came within 5 s of both FINs of the connection of the same ports.",
        evidence: "Both FINs, then the SYN.",
        ..TwReuseOk
    }
    Rfc5961SynOnEst: Info to Notice, "a SYN on a live connection" {
        meaning: "A SYN with a number of its own on a live connection: a client lost its state, or somebody is blind.",
        evidence: "Its number is not the connection's. Info; notice if it follows another one with yet another number.",
        causes: &["the client was restarted", "an address translator gave the port to somebody else", "a blind attack"],
        benign: &["a late copy of the connection's own SYN"],
        next: &["A challenge ACK and the client's reset should follow. Do they?"],
        sources: &["RFC 5961 §4"],
    }
    Rfc5961RstInWindow: Info to Warn, "a reset in the window, but not exact" {
        meaning: "The reset lies in the receiver's window but is not exact: a modern receiver challenges it instead of closing.",
        evidence: "Told beside a reset on a live connection without FIN. Info; warn for the third with another number within 10 s, unless `rst-seq-change` says so already.",
        causes: &["a sender whose last data was lost", "a blind attack that has guessed the window"],
        benign: &["a reset whose data was lost before it"],
        next: &["Did a challenge ACK follow, and was it answered? Any kernel since 2012 sends one (RFC 5961).", "Filter spoofed sources at the edge (BCP 38), or protect long connections by TCP-AO, MD5 or GTSM."],
        sources: &["RFC 5961 §3.2"],
    }
    Rfc5961RstOutOfWindow: Info to Info, "a reset outside of the window" {
        meaning: "The reset lies outside of the receiver's window, which ignores it.",
        evidence: "Told beside a reset on a live connection without FIN.",
        benign: &["answers without a socket to each of many segments"],
        ..Rfc5961RstInWindow
    }
    RstBruteForce: Alert to Alert, "resets that try one number after another" {
        meaning: "Resets outside of the window with many numbers: somebody guesses.",
        evidence: "Ten with different numbers within 10 s of each other. The explanation says how likely it is that one of so many blind guesses falls into the window.",
        causes: &["a blind attack on this connection"],
        next: &["Where do they come from: which TTL, which interface?", "Filter spoofed sources at the edge (BCP 38), or protect long connections by TCP-AO, MD5 or GTSM."],
        ..Rfc5961RstInWindow
    }
    AckBeyondFin: Warn to Warn, "bytes behind the FIN are acknowledged" {
        meaning: "An acknowledgment of up to 65535 bytes behind the other side's FIN.",
        evidence: "The acknowledgment against the FIN's number.",
        causes: &["a forged ACK, or a forged FIN before it", "a broken proxy"],
        benign: &["another connection of the same ports, whose SYN was not seen"],
        next: &["Capture on both sides: which of them, or which box between, made this acknowledgment?"],
        sources: &["Snort 129:17"],
    }
    AsymRoute: Info to Info, "only one direction of the connection passes here" {
        meaning: "A client asked for a connection and goes on to acknowledge what its server sends, of which not one segment was \
            seen: the answers take another way. What is told of such connections is half of the truth.",
        evidence: "The SYN was seen, the client's acknowledgments moved, and the server's side is empty. Judged at rest, of \
            connections whose client sent 64 segments at most.",
        causes: &[
            "answers leave by another interface or router (direct server return, several uplinks, policy routing)",
            "a mirror port or a capture of one direction",
            "another program takes the answers before they are seen",
        ],
        benign: &["a request that is not answered at all: `ct-syn-none` and its like", "a capture that begins midway"],
        next: &[
            "ip route get the client's address: by which interface do the answers leave? Watch that one, too.",
            "Of a mirror port, check that both directions are copied.",
        ],
        sources: &["Zeek, possible_split_routing", "Snort 3, asymmetric flows"],
    }
}
