//! No ciphertext opens to two plaintexts: records commit to their keys, which AES-GCM does not.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{self, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::hmac;
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::key_wrap::{self, AesKek, KeyWrap as _};
use countersign_core::document::{Document, Reasoning, Salt, SealedRecord};
use countersign_core::random::Random;
use countersign_core::refs::Sha256;
use countersign_vault::OpenError;

use super::{Draw, direct, reasoning, vault, vault_of};

/// A block of GHASH, NIST SP 800-38D section 6.4: the first bit of the string is the highest here.
type Block = u128;

/// NIST SP 800-38D section 6.3, algorithm 1.
fn product(x: Block, y: Block) -> Block {
    let (mut z, mut v) = (0, y);
    for bit in (0..128).rev() {
        if x >> bit & 1 == 1 {
            z ^= v;
        }
        v = (v >> 1) ^ if v & 1 == 1 { 0xe1 << 120 } else { 0 };
    }
    z
}

/// By Fermat: x to the power of 2^128 - 2.
fn inverse(x: Block) -> Block {
    let (mut result, mut power) = (1 << 127, x);
    for _ in 1..128 {
        power = product(power, power);
        result = product(result, power);
    }
    result
}

fn padded(bytes: &[u8]) -> Vec<Block> {
    let blocks = bytes.chunks(16).map(|chunk| {
        let mut block = [0; 16];
        block[..chunk.len()].copy_from_slice(chunk);
        Block::from_be_bytes(block)
    });
    blocks.collect()
}

/// One block of AES-256, as the first block of a stream in counter mode.
fn block(key: &[u8; 32], input: [u8; 16]) -> Block {
    let key = UnboundCipherKey::new(&cipher::AES_256, key).unwrap();
    let mut zeros = [0; 16];
    EncryptingKey::ctr(key)
        .unwrap()
        .less_safe_encrypt(
            &mut zeros,
            EncryptionContext::Iv128(FixedLength::from(input)),
        )
        .unwrap();
    Block::from_be_bytes(zeros)
}

/// One ciphertext with its tag that AES-256-GCM takes under both keys. All blocks but the last are
/// `chosen`; the last makes the two tags alike, which are linear in it.
fn collision(keys: [&[u8; 32]; 2], nonce: [u8; 12], aad: &[u8], chosen: &[u8]) -> Vec<u8> {
    assert_eq!(chosen.len() % 16, 0);
    let mut lengths = [0; 16];
    lengths[..8].copy_from_slice(&(aad.len() as u64 * 8).to_be_bytes());
    lengths[8..].copy_from_slice(&((chosen.len() as u64 + 16) * 8).to_be_bytes());
    let lengths = Block::from_be_bytes(lengths);
    let mut first_counter = [0; 16];
    first_counter[..12].copy_from_slice(&nonce);
    first_counter[15] = 1;
    let tag = |key: &[u8; 32], last: Block| {
        let h = block(key, [0; 16]);
        let mut blocks = padded(aad);
        blocks.extend(padded(chosen));
        blocks.extend([last, lengths]);
        let hash = blocks
            .iter()
            .fold(0, |hash, block| product(hash ^ block, h));
        (hash ^ block(key, first_counter), product(h, h))
    };
    let ((a, a_factor), (b, b_factor)) = (tag(keys[0], 0), tag(keys[1], 0));
    let last = product(a ^ b, inverse(a_factor ^ b_factor));
    let tag = [tag(keys[0], last).0, tag(keys[1], last).0];
    assert_eq!(tag[0], tag[1]);
    [chosen, &last.to_be_bytes(), &tag[0].to_be_bytes()].concat()
}

fn gcm_open(key: &[u8; 32], nonce: [u8; 12], aad: &[u8], ciphertext: &[u8]) -> Option<Vec<u8>> {
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).unwrap());
    let mut bytes = ciphertext.to_vec();
    let nonce = Nonce::assume_unique_for_key(nonce);
    let opened = key.open_in_place(nonce, Aad::from(aad), &mut bytes);
    opened.ok().map(|plain| plain.to_vec())
}

fn framed(label: &str, fields: &[&[u8]]) -> Vec<u8> {
    let mut bytes = label.as_bytes().to_vec();
    for field in fields {
        bytes.extend_from_slice(&(field.len() as u64).to_be_bytes());
        bytes.extend_from_slice(field);
    }
    bytes
}

/// HKDF of RFC 5869 over HMAC, apart from the crate's: commitment and key of the cipher.
fn derived(record_key: &[u8; 32], nonce: &[u8], aad: &[u8]) -> ([u8; 32], [u8; 32]) {
    let mac = |key: &[u8], parts: &[&[u8]]| -> [u8; 32] {
        let key = hmac::Key::new(hmac::HMAC_SHA256, key);
        let tag = hmac::sign(&key, &parts.concat());
        tag.as_ref().try_into().unwrap()
    };
    let extracted = mac(b"countersign/sealed-record/v2\n", &[record_key]);
    let first = mac(&extracted, &[nonce, aad, &[1]]);
    let second = mac(&extracted, &[&first, nonce, aad, &[2]]);
    (first, second)
}

/// Wraps a key as the vault of these tests does.
fn wrapped(record_key: &[u8; 32]) -> Vec<u8> {
    let kek: AesKek = key_wrap::KeyEncryptionKey::new(&key_wrap::AES_256, &[1; 32]).unwrap();
    kek.wrap(record_key, &mut [0; 40]).unwrap().to_vec()
}

struct Collision {
    reference: Sha256,
    nonce: [u8; 12],
    record_keys: [[u8; 32]; 2],
    commitments: [[u8; 32]; 2],
    ciphertext: Vec<u8>,
}

/// What somebody makes who holds all keys and wants one record to say two things.
fn two_faced() -> Collision {
    let reference = *reasoning("yes").reference().unwrap().digest();
    let aad = framed(
        "countersign/sealed-record/v2\n",
        &[reference.as_bytes(), b"acme", b"reasoning"],
    );
    let (record_keys, nonce) = ([[3; 32], [4; 32]], [7; 12]);
    let of = |key| derived(key, &nonce, &aad);
    let (a, b) = (of(&record_keys[0]), of(&record_keys[1]));
    let ciphertext = collision([&a.1, &b.1], nonce, &aad, &[0x5a; 64]);
    // The cipher itself takes it under both keys, and it says two things.
    let opened = [&a.1, &b.1].map(|key| gcm_open(key, nonce, &aad, &ciphertext).unwrap());
    assert_ne!(opened[0], opened[1]);
    Collision {
        reference,
        nonce,
        record_keys,
        commitments: [a.0, b.0],
        ciphertext,
    }
}

#[test]
fn a_ciphertext_that_opens_under_two_keys_opens_under_the_one_that_it_commits_to_at_most() {
    let made = two_faced();
    let record = |commitment: &[u8; 32], key: &[u8; 32]| SealedRecord {
        reference: made.reference,
        kind: "reasoning".to_owned(),
        key_id: "vault-1".to_owned(),
        wrapped_key: wrapped(key),
        nonce: [&[2], &made.nonce[..], commitment].concat(),
        ciphertext: made.ciphertext.clone(),
    };
    for at in 0..2 {
        let (own, other) = (made.record_keys[at], made.record_keys[1 - at]);
        let refused = vault().open_bytes(&record(&made.commitments[at], &other));
        assert_eq!(refused, Err(OpenError::Commitment));
        // Under the key that it commits to the cipher does open it; the ref says that it is a lie.
        let refused = vault().open_bytes(&record(&made.commitments[at], &own));
        assert!(matches!(refused, Err(OpenError::WrongRef { .. })));
    }
    // In the first form, which knew no commitment, the derived keys are no keys of records.
    let first = SealedRecord {
        nonce: made.nonce.to_vec(),
        ..record(&made.commitments[0], &made.record_keys[0])
    };
    assert_eq!(vault().open_bytes(&first), Err(OpenError::Decrypt));
}

#[test]
fn a_record_with_a_wrong_commitment_is_refused_before_it_is_decrypted() {
    let (_, record) = vault().seal(&reasoning("because"), &Draw).unwrap();
    let (_, other) = vault().seal(&reasoning("because"), &Draw).unwrap();
    let mut changed = record.clone();
    changed.nonce[13..].copy_from_slice(&other.nonce[13..]);
    // A ciphertext that would not decrypt either is not looked at.
    changed.ciphertext.clear();
    assert_eq!(vault().open_bytes(&changed), Err(OpenError::Commitment));
}

/// A record of the first form, as versions before key commitment made it.
fn first_form(document: &Reasoning, sealed_as: &Reasoning) -> SealedRecord {
    let reference = *document.reference().unwrap().digest();
    let aad = framed(
        "countersign/sealed-record/v1\n",
        &[reference.as_bytes(), b"acme", b"reasoning"],
    );
    let mut ciphertext = sealed_as.canonical().unwrap().into_bytes();
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &[9; 32]).unwrap());
    key.seal_in_place_append_tag(
        Nonce::assume_unique_for_key([0; 12]),
        Aad::from(aad),
        &mut ciphertext,
    )
    .unwrap();
    SealedRecord {
        reference,
        kind: "reasoning".into(),
        key_id: "vault-1".into(),
        wrapped_key: wrapped(&[9; 32]),
        nonce: vec![0; 12],
        ciphertext,
    }
}

#[test]
fn records_from_before_commitments_open_and_are_wrapped_anew() {
    let document = reasoning("yes");
    let mut record = first_form(&document, &document);
    assert_eq!(vault().open::<Reasoning>(&record).unwrap(), document);
    let vault = vault_of("acme", vec![direct(1, 1), direct(2, 2)]);
    vault.admit(&mut record).unwrap();
    assert_eq!(record.key_id, "vault-2");
    assert_eq!(vault.open::<Reasoning>(&record).unwrap(), document);
}

#[test]
fn whoever_holds_the_keys_still_cannot_put_another_text_under_a_ref() {
    let (honest, lie) = (reasoning("yes"), reasoning("no"));
    let forged = first_form(&honest, &lie);
    let wrong = OpenError::WrongRef {
        expected: forged.reference,
        found: *lie.reference().unwrap().digest(),
    };
    assert_eq!(vault().open_bytes(&forged), Err(wrong.clone()));
    assert_eq!(vault().open::<Reasoning>(&forged), Err(wrong));
}

/// The same bytes in every build.
struct Counted(std::sync::atomic::AtomicU8);

impl Random for Counted {
    fn fill(&self, bytes: &mut [u8]) {
        for byte in bytes {
            *byte = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
    }
}

/// The form of a record must not change unnoticed: what is stored has to open for years. A second
/// implementation, in another language, gave the same bytes.
#[test]
fn golden_record_of_the_second_form() {
    let document = Reasoning {
        tenant: "acme".parse().unwrap(),
        text: "because".to_owned(),
        salt: Salt::fresh(&Counted(0x80.into())),
    };
    let (_, record) = vault().seal(&document, &Counted(0.into())).unwrap();
    let hex = |bytes: &[u8]| -> String { bytes.iter().map(|b| format!("{b:02x}")).collect() };
    let plain = document.canonical().unwrap();
    let lines = [
        String::from_utf8_lossy(plain.as_bytes()).into_owned(),
        hex(&record.wrapped_key),
        hex(&record.nonce),
        hex(&record.ciphertext),
    ];
    let golden = include_str!("../golden-record-v2.txt");
    assert_eq!(lines.join("\n") + "\n", golden);
    assert_eq!(vault().open::<Reasoning>(&record).unwrap(), document);
}
