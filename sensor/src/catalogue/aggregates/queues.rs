//! Queues and ports that run out.

entries! {
    ListenOverflow: Notice to Warn, "a listener's queue is full" {
        meaning: "The host's kernel drops requests or connections because a queue of a listening socket is full. Its log line \
            (\"Possible SYN flooding\") says the same of an attack and of an application that does not keep up; what becomes of the \
            requests tells the two apart.",
        evidence: "ListenOverflows, TCPReqQFullDoCookies or TCPReqQFullDrop of /proc/net/netstat grow; warn from 10 within 10 s. An \
            attack where `syn-flood` is on, or fewer than half of the requests come about and ten cookies are sent for one that \
            comes back; else the application. On the host itself only.",
        causes: &[
            "an application that does not call accept() often enough: busy, blocked, or out of descriptors",
            "a backlog that is too small for bursts: listen(fd, 128)",
            "a SYN flood",
        ],
        benign: &["counters that stand still: a full queue of the past"],
        next: &[
            "ss -ltn: a listener whose Recv-Q exceeds its Send-Q has a full accept queue.",
            "If it is the application: look at its CPU and descriptors; then raise its backlog and somaxconn, both.",
            "If it is an attack: see `syn-flood`.",
        ],
        sources: &["Linux, tcp_conn_request and tcp_v4_syn_recv_sock", "Linux, ip-sysctl: somaxconn, tcp_max_syn_backlog, tcp_syncookies"],
    }
    EphemeralExhaustion: Notice to Alert, "a client runs out of ports" {
        meaning: "A client opens connections to one address and port faster than TIME_WAIT gives its ports back. With P ports and \
            60 s of TIME_WAIT, P/60 connections a second are possible: 470 with Linux's 28,232 ports.",
        evidence: "Connections that the client closed first within the last 60 s, against its ports: ip_local_port_range of the \
            host itself; of others by the ports that they use. Notice from 50 %, warn from 80 %, alert from 95 %. Info where a \
            tenth of the ports is used again while it waits, which timestamps allow (net.ipv4.tcp_tw_reuse).",
        causes: &["a connection for each request: no pool, no keep-alive", "a proxy with few backends", "many hosts behind one address"],
        benign: &["a server that closes first: TIME_WAIT is then its own", "reuse by timestamps", "connections that end with a reset: they do not wait"],
        next: &[
            "Reuse connections: keep-alive, a pool whose connections live longer.",
            "Give it more to choose from: further addresses or ports of the service, or of the client; a wider ip_local_port_range.",
            "Between hosts with timestamps: sysctl net.ipv4.tcp_tw_reuse = 1 on the client. Do not shorten TIME_WAIT.",
        ],
        sources: &["RFC 9293 §3.6.1", "RFC 6191", "Linux, ip-sysctl: ip_local_port_range, tcp_tw_reuse"],
    }
    TimeWaitSide: Info to Info, "where TIME_WAIT gathers" {
        meaning: "A service closes its connections first, and so holds TIME_WAIT for each for 60 s: that costs it some memory, and \
            leaves clients free to take their ports again, sooner than it may like (`tw-reuse-refused`).",
        evidence: "10,000 connections and more that ended within 60 s with the server's FIN first.",
        causes: &["a server that does not keep connections alive, or closes after each response"],
        benign: &["as many connections that the clients close"],
        next: &["ss -tn state time-wait | wc -l; compare with net.ipv4.tcp_max_tw_buckets.", "Let connections live longer, or let clients close."],
        sources: &["RFC 9293 §3.6.1", "Linux, ip-sysctl: tcp_max_tw_buckets"],
    }
    Naptha: Warn to Warn, "connections kept open with shut windows" {
        meaning: "A source keeps many connections open and takes no data on any: what the server holds for them stays.",
        evidence: "20 established connections of one client and more, each a minute old, whose last window is 8 bytes at most. The \
            whole flow table is read for that in turns, in about 16 s.",
        causes: &["an attack: Naptha, Sockstress, slow read", "a client that is stopped, or hangs"],
        benign: &["a slow reader: a connection or a few"],
        next: &["ss -tnpo dst SOURCE on the server: which process holds them, with how much in Send-Q?", "Limit connections by source; set TCP_USER_TIMEOUT."],
        sources: &["CERT CA-2000-21", "CVE-2008-4609"],
    }
}
