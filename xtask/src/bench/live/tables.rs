//! The live figures as tables.

use std::fmt::Write as _;

use super::Live;
use super::forward::Received;

impl Live {
    /// All of them.
    pub(in crate::bench) fn tables(&self) -> String {
        let mut text = String::new();
        self.packets(&mut text);
        text
    }

    fn packets(&self, text: &mut String) {
        let of =
            |program: &str| self.packets.iter().find(|row| row.program == program).map_or(f64::NAN, |row| row.most);
        if self.packets.is_empty() {
            return;
        }
        text.push_str(
            "\n| received over a veth | of the null program's | of floor_lru's | million packets a second of CPU time, best (median) \
             | by the clock |\n|---|---|---|---|---|\n",
        );
        for Received { program, most, median, by_the_clock } in &self.packets {
            let (null, floor) = (most / of("null_xdp"), most / of("floor_lru"));
            let _ =
                writeln!(text, "| {program} | {null:.2} | {floor:.2} | {most:.2} ({median:.2}) | {by_the_clock:.2} |");
        }
    }
}
