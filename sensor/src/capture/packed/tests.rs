//! Compressed captures: whole, in parts, cut off, damaged, and much larger than they look.

use std::io::Write as _;

use flate2::{Compression, write::GzEncoder};

use super::super::{
    CaptureError, Reader,
    order::Order,
    tests::{
        build::{self, FRAME},
        read, samples,
    },
};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::stream::encode_all(bytes, 3).unwrap()
}

#[test]
fn both_are_read_whole_and_in_parts() {
    for sample in samples() {
        assert!(matches!(read(&gzip(&sample)), (3, None)));
        assert!(matches!(read(&zstd(&sample)), (3, None)));
        let (start, rest) = sample.split_at(sample.len() / 2);
        assert!(matches!(read(&[gzip(start), gzip(rest)].concat()), (3, None)), "what `cat a.gz b.gz` makes");
        let skippable = b"\x50\x2a\x4d\x18\x03\0\0\0abc".to_vec();
        assert!(matches!(read(&[zstd(start), skippable, zstd(rest)].concat()), (3, None)));
    }
}

/// Nothing that came whole is lost, whatever the decoder still holds back.
#[test]
fn cut_anywhere_delivers_what_is_whole() {
    let records = vec![(1, 2, FRAME, 61); 4000];
    let sample = build::pcap(Order::Little, 0xa1b2_c3d4, 1, &records);
    for packed in [gzip(&sample), zstd(&sample)] {
        let mut most = 0;
        for length in (0..packed.len()).step_by(7) {
            let (frames, error) = read(&packed[..length]);
            assert!(frames >= most && frames <= 4000, "{frames} after {most} at {length}");
            most = frames;
            match error {
                // All frames may be there before the stream's own end.
                Some(CaptureError::CutShort { frames }) => assert_eq!(frames, most),
                Some(CaptureError::Empty) => assert_eq!(length, 0),
                other => panic!("{other:?} at {length}"),
            }
        }
    }
    // Beyond any window of a decoder: the first half of a large stream has its frames.
    let mut seed = 1_u32;
    let mut noise = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 24) as u8
    };
    let frames: Vec<[u8; 61]> = (0..20_000).map(|_| [(); 61].map(|()| noise())).collect();
    let records: Vec<_> = frames.iter().map(|frame| (1, 2, &frame[..], 61)).collect();
    let sample = build::pcap(Order::Little, 0xa1b2_c3d4, 1, &records);
    for packed in [gzip(&sample), zstd(&sample)] {
        let (frames, error) = read(&packed[..packed.len() / 2]);
        assert!(frames > 7_000 && matches!(error, Some(CaptureError::CutShort { .. })), "{frames} {error:?}");
    }
}

#[test]
fn damage_is_told_with_what_was_read() {
    let sample = build::pcap(Order::Little, 0xa1b2_c3d4, 1, &[(1, 2, FRAME, 61), (1, 3, FRAME, 61)]);
    let mut packed = gzip(&sample);
    let checksum = packed.len() - 8;
    packed[checksum] ^= 1;
    let (frames, error) = read(&packed);
    let text = error.unwrap().to_string();
    assert!(frames == 2 && text.contains("after 2 frames") && text.contains("`zcat FILE"), "{frames}: {text}");
    let (_, error) = read(b"\x28\xb5\x2f\xfd\x00\xa8");
    let text = error.unwrap().to_string();
    assert!(text.contains("zstd") && text.contains("`zstdcat FILE"), "a window of 2 GiB: {text}");
    for byte in 4..packed.len() {
        for mut packed in [gzip(&sample), zstd(&sample)] {
            if let Some(place) = packed.get_mut(byte) {
                *place ^= 0x55;
                read(&packed);
            }
        }
    }
    let twice = read(&gzip(&zstd(&sample))).1.unwrap().to_string();
    assert!(twice.contains("compressed with zstd"), "{twice}");
}

/// Many times its size: what is kept of it is a window.
#[test]
fn a_bomb_is_read_in_bounded_memory() {
    let mut bomb = build::pcap(Order::Little, 0xa1b2_c3d4, 1, &[]);
    let record = build::pcap(Order::Little, 0xa1b2_c3d4, 1, &[(1, 2, FRAME, 61)]).split_off(bomb.len());
    (0..100_000).for_each(|_| bomb.extend(&record));
    for packed in [gzip(&bomb), zstd(&bomb)] {
        assert!(packed.len() < bomb.len() / 50);
        let mut reader = Reader::new(&packed[..]).unwrap();
        let mut frames = 0;
        while reader.next_frame().unwrap().is_some() {
            frames += 1;
        }
        assert_eq!(frames, 100_000);
        assert!(reader.input.room() <= 256 << 10, "{} bytes", reader.input.room());
    }
}
