//! Netlink, as far as it is asked here: a request, its answers, their attributes.

use std::{
    io,
    os::fd::{AsRawFd, FromRawFd as _, OwnedFd, RawFd},
};

/// Of a message, and of what each message about links begins with.
const HEADER: usize = 16;

/// Larger than the kernel makes a datagram of answers.
const ROOM: usize = 64 * 1024;

/// A socket. It stays in the namespace in which it was opened, whoever asks by it.
pub(super) struct Netlink(OwnedFd);

impl Netlink {
    /// Opens one of `NETLINK_ROUTE` or `NETLINK_GENERIC`.
    pub(super) fn open(protocol: i32) -> io::Result<Self> {
        let flags = libc::SOCK_RAW | libc::SOCK_CLOEXEC;
        // SAFETY: a new descriptor that nobody else owns.
        unsafe {
            match libc::socket(libc::AF_NETLINK, flags, protocol) {
                raw if raw < 0 => Err(io::Error::last_os_error()),
                raw => Ok(Self(OwnedFd::from_raw_fd(raw))),
            }
        }
    }

    /// Hears what happens in these groups (bits) from now on, and blocks no more.
    pub(super) fn listen(self, groups: u32) -> io::Result<Self> {
        // SAFETY: all zero is a valid address.
        let mut address: libc::sockaddr_nl = unsafe { std::mem::zeroed() };
        address.nl_family = libc::AF_NETLINK as u16;
        address.nl_groups = groups;
        let length = size_of::<libc::sockaddr_nl>() as u32;
        // SAFETY: an address of the stated length, and a descriptor of our own.
        let done = unsafe {
            libc::bind(self.0.as_raw_fd(), (&raw const address).cast(), length) == 0
                && libc::fcntl(self.0.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) == 0
        };
        if done { Ok(self) } else { Err(io::Error::last_os_error()) }
    }

    /// Asks; `each` gets the body of every answer. Where answers changed while they were told, this was in vain
    /// ([`io::ErrorKind::Interrupted`]).
    pub(super) fn ask(&self, kind: u16, flags: i32, body: &[u8], mut each: impl FnMut(&[u8])) -> io::Result<()> {
        let length = (HEADER + body.len()) as u32;
        // A dump ends with a word of its own, anything else with the acknowledgment.
        let flags = (libc::NLM_F_REQUEST | libc::NLM_F_ACK | flags) as u16;
        let parts: [&[u8]; 6] =
            [&length.to_ne_bytes(), &kind.to_ne_bytes(), &flags.to_ne_bytes(), &[1, 0, 0, 0], &[0; 4], body];
        let request = parts.concat();
        // SAFETY: a buffer of the stated length.
        if unsafe { libc::send(self.0.as_raw_fd(), request.as_ptr().cast(), request.len(), 0) } < 0 {
            return Err(io::Error::last_os_error());
        }
        let mut buffer = vec![0; ROOM];
        let mut torn = false;
        loop {
            let read = self.receive(&mut buffer)?;
            let mut rest = buffer.get(..read).unwrap_or_default();
            while let Some((kind, flags, body, next)) = message(rest) {
                torn |= i32::from(flags) & libc::NLM_F_DUMP_INTR != 0;
                match i32::from(kind) {
                    libc::NLMSG_DONE if torn => return Err(io::ErrorKind::Interrupted.into()),
                    libc::NLMSG_DONE => return Ok(()),
                    libc::NLMSG_ERROR => return code(body),
                    _ => each(body),
                }
                rest = next;
            }
        }
    }

    /// One datagram; how long it is.
    pub(super) fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            // SAFETY: a buffer of the stated length.
            let read = unsafe { libc::recv(self.0.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), 0) };
            match usize::try_from(read) {
                Ok(read) => return Ok(read),
                Err(_) => match io::Error::last_os_error() {
                    error if error.kind() == io::ErrorKind::Interrupted => {}
                    error => return Err(error),
                },
            }
        }
    }
}

impl AsRawFd for Netlink {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

/// The first message: its type, its flags, its body, and what follows it.
fn message(bytes: &[u8]) -> Option<(u16, u16, &[u8], &[u8])> {
    let length = u32::from_ne_bytes(*bytes.first_chunk()?) as usize;
    let half = |at: usize| bytes.get(at..)?.first_chunk().map(|half| u16::from_ne_bytes(*half));
    let next = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    Some((half(4)?, half(6)?, bytes.get(HEADER..length)?, next))
}

/// The word of an acknowledgment.
fn code(body: &[u8]) -> io::Result<()> {
    match body.first_chunk().map(|code| i32::from_ne_bytes(*code)) {
        Some(0) => Ok(()),
        Some(code) => Err(io::Error::from_raw_os_error(code.wrapping_neg())),
        None => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// An attribute: length and type before the payload, padded to four bytes.
pub(super) fn with_attribute(mut body: Vec<u8>, kind: u16, payload: &[u8]) -> Vec<u8> {
    body.extend((payload.len() as u16 + 4).to_ne_bytes());
    body.extend(kind.to_ne_bytes());
    body.extend(payload);
    body.resize(body.len().next_multiple_of(4), 0);
    body
}

/// The attributes behind the first `skip` bytes: type and payload.
pub(super) fn attributes(body: &[u8], skip: usize) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = body.get(skip..).unwrap_or_default();
    std::iter::from_fn(move || {
        let [l0, l1, t0, t1, ..] = *rest else { return None };
        // The upper two bits say how the payload is to be read.
        let (length, kind) = (u16::from_ne_bytes([l0, l1]) as usize, u16::from_ne_bytes([t0, t1]) & 0x3fff);
        let payload = rest.get(4..length)?;
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, payload))
    })
}

/// The payload of the first attribute of this type.
pub(super) fn attribute(body: &[u8], skip: usize, wanted: u16) -> Option<&[u8]> {
    attributes(body, skip).find(|(kind, _)| *kind == wanted).map(|(_, payload)| payload)
}

/// A number of four bytes.
pub(super) fn number(payload: &[u8]) -> Option<u32> {
    payload.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes))
}

/// A text that ends with a zero.
pub(super) fn text(payload: &[u8]) -> String {
    let text = payload.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_bounded() {
        let two = [6, 0, 1, 0, 9, 9, 0, 0, 8, 0, 4, 0, 7, 0, 0, 0];
        assert_eq!(attribute(&two, 0, 4), Some(&[7, 0, 0, 0][..]));
        assert_eq!(attribute(&two, 0, 1), Some(&[9, 9][..]));
        assert_eq!(attribute(&two, 8, 1), None);
        assert_eq!(attribute(&two, 0, 2), None);
        for length in [0u8, 3, 200] {
            assert_eq!(attribute(&[length, 0, 1, 0], 0, 4), None, "length {length}");
        }
        assert_eq!(attribute(&with_attribute(vec![0; 4], 3, b"eth0\0"), 4, 3).map(text).as_deref(), Some("eth0"));
    }

    #[test]
    fn messages_are_bounded() {
        let bytes = [&[20, 0, 0, 0, 3, 0, 16, 0][..], &[0; 8], &[1, 2, 3, 4], &[9]].concat();
        assert_eq!(message(&bytes), Some((3, 16, &[1, 2, 3, 4][..], &[9][..])));
        for length in [0u8, 15, 22] {
            let bytes = [&[length, 0, 0, 0][..], &[0; 17]].concat();
            assert_eq!(message(&bytes).map(|(kind, ..)| kind), None, "length {length}");
        }
        assert!(code(&[0; 4]).is_ok() && code(&[]).is_err());
        assert_eq!(code(&(-libc::ENODEV).to_ne_bytes()).unwrap_err().raw_os_error(), Some(libc::ENODEV));
    }
}
