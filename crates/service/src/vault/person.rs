//! Everything that is held about one person.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::document::{Changeset, Document as _, EntityUid};
use countersign_core::entry::{AnyEntry, Body};
use countersign_core::ids::EntryId;
use countersign_core::pseudonym::{Pseudonym, PseudonymKind};
use countersign_core::refs::{IntentRef, PolicyRef, Sha256};
use countersign_judge::{people, whole_form};
use countersign_ledger::Filter;
use serde_json::Value;

use super::condemned::{Condemned, Gone};
use super::select::Gathering;
use super::subjects::Spoken;
use crate::error::ServiceError;
use crate::state::{self, DirectoryRow, IntentRow, StoredBundleRow, key};

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
        self.turns_of(&principals)
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
    fn target(&mut self, target: Pseudonym) -> Result<(), ServiceError> {
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
            _ => self.whole_entry(index, &entry),
        }
    }

    /// All turns of these principals, with all that rests on them, and the sessions that are theirs
    /// alone.
    fn turns_of(&mut self, principals: &BTreeSet<Pseudonym>) -> Result<(), ServiceError> {
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

/// Whether any text of a document speaks of the person, a piece at a time.
fn speaks(document: &Value, person: &Person) -> bool {
    match document {
        Value::String(text) => {
            let mut spoken = Spoken::default();
            spoken.text(text);
            spoken.speaks_of(&person.forms)
                || person.forms.contains(&whole_form(text))
                || spoken.is_cut() && contains(text, person)
        }
        Value::Array(items) => items.iter().any(|item| speaks(item, person)),
        Value::Object(members) => members.iter().any(|(name, value)| {
            speaks(&Value::from(name.as_str()), person) || speaks(value, person)
        }),
        Value::Number(number) => speaks(&Value::from(number.to_string()), person),
        Value::Null | Value::Bool(_) => false,
    }
}

/// For a text that is too long to be taken apart.
fn contains(text: &str, person: &Person) -> bool {
    let text = text.to_lowercase();
    person
        .names
        .iter()
        .any(|name| text.contains(&name.to_lowercase()))
}
