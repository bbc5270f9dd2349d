//! What outlives the agent, where that is asked for: what is said of it at start and end.

use super::warn;
use crate::{
    cli,
    failure::Failure,
    kernel::{KernelError, Look, Pins, Standing},
    observe,
};

/// Opens the folder, where one is asked for.
pub(super) fn open(options: &cli::Attach) -> Result<Option<Pins>, Failure> {
    Ok(options.pin.as_deref().map(Pins::open).transpose().map_err(KernelError::from)?)
}

/// Says what became of what was there.
pub(super) fn began(pins: &Pins, before: &Look) -> observe::Pinned {
    let folder = pins.folder().display().to_string();
    let (state, reason) = match pins.standing() {
        Standing::New => {
            warn(&format!("pinned in {folder}: what watches goes on when this sensor ends, until sensor detach"));
            ("new", None)
        }
        Standing::Adopted => {
            let findings = before.waiting.events;
            warn(&format!(
                "took over from {folder}: the connections of before are known, findings that waited: {findings}"
            ));
            ("adopted", None)
        }
        Standing::Anew(reason) => {
            warn(&format!("what was pinned in {folder} is not taken over: {reason}; connections are learnt anew"));
            ("anew", Some(reason.clone()))
        }
    };
    observe::Pinned { folder, state: state.into(), reason }
}

/// Says what goes on without this sensor.
pub(super) fn ends(pins: &Pins) {
    let folder = pins.folder().display();
    warn(&if pins.holds() {
        format!(
            "what is pinned in {folder} watches on; sensor attach --pin={folder} goes on there, sensor detach {folder} ends it"
        )
    } else {
        format!("what was pinned in {folder} is gone, at least in part: what has no pin ends with this sensor")
    });
}
