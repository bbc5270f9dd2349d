//! SIGHUP: the configuration is read again, and taken as a whole or not at all.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{interfaces::Interfaces, rules::Rules, wanted::Wanted, warn};
use crate::{
    cli::Attach,
    config::{Setting, changed},
    failure::Failure,
    kernel::Kernel,
};

/// What can change while the sensor runs. The allow-list can, too.
const LIVE: [&str; 2] = ["interface", "min-severity"];

/// The configuration of a running sensor.
pub(super) struct Reload {
    hangup: Signal,
    options: Attach,
    started: Vec<Setting>,
}

impl Reload {
    /// For a sensor that was started with a file; without one SIGHUP ends it, as it does other programs. Must be called within
    /// a runtime.
    pub(super) fn new(options: &Attach) -> io::Result<Option<Self>> {
        if options.loaded.file.is_none() {
            return Ok(None);
        }
        let hangup = signal(SignalKind::hangup())?;
        Ok(Some(Self { hangup, options: options.clone(), started: options.loaded.settings() }))
    }

    /// Completes when it is asked for; never where there is nothing to read.
    pub(super) async fn asked(reload: Option<&mut Self>) {
        match reload {
            Some(reload) => drop(reload.hangup.recv().await),
            None => std::future::pending().await,
        }
    }

    /// Reads the configuration and takes it, or says why not.
    pub(super) fn take(&mut self, kernel: &mut Kernel, interfaces: &mut Interfaces, rules: &Rules) {
        match self.try_take(kernel, interfaces, rules) {
            Ok(told) => warn(&told),
            Err(why) => warn(&format!("the configuration stays as it was: {why}")),
        }
    }

    fn try_take(&mut self, kernel: &mut Kernel, interfaces: &mut Interfaces, rules: &Rules) -> Result<String, Failure> {
        let options = self.options.loaded.again()?;
        // Else a name that is gone for now would keep the rest from being taken.
        if options.interfaces != self.options.interfaces || Wanted::has_default(&options.interfaces) {
            interfaces.replace(kernel, Wanted::new(&options.interfaces)?)?;
        } else {
            interfaces.retry();
        }
        rules.take(&options);
        super::rules::announced(&options).iter().for_each(|line| warn(line));
        let file = options.loaded.file.as_deref().map(|file| file.display().to_string()).unwrap_or_default();
        let waiting: Vec<_> = changed(&self.started, &options.loaded.settings());
        let waiting: Vec<_> = waiting.iter().map(String::as_str).filter(|key| !LIVE.contains(key)).collect();
        self.options = options;
        Ok(match waiting[..] {
            [] => format!("{file} was read again and holds"),
            _ => {
                format!("{file} was read again and holds, but for {}: restart the sensor for that", waiting.join(", "))
            }
        })
    }
}
