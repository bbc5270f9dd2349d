//! What BPF's operators do, by RFC 9669.

use anyhow::{Result, bail};

/// The result of an operation, `wide` or of 32 bits; those of 32 bits clear the upper half.
pub(super) fn compute(opcode: u8, wide: bool, a: u64, b: u64, immediate: i32) -> Result<u64> {
    if opcode & 0xf0 == 0xd0 {
        return swapped(opcode, a, immediate);
    }
    let shift = b as u32 & if wide { 63 } else { 31 };
    let (a, b) = if wide { (a, b) } else { (a & 0xffff_ffff, b & 0xffff_ffff) };
    let result = match opcode & 0xf0 {
        0x00 => a.wrapping_add(b),
        0x10 => a.wrapping_sub(b),
        0x20 => a.wrapping_mul(b),
        0x30 => a.checked_div(b).unwrap_or(0),
        0x40 => a | b,
        0x50 => a & b,
        0x60 => a << shift,
        0x70 => a >> shift,
        0x80 => a.wrapping_neg(),
        0x90 => a.checked_rem(b).unwrap_or(a),
        0xa0 => a ^ b,
        0xb0 => b,
        0xc0 if wide => ((a as i64) >> shift) as u64,
        0xc0 => ((a as i32) >> shift) as u64,
        _ => bail!("operation {opcode:#x} is not known here"),
    };
    Ok(if wide { result } else { result & 0xffff_ffff })
}

/// Between the machine's order of bytes, which is BPF's of this object (little), and another.
fn swapped(opcode: u8, a: u64, bits: i32) -> Result<u64> {
    let big = opcode & 8 != 0;
    Ok(match (bits, big) {
        (16, false) => u64::from(a as u16),
        (32, false) => u64::from(a as u32),
        (64, false) => a,
        (16, true) => u64::from((a as u16).swap_bytes()),
        (32, true) => u64::from((a as u32).swap_bytes()),
        (64, true) => a.swap_bytes(),
        _ => bail!("a swap of {bits} bits"),
    })
}

/// Whether a jump is taken.
pub(super) fn holds(opcode: u8, wide: bool, a: u64, b: u64) -> Result<bool> {
    let (a, b) = if wide { (a, b) } else { (a & 0xffff_ffff, b & 0xffff_ffff) };
    let signed = |x: u64| if wide { x as i64 } else { i64::from(x as i32) };
    Ok(match opcode & 0xf0 {
        0x00 => true,
        0x10 => a == b,
        0x20 => a > b,
        0x30 => a >= b,
        0x40 => a & b != 0,
        0x50 => a != b,
        0x60 => signed(a) > signed(b),
        0x70 => signed(a) >= signed(b),
        0xa0 => a < b,
        0xb0 => a <= b,
        0xc0 => signed(a) < signed(b),
        0xd0 => signed(a) <= signed(b),
        _ => bail!("jump {opcode:#x} is not known here"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thirty_two_bits_clear_the_upper_half() {
        assert_eq!(compute(0x04, false, 0xffff_ffff_ffff_ffff, 1, 0).unwrap(), 0);
        assert_eq!(compute(0xc4, false, 0x8000_0000, 4, 0).unwrap(), 0xf800_0000);
        assert_eq!(compute(0xc7, true, 1 << 63, 4, 0).unwrap(), 0xf8 << 56);
        assert_eq!(compute(0xdc, false, 0x1_1234_5678, 0, 32).unwrap(), 0x7856_3412);
        assert_eq!(compute(0x3f, true, 7, 0, 0).unwrap(), 0, "nothing is divided by zero");
    }

    #[test]
    fn signs_count_where_they_should() {
        assert!(holds(0xc6, false, 0xffff_ffff, 1).unwrap());
        assert!(!holds(0xa6, false, 0xffff_ffff, 1).unwrap());
        assert!(holds(0xc5, true, u64::MAX, 1).unwrap());
        assert!(!holds(0xc5, true, 0xffff_ffff, 1).unwrap());
    }
}
