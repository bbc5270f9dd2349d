//! The scriptable firewall between the last router and the server: transparent, no hop of its own.

use std::{
    sync::{MutexGuard, PoisonError},
    time::Duration,
};

use super::{
    bridge::{self, Port, Script, SharedScript},
    error::{LabError, Task},
    netns::Netns,
    tamper::{Direction, Tamper},
    worker::Worker,
};

/// Carries every frame unchanged, until told otherwise.
pub struct Middlebox {
    netns: Netns,
    script: SharedScript,
    _thread: Worker,
}

impl Middlebox {
    pub(crate) fn start(netns: Netns, [client, server]: [&str; 2], vlan: Option<u16>) -> Result<Self, LabError> {
        let script = SharedScript::default();
        // Tags go on at the client's side, so that misdeeds see what the server sees.
        let client = Port::open(&netns, client, vlan)?;
        let server = Port::open(&netns, server, None)?;
        let thread = bridge::start(client, server, script.clone()).task(|| "start the middlebox".into())?;
        Ok(Self { netns, script, _thread: thread })
    }

    /// Its namespace.
    pub fn netns(&self) -> &Netns {
        &self.netns
    }

    /// Adds a misdeed, behind those that are there: the first that does not forward a frame decides on it.
    pub fn add(&self, tamper: impl Tamper + 'static) {
        self.script().tampers.push(Box::new(tamper));
    }

    /// Ends all misdeeds.
    pub fn clear(&self) {
        self.script().tampers.clear();
    }

    /// Adds latency between the client and the middlebox, for frames from now on; the server stays next door.
    pub fn delay(&self, direction: Direction, latency: Duration) {
        self.script().delays[direction as usize] = latency;
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
