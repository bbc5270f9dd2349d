//! What else an aggregate could be, and is not.

macro_rules! alternatives {
    ($($(#[$doc:meta])* $name:ident, $id:literal, $words:literal;)*) => {
        /// What it could be instead.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Alternative {
            $($(#[$doc])* $name,)*
        }

        impl Alternative {
            /// Every one of them.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The public id.
            pub const fn id(self) -> &'static str {
                match self {
                    $(Self::$name => $id,)*
                }
            }

            /// In a few words.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $words,)*
                }
            }
        }
    };
}

alternatives! {
    /// Many real clients at once.
    FlashCrowd, "flash-crowd", "a flash crowd";
    /// Nobody answers.
    ServiceDown, "service-down", "a service that is down";
    /// Down for a moment.
    Restart, "restart", "a restart";
    /// What the sensor has not seen begin.
    FromBefore, "from-before", "connections from before the sensor's start, or that the table gave up";
    /// Live connections that change their way.
    Moved, "moved", "connections that move here from elsewhere";
    /// Half of the segments pass elsewhere.
    OtherWay, "other-way", "requests that take another way";
    /// Answers to somebody's probes.
    Provoked, "provoked", "answers to a flood or a scan";
    /// Somebody wants it down.
    Attack, "attack", "an attack";
    /// It does not keep up.
    SlowApplication, "slow-application", "an application that is too slow";
    /// Somebody looks around.
    Scan, "scan", "a scan by that service";
    /// Its one server does not answer.
    ServerGone, "server-gone", "a client whose server is gone";
    /// Some of many servers do not answer.
    DeadBackends, "dead-backends", "a proxy with dead backends";
    /// The side that waits is the other one.
    ServerCloses, "server-closes", "a server that closes first";
    /// The client's ports wait.
    ClientPorts, "client-ports", "clients that run out of ports";
    /// It takes its time.
    SlowReader, "slow-reader", "a slow reader";
}

/// What it is not, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Not {
    /// What it could have been.
    pub what: Alternative,
    /// Why it is not.
    pub reason: String,
}

impl Not {
    pub(super) fn a(what: Alternative, reason: impl Into<String>) -> Self {
        Self { what, reason: reason.into() }
    }
}
