//! What the binary is made of: a bill of materials in CycloneDX 1.5, from cargo's own tree. Macros that wrote code of it included.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::process;
use crate::workspace::Workspace;

/// The document, for a build of `target`.
pub(super) fn document(workspace: &Workspace, target: &str) -> Result<String> {
    let mut cargo = workspace.cargo();
    cargo.args(["tree", "--locked", "--package", "sensor", "--edges", "normal", "--target", target]);
    cargo.args(["--features", super::FEATURES, "--prefix", "none", "--no-dedupe", "--format", "{p}|{l}"]);
    let tree = process::read(&mut cargo)?;
    let document = bill(&tree).context("cargo tree is not as expected")?;
    Ok(serde_json::to_string_pretty(&document)? + "\n")
}

/// The first line of the tree is the binary's own package.
fn bill(tree: &str) -> Option<Value> {
    let mut lines = tree.lines();
    let own = component("application", lines.next()?)?;
    // Sorted and each once, so that the same dependencies give the same document.
    let others: BTreeSet<&str> = lines.filter(|line| !line.is_empty()).collect();
    let others: Vec<Value> = others.into_iter().map(|line| component("library", line)).collect::<Option<_>>()?;
    Some(json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": { "component": own },
        "components": others,
    }))
}

/// From `name v1.2.3 (where)|licence`; what is ours has a folder there.
fn component(kind: &str, line: &str) -> Option<Value> {
    let (package, licence) = line.rsplit_once('|')?;
    let mut words = package.split(' ');
    let (name, version) = (words.next()?, words.next()?.strip_prefix('v')?);
    // Old manifests have a stroke where SPDX has OR.
    let licence = licence.replace(" / ", " OR ").replace('/', " OR ");
    let mut component = json!({
        "type": kind,
        "bom-ref": format!("{name}@{version}"),
        "name": name,
        "version": version,
        "licenses": [{ "expression": licence }],
    });
    let ours = words.next().is_some_and(|place| place.starts_with("(/"));
    if !ours {
        component["purl"] = format!("pkg:cargo/{name}@{}", version.replace('+', "%2B")).into();
    }
    Some(component)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_package_is_named_once() {
        let tree = "sensor v0.1.0 (/w/sensor)|MIT\nb v2.0.0|MIT/Apache-2.0\na v1.0.0+x (proc-macro)|MIT\nb v2.0.0|MIT/Apache-2.0\n";
        let bill = bill(tree).unwrap();
        assert_eq!(bill["metadata"]["component"]["name"], "sensor");
        assert!(bill["metadata"]["component"]["purl"].is_null());
        let components = bill["components"].as_array().unwrap();
        assert_eq!(components.len(), 2);
        assert_eq!(components[0]["purl"], "pkg:cargo/a@1.0.0%2Bx");
        assert_eq!(components[1]["licenses"][0]["expression"], "MIT OR Apache-2.0");
        assert!(super::bill("nonsense").is_none());
    }
}
