//! Why the handler could not do what an event asks for. Whatever it is, the call is refused.

use std::path::Path;

use countersign_client::ClientError;

/// Why an event was not handled.
#[derive(Debug, thiserror::Error)]
pub enum HookError {
    /// The event is not in a shape that is known.
    #[error("the event cannot be read: {0}")]
    Event(String),
    /// The event is longer than allowed.
    #[error("the event has more than {limit} bytes, which is the limit")]
    TooLong {
        /// The limit.
        limit: u64,
    },
    /// A file could not be read or written.
    #[error("`{path}`: {reason}")]
    File {
        /// The file.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// The call cannot be described to the server.
    #[error("{0}")]
    Call(String),
    /// The server did not answer, or refused.
    #[error("{0}")]
    Server(#[from] ClientError),
}

impl HookError {
    /// A file that could not be read or written.
    pub(crate) fn file(path: &Path, reason: impl std::fmt::Display) -> Self {
        Self::File {
            path: path.display().to_string(),
            reason: reason.to_string(),
        }
    }

    /// What may help.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Server(ClientError::Unreachable { .. }) => Some(
                "start the server with `countersign serve`, or take the hooks out with `countersign hook uninstall claude-code`"
                    .to_owned(),
            ),
            Self::Server(ClientError::Problem { problem, .. })
                if problem.code == "unauthenticated" =>
            {
                Some("`countersign hook install claude-code --renew` grants new credentials".to_owned())
            }
            Self::Server(error) => error.hint(),
            Self::File { .. } => Some("`countersign hook install` writes what the hook needs".to_owned()),
            Self::Event(_) | Self::TooLong { .. } | Self::Call(_) => None,
        }
    }
}
