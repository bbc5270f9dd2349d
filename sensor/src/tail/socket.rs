//! Where the socket is, and who may use it: its owner and group, by its mode 0660.

use std::{
    fs::{self, File, Permissions},
    io,
    os::{
        fd::OwnedFd,
        unix::{
            fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _},
            net::{UnixListener, UnixStream},
        },
    },
    path::{Path, PathBuf},
};

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, listen as hear, socket_with};

/// Where it is unless told otherwise.
pub const DEFAULT: &str = "/run/sensor/tail.sock";

const MODE: u32 = 0o660;

/// Connections that may wait.
const BACKLOG: i32 = 16;

/// Why there is no socket, or none for this reader.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// It cannot be made.
    #[error(
        "sensor tail has no socket at {path:?} ({cause}): name another in a folder that exists and that you may write to (--socket PATH)"
    )]
    Make {
        /// Where.
        path: PathBuf,
        /// What the operating system said.
        cause: io::Error,
    },
    /// Another agent listens there.
    #[error(
        "sensor tail has no socket at {path:?}: another sensor listens there; name one for this sensor (--socket PATH)"
    )]
    Taken {
        /// Where.
        path: PathBuf,
    },
    /// Something else is there.
    #[error(
        "sensor tail has no socket at {path:?}: what is there is no socket, and is left alone; name another place (--socket PATH)"
    )]
    NoSocket {
        /// Where.
        path: PathBuf,
    },
    /// Nobody listens.
    #[error(
        "no sensor listens at {path:?} ({cause}): start one with sensor attach, or name its socket (--socket PATH)"
    )]
    Nobody {
        /// Where.
        path: PathBuf,
        /// What the operating system said.
        cause: io::Error,
    },
    /// It is not for this reader.
    #[error("the socket {path:?} is closed to you: ask as root, {owner}")]
    Closed {
        /// Where.
        path: PathBuf,
        /// Who may.
        owner: String,
    },
    /// Anything else.
    #[error("the socket {path:?} cannot be reached ({cause}): see that it is a sensor's, and that you may write to it")]
    Unreachable {
        /// Where.
        path: PathBuf,
        /// What the operating system said.
        cause: io::Error,
    },
}

/// A socket's place among files, taken by whoever listens there.
#[derive(Debug)]
pub(super) struct Place {
    path: PathBuf,
    identity: Option<Identity>,
}

/// Device, inode, which is soon used again, and when it was changed.
type Identity = (u64, u64, i64, i64);

impl Place {
    fn of(path: &Path) -> Self {
        Self { path: path.into(), identity: identity(path) }
    }

    /// Its folder, if there is nothing else in it: to remove things there is a right that does no harm.
    pub(super) fn own_folder(&self) -> Option<PathBuf> {
        let folder = self.path.parent()?;
        (fs::read_dir(folder).ok()?.count() == 1).then(|| folder.to_owned())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // Another sensor may have it by now. Whoever has no right to, leaves a stale one, which the next one replaces.
        if self.identity.is_some() && identity(&self.path) == self.identity {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn identity(path: &Path) -> Option<Identity> {
    fs::symlink_metadata(path).ok().map(|there| (there.dev(), there.ino(), there.ctime(), there.ctime_nsec()))
}

/// Listens there. A socket that nobody listens on any more is replaced; the default's folder is made.
pub(super) fn listen(path: &Path) -> Result<(UnixListener, Place), SocketError> {
    let failed = |cause| SocketError::Make { path: path.into(), cause };
    if path == Path::new(DEFAULT)
        && let Some(folder) = path.parent()
    {
        // Where it cannot be made, what follows says so; where it is, it may be somebody else's.
        if fs::create_dir(folder).is_ok() {
            let _ = fs::set_permissions(folder, Permissions::from_mode(0o755));
        }
    }
    clear(path)?;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).map_err(|e| failed(e.into()))?;
    // Before it has a name, so that it is never open to others. Umask may take more, which is given back.
    let socket = File::from(socket);
    socket.set_permissions(Permissions::from_mode(MODE)).map_err(failed)?;
    let socket = OwnedFd::from(socket);
    let address = SocketAddrUnix::new(path).map_err(|e| failed(e.into()))?;
    bind(&socket, &address).map_err(|e| failed(e.into()))?;
    fs::set_permissions(path, Permissions::from_mode(MODE)).map_err(failed)?;
    hear(&socket, BACKLOG).map_err(|e| failed(e.into()))?;
    Ok((socket.into(), Place::of(path)))
}

/// Makes room for a socket, if what is there is one that nobody listens on.
fn clear(path: &Path) -> Result<(), SocketError> {
    let Ok(there) = fs::symlink_metadata(path) else { return Ok(()) };
    if !there.file_type().is_socket() {
        return Err(SocketError::NoSocket { path: path.into() });
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(|cause| SocketError::Make { path: path.into(), cause })
        }
        Err(cause) => Err(SocketError::Make { path: path.into(), cause }),
        Ok(_) => Err(SocketError::Taken { path: path.into() }),
    }
}

/// Reaches the agent that listens there.
pub(super) fn connect(path: &Path) -> Result<UnixStream, SocketError> {
    let path_of = || path.to_owned();
    UnixStream::connect(path).map_err(|cause| match cause.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => SocketError::Nobody { path: path_of(), cause },
        io::ErrorKind::PermissionDenied => SocketError::Closed { path: path_of(), owner: owner(path) },
        _ => SocketError::Unreachable { path: path_of(), cause },
    })
}

/// Who may reach it, as far as that can be seen.
fn owner(path: &Path) -> String {
    fs::metadata(path).map_or_else(
        |_| "or as one who may enter its folder".to_owned(),
        |socket| format!("as its user ({}), or as a member of its group ({})", socket.uid(), socket.gid()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mode_holds_whatever_the_umask() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.sock");
        let _listening = listen(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, MODE);
        assert!(connect(&path).is_ok());
    }

    #[test]
    fn a_stale_socket_is_replaced_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.sock");
        let first = listen(&path).unwrap();
        assert!(matches!(listen(&path), Err(SocketError::Taken { .. })));
        // As one who is killed.
        let (first, place) = first;
        std::mem::forget(place);
        drop(first);
        assert!(matches!(connect(&path), Err(SocketError::Nobody { .. })));
        let second = listen(&path).unwrap();
        assert!(connect(&path).is_ok());
        assert_eq!(second.1.own_folder().as_deref(), Some(folder.path()));
        drop(second);
        assert!(!path.exists(), "it leaves nothing behind");
        // Nor does it take another's away.
        let (_, mine) = listen(&path).unwrap();
        fs::remove_file(&path).unwrap();
        // Times of files go by ticks.
        std::thread::sleep(std::time::Duration::from_millis(50));
        let (theirs, _their_place) = listen(&path).unwrap();
        drop(mine);
        assert!(connect(&path).is_ok(), "{theirs:?}");
        let file = folder.path().join("file");
        fs::write(&file, "dear").unwrap();
        assert!(matches!(listen(&file), Err(SocketError::NoSocket { .. })));
        assert_eq!(fs::read_to_string(&file).unwrap(), "dear");
        assert!(matches!(listen(&folder.path().join("no/t.sock")), Err(SocketError::Make { .. })));
        let long = folder.path().join("x".repeat(200));
        let error = listen(&long).unwrap_err().to_string();
        assert!(error.contains("--socket PATH"), "{error}");
        assert!(matches!(connect(&folder.path().join("none")), Err(SocketError::Nobody { .. })));
    }
}
