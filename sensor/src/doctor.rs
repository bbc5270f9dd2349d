//! `sensor doctor`: what keeps the sensor from working here, or from working well, and the command that mends it. Looks only.

mod about_host;
mod about_nic;
mod about_running;
mod host;
mod nic;

use std::io::{self, BufWriter, Write};

use serde::Serialize;

use crate::{
    cli::Doctor,
    failure::Failure,
    kernel::{Links, default_interface},
    report::{Paint, WIDTH, wrapped},
};
use host::Host;
use nic::Nic;

/// Columns of a state and of a class.
const STATE: usize = 6;
const CLASS: usize = 17;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// As it should be.
    Fine,
    /// Good to know.
    Note,
    /// The sensor works, but less well.
    Warn,
    /// The sensor does not work.
    Fail,
}

impl State {
    const fn name(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Note => "note",
            Self::Warn => "warn",
            Self::Fail => "FAIL",
        }
    }
}

/// What was found in one class of trouble.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// The class, a stable id.
    pub class: &'static str,
    /// How bad it is.
    pub state: State,
    /// The interface, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    /// What there is.
    pub text: String,
    /// The command that mends it; null where there is nothing to mend.
    pub remedy: Option<String>,
}

impl Check {
    fn new(class: &'static str, state: State, text: impl Into<String>) -> Self {
        Self { class, state, interface: None, text: text.into(), remedy: None }
    }

    fn fine(class: &'static str, text: impl Into<String>) -> Self {
        Self::new(class, State::Fine, text)
    }

    /// What mends it.
    fn mend(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    fn on(mut self, interface: &str) -> Self {
        self.interface = Some(interface.to_owned());
        self
    }
}

/// Looks at the host and at interfaces. Tells whether the sensor can work.
///
/// # Errors
///
/// The output cannot be written.
pub fn run(options: &Doctor) -> Result<bool, Failure> {
    let mut checks = about_host::checks(&Host::read());
    let links = Links::open().and_then(|links| links.all()).unwrap_or_default();
    let mut asked = options.interfaces.clone();
    if asked.is_empty() {
        match default_interface() {
            Ok(name) => asked.push(name),
            Err(error) => {
                checks.push(Check::new("interface", State::Warn, error.to_string()).mend("sensor doctor -i NAME"))
            }
        }
    }
    for name in &asked {
        let nic = Nic::read(name, &links);
        checks.extend(about_nic::checks(name, nic.as_ref(), &links).into_iter().map(|check| check.on(name)));
    }
    checks.extend(about_running::checks(options.pid));
    let out = &mut BufWriter::new(io::stdout().lock());
    if options.json {
        for check in &checks {
            serde_json::to_writer(&mut *out, check).map_err(io::Error::from)?;
            writeln!(out)?;
        }
    } else {
        let paint = Paint { on: options.color.wanted() };
        checks.iter().try_for_each(|check| tell(out, paint, check))?;
    }
    out.flush()?;
    Ok(checks.iter().all(|check| check.state < State::Fail))
}

fn tell(out: &mut impl Write, paint: Paint, check: &Check) -> io::Result<()> {
    let state = format!("{:<STATE$}", check.state.name());
    let state = if check.state >= State::Warn { paint.bold(state).to_string() } else { state };
    write!(out, "{state}{:<CLASS$} ", check.class)?;
    let place =
        check.interface.as_deref().map(|interface| format!("{}: ", interface.escape_debug())).unwrap_or_default();
    let indent = STATE + CLASS + 1;
    wrapped(out, &format!("{place}{}", check.text), indent, WIDTH)?;
    if let Some(remedy) = &check.remedy {
        // Whole, to be copied.
        writeln!(out, "{:indent$}> {remedy}", "")?;
    }
    Ok(())
}
