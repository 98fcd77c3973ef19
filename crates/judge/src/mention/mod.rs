//! What turns and results mention, parsed once and looked up by key.

mod account;
mod amount;
mod entities;
mod index;
mod people;
mod quantity;
mod quoted;
mod scan;

use std::collections::BTreeSet;

use countersign_core::document::{Intent, PartBy};

use crate::gate::{self, Asked, Spoken, Words};
use crate::limits::MENTIONED;
use crate::value::{Key, KeyKind};

pub(crate) use entities::{TextEntities, TextFound, entities};
pub(crate) use index::{Index, Spot};
pub use people::{People, people, whole_form};
pub(crate) use quantity::{whole_amount, whole_date};
pub(crate) use scan::Found;

/// What the words of one turn mention, parsed once.
#[derive(Debug, Default)]
pub struct TurnMentions {
    /// In the principal's parts.
    principal: Index,
    /// In all other parts. Apart, so that a correspondent's text cannot use up the limits that the
    /// principal's words need.
    others: Index,
    /// In the agent's parts.
    agent: Index,
    /// The principal's words, one by one.
    spoken: Spoken,
    /// Whether the principal hands over to somebody else's words.
    hands_over: bool,
    /// Whether the principal's words as a whole are an assent.
    confirms: bool,
    /// What policies are shown of the principal's words.
    mentioned: Mentioned,
}

/// The sets of `context.mentioned`.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Mentioned {
    pub(crate) emails: BTreeSet<String>,
    pub(crate) domains: BTreeSet<String>,
    pub(crate) urls: BTreeSet<String>,
    pub(crate) ids: BTreeSet<String>,
    pub(crate) amounts: BTreeSet<String>,
    pub(crate) ibans: BTreeSet<String>,
    pub(crate) phones: BTreeSet<String>,
}

impl TurnMentions {
    /// The mentions of a turn.
    pub fn of(intent: &Intent) -> Self {
        let mut turn = Self::default();
        let issued = quantity::Issued::at(intent.issued_at);
        let mut principal: Vec<&str> = Vec::new();
        for (n, part) in intent.parts.iter().enumerate() {
            let field = u32::try_from(n).unwrap_or(u32::MAX);
            match part.by {
                PartBy::Principal => {
                    turn.principal_part(field, &part.text, issued);
                    principal.push(&part.text);
                }
                PartBy::Agent => {
                    let Self { others, agent, .. } = &mut turn;
                    everything(&part.text, issued, &mut |found| {
                        agent.add(field, found.clone());
                        others.add(field, found);
                    });
                }
                _ => {
                    let others = &mut turn.others;
                    everything(&part.text, issued, &mut |found| others.add(field, found));
                }
            }
        }
        turn.hands_over = principal.iter().any(|text| gate::hands_over(text));
        turn.confirms = gate::is_assent(&principal);
        turn
    }

    fn principal_part(&mut self, field: u32, text: &str, issued: Option<quantity::Issued>) {
        let mentioned = &mut self.mentioned;
        let index = &mut self.principal;
        everything(text, issued, &mut |found| {
            mentioned.note(&found);
            index.add(field, found);
        });
        for amount in amount::amounts(text) {
            insert(&mut mentioned.amounts, amount);
        }
        self.spoken.add(text);
    }

    /// What the principal's words hold of an action's words.
    pub(crate) fn asks(&self, words: &Words) -> Asked {
        words.asked(&self.spoken)
    }

    /// Whether the principal hands over to what somebody else wrote. What is named decides whoever
    /// asks.
    pub(crate) fn hands_over(&self) -> bool {
        self.hands_over
    }

    /// Whether the principal's words as a whole are a short assent.
    pub(crate) fn confirms(&self) -> bool {
        self.confirms
    }

    /// What the agent's parts mention.
    pub(crate) fn agent_parts(&self) -> &Index {
        &self.agent
    }

    pub(crate) fn principal(&self) -> &Index {
        &self.principal
    }

    pub(crate) fn others(&self) -> &Index {
        &self.others
    }

    pub(crate) fn mentioned(&self) -> &Mentioned {
        &self.mentioned
    }
}

/// Everything that a text mentions: what targets are compared with, then measures.
fn everything<'a>(
    text: &'a str,
    issued: Option<quantity::Issued>,
    sink: &mut dyn FnMut(scan::Found<'a>),
) {
    scan::scan(text, sink);
    quantity::scan(text, issued, sink);
    account::scan(text, sink);
}

/// Everything that a text mentions of which nobody knows when it was written.
pub(crate) fn mentions_of<'a>(text: &'a str, sink: &mut dyn FnMut(Found<'a>)) {
    everything(text, None, sink);
}

impl Mentioned {
    fn note(&mut self, found: &scan::Found<'_>) {
        let Key { kind, text } = &found.key;
        match kind {
            KeyKind::Email => insert(&mut self.emails, text.clone()),
            KeyKind::Domain => insert(&mut self.domains, text.clone()),
            KeyKind::Url => insert(&mut self.urls, text.clone()),
            KeyKind::Token | KeyKind::HashToken if looks_like_id(text) => {
                insert(&mut self.ids, text.clone());
            }
            KeyKind::Iban => insert(&mut self.ibans, text.clone()),
            KeyKind::Phone => insert(&mut self.phones, text.clone()),
            KeyKind::Token
            | KeyKind::HashToken
            | KeyKind::Path
            | KeyKind::UrlOfAnyScheme
            | KeyKind::Number
            | KeyKind::Date
            | KeyKind::Time
            | KeyKind::DateTime => {}
        }
    }
}

fn insert(set: &mut BTreeSet<String>, item: String) {
    if set.len() < MENTIONED {
        set.insert(item);
    }
}

/// Words with a digit, such as `4821` and `INV-2041`.
fn looks_like_id(text: &str) -> bool {
    text.len() <= 64
        && text.bytes().any(|b| b.is_ascii_digit())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'/' | b'.'))
}

#[cfg(test)]
mod tests;
