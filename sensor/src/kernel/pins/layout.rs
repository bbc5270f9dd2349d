//! The layout of what lies in the maps, as one number: of the types that the object itself describes (BTF), so that nobody has to
//! remember to count it up.

use std::collections::BTreeSet;

use object::{Object as _, ObjectSection as _};

/// To be counted up when the same bytes come to mean something else, which no type tells.
const MEANING: u64 = 1;

/// The maps whose contents outlive a sensor, and the configuration that says how keys are hashed.
const ROOTS: [&str; 7] = ["BUCKETS", "CONFIG", "CPUS", "EVENTS", "EXTRAS", "FLOWS", "SERVICES"];

// Kinds of types, from linux/btf.h; those that say nothing of the layout are followed through.
const INT: u32 = 1;
const POINTER: u32 = 2;
const ARRAY: u32 = 3;
const STRUCT: u32 = 4;
const UNION: u32 = 5;
const ENUM: u32 = 6;
const TYPEDEF: u32 = 8;
const VOLATILE: u32 = 9;
const CONST: u32 = 10;
const RESTRICT: u32 = 11;
const PROTOTYPE: u32 = 13;
const VAR: u32 = 14;
const SECTION: u32 = 15;
const DECL_TAG: u32 = 17;
const ENUM64: u32 = 19;

/// Words of a type's head, and of its array's description.
const HEAD: usize = 12;

/// The layout of an object's maps; none if it does not describe them.
pub(super) fn of(object: &[u8]) -> Option<u64> {
    let file = object::File::parse(object).ok()?;
    let data = file.section_by_name(".BTF")?.uncompressed_data().ok()?;
    let types = Types::parse(&data)?;
    let mut hash = Hash::default();
    hash.number(MEANING);
    for root in ROOTS {
        let variable = types.all.iter().position(|one| one.kind == VAR && types.name(one.name) == root)?;
        hash.text(root);
        types.describe(variable as u32, &mut hash, &mut BTreeSet::new())?;
    }
    Some(hash.0)
}

/// FNV-1a: an agent of another build must come to the same.
struct Hash(u64);

impl Default for Hash {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hash {
    fn bytes(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        }
    }

    fn number(&mut self, number: u64) {
        self.bytes(&number.to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
        self.bytes(&[0]);
    }
}

/// A type as BTF has it; `detail` is its size, or the type that it refers to.
struct Type {
    name: u32,
    kind: u32,
    detail: u32,
    /// Members, variants, or what an array is made of: three words each.
    parts: Vec<[u32; 3]>,
}

struct Types<'a> {
    /// From 1 on; 0 is void.
    all: Vec<Type>,
    names: &'a [u8],
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

impl<'a> Types<'a> {
    fn parse(data: &'a [u8]) -> Option<Self> {
        let section = |at: usize| {
            let (head, from, len) = (word(data, 4)?, word(data, at)?, word(data, at + 4)?);
            let from = head.checked_add(from)?;
            data.get(from as usize..from.checked_add(len)? as usize)
        };
        let (types, names) = (section(8)?, section(16)?);
        let mut all = vec![Type { name: 0, kind: 0, detail: 0, parts: Vec::new() }];
        let mut at = 0;
        while at < types.len() {
            let (name, info, detail) = (word(types, at)?, word(types, at + 4)?, word(types, at + 8)?);
            let (kind, count) = (info >> 24 & 31, (info & 0xffff) as usize);
            at += HEAD;
            let (count, words) = match kind {
                INT | VAR | DECL_TAG => (1, 1),
                ARRAY => (1, 3),
                STRUCT | UNION | SECTION | ENUM64 => (count, 3),
                ENUM | PROTOTYPE => (count, 2),
                _ => (0, 0),
            };
            let mut parts = Vec::with_capacity(count);
            for _ in 0..count {
                let part = |i: usize| if i < words { word(types, at + 4 * i) } else { Some(0) };
                parts.push([part(0)?, part(1)?, part(2)?]);
                at += 4 * words;
            }
            all.push(Type { name, kind, detail, parts });
        }
        Some(Self { all, names })
    }

    fn name(&self, at: u32) -> &str {
        let rest = self.names.get(at as usize..).unwrap_or_default();
        let end = rest.iter().position(|byte| *byte == 0).unwrap_or_default();
        std::str::from_utf8(&rest[..end]).unwrap_or_default()
    }

    /// Adds what a type says of its bytes: sizes, names, places. A struct is described once, and then by its name.
    fn describe(&self, id: u32, hash: &mut Hash, met: &mut BTreeSet<u32>) -> Option<()> {
        let one = self.all.get(id as usize)?;
        match one.kind {
            // A map's own sizes are set when it is loaded, and compared elsewhere; its types are all pointed to.
            POINTER | TYPEDEF | VOLATILE | CONST | RESTRICT | VAR => return self.describe(one.detail, hash, met),
            _ => {}
        }
        hash.number(one.kind.into());
        match one.kind {
            INT => {
                hash.number(one.detail.into());
                one.parts.iter().for_each(|part| hash.number(part[0].into()));
            }
            ARRAY => {
                let [of, _, count] = *one.parts.first()?;
                hash.number(count.into());
                self.describe(of, hash, met)?;
            }
            STRUCT | UNION => {
                let own = self.name(one.name);
                // The map's own type: of its members only key and value are laid out anywhere.
                let map = one.parts.iter().any(|part| self.name(part[0]) == "max_entries");
                if !met.insert(id) {
                    hash.text(own);
                    return Some(());
                }
                if !map {
                    hash.number(one.detail.into());
                }
                for [name, of, place] in &one.parts {
                    let name = self.name(*name);
                    if map && !["key", "value", "value_type"].contains(&name) {
                        continue;
                    }
                    hash.text(name);
                    if !map {
                        hash.number(u64::from(*place));
                    }
                    self.describe(*of, hash, met)?;
                }
            }
            ENUM | ENUM64 => {
                hash.number(one.detail.into());
                for [name, low, high] in &one.parts {
                    hash.text(self.name(*name));
                    hash.number(u64::from(*low) | u64::from(*high) << 32);
                }
            }
            _ => {}
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::OBJECT;

    #[test]
    fn the_same_object_has_the_same_layout_and_nothing_else_has_one() {
        let layout = of(OBJECT).expect("the object describes its maps");
        assert_eq!(of(OBJECT), Some(layout));
        assert_eq!(of(b"something else"), None);
        assert_eq!(of(&OBJECT[..OBJECT.len() / 2]), None);
    }

    /// Whatever of the types is another, down to the last newtype, is another layout; code is none.
    #[test]
    fn each_type_and_each_name_counts() {
        let layout = of(OBJECT);
        let file = object::File::parse(OBJECT).unwrap();
        let (from, len) = file.section_by_name(".BTF").unwrap().file_range().unwrap();
        let range = from as usize..(from + len) as usize;
        let names = |member: &str| {
            let member = [&b"\0"[..], member.as_bytes(), b"\0"].concat();
            let at = OBJECT[range.clone()].windows(member.len()).position(|window| window == member).unwrap();
            range.start + at + 1
        };
        for member in ["hash_keys", "bucket_mask", "counters", "tails", "passage", "notes", "evidence"] {
            let mut object = OBJECT.to_vec();
            object[names(member)] ^= 0x20;
            assert_ne!(of(&object), layout, "{member}");
        }
        let mut object = OBJECT.to_vec();
        object[names("sensor_xdp")] ^= 0x20;
        assert_eq!(of(&object), layout, "what a program is called has no say");
    }

    #[test]
    fn what_is_no_type_section_is_refused() {
        for data in [&[][..], &[0; 24], &[0xff; 64]] {
            assert!(Types::parse(data).is_none_or(|types| types.all.len() == 1), "{data:?}");
        }
    }
}
