//! Verifier keys that must be refused, and those that are kept without being understood.

use crate::support::TestSigner;
use crate::vectors::{ENOCH_KEY, PETER_KEY, SPEC_KEY, key, peter};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_note::{
    KeyError, KeyName, NoteVerifyError, SignNoteError, SignatureType, VerifierKey, sign_note,
};
use ed25519_dalek::{Signature, Verifier as _};
use sha2::{Digest as _, Sha512};
use std::ops::{Add, Mul};

fn name(text: &str) -> KeyName {
    KeyName::parse(text).unwrap()
}

/// `2^255 - 19 + offset` with a sign bit.
fn unreduced(offset: u8, sign: bool) -> [u8; 32] {
    let mut bytes = [0xff; 32];
    bytes[0] = 0xed + offset;
    bytes[31] = if sign { 0xff } else { 0x7f };
    bytes
}

#[test]
fn no_part_of_a_key_is_a_key() {
    for text in [PETER_KEY, ENOCH_KEY, SPEC_KEY] {
        for start in 0..text.len() {
            for end in start..=text.len() {
                let part = text.get(start..end).unwrap();
                if part != text {
                    assert!(VerifierKey::parse(part).is_err(), "{part}");
                }
            }
        }
    }
}

#[test]
fn no_changed_character_goes_unnoticed() {
    for position in 0..PETER_KEY.len() {
        for change in 0..0x80_u8 {
            let mut text = PETER_KEY.as_bytes().to_vec();
            if text[position] == change {
                continue;
            }
            text[position] = change;
            let text = String::from_utf8(text).unwrap();
            match VerifierKey::parse(&text) {
                Err(_) => {}
                // Another type byte makes it a key of a type that is not known here.
                Ok(key) => {
                    assert!(
                        matches!(key.signature_type(), SignatureType::Other(_)),
                        "{text}"
                    );
                }
            }
        }
    }
}

#[test]
fn each_refusal_says_why() {
    let long = format!("x+00000000+{}", "A".repeat(5000));
    let cases = [
        ("", KeyError::Shape),
        ("a+b", KeyError::Shape),
        ("a+1234567+AQ==", KeyError::Shape),
        ("a+1234567G+AQ==", KeyError::Shape),
        ("a+12345678+", KeyError::Shape),
        ("a+12345678+A", KeyError::Shape),
        (
            // From the tests of Go: a longer key with its own id.
            "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==",
            KeyError::Shape,
        ),
        (
            "a+12345678+AQID",
            KeyError::Length {
                signature_type: SignatureType::Ed25519,
                expected: 32,
                got: 2,
            },
        ),
        (
            "a+12345678+BgID",
            KeyError::Length {
                signature_type: SignatureType::MlDsa44,
                expected: 1312,
                got: 2,
            },
        ),
        (long.as_str(), KeyError::TooLong { got: long.len() }),
    ];
    for (text, error) in cases {
        assert_eq!(VerifierKey::parse(text), Err(error), "{text}");
    }
    assert!(matches!(
        VerifierKey::parse(&PETER_KEY.replace("c74f20a3", "c74f20a4")),
        Err(KeyError::Id { .. })
    ));
    assert!(matches!(
        VerifierKey::parse(&format!(" {PETER_KEY}")),
        Err(KeyError::Name(_))
    ));
}

#[test]
fn keys_of_low_order_are_refused() {
    let mut points = vec![[0; 32], [0; 32], [0; 32], [0; 32]];
    points[1][31] = 0x80;
    points[2][0] = 1;
    points[3] = unreduced(0, false);
    points[3][0] = 0xec;
    for hex in [
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    ] {
        let byte = |at: usize| hex.get(at * 2..at * 2 + 2).unwrap();
        points.push(std::array::from_fn(|at| {
            u8::from_str_radix(byte(at), 16).unwrap()
        }));
    }
    for point in points {
        assert_eq!(
            VerifierKey::ed25519(name("a"), &point),
            Err(KeyError::LowOrder)
        );
        assert_eq!(
            VerifierKey::cosignature_v1(name("a"), &point),
            Err(KeyError::LowOrder)
        );
    }
}

#[test]
fn keys_with_a_second_spelling_are_refused() {
    for offset in 0..19 {
        for sign in [false, true] {
            let bytes = unreduced(offset, sign);
            let refused = VerifierKey::ed25519(name("a"), &bytes);
            assert!(
                matches!(refused, Err(KeyError::Point | KeyError::LowOrder)),
                "{offset} {sign}"
            );
        }
    }
    // Not on the curve at all.
    let mut off_curve = [0; 32];
    off_curve[0] = 2;
    assert_eq!(
        VerifierKey::ed25519(name("a"), &off_curve),
        Err(KeyError::Point)
    );
}

#[test]
fn keys_of_other_types_are_kept() {
    // From the tests of others: an arbitrary type with an id that is not a hash.
    let text = "example.com/foo+00000000+++++++++++++++++++++++++++++++++++++++++++++";
    let other = key(text);
    assert_eq!(other.signature_type(), SignatureType::Other(0xfb));
    assert!(!other.signature_type().is_supported());

    let ml_dsa = VerifierKey::new(name("w"), SignatureType::MlDsa44, &[7; 1312]).unwrap();
    let again = key(&ml_dsa.to_string());
    assert_eq!(again, ml_dsa);
    assert_eq!(again.signature_type(), SignatureType::MlDsa44);
    assert_eq!(
        again.signature_type().is_supported(),
        cfg!(feature = "ml-dsa")
    );
    assert_eq!(again.signature_type().to_string(), "0x06 (ml-dsa-44)");

    // A known type cannot be smuggled in as another.
    let smuggled = VerifierKey::new(name("a"), SignatureType::Other(0x01), &[0; 32]);
    assert_eq!(smuggled, Err(KeyError::LowOrder));
}

#[test]
fn unsupported_keys_never_verify_and_are_reported() {
    let signer = peter();
    let mut note = sign_note("text\n", &[&signer]).unwrap();
    let other = VerifierKey::new(name("w"), SignatureType::Other(0x02), &[7; 91]).unwrap();
    let line = countersign_note::NoteSignature::new(name("w"), other.id(), vec![1; 71]);
    note.add_signature(line.unwrap()).unwrap();
    assert_eq!(
        note.verify(std::slice::from_ref(&other)),
        Err(NoteVerifyError::Unsupported {
            name: name("w"),
            id: other.id(),
            signature_type: SignatureType::Other(0x02),
        })
    );
    let keys = [signer.key, other.clone()];
    let verified = note.verify(&keys).unwrap();
    assert_eq!(verified.signatures().len(), 1);
    assert_eq!(verified.unsupported(), [other]);
}

#[test]
fn a_key_signs_only_what_its_type_is_for() {
    let witness = TestSigner::witness("w", 3);
    assert_eq!(
        sign_note("text\n", &[&witness]).unwrap_err(),
        SignNoteError::KeyType {
            name: "w".into(),
            got: SignatureType::CosignatureV1,
            expected: SignatureType::Ed25519,
        }
    );
    let log = TestSigner::log("l", 3);
    let time = countersign_note::Timestamp::from_seconds(1).unwrap();
    let refused = countersign_note::cosign("text\n", time, &log);
    assert!(matches!(refused, Err(SignNoteError::KeyType { .. })));
    // The same secret under another type has another id.
    assert_ne!(log.key.id(), TestSigner::witness("l", 3).key.id());
}

/// Builds a scalar from little-endian bytes, without naming its type.
fn scalar<S: Copy + From<u64> + Add<Output = S> + Mul<Output = S>>(_like: S, bytes: &[u8]) -> S {
    let base = S::from(256);
    let push = |sum: S, byte: &u8| sum * base + S::from(u64::from(*byte));
    bytes.iter().rev().fold(S::from(0), push)
}

/// RFC 8032 lets verifiers differ on signatures whose R has low order; only the strict ones agree
/// with each other. The signer made this one on purpose.
#[test]
fn a_signature_that_only_lax_verifiers_accept_is_rejected() {
    let signer = peter();
    let text = "text\n";
    let identity: [u8; 32] = std::array::from_fn(|at| u8::from(at == 0));
    let challenge = Sha512::new()
        .chain_update(identity)
        .chain_update(signer.secret.verifying_key().as_bytes())
        .chain_update(text)
        .finalize();
    let secret = signer.secret.to_scalar();
    let response = scalar(secret, &challenge) * secret;
    let bytes: Vec<u8> = identity.into_iter().chain(response.to_bytes()).collect();
    let lax = Signature::from_slice(&bytes).unwrap();
    assert!(
        signer
            .secret
            .verifying_key()
            .verify(text.as_bytes(), &lax)
            .is_ok()
    );

    let signature = STANDARD.encode([signer.key.id().as_bytes(), bytes.as_slice()].concat());
    let note: countersign_note::Note = format!("{text}\n— PeterNeumann {signature}\n")
        .parse()
        .unwrap();
    let refused = note.verify(std::slice::from_ref(&signer.key));
    assert!(matches!(refused, Err(NoteVerifyError::BadSignature { .. })));
}
