//! Two CPUs that open flows in one bucket at the same time: no slot is given to both, none is lost, each refusal is counted.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use aya::{
    maps::Array,
    programs::{TestRun, TestRunOptions, Xdp},
};
use sensor::{kernel::Kernel, sweep::Slots as _};
use sensor_common::{
    config::{ClockSource, Config},
    counters::Counter,
    table::{Bucket, WAYS, place},
};
use tests::{root, scenario::Scenario};

/// Each ends with a full bucket, but for refusals.
const ROUNDS: usize = 3000;

#[test]
fn a_slot_is_given_to_one_of_two() {
    if !root() {
        return;
    }
    // One bucket, whose slots are as many as all flows: nobody is evicted, so whoever is not there was refused.
    let config = Config { clock: ClockSource::Test as u8, ..Config::replay(0) };
    let mut kernel = Kernel::load_with(config, 1 << 16).expect("it loads");
    kernel.set_test_time(1_000_000_000_000).expect("the test clock");
    let table = kernel.table().expect("the table");
    let mut refused = 0;
    for round in 0..ROUNDS {
        let map = kernel.ebpf().map_mut("BUCKETS").expect("the buckets");
        let mut buckets: Array<_, [u8; size_of::<Bucket>()]> = map.try_into().expect("an array");
        buckets.set(0, [0; size_of::<Bucket>()], 0).expect("an empty bucket");
        let program: &mut Xdp =
            kernel.ebpf().program_mut("sensor_xdp").expect("the program").try_into().expect("for XDP");
        let (program, ready) = (&*program, AtomicUsize::new(0));
        thread::scope(|scope| {
            for cpu in 0..2 {
                let ready = &ready;
                scope.spawn(move || open(program, ready, cpu, round));
            }
        });

        let bucket = table.bucket(0);
        for (slot, &tag) in bucket.tags.iter().enumerate().filter(|(_, tag)| **tag != 0) {
            let (flow, _) = table.flow(slot);
            assert_eq!(tag, place(&flow.head.key, &config).tag, "round {round}: slot {slot} has its own flow's tag");
        }
        let taken = bucket.tags.iter().filter(|tag| **tag != 0).count();
        let races = kernel.counters().expect("counters").get(Counter::InsertRaces) as usize;
        assert_eq!(taken + races - refused, WAYS, "round {round}: each has a slot, or was refused");
        refused = races;
    }
    println!("{refused} of {} were refused", ROUNDS * WAYS);
}

/// Half of a bucket's worth of connection requests, on a CPU of its own where there are two.
fn open(program: &Xdp, ready: &AtomicUsize, cpu: usize, round: usize) {
    // SAFETY: a CPU set on the stack, and a plain system call on it. Without a second CPU it fails, and nothing is lost by that.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(cpu, &mut set);
        libc::sched_setaffinity(0, size_of_val(&set), &set);
    }
    let frames: Vec<_> = (0..WAYS / 2)
        .map(|n| {
            let port = 1024 + (round * WAYS + cpu * WAYS / 2 + n) % 60_000;
            let client = ([10, 0, 0, 2], port as u16).into();
            Scenario::between(client, ([192, 0, 2, 80], 443).into()).syn().frames().remove(0).bytes
        })
        .collect();
    ready.fetch_add(1, Ordering::SeqCst);
    while ready.load(Ordering::SeqCst) < 2 {
        thread::yield_now();
    }
    for frame in &frames {
        let mut options = TestRunOptions::new();
        options.data_in = Some(frame);
        program.test_run(options).expect("a test-run");
    }
}
