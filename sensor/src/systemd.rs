//! The service manager's protocol (sd_notify): when it watches, what it watches, that it still drains. Silent where nobody asks.

use sd_notify::{NotifyState, notify, watchdog_enabled};
use tokio::time;

/// Tells that everything is attached; `status` is what `systemctl status` shows.
pub fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// Tells that the end has begun.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Gives a sign of life twice in each of the watchdog's periods, if there is one; never completes. To be run where events are
/// drained, so that the sign stops with the draining.
pub async fn alive() {
    let Some(period) = watchdog_enabled().filter(|period| !period.is_zero()) else {
        return std::future::pending().await;
    };
    let mut round = time::interval(period / 2);
    round.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
    loop {
        round.tick().await;
        tell(&[NotifyState::Watchdog]);
    }
}

fn tell(state: &[NotifyState<'_>]) {
    // A service manager that does not listen is no reason to stop watching.
    let _ = notify(state);
}
