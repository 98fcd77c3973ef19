//! Reads what agents leave behind: transcripts of turns, calls and results, as teams have them.
//!
//! A format is recognised by its content. What is read is strict about whose words are whose: a
//! `user` message is the principal's, a `system` prompt the system's, what the model said is the
//! agent's, and what a tool returned is a result. What is quoted inside a user message cannot be
//! told apart from the message.
//!
//! Everything here is a pure function of bytes. It is *not* the judge (`countersign-judge`), and not
//! what reads files and reports (`countersign observe` in `countersign-cli`).

mod format;
pub mod limits;
mod model;
mod read;
mod session;

pub use format::Format;
pub use model::{
    Args, Broken, Call, Event, Part, Session, ToolDefinition, ToolOutput, Transcript, Turn,
};
pub use read::{NotATranscript, read};
