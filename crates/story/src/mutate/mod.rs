//! Every change of a log that the mutation table knows, and two adversaries who make it.
//!
//! `members` changes every member of every kind of entry, by the types of the declarations, so
//! that a new member cannot be forgotten; `whole` swaps, drops, repeats and puts in entries, and
//! changes bundles, files and documents; a [`Court`] publishes what is left, without the log's key
//! and with it, and hears the verifier.

mod court;
mod members;
mod mutant;
#[cfg(test)]
mod tests;
mod values;
mod whole;

pub use court::{Cell, Court, Opened, Setting, Unsound, Verdict};
pub use members::Coverage;
pub use mutant::{Edit, Mutant, Row};
pub use values::UnknownType;

/// All changes of the court's log, and which members they cover.
///
/// # Errors
/// If a member is of a type that has no other values here.
pub fn all(court: &Court) -> Result<(Vec<Mutant>, Coverage), UnknownType> {
    let (mut mutants, coverage) = members::of(&court.leaves)?;
    mutants.extend(whole::of(&court.leaves, &court.log));
    let opened = &court.documents;
    let of_documents = whole::of_documents(&court.leaves, &opened.given, opened.is_complete);
    mutants.extend(of_documents);
    Ok((mutants, coverage))
}
