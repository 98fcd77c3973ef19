//! The rows that are there, held against those that should be.

use std::collections::{BTreeMap, HashMap, HashSet};

use countersign_core::entry::{AnyEntry, Body, Decision, Entry};
use countersign_core::history;
use countersign_core::ids::EntryId;
use countersign_core::pseudonym::{Pseudonym, PseudonymKind};
use countersign_core::refs::{ResultRef, Sha256};
use countersign_core::verdict::Outcome;
use countersign_judge::limits::PERMIT_TTL_S;
use countersign_ledger::fsck::{Findings, Flaw, Inspect, Part};
use countersign_ledger::limits::UNIT_ENTRIES;
use countersign_ledger::store::StoreReadError;
use countersign_ledger::{StateKey, Versioned};
use countersign_merkle::LeafIndex;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::expect::Expected;
use crate::state::{
    DirectoryFormRow, DirectoryRow, HistoryRow, IdempotencyRow, OpenedRow, PermitRow, PseudonymRow,
    ResultRow, RetiredRow, SubjectRow, WatchRow, key,
};

/// Rows that are read at once.
const PAGE: usize = 1_000;
/// Members of a credential's row that no entry has.
const FREE: [&str; 2] = ["token_hash", "name"];

/// All rows, and what is known of them.
pub(super) struct Rows<'a> {
    pub(super) store: &'a dyn Inspect,
    pub(super) expected: BTreeMap<String, Expected>,
    pub(super) named: HashMap<Pseudonym, PseudonymKind>,
    pub(super) approved: HashSet<EntryId>,
    pub(super) results: HashMap<u64, Pseudonym>,
    pub(super) erased: HashSet<Sha256>,
    /// How many records were erased that no entry names: meanings of pseudonyms, and entities.
    pub(super) erased_beside: usize,
    pub(super) size: u64,
}

/// What is wrong with the permit's row of a decision.
pub(super) fn permit(
    store: &dyn Inspect,
    entry: &Entry,
    decision: &Decision,
) -> Result<Option<Flaw>, StoreReadError> {
    if decision.outcome != Outcome::Approved {
        return Ok(None);
    }
    let state_key = key::permit(entry.entry_id);
    let Some(row) = row::<PermitRow>(store.state(&state_key)?.as_ref()) else {
        return Ok(Some(missing(
            state_key.as_str(),
            "the permit of an approval",
        )));
    };
    if row.issued_at != entry.timestamp {
        let found = format!("`{state_key}` was issued at {}", row.issued_at);
        let expected = format!("{}, the time of its decision", entry.timestamp);
        return Ok(Some(Flaw::new(Part::State, found, expected)));
    }
    if row.ttl_s > PERMIT_TTL_S {
        let found = format!("`{state_key}` is good for {} s", row.ttl_s);
        let expected = format!("no more than {PERMIT_TTL_S} s");
        return Ok(Some(Flaw::new(Part::State, found, expected)));
    }
    Ok(None)
}

/// What is wrong with the row of a result.
pub(super) fn result(
    store: &dyn Inspect,
    index: LeafIndex,
    session: Pseudonym,
    result_ref: ResultRef,
) -> Result<Option<Flaw>, StoreReadError> {
    let state_key = key::result(&session, index.get());
    let Some(row) = row::<ResultRow>(store.state(&state_key)?.as_ref()) else {
        return Ok(Some(missing(
            state_key.as_str(),
            "the result that was reported",
        )));
    };
    if row.result_ref == result_ref {
        return Ok(None);
    }
    let found = format!("`{state_key}` names {}", row.result_ref);
    Ok(Some(Flaw::new(Part::State, found, result_ref)))
}

impl Rows<'_> {
    pub(super) fn compare(mut self, findings: &mut Findings) -> Result<(), StoreReadError> {
        let mut after: Option<StateKey> = None;
        loop {
            let page = self.store.states(after.as_ref(), PAGE)?;
            for (key, found) in &page {
                self.row(key.as_str(), found, findings)?;
            }
            match page.into_iter().next_back() {
                Some((last, _)) => after = Some(last),
                None => break,
            }
        }
        let kept = row::<HistoryRow>(self.store.state(&key::history())?.as_ref());
        let are_all_written = kept.is_some_and(|row| row.carried.is_none());
        let left = std::mem::take(&mut self.expected).into_iter();
        for (key, expected) in left.filter(|(_, expected)| expected.row.is_some()) {
            if is_history(&key) && !are_all_written {
                continue; // After an upgrade they are written some at a time.
            }
            let flaw = missing(&key, &format!("a row, as entry {} says", expected.at));
            findings.add(flaw.at(expected.at));
        }
        // Which pseudonym was erased, nothing says any more.
        if self.named.len() <= self.erased_beside {
            return Ok(());
        }
        for (pseudonym, kind) in &self.named {
            let found = format!("no row of the {} `{pseudonym}`", kind.name());
            findings.add(Flaw::new(Part::State, found, "one, since entries name it"));
        }
        Ok(())
    }

    fn row(
        &mut self,
        key: &str,
        found: &Versioned,
        findings: &mut Findings,
    ) -> Result<(), StoreReadError> {
        if let Some(expected) = self.expected.remove(key) {
            if let Some(flaw) = differs(key, found, &expected) {
                findings.add(flaw.at(expected.at));
            }
            return Ok(());
        }
        // A key that was deleted stays with its version.
        let Some(bytes) = &found.value else {
            return Ok(());
        };
        if found.version.get() >= self.size {
            let text = format!("`{key}` has the version {}", found.version);
            findings.add(Flaw::new(Part::State, text, "the index of an entry"));
        }
        let why = match key.split('/').next() {
            Some("permit") => self.permit_is_stray(key),
            Some("result") => self.result_is_stray(key),
            Some("idempotency") => self.idempotency(key, bytes)?,
            Some("pseudonym") => self.pseudonym(key, bytes),
            Some("directory") => self.directory(key, bytes)?,
            Some("watch") => match parsed::<WatchRow>(bytes) {
                Some(row) if row.read <= self.size => None,
                _ => Some("no more than the log holds".to_owned()),
            },
            Some("retired") => match parsed::<RetiredRow>(bytes) {
                Some(row) => {
                    for row in &row.rows {
                        self.named.remove(&row.pseudonym);
                    }
                    None
                }
                None => Some("pseudonyms that are being erased".to_owned()),
            },
            Some("subject") => self.subject(key, bytes)?,
            Some("directory-erased") => match parsed::<EntryId>(bytes) {
                Some(_) => None,
                None => Some("the entry of an erasure".to_owned()),
            },
            Some("opened") => match parsed::<OpenedRow>(bytes) {
                Some(_) => None,
                None => Some("how many records a credential opened of late".to_owned()),
            },
            Some("policy" | "part" | "intent" | "session" | "credential" | "stop") => {
                Some("nothing: no entry says so".to_owned())
            }
            Some("history") => match parsed::<HistoryRow>(bytes) {
                Some(_) => None,
                None => Some("how far rows of history are written".to_owned()),
            },
            Some(_) if is_history(key) => Some("nothing: no entry says so".to_owned()),
            Some(
                "review-nonce" | "escalation" | "open-escalation" | "execution" | "session-count"
                | "newest-result" | "result-erased" | "erased" | "erasure-pending" | "given"
                | "hold" | "hold-placed" | "opening",
            ) => Some("nothing: no entry says so".to_owned()),
            _ => Some("a key that this version writes".to_owned()),
        };
        if let Some(expected) = why {
            let text = format!("`{key}`: {}", shortened(&String::from_utf8_lossy(bytes)));
            findings.add(Flaw::new(Part::State, text, expected));
        }
        Ok(())
    }

    fn permit_is_stray(&self, key: &str) -> Option<String> {
        let decision = key.split('/').nth(1)?.parse::<EntryId>().ok();
        let is_known = decision.is_some_and(|id| self.approved.contains(&id));
        (!is_known).then(|| "nothing: no such call was approved".to_owned())
    }

    fn result_is_stray(&self, key: &str) -> Option<String> {
        let index = key.rsplit('/').next().and_then(|n| n.parse::<u64>().ok());
        let index = index.map(|n| u64::MAX.saturating_sub(n));
        let session = index.and_then(|index| Some((index, self.results.get(&index)?)));
        let is_known =
            session.is_some_and(|(index, session)| key::result(session, index).as_str() == key);
        (!is_known).then(|| "nothing: no entry says so".to_owned())
    }

    /// The answer under an idempotency key is a decision of the same credential.
    fn idempotency(&self, key: &str, bytes: &[u8]) -> Result<Option<String>, StoreReadError> {
        let expected = "a decision that the credential asked for";
        let Some(row) = parsed::<IdempotencyRow>(bytes) else {
            return Ok(Some(expected.to_owned()));
        };
        let leaf = match self.store.index_of(row.entry)? {
            Some(at) => self
                .store
                .leaves(at.get()..at.get().saturating_add(1))?
                .pop(),
            None => None,
        };
        let entry = leaf.and_then(|leaf| AnyEntry::from_leaf(&leaf.bytes).ok());
        let asked_by = entry.as_ref().and_then(|entry| match entry.body() {
            Some(Body::Decision(decision)) if entry.entry_id() == row.entry => {
                Some(decision.credential.to_string())
            }
            _ => None,
        });
        let is_theirs = asked_by.as_deref() == key.split('/').nth(1) && asked_by.is_some();
        Ok((!is_theirs).then(|| expected.to_owned()))
    }

    fn pseudonym(&mut self, key: &str, bytes: &[u8]) -> Option<String> {
        let row = parsed::<PseudonymRow>(bytes)?;
        let kind = key.split('/').nth(1);
        let named = self.named.remove(&row.pseudonym);
        if named.map(PseudonymKind::name) == kind && named.is_some() {
            return None;
        }
        let expected = "a pseudonym that entries name as of this kind, with one row";
        Some(expected.to_owned())
    }

    /// What lists a record lists one that is there, and was not erased.
    fn subject(&self, key: &str, bytes: &[u8]) -> Result<Option<String>, StoreReadError> {
        let reference = key.rsplit('/').next().and_then(|it| it.parse().ok());
        let is_row = match key.starts_with("subject/of/") {
            true => parsed::<SubjectRow>(bytes).is_some(),
            false => parsed::<EntryId>(bytes).is_some(),
        };
        let is_there = match &reference {
            Some(reference) => {
                !self.erased.contains(reference) && self.store.has_sealed(reference)?
            }
            None => false,
        };
        Ok((!is_there || !is_row).then(|| "a sealed record that is there".to_owned()))
    }

    fn directory(&self, key: &str, bytes: &[u8]) -> Result<Option<String>, StoreReadError> {
        if key.starts_with(key::DIRECTORY_FORMS) {
            let is_row = parsed::<DirectoryFormRow>(bytes).is_some();
            return Ok((!is_row).then(|| "a form of ids".to_owned()));
        }
        let sealed: Option<Sha256> = parsed::<DirectoryRow>(bytes).map(|row| row.sealed);
        let is_there = match sealed {
            Some(sealed) => self.store.has_sealed(&sealed)?,
            None => false,
        };
        let is_entity = key.starts_with("directory/entity/");
        Ok((!is_there || !is_entity).then(|| "a sealed change of the directory".to_owned()))
    }
}

/// Whether a row is one of history, which may have been written later than what it is about.
fn is_history(key: &str) -> bool {
    let kind = key.split('/').next().unwrap_or_default();
    history::ROWS.contains(&kind)
}

fn missing(key: &str, expected: &str) -> Flaw {
    Flaw::new(Part::State, format!("no row `{key}`"), expected)
}

fn row<T: DeserializeOwned>(found: Option<&Versioned>) -> Option<T> {
    parsed(found?.value.as_ref()?)
}

fn parsed<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    serde_json::from_slice(bytes).ok()
}

/// How a row differs from what the entries say.
fn differs(key: &str, found: &Versioned, expected: &Expected) -> Option<Flaw> {
    let says = |what: &str| format!("{what}, as entry {} says", expected.at);
    let row: Option<Value> = found.value.as_ref().and_then(|bytes| parsed(bytes));
    let flaw = match (&row, &expected.row) {
        (None, None) if found.value.is_none() => None,
        (None, Some(_)) => Some(("deleted".to_owned(), says("a row"))),
        (_, None) => Some(("there".to_owned(), says("nothing"))),
        (Some(row), Some(expected)) => {
            difference(row, expected).map(|(found, should)| (found, says(&should)))
        }
    };
    let flaw = flaw.or_else(|| {
        // The first entry of the unit of work that made the change, or one of the few before it.
        let (version, at) = (found.version.get(), expected.at.get());
        let is_near = version <= at && at.saturating_sub(version) < UNIT_ENTRIES as u64;
        let is_free = is_history(key);
        (!is_near && !is_free)
            .then(|| (format!("version {version}"), says(&format!("version {at}"))))
    });
    let (found, should) = flaw?;
    Some(Flaw::new(Part::State, format!("`{key}`: {found}"), should))
}

/// The first member that differs, with both values.
fn difference(found: &Value, expected: &Value) -> Option<(String, String)> {
    let (Value::Object(found), Value::Object(expected)) = (found, expected) else {
        let differs = found != expected;
        return differs.then(|| (shown(found), shown(expected)));
    };
    for (name, expected) in expected {
        let value = found.get(name).unwrap_or(&Value::Null);
        if value != expected {
            return Some((
                format!("`{name}` is {}", shown(value)),
                format!("`{name}` is {}", shown(expected)),
            ));
        }
    }
    let mut unknown = found.keys().filter(|name| !expected.contains_key(*name));
    let stray = unknown.find(|name| !FREE.contains(&name.as_str()))?;
    Some((format!("a member `{stray}`"), "no such member".to_owned()))
}

fn shown(value: &Value) -> String {
    shortened(&value.to_string())
}

fn shortened(text: &str) -> String {
    const LONGEST: usize = 200;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}
