//! Every member of every kind of entry, changed, removed and joined by a sibling.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::entry::{Body, COMMON_MEMBERS};
use countersign_core::json::CanonicalJson;
use serde_json::{Map, Value};

use super::mutant::{Edit, Mutant, Row};
use super::values::{self, How, Pool, UnknownType};

/// Which members were changed in which ways.
#[derive(Default)]
pub struct Coverage(BTreeMap<String, BTreeMap<&'static str, BTreeSet<How>>>);

impl Coverage {
    /// Members that some way of changing was not tried on: of every kind that the log holds.
    pub fn gaps(&self) -> Vec<String> {
        let mut gaps = Vec::new();
        for (kind, _, members) in Body::KINDS {
            let Some(tried) = self.0.get(*kind) else {
                continue;
            };
            for member in COMMON_MEMBERS.iter().chain(*members) {
                let ways = tried.get(member.name);
                let is_tried = |how| ways.is_some_and(|ways| ways.contains(&how));
                // What is left out when there is none cannot be removed where it is not.
                let is_there = !member.is_optional || is_tried(How::Removed);
                for how in [How::Changed, How::Removed, How::Joined] {
                    if !is_tried(how) && (is_there || how == How::Changed) {
                        gaps.push(format!("{kind}.{}: not {}", member.name, how.name()));
                    }
                }
            }
        }
        gaps
    }

    /// The kinds that the log holds.
    pub fn kinds(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).collect()
    }
}

/// Changes of members, of each shape of each kind that the log holds. Shapes of a kind differ in
/// the words of their closed sets, in what is `null`, and in what is empty.
pub(super) fn of(leaves: &[Vec<u8>]) -> Result<(Vec<Mutant>, Coverage), UnknownType> {
    let mut work = Work {
        pool: Pool::of(leaves),
        seen: BTreeSet::new(),
        mutants: Vec::new(),
        coverage: Coverage::default(),
    };
    for (index, leaf) in leaves.iter().enumerate() {
        // What is no entry at all is nothing whose members could be changed.
        if let Ok(Value::Object(members)) = serde_json::from_slice(leaf) {
            work.leaf(index, leaf, &members)?;
        }
    }
    Ok((work.mutants, work.coverage))
}

struct Work {
    pool: Pool,
    seen: BTreeSet<(String, String)>,
    mutants: Vec<Mutant>,
    coverage: Coverage,
}

impl Work {
    fn leaf(
        &mut self,
        index: usize,
        leaf: &[u8],
        members: &Map<String, Value>,
    ) -> Result<(), UnknownType> {
        let kind = members
            .get("kind")
            .and_then(Value::as_str)
            .unwrap_or_default();
        if !Body::KINDS.iter().any(|(known, _, _)| *known == kind) {
            return Ok(());
        }
        let at = (index, leaf, kind, members);
        let shape = shape(members);
        for member in values::members_of(members) {
            let value = members.get(member.name);
            let is_new = self
                .seen
                .insert((shape.clone(), format!("{} {}", member.name, state(value))));
            if !is_new {
                continue;
            }
            match value {
                None => {
                    for sample in values::samples(member.holds, &self.pool)? {
                        let what = format!("added as {sample}");
                        let mut with = members.clone();
                        with.insert(member.name.to_owned(), sample);
                        self.keep(&at, member.name, "", How::Changed, what, with);
                    }
                }
                Some(value) => self.member(&at, member.name, member.holds, value)?,
            }
        }
        if self.seen.insert((shape, "bytes".to_owned())) {
            self.bytes(index, leaf, kind, members);
        }
        Ok(())
    }

    fn member(
        &mut self,
        at: &(usize, &[u8], &str, &Map<String, Value>),
        name: &'static str,
        holds: &str,
        value: &Value,
    ) -> Result<(), UnknownType> {
        let members = at.3;
        for change in values::changes(holds, value, &self.pool)? {
            let mut with = members.clone();
            with.insert(name.to_owned(), change.value);
            self.keep(at, name, &change.inside, change.how, change.what, with);
        }
        let mut without = members.clone();
        without.shift_remove(name);
        self.keep(at, name, "", How::Removed, "removed".to_owned(), without);
        let mut with = members.clone();
        with.insert(format!("{name}2"), value.clone());
        self.keep(
            at,
            name,
            "",
            How::Joined,
            format!("joined by `{name}2`"),
            with,
        );
        Ok(())
    }

    fn keep(
        &mut self,
        (index, leaf, kind, _): &(usize, &[u8], &str, &Map<String, Value>),
        name: &'static str,
        inside: &str,
        how: How,
        what: String,
        members: Map<String, Value>,
    ) {
        let Ok(bytes) = CanonicalJson::of(&Value::Object(members)) else {
            return;
        };
        let bytes = bytes.into_bytes();
        if bytes == *leaf {
            return;
        }
        let tried = self.coverage.0.entry((*kind).to_owned()).or_default();
        let ways = tried.entry(name).or_default();
        ways.insert(how);
        if !inside.is_empty() {
            // Whatever was done inside it, the member's value is another one.
            ways.insert(How::Changed);
        }
        self.mutants.push(Mutant {
            row: Row::new(kind, &format!("{name}{inside}"), how.name()),
            what: format!("entry {index}: `{name}{inside}` {what}"),
            edit: Edit::Replace(vec![(*index, bytes)]),
        });
    }

    /// The same members in other bytes.
    fn bytes(&mut self, index: usize, leaf: &[u8], kind: &str, members: &Map<String, Value>) {
        let text = String::from_utf8_lossy(leaf).into_owned();
        let reversed: Map<String, Value> = members
            .iter()
            .rev()
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect();
        let escaped = kind.chars().next().map(|first| {
            let rest = kind.chars().skip(1).collect::<String>();
            let escape = format!("\"kind\":\"\\u{:04x}{rest}\"", u32::from(first));
            text.replacen(&format!("\"kind\":\"{kind}\""), &escape, 1)
        });
        let written = [
            (
                "its members in another order",
                Value::Object(reversed).to_string(),
            ),
            ("with a space", text.replacen(':', ": ", 1)),
            ("with an escape", escaped.unwrap_or_default()),
            ("with a member twice", text.replacen('{', "{\"v\":1,", 1)),
            (
                "with another spelling of a number",
                text.replace("\"v\":1}", "\"v\":1.0}"),
            ),
            ("with a line feed after it", format!("{text}\n")),
        ];
        for (what, bytes) in written {
            let bytes = bytes.into_bytes();
            if bytes != leaf {
                self.mutants.push(Mutant {
                    row: Row::new(kind, "(bytes)", "the same, written otherwise"),
                    what: format!("entry {index}: {what}"),
                    edit: Edit::Replace(vec![(index, bytes)]),
                });
            }
        }
    }
}

/// What tells apart the shapes of a kind: the words of its closed sets.
fn shape(members: &Map<String, Value>) -> String {
    let mut shape = String::new();
    for member in values::members_of(members) {
        let is_word = member.name == "kind" || values::is_closed_set(member.holds);
        if let Some(Value::String(word)) = members.get(member.name).filter(|_| is_word) {
            shape.push_str(word);
            shape.push(' ');
        }
    }
    shape
}

fn state(value: Option<&Value>) -> &'static str {
    match value {
        None => "absent",
        Some(Value::Null) => "null",
        Some(Value::Array(items)) if items.is_empty() => "empty",
        Some(_) => "there",
    }
}
