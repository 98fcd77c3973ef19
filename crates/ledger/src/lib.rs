//! The ledger: the plan over the head, the sequencer that runs it, and the storage contract.
//!
//! A unit of work is a closure over its prepared input. The sequencer gathers units, plans them in
//! order over the log's head and the small mutable state, has the store commit the whole batch in
//! one transaction, syncs the head file, and only then answers. Whoever has an answer has a durable
//! entry and a proof of it.
//!
//! This crate knows no HTTP, no Cedar and no database. It is *not* the storage
//! (`countersign-store-sqlite`), not the tree's arithmetic (`countersign-merkle`), not the texts
//! that a log signs (`countersign-note`), and it does not know what a verdict is: what a unit reads
//! and writes is a versioned key-value map to it.
//!
//! Durability, in the order of release: commit, head file, answers.

mod edge;
mod error;
mod fresh;
pub mod fsck;
mod head;
mod head_file;
pub mod index;
mod ledger;
pub mod limits;
mod lock;
mod plan;
pub mod publish;
mod queue;
mod reader;
mod release;
mod reserve;
mod rewrap;
mod second;
mod sequencer;
mod start;
mod state;
mod step;
pub mod store;
mod unit;

pub use error::{CommitError, PanicInWork, StepError, UnitTooLong};
pub use head::{Head, HeadError};
pub use head_file::{HeadFile, HeadFileError, RecordedHead};
pub use ledger::{CreateError, Health, Ledger, LedgerParts, LogSigner};
pub use lock::{DirLock, LockError};
pub use reader::{FoundEntries, LogReader, ReadError};
pub use reserve::{FileReserve, Reserve};
pub use rewrap::{Admit, NewWrapping, NotAdmitted, WrappedKey};
pub use second::SecondSigner;
pub use start::OpenError;
pub use state::{ReadSet, StateKey, Versioned, version_of};
pub use step::Step;
pub use store::{Filter, Order, Page, Store};
pub use unit::{Committed, CommittedEntry, Done, ProofText, Work};
