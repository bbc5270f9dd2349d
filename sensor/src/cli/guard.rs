//! Ports whose peers are near.

use clap::Args;

use crate::failure::Failure;

/// Ports whose peers are near (RFC 5082), so that what comes from afar is not theirs.
#[derive(Clone, Debug, Default, Args)]
pub struct Guard {
    /// Port whose segments come with a TTL of 255, less the hops allowed (BGP: 179); up to four times. Others are told.
    #[arg(long = "gtsm-port", value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub ports: Vec<u16>,
    /// Routers that such a segment may have passed.
    #[arg(long = "gtsm-hops", value_name = "N", default_value_t = 1)]
    pub hops: u8,
}

impl Guard {
    /// The ports as the engine takes them: 0 is none.
    ///
    /// # Errors
    ///
    /// There is room for four ports.
    pub fn ports(&self) -> Result<[u16; 4], Failure> {
        let mut ports = [0; 4];
        let room = ports.get_mut(..self.ports.len());
        let room = room.ok_or_else(|| Failure::Other("--gtsm-port can be given four times: leave some out".into()))?;
        room.copy_from_slice(&self.ports);
        Ok(ports)
    }
}
