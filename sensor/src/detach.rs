//! `sensor detach`: ends what was left to go on without a sensor.

use std::io::{self, Write as _};

use crate::{
    cli::Detach,
    failure::Failure,
    kernel::{KernelError, Pins, shown_link},
};

/// Removes what is pinned, and says what that was.
///
/// # Errors
///
/// If it belongs to a sensor that runs, or may not be touched.
pub fn run(options: &Detach) -> Result<(), Failure> {
    let folder = &options.folder;
    let mut out = io::stdout().lock();
    if !folder.exists() {
        writeln!(out, "nothing is pinned in {}", folder.display())?;
        return Ok(());
    }
    let pins = Pins::open(folder).map_err(KernelError::from)?;
    // By their names, while there is something behind them.
    let named: Vec<String> = pins.links().iter().map(|link| shown_link(link)).collect();
    let left = pins.clear();
    if !left.is_empty() {
        let cause = io::Error::new(io::ErrorKind::PermissionDenied, format!("{} stays", left.join(", ")));
        return Err(
            KernelError::from(crate::kernel::PinError::Folder { folder: folder.display().to_string(), cause }).into()
        );
    }
    match &named[..] {
        [] => writeln!(out, "nothing was attached by {}; what else was there is removed", folder.display())?,
        _ => writeln!(out, "detached from {}, and forgot the connections", named.join(", "))?,
    }
    Ok(())
}
