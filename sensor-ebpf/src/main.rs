//! The kernel program: entry points. What they do is `sensor-common`'s; how bytes, maps and time reach it is in the modules.
//!
//! No path changes a packet's fate.

#![no_std]
#![no_main]
#![feature(core_intrinsics)]
#![expect(internal_features, reason = "compare-and-swap: the BPF target has no AtomicU32::compare_exchange")]

mod clock;
mod cursor;
mod maps;

use aya_ebpf::{
    bindings::{TC_ACT_UNSPEC, xdp_action::XDP_PASS},
    macros::{classifier, xdp},
    programs::{TcContext, XdpContext},
};
use sensor_common::{
    counters::Local,
    engine::{Engine, Seen, Stage},
    event::Hook,
};

use crate::{
    clock::KernelClock,
    cursor::Cursor,
    maps::{Events, Maps},
};

/// The engine on the kernel's maps and clocks.
macro_rules! engine {
    ($cpu:expr, $config:expr) => {
        Engine {
            storage: &mut Maps,
            ring: &mut Events,
            clock: &KernelClock { source: $config.clock },
            cpu: $cpu,
            config: $config,
        }
    };
}

#[xdp(frags)]
fn sensor_xdp(ctx: XdpContext) -> u32 {
    // SAFETY: the kernel hands every XDP program a valid context.
    let ifindex = unsafe { (*ctx.ctx).ingress_ifindex };
    let stage = begin(&Cursor::of_xdp(&ctx), Seen { ifindex, tag: 0, hook: Hook::Ingress });
    traced!(&ctx, "ingress", ifindex);
    maps::xdp_stage(&ctx, stage);
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
    maps::tc_stage(ctx, stage);
    TC_ACT_UNSPEC
}

/// A stage's two programs.
macro_rules! stage {
    ($stage:ident, $xdp:ident, $tc:ident) => {
        #[xdp(frags)]
        fn $xdp(ctx: XdpContext) -> u32 {
            maps::xdp_stage(&ctx, go_on(Stage::$stage));
            XDP_PASS
        }

        #[classifier]
        fn $tc(ctx: TcContext) -> i32 {
            maps::tc_stage(&ctx, go_on(Stage::$stage));
            TC_ACT_UNSPEC
        }
    };
}

stage!(Reset, xdp_reset, tc_reset);
stage!(Handshake, xdp_handshake, tc_handshake);
stage!(Watched, xdp_watched, tc_watched);
stage!(Tell, xdp_tell, tc_tell);

#[inline(always)]
fn begin(frame: &Cursor, seen: Seen) -> Option<Stage> {
    let Local { cpu, passage } = maps::local()?;
    let config = maps::config();
    let hook = if config.both_directions != 0 { Hook::Observer } else { seen.hook };
    engine!(cpu, config).begin(frame, Seen { hook, ..seen }, passage)
}

#[inline(always)]
fn go_on(stage: Stage) -> Option<Stage> {
    let Local { cpu, passage } = maps::local()?;
    engine!(cpu, maps::config()).go_on(stage, passage)
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
