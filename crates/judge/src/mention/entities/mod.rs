//! What stands in a text and leads somewhere: addresses, links, domains, accounts, phone numbers,
//! paths.
//!
//! Here the safe side is to find it: what is found must be grounded, and what is missed goes out
//! unseen. So an entity counts whatever stands beside it, and what is disguised is found too; but it
//! has no keys then, so that nothing grounds it.

mod decode;
mod find;

use std::collections::BTreeSet;

use countersign_core::document::{EntityKind, TargetType};

use crate::limits::{TARGET_BYTES, TEXT_ENTITIES};
use crate::value::text::lenient;
use crate::value::{Key, KeyKind, iban, parse, phone, token_key};
use decode::View;
use find::Place;

/// One thing that stands in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TextFound {
    /// What it is.
    pub(crate) kind: EntityKind,
    /// As it is read; of what is disguised, without the disguise.
    pub(crate) value: String,
    /// The form by which two are the same.
    pub(crate) lookup: String,
    /// What grounds it; empty for a spelling that plays tricks.
    pub(crate) keys: Vec<Key>,
    /// Where it begins, in bytes from the start of the text.
    pub(crate) offset: usize,
    /// The domain of a URL or an address.
    pub(crate) host: Option<String>,
}

/// What stands in a text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TextEntities {
    /// Each once, where it first stands.
    pub(crate) found: Vec<TextFound>,
    /// Whether there is more than [`TEXT_ENTITIES`]: then nobody has looked at all of it.
    pub(crate) too_many: bool,
}

/// Everything in `text` that leads somewhere.
pub(crate) fn entities(text: &str) -> TextEntities {
    let mut out = Collector::default();
    let places = find::places(text);
    let Some(view) = View::of(text) else {
        for place in &places {
            out.take(text, place, place.start, true);
        }
        return out.entities;
    };
    let hidden: Vec<(Place, usize, usize)> = find::places(&view.text)
        .into_iter()
        .map(|place| (place, view.origin(place.start), view.origin(place.end)))
        .filter(|(place, start, end)| !is_known(&places, place, *start, *end))
        .collect();
    for place in &places {
        if !is_part(place, &hidden) {
            out.take(text, place, place.start, true);
        }
    }
    for (place, start, _) in &hidden {
        out.take(&view.text, place, *start, false);
    }
    let mut entities = out.entities;
    entities.found.sort_by_key(|found| found.offset);
    entities
}

/// Whether the text as it stands has the same thing there, or a URL that holds it.
fn is_known(places: &[Place], place: &Place, start: usize, end: usize) -> bool {
    // Places are in order and do not overlap.
    let next = places.partition_point(|known| known.start <= start);
    let Some(known) = next.checked_sub(1).and_then(|n| places.get(n)) else {
        return false;
    };
    let same = known.start == start && known.end == end && known.kind == place.kind;
    let within = known.kind == EntityKind::Url && end <= known.end;
    same || within && known.reads_whole
}

/// Whether a place is but a part of something disguised: `acme.example` of `jo%40acme.example`.
fn is_part(place: &Place, hidden: &[(Place, usize, usize)]) -> bool {
    let next = hidden.partition_point(|(_, start, _)| *start <= place.start);
    next.checked_sub(1)
        .and_then(|n| hidden.get(n))
        .is_some_and(|(_, _, end)| place.end <= *end)
}

#[derive(Default)]
struct Collector {
    entities: TextEntities,
    seen: BTreeSet<(EntityKind, String, bool)>,
}

impl Collector {
    fn take(&mut self, text: &str, place: &Place, offset: usize, as_written: bool) {
        let Some(value) = text.get(place.start..place.end) else {
            return;
        };
        let value = clipped(value);
        let mut found = read(place.kind, value, offset);
        if !(as_written && place.is_clean) {
            found.keys.clear();
        }
        let key = (found.kind, found.lookup.clone(), found.keys.is_empty());
        if self.seen.contains(&key) {
            return;
        }
        if self.entities.found.len() >= TEXT_ENTITIES {
            self.entities.too_many = true;
            return;
        }
        self.seen.insert(key);
        self.entities.found.push(found);
    }
}

/// The beginning of a value that is too long to be read as anything.
fn clipped(value: &str) -> &str {
    value
        .char_indices()
        .nth(TARGET_BYTES + 1)
        .and_then(|(end, _)| value.get(..end))
        .unwrap_or(value)
}

fn read(kind: EntityKind, value: &str, offset: usize) -> TextFound {
    let typed = match kind {
        EntityKind::Email => Some(TargetType::Email),
        EntityKind::Domain => Some(TargetType::Domain),
        EntityKind::Url => Some(TargetType::Url),
        EntityKind::Path => Some(TargetType::Path),
        EntityKind::Iban | EntityKind::Phone => None,
    };
    let mut found = TextFound {
        kind,
        value: value.to_owned(),
        lookup: lenient(value),
        keys: Vec::new(),
        offset,
        host: None,
    };
    if let Some(parsed) = typed.and_then(|kind| parse(kind, value)) {
        parsed.lookup().clone_into(&mut found.lookup);
        found.host = parsed
            .members
            .into_iter()
            .find_map(|(name, host)| (name == "domain" && !host.is_empty()).then_some(host));
        found.keys = parsed.keys;
        if find::is_address(value) {
            found.keys.push(token_key(value));
        }
    }
    let account = match kind {
        EntityKind::Iban => iban::read(value).map(|form| (KeyKind::Iban, form)),
        EntityKind::Phone => phone::read(value).map(|form| (KeyKind::Phone, form)),
        _ => None,
    };
    if let Some((kind, form)) = account {
        form.clone_into(&mut found.lookup);
        found.keys = vec![Key::new(kind, form)];
    }
    found
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod linear;
