//! The object's programs and maps, joined as a loader joins them.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use aya_obj::Object;
use aya_obj::generated::bpf_insn;
use sensor_common::config::Config;
use sensor_common::engine::Stage;
use sensor_common::table::WAYS;
use zerocopy::IntoBytes;

use super::memory::Memory;

/// A map: what stands for its descriptor in the programs is its place in [`Loaded::maps`].
pub(super) struct Map {
    pub(super) name: String,
    /// Bytes of an element, as they lie in memory.
    pub(super) stride: u64,
    pub(super) elements: u64,
    /// Where its elements are.
    pub(super) region: usize,
}

/// Programs and maps.
pub(super) struct Loaded {
    pub(super) programs: BTreeMap<String, Vec<bpf_insn>>,
    pub(super) maps: Vec<Map>,
    /// What tail calls lead to, by the array's name and the index.
    pub(super) stages: HashMap<(&'static str, u64), &'static str>,
}

/// Reads the object for this configuration, and lays out its maps in `memory`.
pub(super) fn load(path: &Path, config: &Config, memory: &mut Memory) -> Result<Loaded> {
    let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
    let mut object = Object::parse(&bytes).map_err(|error| anyhow!("{}: {error}", path.display()))?;
    object.patch_map_data(HashMap::from([("CONFIG", (config.as_bytes(), true))]))?;
    let flows = (u64::from(config.bucket_mask) + 1) * WAYS as u64;
    let mut sorted: Vec<_> = object.maps.iter().map(|(name, map)| (name.clone(), map.clone())).collect();
    sorted.sort_by(|a, b| a.0.cmp(&b.0));
    let mut maps = Vec::new();
    for (name, map) in &sorted {
        let elements = match name.as_str() {
            "BUCKETS" => u64::from(config.bucket_mask) + 1,
            "FLOWS" | "EXTRAS" => flows,
            "SERVICES" => u64::from(config.service_mask) + 1,
            // A ring has bytes, not elements: room for one record at a time is enough here.
            "EVENTS" => 1,
            _ => u64::from(map.max_entries()),
        };
        let stride = match name.as_str() {
            "EVENTS" => 4096,
            _ => u64::from(map.value_size()).next_multiple_of(8),
        };
        let region = memory.region((stride * elements) as usize);
        let data = map.data();
        memory.bytes_mut(region)[..data.len()].copy_from_slice(data);
        maps.push(Map { name: name.clone(), stride, elements, region });
    }
    let text: HashSet<usize> = object.functions.keys().map(|(section, _)| *section).collect();
    let descriptors = sorted.iter().enumerate().map(|(index, (name, map))| (name.as_str(), index as i32, map));
    object.relocate_maps(descriptors, &text)?;
    object.relocate_calls(&text)?;
    let programs = object.programs.iter().filter_map(|(name, program)| {
        Some((name.clone(), object.functions.get(&program.function_key())?.instructions.clone()))
    });
    let programs = programs.collect();
    let stages = Stage::ALL
        .iter()
        .flat_map(|(stage, xdp, tc)| [(("XDP_STAGES", *stage as u64), *xdp), (("TC_STAGES", *stage as u64), *tc)])
        .collect();
    Ok(Loaded { programs, maps, stages })
}
