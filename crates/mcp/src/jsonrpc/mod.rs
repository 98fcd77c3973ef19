//! JSON-RPC 2.0 messages as they are relayed: read strictly, kept as the bytes that came.

#[cfg(test)]
mod corpus;
mod id;
mod message;
mod overlong;
mod raw;
mod write;

pub use id::Id;
pub(crate) use message::is_judged;
pub use message::{Kind, Message, Unreadable};
pub use overlong::Overlong;
pub(crate) use overlong::Scanner;
pub(crate) use raw::place;
pub use raw::{RawError, RawObject};
pub use write::{error, result};
pub(crate) use write::{notification, request};

/// Codes of errors (JSON-RPC 2.0 section 5.1, and the implementation's own range).
pub mod code {
    /// No JSON, or JSON that two readers could read differently.
    pub const PARSE: i64 = -32700;
    /// No request: a batch, a wrong id, a member too many.
    pub const INVALID_REQUEST: i64 = -32600;
    /// A method that is not relayed.
    pub const METHOD_NOT_FOUND: i64 = -32601;
    /// Parameters that are not those of the method.
    pub const INVALID_PARAMS: i64 = -32602;
    /// What had to be asked could not be.
    pub const INTERNAL: i64 = -32603;
    /// Countersign refused; in the range that is the implementation's own.
    pub const REFUSED: i64 = -32010;
    /// The server of tools is gone.
    pub const SERVER_GONE: i64 = -32011;
}
