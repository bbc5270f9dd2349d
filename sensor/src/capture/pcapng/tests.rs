//! Blocks, sections and interfaces.

use super::super::tests::build::{FRAME, Pcapng as Build};
use super::super::{Frame, Reader};
use super::*;

const ORDERS: [Order; 2] = [Order::Little, Order::Big];
const SECOND: u64 = 1_000_000_000;

/// All frames, as (number, time, bytes, length on the wire, interface).
#[track_caller]
fn frames(capture: &Build) -> Vec<(u64, u64, Vec<u8>, u32, u32)> {
    let mut reader = Reader::new(capture.bytes.as_slice()).unwrap();
    let mut frames = Vec::new();
    while let Some(Frame { number, time, bytes, wire_len, interface }) = reader.next_frame().unwrap() {
        frames.push((number, time, bytes.to_vec(), wire_len, interface));
    }
    frames
}

/// The error that a capture ends with.
#[track_caller]
fn error(capture: &Build) -> CaptureError {
    let mut reader = Reader::new(capture.bytes.as_slice()).unwrap();
    loop {
        match reader.next_frame() {
            Ok(frame) => assert!(frame.is_some(), "no error"),
            Err(error) => {
                assert_eq!(reader.next_frame().unwrap(), None);
                return error;
            }
        }
    }
}

#[test]
fn interfaces_have_links_clocks_and_names_of_their_own() {
    for order in ORDERS {
        let offset: [u8; 8] = if order == Order::Big { (-2_i64).to_be_bytes() } else { (-2_i64).to_le_bytes() };
        let capture = Build::new(order)
            .interface(1, 0, |options| options.option(2, b"eth\x1b0").option(0, &[]))
            .interface(101, 0, |options| options.option(9, &[9]).option(14, &offset))
            .packet(0, 3_000_000, FRAME)
            .packet(1, 3 * SECOND, &[0x45, 9]);
        let read = frames(&capture);
        assert_eq!(read[0], (1, 3 * SECOND, FRAME.to_vec(), 61, 0));
        let ip = [&[0; 12], [8, 0, 0x45, 9].as_slice()].concat();
        assert_eq!(read[1], (2, SECOND, ip, 16, 1));
        assert_eq!(read.len(), 2);

        let mut reader = Reader::new(capture.bytes.as_slice()).unwrap();
        reader.next_frame().unwrap();
        assert_eq!(reader.interface_name(0), Some("eth0"), "without the escape character");
        assert_eq!(reader.interface_name(1), None);
    }
}

#[test]
fn sections_begin_anew() {
    let capture = Build::new(Order::Little)
        .interface(1, 0, |options| options)
        .packet(0, 1, FRAME)
        .section(Order::Big)
        .interface(229, 0, |options| options)
        .packet(0, 2, &[0x60])
        .section(Order::Little);
    let read = frames(&capture);
    assert_eq!((read[0].0, read[0].1, read[0].2.as_slice()), (1, 1000, FRAME));
    assert_eq!((read[1].0, read[1].1, &read[1].2[12..]), (2, 2000, [0x86, 0xdd, 0x60].as_slice()));

    let forgotten = capture.packet(0, 3, FRAME);
    assert!(matches!(error(&forgotten), CaptureError::Damaged { frames: 2, .. }));
}

#[test]
fn simple_and_obsolete_packets() {
    for order in ORDERS {
        let capture = Build::new(order)
            .interface(1, 40, |options| options)
            .block(3, |body| body.u32s([61]).raw(&FRAME[..40]))
            .block(2, |body| body.u16s([0, 7]).u32s([0, 5, 61, 99]).raw(FRAME))
            .block(3, |body| body.u32s([13]).raw(&FRAME[..13]));
        assert_eq!(
            frames(&capture),
            [
                (1, 0, FRAME[..40].to_vec(), 61, 0),
                (2, 5000, FRAME.to_vec(), 99, 0),
                (3, 5000, FRAME[..13].to_vec(), 13, 0), // it has no time of its own
            ]
        );
    }
}

#[test]
fn numbers_frames_as_wireshark_does() {
    let mut capture = Build::new(Order::Little).interface(1, 0, |options| options);
    for kind in [4, 5, 10, 0x7777_7777, 9, 0xbad, 0x4000_0bad, 0x204] {
        capture = capture.block(kind, |body| body.raw(&[0; 20]));
    }
    assert_eq!(frames(&capture.packet(0, 0, FRAME))[0].0, 5);
}

#[test]
fn goes_on_behind_an_unsupported_link() {
    let capture = Build::new(Order::Little)
        .interface(1, 0, |options| options)
        .interface(249, 0, |options| options)
        .packet(1, 0, FRAME)
        .packet(0, 0, FRAME);
    let mut reader = Reader::new(capture.bytes.as_slice()).unwrap();
    assert!(matches!(reader.next_frame(), Err(CaptureError::UnsupportedLink { link: 249, frame: 1, .. })));
    assert_eq!(reader.next_frame().unwrap().unwrap().number, 2);
    assert_eq!(reader.next_frame().unwrap(), None);
}

#[test]
fn refuses_damage() {
    let sound = || Build::new(Order::Little).interface(1, 0, |options| options).packet(0, 0, FRAME);
    let damaged = |capture: Build| matches!(error(&capture), CaptureError::Damaged { frames: 1, .. });
    let with = |raw: &[u8]| {
        let mut capture = sound();
        capture.bytes.extend(raw);
        capture
    };
    assert!(damaged(sound().packet(1, 0, FRAME)), "no such interface");
    assert!(damaged(sound().block(6, |body| body.u32s([0, 0, 0, 5, 5]).raw(&[0; 4]))), "longer than its block");
    assert!(damaged(sound().block(6, |body| body.u32s([0, 0, 0, 0]))), "too short");
    assert!(damaged(sound().block(1, |body| body.u32s([1]))), "not an interface");
    assert!(damaged(with(&[9, 0, 0, 0, 11, 0, 0, 0, 0, 0, 0, 0])), "impossible length");
    assert!(damaged(with(&[9, 0, 0, 0, 12, 0, 0, 0, 13, 0, 0, 0])), "lengths differ");
    assert!(damaged(with(&[0x0a, 0x0d, 0x0d, 0x0a, 28, 0, 0, 0, 1, 2, 3, 4])), "no byte order");
    let large = with(&[9, 0, 0, 0, 4, 0, 0, 1, 0, 0, 0, 0]);
    assert!(matches!(error(&large), CaptureError::TooLarge { frames: 1, .. }));
}
