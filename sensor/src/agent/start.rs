//! From the options to a sensor that watches.

use std::{path::Path, time::Duration};

use tokio::time;

use super::{Agent, Reload, Rules, Store, Wanted, interfaces, pinned, rules, size, warn};
use crate::{
    cli,
    enrich::{Cluster, ClusterError},
    failure::Failure,
    interrupt,
    kernel::{Bell, KernelError, Links, Mode, Options},
    observe::Observer,
    seal::Needs,
    systemd::Manager,
    tail,
};

/// Watches interfaces until it is interrupted or its time is over.
///
/// # Errors
///
/// Why it could not load, attach or report.
pub fn attach(options: &cli::Attach) -> Result<(), Failure> {
    let wanted = Wanted::new(&options.interfaces)?;
    wanted.check(&Links::open().and_then(|links| links.all()).map_err(Failure::Loop)?)?;
    let packets = options.report.packets(None)?;
    let mut store = Store::open(options)?;
    let observer = Observer::open(options.metrics)?;
    let cluster = options.kubernetes.wanted().then(|| Cluster::find(&options.kubernetes)).transpose()?;
    let both_directions = options.direction == cli::Direction::Both;
    let ignore_vlans = interfaces::ignores_vlans(&wanted);
    let limits = options.limits;
    let pins = pinned::open(options)?;
    let flows = size::settle(options, pins.as_ref())?;
    let load = Options {
        flows,
        ring_bytes: limits.ring_bytes(),
        rate: limits.rate,
        per_connection: limits.per_connection,
        both_directions,
        ignore_vlans,
        records: options.records || store.is_some(),
        gtsm_ports: options.guard.ports()?,
        gtsm_hops: options.guard.hops,
        ..Options::default()
    };
    let mut agent = Agent::load_pinned(&load, pins)?;
    agent.records = options.records;
    // Until here a signal ends the process at once: loading a large table takes its time, and leaves nothing behind.
    let (runtime, mut signals) = interrupt::listen()?;
    {
        let _within = runtime.enter();
        agent.reload = Reload::new(options).map_err(Failure::Loop)?;
        agent.bell = Bell::hang().ok();
    }
    agent.rules = Some(Rules::telling(options.report.style().min_severity));
    agent.rules.iter().for_each(|rules| rules.take(options));
    rules::announced(options).iter().for_each(|line| warn(line));
    // Whoever names a pattern asks for what comes later.
    let hot_plug = options.keep_caps || wanted.patterns().is_some();
    let mut needs = Needs { hot_plug, read: options.loaded.folder().into_iter().collect(), ..Needs::default() };
    if let Some(cluster) = &cluster {
        let (connect, read) = cluster.needs();
        needs.connect = Some(connect);
        needs.read.extend(read);
    }
    agent.cluster = cluster;
    needs.write.extend(store.as_ref().map(|store| store.0.folder()));
    // Whoever reads that it watches may follow it.
    agent.tail = listen(options.socket.as_deref())?;
    needs.remove = agent.tail.as_ref().and_then(tail::Server::folder);
    let (mut watched, mut names) = (Vec::new(), Vec::new());
    for attached in agent.attach(wanted, options.mode.into())? {
        needs.clsact |= attached.is_clsact() && options.pin.is_none();
        warn(&format!("watching {attached}"));
        watched.push(attached.to_string());
        names.push(attached.interface);
    }
    agent.settle(&mut needs)?;
    if let Some(store) = &mut store {
        store.watching(options, &names)?;
    }
    agent.store = store;
    if let Some(cause) = observer.deaf() {
        warn(&format!("sensor status will not find this sensor ({cause})"));
    }
    if let Some(address) = observer.metrics() {
        warn(&format!("metrics at http://{address}/metrics"));
    }
    agent.observer = Some(observer);
    agent.seal = Some(needs);
    // Before the agent gives up its rights, as all that opens something.
    let manager = Manager::find();
    manager.ready(&format!("watching {}", watched.join("; ")));
    let duration = options.duration.map(Duration::from_secs);
    agent.watch(&runtime, options.report.style(), packets, async {
        tokio::select! {
            () = signals.wait() => {}
            () = after(duration) => {}
            () = manager.alive() => {}
        }
        manager.stopping();
    })
}

/// The socket of `sensor tail`. One that was asked for must be there; without the usual one it goes on, and says so.
fn listen(asked: Option<&Path>) -> Result<Option<tail::Server>, Failure> {
    match asked {
        Some(path) if path == Path::new("none") => Ok(None),
        Some(path) => tail::Server::open(path).map(Some).map_err(|error| Failure::Other(Box::new(error))),
        None => Ok(tail::Server::open(Path::new(tail::DEFAULT)).map_err(|error| warn(&error.to_string())).ok()),
    }
}

/// Completes after `duration`, if there is one.
async fn after(duration: Option<Duration>) {
    match duration {
        Some(duration) => time::sleep(duration).await,
        None => std::future::pending().await,
    }
}

impl From<cli::Mode> for Mode {
    fn from(mode: cli::Mode) -> Self {
        match mode {
            cli::Mode::Auto => Self::Auto,
            cli::Mode::Native => Self::Native,
            cli::Mode::Generic => Self::Generic,
            cli::Mode::Tc => Self::Tc,
        }
    }
}

impl From<ClusterError> for Failure {
    fn from(error: ClusterError) -> Self {
        Self::Other(Box::new(error))
    }
}

impl From<KernelError> for Failure {
    fn from(error: KernelError) -> Self {
        Self::Other(Box::new(error))
    }
}
