//! What the command prints for programs, against what it says that it prints.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{collections::BTreeMap, fs, path::Path, process::Command};

use sensor::catalogue;
use sensor_common::detect::Severity;
use serde_json::Value;

fn sensor(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_sensor")).args(arguments).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_verb_prints_the_schema() {
    let printed: Value = serde_json::from_str(&sensor(&["schema"])).unwrap();
    assert_eq!(printed, sensor::schema::schema());
    assert_eq!(printed["$schema"], "https://json-schema.org/draft/2020-12/schema");
}

/// Real findings fit the schema, and are as severe as the catalogue calls usual.
#[test]
fn real_findings_are_as_foretold() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/pcaps");
    let Ok(captures) = fs::read_dir(&folder) else {
        return eprintln!("SKIPPED: no captures in {}", folder.display());
    };
    let schema = sensor::schema::schema();
    let validator = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
    let defined = |name: &str| {
        let schema = &schema["$defs"][name];
        (jsonschema::options().should_validate_formats(true).build(schema).unwrap(), &schema["properties"])
    };
    let others = BTreeMap::from(["flow", "incident"].map(|name| (name, defined(name))));
    let (mut kinds, mut told): (BTreeMap<String, u32>, BTreeMap<String, u32>) = Default::default();
    for path in captures.map(|entry| entry.unwrap().path()) {
        for line in sensor(&["replay", "--records", "--output", "json", path.to_str().unwrap()]).lines() {
            let object: Value = serde_json::from_str(line).unwrap();
            let other = object["type"].as_str().map(|name| (name, &others[name]));
            let validator = other.map_or(&validator, |(_, (validator, _))| validator);
            let errors: Vec<_> = validator.iter_errors(&object).map(|e| format!("{} {e}", e.instance_path())).collect();
            assert!(errors.is_empty(), "{}: {errors:?}\n{line}", path.display());
            if let Some((name, (_, fields))) = other {
                assert!(object.as_object().unwrap().keys().eq(fields.as_object().unwrap().keys()), "{line}");
                *told.entry(name.to_owned()).or_default() += 1;
                continue;
            }
            let id = object["kind"].as_str().unwrap();
            let mut bare = object.clone();
            bare["detail"] = serde_json::json!({});
            assert_eq!(validator.is_valid(&bare), object["detail"].as_object().unwrap().is_empty(), "{line}");
            let [least, most] = catalogue::entry(catalogue::kind(id).unwrap()).severity;
            let severity = Severity::ALL.into_iter().find(|s| object["severity"] == s.name()).unwrap();
            assert!((least..=most).contains(&severity), "{}: {id} is {}", path.display(), severity.name());
            *kinds.entry(id.to_owned()).or_default() += 1;
        }
    }
    assert!(kinds.len() > 5 && told["flow"] > 1000 && told["incident"] > 5, "{told:?}, {kinds:?}");
}
