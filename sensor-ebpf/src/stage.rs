//! The engine's stages, each as two programs that are reached by tail calls.

use aya_ebpf::{
    bindings::{TC_ACT_UNSPEC, xdp_action::XDP_PASS},
    btf_maps::ProgramArray,
    macros::{btf_map, classifier, xdp},
    programs::{TcContext, XdpContext},
};
use sensor_common::{
    counters::{Counter, Local},
    engine::Stage,
};

use crate::{engine, maps};

/// The stages with their programs: for XDP, for tc.
macro_rules! stages {
    ($($stage:ident: $xdp:ident, $tc:ident;)*) => {
        /// The programs, for each type an array of its own.
        #[btf_map]
        static XDP_STAGES: ProgramArray<{ Stage::ALL.len() }> = ProgramArray::new();
        #[btf_map]
        static TC_STAGES: ProgramArray<{ Stage::ALL.len() }> = ProgramArray::new();

        $(
            #[xdp(frags)]
            fn $xdp(ctx: XdpContext) -> u32 {
                xdp_on(&ctx, go_on(Stage::$stage));
                XDP_PASS
            }

            #[classifier]
            fn $tc(ctx: TcContext) -> i32 {
                tc_on(&ctx, go_on(Stage::$stage));
                TC_ACT_UNSPEC
            }
        )*

        /// Goes on with a stage's XDP program, and does not come back.
        #[inline(always)]
        pub(crate) fn xdp_on(ctx: &XdpContext, stage: Option<Stage>) {
            // SAFETY: nothing is owned here that would have to be dropped.
            unsafe {
                // By constant indices, so that the kernel makes plain jumps of them.
                match stage {
                    None => return,
                    $(Some(Stage::$stage) => XDP_STAGES.tail_call(ctx, Stage::$stage as u32),)*
                }
            }
            missing();
        }

        /// Goes on with a stage's tc program, and does not come back.
        #[inline(always)]
        pub(crate) fn tc_on(ctx: &TcContext, stage: Option<Stage>) {
            // SAFETY: nothing is owned here that would have to be dropped.
            unsafe {
                match stage {
                    None => return,
                    $(Some(Stage::$stage) => TC_STAGES.tail_call(ctx, Stage::$stage as u32),)*
                }
            }
            missing();
        }
    };
}

stages! {
    Reset: xdp_reset, tc_reset;
    Handshake: xdp_handshake, tc_handshake;
    Watched: xdp_watched, tc_watched;
    Tell: xdp_tell, tc_tell;
    Verdict: xdp_verdict, tc_verdict;
    Analysis: xdp_analysis, tc_analysis;
}

#[inline(always)]
fn go_on(stage: Stage) -> Option<Stage> {
    let Local { cpu, passage } = maps::local()?;
    engine!(cpu, maps::config()).go_on(stage, passage)
}

#[inline(always)]
fn missing() {
    if let Some(local) = maps::local() {
        local.cpu.count(Counter::StageMissing);
    }
}
