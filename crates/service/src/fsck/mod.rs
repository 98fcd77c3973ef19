//! Holding the rows of state against what the entries say.
//!
//! Rows are not authenticated: whoever writes the database can lift a stop or grant a role in one.
//! Most of what they hold stands in entries, too. What does not is listed at [`NOT_HELD`].

mod compare;
mod expect;

use std::collections::{HashMap, HashSet};

use countersign_core::entry::{AnyEntry, Body, Mode};
use countersign_core::ids::EntryId;
use countersign_core::pseudonym::{Pseudonym, PseudonymKind};
use countersign_core::refs::Sha256;
use countersign_ledger::fsck::{Findings, Flaw, Inspect, Part};
use countersign_ledger::store::StoreReadError;
use countersign_merkle::LeafIndex;

use crate::history::HistoryFold;
use compare::Rows;
use expect::Folded;

/// What rows of state say that no entry does, so that an edit of it does not show.
pub const NOT_HELD: &[&str] = &[
    "the hash of a credential's token, and its name",
    "the id of a permit, and within an hour how long it is good for",
    "which key a request was answered under",
    "how many records a credential opened within the hour",
    "what a pseudonym stands for",
    "the directory: which entity a row is about, whether it is the newest, and whether one is missing",
    "what is in a sealed record",
    "of whom a record speaks, and whether a row that says so is missing",
    "which pseudonyms and entities of the directory went with an erasure: no more than it names of records that no entry does",
];

/// Most sealed records that are missing and may have been erased later.
const MISSING: usize = 100_000;

/// Follows the entries, and then says which rows of state they do not bear out.
///
/// It keeps a few hundred bytes for each turn and for each row of history, and a few dozen for each
/// decision.
pub struct StateCheck<'a> {
    store: &'a dyn Inspect,
    folded: Folded,
    history: HistoryFold,
    named: HashMap<Pseudonym, PseudonymKind>,
    approved: HashSet<EntryId>,
    results: HashMap<u64, Pseudonym>,
    missing: Vec<(LeafIndex, Sha256)>,
    /// Rows of results that are not as they should be, unless these were erased.
    wrong_results: Vec<(LeafIndex, Sha256, Flaw)>,
    erased: HashSet<Sha256>,
    size: u64,
}

impl<'a> StateCheck<'a> {
    /// A check of this database.
    pub fn new(store: &'a dyn Inspect) -> Self {
        Self {
            store,
            folded: Folded::default(),
            history: HistoryFold::default(),
            named: HashMap::new(),
            approved: HashSet::new(),
            results: HashMap::new(),
            missing: Vec::new(),
            wrong_results: Vec::new(),
            erased: HashSet::new(),
            size: 0,
        }
    }

    /// Follows the next entry.
    pub fn observe(
        &mut self,
        index: LeafIndex,
        entry: &AnyEntry,
        findings: &mut Findings,
    ) -> Result<(), StoreReadError> {
        self.size = index.get().saturating_add(1);
        let AnyEntry::Known(entry) = entry else {
            return Ok(());
        };
        let store = self.store;
        self.history.fold(index, entry, &|at| entry_at(store, at));
        self.folded.fold(index, entry, &self.history);
        self.note_pseudonyms(&entry.body);
        self.note_sealed(index, &entry.body)?;
        match &entry.body {
            Body::Decision(decision) if decision.mode == Mode::Enforced => {
                if let Some(flaw) = compare::permit(self.store, entry, decision)? {
                    findings.add(flaw.at(index));
                }
                if decision.outcome == countersign_core::verdict::Outcome::Approved {
                    self.approved.insert(entry.entry_id);
                }
            }
            Body::Execution(execution) => {
                if let (Some(session), Some(result)) = (execution.session, execution.result_ref) {
                    self.results.insert(index.get(), session);
                    if let Some(flaw) = compare::result(self.store, index, session, result)? {
                        self.wrong_results.push((index, result.into(), flaw));
                    }
                }
            }
            Body::Erasure(erasure) => self.erased.extend(&erasure.refs),
            _ => {}
        }
        Ok(())
    }

    /// Says what rows and entries disagree about, when all entries were seen.
    pub fn finish(self, findings: &mut Findings) -> Result<(), StoreReadError> {
        for (index, reference, flaw) in self.wrong_results {
            if !self.erased.contains(&reference) {
                findings.add(flaw.at(index));
            }
        }
        for reference in &self.erased {
            if self.store.has_sealed(reference)? {
                let found = format!("the sealed record `{reference}`");
                let expected = "nothing: it was erased";
                findings.add(Flaw::new(Part::Sealed, found, expected));
            }
        }
        let missing = self.missing.iter().map(|(_, reference)| reference);
        let named: HashSet<&Sha256> = missing.filter(|it| self.erased.contains(it)).collect();
        let erased_beside = self.erased.len().saturating_sub(named.len());
        for (index, reference) in &self.missing {
            if !self.erased.contains(reference) {
                let found = format!("no sealed record `{reference}`");
                let expected = "the record that the entry names, which was not erased";
                findings.add(Flaw::new(Part::Sealed, found, expected).at(*index));
            }
        }
        let rows = Rows {
            store: self.store,
            expected: self.folded.rows(self.history),
            named: self.named,
            approved: self.approved,
            results: self.results,
            erased: self.erased,
            erased_beside,
            size: self.size,
        };
        rows.compare(findings)
    }

    fn note_pseudonyms(&mut self, body: &Body) {
        use PseudonymKind::{Principal, Session, Target, Value};
        let mut note = |kind, pseudonym: Option<Pseudonym>| {
            if let Some(pseudonym) = pseudonym {
                self.named.insert(pseudonym, kind);
            }
        };
        match body {
            Body::Intent(body) => {
                note(Principal, Some(body.principal));
                note(Session, Some(body.session));
            }
            Body::Credential(body) => {
                note(Session, body.session);
                note(Principal, body.principal);
            }
            Body::SessionOpen(body) => note(Session, Some(body.session)),
            Body::Decision(body) => {
                for target in &body.targets {
                    note(Target, Some(*target));
                }
                // What is told apart is a target, or a value of an argument.
                let values = body.counts.iter().filter_map(|count| count.value);
                for value in values.filter(|value| !body.targets.contains(value)) {
                    note(Value, Some(value));
                }
            }
            _ => {}
        }
    }

    fn note_sealed(&mut self, index: LeafIndex, body: &Body) -> Result<(), StoreReadError> {
        let refs: Vec<Sha256> = match body {
            Body::Intent(body) => vec![body.intent_ref.into()],
            Body::Decision(body) => {
                let refs = [
                    body.call_ref.map(Sha256::from),
                    body.facts_ref.map(Sha256::from),
                    body.reasoning_ref.map(Sha256::from),
                ];
                refs.into_iter().flatten().collect()
            }
            Body::Execution(body) => body.result_ref.map(Sha256::from).into_iter().collect(),
            Body::Directory(body) => vec![body.changeset_ref.into()],
            Body::VaultAccess(body) => vec![body.purpose_ref.into()],
            Body::Review(body) => vec![body.shown_ref.into()],
            _ => Vec::new(),
        };
        for reference in refs {
            if self.missing.len() < MISSING && !self.store.has_sealed(&reference)? {
                self.missing.push((index, reference));
            }
        }
        Ok(())
    }
}

fn entry_at(store: &dyn Inspect, at: LeafIndex) -> Option<AnyEntry> {
    let range = at.get()..at.get().saturating_add(1);
    let leaf = store.leaves(range).ok()?.pop()?;
    AnyEntry::from_leaf(&leaf.bytes).ok()
}
