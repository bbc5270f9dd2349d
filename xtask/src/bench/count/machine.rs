//! An interpreter of BPF, as far as the sensor's programs need it: the instructions of the object itself, one by one.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use aya_obj::generated::bpf_insn;
use sensor_common::config::Config;

use super::arithmetic::{compute, holds};
use super::memory::{Memory, address};
use super::object::{self, Loaded, Map};

/// Bytes of a frame of the stack, and how deep calls may go: the kernel's own limits.
const FRAME: u64 = 512;
const DEPTH: u64 = 8;

/// Where a map's descriptor points: to nothing that can be loaded.
const DESCRIPTOR: u64 = 0xffff << 48;

/// Instructions after which a program is not believed to end.
const MOST: u64 = 1_000_000;

/// What one frame took.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Spent {
    /// Instructions of the object that were executed.
    pub(super) instructions: u64,
    /// Of these, calls of the kernel's helpers, other than lookups in arrays, which the kernel replaces by a few instructions.
    pub(super) helpers: u64,
    /// Cache lines touched, by map; what a map holds for one CPU alone is left out.
    pub(super) lines: Vec<(String, usize)>,
    /// What the program returned.
    pub(super) verdict: u32,
}

/// A CPU, its memory, and the loaded object.
pub(super) struct Machine {
    loaded: Loaded,
    memory: Memory,
    /// Nanoseconds that both clocks tell.
    pub(super) now: u64,
    stack: usize,
    packet: usize,
    context: usize,
}

/// Where a program goes on after a call.
struct Frame {
    at: usize,
    saved: [u64; 4],
}

/// What a helper leaves to do.
enum Done {
    Value(u64),
    Program(&'static str),
}

impl Machine {
    /// Loads the object.
    pub(super) fn load(path: &Path, config: &Config) -> Result<Self> {
        let mut memory = Memory::default();
        let loaded = object::load(path, config, &mut memory)?;
        let stack = memory.region((FRAME * DEPTH) as usize);
        let (packet, context) = (memory.region(0), memory.region(256));
        Ok(Self { loaded, memory, now: 0, stack, packet, context })
    }

    /// The bytes of a map.
    pub(super) fn map(&self, name: &str) -> Result<&[u8]> {
        let map = self.loaded.maps.iter().find(|map| map.name == name).with_context(|| format!("no map {name}"))?;
        Ok(self.memory.bytes(map.region))
    }

    /// Shows a frame to a program, at the interface `ifindex`.
    pub(super) fn run(&mut self, program: &str, frame: &[u8], ifindex: u32) -> Result<Spent> {
        frame.clone_into(self.memory.bytes_mut(self.packet));
        self.memory.bytes_mut(self.context).fill(0);
        let (start, end) = (address(self.packet, 0), address(self.packet, frame.len() as u64));
        // `data` and `data_end` are 32 bits wide here, and pointers once the kernel has rewritten the access: see `fetch`.
        let fields: &[(u64, u64)] = match program.starts_with("sensor_xdp") {
            true => &[(0, start), (8, end), (64, u64::from(ifindex))],
            false => &[(64, start), (72, end), (0, frame.len() as u64), (80, u64::from(ifindex))],
        };
        for (at, value) in fields {
            self.memory.store(address(self.context, *at), 8, *value)?;
        }
        self.memory.take_touched();
        let mut spent = Spent::default();
        spent.verdict = self.execute(program, &mut spent).with_context(|| program.to_owned())? as u32;
        let touched = self.memory.take_touched();
        let lines = self.loaded.maps.iter().filter(|map| map.name != "CPUS" && !map.name.starts_with('.'));
        spent.lines =
            lines.map(|map| (map.name.clone(), touched[map.region])).filter(|(_, lines)| *lines > 0).collect();
        Ok(spent)
    }

    fn execute(&mut self, program: &str, spent: &mut Spent) -> Result<u64> {
        let mut xdp = program.starts_with("sensor_xdp");
        let mut code = self.code(program)?;
        let mut registers = [0u64; 11];
        let mut frames: Vec<Frame> = Vec::new();
        let mut at = 0;
        (registers[1], registers[10]) = (address(self.context, 0), address(self.stack, FRAME));
        loop {
            let instruction = *code.get(at).context("beyond the program's end")?;
            at += 1;
            spent.instructions += 1;
            ensure!(spent.instructions < MOST, "it does not end");
            let (dst, src) = (usize::from(instruction.dst_reg()), usize::from(instruction.src_reg()));
            let immediate = i64::from(instruction.imm) as u64;
            let to = |registers: &[u64; 11], register: usize| {
                registers[register].wrapping_add_signed(instruction.off.into())
            };
            match instruction.code {
                0x18 => {
                    let upper = code.get(at).context("half an instruction")?.imm;
                    at += 1;
                    registers[dst] = self.wide(src, instruction.imm as u32, upper as u32)?;
                }
                0x85 if src == 1 => {
                    ensure!((frames.len() as u64) < DEPTH - 1, "calls go too deep");
                    frames.push(Frame { at, saved: [registers[6], registers[7], registers[8], registers[9]] });
                    registers[10] += FRAME;
                    at = at.wrapping_add_signed(instruction.imm as isize);
                }
                0x85 => match self.help(instruction.imm, &registers, spent)? {
                    Done::Value(value) => registers[0] = value,
                    Done::Program(name) => {
                        xdp = name.starts_with("xdp");
                        code = self.code(name)?;
                        at = 0;
                        frames.clear();
                        registers[10] = address(self.stack, FRAME);
                    }
                },
                0x95 => match frames.pop() {
                    Some(frame) => {
                        at = frame.at;
                        registers[6..10].copy_from_slice(&frame.saved);
                        registers[10] -= FRAME;
                    }
                    None => return Ok(registers[0]),
                },
                opcode => match opcode & 7 {
                    1 if opcode & 0xe0 == 0x60 => {
                        registers[dst] = self.fetch(to(&registers, src), size(opcode), xdp)?;
                    }
                    2 | 3 if opcode & 0xe0 == 0x60 => {
                        let value = if opcode & 7 == 2 { immediate } else { registers[src] };
                        self.memory.store(to(&registers, dst), size(opcode), value)?;
                    }
                    // Addition alone: the kernels that are supported know no other atomic operation.
                    3 if opcode & 0xe0 == 0xc0 && instruction.imm == 0 => {
                        let (place, size) = (to(&registers, dst), size(opcode));
                        let sum = self.memory.load(place, size)?.wrapping_add(registers[src]);
                        self.memory.store(place, size, sum)?;
                    }
                    class @ (4 | 7) => {
                        let by = if opcode & 8 == 0 { immediate } else { registers[src] };
                        registers[dst] = compute(opcode, class == 7, registers[dst], by, instruction.imm)?;
                    }
                    class @ (5 | 6) => {
                        let by = if opcode & 8 == 0 { immediate } else { registers[src] };
                        if holds(opcode, class == 5, registers[dst], by)? {
                            at = at.wrapping_add_signed(instruction.off.into());
                        }
                    }
                    _ => bail!("instruction {opcode:#x} is not known here"),
                },
            }
        }
    }

    fn code(&self, program: &str) -> Result<Vec<bpf_insn>> {
        self.loaded.programs.get(program).cloned().with_context(|| format!("no program {program}"))
    }

    /// A load; of a context's fields, the pointers lie beside where a program believes them.
    fn fetch(&mut self, at: u64, size: usize, xdp: bool) -> Result<u64> {
        let context = address(self.context, 0);
        let field = at.wrapping_sub(context);
        match (xdp, field) {
            _ if at >> 32 != context >> 32 => self.memory.load(at, size),
            // `xdp_md`: data, data_end, ingress_ifindex.
            (true, 0) => self.memory.load(context, 8),
            (true, 4) => self.memory.load(context + 8, 8),
            (true, 12) => self.memory.load(context + 64, 4),
            // `__sk_buff`: len, vlan_present, vlan_tci, ifindex, data, data_end.
            (false, 0) => self.memory.load(context, 4),
            (false, 20 | 24) => Ok(0),
            (false, 40) => self.memory.load(context + 80, 4),
            (false, 76) => self.memory.load(context + 64, 8),
            (false, 80) => self.memory.load(context + 72, 8),
            _ => bail!("byte {field} of the context is not known here"),
        }
    }

    /// A constant of 64 bits, a map's descriptor, or the place of a global.
    fn wide(&self, kind: usize, lower: u32, upper: u32) -> Result<u64> {
        Ok(match kind {
            0 => u64::from(upper) << 32 | u64::from(lower),
            1 => DESCRIPTOR | u64::from(lower),
            2 => address(self.loaded.maps.get(lower as usize).context("no such map")?.region, upper.into()),
            _ => bail!("a constant of kind {kind} is not known here"),
        })
    }

    fn map_at(&self, register: u64) -> Result<&Map> {
        ensure!(register & DESCRIPTOR == DESCRIPTOR, "{register:#x} is no map");
        self.loaded.maps.get((register & !DESCRIPTOR) as usize).context("no such map")
    }

    fn help(&mut self, helper: i32, registers: &[u64; 11], spent: &mut Spent) -> Result<Done> {
        spent.helpers += 1;
        Ok(Done::Value(match helper {
            // map_lookup_elem
            1 => {
                spent.helpers -= 1;
                let index = self.memory.load(registers[2], 4)?;
                let map = self.map_at(registers[1])?;
                if index < map.elements { address(map.region, index * map.stride) } else { 0 }
            }
            // ktime_get_ns, ktime_get_coarse_ns
            5 | 160 => self.now,
            // tail_call
            12 => {
                let map = self.map_at(registers[2])?;
                let to = self.loaded.stages.iter().find(|(key, _)| key.0 == map.name && key.1 == registers[3]);
                return Ok(Done::Program(to.context("a tail call to nowhere")?.1));
            }
            // ringbuf_reserve: the same room again and again.
            131 => address(self.map_at(registers[1])?.region, 0),
            // ringbuf_submit and query
            132 | 134 => 0,
            _ => bail!("helper {helper} is not known here"),
        }))
    }
}

/// Bytes of a load or store.
const fn size(opcode: u8) -> usize {
    match opcode & 0x18 {
        0x00 => 4,
        0x08 => 2,
        0x10 => 1,
        _ => 8,
    }
}
