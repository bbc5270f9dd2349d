//! The kernel program: entry points. What they do is `sensor-common`'s; how bytes, maps and time reach it is in the modules.
//!
//! No path changes a packet's fate.

#![no_std]
#![no_main]
#![feature(core_intrinsics)]
#![expect(internal_features, reason = "the BPF target has no atomic addition that kernels before 5.12 know")]

mod clock;
mod cursor;
mod maps;
mod own;
mod stage;

use aya_ebpf::{
    bindings::{TC_ACT_UNSPEC, xdp_action::XDP_PASS},
    macros::{classifier, xdp},
    programs::{TcContext, XdpContext},
};
use sensor_common::{
    counters::Local,
    engine::{Seen, Stage},
    event::Hook,
};

use crate::cursor::Cursor;

/// The engine on the kernel's maps and clocks.
macro_rules! engine {
    ($cpu:expr, $config:expr) => {
        sensor_common::engine::Engine {
            storage: &mut $crate::maps::Maps,
            ring: &mut $crate::maps::Events,
            clock: &$crate::clock::KernelClock { source: $config.clock },
            cpu: $cpu,
            config: $config,
        }
    };
}
use engine;

#[xdp(frags)]
fn sensor_xdp(ctx: XdpContext) -> u32 {
    // SAFETY: the kernel hands every XDP program a valid context.
    let ifindex = unsafe { (*ctx.ctx).ingress_ifindex };
    let stage = begin(&Cursor::of_xdp(&ctx), Seen { ifindex, tag: 0, hook: Hook::Ingress });
    traced!(&ctx, "ingress", ifindex);
    stage::xdp_on(&ctx, stage);
    XDP_PASS
}

#[classifier]
fn sensor_ingress(ctx: TcContext) -> i32 {
    segment(&ctx, Hook::Ingress)
}

#[classifier]
fn sensor_egress(ctx: TcContext) -> i32 {
    segment(&ctx, Hook::Egress)
}

#[inline(always)]
fn segment(ctx: &TcContext, hook: Hook) -> i32 {
    let (ifindex, tag) = cursor::link(ctx);
    let stage = begin(&Cursor::of_tc(ctx), Seen { ifindex, tag, hook });
    traced!(ctx, "tc", ifindex);
    stage::tc_on(ctx, stage);
    TC_ACT_UNSPEC
}

#[inline(always)]
fn begin(frame: &Cursor, seen: Seen) -> Option<Stage> {
    let Local { cpu, passage } = maps::local()?;
    let config = maps::config();
    let hook = if config.both_directions != 0 { Hook::Observer } else { seen.hook };
    engine!(cpu, config).begin(frame, Seen { hook, ..seen }, passage)
}

/// In the trace build, a line for each frame through aya-log; nothing otherwise.
macro_rules! traced {
    ($ctx:expr, $hook:literal, $ifindex:expr) => {
        #[cfg(feature = "trace")]
        if let Some(local) = maps::local() {
            let segments = local.cpu.get(sensor_common::counters::Counter::Segments);
            let findings = local.cpu.get(sensor_common::counters::Counter::Submitted);
            aya_log_ebpf::info!($ctx, "{} ifindex {} segments {} events {}", $hook, $ifindex, segments, findings);
        }
    };
}
use traced;

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // No path panics; what is left of one would not pass the verifier.
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
