//! Segments whose own header, or whose numbers, no stack makes. They weigh no evidence: nobody is accused but the segment's maker.

entries! {
    FlagSynFin: Notice to Notice, "SYN and FIN in one segment" {
        meaning: "A segment with SYN and FIN at once, on a connection. Receivers drop it; it opens and closes nothing.",
        evidence: "The flags. On no connection it is counted only (stray_syn_fin), and is no connection request either.",
        causes: &["a scan, or a probe for filters that look at SYN alone", "a broken or hostile tool"],
        benign: &["T/TCP (RFC 1644), which nobody uses any more"],
        next: &["Look what else its source sends: other ports, other flags.", "Drop such segments at the edge: no stack needs them."],
        sources: &["RFC 9293 §3.10.7", "Snort 116:420", "Zeek, history letter Q"],
    }
    FlagSynRst: Notice to Notice, "SYN and RST in one segment" {
        meaning: "A segment with SYN and RST at once. A receiver that takes it at all takes it for a reset, which is told beside.",
        evidence: "The flags. On no connection it is counted only (stray_syn_rst).",
        benign: &["none is known"],
        ..FlagSynFin
    }
    FlagFinRst: Notice to Notice, "FIN and RST in one segment" {
        meaning: "A segment with FIN and RST at once. Its receiver takes it for a reset, which is told beside.",
        evidence: "The flags. On no connection it is counted only (stray_fin_rst).",
        causes: &["a box that ends connections in its own way", "a broken or hostile tool"],
        benign: &["some embedded stacks and load balancers end connections like this"],
        next: &["Compare its TTL and window with the side's own: the reset beside says so.", "Ask which box on the way ends connections."],
        sources: &["Zeek, history letter I"],
    }
    FlagFinNoAck: Notice to Notice, "a FIN without ACK" {
        meaning: "A FIN without ACK, on a connection: every segment after the SYN has ACK. Receivers drop it; it closes nothing.",
        evidence: "The flags. On no connection it is counted only (stray_fin_noack): FIN and Xmas scans are made of these.",
        causes: &["a FIN or Xmas scan", "a forged end of a connection"],
        benign: &["none is known"],
        sources: &["RFC 9293 §3.10.7.4", "Snort 116:400, 116:401", "Nmap, FIN and Xmas scan"],
        ..FlagSynFin
    }
    FlagNull: Notice to Notice, "neither SYN, ACK, FIN nor RST" {
        meaning: "A segment with none of SYN, ACK, FIN and RST, on a connection. Receivers drop it, payload included.",
        evidence: "The flags. On no connection it is counted only (stray_null), and opens none.",
        causes: &["a null scan", "payload that is to be seen by a filter and not by the receiver"],
        benign: &["none is known"],
        sources: &["RFC 9293 §3.10.7.4", "Snort 129:11", "Nmap, null scan"],
        ..FlagSynFin
    }
    Land: Notice to Notice, "source and destination are the same" {
        meaning: "The first segment of a flow whose source is its own destination, address and port: spoofed.",
        evidence: "The addresses and ports. Not on the loopback.",
        causes: &["the Land attack of 1997, or a tool that still tries it", "a spoofed source"],
        benign: &["a host that talks to itself, over the loopback: without MAC addresses, or from 127.0.0.0/8 or ::1"],
        next: &["Filter your own addresses as sources at the edge (BCP 38).", "Look at its MAC address: which device let it in?"],
        sources: &["CERT CA-1997-28", "Suricata, decoder events"],
    }
    PortZero: Notice to Notice, "port 0" {
        meaning: "The first segment of a flow with port 0 on either side, which no socket has.",
        evidence: "The ports of its first segment.",
        causes: &["a scan, or a tool that fingerprints stacks", "a broken translator"],
        benign: &["none is known"],
        next: &["Look what else its source sends.", "Drop port 0 at the edge."],
        sources: &["RFC 6335 §6", "Snort 116, TCP port 0"],
    }
    SynWithData: Notice to Notice, "payload on a SYN without Fast Open" {
        meaning: "A SYN with payload, but without the Fast Open option. Most receivers ignore the payload.",
        evidence: "Payload on a SYN whose options have neither Fast Open's number nor its experimental one.",
        causes: &["evasion: payload that a filter reads and the receiver does not, or the other way round", "a SYN flood with payload"],
        benign: &["Fast Open with or without a cookie in the option", "Linux's Fast Open without cookies (TCP_FASTOPEN_NO_COOKIE)"],
        next: &["Is Fast Open without cookies configured on that client? Else look what it sends to others."],
        sources: &["RFC 9293 §3.10.7.2", "RFC 7413 §4.2", "Zeek, SYN_with_data", "Snort 129:2"],
    }
    UrgInconsistent: Notice to Notice, "the urgent pointer and its flag disagree" {
        meaning: "URG with a pointer to nowhere, or a pointer without URG.",
        evidence: "URG with pointer 0, or without URG another one. Told once for each side of a connection.",
        causes: &["evasion: receivers differ in what they cut out of the stream", "a broken stack, or a box that clears half of it"],
        benign: &["a pointer beyond its segment: more urgent data follow"],
        next: &["Does the application use urgent data (Telnet, rlogin, FTP)? Else clear them at the firewall."],
        sources: &["RFC 6093", "RFC 9293 §3.8.5", "Snort 116, TCP_BAD_URP"],
    }
    ReservedBits: Info to Info, "a reserved bit is set" {
        meaning: "A bit of the header is set that must be 0. AE (RFC 9768), the bit next to CWR, is not one of them.",
        evidence: "The three bits behind the data offset. Told once for each side of a connection.",
        causes: &["an experiment", "a tool that fingerprints stacks", "a covert channel"],
        benign: &["nothing depends on these bits"],
        next: &["Nothing, unless other findings come from the same source."],
        sources: &["RFC 9293 §3.1", "RFC 9768"],
    }
    RstWithData: Info to Info, "a reset with payload" {
        meaning: "A reset carries payload, which some stacks use to say why.",
        evidence: "Told beside the reset's own finding.",
        causes: &["a stack or box that explains its reset"],
        benign: &["it is legal, and common enough that Zeek does not tell it"],
        next: &["Capture it: the text may name the box that made it."],
        sources: &["RFC 9293 §3.5.3", "RFC 1122 §4.2.2.12", "Suricata, stream.rst_with_data"],
    }
    AckNonzeroNoAck: Info to Info, "a SYN acknowledges, but without the flag" {
        meaning: "A SYN's acknowledgment field is not 0, though it acknowledges nothing.",
        evidence: "The field. Resets have many reasons for it, and are not looked at.",
        causes: &["a load balancer or firewall that forgot to clear it", "a scanner's handmade SYN"],
        benign: &["the field means nothing without the flag"],
        next: &["Nothing, unless such SYNs come in numbers: then look at their source."],
        sources: &["Suricata, stream.pkt_broken_ack"],
    }
    OptInvalid: Notice to Notice, "an option of an impossible length" {
        meaning: "An option runs past the header's end, is shorter than its own header, or has another length than its kind has.",
        evidence: "The option list, up to the first one that is broken. Lists of the usual layouts need no look. Told once for each side of a connection.",
        causes: &["a broken or hostile tool", "a box that rewrites options"],
        benign: &["a capture that cuts headers short is not taken for one"],
        next: &["Capture on both sides of the box that rewrites options, if there is one."],
        sources: &["RFC 9293 §3.1", "Snort 116:54", "Suricata, tcp.opt_invalid_len"],
    }
    OptDup: Notice to Notice, "an option that is there twice" {
        meaning: "An option is there twice: stacks differ in which one counts.",
        evidence: "Segment size, window scale, SACK permitted, timestamps, Fast Open, or a signature. Told once for each side of a connection.",
        causes: &["evasion", "a box that adds an option where there is one already"],
        benign: &["padding, SACK blocks and MPTCP, which may be repeated"],
        ..OptInvalid
    }
    SeqUnderflow: Notice to Notice, "a sequence number far below the first" {
        meaning: "A segment lies more than 32 MiB before its connection's first byte: a late copy of an older connection's, or a guess.",
        evidence: "On a live connection of less than 1 GiB, within 60 s of its last segment. Told once for each side.",
        causes: &["a segment of the connection that had these ports before", "a blind guess, or a broken translator of numbers"],
        benign: &["a new connection of the same ports, whose SYN was not seen"],
        next: &["Did the ports belong to another connection shortly before? Who else translates or load-balances it?"],
        sources: &["RFC 9293 §3.4", "Zeek, TCP_seq_underflow_or_misorder"],
    }
    AckUnderflow: Notice to Notice, "an acknowledgment far below the first byte" {
        meaning: "A segment acknowledges more than 32 MiB before the other side's first byte: an older connection's, or a guess.",
        evidence: "On a live connection of less than 1 GiB whose handshake was not seen (else it is for `rfc5961-ack-range`), within 60 s of its last segment. Told once for each side.",
        sources: &["RFC 9293 §3.4", "RFC 5961 §5", "Zeek, TCP_ack_underflow_or_misorder"],
        ..SeqUnderflow
    }
    FinMoved: Warn to Warn, "a second FIN, behind the first one" {
        meaning: "A side ends its stream a second time, further on: one of the two FINs is not its own.",
        evidence: "Up to 65535 bytes behind the first, within 10 s, and not next to it with payload: that is `data-after-fin`.",
        causes: &["the first FIN was forged", "a proxy that closes early"],
        benign: &["the same FIN again, with or without the last payload", "another connection of the same ports"],
        next: &["Capture at the side itself: did it send both?", "Ask which proxy on the way closes connections."],
        sources: &["Zeek, FIN_advanced_last_seq", "Snort 129:16"],
    }
    WinRecision: Notice to Notice, "window that was promised is taken back" {
        meaning: "A side takes back window that it had promised: its memory runs out, or somebody in between changes windows.",
        evidence: "Less than a quarter of the window is left, and its right edge moves left by more than a segment and two units of the scale, in a segment that is certainly later than the one before.",
        causes: &["a receiver under memory pressure (Linux then closes its window)", "a traffic shaper or proxy that changes windows"],
        benign: &["a window that shrinks as data arrive: its edge stays", "a load balancer (NetScaler) that doubles its window for a moment", "an older acknowledgment that came late"],
        next: &["Look at that host's TCP memory (Linux: TcpExt TCPZeroWindowDrop, PruneCalled).", "Capture on both sides of the shaper."],
        sources: &["RFC 9293 §3.8.6", "Zeek, window_recision"],
    }
    TsMissing: Notice to Notice, "timestamps were agreed and are missing" {
        meaning: "A segment without timestamps, though both sides agreed on them: its maker does not know the connection, or a box strips them. The receiver may drop it.",
        evidence: "Both SYNs were seen with the option, and the side has used it. Not a reset, not a keep-alive; told once for each side. In a reset it is a piece of evidence.",
        causes: &["a box that sends in the side's name", "a box that strips options", "a broken stack"],
        benign: &["keep-alives, which load balancers send on their own", "a capture that cuts headers short"],
        next: &["Compare the segment's TTL and IP-ID with the side's others.", "Capture on both sides of the box that touches options."],
        sources: &["RFC 7323 §3.2", "Snort 129:14"],
    }
    TsEchoImpossible: Warn to Warn, "an echoed timestamp that was never sent" {
        meaning: "A segment echoes a timestamp that the other side cannot have sent yet: its maker has not seen that side's segments.",
        evidence: "Ahead of the other side's last timestamp by more than a clock of a million ticks a second could have gone since, and a second more. Both SYNs were seen with timestamps. Looked at where a segment is suspected already: another TTL, after a reset or a FIN.",
        causes: &["a forged segment", "a box that rewrites timestamps in one direction only"],
        benign: &["segments that the sensor has missed: their clock goes on", "echoes of 0, and old ones"],
        next: &["Compare the segment's TTL and IP-ID with the side's others.", "Capture at the side itself: did it send this?"],
        sources: &["RFC 7323 §3.2"],
    }
    PawsReject: Notice to Notice, "payload is rejected for its old timestamp" {
        meaning: "A side's timestamps ran backwards, and the other side rejects its payload for that: the connection hangs.",
        evidence: "Payload with a timestamp older than the last came again, still older, and the other side still asks for it. Told once for each side.",
        causes: &["a load balancer or translator behind which several hosts speak in one name", "a host that was moved or restarted with its connections"],
        benign: &["segments that overtook each other", "a clock that jumped, and was accepted"],
        next: &["Is one of the two a cluster or behind a translator that does not rewrite timestamps?", "Linux counts it: TcpExt PAWSEstab."],
        sources: &["RFC 7323 §5", "Snort 129:4", "Suricata, stream.pkt_invalid_timestamp"],
    }
    GtsmViolation: Warn to Alert, "a guarded port hears from too far away" {
        meaning: "A segment to or from a guarded port has passed more routers than its peer is away.",
        evidence: "A TTL below 255 less the hops allowed, on a port of --gtsm-port. Alert for SYN and RST; else warn, once for each side of a connection. A segment of no connection that opens none is not told.",
        causes: &["somebody far away speaks in the peer's name", "a peer whose sessions are not set up for it (ttl-security)"],
        benign: &["a multihop session: allow its hops"],
        next: &["Is TTL security on at both ends (RFC 5082)? Then the router drops it itself.", "Trace the source: it is at least that many hops away."],
        sources: &["RFC 5082 §3"],
    }
}
