//! What a caller is told when something cannot be done.
//!
//! Three layers: what the client may see (`code` and `detail`), what the ledger says (`entry_id`
//! of a recorded rejection), and what the operator's log says (`internal`, never sent).

use std::time::Duration;

use countersign_core::ids::EntryId;
use countersign_core::json::StrictError;
use countersign_judge::Finding;
use countersign_ledger::CommitError;

/// A request that was not carried out.
#[derive(Debug)]
pub struct ServiceError {
    /// The stable code.
    pub code: ErrorCode,
    /// What is wrong with this request; no plaintext of a sealed record.
    pub detail: String,
    /// The entry that records the rejection, where there is one.
    pub entry_id: Option<EntryId>,
    /// What the check of a bundle found.
    pub findings: Vec<Finding>,
    /// What only the operator's log may say.
    pub internal: Option<Box<str>>,
    /// When it may be asked again, where that is known.
    /// Boxed: an error stays small.
    pub retry_after: Option<Box<Duration>>,
}

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal, $title:literal;)*) => {
        /// The stable codes of errors.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ErrorCode {
            $($(#[doc = $doc])+ $variant,)*
        }

        impl ErrorCode {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The code as clients see it.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// What kind of error it is, in a few words.
            pub fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }

            /// When it is answered and what to do about it.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc),+).trim_ascii(),)* }
            }
        }
    };
}

codes! {
    /// No bearer token came with the request, or one that is unknown or revoked. Send `Authorization: Bearer cs_…`.
    Unauthenticated = "unauthenticated", "no valid credential";
    /// The credential does not have the role that the request needs. Use another credential; roles are never added to one.
    WrongRole = "wrong-role", "the credential's roles do not allow this";
    /// The credential may not speak for the actor, author, channel or session that the request names. For a call, a rejection is recorded.
    OutOfBounds = "out-of-bounds", "outside what the credential may speak for";
    /// The signature of an answer to an escalation is not that of the reviewer's key over this answer to this escalation. Sign what `POST /v1/reviews/{id}/show` answered, with the key whose public half the credential states.
    BadSignature = "bad-signature", "the signature does not fit";
    /// The body is no strict JSON: see the byte offset in the detail. For a call, a rejection is recorded.
    MalformedJson = "malformed-json", "the body is not strict json";
    /// The body is JSON, but members are missing, unknown or of another type. For a call, a rejection is recorded.
    MalformedRequest = "malformed-request", "the request does not have the expected shape";
    /// The body, or a part of it, is longer than its limit.
    TooLarge = "too-large", "the request is too large";
    /// The permit is not good for this call: used before, ended, for another tool or other arguments, not one of this server's, or what it rests on has ended. The call must not be made; a refusal is recorded, unless there are too many. The agent asks for a new decision.
    PermitRefused = "permit-refused", "the permit is not good for this call";
    /// There is no such thing here.
    NotFound = "not-found", "not found";
    /// The `Idempotency-Key` was used with another body. Use a new key for a new call.
    IdempotencyConflict = "idempotency-conflict", "the idempotency key was used for another request";
    /// The thing is not in a state that allows this: already executed, already revoked, not approved.
    Conflict = "conflict", "the present state does not allow this";
    /// `If-Match` does not name the bundle in force. Read it again and decide afresh.
    PreconditionFailed = "precondition-failed", "the bundle in force is another one";
    /// `If-Match` is missing: whoever replaces the bundle in force must say which.
    PreconditionRequired = "precondition-required", "an If-Match header is required";
    /// The bundle in force demands that two persons publish (`settings.publishing.two_person`): this credential has stored the bundle or put it in shadow, or the log began with the bundle and no other credential has put it in shadow. Put it in force with another credential of role `author`.
    SecondPerson = "second-person", "another person must put this bundle in force";
    /// The bundle in force demands two people for an opening (`settings.vault.four_eyes`): this way of opening has none, or the second one has not said yes, or is the same person. Open one record with `POST /v1/vault/{ref}/open`, let another person's credential confirm the request within its time, and open with it.
    SecondReader = "second-reader", "a second person must confirm this opening";
    /// The bundle in force demands a replay before another one comes into force (`settings.publishing.replay`). Run `countersign policy replay --against` with the bundle's ref, and put it in force within a day.
    ReplayRequired = "replay-required", "a replay under this bundle is required first";
    /// The bundle does not pass its check: see the findings.
    InvalidBundle = "invalid-bundle", "the bundle does not pass its check";
    /// The credential asks too often. Wait for the time in `Retry-After`.
    RateLimited = "rate-limited", "too many requests";
    /// The queue before the ledger is full. Nothing was done; ask again later.
    Busy = "busy", "the ledger's queue is full";
    /// What the request rested on kept changing. Nothing was done; ask again.
    Contended = "contended", "the state kept changing";
    /// The machine's clock is more than two seconds behind the ledger's last entry. Nothing is judged until it is right.
    ClockBehind = "clock-behind", "the clock is behind the ledger";
    /// The disk is full. Nothing was done; stops, revocations and keys still work from reserved space.
    StorageFull = "storage-full", "no space left for the ledger";
    /// The ledger's store failed, and nothing was written. Ask again; if it lasts, an operator must look.
    StorageFailed = "storage-failed", "the ledger could not be written";
    /// The ledger stopped, because going on could contradict what it signed. Nothing is judged until an operator has looked.
    LedgerHalted = "ledger-halted", "the ledger has stopped";
    /// The quorum of witnesses that was asked for has not cosigned in time, or there are no witnesses. A decision that `entry_id` names is in the ledger and must not be acted upon: ask again with the same `Idempotency-Key` and body, or read it with `wait=witnessed`. Where a quorum is required, a log's checkpoint is answered so until the first one.
    NotWitnessed = "not-witnessed", "not cosigned by the witnesses in time";
    /// The record's key was destroyed; its commitment is still in the ledger. `entry_id` names the entry of the erasure.
    Erased = "erased", "the content was erased";
    /// Some of the selected records are under legal hold, so nothing was erased. Release the holds (`countersign vault release`), or leave these records out (`except_held`).
    Held = "held", "records are under legal hold";
    /// Something failed inside. The request id finds it in the server's log.
    Internal = "internal", "an internal error";
}

impl ServiceError {
    /// An error with a code and a detail for the client.
    pub fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
            entry_id: None,
            findings: Vec::new(),
            internal: None,
            retry_after: None,
        }
    }

    /// A request whose members do not fit.
    pub fn malformed(detail: impl Into<String>) -> Self {
        Self::new(ErrorCode::MalformedRequest, detail)
    }

    /// Something that is not there.
    pub fn not_found(what: impl std::fmt::Display) -> Self {
        Self::new(ErrorCode::NotFound, format!("there is no {what}"))
    }

    /// A failure whose cause is only for the operator.
    pub fn internal(cause: impl std::fmt::Display) -> Self {
        Self {
            internal: Some(cause.to_string().into()),
            ..Self::new(ErrorCode::Internal, "the request could not be carried out")
        }
    }

    /// The same error, which goes away after this time.
    pub(crate) fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(Box::new(wait));
        self
    }

    /// The same error, with the entry that records it.
    pub fn recorded(mut self, entry: EntryId) -> Self {
        self.entry_id = Some(entry);
        self
    }
}

impl std::fmt::Display for ServiceError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code.name(), self.detail)
    }
}

impl std::error::Error for ServiceError {}

impl From<StrictError> for ServiceError {
    fn from(error: StrictError) -> Self {
        use countersign_core::json::StrictErrorKind as Kind;
        let code = match error.kind {
            Kind::Shape(_) => ErrorCode::MalformedRequest,
            Kind::TooLong(_) => ErrorCode::TooLarge,
            _ => ErrorCode::MalformedJson,
        };
        Self::new(code, error.to_string())
    }
}

impl From<CommitError> for ServiceError {
    fn from(error: CommitError) -> Self {
        let error = match error {
            CommitError::Refused(own) => match own.downcast::<Self>() {
                Ok(own) => return *own,
                Err(other) => return Self::internal(other),
            },
            error => error,
        };
        let code = match &error {
            CommitError::Stale { .. } => ErrorCode::Contended,
            CommitError::Busy => ErrorCode::Busy,
            CommitError::ClockBehind { .. } => ErrorCode::ClockBehind,
            CommitError::StorageFull => ErrorCode::StorageFull,
            CommitError::Halted { .. } => ErrorCode::LedgerHalted,
            CommitError::Unavailable { .. } => ErrorCode::StorageFailed,
            CommitError::Refused(_)
            | CommitError::Duplicate { .. }
            | CommitError::Leaf(_)
            | CommitError::TooLong(_)
            | CommitError::WithoutEntry => return Self::internal(error),
        };
        let cause = error.to_string();
        Self {
            internal: Some(cause.into()),
            ..Self::new(code, code.title())
        }
    }
}

/// Internal failures of the parts, which say nothing to the client.
macro_rules! internal_from {
    ($($error:ty),* $(,)?) => {
        $(impl From<$error> for ServiceError {
            fn from(error: $error) -> Self {
                Self::internal(error)
            }
        })*
    };
}

internal_from!(
    countersign_core::json::CanonicalError,
    countersign_core::document::DocumentError,
    countersign_core::entry::LeafError,
    countersign_judge::DirectoryError,
    countersign_ledger::ReadError,
    countersign_vault::SealError,
    serde_json::Error,
);
