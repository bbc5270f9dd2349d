//! Colour, where it is wanted.

use std::fmt::{self, Display};

use anstyle::{AnsiColor, Style};
use sensor_common::detect::Severity;

/// Colours text, or leaves it alone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paint {
    pub(crate) on: bool,
}

impl Paint {
    pub(crate) fn severity<T: Display>(self, severity: Severity, text: T) -> Painted<T> {
        let style = match severity {
            Severity::Alert => AnsiColor::Red.on_default().bold(),
            Severity::Warn => AnsiColor::Yellow.on_default().bold(),
            Severity::Notice => AnsiColor::Cyan.on_default(),
            Severity::Info => Style::new().dimmed(),
        };
        self.with(style, text)
    }

    pub(crate) fn bold<T: Display>(self, text: T) -> Painted<T> {
        self.with(Style::new().bold(), text)
    }

    pub(crate) fn dim<T: Display>(self, text: T) -> Painted<T> {
        self.with(Style::new().dimmed(), text)
    }

    fn with<T: Display>(self, style: Style, text: T) -> Painted<T> {
        Painted { style: if self.on { style } else { Style::new() }, text }
    }
}

/// Text in its style. The text's own padding lies within.
pub(crate) struct Painted<T> {
    style: Style,
    text: T,
}

impl<T: Display> Display for Painted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let style = self.style;
        write!(f, "{style}")?;
        self.text.fmt(f)?;
        write!(f, "{style:#}")
    }
}
