//! Landlock: no file but a few to read, no port to bind, none or one to connect to, no signal to others.

use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, LandlockStatus, NetPort, Ruleset, RulesetAttr, RulesetCreatedAttr,
    RulesetError, RulesetStatus, Scope, make_bitflags, path_beneath_rules,
};

use super::{Connect, Layer};

/// The newest that is asked for; older kernels enforce as much of it as they know.
const NEWEST: ABI = ABI::V6;

/// Leaves the calling thread these files and folders to read, these to write in, this one to remove from, and this port to connect
/// to. What is open stays open.
pub(super) fn restrict(read: &[PathBuf], write: &[PathBuf], remove: Option<&Path>, connect: Option<Connect>) -> Layer {
    match try_restrict(read, write, remove, connect) {
        Ok(layer) => layer,
        Err(error) => Layer::off(error.to_string()),
    }
}

fn try_restrict(
    read: &[PathBuf],
    write: &[PathBuf],
    remove: Option<&Path>,
    connect: Option<Connect>,
) -> Result<Layer, RulesetError> {
    // DNS over TCP is asked where an answer is too long for UDP.
    let ports = connect.into_iter().flat_map(|to| [Some(to.port), to.lookup.then_some(53)]).flatten();
    let ports = ports.map(|port| Ok::<_, RulesetError>(NetPort::new(port, AccessNet::ConnectTcp)));
    let ports: Vec<_> = ports.collect();
    let status = Ruleset::default()
        .handle_access(AccessFs::from_all(NEWEST))?
        .handle_access(AccessNet::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?
        .create()?
        .add_rules(path_beneath_rules(read, make_bitflags!(AccessFs::{ReadFile | ReadDir})))?
        .add_rules(ports)?
        .add_rules(path_beneath_rules(remove, AccessFs::RemoveFile))?
        .add_rules(path_beneath_rules(
            write,
            make_bitflags!(AccessFs::{ReadFile | ReadDir | WriteFile | Truncate | MakeReg | RemoveFile}),
        ))?
        .restrict_self()?;
    let abi = match status.landlock {
        LandlockStatus::Available { effective_abi, .. } => format!("ABI {}", effective_abi as i32),
        LandlockStatus::NotEnabled => "switched off at boot".to_owned(),
        _ => "not in this kernel".to_owned(),
    };
    Ok(match status.ruleset {
        RulesetStatus::FullyEnforced => {
            let port = connect.map_or("no new port".to_owned(), |to| format!("no new port but {}", to.port));
            let files = if write.is_empty() { "no file to write" } else { "files to write in one folder" };
            Layer::on(format!("{files}, next to none to read, {port}, {abi}"))
        }
        RulesetStatus::PartiallyEnforced => Layer::on(format!("as far as this kernel knows it, {abi}")),
        RulesetStatus::NotEnforced => Layer::off(abi),
    })
}
