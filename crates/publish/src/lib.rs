//! What leaves a log after release: its newest checkpoint is sent to witnesses, their cosignatures
//! are gathered, and the cosigned checkpoint is published, at most once a second.
//!
//! Answers to those who append do not wait for any of this, unless they ask to. What is published
//! never goes back, and a witness that shows another history of this log, signed by its key, stops
//! the log: see [`Publisher`].
//!
//! This crate speaks no HTTP: a [`Transport`] carries requests to a witness. It is *not* a witness
//! (`countersign-witness`), and the tiles of a static publication are written by
//! `countersign_ledger::publish`.

mod board;
mod contradiction;
mod kept;
pub mod limits;
mod link;
mod parts;
mod publisher;
mod round;
mod start;
mod transport;
mod worker;

pub use board::{Board, Published, Status, WhenWitnessed, WitnessStatus};
pub use contradiction::Conflict;
pub use kept::KeptError;
pub use link::Failure;
pub use parts::{LogKeys, Parts, SetupError};
pub use publisher::Publisher;
pub use start::{Found, StartError, Started};
pub use transport::{RawAnswer, Transport, TransportError};
