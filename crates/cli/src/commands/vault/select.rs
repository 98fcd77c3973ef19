//! Which sealed records are meant.

use clap::Args;
use countersign_wire::Selection;

/// Which records: exactly one way of saying so.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct SelectArgs {
    /// These records, by their commitments: sha256: and 64 hex digits; can be given more than once
    #[arg(long = "ref", value_name = "REF")]
    refs: Vec<String>,
    /// A turn, and all of the calls that rest on it
    #[arg(long, value_name = "REF")]
    intent: Option<String>,
    /// A session, by its id or pseudonym: all of its turns
    #[arg(long, value_name = "ID")]
    session: Option<String>,
    /// A person, by an address, a phone number, an account or a name
    #[arg(long, value_name = "TEXT")]
    subject: Option<String>,
    /// What one entry commits to
    #[arg(long, value_name = "ID")]
    entry: Option<String>,
}

impl SelectArgs {
    /// As a request has it.
    pub(crate) fn selection(&self) -> Selection {
        Selection {
            refs: (!self.refs.is_empty()).then(|| self.refs.clone()),
            intent: self.intent.clone(),
            session: self.session.clone(),
            subject: self.subject.clone(),
            entry: self.entry.clone(),
        }
    }
}
