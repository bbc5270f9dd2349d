//! Whether a BPF function returns one constant on every path: constants are followed through all branches until
//! nothing changes.

/// RFC 9669, section 3: an instruction is eight bytes, a wide one two of them.
const SIZE: usize = 8;

/// What a register holds, as the low 32 bits; `None` if that is not known.
type Value = Option<i32>;
type Registers = [Value; 11];

struct Instruction {
    code: u8,
    destination: usize,
    source: usize,
    offset: i16,
    immediate: i32,
}

/// What an instruction does to the flow.
enum Next {
    Following,
    Jump(i64),
    Branch(i64),
    Exit,
}

/// Whether each `exit` of a function returns `verdict`; otherwise which instruction does not, or cannot be followed.
pub(super) fn always(code: &[u8], verdict: i32) -> Result<(), usize> {
    let program: Vec<Instruction> = code.as_chunks::<SIZE>().0.iter().map(decode).collect();
    let mut states: Vec<Option<Registers>> = vec![None; program.len()];
    let mut pending = vec![(0, [None; 11])];
    while let Some((at, arriving)) = pending.pop() {
        let (Some(instruction), Some(state)) = (program.get(at), states.get_mut(at)) else {
            return Err(at);
        };
        let merged = state.map_or(arriving, |known| merge(known, arriving));
        if *state == Some(merged) {
            continue;
        }
        *state = Some(merged);
        let mut registers = merged;
        execute(instruction, &mut registers);
        let wide = usize::from(instruction.code == 0x18);
        let following = at + 1 + wide;
        let target = |offset: i64| at.checked_add_signed(isize::try_from(offset + 1).ok()?);
        match next(instruction) {
            Next::Exit if merged[0] == Some(verdict) => {}
            Next::Exit => return Err(at),
            Next::Following => pending.push((following, registers)),
            Next::Jump(offset) => pending.push((target(offset).ok_or(at)?, registers)),
            Next::Branch(offset) => {
                pending.push((following, registers));
                pending.push((target(offset).ok_or(at)?, registers));
            }
        }
    }
    Ok(())
}

fn decode(bytes: &[u8; SIZE]) -> Instruction {
    let [code, registers, low, high, immediate @ ..] = *bytes;
    Instruction {
        code,
        destination: usize::from(registers & 0x0f),
        source: usize::from(registers >> 4),
        offset: i16::from_le_bytes([low, high]),
        immediate: i32::from_le_bytes(immediate),
    }
}

/// A register keeps a value only if it has it on every way here. So values only get lost, and the loop ends.
fn merge(one: Registers, other: Registers) -> Registers {
    std::array::from_fn(|register| one[register].filter(|_| one[register] == other[register]))
}

fn execute(instruction: &Instruction, registers: &mut Registers) {
    let class = instruction.code & 0x07;
    let set = |registers: &mut Registers, register: usize, value| {
        if let Some(slot) = registers.get_mut(register) {
            *slot = value;
        }
    };
    match (class, instruction.code & 0xf8) {
        // Moves, 64 and 32 bits, of an immediate or of a register without sign extension.
        (0x07 | 0x04, 0xb0) => set(registers, instruction.destination, Some(instruction.immediate)),
        (0x07 | 0x04, 0xb8) if instruction.offset == 0 => {
            let value = registers.get(instruction.source).copied().flatten();
            set(registers, instruction.destination, value);
        }
        // Any other arithmetic, and loads.
        (0x07 | 0x04 | 0x00 | 0x01, _) => set(registers, instruction.destination, None),
        // Atomic operations may write their source, and compare-and-exchange writes r0.
        (0x03, 0xc0 | 0xd8) => {
            set(registers, instruction.source, None);
            set(registers, 0, None);
        }
        // A call writes r0 and may write its arguments.
        (0x05, 0x80 | 0x88) => registers[..6].fill(None),
        _ => {}
    }
}

fn next(instruction: &Instruction) -> Next {
    match (instruction.code & 0x07, instruction.code & 0xf0) {
        (0x05, 0x90) => Next::Exit,
        (0x05, 0x80) => Next::Following,
        (0x05, 0x00) => Next::Jump(instruction.offset.into()),
        (0x06, 0x00) => Next::Jump(instruction.immediate.into()),
        (0x05 | 0x06, _) => Next::Branch(instruction.offset.into()),
        _ => Next::Following,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXIT: [u8; 8] = [0x95, 0, 0, 0, 0, 0, 0, 0];

    /// `w<register> = value`
    fn mov(register: u8, value: i8) -> [u8; 8] {
        let [low, high, ..] = i32::from(value).to_le_bytes();
        [0xb4, register, 0, 0, low, high, high, high]
    }

    /// `if r1 == 0 goto +offset`
    fn branch(offset: i8) -> [u8; 8] {
        let [low, high] = i16::from(offset).to_le_bytes();
        [0x15, 0x01, low, high, 0, 0, 0, 0]
    }

    fn check(program: &[[u8; 8]], verdict: i32) -> Result<(), usize> {
        always(program.as_flattened(), verdict)
    }

    #[test]
    fn one_constant_on_both_ways_is_accepted() {
        assert_eq!(check(&[mov(0, 2), branch(1), mov(0, 2), EXIT], 2), Ok(()));
        assert_eq!(check(&[mov(0, -1), EXIT], -1), Ok(()));
    }

    #[test]
    fn a_second_verdict_on_one_way_is_found() {
        // XDP_DROP is 1.
        assert_eq!(check(&[mov(0, 2), branch(1), mov(0, 1), EXIT], 2), Err(3));
        assert_eq!(check(&[mov(0, 2), branch(2), mov(0, 1), EXIT, EXIT], 2), Err(3));
    }

    #[test]
    fn what_a_call_returns_is_not_a_constant() {
        let call = [0x85, 0, 0, 0, 1, 0, 0, 0];
        assert_eq!(check(&[mov(0, 2), call, EXIT], 2), Err(2));
        // r6 survives a call: r0 = r6.
        assert_eq!(check(&[mov(6, 2), call, [0xbf, 0x60, 0, 0, 0, 0, 0, 0], EXIT], 2), Ok(()));
    }

    #[test]
    fn a_loop_ends() {
        assert_eq!(check(&[mov(0, 2), branch(-2), EXIT], 2), Ok(()));
        // r0 += 1 in a loop.
        assert_eq!(check(&[mov(0, 2), [0x07, 0, 0, 0, 1, 0, 0, 0], branch(-2), EXIT], 2), Err(3));
    }

    #[test]
    fn a_loaded_verdict_and_a_way_out_of_the_code_are_found() {
        // w0 = *(u32 *)(r1 + 0)
        assert_eq!(check(&[mov(0, 2), [0x61, 0x10, 0, 0, 0, 0, 0, 0], EXIT], 2), Err(2));
        assert_eq!(check(&[mov(0, 2)], 2), Err(1));
    }
}
