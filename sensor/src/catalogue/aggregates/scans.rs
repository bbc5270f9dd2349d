//! Scans.

/// What all scans from samples have in common.
const PROBES: &str = "15 targets and more of one source within a minute, from samples: of up to 64 strays a second and CPU each one. \
    Warn from 100 segments, which are counted exactly.";
const CAUSES: &[&str] = &["somebody looks for open ports, with a scanner", "an inventory or audit of one's own"];
const NEXT: &[&str] = &[
    "Is the source one of yours: inventory, audit, monitoring? Then put it on the allow-list.",
    "What did it find open? Look at what that service saw of it next.",
    "Block it at the edge if it goes on.",
];
const SOURCES: &[&str] = &["nmap, port scanning techniques", "Snort 3, port_scan inspector"];

entries! {
    ScanSyn: Notice to Warn, "a port scan" {
        meaning: "A source asks many different services for connections; they refuse, or do not answer, and hardly any serves it.",
        evidence: "Within a minute 15 different services and more that refused or did not answer, and at most one connection that \
            served it in five of these; from records of connections that ended, so seconds later where they refuse, and a minute where \
            they are silent. Warn from 100 targets. Of the host itself 100 where none answers: its network may be down.",
        causes: CAUSES,
        benign: &[
            "a client whose one server is gone: one target",
            "a proxy or a monitor with dead backends: others serve it",
            "many users behind one address: most are served",
        ],
        next: NEXT,
        sources: SOURCES,
    }
    ScanConnect: Notice to Warn, "a port scan that connects" {
        meaning: "As `scan-syn`, with complete handshakes where something listens, after which the source closes without a word.",
        evidence: "As for `scan-syn`, and connections without payload that the source ended.",
        causes: CAUSES,
        benign: &["health checks that connect and close: what they check answers"],
        next: NEXT,
        sources: SOURCES,
    }
    Sweep: Notice to Warn, "one port of many hosts" {
        meaning: "A source asks many hosts for one port; they refuse, or do not answer, and hardly any serves it.",
        evidence: "As for `scan-syn`, where all targets have one port.",
        causes: &["somebody looks for one service, often for a flaw in it", "a worm", "an inventory of one's own"],
        benign: &["a client of many servers, some of which are down: others serve it"],
        next: NEXT,
        sources: SOURCES,
    }
    ScanFin: Notice to Warn, "a scan by bare FINs" {
        meaning: "A source sends FINs without ACK, as no stack does, to many ports: closed ones answer with a reset, open ones not.",
        evidence: PROBES,
        causes: CAUSES,
        benign: &["single such segments: `flag-fin-noack`"],
        next: NEXT,
        sources: SOURCES,
    }
    ScanNull: Notice to Warn, "a scan by segments without flags" {
        meaning: "A source sends segments without flags, as no stack does, to many ports: closed ones answer with a reset, open ones not.",
        benign: &["single such segments: `flag-null`"],
        ..ScanFin
    }
    ScanXmas: Notice to Warn, "a scan by FIN, PSH and URG" {
        meaning: "A source sends segments with FIN, PSH and URG and no ACK, as no stack does, to many ports: closed ones answer with a \
            reset, open ones not.",
        ..ScanFin
    }
    ScanMaimon: Notice to Warn, "a scan by FINs with ACK" {
        meaning: "A source sends FINs that belong to no connection to many ports: some BSDs drop them where a port is open.",
        benign: &["a server that ends connections from before the sensor's start: those go to its clients' ports, and do not count"],
        ..ScanFin
    }
    ScanAck: Notice to Warn, "a scan by ACKs" {
        meaning: "A source sends ACKs that belong to no connection to many ports; those that a filter lets through are answered \
            with a reset. So it learns the filter's rules.",
        evidence: "15 targets and more of one source within a minute that answered a lone ACK with a reset; from a sample of the \
            flow table. Warn from 100.",
        causes: CAUSES,
        benign: &["clients of a host that has restarted: each asks for one service", "a server that goes on with connections from before"],
        next: NEXT,
        sources: SOURCES,
    }
    ScanZmap: Notice to Warn, "requests that look like ZMap's" {
        meaning: "The requests of a scan have the IP-ID that ZMap gives all its probes. It goes with the scan.",
        evidence: "All sampled requests of the source, 15 and more, have IP-ID 54321.",
        causes: &["ZMap, or what is made of it; research scans often are"],
        benign: &["the IP-ID alone, which one request in 65,536 has"],
        next: &["Look the source up: research scanners say who they are at their address.", "Take the same steps as for `scan-syn`."],
        sources: &["ZMap, src/probe_modules"],
    }
    ScanMasscan: Notice to Warn, "requests that look like masscan's" {
        meaning: "The requests of a scan have window 1024 and neither window scale nor timestamps, as masscan's and those of nmap's SYN \
            scan. It goes with the scan.",
        evidence: "All sampled requests of the source, 15 and more, are so.",
        causes: &["masscan, or nmap -sS with its default window"],
        benign: &["small stacks of embedded devices, which do not scan"],
        next: &["Take the same steps as for `scan-syn`."],
        sources: &["masscan, src/templ-pkt.c", "nmap, scan_engine_raw.cc"],
    }
}
