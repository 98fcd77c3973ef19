//! Everything that is held about one person.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::document::{Changeset, Document as _, EntityUid, Facts};
use countersign_core::entry::{AnyEntry, Body, Decision};
use countersign_core::ids::EntryId;
use countersign_core::pseudonym::{Pseudonym, PseudonymKind};
use countersign_core::refs::{FactsRef, IntentRef, PolicyRef, Sha256};
use countersign_judge::{people, whole_form};
use countersign_ledger::Filter;
use serde_json::Value;

use super::condemned::{Condemned, Gone};
use super::select::Gathering;
use super::subjects::Spoken;
use crate::error::ServiceError;
use crate::state::{self, DirectoryRow, IntentRow, StoredBundleRow, key};

/// Bytes of a piece of a long text.
const PIECE: usize = 1_024;
/// Bytes that two pieces have in common, at least where there are no words.
const OVERLAP: usize = 512;

/// How a person may be named.
struct Person {
    /// As tags know it.
    forms: BTreeSet<String>,
    /// As pseudonyms of principals and values may know it.
    names: BTreeSet<String>,
}

impl Person {
    fn of(text: &str) -> Self {
        let bare = text.strip_prefix("user:").unwrap_or(text);
        let mut forms = people(bare).forms;
        // Who is asked for by an address with a tag is known by that one.
        if bare.contains('+') && bare.contains('@') {
            forms.retain(|form| form.contains('+'));
        }
        let mut names = BTreeSet::from([text.to_owned(), bare.to_owned()]);
        names.insert(bare.to_lowercase());
        for form in &forms {
            names.extend(form.split_once(':').map(|(_, id)| id.to_owned()));
        }
        forms.insert(whole_form(bare));
        Self { forms, names }
    }

    fn principals(&self) -> BTreeSet<String> {
        let prefixed = self.names.iter().map(|name| format!("user:{name}"));
        self.names.iter().cloned().chain(prefixed).collect()
    }
}

impl Gathering<'_> {
    /// What a person asked for, what was done to them, and what mentions them.
    pub(super) fn subject(&mut self, text: &str) -> Result<(), ServiceError> {
        let person = Person::of(text);
        let mut principals = BTreeSet::new();
        for name in person.principals() {
            principals.extend(self.meanings_of(PseudonymKind::Principal, &name)?);
        }
        for name in &person.names {
            // A counter tells values apart by their canonical JSON.
            let value = Value::from(name.as_str()).to_string();
            self.meanings_of(PseudonymKind::Value, &value)?;
        }
        self.entities(&person)?;
        if !self.late {
            self.mentions(&person, &mut principals)?;
        }
        self.turns_of(&principals)?;
        self.rows_of_changes()
    }

    /// The person as a target of calls, and as an entity of the directory, of whatever type.
    fn entities(&mut self, person: &Person) -> Result<(), ServiceError> {
        let mut uids = BTreeSet::new();
        for policy_ref in self.bundles()? {
            let bundle = self.service.compiled(&policy_ref)?;
            for kind in bundle.entity_types() {
                let ids = person.names.iter();
                let read = ids.clone().filter_map(|id| bundle.directory_id(kind, id));
                for id in read.chain(ids.cloned()) {
                    uids.insert(EntityUid {
                        kind: kind.to_owned(),
                        id,
                    });
                }
            }
        }
        for uid in uids {
            let value = format!("{}::{}", uid.kind, uid.id);
            for target in self.meanings_of(PseudonymKind::Target, &value)? {
                self.target(target)?;
            }
            if self.late {
                continue;
            }
            let state_key = key::directory_entity(&self.service.blind_entity(&uid).to_string());
            let row = state::read::<DirectoryRow>(&self.service.ledger, &state_key)?;
            if let Some(row) = row {
                let record = Condemned::new(row.sealed, Changeset::KIND, None);
                self.add(record.with(Gone::Entity(state_key)))?;
            }
        }
        Ok(())
    }

    /// The bundles that calls were ever judged by.
    fn bundles(&self) -> Result<Vec<PolicyRef>, ServiceError> {
        let mut found = Vec::new();
        let stored = "policy/stored/";
        self.service
            .each_row::<StoredBundleRow>(stored, |state_key, _| {
                let name = state_key.as_str().strip_prefix(stored);
                found.extend(name.and_then(|name| name.parse::<PolicyRef>().ok()));
            })?;
        Ok(found)
    }

    /// Every call that acts on the person.
    pub(super) fn target(&mut self, target: Pseudonym) -> Result<(), ServiceError> {
        let filter = Filter {
            target: Some(target),
            ..Filter::default()
        };
        self.each(&filter, |found, index, entry| match &entry.body {
            Body::Decision(decision) => found.decision(index, entry, decision),
            _ => Ok(()),
        })
    }

    /// Records that speak of the person.
    fn mentions(
        &mut self,
        person: &Person,
        principals: &mut BTreeSet<Pseudonym>,
    ) -> Result<(), ServiceError> {
        let mut found: BTreeMap<Sha256, EntryId> = BTreeMap::new();
        for form in &person.forms {
            let prefix = key::subject_tags(&self.service.tag(form));
            self.service
                .each_row::<EntryId>(&prefix, |state_key, entry| {
                    let reference = state_key.as_str().strip_prefix(&prefix);
                    if let Some(Ok(reference)) = reference.map(str::parse) {
                        found.insert(reference, entry);
                    }
                })?;
        }
        let mut many: Vec<(Sha256, EntryId)> = Vec::new();
        self.service
            .each_row::<EntryId>(key::SUBJECT_MANY, |state_key, entry| {
                let reference = state_key.as_str().strip_prefix(key::SUBJECT_MANY);
                if let Some(Ok(reference)) = reference.map(str::parse) {
                    many.push((reference, entry));
                }
            })?;
        for (reference, entry) in many {
            if !found.contains_key(&reference) && self.speaks_of(&reference, person)? {
                found.insert(reference, entry);
            }
        }
        for (reference, entry) in found {
            self.mentioned_in(reference, entry, person, principals)?;
        }
        Ok(())
    }

    /// Whether a record that is listed under too few speaks of the person.
    fn speaks_of(&self, reference: &Sha256, person: &Person) -> Result<bool, ServiceError> {
        let Some(record) = self.service.ledger.sealed(reference)? else {
            return Ok(false);
        };
        let bytes = self.service.vault.open_bytes(&record);
        let bytes = bytes.map_err(ServiceError::internal)?;
        let document: Value = serde_json::from_slice(&bytes)?;
        Ok(speaks(&document, person))
    }

    fn mentioned_in(
        &mut self,
        reference: Sha256,
        entry: EntryId,
        person: &Person,
        principals: &mut BTreeSet<Pseudonym>,
    ) -> Result<(), ServiceError> {
        let Some((index, AnyEntry::Known(entry))) = self.service.known_entry(entry)? else {
            return Ok(());
        };
        match &entry.body {
            Body::Intent(turn) => {
                // Named in another spelling than pseudonyms are looked up by.
                let intent_ref = IntentRef::from(reference);
                if let Ok(open) = self.service.open_intent(intent_ref) {
                    let session = open.document.session.as_str();
                    if speaks(&Value::from(session), person) {
                        self.meanings_of(PseudonymKind::Session, session)?;
                    }
                    let principal = open.document.principal.as_str();
                    if speaks(&Value::from(principal), person) {
                        self.meanings_of(PseudonymKind::Principal, principal)?;
                        principals.insert(turn.principal);
                    }
                }
                self.whole_entry(index, &entry)
            }
            // One of the changes; the others are other people's.
            Body::Directory(_) => {
                let id = Some(entry.entry_id);
                self.add(Condemned::new(reference, Changeset::KIND, id))
            }
            Body::Decision(decision) => {
                self.spellings(decision, person)?;
                self.decision(index, &entry, decision)
            }
            _ => self.whole_entry(index, &entry),
        }
    }

    /// What pseudonyms of targets and values stand for, where they spell the person in a way of their
    /// own.
    fn spellings(&mut self, decision: &Decision, person: &Person) -> Result<(), ServiceError> {
        let open = |reference: FactsRef| self.service.open_internally::<Facts>(*reference.digest());
        let Some(Ok(facts)) = decision.facts_ref.map(open) else {
            return Ok(());
        };
        for target in &facts.targets {
            if speaks(&Value::from(target.entity.id.as_str()), person) {
                let value = format!("{}::{}", target.entity.kind, target.entity.id);
                self.meanings_of(PseudonymKind::Target, &value)?;
            }
        }
        let mut values = Vec::new();
        facts.context.get("args").into_iter().for_each(|args| {
            texts(args, &mut values);
        });
        for value in values {
            if speaks(&Value::from(value), person) {
                let value = Value::from(value).to_string();
                self.meanings_of(PseudonymKind::Value, &value)?;
            }
        }
        Ok(())
    }

    /// All turns of these principals, with all that rests on them, and the sessions that are theirs
    /// alone.
    pub(super) fn turns_of(
        &mut self,
        principals: &BTreeSet<Pseudonym>,
    ) -> Result<(), ServiceError> {
        if principals.is_empty() {
            return Ok(());
        }
        let mut theirs: BTreeMap<Pseudonym, Vec<IntentRef>> = BTreeMap::new();
        let mut shared = BTreeSet::new();
        self.service
            .each_row::<IntentRow>("intent/", |state_key, row| {
                let intent = state_key.as_str().strip_prefix("intent/");
                let Some(Ok(intent_ref)) = intent.map(str::parse) else {
                    return;
                };
                match principals.contains(&row.principal) {
                    true => theirs.entry(row.session).or_default().push(intent_ref),
                    false => {
                        shared.insert(row.session);
                    }
                }
            })?;
        for (session, turns) in theirs {
            if !shared.contains(&session) {
                self.session_meaning(&turns, session)?;
            }
            turns.into_iter().try_for_each(|turn| self.intent(turn))?;
        }
        Ok(())
    }
}

/// Every text of a value.
fn texts<'v>(value: &'v Value, found: &mut Vec<&'v str>) {
    match value {
        Value::String(text) => found.push(text),
        Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
        Value::Object(members) => members.values().for_each(|value| texts(value, found)),
        Value::Number(_) | Value::Null | Value::Bool(_) => {}
    }
}

/// Whether any text of a document speaks of the person.
fn speaks(document: &Value, person: &Person) -> bool {
    match document {
        Value::String(text) => {
            person.forms.contains(&whole_form(text)) || text_speaks(text, person)
        }
        Value::Array(items) => items.iter().any(|item| speaks(item, person)),
        Value::Object(members) => members.iter().any(|(name, value)| {
            speaks(&Value::from(name.as_str()), person) || speaks(value, person)
        }),
        Value::Number(number) => speaks(&Value::from(number.to_string()), person),
        Value::Null | Value::Bool(_) => false,
    }
}

/// Looks through a text, a piece at a time where it is long or says too much.
fn text_speaks(text: &str, person: &Person) -> bool {
    let mut spoken = Spoken::default();
    spoken.text(text);
    if spoken.speaks_of(&person.forms) {
        return true;
    }
    spoken.is_cut() && pieces(text).any(|piece| !people(piece).forms.is_disjoint(&person.forms))
}

/// The pieces of a long text, each of whole words where there are any, and with what was at the end
/// of the one before: no piece has room for more people than are looked for.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut start = Some(0_usize);
    std::iter::from_fn(move || {
        let from = start?;
        let end = text.ceil_char_boundary(from.saturating_add(PIECE));
        let rest = text.get(end..).unwrap_or_default();
        let word = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let end = text.ceil_char_boundary(end.saturating_add(word.min(OVERLAP)));
        let piece = text.get(from..end)?;
        let next = text.floor_char_boundary(end.saturating_sub(OVERLAP));
        let before = text.get(from..next).unwrap_or_default();
        let space = before.rfind(char::is_whitespace);
        let next = space.map_or(next, |at| from.saturating_add(at));
        start = (end < text.len()).then_some(next.max(from.saturating_add(OVERLAP)));
        start = start.map(|at| text.ceil_char_boundary(at));
        Some(piece)
    })
}
