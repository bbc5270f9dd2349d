//! What the kernel says of resets that leave this machine.

/// What the kernel says of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word<'a> {
    /// This host's own TCP stack sent it; the reason as the kernel names it.
    Own(&'a str),
    /// Another TCP stack of this machine sent it, of another namespace; or one that was translated into this on its way.
    Elsewhere(&'a str),
    /// No TCP stack of this machine did.
    Foreign,
}

/// The kernel's reasons in words (include/net/rstreason.h). What is not listed speaks for itself.
const REASONS: [(&str, &str); 16] = [
    ("NOT_SPECIFIED", "no reason given"),
    ("NO_SOCKET", "no socket for what it answers"),
    ("TCP_INVALID_ACK_SEQUENCE", "an acknowledgment of what was never sent"),
    ("TCP_RFC7323_PAWS", "an old timestamp"),
    ("TCP_TOO_OLD_ACK", "an acknowledgment that is too old"),
    ("TCP_ACK_UNSENT_DATA", "an acknowledgment of data that was not sent"),
    ("TCP_FLAGS", "flags that do not go together"),
    ("TCP_OLD_ACK", "an old acknowledgment"),
    ("TCP_ABORT_ON_DATA", "data for a socket that is closed"),
    ("TCP_TIMEWAIT_SOCKET", "a segment for a socket in TIME_WAIT"),
    ("INVALID_SYN", "a SYN that does not fit"),
    ("TCP_ABORT_ON_CLOSE", "closed by the application with data unread"),
    ("TCP_ABORT_ON_LINGER", "aborted by the application (SO_LINGER)"),
    ("TCP_ABORT_ON_MEMORY", "out of memory for sockets"),
    ("TCP_STATE", "let go of by the application in a state that asks for a reset"),
    ("TCP_KEEPALIVE_TIMEOUT", "keep-alives were not answered"),
];

/// A reason in words, with its name.
pub(crate) fn reason(name: &str) -> String {
    match REASONS.iter().find(|(known, _)| *known == name) {
        Some((_, words)) => format!("{words} ({name})"),
        // It comes from a file of the kernel's, but it is printed.
        None => name.escape_default().to_string(),
    }
}

impl<'a> Word<'a> {
    /// All public names.
    pub const IDS: [&'static str; 3] = ["own", "elsewhere", "none"];

    /// The one that is called so; none where there is none.
    pub fn named(id: &str, reason: Option<&'a str>) -> Option<Self> {
        let word = match Self::IDS.iter().position(|known| *known == id)? {
            0 => Self::Own(reason?),
            1 => Self::Elsewhere(reason?),
            _ => Self::Foreign,
        };
        Some(word)
    }

    /// The public name.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Own(_) => Self::IDS[0],
            Self::Elsewhere(_) => Self::IDS[1],
            Self::Foreign => Self::IDS[2],
        }
    }

    /// The reason as the kernel names it.
    pub const fn name(self) -> Option<&'a str> {
        match self {
            Self::Own(name) | Self::Elsewhere(name) => Some(name),
            Self::Foreign => None,
        }
    }

    /// In a few words.
    pub(super) fn brief(self) -> String {
        match self {
            Self::Own(name) => format!("by this host's own TCP stack: {}", reason(name)),
            Self::Elsewhere(name) => {
                format!("by another TCP stack of this machine: {}", reason(name))
            }
            Self::Foreign => "not by this host's TCP stack".to_owned(),
        }
    }
}
