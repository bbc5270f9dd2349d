//! Ethernet frames as bytes.

/// Ethertype of a VLAN tag (IEEE 802.1Q).
const VLAN: [u8; 2] = [0x81, 0x00];
/// Where the ethertype stands: after two addresses.
pub(crate) const ETHERTYPE: usize = 12;

/// An Ethernet frame from its first address to the end of its payload, with its VLAN tag if it has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame(pub Vec<u8>);

impl Frame {
    /// The VLAN id of its (outer) tag.
    pub fn vlan(&self) -> Option<u16> {
        let header = self.0.get(ETHERTYPE..ETHERTYPE + 4)?;
        (header[..2] == VLAN).then(|| u16::from_be_bytes([header[2], header[3]]) & 0xfff)
    }

    /// Puts a tag in.
    pub fn tag(&mut self, id: u16) {
        let [high, low] = id.to_be_bytes();
        if self.0.len() >= ETHERTYPE {
            self.0.splice(ETHERTYPE..ETHERTYPE, [VLAN[0], VLAN[1], high, low]);
        }
    }

    /// Takes the (outer) tag out and returns its id.
    pub fn untag(&mut self) -> Option<u16> {
        let id = self.vlan()?;
        self.0.drain(ETHERTYPE..ETHERTYPE + 4);
        Some(id)
    }
}

#[cfg(test)]
mod tests {
    use super::Frame;

    #[test]
    fn tags_go_in_and_out() {
        let mut frame = Frame([[7; 12].as_slice(), &[8, 0, 1, 2]].concat());
        let plain = frame.clone();
        assert_eq!((frame.vlan(), frame.untag()), (None, None));
        frame.tag(5);
        assert_eq!((frame.vlan(), frame.0.len()), (Some(5), plain.0.len() + 4));
        assert_eq!(frame.untag(), Some(5));
        assert_eq!(frame, plain);
    }
}
