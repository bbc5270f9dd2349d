//! The interfaces that are watched: they come, change their names, and go.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt::Display,
    sync::Arc,
    time::Duration,
};

use tokio::time;

use super::{
    names::Names,
    wanted::{Choice, Wanted},
    warn,
};
use crate::{
    failure::Failure,
    kernel::{Attached, Bell, Kernel, KernelError, Link, Links, Mode, strips_vlans},
    observe::Board,
};

/// How often the interfaces are looked at, whether or not the kernel said that something has changed.
const ROUND: Duration = Duration::from_secs(1);

/// How long changes may gather: interfaces come in crowds, and change several times while they do.
const GATHER: Duration = Duration::from_millis(50);

/// The interfaces that are watched, in the namespace of the thread that made this.
pub(super) struct Interfaces {
    wanted: Wanted,
    mode: Mode,
    links: Links,
    /// By index.
    watched: BTreeMap<u32, String>,
    /// Those that cannot be watched, under the name under which that was told.
    refused: HashMap<u32, String>,
    /// Those that are asked for and not watched for a reason, which was told.
    left_out: BTreeSet<u32>,
    names: Names,
    /// Where others read what is watched.
    board: Arc<Board>,
    /// Whether the kernel program leaves VLAN ids out of a flow's identity.
    vlans_ignored: bool,
}

/// What an interface that comes later may do, and whether it does it already: the program must know before it is loaded. A VLAN
/// id that is only seen in one direction tears connections apart, one that is seen in none joins two at the worst.
pub(super) fn ignores_vlans(wanted: &Wanted) -> bool {
    wanted.patterns().is_some() || wanted.names().any(strips_vlans)
}

impl Interfaces {
    /// Attaches to what is there of those asked for.
    ///
    /// # Errors
    ///
    /// If one that was named cannot be watched.
    pub(super) fn attach(
        kernel: &mut Kernel,
        wanted: Wanted,
        mode: Mode,
        board: Arc<Board>,
    ) -> Result<(Self, Vec<Attached>), Failure> {
        let links = Links::open().map_err(Failure::Loop)?;
        wanted.check(&links.all().map_err(Failure::Loop)?)?;
        let vlans_ignored = kernel.config().vlan_in_key == 0;
        let (watched, refused, left_out, names) = Default::default();
        let mut interfaces = Self { wanted, mode, links, watched, refused, left_out, names, board, vlans_ignored };
        let attached = interfaces.take(kernel, true)?;
        Ok((interfaces, attached))
    }

    /// The names, for whoever reports.
    pub(super) fn names(&self) -> Names {
        self.names.clone()
    }

    /// What is waited for, if nothing is there to watch.
    pub(super) fn awaited(&self) -> Option<String> {
        if self.watched.is_empty() { self.wanted.patterns() } else { None }
    }

    /// Follows what happens. Completes with the name of the last interface when it is gone and no pattern waits for others.
    pub(super) async fn follow(&mut self, kernel: &mut Kernel, bell: Option<&Bell>) -> String {
        let mut waits_already = self.awaited().is_some();
        loop {
            changed(bell).await;
            let last = self.round(kernel);
            match (self.watched.is_empty(), self.wanted.patterns(), last) {
                (true, None, Some(last)) => return last,
                (true, Some(patterns), _) if !waits_already => {
                    waits_already = true;
                    warn(&format!("waiting for {patterns}"));
                }
                (empty, ..) => waits_already &= empty,
            }
        }
    }

    /// Wants others from now on: all of them, or those of before.
    ///
    /// # Errors
    ///
    /// If one that is named cannot be watched.
    pub(super) fn replace(&mut self, kernel: &mut Kernel, wanted: Wanted) -> Result<(), Failure> {
        let links = self.links.all().map_err(Failure::Loop)?;
        wanted.check(&links)?;
        let watched = self.watched.clone();
        self.retry();
        let before = std::mem::replace(&mut self.wanted, wanted);
        match self.take(kernel, true) {
            Ok(taken) => taken.iter().for_each(|attached| warn(&format!("watching {attached}"))),
            Err(error) => {
                self.wanted = before;
                let new: Vec<u32> = self.watched.keys().copied().filter(|index| !watched.contains_key(index)).collect();
                new.into_iter().for_each(|index| self.leave(kernel, index));
                return Err(error);
            }
        }
        let choices = self.wanted.choose(&links);
        let unwanted = |index: &u32| !choices.iter().any(|choice| choice.link.index == *index);
        for index in watched.into_keys().filter(unwanted) {
            if let Some(name) = self.watched.get(&index) {
                warn(&format!("{} is no longer watched, as it is no longer asked for", shown(name)));
            }
            self.leave(kernel, index);
        }
        Ok(())
    }

    /// Tries again what could not be watched.
    pub(super) fn retry(&mut self) {
        self.refused.clear();
    }

    /// Lets go of what is gone, learns new names, takes what has come. Tells the name of the last that went.
    fn round(&mut self, kernel: &mut Kernel) -> Option<String> {
        // Whatever this is, it is tried again.
        let links = self.links.all().ok()?;
        let by_index: HashMap<u32, &Link> = links.iter().map(|link| (link.index, link)).collect();
        let mut last = None;
        for (index, name) in self.watched.clone() {
            match by_index.get(&index) {
                None => {
                    warn(&format!("{} is gone and no longer watched", shown(&name)));
                    self.leave(kernel, index);
                    last = Some(name);
                }
                // What was attached stays on the interface, whatever its name.
                Some(link) if link.name != name => {
                    warn(&format!("{} is called {} now, and watched on", shown(&name), shown(&link.name)));
                    self.names.set(index, &link.name);
                    self.board.rename(index, &link.name);
                    self.watched.insert(index, link.name.clone());
                }
                Some(_) => {}
            }
        }
        self.refused.retain(|index, name| by_index.get(index).is_some_and(|link| link.name == *name));
        self.left_out.retain(|index| by_index.contains_key(index));
        // Errors are told as they happen, unless they are to end this.
        if let Ok(taken) = self.take(kernel, false) {
            taken.iter().for_each(|attached| warn(&format!("watching {attached}")));
        }
        last
    }

    /// Attaches to what is asked for and not watched yet. What goes wrong is told; it is an error where `strict`, and for what
    /// was named.
    fn take(&mut self, kernel: &mut Kernel, strict: bool) -> Result<Vec<Attached>, Failure> {
        let links = self.links.all().map_err(Failure::Loop)?;
        let mut taken = Vec::new();
        let mut choices = self.wanted.choose(&links);
        // Before the others: a bond takes no program as long as one of its members has one.
        choices.iter().for_each(|choice| self.leave_out(kernel, choice));
        choices.retain(|choice| choice.left_out.is_none());
        for choice in choices {
            let link = choice.link;
            if self.watched.contains_key(&link.index) || self.refused.contains_key(&link.index) {
                continue;
            }
            match kernel.attach(&link.name, self.mode) {
                Ok(mut attached) => {
                    if !self.vlans_ignored && strips_vlans(&link.name) {
                        let remedy = format!("restart the sensor, or ethtool -K {} rxvlan off", link.name);
                        let note = "it takes VLAN tags off, so connections in VLANs are seen as two halves";
                        attached.notes.push(format!("{note}: {remedy}"));
                    }
                    self.names.set(attached.ifindex, &link.name);
                    self.board.watch(&attached);
                    self.watched.insert(attached.ifindex, link.name.clone());
                    taken.push(attached);
                }
                Err(error) if strict && choice.by_name => return Err(error.into()),
                Err(error) if is_there(&self.links, link.index) => {
                    warn(&refusal(&link.name, error));
                    self.refused.insert(link.index, link.name.clone());
                }
                // It came and went.
                Err(_) => {}
            }
        }
        Ok(taken)
    }

    /// Lets go of what is not to be watched for now, and says so once.
    fn leave_out(&mut self, kernel: &mut Kernel, choice: &Choice<'_>) {
        let (index, name) = (choice.link.index, &choice.link.name);
        let Some(reason) = &choice.left_out else {
            self.left_out.remove(&index);
            return;
        };
        if self.left_out.insert(index) {
            let watched = self.watched.contains_key(&index);
            let not = if watched { "no longer" } else { "not" };
            warn(&format!("{} is {not} watched: it {reason}", shown(name)));
            if watched {
                self.leave(kernel, index);
            }
        }
    }

    fn leave(&mut self, kernel: &mut Kernel, index: u32) {
        kernel.detach_from(index);
        if let Some(name) = self.watched.remove(&index) {
            self.board.gone(&name);
        }
        self.names.forget(index);
    }
}

fn is_there(links: &Links, index: u32) -> bool {
    links.all().is_ok_and(|links| links.iter().any(|link| link.index == index))
}

/// A name for a terminal: the kernel takes almost anything for a name.
fn shown(name: &str) -> impl Display {
    name.escape_debug()
}

/// Why an interface that has come is not watched, in one sentence.
fn refusal(name: &str, error: KernelError) -> String {
    let name = shown(name);
    match error {
        KernelError::Privilege { missing } => format!(
            "{name} has come and cannot be watched: the sensor no longer has {missing}; start it with --keep-caps where \
             interfaces come later, or start it again now"
        ),
        error => format!("{name} is not watched: {error}"),
    }
}

/// Completes when something may have changed.
async fn changed(bell: Option<&Bell>) {
    match bell {
        Some(bell) => {
            tokio::select! {
                () = bell.rung() => time::sleep(GATHER).await,
                () = time::sleep(ROUND) => {}
            }
        }
        None => time::sleep(ROUND).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_right_is_told_with_its_remedy() {
        let told = refusal("veth7", KernelError::Privilege { missing: "CAP_NET_ADMIN".into() });
        assert!(
            told.starts_with("veth7 has come and cannot be watched: the sensor no longer has CAP_NET_ADMIN; "),
            "{told}"
        );
        assert!(told.contains("--keep-caps"), "{told}");
        let told = refusal("tun7", KernelError::NotEthernet { interface: "tun7".into() });
        assert!(told.starts_with("tun7 is not watched: "), "{told}");
    }
}
