//! Why a request was not answered, or answered with a refusal.

use std::time::Duration;

use countersign_wire::Problem;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The server refused, and says why (RFC 9457).
    #[error("{} ({})", problem.detail, problem.code)]
    Problem {
        /// What it says.
        problem: Box<Problem>,
        /// After which time it may be asked again, if it said so.
        retry_after: Option<Duration>,
    },
    /// The server could not be reached.
    #[error("`{server}` could not be reached: {cause}")]
    Unreachable {
        /// The server's address.
        server: String,
        /// Why.
        cause: Unreachable,
    },
    /// The server did not answer in time. Whether the request was carried out is not known.
    #[error("`{server}` did not answer within {} s", allowed.as_secs())]
    Timeout {
        /// The server's address.
        server: String,
        /// The time that it had.
        allowed: Duration,
    },
    /// The connection broke after the request was sent. Whether it was carried out is not known.
    #[error("the connection to `{server}` broke: {reason}")]
    Broken {
        /// The server's address.
        server: String,
        /// What happened.
        reason: String,
    },
    /// What answered does not speak this API.
    #[error(
        "`{server}` answered with status {status} and no document of this API: is it a Countersign server?"
    )]
    NotThisApi {
        /// The server's address.
        server: String,
        /// The status.
        status: u16,
    },
    /// A file was refused, by a server that need not speak this API.
    #[error("`{server}` answered with status {status}")]
    Status {
        /// The server's address.
        server: String,
        /// The status.
        status: u16,
    },
    /// The answer is longer than allowed.
    #[error("the answer is longer than {limit} bytes")]
    AnswerTooLong {
        /// The limit.
        limit: u64,
    },
    /// The request could not be made: a token or name that cannot stand in one.
    #[error("{0}")]
    Request(String),
    /// The CA file cannot be used.
    #[error("the ca file `{path}`: {reason}")]
    CaFile {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// Why a server could not be reached. The request was not sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreachable {
    /// The host's name does not resolve.
    #[error("there is no such host")]
    NoSuchHost,
    /// Nobody listens there.
    #[error("nobody listens there")]
    Refused,
    /// Connecting took too long.
    #[error("connecting took longer than {} s", .0.as_secs())]
    TooSlow(Duration),
    /// The encrypted connection could not be made.
    #[error("tls: {0}")]
    Tls(String),
    /// Something else.
    #[error("{0}")]
    Other(String),
}

impl ClientError {
    /// What the server says, if it is the server that refused.
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Problem { problem, .. } => Some(problem),
            _ => None,
        }
    }

    /// The stable code of the server's refusal.
    pub fn code(&self) -> Option<&str> {
        self.problem().map(|problem| problem.code.as_str())
    }

    /// Whether the same request may be sent again without being carried out twice.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Problem { problem, .. } => {
                matches!(problem.code.as_str(), "busy" | "contended" | "rate-limited")
            }
            _ => false,
        }
    }

    /// What may help.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unreachable {
                cause: Unreachable::Refused,
                ..
            } => Some(
                "start a server with `countersign serve`, or name another with --server".to_owned(),
            ),
            Self::Status {
                status: 300..400, ..
            } => Some("redirects are not followed: give the address that it leads to".to_owned()),
            Self::Timeout { .. } | Self::Broken { .. } => {
                Some("ask again with the same idempotency key: it is carried out once".to_owned())
            }
            Self::Problem {
                problem,
                retry_after,
            } => problem_hint(problem, *retry_after),
            _ => None,
        }
    }
}

fn problem_hint(problem: &Problem, retry_after: Option<Duration>) -> Option<String> {
    match problem.code.as_str() {
        "unauthenticated" => {
            Some("the token is missing, unknown or revoked, or of another server than the one that answers; `--token` and `COUNTERSIGN_TOKEN` override the profile".to_owned())
        }
        "wrong-role" => Some("use a credential with that role: roles are never added to one".to_owned()),
        "out-of-bounds" => {
            Some("`countersign credential list` says for whom each credential may speak, and `credential add` grants one".to_owned())
        }
        "rate-limited" | "busy" | "contended" => {
            retry_after.map(|after| format!("ask again in {} s", after.as_secs().max(1)))
        }
        "internal" => Some(format!("the server's log has the cause under request id {}", problem.request_id)),
        _ => None,
    }
}
