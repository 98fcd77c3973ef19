//! What a sound file is said to be.

use countersign_core::refs::Sha256;
use countersign_note::NoteSigner as _;
use countersign_seal::{DraftError, ExportFile, FileError, MAX_RECORDS, RecordName, UnsealFailure};
use countersign_story::log::{Key, ORIGIN, Witness, checkpoint, signed_by};
use countersign_verify::{Trust, Word};

use crate::support::{Counted, World, in_key, read, secret};

#[test]
fn a_file_says_what_was_sealed_and_how_far_it_is_to_be_believed() {
    let world = World::new();
    let file = world.file(&secret(1));
    let found = read(&file, &in_key()).unwrap();
    assert_eq!((found.word, found.findings), (Word::Unanchored, Vec::new()));
    assert!(found.openings > 0);
    for record in &found.records {
        let document = record.document.as_ref().unwrap();
        assert_eq!(&world.story.documents[&record.name.reference], document);
        assert!(!record.entries.is_empty());
    }
    // A checkpoint that the recipient holds, of the very size of the proofs.
    let held = in_key().holding(world.head.clone());
    assert_eq!(read(&file, &held).unwrap().word, Word::Trusted);
    // An earlier one says nothing of later entries.
    let earlier = in_key().holding(checkpoint(&world.leaves[..5]));
    assert_eq!(read(&file, &earlier).unwrap().word, Word::Unanchored);
}

#[test]
fn the_quorum_of_a_policy_anchors_and_less_does_not() {
    let world = World::new();
    let (witness, policy) = Witness::new();
    let trust = Trust {
        policy: Some(policy),
        ..in_key()
    };
    let file = world.file(&secret(1));
    assert_eq!(read(&file, &trust).unwrap().word, Word::Unanchored);
    let mut head = world.head.clone();
    witness.cosign(&mut head);
    let file = world
        .draft(&head)
        .seal(&secret(1).public(), &Counted::default());
    let file = file.unwrap();
    assert_eq!(read(&file, &trust).unwrap().word, Word::Trusted);
    // Whoever does not ask for witnesses does not rely on them.
    assert_eq!(read(&file, &in_key()).unwrap().word, Word::Unanchored);
    let nobody = Trust {
        policy: Some("quorum none\n".parse().unwrap()),
        ..in_key()
    };
    assert_eq!(read(&file, &nobody).unwrap().word, Word::Unanchored);
}

#[test]
fn without_a_key_of_this_log_there_is_no_answer_or_a_failed_one() {
    let world = World::new();
    let file = world.file(&secret(1));
    let none = read(&file, &Trust::default());
    assert_eq!(none.unwrap_err(), UnsealFailure::NoLogKey);
    let other = Trust::in_key(Key::new(ORIGIN, 9).verifier_key().clone());
    assert_eq!(read(&file, &other).unwrap().word, Word::Failed);
    let held = signed_by(&Key::new(ORIGIN, 9), ORIGIN, &world.leaves);
    let unsigned = read(&file, &in_key().holding(held)).unwrap_err();
    assert!(matches!(unsigned, UnsealFailure::Held(_)), "{unsigned}");
}

#[test]
fn two_roots_of_one_size_contradict_each_other() {
    let world = World::new();
    let mut leaves = world.leaves.clone();
    leaves.swap(3, 4);
    let file = world.file(&secret(1));
    let found = read(&file, &in_key().holding(checkpoint(&leaves))).unwrap();
    assert!(found.contradicts);
    assert_eq!(found.word, Word::Failed);
}

#[test]
fn what_is_no_file_is_not_made_and_not_read() {
    let world = World::new();
    let recipient = secret(1).public();
    let seal = |draft: countersign_seal::Draft| draft.seal(&recipient, &Counted::default());
    let mut draft = world.draft(&world.head);
    draft.documents.clear();
    assert_eq!(seal(draft), Err(DraftError::Nothing));
    let mut draft = world.draft(&world.head);
    draft.documents[0].1.push(b' ');
    assert!(matches!(seal(draft), Err(DraftError::OtherDocument { .. })));
    let mut draft = world.draft(&world.head);
    draft.documents.push(draft.documents[0].clone());
    assert!(matches!(seal(draft), Err(DraftError::Twice(_))));
    let mut draft = world.draft(&world.head);
    draft.purpose = "x".repeat(1_025);
    assert_eq!(seal(draft), Err(DraftError::Purpose));
    let mut draft = world.draft(&world.head);
    draft.documents = (0..=MAX_RECORDS)
        .map(|number| {
            let document = number.to_string().into_bytes();
            let reference = Sha256::of(&document);
            let kind = "call".to_owned();
            (RecordName { kind, reference }, document)
        })
        .collect();
    assert!(matches!(seal(draft), Err(DraftError::TooMany { .. })));

    let bytes = world.file(&secret(1)).to_bytes();
    let text = String::from_utf8(bytes.clone()).unwrap();
    let wrong = |from: &str, to: &str| {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{from}");
        ExportFile::parse(changed.as_bytes()).unwrap_err()
    };
    let format = wrong("vault-export/1", "vault-export/2");
    assert!(matches!(format, FileError::Format(_)), "{format}");
    let suite = wrong("ChaCha20Poly1305", "AES-256-GCM");
    assert!(matches!(suite, FileError::Suite(_)), "{suite}");
    let member = wrong("\"purpose\"", "\"more\": 1, \"purpose\"");
    assert!(matches!(member, FileError::Form(_)), "{member}");
    let twice = wrong("\"purpose\"", "\"purpose\": \"a\", \"purpose\"");
    assert!(matches!(twice, FileError::Form(_)), "{twice}");
    for cut in (0..bytes.len() - 1).step_by(97) {
        assert!(ExportFile::parse(&bytes[..cut]).is_err(), "{cut}");
    }
}
