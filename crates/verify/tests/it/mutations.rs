//! Every member of every kind of entry, changed, removed and joined by a sibling; entries swapped
//! and dropped; every byte of a small log. Without the log key all of it is `failed`; with it,
//! nothing is ever `trusted` beyond what the caller's checkpoint covers.

use std::collections::BTreeSet;

use countersign_core::entry::{AnyEntry, Body, COMMON_MEMBERS};
use countersign_core::json::CanonicalJson;
use countersign_merkle::AnyTile;
use countersign_verify::{MemoryLog, Word};
use serde_json::{Map, Value, json};

use crate::log::{audit, checkpoint, publish, told, trust, under};
use crate::story::{beginning, story};

/// Members that no sound log of this version holds, or that the story has no use for.
const RESERVED: &[(&str, &str)] = &[
    ("decision", "effective_call_ref"),
    ("genesis", "predecessor"),
    ("intent", "mandate"),
    ("intent", "signature"),
    ("intent", "key_id"),
    ("credential", "session"),
];

/// Members that were mutated already: kind, place, and whether the value was `null`.
type Seen = BTreeSet<(String, String, bool)>;

/// The leaf with one member changed, removed, or joined by a sibling, at any depth; each member of
/// a kind once where it is `null` and once where it is not.
fn mutants(leaf: &[u8], seen: &mut Seen) -> Vec<(String, Vec<u8>)> {
    let whole: Value = serde_json::from_slice(leaf).unwrap();
    let mut places = Vec::new();
    pointers(&whole, String::new(), &mut places);
    let kind = whole["kind"].to_string();
    places.retain(|place| {
        let is_null = whole.pointer(place).unwrap().is_null();
        seen.insert((kind.clone(), place.clone(), is_null))
    });
    let mut mutants = Vec::new();
    let mut keep = |what: String, value: Value| {
        let bytes = CanonicalJson::of(&value).unwrap().into_bytes();
        if bytes != leaf {
            mutants.push((what, bytes));
        }
    };
    for place in places {
        let value = whole.pointer(&place).unwrap();
        for other in others(value) {
            let mut changed = whole.clone();
            *changed.pointer_mut(&place).unwrap() = other.clone();
            keep(format!("`{place}` = {other}"), changed);
        }
        let Some((parent, name)) = place.rsplit_once('/') else {
            continue;
        };
        let mut without = whole.clone();
        match without.pointer_mut(parent) {
            Some(Value::Object(members)) => drop(members.shift_remove(name)),
            Some(Value::Array(items)) => drop(items.remove(name.parse().unwrap())),
            _ => continue,
        }
        keep(format!("without `{place}`"), without);
        let mut with = whole.clone();
        if let Some(Value::Object(members)) = with.pointer_mut(parent) {
            members.insert(format!("{name}2"), value.clone());
            keep(format!("sibling of `{place}`"), with);
        }
    }
    mutants
}

fn pointers(value: &Value, at: String, found: &mut Vec<String>) {
    let children: Vec<(String, &Value)> = match value {
        Value::Object(members) => members.iter().map(|(k, v)| (k.clone(), v)).collect(),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(n, v)| (n.to_string(), v))
            .collect(),
        _ => Vec::new(),
    };
    for (name, child) in children {
        pointers(child, format!("{at}/{name}"), found);
    }
    found.push(at);
}

/// Other values, among them such as the member may well have.
fn others(value: &Value) -> Vec<Value> {
    match value {
        Value::Null => vec![json!(format!("sha256:{}", "0".repeat(64))), json!({})],
        Value::Bool(b) => vec![json!(!b), Value::Null],
        Value::Number(n) => vec![json!(n.as_i64().unwrap() + 1), json!(0)],
        Value::String(text) => {
            let mut chars: Vec<char> = text.chars().collect();
            let last = chars.pop();
            chars.push(if last == Some('1') { '2' } else { '1' });
            let changed: String = chars.into_iter().collect();
            vec![
                json!(changed),
                json!(format!("{text}x")),
                json!(""),
                Value::Null,
            ]
        }
        Value::Array(items) => {
            let mut twice = items.clone();
            twice.extend(items.first().cloned());
            vec![json!([]), Value::Array(twice), Value::Null]
        }
        Value::Object(_) => vec![Value::Object(Map::new()), Value::Null],
    }
}

#[test]
fn without_the_log_key_every_change_of_every_member_fails() {
    let leaves = story().leaves();
    let (signed, sound) = (checkpoint(&leaves), publish(&leaves));
    let (mut tried, mut seen) = (0, Seen::new());
    for (index, leaf) in leaves.iter().enumerate() {
        for (what, mutant) in mutants(leaf, &mut seen) {
            let mut changed = leaves.clone();
            changed[index] = mutant;
            let rebuilt = under(&changed, &signed);
            // Only the leaf changed, then the whole tree built anew around it.
            let entries = rebuilt
                .tiles
                .iter()
                .filter(|(t, _)| matches!(t, AnyTile::Entries(_)));
            let mut copied = sound.clone();
            copied
                .tiles
                .extend(entries.map(|(t, bytes)| (*t, bytes.clone())));
            let log = if tried % 2 == 0 { copied } else { rebuilt };
            let report = audit(&log, trust().holding(signed.clone()));
            assert_eq!(report.word, Word::Failed, "entry {index}: {what}");
            tried += 1;
        }
    }
    assert!(tried > 1000, "only {tried} changes");
    for (kind, _, members) in Body::KINDS {
        for member in COMMON_MEMBERS.iter().chain(*members) {
            let place = (format!("\"{kind}\""), format!("/{}", member.name), false);
            let is_reserved = RESERVED.contains(&(*kind, member.name));
            assert!(
                seen.contains(&place) || is_reserved,
                "no change of {place:?}"
            );
        }
    }
}

#[test]
fn with_the_log_key_no_change_is_ever_trusted_and_none_below_the_anchor_passes() {
    let leaves = story().leaves();
    let anchored = 30;
    let held = checkpoint(&leaves[..anchored]);
    let mut seen = Seen::new();
    for (index, leaf) in leaves.iter().enumerate() {
        for (what, mutant) in mutants(leaf, &mut seen) {
            let mut changed = leaves.clone();
            changed[index] = mutant;
            let report = audit(&publish(&changed), trust().holding(held.clone()));
            assert_ne!(report.word, Word::Trusted, "entry {index}: {what}");
            if index < anchored {
                assert_eq!(report.word, Word::Failed, "entry {index}: {what}");
                assert_eq!(report.exit_code(), 3, "entry {index}: {what}");
            }
        }
    }
}

#[test]
fn swapped_dropped_and_repeated_entries_fail() {
    let leaves = story().leaves();
    let signed = checkpoint(&leaves);
    let held = checkpoint(&leaves[..5]);
    let fails = |what: String, changed: &[Vec<u8>]| {
        for trust in [
            trust(),
            trust().holding(held.clone()),
            trust().holding(signed.clone()),
        ] {
            let report = audit(&under(changed, &signed), trust);
            assert_eq!(report.word, Word::Failed, "{what}");
        }
        let report = audit(&publish(changed), trust().holding(signed.clone()));
        assert_eq!(report.word, Word::Failed, "{what}, signed anew");
    };
    for i in 0..leaves.len() - 1 {
        let mut swapped = leaves.clone();
        swapped.swap(i, i + 1);
        fails(format!("{i} and {} swapped", i + 1), &swapped);
        let mut dropped = leaves.clone();
        dropped.remove(i);
        fails(format!("{i} dropped"), &dropped);
        let mut repeated = leaves.clone();
        repeated.insert(i, leaves[i].clone());
        fails(format!("{i} repeated"), &repeated);
        fails(format!("tail dropped after {i}"), &leaves[..=i]);
    }
    let mut middle = leaves.clone();
    middle.drain(15..25);
    fails("middle dropped".into(), &middle);
}

/// Flips bits in every byte of every file.
fn every_byte_counts(log: &MemoryLog) {
    let said = |log: &MemoryLog, what: String| {
        let report = audit(log, trust());
        assert_eq!(report.word, Word::Failed, "{what}");
    };
    for (tile, bytes) in &log.tiles {
        for position in 0..bytes.len() {
            for mask in [0x01, 0x20, 0xff] {
                let mut changed = log.clone();
                changed.tiles.get_mut(tile).unwrap()[position] ^= mask;
                said(&changed, format!("{tile} byte {position} ^ {mask:#x}"));
            }
        }
    }
    for position in 0..log.checkpoint.len() {
        for mask in [0x01, 0x20, 0xff] {
            let mut changed = log.clone();
            changed.checkpoint[position] ^= mask;
            said(&changed, format!("checkpoint byte {position} ^ {mask:#x}"));
        }
    }
}

#[test]
fn every_byte_of_every_file_of_a_small_log_counts() {
    let leaves = beginning().leaves();
    let few = [&leaves[..3], &leaves[leaves.len() - 3..]].concat();
    let sound = audit(&publish(&leaves), trust());
    assert_eq!(sound.word, Word::Unanchored, "{}", told(&sound));
    every_byte_counts(&publish(&few[..1]));
    every_byte_counts(&publish(&leaves[..2]));
    assert!(AnyEntry::from_leaf(&few[5]).is_ok());
    // The rest of the leaves, byte by byte, in the whole log.
    let log = publish(&leaves);
    let (tile, bytes) = log
        .tiles
        .iter()
        .find(|(t, _)| matches!(t, AnyTile::Entries(_)))
        .unwrap();
    for position in 0..bytes.len() {
        let mut changed = log.clone();
        changed.tiles.get_mut(tile).unwrap()[position] ^= 0x01;
        assert_eq!(
            audit(&changed, trust()).word,
            Word::Failed,
            "byte {position}"
        );
    }
}
