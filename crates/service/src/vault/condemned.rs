//! Sealed records that an entry names, with the rows of state that go with each when it is erased.

use countersign_core::document::{
    Call, Changeset, Document, Facts, Intent, PseudonymMeaning, Reasoning, Statement, ToolResult,
};
use countersign_core::entry::{Body, Entry};
use countersign_core::ids::EntryId;
use countersign_core::pseudonym::Pseudonym;
use countersign_core::refs::{IntentRef, Sha256};
use countersign_ledger::StateKey;
use countersign_merkle::LeafIndex;

/// A record that is to be erased.
#[derive(Debug, Clone)]
pub(crate) struct Condemned {
    pub(crate) reference: Sha256,
    /// The kind of document.
    pub(crate) kind: &'static str,
    /// The entry that names it, where it is known.
    pub(crate) entry: Option<EntryId>,
    /// What goes with it.
    pub(crate) rows: Vec<Gone>,
}

/// What goes with a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Gone {
    /// The row of a pseudonym, in force or retired; it tells by its key whom it concerns.
    Pseudonym(StateKey),
    /// A row of the directory, which tells the same.
    Entity(StateKey),
    /// A result, as later calls of its session see it.
    Result(Pseudonym, LeafIndex),
    /// A turn that may be in force.
    Turn(IntentRef),
    /// What was asked under an idempotency key; that it was asked stays.
    Answer(StateKey),
}

impl Condemned {
    pub(crate) fn new(reference: Sha256, kind: &'static str, entry: Option<EntryId>) -> Self {
        Self {
            reference,
            kind,
            entry,
            rows: Vec::new(),
        }
    }

    pub(crate) fn with(mut self, row: Gone) -> Self {
        if !self.rows.contains(&row) {
            self.rows.push(row);
        }
        self
    }
}

/// All sealed records that an entry names, each with its rows but for idempotency keys.
pub(crate) fn records_of(index: LeafIndex, entry: &Entry) -> Vec<Condemned> {
    let of = |reference: Sha256, kind| Condemned::new(reference, kind, Some(entry.entry_id));
    match &entry.body {
        Body::Intent(body) => {
            let turn = Gone::Turn(body.intent_ref);
            vec![of(body.intent_ref.into(), Intent::KIND).with(turn)]
        }
        Body::Decision(body) => {
            let calls = body.call_ref.into_iter().chain(body.effective_call_ref);
            let calls = calls.map(|it| of(it.into(), Call::KIND));
            let facts = body.facts_ref.map(|it| of(it.into(), Facts::KIND));
            let reasoning = body.reasoning_ref.map(|it| of(it.into(), Reasoning::KIND));
            calls.chain(facts).chain(reasoning).collect()
        }
        Body::Execution(body) => {
            let record = body.result_ref.map(|it| of(it.into(), ToolResult::KIND));
            let record = record.map(|record| match body.session {
                Some(session) => record.with(Gone::Result(session, index)),
                None => record,
            });
            record.into_iter().collect()
        }
        Body::Directory(body) => vec![of(body.changeset_ref.into(), Changeset::KIND)],
        Body::Review(body) => vec![of(body.shown_ref.into(), Statement::KIND)],
        Body::VaultAccess(body) => vec![of(body.purpose_ref.into(), Statement::KIND)],
        Body::Erasure(body) => vec![of(body.authority_ref.into(), Statement::KIND)],
        Body::Hold(body) => vec![of(body.authority_ref.into(), Statement::KIND)],
        _ => Vec::new(),
    }
}

/// The kind of a record that no entry was found for.
pub(crate) fn kind_named(kind: &str) -> &'static str {
    const KINDS: [&str; 8] = [
        Intent::KIND,
        Call::KIND,
        Facts::KIND,
        Reasoning::KIND,
        ToolResult::KIND,
        Changeset::KIND,
        Statement::KIND,
        PseudonymMeaning::KIND,
    ];
    KINDS
        .into_iter()
        .find(|known| *known == kind)
        .unwrap_or("other")
}
