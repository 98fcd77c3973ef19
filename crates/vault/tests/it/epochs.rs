//! Epochs of keys: which one wraps, which unwrap, and what is left when they end.

use countersign_core::document::{Document as _, Reasoning, SealedRecord};
use countersign_vault::{
    Epoch, KeyEncryptionKey, KeyWrapper, OpenError, RewrapError, TenantKey, VaultError, WrapError,
};
use std::sync::atomic::{AtomicUsize, Ordering};
use zeroize::Zeroizing;

use super::{Draw, direct, kek, reasoning, sealed, vault, vault_of};

/// An epoch with a tenant's key of its own.
fn epoch(number: u32, byte: u8) -> Epoch {
    let kek = kek(&format!("vault-{number}"), byte);
    Epoch::begin(number, &kek, &Draw).unwrap().0
}

#[test]
fn only_the_key_that_wrapped_unwraps() {
    let record = sealed("because");
    let other = vault_of("acme", vec![direct(1, 2)]);
    assert!(matches!(other.open_bytes(&record), Err(OpenError::Wrap(_))));
    let elsewhere = vault_of("acme", vec![direct(2, 1)]);
    let missing = OpenError::UnknownKey {
        key_id: "vault-1".into(),
    };
    assert_eq!(elsewhere.open_bytes(&record), Err(missing));
    // The key-encryption key of an epoch with a tenant's key opens no record by itself.
    let (first, _) = Epoch::begin(1, &kek("vault-1", 1), &Draw).unwrap();
    let vault = vault_of("acme", vec![first]);
    let (_, record) = vault.seal(&reasoning("since"), &Draw).unwrap();
    let refused = vault_of("acme", vec![direct(1, 1)]).open_bytes(&record);
    assert!(matches!(refused, Err(OpenError::Wrap(_))));
}

#[test]
fn the_newest_epoch_wraps_and_all_unwrap() {
    let old = sealed("because");
    let rotated = vault_of("acme", vec![direct(1, 1), epoch(2, 2)]);
    assert!(rotated.open_bytes(&old).is_ok());
    let (_, new) = rotated.seal(&reasoning("since"), &Draw).unwrap();
    assert_eq!(new.key_id, "vault-2");
    assert!(rotated.open_bytes(&new).is_ok());
    assert!(vault().open_bytes(&new).is_err());
}

#[test]
fn an_epoch_opens_by_its_stored_tenant_key_and_by_no_other() {
    let (begun, stored) = Epoch::begin(1, &kek("vault-1", 1), &Draw).unwrap();
    let (_, record) = vault_of("acme", vec![begun])
        .seal(&reasoning("because"), &Draw)
        .unwrap();
    let opened = Epoch::open(1, &kek("vault-1", 1), &stored).unwrap();
    assert!(vault_of("acme", vec![opened]).open_bytes(&record).is_ok());
    assert!(Epoch::open(1, &kek("vault-1", 2), &stored).is_err());
    for at in 0..stored.len() {
        let mut changed = stored.clone();
        changed[at] ^= 1;
        assert!(Epoch::open(1, &kek("vault-1", 1), &changed).is_err());
    }
    assert!(Epoch::open(1, &kek("vault-1", 1), &stored[1..]).is_err());
}

#[test]
fn records_are_wrapped_anew_without_being_encrypted_anew() {
    let vault = vault();
    let records: Vec<SealedRecord> = ["a", "b"].map(sealed).into();
    vault.begin(epoch(2, 2)).unwrap();
    let moved: Vec<_> = records
        .into_iter()
        .map(|record| {
            let (key_id, wrapped_key) = vault.rewrap(&record.key_id, &record.wrapped_key).unwrap();
            let moved = SealedRecord {
                key_id,
                wrapped_key,
                ..record.clone()
            };
            assert_eq!(moved.key_id, "vault-2");
            assert_ne!(moved.wrapped_key, record.wrapped_key);
            moved
        })
        .collect();
    vault.forget_before(2);
    for record in &moved {
        assert!(vault.open::<Reasoning>(record).is_ok());
    }
    let gone = sealed("c");
    assert!(matches!(
        vault.open_bytes(&gone),
        Err(OpenError::UnknownKey { .. })
    ));
    let refused = vault.rewrap(&gone.key_id, &gone.wrapped_key);
    assert!(matches!(refused, Err(RewrapError::Open(_))));
}

#[test]
fn what_was_sealed_before_an_epoch_began_is_stored_under_it_or_not_at_all() {
    let vault = vault();
    let (_, early) = vault.seal(&reasoning("early"), &Draw).unwrap();
    let mut same = early.clone();
    vault.admit(&mut same).unwrap();
    assert_eq!(same, early, "the epoch is still the newest");
    vault.begin(epoch(2, 2)).unwrap();
    let mut moved = early.clone();
    vault.admit(&mut moved).unwrap();
    assert_eq!(moved.key_id, "vault-2");
    assert_eq!(
        (&moved.nonce, &moved.ciphertext),
        (&early.nonce, &early.ciphertext)
    );
    assert!(vault.open::<Reasoning>(&moved).is_ok());
    vault.forget_before(2);
    let mut late = early.clone();
    assert!(vault.admit(&mut late).is_err());
    assert_eq!(late, early);
}

#[test]
fn the_newest_epoch_is_never_forgotten() {
    let vault = vault_of("acme", vec![epoch(3, 1), epoch(4, 2)]);
    vault.forget_before(9);
    assert_eq!(vault.newest().unwrap(), (4, "vault-4".to_owned()));
    assert!(vault.seal(&reasoning("x"), &Draw).is_ok());
}

#[test]
fn epochs_follow_each_other_and_have_ids_of_their_own() {
    let made = |epochs| countersign_vault::Vault::new("acme".parse().unwrap(), epochs).err();
    assert_eq!(made(Vec::new()), Some(VaultError::NoKey));
    let named = |number, id: &str| Epoch::direct(number, kek(id, 1));
    assert_eq!(
        made(vec![named(1, "a"), named(2, "b"), named(3, "a")]),
        Some(VaultError::SameId("a".into()))
    );
    let order = VaultError::Order {
        newest: 2,
        found: 2,
    };
    assert_eq!(
        made(vec![named(2, "a"), named(2, "b")]),
        Some(order.clone())
    );
    let vault = vault_of("acme", vec![named(2, "a")]);
    assert_eq!(vault.begin(named(2, "b")), Err(order));
    assert_eq!(vault.newest().unwrap(), (2, "a".to_owned()));
}

/// Counts how often a key service is asked.
struct Counting(KeyEncryptionKey, AtomicUsize);

impl KeyWrapper for Counting {
    fn id(&self) -> &str {
        self.0.id()
    }
    fn wrap(&self, key: &TenantKey) -> Result<Vec<u8>, WrapError> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.wrap(key)
    }
    fn unwrap(&self, wrapped: &[u8]) -> Result<TenantKey, WrapError> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.unwrap(wrapped)
    }
}

#[test]
fn a_key_service_is_asked_once_per_epoch_and_never_for_a_record() {
    let service = Counting(kek("vault-1", 1), AtomicUsize::new(0));
    let (begun, stored) = Epoch::begin(1, &service, &Draw).unwrap();
    let sealing = vault_of("acme", vec![begun]);
    let opening = vault_of("acme", vec![Epoch::open(1, &service, &stored).unwrap()]);
    for text in ["a", "b", "c"] {
        let (_, record) = sealing.seal(&reasoning(text), &Draw).unwrap();
        opening.open_bytes(&record).unwrap();
    }
    assert_eq!(service.1.load(Ordering::Relaxed), 2);
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
    let wrapped = wrapper
        .wrap(&TenantKey::from_bytes(Zeroizing::new(data)))
        .unwrap();
    let hex: String = wrapped.iter().map(|byte| format!("{byte:02X}")).collect();
    assert_eq!(
        hex,
        "28C9F404C4B810F4CBCCB35CFB87F8263F5786E2D80ED326CBC7F0E71A99F43BFB988B9B7A02DD21"
    );
    assert_eq!(**wrapper.unwrap(&wrapped).unwrap().as_bytes(), data);
}

/// The commitment of a document does not depend on epochs.
#[test]
fn a_ref_is_the_same_in_every_epoch() {
    let document = reasoning("because");
    let (first, _) = vault().seal(&document, &Draw).unwrap();
    let (second, _) = vault_of("acme", vec![epoch(7, 9)])
        .seal(&document, &Draw)
        .unwrap();
    assert_eq!(first, second);
    assert_eq!(first, document.reference().unwrap());
}
