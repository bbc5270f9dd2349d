//! The packages the project is built on stay the ones it was designed, measured and tested with.

/// Declared for the whole workspace, as their users are promised.
const DECLARED: &[&str] = &["aya", "aya-log", "tokio", "clap", "bytes", "anyhow"];

/// Versions that move only together: later ones need a later compiler, and halves of two sets do not fit.
const LOCKED: &[(&str, &str)] = &[
    ("aya", "0.14."),
    ("aya-obj", "0.3."),
    ("aya-ebpf", "0.2."),
    ("aya-ebpf-macros", "0.2."),
    ("aya-log", "0.3."),
    ("aya-log-ebpf", "0.2."),
];

/// All that is wrong with the manifest and its lock file.
pub(super) fn complaints(manifest: &str, lock: &str) -> Vec<String> {
    let declared = section(manifest, "[workspace.dependencies]");
    let mut complaints = Vec::new();
    for name in DECLARED {
        if !declared.clone().any(|line| line.split('=').next().is_some_and(|key| key.trim() == *name)) {
            complaints.push(format!("Cargo.toml: {name} is not among the workspace's dependencies"));
        }
    }
    for (name, version) in LOCKED {
        let versions = versions(lock, name);
        if versions.is_empty() || versions.iter().any(|locked| !locked.starts_with(version)) {
            let found = if versions.is_empty() { "absent".to_owned() } else { versions.join(", ") };
            complaints.push(format!(
                "Cargo.lock: {name} is to be {version}x, but is {found}: the aya packages move together"
            ));
        }
    }
    complaints
}

fn section<'a>(manifest: &'a str, head: &'a str) -> impl Iterator<Item = &'a str> + Clone {
    manifest.lines().skip_while(move |line| *line != head).skip(1).take_while(|line| !line.starts_with('['))
}

fn versions<'a>(lock: &'a str, name: &str) -> Vec<&'a str> {
    let wanted = format!("name = \"{name}\"");
    let lines = lock.lines().zip(lock.lines().skip(1)).filter(|(line, _)| *line == wanted);
    lines.filter_map(|(_, next)| next.strip_prefix("version = \"")?.strip_suffix('"')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> String {
        let lines: String = DECLARED.iter().map(|name| format!("{name} = \"1\"\n")).collect();
        format!("[workspace.dependencies]\n{lines}\n[profile.dev]\n")
    }

    fn lock() -> String {
        let package =
            |(name, version): &(&str, &str)| format!("[[package]]\nname = \"{name}\"\nversion = \"{version}1\"\n");
        LOCKED.iter().map(package).collect()
    }

    #[test]
    fn the_set_as_it_should_be_is_accepted() {
        assert!(complaints(&manifest(), &lock()).is_empty());
    }

    #[test]
    fn a_dropped_package_is_told() {
        let manifest = manifest().replace("bytes = ", "other = ");
        assert_eq!(complaints(&manifest, &lock()), ["Cargo.toml: bytes is not among the workspace's dependencies"]);
        // The same name elsewhere in the file does not count.
        assert_eq!(complaints(&(manifest + "bytes = \"1\"\n"), &lock()).len(), 1);
    }

    #[test]
    fn a_moved_version_is_told() {
        let lock = lock().replace("\"0.14.1\"", "\"0.15.0\"");
        let told = complaints(&manifest(), &lock);
        assert!(told.len() == 1 && told[0].contains("aya is to be 0.14.x, but is 0.15.0"), "{told:?}");
    }
}
