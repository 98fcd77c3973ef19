//! Sealed records, and everything that can be wrong with one.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests fail as tests do"
)]

use countersign_core::document::{Call, Document, Reasoning, Salt, SealedRecord, Statement};
use countersign_core::random::Random;
use countersign_core::refs::Sha256;
use countersign_vault::{Epoch, KeyEncryptionKey, OpenError, SealError, Vault};
use proptest::prelude::*;
use std::collections::HashSet;
use zeroize::Zeroizing;

mod commitment;
mod epochs;

/// Random enough for tests, and a different one each time.
struct Draw;

impl Random for Draw {
    fn fill(&self, bytes: &mut [u8]) {
        aws_lc_rs::rand::fill(bytes).unwrap();
    }
}

fn kek(id: &str, byte: u8) -> KeyEncryptionKey {
    KeyEncryptionKey::new(id, Zeroizing::new([byte; 32]))
}

/// An epoch whose key wraps the keys of records itself.
fn direct(number: u32, byte: u8) -> Epoch {
    Epoch::direct(number, kek(&format!("vault-{number}"), byte))
}

fn vault_of(tenant: &str, epochs: Vec<Epoch>) -> Vault {
    Vault::new(tenant.parse().unwrap(), epochs).unwrap()
}

fn vault() -> Vault {
    vault_of("acme", vec![direct(1, 1)])
}

fn reasoning(text: &str) -> Reasoning {
    Reasoning {
        tenant: "acme".parse().unwrap(),
        text: text.to_owned(),
        salt: Salt::fresh(&Draw),
    }
}

fn sealed(text: &str) -> SealedRecord {
    vault().seal(&reasoning(text), &Draw).unwrap().1
}

#[test]
fn what_was_sealed_opens_to_the_same_document_under_its_ref() {
    let document = reasoning("because the customer asked");
    let (reference, record) = vault().seal(&document, &Draw).unwrap();
    assert_eq!(reference, document.reference().unwrap());
    assert_eq!(record.reference, *reference.digest());
    assert_eq!(
        (record.kind.as_str(), record.key_id.as_str()),
        ("reasoning", "vault-1")
    );
    assert_eq!(vault().open::<Reasoning>(&record).unwrap(), document);
    let bytes = vault().open_bytes(&record).unwrap();
    assert_eq!(bytes, document.canonical().unwrap().as_bytes());
}

#[test]
fn the_record_shows_nothing_of_the_text_and_no_key_serves_twice() {
    let document = reasoning("because the customer asked");
    let records: Vec<_> = (0..50)
        .map(|_| vault().seal(&document, &Draw).unwrap().1)
        .collect();
    let distinct = |part: fn(&SealedRecord) -> &Vec<u8>| {
        records.iter().map(part).collect::<HashSet<_>>().len()
    };
    assert_eq!(distinct(|record| &record.wrapped_key), 50);
    assert_eq!(distinct(|record| &record.nonce), 50);
    assert_eq!(distinct(|record| &record.ciphertext), 50);
    for record in &records {
        assert!(
            !record
                .ciphertext
                .windows(8)
                .any(|window| window == b"customer")
        );
    }
}

/// Every way to change one byte, add one or take one away.
fn damaged(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut all = vec![Vec::new(), [bytes, &[0]].concat(), [&[0], bytes].concat()];
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut changed = bytes.to_vec();
            changed[at] ^= 1 << bit;
            all.push(changed);
        }
        all.push([&bytes[..at], &bytes[at + 1..]].concat());
    }
    all.retain(|changed| changed != bytes);
    all
}

#[test]
fn no_bit_of_any_field_can_be_changed() {
    let record = sealed("because");
    let with = |change: &dyn Fn(&mut SealedRecord)| {
        let mut changed = record.clone();
        change(&mut changed);
        vault().open_bytes(&changed)
    };
    for bytes in damaged(&record.ciphertext) {
        assert_eq!(
            with(&|r| r.ciphertext = bytes.clone()),
            Err(OpenError::Decrypt)
        );
    }
    for bytes in damaged(&record.nonce) {
        let refused = with(&|r| r.nonce = bytes.clone()).unwrap_err();
        // A change of length or of the form leaves no record at all.
        let is_form = bytes.len() != record.nonce.len() || bytes[0] != record.nonce[0];
        let expected = match is_form {
            true => OpenError::Decrypt,
            false => OpenError::Commitment,
        };
        assert_eq!(refused, expected);
    }
    for bytes in damaged(&record.wrapped_key) {
        assert!(matches!(
            with(&|r| r.wrapped_key = bytes.clone()),
            Err(OpenError::Wrap(_))
        ));
    }
    for bytes in damaged(record.reference.as_bytes()) {
        if let Ok(bytes) = bytes.try_into() {
            let refused = with(&|r| r.reference = Sha256::from_bytes(bytes));
            assert_eq!(refused, Err(OpenError::Commitment));
        }
    }
    for kind in damaged(record.kind.as_bytes()) {
        let kind = String::from_utf8_lossy(&kind).into_owned();
        assert_eq!(with(&|r| r.kind = kind.clone()), Err(OpenError::Commitment));
        let mut changed = record.clone();
        changed.kind = kind;
        let refused = vault().open::<Reasoning>(&changed);
        assert!(matches!(refused, Err(OpenError::WrongKind { .. })));
    }
    for id in damaged(record.key_id.as_bytes()) {
        let id = String::from_utf8_lossy(&id).into_owned();
        let refused = with(&|r| r.key_id = id.clone());
        assert!(matches!(refused, Err(OpenError::UnknownKey { .. })));
    }
}

#[test]
fn parts_of_two_records_do_not_make_one() {
    let (a, b) = (sealed("a"), sealed("b"));
    type Swap = fn(&mut SealedRecord, &SealedRecord);
    let swaps: [(Swap, OpenError); 4] = [
        (
            |a, b| a.wrapped_key.clone_from(&b.wrapped_key),
            OpenError::Commitment,
        ),
        (|a, b| a.nonce.clone_from(&b.nonce), OpenError::Commitment),
        (
            |a, b| a.ciphertext.clone_from(&b.ciphertext),
            OpenError::Decrypt,
        ),
        (|a, b| a.reference = b.reference, OpenError::Commitment),
    ];
    for (swap, expected) in swaps {
        let mut mixed = a.clone();
        swap(&mut mixed, &b);
        assert_eq!(vault().open_bytes(&mixed), Err(expected));
    }
    // All of the other's secret parts under this one's ref: a record passed off as another.
    let passed_off = SealedRecord {
        reference: a.reference,
        ..b
    };
    assert_eq!(vault().open_bytes(&passed_off), Err(OpenError::Commitment));
}

#[test]
fn a_record_opens_for_its_tenant_only() {
    let record = sealed("because");
    for other in ["acm", "acmee", "acme-2", "a"] {
        let vault = vault_of(other, vec![direct(1, 1)]);
        assert_eq!(
            vault.open_bytes(&record),
            Err(OpenError::Commitment),
            "{other}"
        );
    }
}

#[test]
fn a_record_of_one_kind_is_not_opened_as_another() {
    let record = sealed("because");
    let refused = vault().open::<Statement>(&record).unwrap_err();
    assert_eq!(
        refused,
        OpenError::WrongKind {
            expected: "statement",
            found: "reasoning".into()
        }
    );
    // `Statement` has the same members; rewriting the record's kind does not help.
    let renamed = SealedRecord {
        kind: "statement".into(),
        ..record
    };
    assert_eq!(
        vault().open::<Statement>(&renamed),
        Err(OpenError::Commitment)
    );
}

#[test]
fn a_document_that_nobody_could_open_is_not_sealed() {
    let long = reasoning(&"x".repeat(Reasoning::MAX_BYTES));
    let refused = vault().seal(&long, &Draw).unwrap_err();
    assert!(matches!(
        refused,
        SealError::TooLong {
            kind: "reasoning",
            ..
        }
    ));
}

fn call(args: serde_json::Value, tool: String) -> Call {
    Call {
        tenant: "acme".parse().unwrap(),
        tool,
        args_sha256: Sha256::of(args.to_string().as_bytes()),
        args,
        external_call_id: None,
        wire: None,
        workspace: None,
        definition: None,
        salt: Salt::fresh(&Draw),
    }
}

proptest! {
    #[test]
    fn any_document_comes_back(text in ".{0,300}", number in -(1i64 << 53)..(1i64 << 53)) {
        let document = call(serde_json::json!({ text.clone(): [number, text.clone()] }), text);
        let (reference, record) = vault().seal(&document, &Draw).unwrap();
        prop_assert_eq!(vault().open::<Call>(&record).unwrap(), document);
        prop_assert_eq!(&record.reference, reference.digest());
    }

    #[test]
    fn any_made_up_record_is_refused(
        reference in any::<[u8; 32]>(),
        kind in "[a-z-]{0,12}",
        wrapped_key in prop::collection::vec(any::<u8>(), 0..80),
        nonce in prop::collection::vec(any::<u8>(), 0..50),
        ciphertext in prop::collection::vec(any::<u8>(), 0..200),
        form in any::<Option<bool>>(),
    ) {
        let record = SealedRecord {
            reference: Sha256::from_bytes(reference),
            kind,
            key_id: "vault-1".to_owned(),
            wrapped_key,
            nonce,
            ciphertext,
        };
        prop_assert!(vault().open_bytes(&record).is_err());
        // With a key that does unwrap, and a nonce of either form.
        let nonce = match form {
            None => record.nonce.clone(),
            Some(true) => vec![0; 12],
            Some(false) => [&[2][..], &[0; 44]].concat(),
        };
        let record = SealedRecord { wrapped_key: sealed("x").wrapped_key, nonce, ..record };
        let refused = vault().open_bytes(&record).unwrap_err();
        prop_assert!(matches!(refused, OpenError::Decrypt | OpenError::Commitment));
    }
}
