//! Whether code asks for nothing that Linux 5.9 lacks: its verifier refuses an instruction that is there, though never reached.

/// RFC 9669, section 3: an instruction is eight bytes, a wide one two of them.
const SIZE: usize = 8;
const WIDE: u8 = 0x18;

/// The first instruction that changes memory atomically in another way than by addition without an answer; the rest came with 5.12.
pub(super) fn atomic(code: &[u8]) -> Option<usize> {
    let mut instructions = code.as_chunks::<SIZE>().0.iter().enumerate();
    while let Some((at, &[code, _, _, _, immediate @ ..])) = instructions.next() {
        if code == WIDE {
            instructions.next();
        }
        // Of 32 or 64 bits.
        if matches!(code, 0xc3 | 0xdb) && immediate != [0; 4] {
            return Some(at);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_addition_is_old_enough() {
        let add = [0xdb, 0x21, 0, 0, 0, 0, 0, 0];
        let exit = [0x95, 0, 0, 0, 0, 0, 0, 0];
        let (fetch, exchange) = ([0xdb, 0x21, 0, 0, 1, 0, 0, 0], [0xc3, 0x21, 0, 0, 0xf1, 0, 0, 0]);
        assert_eq!(atomic(&[add, exit].concat()), None);
        assert_eq!(atomic(&[add, fetch, exit].concat()), Some(1));
        assert_eq!(atomic(&[exit, add, exchange].concat()), Some(2));
        // The second half of a wide instruction is a number, whatever it looks like.
        assert_eq!(atomic(&[[WIDE, 1, 0, 0, 0, 0, 0, 0], exchange, exit].concat()), None);
    }
}
