//! What pseudonyms stand for: the records that are erased with what has them.

use std::collections::BTreeSet;

use countersign_core::document::{Document as _, PseudonymMeaning};
use countersign_core::pseudonym::{Pseudonym, PseudonymKind};
use countersign_core::refs::IntentRef;
use countersign_ledger::StateKey;

use super::Gathering;
use crate::error::ServiceError;
use crate::state::{self, PseudonymRow, RetiredRow, key};
use crate::vault::condemned::{Condemned, Gone};

impl Gathering<'_> {
    /// What the pseudonyms of a value stand for: the one in force, and those that an erasure which
    /// was cut off has retired.
    pub(in crate::vault) fn meanings_of(
        &mut self,
        kind: PseudonymKind,
        value: &str,
    ) -> Result<Vec<Pseudonym>, ServiceError> {
        let ledger = &self.service.ledger;
        let state_key = self.service.pseudonym_key(kind, value);
        let mut rows = state::read::<RetiredRow>(ledger, &key::retired(&state_key))?
            .unwrap_or_default()
            .rows;
        let live = state::read::<PseudonymRow>(ledger, &state_key)?;
        if let Some(row) = live.filter(|_| !self.late) {
            self.links.insert(state_key.clone());
            rows.push(row);
        }
        for row in &rows {
            self.link(row, &state_key)?;
        }
        Ok(rows.into_iter().map(|row| row.pseudonym).collect())
    }

    /// What has pseudonyms of rows that were retired.
    pub(in crate::vault) fn retired<'k>(
        &mut self,
        keys: impl Iterator<Item = &'k StateKey>,
    ) -> Result<(), ServiceError> {
        for state_key in keys {
            let row = state::read::<RetiredRow>(&self.service.ledger, &key::retired(state_key))?;
            let kind = state_key.as_str().strip_prefix(key::PSEUDONYMS);
            let kind = kind.and_then(|it| it.split('/').next());
            for row in row.unwrap_or_default().rows {
                self.link(&row, state_key)?;
                let principals = BTreeSet::from([row.pseudonym]);
                match kind {
                    Some("target") => self.target(row.pseudonym)?,
                    Some("principal") => self.turns_of(&principals)?,
                    _ => {}
                }
            }
        }
        Ok(())
    }

    fn link(&mut self, row: &PseudonymRow, state_key: &StateKey) -> Result<(), ServiceError> {
        let record = Condemned::new(row.meaning.into(), PseudonymMeaning::KIND, None);
        self.add(record.with(Gone::Pseudonym(state_key.clone())))
    }

    /// What the pseudonym of a session stands for, by one of its turns that can be opened; or as it
    /// was retired.
    pub(in crate::vault) fn session_meaning(
        &mut self,
        turns: &[IntentRef],
        session: Pseudonym,
    ) -> Result<(), ServiceError> {
        let mut retired = Vec::new();
        self.service
            .each_row::<RetiredRow>(key::RETIRED_SESSIONS, |state_key, found| {
                let of_session = found.rows.into_iter().find(|row| row.pseudonym == session);
                let state_key = state_key.as_str().strip_prefix(key::RETIRED);
                retired.extend(of_session.zip(state_key.map(StateKey::new)));
            })?;
        for (row, state_key) in &retired {
            self.link(row, state_key)?;
        }
        let mut turns = turns.iter();
        let open = turns.find_map(|turn| self.service.open_intent(*turn).ok());
        let Some(open) = open else { return Ok(()) };
        let value = open.document.session.as_str();
        if self
            .service
            .known_pseudonym(PseudonymKind::Session, value)?
            == Some(session)
        {
            self.meanings_of(PseudonymKind::Session, value)?;
        }
        Ok(())
    }
}
