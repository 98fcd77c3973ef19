//! Detectors as pure folds over the entries of a ledger.
//!
//! A [`Watch`] is shown every entry in the order of the log and answers with drafts of the flags to
//! be raised, updated and closed. It reads no clock and stores nothing: its state is what the log
//! says, its own flags included, so a process that starts again replays the log and goes on.
//!
//! It does *not* commit flags (`countersign-service` does, through `countersign-ledger`) and does
//! not tell anybody about them.
//!
//! # Detectors
//!
//! All look at decisions whose mode is `enforced`; the first two with the thresholds and windows of
//! the bundle in force, of which 0 turns a detector off.
//!
//! - **burst**: rejections under one intent, or by one actor. An actor's burst of which every entry
//!   already stands in the burst of one intent is not raised a second time.
//! - **unmandated**: calls without a live intent by one actor, whatever was decided. Calls that were
//!   stopped or contended were refused before anybody looked for an intent and do not count.
//! - **tool-changed**: calls by one actor that were rejected because the tool's server lists another
//!   definition of it than the one that a person confirmed. The first one raises the flag.
//!   A rejection without facts is that of a list in which a changed tool was met, and no attempt of
//!   anybody: it counts for this detector only.
//!
//! # Incidents
//!
//! When the threshold is reached within the window, a flag is raised that names the entries in the
//! window; the first of them is the onset. From then on every further entry within a window's
//! length of the last belongs to the same incident: a flag update is written when their number has
//! doubled since the last report. After a quiet window the flag is closed.
//!
//! # After a restart
//!
//! ```
//! # use countersign_core::entry::AnyEntry;
//! # use countersign_watch::{FlagDraft, Watch};
//! # fn restart(leaves: impl Iterator<Item = (u64, AnyEntry)>) -> Vec<FlagDraft> {
//! let mut watch = Watch::new();
//! for (index, entry) in leaves {
//!     // (and `set_policy` wherever a bundle came into force)
//!     let _already_acted_upon = watch.observe(index, &entry);
//! }
//! watch.outstanding() // what was drafted before, and never came into the log
//! # }
//! ```

mod cases;
mod detect;
mod draft;
mod expiring;
mod gather;
mod incident;
pub mod limits;
mod past;
mod recent;
mod seen;
mod subject;
mod tally;
mod watch;

pub use draft::FlagDraft;
pub use watch::Watch;
