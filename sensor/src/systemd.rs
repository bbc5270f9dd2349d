//! The service manager's protocol (sd_notify): when it watches, what it watches, that it still drains. Silent where nobody asks.

use std::{
    env,
    os::{
        linux::net::SocketAddrExt as _,
        unix::{
            ffi::OsStrExt as _,
            net::{SocketAddr, UnixDatagram},
        },
    },
};

use sd_notify::{NotifyState, watchdog_enabled};
use tokio::time;

/// The way to the service manager, opened before the right to open sockets is given up.
#[derive(Debug)]
pub struct Manager(Option<UnixDatagram>);

impl Manager {
    /// The one that started this process, if it wants to hear.
    pub fn find() -> Self {
        let Some(name) = env::var_os("NOTIFY_SOCKET") else { return Self(None) };
        // An abstract name is written with @ in front.
        let address = match name.as_bytes() {
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name),
            _ => SocketAddr::from_pathname(&name),
        };
        let open = |address| {
            let socket = UnixDatagram::unbound()?;
            socket.connect_addr(&address)?;
            Ok::<_, std::io::Error>(socket)
        };
        // One that does not listen is no reason to stop watching.
        Self(address.and_then(open).ok())
    }

    /// Tells that everything is attached; `status` is what `systemctl status` shows.
    pub fn ready(&self, status: &str) {
        self.tell(&[NotifyState::Ready, NotifyState::Status(status)]);
    }

    /// Tells that the end has begun.
    pub fn stopping(&self) {
        self.tell(&[NotifyState::Stopping]);
    }

    /// Gives a sign of life twice in each of the watchdog's periods, if there is one; never completes. To be run where events are
    /// drained, so that the sign stops with the draining.
    pub async fn alive(&self) {
        let Some(period) = watchdog_enabled().filter(|period| !period.is_zero()) else {
            return std::future::pending().await;
        };
        let mut round = time::interval(period / 2);
        round.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
        loop {
            round.tick().await;
            self.tell(&[NotifyState::Watchdog]);
        }
    }

    fn tell(&self, states: &[NotifyState<'_>]) {
        let message: String = states.iter().map(|state| format!("{state}\n")).collect();
        if let Self(Some(socket)) = self {
            let _ = socket.send(message.as_bytes());
        }
    }
}
