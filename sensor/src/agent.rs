//! The agent: load, attach, drain, report, and leave nothing behind.

mod account;
mod aggregates;
mod interfaces;
mod kept;
mod names;
mod own;
mod pinned;
mod records;
mod reload;
mod rules;
mod size;
mod tell;
mod wanted;

use std::{
    future::Future,
    io::{self, BufWriter, Write},
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime},
};

use sensor_common::detect::Severity;
use tokio::{runtime::Runtime, sync::oneshot, time};

pub use wanted::{Choice, Wanted};

use aggregates::Aggregates;
use interfaces::Interfaces;
use kept::Store;
use own::Own;
use records::{Parting, Records, Terms};
use reload::Reload;
use rules::Rules;
use tell::{finished, write};

use crate::{
    cli,
    enrich::{Cluster, ClusterError, Directory},
    failure::Failure,
    interrupt,
    kernel::{Attached, Backlog, Bell, Drain, Handover, Kernel, KernelError, Links, Mode, Options, Pins},
    observe::{Board, Observer, Source},
    report::{PacketFile, Reporter, Style, WallClock},
    seal::{Needs, seal},
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

/// Says something beside the report.
fn warn(text: &str) {
    // Not `eprintln!`, which panics where nobody listens.
    let _ = writeln!(io::stderr(), "{text}");
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

/// A loaded sensor with the interfaces it watches. Detaches when dropped.
pub struct Agent {
    kernel: Kernel,
    /// What the kernel says of resets that leave, where it does.
    own: Option<Own>,
    interfaces: Option<Interfaces>,
    /// Tells that interfaces have come or gone; without it they are looked at now and then.
    bell: Option<Bell>,
    /// What is told, if not all that is severe enough.
    rules: Option<Rules>,
    /// The configuration, if it can be read again.
    reload: Option<Reload>,
    /// Whether connections that ended are told of, too.
    records: bool,
    /// What is kept, if anything is.
    store: Option<Store>,
    /// What is still needed once it watches; the rest is given up. None for a process that has other things to do.
    seal: Option<Needs>,
    /// Who answers for it, if anybody may ask.
    observer: Option<Observer>,
    /// Who tells names of addresses, if anybody does.
    cluster: Option<Cluster>,
    /// What the sensor before has left, and a way to see what is left to the next.
    handover: Option<(Handover, Backlog)>,
    /// Whom it also tells, if anybody may follow.
    tail: Option<tail::Server>,
    board: Arc<Board>,
}

impl Agent {
    /// Loads the kernel program.
    ///
    /// # Errors
    ///
    /// What the kernel lacks, or refuses.
    pub fn load(options: &Options) -> Result<Self, Failure> {
        Self::load_pinned(options, None)
    }

    fn load_pinned(options: &Options, pins: Option<Pins>) -> Result<Self, Failure> {
        let (mut kernel, records) = (Kernel::load_pinned(options, pins)?, options.records);
        // Before it watches anything, so that it knows of each reset that it sees.
        let own = match kernel.own_resets() {
            Ok(resets) => Some(Own::of(resets)),
            Err(cause) => {
                warn(&format!("whether this host's own stack sent a reset is not told ({cause})"));
                None
            }
        };
        let (interfaces, bell, rules, reload, handover) = Default::default();
        let (store, seal, observer, cluster, tail, board) = Default::default();
        Ok(Self {
            kernel,
            own,
            interfaces,
            bell,
            rules,
            reload,
            records,
            store,
            seal,
            observer,
            cluster,
            handover,
            tail,
            board,
        })
    }

    /// With pins: all that is there is attached to, and what a sensor before has left is this one's.
    fn settle(&mut self, needs: &mut Needs) -> Result<(), Failure> {
        let Some(handover) = self.kernel.settle()? else { return Ok(()) };
        if let Some(pins) = self.kernel.pins() {
            self.board.pin(pinned::began(pins, &handover.before));
            // Links of interfaces that come later are pinned, too.
            needs.write.extend(needs.hot_plug.then(|| pins.folder().to_owned()));
        }
        self.handover = Some((handover, self.kernel.backlog()?));
        Ok(())
    }

    /// Attaches to interfaces of the calling thread's network namespace; those that come later are attached to while it watches.
    ///
    /// # Errors
    ///
    /// Why one that was named cannot be watched.
    pub fn attach(&mut self, wanted: Wanted, mode: Mode) -> Result<Vec<Attached>, Failure> {
        let (interfaces, attached) = Interfaces::attach(&mut self.kernel, wanted, mode, Arc::clone(&self.board))?;
        if let Some(patterns) = interfaces.awaited() {
            warn(&format!("waiting for {patterns}"));
        }
        self.interfaces = Some(interfaces);
        Ok(attached)
    }

    /// Reports on stdout, and to `packets`, until `until` completes, then detaches, tells what is left in the ring, and ends with a summary.
    ///
    /// # Errors
    ///
    /// When stdout cannot be written, or nothing is left to watch; what was found until then has been printed.
    pub fn watch(
        mut self,
        runtime: &Runtime,
        style: Style,
        packets: Option<PacketFile>,
        until: impl Future<Output = ()>,
    ) -> Result<(), Failure> {
        let clock = WallClock::matching(monotonic(), SystemTime::now());
        let mut interfaces = self.interfaces.take();
        let names = interfaces.as_ref().map(Interfaces::names).unwrap_or_default();
        let rules = self.rules.take().unwrap_or_else(|| Rules::telling(style.min_severity));
        // Mapped once: its pages count as memory of the process each time.
        let table = Arc::new(self.kernel.table()?);
        let readings = self.kernel.readings(Arc::clone(&table))?;
        let own = self.kernel.config().both_directions == 0;
        let aggregates = Aggregates::open(self.kernel.readings(Arc::clone(&table))?, self.kernel.services()?, own);
        let counters = self.kernel.readings(Arc::clone(&table))?;
        let board = Arc::clone(&self.board);
        let (whose, feed) = (Directory::default(), tail::Feed::default());
        let (sweep, drained, backlog, writer, gone, serving) = runtime.block_on(async {
            let parting = Parting::default();
            let (mut drain, records) = Drain::new(self.kernel.events()?, parting.parted()).map_err(Failure::Loop)?;
            let (handover, backlog) = self.handover.take().unzip();
            handover.iter().for_each(|handover| drain.after(handover.before.taken));
            #[cfg(feature = "trace")]
            let _tracing = crate::trace::start(self.kernel.ebpf())?;
            let own = self.own.take();
            // All that takes rights is done, and no other thread runs yet.
            let kernel = &self.kernel;
            let sealed = self.seal.take().map(|needs| seal(&needs, || kernel.counters().is_ok()));
            if let Some(missing) = sealed.as_ref().and_then(|sealed| sealed.layers.missing()) {
                warn(&missing);
            }
            let layers = sealed.as_ref().map(|sealed| sealed.layers.clone());
            let source = Source {
                board: board.clone(),
                account: drain.account(),
                readings,
                layers,
                names: self.cluster.is_some().then(|| whose.clone()),
                allowed: {
                    let rules = rules.clone();
                    Box::new(move || rules.allowed())
                },
                started: SystemTime::now(),
                feed: self.tail.is_some().then(|| feed.clone()),
            };
            let observer = self.observer.take().map(|observer| observer.start(source));
            let _observing = observer.transpose().map_err(Failure::Loop)?;
            let following = self.cluster.take().map(|cluster| cluster.follow(whose.clone(), warn));
            let (_following, events) = following.transpose().map_err(Failure::Loop)?.unzip();
            let keeper = self.store.take().map(|store| store.start(counters, &board)).transpose()?;
            let terms = Terms {
                wanted: self.records || keeper.is_some(),
                rate: kernel.config().rates[Severity::Notice as usize],
                board: board.clone(),
                own: own.clone(),
                handover,
            };
            let (sweep, swept) = Records::start(table, aggregates, parting, terms).map_err(Failure::Loop)?;
            let (failed, mut failure) = oneshot::channel();
            let reporter = Reporter::new(BufWriter::new(io::stdout()), style, clock);
            let known = rules.clone();
            let reporter = reporter.with_allowed(move |incident| known.allows(incident));
            let mut reporter = reporter.with_packets(packets).with_records(self.records).with_names(whose);
            if let Some(keeper) = keeper {
                reporter = reporter.with_sink(Box::new(keeper));
            }
            if let Some(events) = events.flatten() {
                reporter = reporter.with_sink(events);
            }
            let serving =
                self.tail.take().map(|server| server.start(feed.clone())).transpose().map_err(Failure::Loop)?;
            if serving.is_some() {
                reporter = reporter.with_sink(Box::new(feed));
            }
            let writer = write((records, swept), reporter, (names, rules.clone(), own), failed, board.clone())
                .map_err(Failure::Loop)?;
            let mut gone = None;
            tokio::select! {
                end = drain.run() => end.map_err(Failure::Loop)?,
                last = self.follow(interfaces.as_mut(), &rules) => gone = Some(last),
                () = until => {}
                _ = &mut failure => {}
            }
            self.kernel.detach();
            drain.empty();
            Ok::<_, Failure>((sweep, drain.drained(), backlog, writer, gone, serving))
        })?;
        let swept = sweep.end();
        let look = backlog.map(|backlog| self.kernel.look(&backlog)).transpose()?;
        let counters = look.map_or_else(|| self.kernel.counters(), |look| Ok(look.cpu))?;
        let mut notes = account::lines(drained, look.map(|look| look.waiting).unwrap_or_default(), &counters);
        notes.extend(swept(&counters));
        notes.extend(rules.account());
        let reporter = finished(writer, &notes)??;
        reporter.finish(&counters, &notes)?;
        drop(serving);
        self.kernel.pins().into_iter().for_each(pinned::ends);
        gone.map_or(Ok(()), |interface| Err(KernelError::Gone { interface }.into()))
    }

    /// Follows interfaces and configuration. Completes with the name of the last interface when there is nothing left to watch.
    async fn follow(&mut self, interfaces: Option<&mut Interfaces>, rules: &Rules) -> String {
        let Self { kernel, bell, reload, .. } = self;
        let Some(interfaces) = interfaces else { return std::future::pending().await };
        loop {
            tokio::select! {
                last = interfaces.follow(kernel, bell.as_ref()) => return last,
                () = Reload::asked(reload.as_mut()) => {}
            }
            if let Some(reload) = reload {
                reload.take(kernel, interfaces, rules);
            }
        }
    }
}

/// Now, on the clock that the kernel program goes by: nanoseconds.
pub(crate) fn monotonic() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a valid place to write to; this clock always exists.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut now) };
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}
