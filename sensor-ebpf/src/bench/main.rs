//! Programs for `cargo xtask bench`: a feeder that makes frames inside the kernel and jumps into the program under test, and
//! programs to compare with. Not part of any release.

#![no_std]
#![no_main]

mod feed;
mod floor;
mod live;
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

/// How frames lie: see `recipe`. Set when the object is loaded, so that the verifier leaves out the other ways.
#[unsafe(no_mangle)]
static LAYOUT: u32 = recipe::PLAIN;

/// Buckets of the floor's array less one.
#[unsafe(no_mangle)]
static BUCKET_MASK: u32 = 15;

/// The interface that a live run sends out of.
#[unsafe(no_mangle)]
static IFINDEX: u32 = 0;

/// Frames of a live run that may be on their way.
#[unsafe(no_mangle)]
static WINDOW: u64 = 0;

#[inline(always)]
pub(crate) fn window() -> u64 {
    *black_box(&WINDOW)
}

#[inline(always)]
pub(crate) fn ifindex() -> u32 {
    *black_box(&IFINDEX)
}

#[inline(always)]
pub(crate) fn layout() -> u32 {
    *black_box(&LAYOUT)
}

#[inline(always)]
pub(crate) fn buckets() -> u32 {
    *black_box(&BUCKET_MASK)
}

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

#[xdp(frags)]
fn floor_array(ctx: XdpContext) -> u32 {
    if let Some(fields) = floor::parse(ctx.data(), ctx.data_end()) {
        floor::track_in_array(&fields);
    }
    XDP_PASS
}

/// The sending end of a live run.
#[xdp]
fn live_send(ctx: XdpContext) -> u32 {
    live::send(ctx.data(), ctx.data_end())
}

/// The receiving end of a live run: counts, and jumps into the program under test.
#[xdp(frags)]
fn live_receive(ctx: XdpContext) -> u32 {
    live::count();
    // SAFETY: the kernel checks the slot and the program's type.
    unsafe { maps::LIVE_TARGET.tail_call(&ctx, 0) };
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
