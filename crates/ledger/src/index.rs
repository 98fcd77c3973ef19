//! What an entry is found by, derived from the entry alone, so that the index can be rebuilt.

use crate::store::Filter;
use countersign_core::entry::{AnyEntry, Body, Decision, Mode};
use countersign_core::ids::EntryId;
use countersign_core::time::Timestamp;
use std::collections::BTreeSet;

/// What one entry is found by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexRow {
    /// Its id.
    pub entry_id: EntryId,
    /// When it was committed.
    pub time: Timestamp,
    /// The values of its members that filters ask for.
    pub terms: BTreeSet<Term>,
}

/// One value of one member that filters ask for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Term {
    /// The member.
    pub field: Field,
    /// The value, as it stands in the leaf.
    pub value: String,
}

/// A member that filters ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    /// The kind of entry.
    Kind,
    /// Every actor that it names.
    Actor,
    /// Every action that it names.
    Action,
    /// The outcome of a decision that was enforced.
    Outcome,
    /// Every intent that it rests on or claims.
    Intent,
    /// The session.
    Session,
    /// Every target.
    Target,
}

impl Field {
    /// A number that stands for the field in storage; never given to another field.
    pub const fn code(self) -> u8 {
        match self {
            Self::Kind => 1,
            Self::Actor => 2,
            Self::Action => 3,
            Self::Outcome => 4,
            Self::Intent => 5,
            Self::Session => 6,
            Self::Target => 7,
        }
    }
}

/// The row of an entry. One of an unknown kind is found by kind, time and id only.
pub fn row_of(entry: &AnyEntry) -> IndexRow {
    let mut terms = Terms::default();
    terms.add(Field::Kind, entry.kind());
    if let Some(body) = entry.body() {
        terms.add_body(body);
    }
    IndexRow {
        entry_id: entry.entry_id(),
        time: entry.timestamp(),
        terms: terms.0,
    }
}

/// The terms that an entry must have for the filter to find it; its times are not among them.
///
/// The rarer come first: a store that looks through one list of entries had best take that of the
/// first term.
pub fn terms_of(filter: &Filter) -> Vec<Term> {
    let mut terms = Vec::new();
    let mut add = |field, value: Option<String>| {
        terms.extend(value.map(|value| Term { field, value }));
    };
    add(Field::Target, text(filter.target.as_ref()));
    add(Field::Intent, text(filter.intent.as_ref()));
    add(Field::Session, text(filter.session.as_ref()));
    add(Field::Actor, text(filter.actor.as_ref()));
    add(Field::Action, text(filter.action.as_ref()));
    let outcome = filter.outcome.map(|outcome| outcome.name().to_owned());
    add(Field::Outcome, outcome);
    add(Field::Kind, filter.kind.clone());
    terms
}

fn text(value: Option<&impl ToString>) -> Option<String> {
    value.map(ToString::to_string)
}

#[derive(Default)]
struct Terms(BTreeSet<Term>);

impl Terms {
    fn add(&mut self, field: Field, value: impl ToString) {
        let value = value.to_string();
        self.0.insert(Term { field, value });
    }

    fn add_all<V: ToString>(&mut self, field: Field, values: impl IntoIterator<Item = V>) {
        for value in values {
            self.add(field, value);
        }
    }

    fn add_body(&mut self, body: &Body) {
        match body {
            Body::Decision(decision) => self.add_decision(decision),
            Body::Intent(intent) => {
                self.add(Field::Intent, intent.intent_ref);
                self.add(Field::Session, intent.session);
                self.add_all(Field::Actor, &intent.actors);
            }
            Body::Revocation(revocation) => {
                self.add_all(Field::Intent, revocation.intent_ref);
                self.add_all(Field::Actor, &revocation.actor);
            }
            Body::Execution(execution) => {
                self.add_all(Field::Intent, execution.intent_ref);
                self.add_all(Field::Session, execution.session);
            }
            Body::Review(review) => self.add_all(Field::Intent, review.intent_ref),
            Body::Delegation(delegation) => {
                self.add(Field::Intent, delegation.intent_ref);
                self.add_all(Field::Actor, [&delegation.from, &delegation.to]);
                self.add_all(Field::Action, &delegation.actions);
            }
            Body::Flag(flag) => {
                self.add_all(Field::Intent, flag.intent_ref);
                self.add_all(Field::Actor, &flag.actor);
            }
            Body::SessionOpen(open) => self.add(Field::Session, open.session),
            Body::SessionClose(close) => self.add(Field::Session, close.session),
            Body::Credential(credential) => self.add_all(Field::Session, credential.session),
            Body::Genesis(_)
            | Body::Policy(_)
            | Body::Directory(_)
            | Body::Key(_)
            | Body::Expired(_)
            | Body::PermitRefused(_)
            | Body::VaultAccess(_)
            | Body::Erasure(_)
            | Body::Hold(_)
            | Body::FlagUpdate(_)
            | Body::FlagClose(_)
            | Body::Throttled(_)
            | Body::Part(_) => {}
        }
    }

    fn add_decision(&mut self, decision: &Decision) {
        self.add(Field::Action, &decision.action);
        self.add_all(Field::Action, decision.actions.iter().flatten());
        self.add(Field::Actor, &decision.actor);
        // A verdict in shadow had no outcome.
        if decision.mode == Mode::Enforced {
            self.add(Field::Outcome, decision.outcome.name());
        }
        self.add_all(Field::Intent, decision.intent_ref);
        self.add_all(Field::Intent, decision.claimed_intent_ref);
        self.add_all(Field::Session, decision.session);
        self.add_all(Field::Target, &decision.targets);
    }
}
