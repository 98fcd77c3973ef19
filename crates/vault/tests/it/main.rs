//! Sealed records, and everything that can be wrong with one.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests fail as tests do"
)]

use countersign_core::document::{Call, Document, Reasoning, Salt, SealedRecord, Statement};
use countersign_core::random::Random;
use countersign_core::refs::Sha256;
use countersign_vault::{
    KeyEncryptionKey, KeyWrapper, OpenError, RecordKey, SealError, Vault, VaultError, WrapError,
};
use proptest::prelude::*;
use std::collections::HashSet;
use zeroize::Zeroizing;

/// Random enough for tests, and a different one each time.
struct Draw;

impl Random for Draw {
    fn fill(&self, bytes: &mut [u8]) {
        aws_lc_rs::rand::fill(bytes).unwrap();
    }
}

fn kek(id: &str, byte: u8) -> Box<dyn KeyWrapper> {
    Box::new(KeyEncryptionKey::new(id, Zeroizing::new([byte; 32])))
}

fn vault_of(tenant: &str, wrappers: Vec<Box<dyn KeyWrapper>>) -> Vault {
    Vault::new(tenant.parse().unwrap(), wrappers).unwrap()
}

fn vault() -> Vault {
    vault_of("acme", vec![kek("vault-1", 1)])
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
        assert_eq!(with(&|r| r.nonce = bytes.clone()), Err(OpenError::Decrypt));
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
            assert_eq!(refused, Err(OpenError::Decrypt));
        }
    }
    for kind in damaged(record.kind.as_bytes()) {
        let kind = String::from_utf8_lossy(&kind).into_owned();
        assert_eq!(with(&|r| r.kind = kind.clone()), Err(OpenError::Decrypt));
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
    let swaps: [fn(&mut SealedRecord, &SealedRecord); 4] = [
        |a, b| a.wrapped_key.clone_from(&b.wrapped_key),
        |a, b| a.nonce.clone_from(&b.nonce),
        |a, b| a.ciphertext.clone_from(&b.ciphertext),
        |a, b| a.reference = b.reference,
    ];
    for swap in swaps {
        let mut mixed = a.clone();
        swap(&mut mixed, &b);
        assert_eq!(vault().open_bytes(&mixed), Err(OpenError::Decrypt));
    }
    // All of the other's secret parts under this one's ref: a record passed off as another.
    let passed_off = SealedRecord {
        reference: a.reference,
        ..b
    };
    assert_eq!(vault().open_bytes(&passed_off), Err(OpenError::Decrypt));
}

#[test]
fn a_record_opens_for_its_tenant_only() {
    let record = sealed("because");
    for other in ["acm", "acmee", "acme-2", "a"] {
        let vault = vault_of(other, vec![kek("vault-1", 1)]);
        assert_eq!(
            vault.open_bytes(&record),
            Err(OpenError::Decrypt),
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
    assert_eq!(vault().open::<Statement>(&renamed), Err(OpenError::Decrypt));
}

#[test]
fn only_the_key_that_wrapped_unwraps() {
    let record = sealed("because");
    let other = vault_of("acme", vec![kek("vault-1", 2)]);
    assert!(matches!(other.open_bytes(&record), Err(OpenError::Wrap(_))));
    let elsewhere = vault_of("acme", vec![kek("vault-2", 1)]);
    let missing = OpenError::UnknownKey {
        key_id: "vault-1".into(),
    };
    assert_eq!(elsewhere.open_bytes(&record), Err(missing));
}

#[test]
fn the_newest_key_wraps_and_all_unwrap() {
    let old = sealed("because");
    let rotated = vault_of("acme", vec![kek("vault-1", 1), kek("vault-2", 2)]);
    assert!(rotated.open_bytes(&old).is_ok());
    let (_, new) = rotated.seal(&reasoning("since"), &Draw).unwrap();
    assert_eq!(new.key_id, "vault-2");
    assert!(rotated.open_bytes(&new).is_ok());
    assert!(vault().open_bytes(&new).is_err());
}

#[test]
fn a_record_can_be_wrapped_anew_without_being_encrypted_anew() {
    let record = sealed("because");
    let (old, new) = (kek("vault-1", 1), kek("vault-2", 2));
    let key = old.unwrap(&record.wrapped_key).unwrap();
    let moved = SealedRecord {
        key_id: "vault-2".into(),
        wrapped_key: new.wrap(&key).unwrap(),
        ..record
    };
    let vault = vault_of("acme", vec![kek("vault-2", 2)]);
    assert!(vault.open::<Reasoning>(&moved).is_ok());
}

/// A wrapper that hands out the key that it was told to, as somebody who holds the keys could.
struct Dishonest([u8; 32]);

impl KeyWrapper for Dishonest {
    fn id(&self) -> &str {
        "vault-1"
    }
    fn wrap(&self, _: &RecordKey) -> Result<Vec<u8>, WrapError> {
        Ok(Vec::new())
    }
    fn unwrap(&self, _: &[u8]) -> Result<RecordKey, WrapError> {
        Ok(RecordKey::from_bytes(self.0))
    }
}

#[test]
fn whoever_holds_the_keys_still_cannot_put_another_text_under_a_ref() {
    use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
    let (honest, lie) = (reasoning("yes"), reasoning("no"));
    let reference = *honest.reference().unwrap().digest();
    let mut ciphertext = lie.canonical().unwrap().into_bytes();
    let mut aad = b"countersign/sealed-record/v1\n".to_vec();
    for field in [&reference.as_bytes()[..], b"acme", b"reasoning"] {
        aad.extend_from_slice(&(field.len() as u64).to_be_bytes());
        aad.extend_from_slice(field);
    }
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &[9; 32]).unwrap());
    let nonce = Nonce::assume_unique_for_key([0; 12]);
    key.seal_in_place_append_tag(nonce, Aad::from(aad), &mut ciphertext)
        .unwrap();
    let forged = SealedRecord {
        reference,
        kind: "reasoning".into(),
        key_id: "vault-1".into(),
        wrapped_key: Vec::new(),
        nonce: vec![0; 12],
        ciphertext,
    };
    let found = *lie.reference().unwrap().digest();
    let vault = vault_of("acme", vec![Box::new(Dishonest([9; 32]))]);
    let wrong = OpenError::WrongRef {
        expected: reference,
        found,
    };
    assert_eq!(vault.open_bytes(&forged), Err(wrong.clone()));
    assert_eq!(vault.open::<Reasoning>(&forged), Err(wrong));
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

#[test]
fn a_vault_needs_keys_with_ids_of_their_own() {
    let made = |wrappers| Vault::new("acme".parse().unwrap(), wrappers).err();
    assert_eq!(made(Vec::new()), Some(VaultError::NoKey));
    let twice = vec![kek("a", 1), kek("b", 2), kek("a", 3)];
    assert_eq!(made(twice), Some(VaultError::SameId("a".into())));
}

#[test]
fn key_wrap_gives_what_rfc_3394_section_4_6_gives() {
    let kek: [u8; 32] = std::array::from_fn(|at| at as u8);
    let mut data = [0u8; 32];
    for (at, byte) in data.iter_mut().enumerate() {
        *byte = if at < 16 {
            (at * 0x11) as u8
        } else {
            (at - 16) as u8
        };
    }
    let wrapper = KeyEncryptionKey::new("vault-1", Zeroizing::new(kek));
    let wrapped = wrapper.wrap(&RecordKey::from_bytes(data)).unwrap();
    let hex: String = wrapped.iter().map(|byte| format!("{byte:02X}")).collect();
    assert_eq!(
        hex,
        "28C9F404C4B810F4CBCCB35CFB87F8263F5786E2D80ED326CBC7F0E71A99F43BFB988B9B7A02DD21"
    );
    assert_eq!(wrapper.unwrap(&wrapped).unwrap().as_bytes(), &data);
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
        nonce in prop::collection::vec(any::<u8>(), 0..20),
        ciphertext in prop::collection::vec(any::<u8>(), 0..200),
        with_key in any::<bool>(),
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
        if with_key {
            let vault = vault_of("acme", vec![Box::new(Dishonest([9; 32]))]);
            prop_assert_eq!(vault.open_bytes(&record), Err(OpenError::Decrypt));
        }
    }
}
