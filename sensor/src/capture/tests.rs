//! What holds for every capture: nothing whole is lost, nothing damaged panics.

use std::fs::{self, File};
use std::path::Path;

use proptest::prelude::*;

use super::order::Order;
use super::{CaptureError, Reader};
use build::{FRAME, Pcapng};

pub(super) mod build;

/// A small capture of each format and order; every one has three frames.
pub(super) fn samples() -> Vec<Vec<u8>> {
    let mut samples = Vec::new();
    for order in [Order::Little, Order::Big] {
        for magic in [0xa1b2_c3d4, 0xa1b2_3c4d, 0xa1b2_cd34] {
            samples.push(build::pcap(order, magic, 113, &[(1, 2, FRAME, 61), (1, 3, &[], 0), (2, 0, FRAME, 99)]));
        }
        let capture = Pcapng::new(order)
            .interface(1, 0, |options| options.option(2, b"eth0").option(9, &[0x8a]).option(0, &[]))
            .packet(0, 1024, FRAME)
            .block(5, |body| body.u32s([0, 0, 0]))
            .section(order)
            .interface(276, 0, |options| options.option(14, &[0; 8]))
            .block(3, |body| body.u32s([61]).raw(FRAME))
            .block(2, |body| body.u16s([0, 0]).u32s([0, 5, 61, 99]).raw(FRAME));
        samples.push(capture.bytes);
    }
    samples
}

/// Reads to the end: how many frames, and the error if there was one.
pub(super) fn read(capture: &[u8]) -> (u64, Option<CaptureError>) {
    let mut reader = match Reader::new(capture) {
        Ok(reader) => reader,
        Err(error) => return (0, Some(error)),
    };
    let (mut frames, mut last) = (0, 0);
    loop {
        match reader.next_frame() {
            Ok(Some(frame)) => {
                assert!(frame.number > last);
                (frames, last) = (frames + 1, frame.number);
            }
            Ok(None) => return (frames, None),
            Err(CaptureError::UnsupportedLink { frame, .. }) => last = frame,
            Err(error) => {
                assert!(reader.next_frame().is_ok_and(|frame| frame.is_none()), "the first error is the last");
                return (frames, Some(error));
            }
        }
    }
}

#[test]
fn cut_anywhere_delivers_what_is_whole() {
    for sample in samples() {
        assert!(matches!(read(&sample), (3, None)));
        let mut most = 0;
        for length in 0..sample.len() {
            let (frames, error) = read(&sample[..length]);
            assert!(frames == most || frames == most + 1, "{frames} after {most} at {length}");
            most = frames;
            match error {
                None => {} // cut between records
                Some(CaptureError::CutShort { frames }) => assert_eq!(frames, most),
                Some(CaptureError::Empty) => assert_eq!(length, 0),
                Some(CaptureError::NotACapture { .. }) => assert!(length < 4),
                Some(other) => panic!("{other} at {length}"),
            }
        }
        assert_eq!(most, 2);
    }
}

#[test]
fn messages_name_cause_and_remedy() {
    let sample = &samples()[0];
    let (_, error) = read(&sample[..sample.len() - 1]);
    assert_eq!(
        error.unwrap().to_string(),
        "the capture is cut short after 2 frames, all of which were read: copy it again if the original is whole"
    );
    assert!(matches!(read(b""), (0, Some(CaptureError::Empty))));
    assert!(matches!(read(b"BZh91AY"), (0, Some(CaptureError::Compressed { tool: "bzcat", .. }))));
}

proptest! {
    #[test]
    fn no_bytes_panic(start in prop::sample::select(samples()), keep in 0_usize..64, bytes: Vec<u8>) {
        read(&bytes);
        read(&[&start[..keep], &bytes].concat());
    }

    #[test]
    fn no_mutation_panics(
        sample in prop::sample::select(samples()),
        mutations in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut sample = sample;
        for (at, byte) in mutations {
            let at = at.index(sample.len());
            sample[at] = byte;
        }
        read(&sample);
    }
}

/// Captures with independent truth, which lie beside the workspace where they are at hand.
#[test]
fn reads_the_shared_captures() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/pcaps");
    let Ok(manifest) = fs::read_to_string(folder.join("MANIFEST.tsv")) else {
        eprintln!("SKIPPED: no captures in {}", folder.display());
        return;
    };
    let mut lines = manifest.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    let titles = lines.next().unwrap();
    let column = |title| titles.iter().position(|other| *other == title).unwrap();
    let (file, frames) = (column("file"), column("frames"));
    for line in lines {
        let mut reader = Reader::new(File::open(folder.join(line[file])).unwrap()).unwrap();
        let mut last = 0;
        while let Some(frame) = reader.next_frame().unwrap_or_else(|error| panic!("{}: {error}", line[file])) {
            assert_eq!(frame.number, last + 1);
            last = frame.number;
        }
        assert_eq!(last.to_string(), line[frames], "{}", line[file]);
    }
}
