//! What is found of many connections together: the ids, which are public and stable.

macro_rules! aggregates {
    ($($(#[$doc:meta])* $name:ident, $id:literal;)*) => {
        /// What was found of many connections together.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Aggregate {
            $($(#[$doc])* $name,)*
        }

        impl Aggregate {
            /// Every one of them.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The public id.
            pub const fn id(self) -> &'static str {
                match self {
                    $(Self::$name => $id,)*
                }
            }
        }
    };
}

aggregates! {
    /// Many requests for connections, of which few come about.
    SynFlood, "syn-flood";
    /// Requests outrun connections that come about and end, if slowly.
    SynFloodCusum, "syn-flood-cusum";
    /// A service's half-open connections come near what it has room for.
    HalfOpenRatio, "half-open-ratio";
    /// A service repeats its SYN-ACKs.
    SynAckRetrans, "synack-retrans";
    /// The host's accept queue, or its queue of requests, is full.
    ListenOverflow, "listen-overflow";
    /// Resets that belong to no connection.
    RstFloodIn, "rst-flood-in";
    /// FINs that belong to no connection.
    FinFlood, "fin-flood";
    /// Acknowledgments that belong to no connection.
    AckFlood, "ack-flood";
    /// SYN-ACKs that nobody asked for, from many services.
    SynAckFlood, "synack-flood";
    /// This host resets far more than it did.
    RstOutSurge, "rst-out-surge";
    /// Answers of one service to requests that were never sent.
    Backscatter, "backscatter";
    /// A client runs out of ports towards one service.
    EphemeralExhaustion, "ephemeral-exhaustion";
    /// Where TIME_WAIT gathers.
    TimeWaitSide, "timewait-side";
    /// Many services are asked, and hardly any connection comes of it.
    ScanSyn, "scan-syn";
    /// Many services are connected to, and nothing is said.
    ScanConnect, "scan-connect";
    /// Bare FINs to many ports.
    ScanFin, "scan-fin";
    /// Segments without flags to many ports.
    ScanNull, "scan-null";
    /// FIN, PSH and URG to many ports.
    ScanXmas, "scan-xmas";
    /// Bare ACKs to many ports.
    ScanAck, "scan-ack";
    /// FIN and ACK to many ports.
    ScanMaimon, "scan-maimon";
    /// Many hosts are asked for one port.
    Sweep, "sweep";
    /// Requests that look like ZMap's.
    ScanZmap, "scan-zmap";
    /// Requests that look like masscan's, or like those of nmap's SYN scan.
    ScanMasscan, "scan-masscan";
    /// A source keeps connections open and their windows shut.
    Naptha, "naptha";
    /// Requests come from another distance than their sources' connections.
    HopDrift, "hop-drift";
    /// Requests whose sources are made up.
    SpoofedSources, "spoofed-sources";
}

impl Aggregate {
    /// Whether it is a scan of some sort.
    pub const fn is_scan(self) -> bool {
        use Aggregate::{
            ScanAck, ScanConnect, ScanFin, ScanMaimon, ScanMasscan, ScanNull, ScanSyn, ScanXmas, ScanZmap, Sweep,
        };
        matches!(
            self,
            ScanSyn
                | ScanConnect
                | ScanFin
                | ScanNull
                | ScanXmas
                | ScanAck
                | ScanMaimon
                | Sweep
                | ScanZmap
                | ScanMasscan
        )
    }

    /// The one of that id.
    pub fn of(id: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|aggregate| aggregate.id() == id)
    }
}
