//! The corpora as ordinary tests: each seed as it is, and some thousand mutations of them, always the same.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{fs, path::Path};

use fuzz::{TARGETS, Target};

const MUTATIONS: u32 = 4_000;

fn seeds(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

/// Xorshift (Marsaglia 2003): the same numbers everywhere.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % sides.max(1)
    }

    fn mutate(&mut self, bytes: &mut Vec<u8>, other: &[u8]) {
        let at = self.roll(bytes.len());
        match self.roll(6) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, self.roll(256) as u8),
            2 => {
                let from = self.roll(other.len()).min(other.len());
                bytes.splice(at.., other[from..].iter().copied());
            }
            3 if !bytes.is_empty() => bytes[at] ^= 1 << self.roll(8),
            4 if !bytes.is_empty() => bytes[at] = [0, 0xff, 0x7f, 0x80][self.roll(4)],
            _ if !bytes.is_empty() => bytes[at] = self.roll(256) as u8,
            _ => {}
        }
    }
}

fn exercise((name, target): Target) {
    let seeds = seeds(name);
    assert!(seeds.len() >= 10, "{name} has {} seeds", seeds.len());
    seeds.iter().for_each(|seed| target(seed));
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    for _ in 0..MUTATIONS {
        let mut bytes = seeds[dice.roll(seeds.len())].clone();
        let other = &seeds[dice.roll(seeds.len())];
        for _ in 0..=dice.roll(4) {
            dice.mutate(&mut bytes, other);
        }
        target(&bytes);
    }
}

#[test]
fn frames() {
    exercise(TARGETS[0]);
}

#[test]
fn captures() {
    exercise(TARGETS[1]);
}

#[test]
fn events() {
    exercise(TARGETS[2]);
}

#[test]
fn conversations() {
    exercise(TARGETS[3]);
}
