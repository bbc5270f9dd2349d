//! Access to a frame's bytes, bounds-checked.

use zerocopy::FromBytes;

/// A frame whose reads are bounds-checked. In the kernel the check is against the packet's end pointer, so that the verifier
/// sees it; everywhere else it is a slice.
pub trait Frame {
    /// The `N` bytes at `offset`, if the frame has them.
    fn bytes<const N: usize>(&self, offset: usize) -> Option<&[u8; N]>;

    /// The frame's length on the wire in bytes; what is readable may be less.
    fn wire_len(&self) -> usize;
}

/// A frame in memory, as a capture has it.
#[derive(Clone, Copy, Debug)]
pub struct Slice<'a> {
    bytes: &'a [u8],
    wire_len: usize,
}

impl<'a> Slice<'a> {
    /// Captured bytes and the length that the frame had on the wire.
    pub const fn new(bytes: &'a [u8], wire_len: usize) -> Self {
        Self { bytes, wire_len }
    }
}

impl Frame for Slice<'_> {
    #[inline(always)]
    fn bytes<const N: usize>(&self, offset: usize) -> Option<&[u8; N]> {
        self.bytes.get(offset..)?.first_chunk()
    }

    #[inline(always)]
    fn wire_len(&self) -> usize {
        self.wire_len
    }
}

/// Big-endian 16 bits at `at`.
#[inline(always)]
pub(super) fn be16<const N: usize>(bytes: &[u8; N], at: usize) -> u16 {
    u16::from_be(load(bytes, at))
}

/// Big-endian 32 bits at `at`.
#[inline(always)]
pub(super) fn be32<const N: usize>(bytes: &[u8; N], at: usize) -> u32 {
    u32::from_be(load(bytes, at))
}

/// The bytes at `at` as they lie in memory.
#[inline(always)]
fn load<T: FromBytes, const N: usize>(bytes: &[u8; N], at: usize) -> T {
    assert!(at + size_of::<T>() <= N, "offsets of header fields are constants within their header");
    let field = bytes.as_ptr().wrapping_add(at).cast::<T>();
    // SAFETY: within `bytes`, as just checked, and any bytes are a `T`. On the BPF target a load may be misaligned (the kernel
    // refuses it where the machine cannot do it), while `read_unaligned` becomes a load for each byte.
    unsafe { if cfg!(target_arch = "bpf") { field.read() } else { field.read_unaligned() } }
}
