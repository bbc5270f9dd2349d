//! The shared captures, where they are there.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use sensor::capture::Reader;

/// A captured frame: time in nanoseconds, bytes.
pub type Timed = (u64, Vec<u8>);

/// The folder of captures with independent truth, beside the project; `None`, and a loud word, where it is not.
pub fn folder() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/pcaps");
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("SKIPPED: no captures at {}", folder.display());
    None
}

/// All capture files, in order of their names.
pub fn all() -> Vec<PathBuf> {
    let Some(folder) = folder() else { return Vec::new() };
    let entries = fs::read_dir(folder).expect("the folder can be listed");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension.to_string_lossy().starts_with("pcap")));
    files.sort();
    files
}

/// The frames of a capture, with numbers.
pub fn frames(file: &Path) -> Vec<(u64, Timed)> {
    let mut reader = Reader::new(File::open(file).expect("the capture can be opened")).expect("it is a capture");
    let mut frames = Vec::new();
    while let Some(frame) = reader.next_frame().expect("it is whole") {
        frames.push((frame.number, (frame.time, frame.bytes.to_vec())));
    }
    frames
}
