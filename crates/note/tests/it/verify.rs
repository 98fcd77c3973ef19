//! Which signatures count.

use crate::support::TestSigner;
use crate::vectors::{ENOCH_LINE, PETER_KEY, PETER_LINE, PETER_TEXT, key, note};
use countersign_note::{
    KeyName, Note, NoteSignature, NoteSigner, NoteVerifyError, SignError, SignNoteError,
    SignatureType, VerifierKey, sign_note,
};

fn peter_key() -> VerifierKey {
    key(PETER_KEY)
}

#[test]
fn a_repeated_signature_counts_once() {
    let note = note(&format!(
        "{PETER_TEXT}\n{PETER_LINE}{PETER_LINE}{ENOCH_LINE}{PETER_LINE}"
    ));
    let verified = note.verify(&[peter_key(), peter_key()]).unwrap();
    assert_eq!(verified.signatures().len(), 1);
}

#[test]
fn one_bad_signature_of_a_known_key_rejects_the_note() {
    let mut damaged = PETER_LINE.to_owned();
    damaged = damaged.replace("x08go/ZJ", "x08go/ZK");
    assert_ne!(damaged, PETER_LINE);
    for lines in [
        damaged.clone(),
        format!("{PETER_LINE}{damaged}"),
        format!("{damaged}{PETER_LINE}"),
    ] {
        let note = note(&format!("{PETER_TEXT}\n{lines}"));
        assert_eq!(
            note.verify(&[peter_key()]),
            Err(NoteVerifyError::BadSignature {
                name: KeyName::parse("PeterNeumann").unwrap(),
                id: peter_key().id(),
            })
        );
    }
    // Of an unknown key it does not matter.
    let note = note(&format!(
        "{PETER_TEXT}\n{PETER_LINE}{}",
        ENOCH_LINE.replace("5n2t", "5n2u")
    ));
    assert!(note.verify(&[peter_key()]).is_ok());
}

#[test]
fn a_signature_of_the_wrong_length_is_a_bad_one() {
    let id = peter_key().id();
    let good = note(&format!("{PETER_TEXT}\n{PETER_LINE}")).signatures()[0]
        .bytes()
        .to_vec();
    for bytes in [
        &good[..63],
        &[&good[..], &[0]].concat(),
        &good[..1],
        &[0; 72],
    ] {
        let line = NoteSignature::new(peter_key().name().clone(), id, bytes.to_vec()).unwrap();
        let note = Note::new(PETER_TEXT.into(), vec![line]).unwrap();
        let refused = note.verify(&[peter_key()]);
        assert!(matches!(refused, Err(NoteVerifyError::BadSignature { .. })));
    }
}

#[test]
fn name_and_id_must_both_fit() {
    let line = PETER_LINE.replace("PeterNeumann", "Peterneumann");
    let note_other_name = note(&format!("{PETER_TEXT}\n{line}"));
    assert_eq!(
        note_other_name.verify(&[peter_key()]),
        Err(NoteVerifyError::NoKnownKey)
    );
    let line = PETER_LINE.replace(" x08go", " x08gp");
    let note_other_id = note(&format!("{PETER_TEXT}\n{line}"));
    assert_eq!(
        note_other_id.verify(&[peter_key()]),
        Err(NoteVerifyError::NoKnownKey)
    );
}

#[test]
fn any_change_of_the_text_is_noticed() {
    let full = format!("{PETER_TEXT}\n{PETER_LINE}");
    for position in 0..PETER_TEXT.len() {
        let mut changed = full.clone().into_bytes();
        changed[position] ^= 1;
        if let Ok(note) = Note::parse(&changed) {
            assert!(note.verify(&[peter_key()]).is_err(), "byte {position}");
        }
    }
    let moved = note(&format!("{PETER_TEXT}\n\n{PETER_LINE}"));
    assert!(moved.verify(&[peter_key()]).is_err());
}

#[test]
fn two_keys_of_one_name_and_id_are_refused_where_they_matter() {
    // Only keys of types that are not known here can have ids that are not hashes.
    let a: VerifierKey = "x+00000000++wAA".parse().unwrap();
    let b: VerifierKey = "x+00000000++wAB".parse().unwrap();
    let line = "— x AAAAAAA=\n";
    let note_of_x = note(&format!("{PETER_TEXT}\n{PETER_LINE}{line}"));
    let refused = note_of_x.verify(&[peter_key(), a.clone(), b.clone()]);
    assert!(matches!(refused, Err(NoteVerifyError::AmbiguousKey { .. })));
    assert!(
        note_of_x
            .verify(&[peter_key(), a.clone(), a.clone()])
            .is_ok()
    );
    let without = note(&format!("{PETER_TEXT}\n{PETER_LINE}"));
    assert!(without.verify(&[peter_key(), a, b]).is_ok());
}

#[test]
fn of_several_cosignatures_the_latest_stands() {
    let (log, witness) = (TestSigner::log("log", 1), TestSigner::witness("w", 2));
    let mut note = sign_note("log\n1\n", &[&log]).unwrap();
    for time in [20, 30, 10] {
        note.add_signature(witness.cosign(&note, time)).unwrap();
    }
    let verified = note.verify(&[log.key, witness.key]).unwrap();
    let times: Vec<Option<u64>> = verified
        .signatures()
        .iter()
        .map(|signature| signature.timestamp().map(|time| time.seconds()))
        .collect();
    assert_eq!(times, [None, Some(30)]);
}

#[test]
fn a_cosignature_is_bound_to_text_time_and_type() {
    let witness = TestSigner::witness("w", 2);
    let log = TestSigner::log("log", 1);
    let first = sign_note("log\n1\n", &[&log]).unwrap();
    let line = witness.cosign(&first, 77);
    assert_eq!(line.bytes().len(), 72);
    let check = |text: &str, bytes: Vec<u8>, key: &VerifierKey| {
        let line = NoteSignature::new(key.name().clone(), key.id(), bytes).unwrap();
        let note = Note::new(text.into(), vec![line]).unwrap();
        note.verify(std::slice::from_ref(key))
            .map(|verified| verified.signatures().len())
    };
    let bytes = line.bytes().to_vec();
    assert_eq!(check("log\n1\n", bytes.clone(), &witness.key), Ok(1));
    assert!(check("log\n2\n", bytes.clone(), &witness.key).is_err());
    for position in 0..72 {
        let mut changed = bytes.clone();
        changed[position] ^= 1;
        assert!(
            check("log\n1\n", changed, &witness.key).is_err(),
            "byte {position}"
        );
    }
    // The same key as a note key does not take it, nor the other way round.
    let as_log = TestSigner::log("w", 2);
    assert!(check("log\n1\n", bytes[8..].to_vec(), &as_log.key).is_err());
    let signed = as_log.sign(b"log\n1\n").unwrap();
    let timed = [[0; 8].as_slice(), &signed].concat();
    assert!(check("log\n1\n", timed, &witness.key).is_err());
}

#[test]
fn a_time_beyond_the_maximum_is_a_bad_signature() {
    let witness = TestSigner::witness("w", 2);
    let text = "log\n1\n";
    let time = 1_u64 << 63;
    let message = format!("cosignature/v1\ntime {time}\n{text}");
    let signature = witness.sign(message.as_bytes()).unwrap();
    let bytes = [time.to_be_bytes().as_slice(), &signature].concat();
    let line = NoteSignature::new(witness.key.name().clone(), witness.key.id(), bytes).unwrap();
    let note = Note::new(text.into(), vec![line]).unwrap();
    let refused = note.verify(&[witness.key]);
    assert!(matches!(refused, Err(NoteVerifyError::BadSignature { .. })));
}

struct Misnamed(TestSigner);

impl NoteSigner for Misnamed {
    fn name(&self) -> &str {
        "someone else"
    }

    fn verifier_key(&self) -> &VerifierKey {
        &self.0.key
    }

    fn sign(&self, _: &[u8]) -> Result<[u8; 64], SignError> {
        Err(SignError::new("must not be asked"))
    }
}

struct Broken(TestSigner);

impl NoteSigner for Broken {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn verifier_key(&self) -> &VerifierKey {
        &self.0.key
    }

    fn sign(&self, _: &[u8]) -> Result<[u8; 64], SignError> {
        Err(SignError::new("the key is locked"))
    }
}

#[test]
fn signers_that_misbehave() {
    let refused = sign_note("text\n", &[&Misnamed(TestSigner::log("a", 1))]);
    assert!(matches!(refused, Err(SignNoteError::Name { .. })));
    let refused = sign_note("text\n", &[&Broken(TestSigner::log("a", 1))]).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "key `a` could not sign: the key is locked"
    );
    assert!(matches!(
        sign_note("text\n", &[]),
        Err(SignNoteError::Note(_))
    ));
    assert!(matches!(
        sign_note("text", &[&TestSigner::log("a", 1)]),
        Err(SignNoteError::Note(_))
    ));
    assert_eq!(
        TestSigner::log("a", 1).key.signature_type(),
        SignatureType::Ed25519
    );
}
