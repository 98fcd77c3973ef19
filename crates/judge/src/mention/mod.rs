//! What turns and results mention, parsed once and looked up by key.

mod amount;
mod index;
mod quoted;
mod scan;

use std::collections::BTreeSet;

use countersign_core::document::{Intent, PartBy, ToolResult};
use serde_json::Value;

use crate::limits::{MENTIONED, QUOTED_BYTES, RESULT_TEXT_BYTES};
use crate::value::{Key, KeyKind, token_key};

pub(crate) use index::{Index, Spot};

/// What the words of one turn mention, parsed once.
#[derive(Debug, Default)]
pub struct TurnMentions {
    /// In the principal's parts.
    principal: Index,
    /// In all other parts. Apart, so that a correspondent's text cannot use up the limits that the
    /// principal's words need.
    others: Index,
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
}

impl TurnMentions {
    /// The mentions of a turn.
    pub fn of(intent: &Intent) -> Self {
        let mut turn = Self::default();
        for (n, part) in intent.parts.iter().enumerate() {
            let field = u32::try_from(n).unwrap_or(u32::MAX);
            if part.by == PartBy::Principal {
                let mentioned = &mut turn.mentioned;
                let index = &mut turn.principal;
                scan::scan(&part.text, &mut |found| {
                    mentioned.note(&found);
                    index.add(field, found);
                });
                for amount in amount::amounts(&part.text) {
                    insert(&mut turn.mentioned.amounts, amount);
                }
            } else {
                let index = &mut turn.others;
                scan::scan(&part.text, &mut |found| index.add(field, found));
            }
        }
        turn
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
            KeyKind::Token | KeyKind::HashToken | KeyKind::Path | KeyKind::UrlOfAnyScheme => {}
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

/// What one result holds, parsed once.
#[derive(Debug, Default)]
pub struct ResultIndex {
    index: Index,
    /// The JSON Pointers of the fields that hold something.
    fields: Vec<String>,
}

impl ResultIndex {
    /// The index of a result. Text beyond [`RESULT_TEXT_BYTES`] is not searched.
    pub fn of(result: &ToolResult) -> Self {
        let mut walk = Walk {
            out: Self::default(),
            budget: RESULT_TEXT_BYTES,
        };
        walk.value(&result.result, &mut String::new());
        walk.out
    }

    pub(crate) fn index(&self) -> &Index {
        &self.index
    }

    pub(crate) fn pointer(&self, spot: &Spot) -> &str {
        usize::try_from(spot.field)
            .ok()
            .and_then(|field| self.fields.get(field))
            .map_or("", String::as_str)
    }
}

struct Walk {
    out: ResultIndex,
    budget: usize,
}

impl Walk {
    fn value(&mut self, value: &Value, pointer: &mut String) {
        match value {
            Value::String(text) => self.text(text, pointer),
            Value::Number(number) => self.text(&number.to_string(), pointer),
            Value::Array(items) => {
                for (n, item) in items.iter().enumerate() {
                    self.step(&n.to_string(), item, pointer);
                }
            }
            Value::Object(members) => {
                for (name, item) in members {
                    let before = pointer.len();
                    push_token(pointer, name);
                    self.text(name, pointer);
                    pointer.truncate(before);
                    self.step(name, item, pointer);
                }
            }
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn step(&mut self, token: &str, value: &Value, pointer: &mut String) {
        if self.budget == 0 {
            return;
        }
        let before = pointer.len();
        push_token(pointer, token);
        self.value(value, pointer);
        pointer.truncate(before);
    }

    fn text(&mut self, text: &str, pointer: &str) {
        if text.len() > self.budget {
            self.budget = 0;
            return;
        }
        self.budget -= text.len();
        let Self { out, .. } = self;
        let field = u32::try_from(out.fields.len()).unwrap_or(u32::MAX);
        let mut any = false;
        let index = &mut out.index;
        if !text.is_empty() && text.len() <= QUOTED_BYTES && text.contains(char::is_whitespace) {
            any = true;
            index.add(field, scan::Found::whole(text, token_key(text)));
        }
        scan::scan(text, &mut |found| {
            any = true;
            index.add(field, found);
        });
        if any {
            out.fields.push(pointer.to_owned());
        }
    }
}

fn push_token(pointer: &mut String, token: &str) {
    pointer.push('/');
    for c in token.chars() {
        match c {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            c => pointer.push(c),
        }
    }
}

#[cfg(test)]
mod tests;
