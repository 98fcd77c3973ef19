//! Every kind of entry has a leaf, and every leaf is read back as the entry that it is.

use std::collections::BTreeMap;

use countersign_core::entry::{AnyEntry, Body, COMMON_MEMBERS, Entry, LeafError};
use countersign_core::refs::Sha256;
use serde_json::{Map, Value, json};

use crate::{files, samples};

struct Vector {
    name: String,
    leaf: String,
    leaf_hash: String,
}

/// SHA-256(0x00 ‖ leaf) in hex, RFC 6962 section 2.1.
fn leaf_hash(leaf: &[u8]) -> String {
    let digest = Sha256::of(&[&[0u8], leaf].concat()).to_string();
    digest.trim_start_matches("sha256:").to_owned()
}

fn vectors() -> Vec<Vector> {
    let lines: Vec<String> = samples::entries()
        .into_iter()
        .map(|(name, entry)| {
            let leaf = entry.to_leaf().unwrap().into_bytes();
            let leaf_hash = leaf_hash(&leaf);
            let leaf = String::from_utf8(leaf).unwrap();
            json!({"name": name, "leaf": leaf, "leaf_hash": leaf_hash}).to_string()
        })
        .collect();
    let path = files::vectors("entries.jsonl");
    let text = files::golden(&path, "UPDATE_VECTORS", &(lines.join("\n") + "\n"));
    text.lines()
        .map(|line| {
            let vector: BTreeMap<String, String> = serde_json::from_str(line).unwrap();
            Vector {
                name: vector["name"].clone(),
                leaf: vector["leaf"].clone(),
                leaf_hash: vector["leaf_hash"].clone(),
            }
        })
        .collect()
}

fn read(leaf: &str) -> Result<AnyEntry, LeafError> {
    AnyEntry::from_leaf(leaf.as_bytes())
}

fn members(leaf: &str) -> Map<String, Value> {
    serde_json::from_str(leaf).unwrap()
}

/// The canonical JSON of members that may or may not be an entry.
fn spelt(members: &Map<String, Value>) -> String {
    let canonical = countersign_core::json::CanonicalJson::of(members).unwrap();
    String::from_utf8(canonical.into_bytes()).unwrap()
}

#[test]
fn the_vectors_are_the_leaves_of_the_samples() {
    let vectors = vectors();
    let samples = samples::entries();
    assert_eq!(
        vectors.len(),
        samples.len(),
        "UPDATE_VECTORS=1 writes them anew"
    );
    for (vector, (name, entry)) in vectors.iter().zip(&samples) {
        assert_eq!(&vector.name, name);
        let leaf = entry.to_leaf().unwrap();
        assert_eq!(leaf.as_bytes(), vector.leaf.as_bytes(), "{name}");
        assert_eq!(leaf_hash(leaf.as_bytes()), vector.leaf_hash, "{name}");
    }
}

#[test]
fn every_vector_reads_back_as_its_entry() {
    for (vector, (name, entry)) in vectors().iter().zip(samples::entries()) {
        let found = read(&vector.leaf).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(found, AnyEntry::Known(Box::new(entry)), "{name}");
    }
}

#[test]
fn every_kind_has_a_vector_with_each_of_its_members() {
    let mut seen: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    for vector in vectors() {
        let members = members(&vector.leaf);
        let kind = members["kind"].as_str().unwrap().to_owned();
        seen.entry(kind).or_default().extend(members);
    }
    for (kind, _, own) in Body::KINDS {
        let found = seen
            .remove(*kind)
            .unwrap_or_else(|| panic!("`{kind}` has no vector"));
        let mut expected: Vec<&str> = COMMON_MEMBERS.iter().chain(*own).map(|m| m.name).collect();
        let mut found: Vec<&str> = found.keys().map(String::as_str).collect();
        expected.sort_unstable();
        found.sort_unstable();
        assert_eq!(
            found, expected,
            "`{kind}`: members of its vectors and of its declaration"
        );
    }
    assert_eq!(
        seen.keys().collect::<Vec<_>>(),
        Vec::<&String>::new(),
        "undeclared kinds"
    );
}

#[test]
fn a_member_that_is_not_optional_always_stands_in_the_leaf() {
    for vector in vectors() {
        let members = members(&vector.leaf);
        let kind = members["kind"].as_str().unwrap();
        let (_, _, own) = Body::KINDS.iter().find(|(k, _, _)| *k == kind).unwrap();
        for member in COMMON_MEMBERS.iter().chain(*own) {
            let is_there = members.contains_key(member.name);
            assert!(
                is_there || member.is_optional,
                "{}: `{}`",
                vector.name,
                member.name
            );
        }
    }
}

#[test]
fn a_leaf_with_a_member_removed_renamed_or_added_is_refused() {
    for vector in vectors() {
        let whole = members(&vector.leaf);
        let kind = whole["kind"].as_str().unwrap().to_owned();
        let (_, _, own) = Body::KINDS.iter().find(|(k, _, _)| *k == kind).unwrap();
        for name in whole.keys() {
            let mut without = whole.clone();
            let value = without.shift_remove(name).unwrap();
            let is_optional = own.iter().any(|m| m.name == name && m.is_optional);
            assert_eq!(
                read(&spelt(&without)).is_ok(),
                is_optional,
                "{kind} without `{name}`"
            );
            without.insert(format!("{name}_"), value);
            assert!(read(&spelt(&without)).is_err(), "{kind} with `{name}_`");
        }
        let mut with = whole.clone();
        with.insert("note".into(), json!("from the agent"));
        assert!(read(&spelt(&with)).is_err(), "{kind} with a sibling");
        for (nested, value) in &whole {
            if let Value::Object(inner) = value {
                let mut inner = inner.clone();
                inner.insert("note".into(), json!(1));
                let mut with = whole.clone();
                with.insert(nested.clone(), Value::Object(inner));
                assert!(
                    read(&spelt(&with)).is_err(),
                    "{kind} with a sibling in `{nested}`"
                );
            }
        }
    }
}

#[test]
fn null_for_an_optional_member_is_a_second_spelling_and_refused() {
    for vector in vectors() {
        let whole = members(&vector.leaf);
        let kind = whole["kind"].as_str().unwrap().to_owned();
        let (_, _, own) = Body::KINDS.iter().find(|(k, _, _)| *k == kind).unwrap();
        for member in own.iter().filter(|m| m.is_optional) {
            let mut with = whole.clone();
            with.insert(member.name.into(), Value::Null);
            let refused = read(&spelt(&with));
            assert_eq!(
                refused,
                Err(LeafError::NotCanonical),
                "{kind}: `{}`",
                member.name
            );
        }
        if let Some(Value::Object(_)) = whole.get("links") {
            let mut with = whole.clone();
            with.insert("links".into(), json!({"flag": null}));
            assert_eq!(
                read(&spelt(&with)),
                Err(LeafError::NotCanonical),
                "{kind}: links"
            );
        }
    }
}

#[test]
fn a_list_with_its_items_where_an_object_belongs_is_a_second_spelling_and_refused() {
    for vector in vectors() {
        let whole = members(&vector.leaf);
        for (name, value) in &whole {
            if let Value::Object(inner) = value {
                let mut with = whole.clone();
                with.insert(name.clone(), inner.values().cloned().collect());
                assert!(read(&spelt(&with)).is_err(), "{}: `{name}`", vector.name);
            }
        }
    }
}

#[test]
fn one_entry_has_one_spelling() {
    for vector in vectors() {
        let leaf = &vector.leaf;
        let reversed: Vec<_> = members(leaf).into_iter().collect();
        let reversed: Map<String, Value> = reversed.into_iter().rev().collect();
        let escaped = leaf.replacen("\"kind\"", "\"\\u006bind\"", 1);
        let twice = leaf.replacen('{', "{\"v\":1,", 1);
        let spelt_again = [
            leaf.replacen(':', ": ", 1),
            format!("{leaf}\n"),
            format!(" {leaf}"),
            serde_json::to_string(&reversed).unwrap(),
            leaf.replace("\"v\":1", "\"v\":1.0"),
            leaf.replace("\"v\":1", "\"v\":1e0"),
            leaf.replace("\"v\":1", "\"v\":2"),
            leaf.replace("\"v\":1", "\"v\":\"1\""),
            leaf.replace("Z\"", "+00:00\""),
            escaped,
            twice,
        ];
        for other in spelt_again {
            assert_ne!(&other, leaf);
            assert!(read(&other).is_err(), "{}: {other}", vector.name);
        }
    }
}

#[test]
fn a_kind_that_is_not_known_is_met_without_failing() {
    let leaf = r#"{"entry_id":"01HYB7K3M4FXQZ9V2N6PTJD8RC","kind":"from-the-future","new":[1,{"a":null}],"timestamp":"2026-04-18T02:13:44.000Z","v":1}"#;
    let Ok(AnyEntry::Unknown(entry)) = read(leaf) else {
        panic!("{:?}", read(leaf));
    };
    assert_eq!(entry.kind, "from-the-future");
    assert_eq!(Value::from(entry.members), json!({"new": [1, {"a": null}]}));
    assert!(read(&leaf.replace("from-the-future", "decision")).is_err());
    for bad in ["", "A", "a b", "a\\n", "\\u001b[2J", &"a".repeat(65)] {
        assert!(
            read(&leaf.replace("from-the-future", bad)).is_err(),
            "{bad}"
        );
    }
}

#[test]
fn no_member_takes_a_value_of_another_type() {
    let others = [
        json!(true),
        json!(-1.5),
        json!("\u{0}"),
        json!([[]]),
        json!({"x": {}}),
    ];
    for vector in vectors() {
        let whole = members(&vector.leaf);
        for (name, value) in &whole {
            for other in &others {
                let is_same_type = matches!((value, other), (Value::Bool(_), Value::Bool(_)));
                // `is_error` is null or true or false.
                if is_same_type || name == "is_error" && other.is_boolean() {
                    continue;
                }
                let mut with = whole.clone();
                with.insert(name.clone(), other.clone());
                assert!(
                    read(&spelt(&with)).is_err(),
                    "{}: `{name}`: {other}",
                    vector.name
                );
            }
        }
    }
}

#[test]
fn numbers_that_canonical_json_cannot_hold_have_no_leaf() {
    for (name, entry) in samples::entries() {
        let Body::Throttled(mut body) = entry.body.clone() else {
            continue;
        };
        body.requests = 9_007_199_254_740_993;
        let entry = Entry {
            body: body.into(),
            ..entry
        };
        assert!(entry.to_leaf().is_err(), "{name}");
    }
}
