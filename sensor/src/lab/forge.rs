//! TCP packets taken apart and built by hand, with correct checksums: what a forger needs.

use std::net::{IpAddr, SocketAddr};

use sensor_common::{flow::TcpFlags, seq::SeqNumber};

use super::frame::{ETHERTYPE, Frame};

mod checksum;

const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
const TCP: u8 = 6;
const DONT_FRAGMENT: u16 = 0x4000;

/// A TCP packet on Ethernet, in its parts. What is not kept here (traffic class, flow label, IP options) is built as zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TcpPacket {
    /// Ethernet addresses: source and destination.
    pub macs: [[u8; 6]; 2],
    /// VLAN id.
    pub vlan: Option<u16>,
    /// Sender.
    pub source: SocketAddr,
    /// Receiver; of the same family.
    pub destination: SocketAddr,
    /// Time to live, or hop limit.
    pub ttl: u8,
    /// Identification; IPv4 only.
    pub id: u16,
    /// Don't-fragment bit; IPv4 only.
    pub dont_fragment: bool,
    /// TCP flags.
    pub flags: TcpFlags,
    /// Sequence number.
    pub seq: SeqNumber,
    /// Acknowledgment field.
    pub ack: SeqNumber,
    /// The window field, unscaled.
    pub window: u16,
    /// TCP options, padded to a multiple of 4 bytes.
    pub options: Vec<u8>,
    /// What follows the header.
    pub payload: Vec<u8>,
}

impl TcpPacket {
    /// Takes a frame apart; `None` where it is not an unfragmented TCP packet without IPv6 extension headers.
    pub fn parse(frame: &Frame) -> Option<Self> {
        let mut inner = frame.clone();
        let vlan = inner.untag();
        let (link, packet) = inner.0.split_at_checked(ETHERTYPE + 2)?;
        let mac = |from| link[from..from + 6].try_into().ok();
        let ip = Ip::parse(be16(link, ETHERTYPE)?, packet)?;
        let tcp = ip.payload;
        let header = usize::from(tcp.get(12)? >> 4) * 4;
        Some(Self {
            macs: [mac(6)?, mac(0)?],
            vlan,
            source: SocketAddr::new(ip.source, be16(tcp, 0)?),
            destination: SocketAddr::new(ip.destination, be16(tcp, 2)?),
            ttl: ip.ttl,
            id: ip.id,
            dont_fragment: ip.dont_fragment,
            flags: TcpFlags(*tcp.get(13)?),
            seq: SeqNumber(be32(tcp, 4)?),
            ack: SeqNumber(be32(tcp, 8)?),
            window: be16(tcp, 14)?,
            options: tcp.get(20..header)?.to_vec(),
            payload: tcp.get(header..)?.to_vec(),
        })
    }

    /// Builds the frame.
    pub fn build(&self) -> Frame {
        let tcp = self.tcp();
        let [source_mac, destination_mac] = self.macs;
        let (ethertype, ip) = self.ip(tcp.len());
        let link = [&destination_mac[..], &source_mac, &ethertype.to_be_bytes()];
        let mut frame = Frame([&link.concat(), &ip, &tcp].map(Vec::as_slice).concat());
        if let Some(id) = self.vlan {
            frame.tag(id);
        }
        frame
    }

    /// The sequence number after this packet: payload, SYN and FIN take their place.
    pub fn next(&self) -> SeqNumber {
        let phantom = u32::from(self.flags.any(TcpFlags::SYN)) + u32::from(self.flags.any(TcpFlags::FIN));
        self.seq + self.payload.len() as u32 + phantom
    }

    /// What the receiver could answer: exactly the expected numbers, an empty ACK, everything else as in this packet.
    pub fn answer(&self) -> Self {
        let [source_mac, destination_mac] = self.macs;
        Self {
            macs: [destination_mac, source_mac],
            source: self.destination,
            destination: self.source,
            seq: self.ack,
            ack: self.next(),
            ..self.bare()
        }
    }

    /// What the sender could send next: an empty ACK, everything else as in this packet.
    pub fn follow(&self) -> Self {
        Self { seq: self.next(), ..self.bare() }
    }

    fn bare(&self) -> Self {
        Self { flags: TcpFlags::ACK, options: Vec::new(), payload: Vec::new(), ..self.clone() }
    }

    /// The TCP header and payload.
    fn tcp(&self) -> Vec<u8> {
        let offset = ((20 + self.options.len()) / 4) as u8;
        let mut tcp = [
            &self.source.port().to_be_bytes()[..],
            &self.destination.port().to_be_bytes(),
            &self.seq.0.to_be_bytes(),
            &self.ack.0.to_be_bytes(),
            &[offset << 4, self.flags.0],
            &self.window.to_be_bytes(),
            &[0; 4],
            &self.options,
            &self.payload,
        ]
        .concat();
        let sum = checksum::tcp(self.source.ip(), self.destination.ip(), &tcp);
        tcp[16..18].copy_from_slice(&sum.to_be_bytes());
        tcp
    }

    /// The ethertype and the IP header for `length` bytes of payload.
    fn ip(&self, length: usize) -> (u16, Vec<u8>) {
        let [source, destination] = [self.source, self.destination].map(|end| octets(end.ip()));
        if self.source.is_ipv6() {
            let fixed = [0x60, 0, 0, 0];
            let length = (length as u16).to_be_bytes();
            let header = [&fixed[..], &length, &[TCP, self.ttl], &source, &destination];
            return (IPV6, header.concat());
        }
        let fragment = if self.dont_fragment { DONT_FRAGMENT } else { 0 };
        let mut header = [
            &[0x45, 0][..],
            &(20 + length as u16).to_be_bytes(),
            &self.id.to_be_bytes(),
            &fragment.to_be_bytes(),
            &[self.ttl, TCP, 0, 0],
            &source,
            &destination,
        ]
        .concat();
        let sum = checksum::internet(&[&header]);
        header[10..12].copy_from_slice(&sum.to_be_bytes());
        (IPV4, header)
    }
}

/// Whether the checksums of a TCP packet are right; `None` where [`TcpPacket::parse`] says so.
pub fn checksums_hold(frame: &Frame) -> Option<bool> {
    let mut inner = frame.clone();
    inner.untag();
    let packet = inner.0.get(ETHERTYPE + 2..)?;
    let ip = Ip::parse(be16(&inner.0, ETHERTYPE)?, packet)?;
    // A sum over data that includes its own checksum is zero.
    let header = packet.get(..ip.summed)?;
    Some(
        (header.is_empty() || checksum::internet(&[header]) == 0)
            && checksum::tcp(ip.source, ip.destination, ip.payload) == 0,
    )
}

/// What both versions of IP tell.
struct Ip<'a> {
    source: IpAddr,
    destination: IpAddr,
    ttl: u8,
    id: u16,
    dont_fragment: bool,
    /// Bytes of the header that its own checksum covers.
    summed: usize,
    payload: &'a [u8],
}

impl<'a> Ip<'a> {
    fn parse(ethertype: u16, packet: &'a [u8]) -> Option<Self> {
        match ethertype {
            IPV4 if *packet.get(9)? == TCP => {
                let header = usize::from(packet[0] & 0xf) * 4;
                let fragment = be16(packet, 6)?;
                // Either bit says that a part is elsewhere: more fragments, or an offset.
                (fragment & !DONT_FRAGMENT == 0).then_some(())?;
                Some(Self {
                    source: address::<4>(packet, 12)?,
                    destination: address::<4>(packet, 16)?,
                    ttl: packet[8],
                    id: be16(packet, 4)?,
                    dont_fragment: fragment & DONT_FRAGMENT != 0,
                    summed: header,
                    // Short frames are padded behind the packet.
                    payload: packet.get(header..be16(packet, 2)?.into())?,
                })
            }
            IPV6 if *packet.get(6)? == TCP => Some(Self {
                source: address::<16>(packet, 8)?,
                destination: address::<16>(packet, 24)?,
                ttl: *packet.get(7)?,
                id: 0,
                dont_fragment: false,
                summed: 0,
                payload: packet.get(40..40 + usize::from(be16(packet, 4)?))?,
            }),
            _ => None,
        }
    }
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

fn address<const N: usize>(bytes: &[u8], at: usize) -> Option<IpAddr>
where
    IpAddr: From<[u8; N]>,
{
    Some(<[u8; N]>::try_from(bytes.get(at..at + N)?).ok()?.into())
}

fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests;
