//! Text in lines of a given width.

use std::io::{self, Write};

/// Writes `text` wrapped at spaces, from column `indent`, where the line stands, to `width`; ends the line.
pub(crate) fn wrapped(out: &mut impl Write, text: &str, indent: usize, width: usize) -> io::Result<()> {
    let mut column = indent;
    for (i, word) in text.split(' ').enumerate() {
        let wide = word.chars().count() + 1;
        if i > 0 && column + wide > width {
            write!(out, "\n{:indent$}", "")?;
            column = indent;
        } else if i > 0 {
            write!(out, " ")?;
        }
        write!(out, "{word}")?;
        column += wide;
    }
    writeln!(out)
}
