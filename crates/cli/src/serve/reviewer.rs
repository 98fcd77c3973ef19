//! The reviewer of a first start: the person at this machine, with a key beside the profile.

use std::path::{Path, PathBuf};

use countersign_core::names::PrincipalName;
use countersign_keys::{ReviewerKey, SystemRandom};

use crate::commands::reviews::REVIEWER_KEY;
use crate::commands::turn;
use crate::error::CliError;
use crate::profile::ProfilePath;
use crate::terminal::Terminal;

/// The key of a first start's reviewer, and where it lies if it was there already.
pub(super) struct FirstReviewer {
    key: ReviewerKey,
    lies: Option<PathBuf>,
}

impl FirstReviewer {
    /// The key beside the profile, where a person's key already lies; a new one otherwise. It is a
    /// person's and no log's: one key may answer for several logs.
    pub(super) fn of(profile: &ProfilePath) -> Result<Self, CliError> {
        let path = profile.path().with_file_name(REVIEWER_KEY);
        let (key, lies) = match path.exists() {
            true => (ReviewerKey::load_file(&path), Some(path)),
            false => (ReviewerKey::fresh(&SystemRandom), None),
        };
        let key = key.map_err(|error| {
            let own = CliError::usage(error.to_string());
            match error.hint() {
                Some(hint) => own.hint(hint),
                None => own,
            }
        })?;
        Ok(Self { key, lies })
    }

    /// The public half, which the credential states.
    pub(super) fn public_key(&self) -> String {
        self.key.public_key()
    }

    /// Whose credential it is, as far as the machine has a name for that person.
    pub(super) fn principal() -> Option<String> {
        let login = turn::login();
        login.parse::<PrincipalName>().is_ok().then_some(login)
    }

    /// Puts a new key beside the profile, or into the data directory where none was written.
    pub(super) fn keep(&self, profile: Option<&Path>, data: &Path, terminal: &Terminal) {
        let beside = profile.map(|profile| profile.with_file_name(REVIEWER_KEY));
        let path = beside.unwrap_or_else(|| data.join(REVIEWER_KEY));
        if self.lies.as_ref() == Some(&path) {
            return;
        }
        match self.key.write_new(&path) {
            Ok(()) => terminal.note(format!(
                "reviewer's key `{}`: it signs your answers to calls that wait for a person",
                path.display()
            )),
            Err(error) => terminal.warn(format!(
                "the reviewer's key could not be written, so nobody can answer with this credential: {error}"
            )),
        }
    }
}
