//! Interfaces: which there are, which is the default, and who sits on them already.

use std::{ffi::CString, fs};

use aya::programs::loaded_programs;

use super::{KernelError, link::Links};

/// The interface of the default route, IPv4 before IPv6.
pub fn default_interface() -> Result<String, KernelError> {
    let v4 = fs::read_to_string("/proc/net/route").unwrap_or_default();
    let v4 = v4.lines().skip(1).filter_map(|line| {
        let mut fields = line.split_whitespace();
        // Gateway, flags, references, use and metric lie between. A VPN may route halves of everything: 0.0.0.0/1.
        let (name, destination, mask) = (fields.next()?, fields.next()?, fields.nth(5)?);
        // An unreachable default has no interface.
        (destination == "00000000" && mask == "00000000" && name != "*").then(|| name.to_string())
    });
    let v6 = fs::read_to_string("/proc/net/ipv6_route").unwrap_or_default();
    let v6 = v6.lines().filter_map(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let default = fields.first()?.bytes().all(|b| b == b'0') && *fields.get(1)? == "00";
        (default && *fields.last()? != "lo").then(|| fields.last().map(|name| name.to_string()))?
    });
    let route = v4.chain(v6).next();
    route.ok_or_else(|| KernelError::NoDefaultRoute { known: known() })
}

/// Index of an interface of this network namespace.
pub fn interface_index(name: &str) -> Result<u32, KernelError> {
    let missing = || KernelError::NoInterface { name: name.escape_debug().to_string(), known: known() };
    let c_name = CString::new(name).map_err(|_| missing())?;
    // SAFETY: a valid C string.
    match unsafe { libc::if_nametoindex(c_name.as_ptr()) } {
        0 => Err(missing()),
        index => Ok(index),
    }
}

/// The interfaces of this network namespace.
fn known() -> String {
    let table = fs::read_to_string("/proc/net/dev").unwrap_or_default();
    let names: Vec<_> = table.lines().skip(2).filter_map(|line| Some(line.split_once(':')?.0.trim())).collect();
    if names.is_empty() { "none".into() } else { names.join(", ") }
}

/// The XDP program that sits on an interface already, by name and id, as far as the kernel tells.
pub(super) fn xdp_owner(ifindex: u32) -> Option<String> {
    let links = Links::open().and_then(|links| links.all()).ok()?;
    links.into_iter().find(|link| link.index == ifindex)?.xdp.map(program_name)
}

/// A program by name and id.
pub(crate) fn program_name(id: u32) -> String {
    let mut programs = loaded_programs().filter_map(Result::ok);
    let name = programs
        .find(|program| program.id() == id)
        .and_then(|program| program.name_as_str().map(str::to_string))
        .unwrap_or_default();
    if name.is_empty() { format!("id {id}") } else { format!("{} (id {id})", name.escape_debug()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_interface_is_named() {
        let error = interface_index("nosuch0").expect_err("there is none");
        assert!(error.to_string().contains("nosuch0") && error.to_string().contains("lo"), "{error}");
    }
}
