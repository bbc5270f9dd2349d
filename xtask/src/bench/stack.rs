//! How deep a program's stack goes: read off the object, as the verifier reckons it.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use anyhow::{Context, Result};
use object::{Object, ObjectSection, ObjectSymbol, RelocationTarget, SectionIndex, SymbolKind};

/// Frames are rounded up to this by kernels that may interpret.
const ROUND: u32 = 32;
/// The frame pointer.
const R10: u8 = 10;

/// Where a function begins.
type Place = (SectionIndex, u64);

/// A function: bytes of its own frame, and whom it calls.
#[derive(Default)]
struct Function {
    frame: u32,
    calls: Vec<Place>,
}

/// Bytes of the deepest chain of calls of each entry point, by name: what `check_max_stack_depth` limits to 512.
pub(super) fn depths(object: &Path) -> Result<BTreeMap<String, u32>> {
    let bytes = std::fs::read(object).with_context(|| object.display().to_string())?;
    let file = object::File::parse(&*bytes)?;
    let mut functions = HashMap::new();
    let mut entries = BTreeMap::new();
    for symbol in file.symbols().filter(|symbol| symbol.kind() == SymbolKind::Text) {
        let index = symbol.section_index().context("a function without a section")?;
        let section = file.section_by_index(index)?;
        let targets: HashMap<u64, Place> = section
            .relocations()
            .filter_map(|(at, relocation)| {
                let RelocationTarget::Symbol(target) = relocation.target() else { return None };
                let target = file.symbol_by_index(target).ok()?;
                Some((at, (target.section_index()?, target.address())))
            })
            .collect();
        let code = section.data()?;
        let (from, to) = (symbol.address(), symbol.address() + symbol.size());
        let own = code.get(from as usize..to as usize).context("a function beyond its section")?;
        functions.insert((index, from), function(own, (index, from), &targets));
        if section.name()? != ".text" {
            entries.insert(symbol.name()?.to_owned(), (index, from));
        }
    }
    Ok(entries.into_iter().map(|(name, place)| (name, deepest(&functions, place))).collect())
}

fn function(code: &[u8], (section, start): Place, targets: &HashMap<u64, Place>) -> Function {
    let mut function = Function::default();
    // Registers that hold the frame pointer until something is added.
    let mut copies = [false; 16];
    for (i, instruction) in code.chunks_exact(8).enumerate() {
        let (opcode, dst, src) = (instruction[0], instruction[1] & 15, instruction[1] >> 4);
        let offset = i32::from(i16::from_le_bytes([instruction[2], instruction[3]]));
        let immediate = i32::from_le_bytes([instruction[4], instruction[5], instruction[6], instruction[7]]);
        let at = start + 8 * i as u64;
        let reach = match opcode {
            // Loads; stores and atomics.
            _ if opcode & 7 == 1 && src == R10 => offset,
            _ if matches!(opcode & 7, 2 | 3) && dst == R10 => offset,
            // dst += immediate
            0x07 if copies[usize::from(dst)] => immediate,
            // A call within the object; the addend of a section's own symbol counts instructions.
            0x85 if src == 1 => {
                let next = 8 * (i64::from(immediate) + 1);
                let target = match targets.get(&at) {
                    Some((section, address)) => (*section, address.wrapping_add_signed(next)),
                    None => (section, at.wrapping_add_signed(next)),
                };
                function.calls.push(target);
                0
            }
            _ => 0,
        };
        function.frame = function.frame.max(reach.min(0).unsigned_abs());
        // dst = src
        copies[usize::from(dst)] = opcode == 0xbf && src == R10;
    }
    function
}

/// There is no recursion: the verifier refuses it.
fn deepest(functions: &HashMap<Place, Function>, place: Place) -> u32 {
    let Some(function) = functions.get(&place) else { return 0 };
    let below = function.calls.iter().map(|call| deepest(functions, *call)).max().unwrap_or(0);
    function.frame.max(1).next_multiple_of(ROUND) + below
}
