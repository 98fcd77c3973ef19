//! Which sealed records a selection means.
//!
//! Found through the index of the log and rows of state; no record is opened but to learn which
//! session or principal a pseudonym stands for, and where a record speaks of more people than are
//! listed. What is found is not told to anybody here.

mod pseudonyms;
mod refs;

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::document::{Call, Document as _, PseudonymMeaning, Statement};
use countersign_core::entry::{AnyEntry, Body, Decision, Entry, Kind as _, VaultAccess};
use countersign_core::ids::EntryId;
use countersign_core::names::SessionId;
use countersign_core::pseudonym::{Pseudonym, PseudonymKind};
use countersign_core::refs::{IntentRef, Sha256};
use countersign_ledger::{Filter, Order, Page, StateKey};
use countersign_merkle::LeafIndex;
use countersign_wire::Selection;
use serde::de::DeserializeOwned;

use super::condemned::{Condemned, records_of};
use crate::Service;
use crate::error::{ErrorCode, ServiceError};
use crate::state::{self, ExecutionRow, IntentRow, key};
use crate::turns::name;

/// Most records that one selection means.
const SELECTED_RECORDS: usize = 262_144;
/// Longest text that names a subject or a session, in bytes.
const SUBJECT_BYTES: usize = 1_024;
/// Entries or rows that are read at once.
const READ: usize = 500;

/// What a selection means.
pub(crate) struct Selected {
    /// The records that are there, in the order in which they are erased: those that others are
    /// found by come last, so that a request that was cut off finds the rest when it is made again.
    pub(crate) records: Vec<Condemned>,
    /// The rows of pseudonyms in force that go.
    pub(crate) links: Vec<StateKey>,
    /// How many were erased before.
    pub(crate) already: u64,
}

impl Selected {
    /// The refs of the records that are there.
    pub(crate) fn refs(&self) -> BTreeSet<Sha256> {
        let records = self.records.iter();
        records.map(|record| record.reference).collect()
    }
}

/// The one thing that a selection names.
enum Named<'s> {
    Refs(&'s [String]),
    Intent(&'s str),
    Session(&'s str),
    Subject(&'s str),
    Entry(&'s str),
}

impl<'s> Named<'s> {
    fn of(selection: &'s Selection) -> Result<Self, ServiceError> {
        let Selection {
            refs,
            intent,
            session,
            subject,
            entry,
        } = selection;
        let members = [
            refs.as_deref().map(Self::Refs),
            intent.as_deref().map(Self::Intent),
            session.as_deref().map(Self::Session),
            subject.as_deref().map(Self::Subject),
            entry.as_deref().map(Self::Entry),
        ];
        let mut named = members.into_iter().flatten();
        match (named.next(), named.next()) {
            (Some(one), None) => Ok(one),
            _ => Err(ServiceError::malformed(
                "a selection is exactly one of `refs`, `intent`, `session`, `subject` and `entry`",
            )),
        }
    }
}

/// What was found so far.
pub(super) struct Gathering<'s> {
    pub(super) service: &'s Service,
    /// Whether only what has retired pseudonyms is looked for.
    pub(super) late: bool,
    records: BTreeMap<Sha256, Condemned>,
    intents: BTreeSet<IntentRef>,
    decisions: BTreeSet<EntryId>,
    links: BTreeSet<StateKey>,
}

impl Service {
    /// The records that a selection means.
    pub(crate) fn selected(&self, selection: &Selection) -> Result<Selected, ServiceError> {
        self.select(selection, None)
    }

    /// What came in while it was selected: of a person or a named session, what has pseudonyms that
    /// were retired, those of these rows among them.
    pub(super) fn stragglers(
        &self,
        selection: &Selection,
        retired: &BTreeSet<StateKey>,
    ) -> Result<Selected, ServiceError> {
        self.select(selection, Some(retired))
    }

    fn select(
        &self,
        selection: &Selection,
        retired: Option<&BTreeSet<StateKey>>,
    ) -> Result<Selected, ServiceError> {
        let named = Named::of(selection)?;
        let mut found = Gathering {
            service: self,
            late: retired.is_some(),
            records: BTreeMap::new(),
            intents: BTreeSet::new(),
            decisions: BTreeSet::new(),
            links: BTreeSet::new(),
        };
        if found.late && matches!(named, Named::Refs(_)) {
            return found.finish(); // They are what they are.
        }
        found.retired(retired.into_iter().flatten())?;
        match named {
            Named::Refs(refs) => found.refs(refs)?,
            Named::Intent(intent) => found.named_intent(name(intent)?)?,
            Named::Session(session) => found.named_session(session)?,
            Named::Subject(subject) => found.subject(limited("subject", subject)?)?,
            Named::Entry(entry) => found.named_entry(name(entry)?)?,
        }
        found.shown()?;
        found.finish()
    }

    /// Each row under a prefix.
    pub(crate) fn each_row<T: DeserializeOwned>(
        &self,
        prefix: &str,
        mut take: impl FnMut(&StateKey, T),
    ) -> Result<(), ServiceError> {
        let mut after: Option<StateKey> = None;
        loop {
            let page = self.ledger.scan(prefix, after.as_ref(), READ)?;
            let is_last = page.len() < READ;
            for (state_key, found) in page {
                if let Some(bytes) = &found.value {
                    take(&state_key, serde_json::from_slice(bytes)?);
                }
                after = Some(state_key);
            }
            if is_last {
                return Ok(());
            }
        }
    }

    fn entry_known(&self, id: EntryId) -> Result<Option<(LeafIndex, Entry)>, ServiceError> {
        Ok(self
            .known_entry(id)?
            .and_then(|(index, entry)| match entry {
                AnyEntry::Known(entry) => Some((index, *entry)),
                AnyEntry::Unknown(_) => None,
            }))
    }
}

impl Gathering<'_> {
    pub(super) fn add(&mut self, record: Condemned) -> Result<(), ServiceError> {
        if self.records.len() >= SELECTED_RECORDS {
            let detail = format!(
                "more than {SELECTED_RECORDS} records are selected: select fewer, such as by session or intent"
            );
            return Err(ServiceError::new(ErrorCode::TooLarge, detail));
        }
        let before = self.records.remove(&record.reference);
        let mut merged = before.unwrap_or_else(|| Condemned {
            rows: Vec::new(),
            ..record.clone()
        });
        for row in record.rows {
            merged = merged.with(row);
        }
        merged.entry = merged.entry.or(record.entry);
        self.records.insert(merged.reference, merged);
        Ok(())
    }

    fn add_all(&mut self, records: Vec<Condemned>) -> Result<(), ServiceError> {
        records.into_iter().try_for_each(|record| self.add(record))
    }

    /// Each entry that a filter finds, the oldest first.
    pub(super) fn each(
        &mut self,
        filter: &Filter,
        mut take: impl FnMut(&mut Self, LeafIndex, &Entry) -> Result<(), ServiceError>,
    ) -> Result<(), ServiceError> {
        let mut after = None;
        loop {
            let page = Page {
                order: Order::OldestFirst,
                after,
                limit: READ,
            };
            let entries = self.service.ledger.query(filter, &page)?.entries;
            let is_last = entries.len() < READ;
            for stored in entries {
                after = Some(stored.index);
                if let AnyEntry::Known(entry) = AnyEntry::from_leaf(&stored.bytes)? {
                    take(self, stored.index, &entry)?;
                }
            }
            if is_last {
                return Ok(());
            }
        }
    }

    fn named_intent(&mut self, intent_ref: IntentRef) -> Result<(), ServiceError> {
        let row = state::read::<IntentRow>(&self.service.ledger, &key::intent(&intent_ref))?;
        row.ok_or_else(|| ServiceError::not_found(format!("turn `{intent_ref}`")))?;
        self.intent(intent_ref)
    }

    /// A turn, and all that rests on it or claims it.
    pub(super) fn intent(&mut self, intent_ref: IntentRef) -> Result<(), ServiceError> {
        if !self.intents.insert(intent_ref) {
            return Ok(());
        }
        let filter = Filter {
            intent: Some(intent_ref),
            ..Filter::default()
        };
        self.each(&filter, |found, index, entry| match &entry.body {
            // A later turn rests on this one, and is another.
            Body::Intent(body) if body.intent_ref != intent_ref => Ok(()),
            Body::Decision(decision) if decision.intent_ref != Some(intent_ref) => {
                found.decision(index, entry, decision)
            }
            _ => found.add_all(records_of(index, entry)),
        })
    }

    fn named_session(&mut self, session: &str) -> Result<(), ServiceError> {
        let known = match session.parse::<Pseudonym>() {
            Ok(pseudonym) => vec![pseudonym],
            Err(_) => {
                let session: SessionId = name(session)?;
                self.meanings_of(PseudonymKind::Session, session.as_str())?
            }
        };
        if known.is_empty() && !self.late {
            return Err(ServiceError::not_found("session of this name"));
        }
        known.into_iter().try_for_each(|it| self.session(it))
    }

    fn session(&mut self, session: Pseudonym) -> Result<(), ServiceError> {
        let mut intents = Vec::new();
        let filter = Filter {
            session: Some(session),
            ..Filter::default()
        };
        self.each(&filter, |found, index, entry| {
            if let Body::Intent(body) = &entry.body {
                intents.push(body.intent_ref);
            }
            found.add_all(records_of(index, entry))
        })?;
        self.session_meaning(&intents, session)?;
        intents
            .into_iter()
            .try_for_each(|intent| self.intent(intent))
    }

    fn named_entry(&mut self, id: EntryId) -> Result<(), ServiceError> {
        let none = || ServiceError::not_found(format!("entry `{id}`"));
        let (index, entry) = self.service.entry_known(id)?.ok_or_else(none)?;
        self.whole_entry(index, &entry)
    }

    /// What an entry commits to; of a decision, all that came of it, too.
    pub(super) fn whole_entry(
        &mut self,
        index: LeafIndex,
        entry: &Entry,
    ) -> Result<(), ServiceError> {
        match &entry.body {
            Body::Decision(decision) => self.decision(index, entry, decision),
            _ => self.add_all(records_of(index, entry)),
        }
    }

    /// A decision with the results of its call, and what its reviewers were shown.
    pub(super) fn decision(
        &mut self,
        index: LeafIndex,
        entry: &Entry,
        decision: &Decision,
    ) -> Result<(), ServiceError> {
        let id = entry.entry_id;
        if !self.decisions.insert(id) {
            return Ok(());
        }
        self.add_all(records_of(index, entry))?;
        let Some(intent_ref) = decision.intent_ref else {
            return self.unmandated_result(id);
        };
        // Of one call may be judged more than once: in shadow, and again after an answer.
        let call = decision.call_ref;
        for kind in ["execution", "review", "decision"] {
            let filter = Filter {
                intent: Some(intent_ref),
                kind: Some(kind.to_owned()),
                ..Filter::default()
            };
            self.each(&filter, |found, index, entry| {
                let links = match &entry.body {
                    Body::Execution(body) => body.links.decision,
                    Body::Review(body) => body.links.resolves,
                    Body::Decision(body) if call.is_some() && body.call_ref == call => {
                        return found.decision(index, entry, body);
                    }
                    _ => None,
                };
                match links == Some(id) {
                    true => found.add_all(records_of(index, entry)),
                    false => Ok(()),
                }
            })?;
        }
        Ok(())
    }

    /// The result of a call that no turn led to is found by the row of its execution.
    fn unmandated_result(&mut self, decision: EntryId) -> Result<(), ServiceError> {
        let ledger = &self.service.ledger;
        let Some(found) = ledger.state(&key::execution(decision))? else {
            return Ok(());
        };
        let row = found
            .value
            .as_deref()
            .map(serde_json::from_slice::<ExecutionRow>);
        if row.transpose()?.is_none() {
            return Ok(());
        }
        let Some(stored) = ledger.leaf(found.version)? else {
            return Ok(());
        };
        match AnyEntry::from_leaf(&stored.bytes)? {
            AnyEntry::Known(entry) => self.add_all(records_of(found.version, &entry)),
            AnyEntry::Unknown(_) => Ok(()),
        }
    }

    /// What reviewers were shown of the records: a statement that repeats their content, also where one
    /// of them was only compared with.
    fn shown(&mut self) -> Result<(), ServiceError> {
        if !self
            .records
            .values()
            .any(|record| record.kind == Call::KIND)
        {
            return Ok(());
        }
        let filter = Filter {
            kind: Some(VaultAccess::KIND.to_owned()),
            ..Filter::default()
        };
        self.each(&filter, |found, _, entry| {
            let Body::VaultAccess(access) = &entry.body else {
                return Ok(());
            };
            let reference = Sha256::from(access.purpose_ref);
            let is_of_them = access.refs.iter().any(|it| found.records.contains_key(it));
            if !is_of_them || found.records.contains_key(&reference) {
                return Ok(());
            }
            // A purpose in words says nothing of what was in the record.
            let statement = found.service.open_internally::<Statement>(reference);
            match statement.is_ok_and(|statement| statement.text.starts_with('{')) {
                true => found.add(Condemned::new(
                    reference,
                    Statement::KIND,
                    Some(entry.entry_id),
                )),
                false => Ok(()),
            }
        })
    }

    fn finish(self) -> Result<Selected, ServiceError> {
        let ledger = &self.service.ledger;
        let mut already = 0u64;
        let mut records = Vec::with_capacity(self.records.len());
        for (reference, record) in self.records {
            if ledger.state(&key::erased(&reference))?.is_some() {
                already = already.saturating_add(1);
                continue;
            }
            // A row may have outlived its record, when a store was repaired by hand.
            if record.rows.is_empty() && ledger.sealed(&reference)?.is_none() {
                continue;
            }
            let rank = match record.kind {
                PseudonymMeaning::KIND => 2,
                _ if ledger.state(&key::subject_of(&reference))?.is_some() => 1,
                _ => 0,
            };
            records.push((rank, record));
        }
        records.sort_by_key(|(rank, record)| (*rank, record.reference));
        Ok(Selected {
            records: records.into_iter().map(|(_, record)| record).collect(),
            links: self.links.into_iter().collect(),
            already,
        })
    }
}

fn limited<'t>(member: &str, text: &'t str) -> Result<&'t str, ServiceError> {
    let text = text.trim();
    if text.is_empty() || text.len() > SUBJECT_BYTES {
        let detail = format!("`{member}` is 1 to {SUBJECT_BYTES} bytes");
        return Err(ServiceError::malformed(detail));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selection_names_one_thing() {
        let of = |text: &str| Named::of(&serde_json::from_str(text).unwrap()).is_ok();
        for one in [
            r#"{"refs": ["r"]}"#,
            r#"{"intent": "i"}"#,
            r#"{"session": "s"}"#,
            r#"{"subject": "p"}"#,
            r#"{"entry": "e"}"#,
        ] {
            assert!(of(one), "{one}");
        }
        for other in [
            "{}",
            r#"{"refs": ["r"], "intent": "i"}"#,
            r#"{"session": "s", "subject": "p"}"#,
            r#"{"refs": [], "entry": "e"}"#,
        ] {
            assert!(!of(other), "{other}");
        }
    }
}
