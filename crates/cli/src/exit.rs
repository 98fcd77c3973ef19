//! Exit codes: documented API.

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// 0: yes; approved, trusted, done.
    Yes,
    /// 1: no; rejected, escalated, failed, refused by the server.
    No,
    /// 2: usage, or something that could not be read, written or reached.
    Trouble,
    /// 3: the log is inconsistent: two signed heads contradict each other, or the ledger halted.
    Inconsistent,
    /// 4: `verify` found nothing wrong, and nothing outside the log to hold it against.
    Unanchored,
}

impl Exit {
    /// The number.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Yes => 0,
            Self::No => 1,
            Self::Trouble => 2,
            Self::Inconsistent => 3,
            Self::Unanchored => 4,
        }
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
