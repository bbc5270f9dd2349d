//! What is compared with what, and the goals.

use super::Column;

/// A ratio, and what it should not exceed.
pub(super) struct Ratio {
    /// What is divided by what.
    pub(super) name: &'static str,
    /// Takes it from a column.
    pub(super) of: fn(&Column) -> f64,
    /// The goal in a column, if it has one there.
    pub(super) goal: fn(&str) -> Option<f64>,
}

/// Whether a column differs from others by its number of flows alone: what the goals are about.
pub(super) fn only_flows(title: &str) -> bool {
    !title.contains(',') && (title.ends_with(" flow") || title.ends_with(" flows"))
}

/// All of them, the dearest question first.
pub(super) const RATIOS: &[Ratio] = &[
    Ratio {
        name: "sensor_xdp / floor_lru",
        of: |column| column.min("sensor_xdp") / column.min("floor_lru"),
        goal: |title| match title {
            "SYN flood" => Some(0.7),
            title => only_flows(title).then_some(1.0),
        },
    },
    Ratio {
        name: "sensor_xdp / floor_array",
        of: |column| column.min("sensor_xdp") / column.min("floor_array"),
        goal: |_| None,
    },
    Ratio {
        name: "(sensor_xdp − null_xdp) / (floor_lru − null_xdp)",
        of: |column| {
            (column.min("sensor_xdp") - column.min("null_xdp")) / (column.min("floor_lru") - column.min("null_xdp"))
        },
        goal: |_| None,
    },
    Ratio {
        name: "(sensor_egress − null_tc) / (sensor_xdp − null_xdp)",
        of: |column| {
            (column.min("sensor_egress") - column.min("null_tc")) / (column.min("sensor_xdp") - column.min("null_xdp"))
        },
        goal: |title| (title != "not TCP").then_some(1.1),
    },
    Ratio {
        name: "sensor_xdp − null_xdp, ns",
        of: |column| column.min("sensor_xdp") - column.min("null_xdp"),
        goal: |title| (title == "not TCP").then_some(10.0),
    },
];
