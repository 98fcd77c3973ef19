//! What is too long for a leaf has none.

use countersign_core::entry::{AnyEntry, Body, Entry, LeafError, Policy, PolicyPhase, split};
use countersign_core::limits::{LEAF_BYTES, LEAF_LIST, PART_BYTES};
use countersign_core::refs::Sha256;

use crate::samples::{to, x};

fn entry(body: impl Into<Body>) -> Entry {
    Entry {
        entry_id: x("01HYB7K3M4FXQZ9V2N6PTJD8RC"),
        timestamp: x("2026-04-18T02:13:44.000Z"),
        body: body.into(),
    }
}

fn policy(parts: usize) -> Entry {
    entry(Policy {
        policy_ref: to("bundle"),
        phase: PolicyPhase::Stored,
        parts: (0..parts).map(|n| Sha256::of(&n.to_be_bytes())).collect(),
        previous: None,
        credential: None,
    })
}

#[test]
fn a_list_in_a_leaf_holds_64_items_and_no_more() {
    assert!(policy(LEAF_LIST).to_leaf().is_ok());
    let long = |found| LeafError::LongList {
        member: "parts".into(),
        found,
    };
    assert_eq!(policy(65).to_leaf(), Err(long(65)));

    let leaf = String::from_utf8(policy(64).to_leaf().unwrap().into_bytes()).unwrap();
    let digest = Sha256::of(b"one more");
    let longer = leaf.replace("\"parts\":[", &format!("\"parts\":[\"{digest}\","));
    assert_eq!(AnyEntry::from_leaf(longer.as_bytes()), Err(long(65)));
}

#[test]
fn a_leaf_has_60_kib_and_no_more() {
    let leaf = |padding: usize| {
        format!(
            r#"{{"entry_id":"01HYB7K3M4FXQZ9V2N6PTJD8RC","kind":"new","padding":"{}","timestamp":"2026-04-18T02:13:44.000Z","v":1}}"#,
            "x".repeat(padding)
        )
    };
    let room = LEAF_BYTES - leaf(0).len();
    assert!(AnyEntry::from_leaf(leaf(room).as_bytes()).is_ok());
    assert!(AnyEntry::from_leaf(leaf(room + 1).as_bytes()).is_err());
}

#[test]
fn the_longest_part_fits_a_leaf_and_longer_content_is_split() {
    let content = vec![0xff; PART_BYTES * 2 + 1];
    let parts = split(&content);
    assert_eq!(parts.len(), 3);
    let whole: Vec<u8> = parts
        .iter()
        .flat_map(|p| p.bytes.as_bytes().to_vec())
        .collect();
    assert_eq!(whole, content);
    for (n, part) in (0..).zip(parts) {
        assert_eq!((part.n, part.total, part.of), (n, 3, Sha256::of(&content)));
        let leaf = entry(part).to_leaf().unwrap();
        assert!(AnyEntry::from_leaf(leaf.as_bytes()).is_ok());
    }
}

#[test]
fn a_part_whose_base64_is_spelt_otherwise_is_refused() {
    let part = split(b"ab").remove(0);
    let leaf = String::from_utf8(entry(part).to_leaf().unwrap().into_bytes()).unwrap();
    assert!(leaf.contains("\"YWI=\""));
    for other in ["YWI", "YWJ=", "YW I=", "YWI=\\n", "YW-_"] {
        let other = leaf.replace("YWI=", other);
        assert!(AnyEntry::from_leaf(other.as_bytes()).is_err(), "{other}");
    }
}
