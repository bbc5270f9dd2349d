//! Programs for `cargo xtask bench`: a feeder that makes frames inside the kernel and jumps into the program under test, and
//! programs to compare with. Not part of any release.

#![no_std]
#![no_main]

mod feed;
mod floor;
mod maps;
mod recipe;

use core::hint::black_box;

use aya_ebpf::{
    bindings::{
        TC_ACT_SHOT, TC_ACT_UNSPEC,
        xdp_action::{XDP_ABORTED, XDP_PASS},
    },
    macros::{classifier, xdp},
    programs::{TcContext, XdpContext},
};

/// Feeds the program in slot 0. Returns only if there is none, with a verdict that the benchmark takes for a failure.
#[xdp(frags)]
fn feed_xdp(ctx: XdpContext) -> u32 {
    if feed::fill(ctx.data(), ctx.data_end()).is_some() {
        // SAFETY: the kernel checks the slot and the program's type.
        unsafe { maps::XDP_TARGET.tail_call(&ctx, 0) };
    }
    XDP_ABORTED
}

/// The same for classifiers.
#[classifier]
fn feed_tc(ctx: TcContext) -> i32 {
    if feed::fill(ctx.data(), ctx.data_end()).is_some() {
        // SAFETY: the kernel checks the slot and the program's type.
        unsafe { maps::TC_TARGET.tail_call(&ctx, 0) };
    }
    TC_ACT_SHOT
}

#[xdp(frags)]
fn null_xdp(_ctx: XdpContext) -> u32 {
    XDP_PASS
}

#[classifier]
fn null_tc(_ctx: TcContext) -> i32 {
    TC_ACT_UNSPEC
}

#[xdp(frags)]
fn parse(ctx: XdpContext) -> u32 {
    if let Some(fields) = floor::parse(ctx.data(), ctx.data_end()) {
        black_box(fields.digest());
    }
    XDP_PASS
}

#[xdp(frags)]
fn floor_lru(ctx: XdpContext) -> u32 {
    if let Some(fields) = floor::parse(ctx.data(), ctx.data_end()) {
        floor::track(&fields);
    }
    XDP_PASS
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // No path panics; what is left of one would not pass the verifier.
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
