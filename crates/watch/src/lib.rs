//! Detectors as pure folds over the entries of a ledger.
//!
//! A [`Watch`] is shown every entry in the order of the log and answers with drafts of the flags to
//! be raised, updated and closed. It reads no clock and stores nothing: its state is what the log
//! says, its own flags included, so a process that starts again replays the log and goes on. It
//! looks at leaves only, so whoever holds the log can run it, too: [`Refold`].
//!
//! It does *not* commit flags (`countersign-service` does, through `countersign-ledger`) and does
//! not tell anybody about them (`countersign-notify` does). Whether a flag in a log names what it
//! may is also checked by `countersign-verify`, which knows nothing of this crate.
//!
//! # Detectors
//!
//! `docs/watch.md` says of each what it looks at, by which statistic, and what it cannot see. All
//! look at decisions whose mode is `enforced`, with the settings of the bundle in force.
//!
//! - **burst**: rejections under one intent or by one actor, more than the actor's own past explains.
//! - **unmandated**: calls without a live intent.
//! - **tool-changed**: calls of a tool that is listed otherwise than a person confirmed it. No
//!   setting turns it off. A rejection without facts is that of a list in which a changed tool was
//!   met, and no attempt of anybody: it counts for this detector only.
//! - **retry**: after a rejection, the same intent tries other actions or targets to the same end.
//! - **novel-target**, **off-hours**: what an actor with a past never did.
//! - **spread**: many sessions come upon one new target.
//! - **missing-execution**, **unapproved-execution**: what was approved and did not run, and what
//!   ran or was to run otherwise.
//! - **reading-around**: a credential opens more sealed records than it used to.
//! - **loosened**: a new bundle permits what was just rejected, and that is made use of.
//!
//! # Incidents
//!
//! When the threshold is reached within the window, a flag is raised. Its onset is the change point:
//! the entry at which the statistic last left zero, which can lie before the window. From then on
//! every further entry within a window's length of the last belongs to the same incident: a flag
//! update is written when their number has doubled since the last report, or when the incident has
//! become graver. After a quiet window the flag is closed.
//!
//! One incident is one flag. Where another running incident already names every entry of a new one,
//! or is about the same attempts of the same intent, no second flag is raised; and what is only
//! unusual (novel-target, off-hours) is not looked for where something graver is going on.
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
//!
//! # With somebody else's log
//!
//! ```
//! # use countersign_watch::{Held, Refold, RefoldError};
//! # fn check(leaves: &[Vec<u8>]) -> Result<(), Box<dyn std::error::Error>> {
//! let mut fold = Refold::new();
//! for (index, leaf) in (0..).zip(leaves) {
//!     let entry = countersign_core::entry::AnyEntry::from_leaf(leaf)?;
//!     if fold.observe(index, &entry)? == Held::Unfounded {
//!         println!("entry {index} is a flag that nothing before it calls for");
//!     }
//! }
//! for draft in fold.missing() {
//!     println!("the log does not hold {draft:?}");
//! }
//! # Ok(())
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
mod refold;
mod seen;
mod subject;
mod tally;
mod watch;

pub use draft::FlagDraft;
pub use refold::{Held, Refold, RefoldError};
pub use watch::Watch;
