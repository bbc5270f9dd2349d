//! What the kernel says of each program, held to the limits.

use super::sensor::Loaded;

/// Instructions that the verifier may go through in one program.
const VERIFIED: u32 = 50_000;

/// Bytes of stack that a program's deepest chain of calls may take.
const STACK: u32 = 384;

impl Loaded {
    /// What is beyond a limit, and what to do about it.
    pub(super) fn beyond(&self) -> Option<String> {
        let mut beyond = Vec::new();
        if self.verified > VERIFIED {
            beyond.push(format!("{} instructions verified, of {VERIFIED} at the most", self.verified));
        }
        if self.stack > STACK {
            beyond.push(format!("{} bytes of stack, of {STACK} at the most", self.stack));
        }
        (!beyond.is_empty()).then(|| {
            format!(
                "{}: {}. Give what is new a stage of its own (ARCHITECTURE.md, under the verifier), or keep it in the passage",
                self.name,
                beyond.join(", ")
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::bench::mix;
    use crate::bench::sensor::Sensor;
    use crate::privilege::Privilege;

    #[test]
    fn every_program_keeps_to_the_limits_of_verifier_and_stack() {
        let object = std::env::var_os(crate::test::OBJECT_VARIABLE).map_or_else(
            || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../sensor-ebpf/object/sensor.bpf.o")),
            PathBuf::from,
        );
        if Privilege::without_sudo() != Privilege::Root {
            eprintln!("SKIPPED: not root, so the kernel verifies nothing");
            return;
        }
        let programs = Sensor::load(&object, &mix::config(1, false)).and_then(|sensor| sensor.programs()).unwrap();
        assert!(programs.iter().any(|program| program.name == "sensor_xdp"));
        // A kernel that does not tell must not look like a program that costs nothing (5.16 is the first that tells).
        assert!(programs.iter().all(|program| program.verified > 0 && program.stack > 0), "the kernel tells nothing");
        let beyond: Vec<String> = programs.iter().filter_map(Loaded::beyond).collect();
        assert!(beyond.is_empty(), "{}", beyond.join("\n"));
    }

    #[test]
    fn what_is_beyond_a_limit_is_told() {
        let loaded = |verified, stack| Loaded { name: "x".into(), verified, translated: 1, jitted: 1, stack };
        assert_eq!(loaded(50_000, 384).beyond(), None);
        assert!(loaded(50_001, 384).beyond().unwrap().contains("50001 instructions"));
        assert!(loaded(50_000, 385).beyond().unwrap().contains("385 bytes of stack"));
    }
}
