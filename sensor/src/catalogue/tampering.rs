//! Connections that were cut off near their beginning: the tampering signatures of SIGCOMM 2023, and resets that race a handshake.

entries! {
    RstSyn: Info to Warn, "a reset races the handshake" {
        meaning: "A reset in the course of the handshake that neither side's kernel sends.",
        evidence: "It guesses its number, or comes from another distance than its side's SYN or SYN-ACK. Info by its number alone, \
            notice from another distance, warn so in the name of the side that asked.",
        causes: &["a device on the way that forbids the connection"],
        benign: &["a client that rejects an answer which this sensor does not see", "a scanner's own resets"],
        next: &["Find the device at that distance (traceroute), and ask its owner for the reason."],
        sources: &["Weaver, Sommer, Paxson: Detecting Forged TCP Reset Packets, NDSS 2009"],
    }
    RstBothEnds: Notice to Notice, "both ends were reset at once" {
        meaning: "Both ends were told within 50 ms that the other hung up: a device in between tore the connection down.",
        evidence: "Resets in both directions within 50 ms, neither caused by the other; no FIN.",
        causes: &["a firewall or load balancer that ends connections on both sides", "a filter that injects resets both ways"],
        benign: &["a reset that answers a reset's trigger", "both applications abort at once, which is rare"],
        next: &["Look at the idle time before: a load balancer's timeout?", "Ask the owners of the devices on the way."],
        sources: &["Microsoft, Azure load balancer TCP reset", "Weaver, Sommer, Paxson, NDSS 2009"],
    }
    CtSynNone: Info to Alert, "a SYN, then silence" {
        meaning: "The client's SYN got through, but the handshake never finished, and nothing followed, or a reset did.",
        evidence: "The client's segments, judged once the flow has been at rest for 3 s, and what speaks against its resets: distance and \
            IP-ID. Silence or one plausible reset is info; what no stack does is notice; more only with such evidence.",
        causes: &["blocking by address or port", "the client lost its connectivity"],
        benign: &["a scanner, or spoofed SYNs", "flows whose beginning was not seen, or that a side had closed before, are left out"],
        next: &["Compare the TTL of SYN and reset: was one device at work?"],
        sources: &["Sundara Raman et al.: Global, Passive Detection of Connection Tampering, SIGCOMM 2023"],
    }
    CtSynRst: Info to Alert, "a SYN, then a reset without ACK" { ..CtSynNone }
    CtSynRstAck: Info to Alert, "a SYN, then a reset with ACK" { ..CtSynNone }
    CtSynRstRstAck: Info to Alert, "a SYN, then resets with and without ACK" { ..CtSynNone }
    CtAckNone: Info to Alert, "a handshake, then silence" {
        meaning: "The handshake worked, then the connection was cut before the first request arrived.",
        evidence: "The client's segments, judged once the flow has been at rest for 3 s, and what speaks against its resets: distance and \
            IP-ID. Silence or one plausible reset is info; what no stack does is notice; more only with such evidence.",
        causes: &["a device that decides on addresses and ports, or drops the first request", "the client lost its connectivity"],
        benign: &["browsers that connect ahead, and the losers of Happy Eyeballs", "flows whose beginning was not seen, or that a side had closed before, are left out"],
        next: &["Capture at the client: if it did send data, a box on the path ate it."],
        sources: &["Sundara Raman et al.: Global, Passive Detection of Connection Tampering, SIGCOMM 2023"],
    }
    CtAckRst: Info to Alert, "a handshake, then a reset without ACK" { ..CtAckNone }
    CtAckRstRst: Info to Alert, "a handshake, then resets without ACK" { ..CtAckNone }
    CtAckRstAck: Info to Alert, "a handshake, then a reset with ACK" { ..CtAckNone }
    CtAckRstAckRstAck: Info to Alert, "a handshake, then resets with ACK" { ..CtAckNone }
    CtPshNone: Info to Alert, "one data segment, then silence" {
        meaning: "The first request arrived, and the connection was then reset or went silent.",
        evidence: "The client's segments, judged once the flow has been at rest for 3 s, and what speaks against its resets: distance and \
            IP-ID. Silence or one plausible reset is info; what no stack does is notice; more only with such evidence.",
        causes: &["a filter that is triggered by content", "the client lost its connectivity"],
        benign: &["a user who closes the page", "flows whose beginning was not seen, or that a side had closed before, are left out"],
        next: &["Does it depend on the name or path that was asked for?"],
        sources: &["Sundara Raman et al.: Global, Passive Detection of Connection Tampering, SIGCOMM 2023"],
    }
    CtPshRst: Info to Alert, "one data segment, then a reset without ACK" { ..CtPshNone }
    CtPshRstAck: Info to Alert, "one data segment, then a reset with ACK" { ..CtPshNone }
    CtPshRstRstAck: Info to Alert, "one data segment, then resets with and without ACK" { ..CtPshNone }
    CtPshRstAckRstAck: Info to Alert, "one data segment, then resets with ACK" { ..CtPshNone }
    CtPshRstEq: Info to Alert, "one data segment, then resets with equal ack fields" { ..CtPshNone }
    CtPshRstNe: Info to Alert, "one data segment, then resets that guess" { ..CtPshNone }
    CtPshRstRst0: Info to Alert, "one data segment, then resets, one acknowledging 0" { ..CtPshNone }
    CtDataRst: Info to Alert, "several data segments, then a reset without ACK" {
        meaning: "The connection was reset after several data segments.",
        evidence: "The client's segments, judged once the flow has been at rest for 3 s, and what speaks against its resets: distance and \
            IP-ID. Silence or one plausible reset is info; what no stack does is notice; more only with such evidence.",
        causes: &["a filter, or a device that lost its state", "the client lost its connectivity"],
        benign: &["an application's abort", "flows whose beginning was not seen, or that a side had closed before, are left out"],
        next: &["Look for an abort in the log of the client's application."],
        sources: &["Sundara Raman et al.: Global, Passive Detection of Connection Tampering, SIGCOMM 2023"],
    }
    CtDataRstAck: Info to Alert, "several data segments, then a reset with ACK" { ..CtDataRst }
    RadarPostSyn: Info to Alert, "cut off after the SYN, without a signature" { ..CtSynNone }
    RadarPostAck: Info to Alert, "cut off after the handshake, without a signature" { ..CtAckNone }
    RadarPostPsh: Info to Alert, "cut off after the first data, without a signature" { ..CtPshNone }
    RadarLater: Info to Alert, "reset after several data segments, without a signature" { ..CtDataRst }
}
