//! Floods.

entries! {
    SynFlood: Alert to Alert, "a SYN flood" {
        meaning: "A service gets far more requests for connections than usual, and fewer than half become connections: half-open \
            connections pile up, or requests are dropped, and real clients with them.",
        evidence: "By service: 200 requests a second and more, and five times the average of the last minute, for 3 s; of them \
            less than half came about. Or 3000 and more within less, and next to none of them came about. Requests that are answered are counted exactly; those that are not are counted exactly in \
            all, and by service from a sample of the flow table (4096 requests). Repeated requests count once where they are \
            answered. Of all services together, where none has so many: 1000 a second and five times what is usual for 3 s, \
            less than 10 % came about, 32 services and more, none with a quarter of them, and sources that are made up \
            (`spoofed-sources`).",
        causes: &["an attack with made-up sources", "an attack from many hosts", "a load generator that never completes"],
        benign: &[
            "a flash crowd: 80 % and more of its requests come about",
            "a service that is down: real stacks repeat their requests after a second, and most of the sampled ones were",
        ],
        next: &[
            "If the incident names one source, or a few: limit them (nft limit, or at the edge).",
            "If the sources are made up, limits by source are of no use: check that SYN cookies are on \
                (sysctl net.ipv4.tcp_syncookies = 1), and ask upstream for filtering.",
            "Do clients still get through? nstat -az TcpExtSyncookies* TcpExtListenDrops; `listen-overflow` says whether they are lost.",
        ],
        sources: &["RFC 4987", "Wang, Zhang, Shin: Detecting SYN flooding attacks, INFOCOM 2002"],
    }
    SynFloodCusum: Warn to Warn, "requests outrun what comes of them" {
        meaning: "A service gets more requests than connections come about and end, step after step: a slow flood, below what \
            `syn-flood` asks for.",
        evidence: "Non-parametric CUSUM by service in steps of 20 s: the surplus of requests over connections, in shares of what \
            is usual (100 a step at the least), less 0.35; told above 1.05, and where fewer than half of the latest requests came \
            about.",
        causes: &["a slow SYN flood", "a way back on which SYN-ACKs are lost"],
        benign: &["long-lived connections: they come about, though they do not end", "a flash crowd"],
        next: &[
            "Who asks? The incident has some sources; `spoofed-sources` says that they are made up.",
            "How many half-open connections does the listener hold? ss -tn state syn-recv.",
        ],
        sources: &["Wang, Zhang, Shin: Detecting SYN flooding attacks, INFOCOM 2002"],
    }
    HalfOpenRatio: Notice to Alert, "half-open connections near what there is room for" {
        meaning: "A service holds so many half-open connections that its queue of requests is half full, or full: then requests \
            are dropped or answered with cookies.",
        evidence: "Connections that were answered with a SYN-ACK and not completed within 63 s, from a sample of the flow table \
            extrapolated to all of it, against somaxconn (4096 in a capture). Notice from 50 %, alert from 90 %. The \
            application's own backlog may be smaller.",
        causes: &["a SYN flood, fast or slow", "SYN-ACKs that are lost on their way to many clients"],
        benign: &["a flash crowd over long round trips: 80 % and more of its requests come about"],
        next: &[
            "ss -ltn shows the backlog that the application asked for (Send-Q).",
            "Is `syn-flood` told beside it? Then see there. If not, look for a lossy way back: `synack-retrans`.",
        ],
        sources: &["RFC 4987 §2", "Linux, ip-sysctl: somaxconn, tcp_max_syn_backlog"],
    }
    SynAckRetrans: Notice to Notice, "SYN-ACKs are repeated" {
        meaning: "A service repeats its answers to connection requests: they, or the clients' answers to them, do not get through.",
        evidence: "Within a minute 20 repeated SYN-ACKs and more, a fifth of all. With many clients in the sample it is the way \
            back, with one the client.",
        causes: &["a way back that loses or filters", "sources that are made up, at a low rate", "an accept queue that is full: `accept-queue-drop`"],
        benign: &["a lossy access network: single repetitions among many", "a SYN flood, which is told as such"],
        next: &[
            "Capture at a client: do the SYN-ACKs arrive?",
            "Do only some networks lack them? Then look at routes and filters towards those.",
        ],
        sources: &["RFC 9293 §3.8.1", "Linux, ip-sysctl: tcp_synack_retries"],
    }
    SpoofedSources: Alert to Alert, "the sources are made up" {
        meaning: "The requests of a flood have nearly as many sources as there are requests, and yet arrive as if from one place, \
            or from elsewhere than those networks.",
        evidence: "Of 50 sampled requests and more, four fifths have a source of their own; and 90 % have one TTL, or `hop-drift`. \
            It goes with `syn-flood` or `syn-flood-cusum`.",
        causes: &["a flood with forged addresses"],
        benign: &["many hosts of one network, all at one distance: told only where few of their requests come about"],
        next: &["Do not block by source: the addresses are somebody else's.", "Ask upstream where it enters (RFC 2827 filtering)."],
        sources: &["RFC 2827", "RFC 4987 §3"],
    }
    HopDrift: Alert to Alert, "requests from another distance than connections" {
        meaning: "Requests in the name of networks whose distance is known, from connections, come from another distance.",
        evidence: "Routers by TTL, against all that connections of the same /24 (IPv6: /64) have shown, more than one beyond; half \
            and more of at least ten such requests. It goes with `syn-flood` or `syn-flood-cusum`.",
        causes: &["a flood with forged addresses"],
        benign: &["a reroute, which moves connections too", "a network of several distances: its whole range is known"],
        next: &["See `spoofed-sources`: do not block by source."],
        sources: &["Wang, Jin, Shin: Hop-count filtering, CCS 2003"],
    }
    RstFloodIn: Warn to Alert, "a flood of resets" {
        meaning: "Many resets arrive that belong to no connection.",
        evidence: "100 a second and more, and ten times the average of the last minute, for 3 s; not within 10 s of the sensor's \
            start, nor while the flow table gives up connections. Alert from 10,000 a second.",
        causes: &["an attack", "answers to somebody's flood in this host's name: `backscatter`"],
        benign: &["a peer that restarts: its resets belong to connections that are known"],
        next: &["Who sends them? The incident has some sources.", "Do connections die of them? Then findings of each say so."],
        sources: &["detectors of out-of-state packets in DDoS mitigation"],
    }
    FinFlood: Warn to Alert, "a flood of FINs" {
        meaning: "Many FINs arrive that belong to no connection.",
        evidence: "200 a second and more, and ten times the average of the last minute, for 3 s; not within 10 s of the sensor's \
            start, nor while the flow table gives up connections. Alert from 10,000 a second.",
        causes: &["an attack", "a scan of many hosts: `scan-fin`, `scan-maimon`"],
        benign: &["connections from before the sensor's start that end"],
        next: &["Who sends them? The incident has some sources.", "Drop what belongs to no connection at the edge (conntrack state invalid)."],
        sources: &["detectors of out-of-state packets in DDoS mitigation"],
    }
    AckFlood: Warn to Alert, "a flood of acknowledgments" {
        meaning: "Many ACKs, with or without payload, arrive that belong to no connection.",
        evidence: "1000 flows a second and more that begin with neither SYN nor SYN-ACK, and ten times the average of the last \
            minute, for 3 s; of which fewer than half go on in both directions. Not within 10 s of the sensor's start, nor while \
            the flow table gives up connections. Alert from 10,000 a second.",
        causes: &["an attack", "a load balancer that sends live connections to the wrong host"],
        benign: &["connections that move here with a failover: they go on in both directions"],
        next: &["Does this host answer with resets (`rst-out-surge`)? Then drop what belongs to no connection before it.", "Did a load balancer or a route change just now?"],
        sources: &["detectors of out-of-state packets in DDoS mitigation"],
    }
    SynAckFlood: Warn to Alert, "a flood of SYN-ACKs" {
        meaning: "Many SYN-ACKs arrive that nobody asked for: servers elsewhere answer requests made in this host's name.",
        evidence: "200 flows a second and more that begin with a SYN-ACK, and ten times the average of the last minute, for 3 s; \
            of which fewer than half come about. Alert from 10,000 a second.",
        causes: &["a reflected attack", "requests that take a way past the sensor"],
        benign: &["asymmetric routes: what is asked for comes about"],
        next: &["Do the requests of this host pass another interface? Watch that one, too.", "If not: drop SYN-ACKs without a request before the host, and tell the reflectors' owners."],
        sources: &["RFC 4987 §2", "Paxson: An analysis of using reflectors for distributed denial-of-service attacks, 2001"],
    }
    Backscatter: Info to Info, "answers to requests that were never sent" {
        meaning: "A service answers requests that were never sent from here: somebody floods it in the name of these addresses.",
        evidence: "SYN-ACKs, or resets that acknowledge, without a request, from one address and port to 15 targets and more \
            within a minute; from samples.",
        causes: &["a flood elsewhere with forged sources, some of which are ours"],
        benign: &["a scan, whose segments are no answers", "a late answer or two"],
        next: &["There is nothing to do here; the service's owner may want to know."],
        sources: &["Moore et al.: Inferring Internet denial-of-service activity, 2001"],
    }
    RstOutSurge: Warn to Warn, "this host resets far more than usual" {
        meaning: "This host sends many resets: a service is gone, or it gets what belongs to others' connections.",
        evidence: "100 a second and more, and ten times the average of the last minute, for 10 s; not while a flood or a scan is \
            on, which resets answer.",
        causes: &["a service that is down, and whose clients keep asking", "state that was lost, or went elsewhere, with a failover", "a flood of ACKs"],
        benign: &["a deploy or a restart: over within 10 s", "answers to a flood or a scan, which is told as such"],
        next: &["Which service is it? Does it listen: ss -ltn?", "Did a failover or a load balancer send others' connections here?"],
        sources: &["RFC 9293 §3.5.2"],
    }
}
