//! The evidence for one incident, as files that a lawyer, an auditor and an engineer can each use.
//!
//! [`wants`] says which entries of a log still have to be looked up for a [`Question`], and
//! [`choose`] which of those in a [`Pool`] belong; [`build`] makes the folder of them: a report for
//! people, the entries with their proofs, the bundles, and the records that were opened; [`zip()`]
//! makes it one file. [`check`] holds such a folder against the reader's own keys, without a server.
//!
//! This crate is pure: bytes come in and bytes go out. Asking a server and writing files is the
//! caller's (`countersign-cli`). It is *not* the verifier of whole logs (`countersign-verify`): a
//! folder holds some entries of a log, and shows nothing of those that it leaves out.

mod again;
mod answers;
mod archive;
mod build;
mod case;
mod check;
mod choose;
mod format;
pub mod limits;
pub mod markup;
mod members;
mod page;
mod pool;
mod proven;
mod question;
mod readme;
mod record;
mod report;
mod seeds;
mod standing;
mod text;
mod want;

pub use again::{Again, NotAgain};
pub use archive::zip;
pub use build::{EvidenceError, Material, build};
pub use check::{Checked, check, is_folder};
pub use choose::{Chosen, Part, choose};
pub use format::{DIRECTORIES, FORMAT, Files, Manifest, TOP};
pub use members::{Opening, openings};
pub use pool::{Pool, PoolError};
pub use question::Question;
pub use standing::{Mismatch, Standing};
pub use want::{Want, wants};
