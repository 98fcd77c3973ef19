//! A counter as rows and recounts know it.

use super::tally::{Tally, Window};
use crate::document::{CounterDeclaration, CounterKey, CounterKind};
use crate::names::ActionName;
use crate::pseudonym::Pseudonym;
use crate::refs::Sha256;
use crate::time::Timestamp;

/// Characters of the digest that tells apart counters of one name.
const DIGEST_CHARS: usize = 32;

/// A declared counter. One that is declared otherwise is another one, and begins at 0.
#[derive(Debug, Clone)]
pub struct Counter {
    declaration: CounterDeclaration,
    /// Its name and a digest of what it counts.
    id: String,
    pub(super) window: Option<Window>,
}

impl Counter {
    /// The counter of a declaration.
    pub fn new(declaration: CounterDeclaration) -> Self {
        let id = format!("{}/{}", declaration.name, digest(&declaration));
        let window = Window::of(&declaration);
        Self {
            declaration,
            id,
            window,
        }
    }

    /// The counters of these declarations, in order.
    pub fn all(declarations: &[CounterDeclaration]) -> Vec<Self> {
        declarations.iter().cloned().map(Self::new).collect()
    }

    /// What its author wrote.
    pub fn declaration(&self) -> &CounterDeclaration {
        &self.declaration
    }

    /// Whether calls that do any of these are counted.
    pub fn counts_any<'a>(&self, mut actions: impl Iterator<Item = &'a ActionName>) -> bool {
        actions.any(|action| self.declaration.actions.contains(action))
    }

    /// A counter's value at a moment.
    pub fn value(&self, tally: &Tally, now: Timestamp) -> i64 {
        tally.value(self.window, now)
    }

    /// The key of the row that holds what was counted under a key.
    pub fn row(&self, key: &Pseudonym) -> String {
        format!("counter/{}/{key}", self.id)
    }

    /// The key of the row that says when a value was met last.
    pub(super) fn value_row(&self, key: &Pseudonym, value: &Pseudonym) -> String {
        format!("counted/{}/{key}/{value}", self.id)
    }
}

/// Equal for declarations that count the same.
fn digest(declaration: &CounterDeclaration) -> String {
    let kind = match declaration.kind {
        CounterKind::Count => "count",
        CounterKind::CountDistinct => "count_distinct",
        CounterKind::Sum => "sum",
    };
    let key = match declaration.key {
        CounterKey::Actor => "actor",
        CounterKey::Intent => "intent",
        CounterKey::Session => "session",
        CounterKey::Principal => "principal",
        CounterKey::Target => "target",
    };
    let mut actions: Vec<&str> = declaration.actions.iter().map(ActionName::as_str).collect();
    actions.sort_unstable();
    actions.dedup();
    let window = declaration.window_s.map(i64::from).unwrap_or(-1);
    let decimals = declaration.decimals;
    // The pointer is the only part that may hold any character, and the last one.
    let over = declaration.over.as_deref().unwrap_or("-");
    let text = format!(
        "countersign/counter/v1\n{kind}\n{key}\n{window}\n{decimals}\n{}\n{over}",
        actions.join(",")
    );
    let digest = Sha256::of(text.as_bytes()).to_string();
    let hex = digest.trim_start_matches("sha256:");
    hex.chars().take(DIGEST_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_that_counts_otherwise_is_another_one() {
        let declaration = |change: fn(&mut CounterDeclaration)| {
            let mut declaration = CounterDeclaration {
                name: "spent".to_owned(),
                kind: CounterKind::Sum,
                actions: vec!["pay".parse().unwrap(), "order".parse().unwrap()],
                over: Some("/amount".to_owned()),
                decimals: 2,
                key: CounterKey::Session,
                window_s: Some(60),
            };
            change(&mut declaration);
            Counter::new(declaration).id
        };
        let same = declaration(|_| {});
        assert_eq!(same, declaration(|d| d.actions.reverse()));
        let others: [fn(&mut CounterDeclaration); 8] = [
            |d| d.name = "spend".to_owned(),
            |d| d.kind = CounterKind::CountDistinct,
            |d| drop(d.actions.pop()),
            |d| d.over = None,
            |d| d.over = Some("/total".to_owned()),
            |d| d.decimals = 0,
            |d| d.key = CounterKey::Intent,
            |d| d.window_s = None,
        ];
        let mut ids = vec![same];
        ids.extend(others.map(declaration));
        let all = ids.len();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), all);
    }
}
