//! The `sensor` command.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use sensor::{
    agent, cli::Verb, config, demo, detach, doctor, explain, failure::Failure, flows, incidents, replay,
    report::lines_shown, schema, status, tail,
};

fn main() -> ExitCode {
    match config::parse(std::env::args_os()).and_then(|cli| run(&cli.verb)) {
        Ok(code) => code,
        Err(failure) if failure.is_broken_pipe() => ExitCode::SUCCESS,
        Err(failure) => {
            // Not `eprintln!`, which panics where nobody listens.
            let _ = writeln!(io::stderr(), "sensor: {}", lines_shown(&failure.to_string()));
            ExitCode::from(2)
        }
    }
}

fn run(verb: &Verb) -> Result<ExitCode, Failure> {
    match verb {
        Verb::Attach(options) => agent::attach(options).map(|()| ExitCode::SUCCESS),
        Verb::Detach(options) => detach::run(options).map(|()| ExitCode::SUCCESS),
        Verb::Incidents(options) => incidents::run(options).map(|()| ExitCode::SUCCESS),
        Verb::Flows(options) => flows::run(options).map(|()| ExitCode::SUCCESS),
        Verb::Tail(options) => tail::run(options).map(|()| ExitCode::SUCCESS),
        Verb::Status(options) => status::run(options).map(|()| ExitCode::SUCCESS),
        Verb::Demo(options) => demo::run(options).map(|()| ExitCode::SUCCESS),
        Verb::Explain(options) => explain::run(options).map(|()| ExitCode::SUCCESS),
        Verb::Doctor(options) => doctor::run(options).map(|well| ExitCode::from(u8::from(!well))),
        Verb::Config(options) => config::run(options).map(|()| ExitCode::SUCCESS),
        Verb::Schema => schema::run().map(|()| ExitCode::SUCCESS),
        Verb::Replay(options) if options.filter.asks_a_cluster() => {
            let why = "a capture knows no pods: leave out --pod and --namespace, and ask by address (--ip)";
            Err(Failure::Other(why.into()))
        }
        Verb::Replay(options) => {
            let worst = replay::run(options)?.worst();
            let failed = options.fail_on.is_some_and(|limit| worst >= Some(limit));
            Ok(ExitCode::from(u8::from(failed)))
        }
    }
}
