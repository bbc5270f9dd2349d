//! Captures that are large: compressed ones, and several workers. What is printed is the same.

use std::{
    io::Write as _,
    process::{Output, Stdio},
};

use flate2::{Compression, write::GzEncoder};

use super::{forged, replay, sensor};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Replays what comes through a pipe.
fn piped(capture: &[u8]) -> Output {
    let mut command = sensor(&["replay", "-"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (mut input, capture) = (child.stdin.take().unwrap(), capture.to_vec());
    let writer = std::thread::spawn(move || input.write_all(&capture).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output
}

#[test]
fn workers_print_what_one_prints() {
    let capture = forged(1000);
    for output in ["compact", "json"] {
        for more in [&[][..], &["--records", "--local", "2001:db8::50", "--flows", "256"]] {
            let print = |workers: &str| {
                let arguments = [&["--output", output, "--dedup", "never", "--workers", workers], more].concat();
                let said = replay(&capture, &arguments);
                assert!(said.status.success());
                (said.stdout, said.stderr)
            };
            let (stdout, stderr) = print("1");
            assert!(stdout.len() > 10_000);
            for workers in ["2", "8"] {
                let many = print(workers);
                assert!(many.0 == stdout, "{workers} workers, {output} {more:?}");
                // What the table takes in all has a line of its own, counters of each worker included.
                let told = |text: &[u8]| -> Vec<String> {
                    let text = String::from_utf8_lossy(text).into_owned();
                    text.lines().filter(|line| !line.contains("memory: ")).map(str::to_owned).collect()
                };
                assert_eq!(told(&many.1), told(&stderr), "{workers} workers, {output} {more:?}");
            }
        }
    }
}

#[test]
fn compressed_captures_are_read_from_files_and_pipes() {
    let capture = forged(20);
    let plain = replay(&capture, &[]);
    for packed in [gzip(&capture), zstd::stream::encode_all(&capture[..], 1).unwrap()] {
        let through = piped(&packed);
        assert_eq!(String::from_utf8_lossy(&through.stdout), String::from_utf8_lossy(&plain.stdout));
        // With two it is unpacked on another thread.
        let cut = ["1", "2"].map(|workers| {
            let arguments = ["--workers", workers];
            assert_eq!(replay(&packed, &arguments).stdout, plain.stdout, "{workers} workers");
            let cut = replay(&packed[..packed.len() - 9], &arguments);
            let said = String::from_utf8(cut.stderr).unwrap();
            let cause = said.split_once("the capture is ").map(|(_, cause)| cause.to_owned());
            assert!(cut.status.code() == Some(2) && said.contains("cut short after "), "{said}");
            (cut.stdout, cause)
        });
        assert!(cut[0] == cut[1], "{:?}", cut.map(|(_, cause)| cause));
    }
}
