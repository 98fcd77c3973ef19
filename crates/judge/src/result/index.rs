//! What one result holds: words by key, whole fields by key, and records.

use std::collections::HashMap;

use countersign_core::document::{Integrity, ResultFormat, ToolResult};
use countersign_core::limits::JSON_DEPTH;
use serde_json::{Map, Value};

use super::carried::Patterns;
use super::fields::{Field, Fields};
use super::read::{Read, read};
use super::shape::{Labels, ResultShape, Spotted};
use super::whole;
use crate::limits::{MENTIONS, QUOTED_BYTES, RECORD_NAMES, RESULT_PLACES, RESULT_TEXT_BYTES};
use crate::mention::{Found, mentions_of};
use crate::value::{Key, token_key};

/// Where something stands in a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Spot {
    pub(super) field: u32,
    /// In bytes from the start of the field.
    pub(super) offset: u32,
    /// The words, if they are not the key's text.
    pub(super) written: Option<Box<str>>,
}

/// What one result holds.
#[derive(Debug, Default)]
pub(super) struct ResultIndex {
    /// What is mentioned. Never iterated, as below: nothing depends on the order of hashes.
    words: HashMap<Key, Vec<Spot>>,
    /// Numbers, dates and the like that are mentioned, with limits of their own.
    measures: HashMap<Key, Vec<Spot>>,
    /// Whole fields.
    pub(super) whole: HashMap<Key, Vec<Spot>>,
    pub(super) fields: Fields,
    /// By record: the keys of its fields that somebody vouches for.
    records: HashMap<u32, Names>,
    /// The values that not everybody may read.
    pub(super) patterns: Patterns,
    /// About how many bytes it takes.
    pub(super) weight: usize,
}

#[derive(Debug, Default)]
struct Names {
    fields: usize,
    keys: Vec<Key>,
}

impl ResultIndex {
    /// The index of a result.
    pub(super) fn of(result: &ToolResult, shape: &ResultShape) -> Self {
        let Read { value, as_declared } = read(result, shape.format());
        // What an agent reports of itself nobody vouches for, and of what a tool says when it fails no
        // manifest speaks.
        let trusted = as_declared && !result.by_agent && !result.is_error;
        let mut walk = Walk {
            shape,
            labelled: as_declared,
            trusted,
            out: Self::default(),
            budget: RESULT_TEXT_BYTES,
            vouched_budget: if trusted { RESULT_TEXT_BYTES } else { 0 },
            record: None,
            records: 0,
        };
        walk.value(&value, &shape.root(), 0);
        let mut out = walk.out;
        for spots in out.whole.values_mut() {
            // A lookup shows the first few: those that somebody vouches for come before the others.
            let fields = &out.fields;
            spots.sort_by_key(|spot| {
                std::cmp::Reverse(fields.get(spot.field).map(|field| field.labels.integrity))
            });
        }
        out.patterns.settle();
        out.weight += out.fields.weight() + out.patterns.weight();
        out
    }

    /// The keys of the fields of a record that somebody vouches for.
    pub(super) fn record_names(&self, record: u32) -> &[Key] {
        self.records.get(&record).map_or(&[], |names| &names.keys)
    }

    /// The keys under which something is found, in no order.
    pub(super) fn keys(&self) -> impl Iterator<Item = &Key> {
        let mentioned = self.words.keys().chain(self.measures.keys());
        mentioned.chain(self.whole.keys())
    }

    /// Where something is mentioned.
    pub(super) fn mentions(&self, key: &Key) -> Option<(&Key, &Vec<Spot>)> {
        let map = if key.kind.is_measure() {
            &self.measures
        } else {
            &self.words
        };
        map.get_key_value(key)
    }
}

struct Walk<'s> {
    shape: &'s ResultShape,
    labelled: bool,
    trusted: bool,
    out: ResultIndex,
    /// How many bytes of text are still searched.
    budget: usize,
    /// The same of fields that somebody vouches for: long texts of others do not hide them.
    vouched_budget: usize,
    /// The innermost object that is a record.
    record: Option<u32>,
    records: u32,
}

/// What a text is.
#[derive(Clone, Copy)]
struct Kind {
    labels: Labels,
    /// Whether its whole text is a value, and not only the name of a member.
    whole: bool,
}

impl Walk<'_> {
    fn value(&mut self, value: &Value, place: &Spotted, depth: usize) {
        if depth > JSON_DEPTH {
            return;
        }
        match value {
            Value::String(text) => self.scalar(text, place),
            Value::Number(number) => self.number(&number.to_string(), place),
            Value::Array(items) => {
                for (n, item) in (0_u32..).zip(items) {
                    if self.is_done() {
                        return;
                    }
                    self.out.fields.enter_item(n);
                    self.value(item, &self.shape.item(place, n), depth + 1);
                    self.out.fields.leave();
                }
            }
            Value::Object(members) => {
                let names = self.shape.name_labels(place).filter(|_| self.labelled);
                let around = self.record;
                // A mapping whose names are values belongs to the record that it is in.
                if names.is_none() {
                    self.record = Some(self.records);
                    self.records = self.records.saturating_add(1);
                }
                for (name, item) in in_order(members) {
                    if self.is_done() {
                        break;
                    }
                    self.out.fields.enter_member(name);
                    self.name(name, names);
                    self.value(item, &self.shape.member(place, name), depth + 1);
                    self.out.fields.leave();
                }
                self.record = around;
            }
            Value::Null | Value::Bool(_) => {}
        }
    }

    /// Whether nothing more is looked for. Values that not everybody may read always are: somebody
    /// who can make a result long must not hide them.
    fn is_done(&self) -> bool {
        self.budget == 0 && self.vouched_budget == 0 && !self.shape.hides()
    }

    fn number(&mut self, text: &str, place: &Spotted) {
        // Of money, people write both decimals.
        let decimals = text.split_once('.').map_or("", |(_, decimals)| decimals);
        if self.shape.hides() && decimals.len() == 1 {
            let labels = self.labels(place);
            let field = Field {
                record: self.record,
                labels,
            };
            let money = format!("{text}0");
            for pattern in super::carried::patterns_of(&money, labels.confidentiality) {
                let number = self.out.fields.add(field);
                self.out.patterns.add(pattern, number);
            }
        }
        self.scalar(text, place);
    }

    fn scalar(&mut self, text: &str, place: &Spotted) {
        let labels = self.labels(place);
        self.text(
            text,
            Kind {
                labels,
                whole: true,
            },
        );
    }

    fn labels(&self, place: &Spotted) -> Labels {
        let mut labels = if self.labelled {
            self.shape.labels(place)
        } else {
            self.shape.unknown()
        };
        if !self.trusted {
            labels.integrity = Integrity::Correspondent;
        }
        labels
    }

    fn name(&mut self, name: &str, labels: Option<Labels>) {
        let mut kind = Kind {
            labels: labels.unwrap_or(Labels::NONE),
            whole: labels.is_some(),
        };
        if !self.trusted {
            kind.labels.integrity = Integrity::Correspondent;
        }
        self.text(name, kind);
    }

    fn text(&mut self, text: &str, kind: Kind) {
        let field = Field {
            record: self.record,
            labels: kind.labels,
        };
        let mut adding = Adding {
            number: None,
            field,
        };
        if self.shape.hides() {
            let patterns = super::carried::patterns_of(text, kind.labels.confidentiality);
            for pattern in patterns {
                let number = adding.number(&mut self.out.fields);
                self.out.patterns.add(pattern, number);
            }
        }
        let budget = match kind.labels.integrity {
            Integrity::Correspondent => &mut self.budget,
            Integrity::System | Integrity::FirstParty => &mut self.vouched_budget,
        };
        if text.len() > *budget {
            *budget = 0;
            return;
        }
        *budget -= text.len();
        self.words(text, &mut adding);
        if kind.whole {
            self.whole(text, &mut adding);
        }
    }

    fn words(&mut self, text: &str, adding: &mut Adding) {
        let out = &mut self.out;
        let mut add = |found: Found<'_>| {
            let spot = Spot {
                field: adding.number(&mut out.fields),
                offset: u32::try_from(found.offset).unwrap_or(u32::MAX),
                written: (found.written != found.key.text).then(|| found.written.into()),
            };
            let map = if found.key.kind.is_measure() {
                &mut out.measures
            } else {
                &mut out.words
            };
            out.weight += push(map, found.key, spot, RESULT_PLACES);
        };
        if !text.is_empty() && text.len() <= QUOTED_BYTES && text.contains(char::is_whitespace) {
            add(Found::whole(text, token_key(text)));
        }
        mentions_of(text, &mut add);
    }

    fn whole(&mut self, text: &str, adding: &mut Adding) {
        // Only what has a type of its own is a name: a state such as `received`, which the system
        // writes too, stands in many a turn by chance.
        let vouched = adding.field.labels.integrity > Integrity::Correspondent
            && self.shape.entity(&adding.field.labels).is_some();
        if self.shape.format() == ResultFormat::Text {
            return;
        }
        for key in whole::keys(text) {
            let spot = Spot {
                field: adding.number(&mut self.out.fields),
                offset: 0,
                written: (text != key.text).then(|| text.into()),
            };
            self.out.weight += push(&mut self.out.whole, key, spot, usize::MAX);
        }
        if let Some(record) = self
            .record
            .filter(|_| vouched && text.len() <= QUOTED_BYTES)
        {
            let names = self.out.records.entry(record).or_default();
            if names.fields < RECORD_NAMES {
                names.fields += 1;
                let keys = whole::names(text);
                self.out.weight += keys
                    .iter()
                    .map(|key| key.text.len() + KEY_WEIGHT)
                    .sum::<usize>();
                names.keys.extend(keys);
            }
        }
    }
}

/// The members of an object, which have no order, in one.
fn in_order(members: &Map<String, Value>) -> Vec<(&String, &Value)> {
    let mut members: Vec<_> = members.iter().collect();
    members.sort_by_key(|(name, _)| *name);
    members
}

/// A field that is only noted once something of it is found.
struct Adding {
    number: Option<u32>,
    field: Field,
}

impl Adding {
    fn number(&mut self, fields: &mut Fields) -> u32 {
        *self.number.get_or_insert_with(|| fields.add(self.field))
    }
}

/// About what an entry of a map takes beside its texts.
const KEY_WEIGHT: usize = 96;

/// Adds a spot; returns about how many bytes it takes.
fn push(map: &mut HashMap<Key, Vec<Spot>>, key: Key, spot: Spot, most: usize) -> usize {
    let own = size_of::<Spot>() + spot.written.as_ref().map_or(0, |text| text.len());
    if let Some(spots) = map.get_mut(&key) {
        if spots.len() >= most {
            return 0;
        }
        spots.push(spot);
        return own;
    }
    if most != usize::MAX && map.len() >= MENTIONS {
        return 0;
    }
    let weight = own + key.text.len() + KEY_WEIGHT;
    map.insert(key, vec![spot]);
    weight
}

impl ResultIndex {
    /// The pointer of a field, or of what is around it, in at most so many bytes.
    pub(super) fn pointer(&self, field: u32, most: usize) -> String {
        self.fields.pointer(field, most)
    }
}

/// The words of a spot.
pub(super) fn written<'a>(key: &'a Key, spot: &'a Spot) -> &'a str {
    spot.written.as_deref().unwrap_or(&key.text)
}
