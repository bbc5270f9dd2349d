//! OpenMetrics 1.0 as text: families, samples, and the end mark. By hand, for it is less than the crates that do it.

use std::fmt::{Display, Write};

/// How a family's samples are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    /// Only grows; samples end with `_total`.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Constant labels, always 1; samples end with `_info`.
    Info,
    /// Counts by upper bound.
    Histogram,
}

/// A text that grows.
pub(super) struct Text(String);

impl Text {
    pub(super) fn new() -> Self {
        Self(String::with_capacity(32 * 1024))
    }

    /// Begins a family; its samples follow.
    pub(super) fn family(&mut self, name: &'static str, kind: Type, help: &str) -> Samples<'_> {
        let word = match kind {
            Type::Counter => "counter",
            Type::Gauge => "gauge",
            Type::Info => "info",
            Type::Histogram => "histogram",
        };
        let out = &mut self.0;
        // A string takes whatever it is given.
        let _ = writeln!(out, "# TYPE {name} {word}");
        for unit in ["seconds", "bytes"].into_iter().filter(|unit| name.ends_with(&format!("_{unit}"))) {
            let _ = writeln!(out, "# UNIT {name} {unit}");
        }
        let _ = writeln!(out, "# HELP {name} {}", escaped(help));
        Samples { out, name, kind }
    }

    /// The whole, with its end mark.
    pub(super) fn finish(mut self) -> String {
        self.0 += "# EOF\n";
        self.0
    }
}

/// A family's samples.
pub(super) struct Samples<'a> {
    out: &'a mut String,
    name: &'static str,
    kind: Type,
}

impl Samples<'_> {
    /// Adds one.
    pub(super) fn add(&mut self, labels: &[(&str, &str)], value: impl Display) -> &mut Self {
        let suffix = match self.kind {
            Type::Counter => "_total",
            Type::Info => "_info",
            Type::Gauge | Type::Histogram => "",
        };
        self.sample(suffix, labels, value)
    }

    /// Adds a histogram's samples, from counts by upper bound, the last without one.
    pub(super) fn histogram(&mut self, bounds: &[f64], counts: &[u64], sum: f64) {
        let mut below = 0;
        for (i, count) in counts.iter().enumerate() {
            below += count;
            let bound = bounds.get(i).map_or("+Inf".to_owned(), |bound| format!("{bound:?}"));
            self.sample("_bucket", &[("le", &bound)], below);
        }
        self.sample("_count", &[], below).sample("_sum", &[], sum);
    }

    fn sample(&mut self, suffix: &str, labels: &[(&str, &str)], value: impl Display) -> &mut Self {
        let _ = write!(self.out, "{}{suffix}", self.name);
        for (i, (name, text)) in labels.iter().enumerate() {
            let _ = write!(self.out, "{}{name}=\"{}\"", if i == 0 { '{' } else { ',' }, escaped(text));
        }
        let _ = writeln!(self.out, "{} {value}", if labels.is_empty() { "" } else { "}" });
        self
    }
}

/// A text that ends neither its line nor its quotes; control characters are shown.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => out += "\\\\",
            '"' => out += "\\\"",
            '\n' => out += "\\n",
            c if c.is_control() => {
                out.extend(c.escape_default().flat_map(|c| if c == '\\' { vec!['\\', '\\'] } else { vec![c] }))
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_as_the_standard_says() {
        let mut text = Text::new();
        text.family("a", Type::Counter, "Says \"a\".").add(&[], 1).add(&[("x", "y"), ("z", "\"\\\n\u{1b}[m")], 2);
        text.family("b_seconds", Type::Histogram, "B.").histogram(&[0.5, 1.0], &[1, 0, 2], 3.5);
        text.family("c", Type::Info, "C.").add(&[("v", "1")], 1);
        let wanted = "# TYPE a counter\n# HELP a Says \\\"a\\\".\na_total 1\n\
                      a_total{x=\"y\",z=\"\\\"\\\\\\n\\\\u{1b}[m\"} 2\n\
                      # TYPE b_seconds histogram\n# UNIT b_seconds seconds\n# HELP b_seconds B.\n\
                      b_seconds_bucket{le=\"0.5\"} 1\nb_seconds_bucket{le=\"1.0\"} 1\nb_seconds_bucket{le=\"+Inf\"} 3\n\
                      b_seconds_count 3\nb_seconds_sum 3.5\n\
                      # TYPE c info\n# HELP c C.\nc_info{v=\"1\"} 1\n# EOF\n";
        assert_eq!(text.finish(), wanted);
    }
}
