//! Files that somebody changed on the way, or that were made to deceive.

use countersign_core::refs::Sha256;
use countersign_seal::{
    ExportFile, LeftOut, RecordName, SealedText, UnsealFailure, Unsealed, named, seal, unseal,
};
use countersign_verify::Word;

use crate::support::{Counted, World, in_key, read, secret};

/// What comes of a file after a change.
fn changed(change: impl FnOnce(&mut ExportFile)) -> Unsealed {
    let world = World::new();
    let mut file = world.file(&secret(1));
    change(&mut file);
    let held = in_key().holding(world.head.clone());
    read(&file, &held).unwrap()
}

fn fails(what: &str, change: impl FnOnce(&mut ExportFile)) {
    let found = changed(change);
    assert_eq!(found.word, Word::Failed, "{what}");
    assert!(!found.findings.is_empty(), "{what}");
}

/// All records fail, none is given.
fn fails_wholly(what: &str, change: impl FnOnce(&mut ExportFile)) {
    let found = changed(change);
    assert_eq!(found.word, Word::Failed, "{what}");
    for record in &found.records {
        assert_eq!(
            (record.word, &record.document),
            (Word::Failed, &None),
            "{what}"
        );
    }
}

#[test]
fn a_file_for_somebody_else_is_not_opened() {
    let world = World::new();
    let file = world.file(&secret(2));
    let refused = read(&file, &in_key()).unwrap_err();
    assert!(
        matches!(refused, UnsealFailure::OtherRecipient { .. }),
        "{refused}"
    );
    // Nor does it help to write one's own name on it.
    fails_wholly("another recipient's", |mine| {
        mine.records.clone_from(&file.records);
        mine.header = file.header.clone();
        mine.header.recipient = secret(1).public().to_string();
    });
}

#[test]
fn every_member_of_the_header_is_bound_to_every_record() {
    fails_wholly("format of time", |file| file.header.made_at.push('0'));
    fails_wholly("purpose", |file| file.header.purpose.push('.'));
    fails_wholly("id", |file| file.header.id = "0".repeat(32));
    fails_wholly("left out", |file| {
        let reference = Sha256::of(b"");
        let why = "erased".to_owned();
        file.header.left_out.push(LeftOut { reference, why });
    });
    let world = World::new();
    let mut file = world.file(&secret(1));
    file.header.origin.push('1');
    let found = read(&file, &in_key()).unwrap();
    assert!(
        found.records.iter().all(|it| it.document.is_none()),
        "origin"
    );
    let held = read(&file, &in_key().holding(world.head)).unwrap_err();
    assert!(matches!(held, UnsealFailure::HeldOrigin { .. }), "{held}");
    fails_wholly("entries", |file| file.header.entries.reverse());
    fails_wholly("an entry less, also in the header", |file| {
        file.header.entries.remove(0);
        file.entries.remove(0);
    });
    fails_wholly("an opening less, also in the header", |file| {
        file.header.openings.remove(0);
        file.openings.remove(0);
    });
    fails_wholly("a record less, also in the header", |file| {
        file.header.records.pop();
        file.records.pop();
    });
    fails_wholly("order", |file| {
        file.header.records.reverse();
        file.records.reverse();
    });
}

#[test]
fn records_do_not_change_places() {
    fails("two of one file", |file| file.records.swap(0, 1));
    let other = World::new().draft(&World::new().head);
    let other = other
        .seal(&secret(1).public(), &Counted::default())
        .unwrap();
    let mut later = World::new().draft(&World::new().head);
    later.purpose = "another purpose".to_owned();
    let later = later
        .seal(&secret(1).public(), &Counted::default())
        .unwrap();
    // The same randomness, recipient and records: only the header tells the files apart.
    assert_ne!(other.records, later.records);
    fails("one of another file", |file| {
        file.records[0] = later.records[0].clone();
    });
    fails("one sealed to another recipient", |file| {
        let theirs = World::new().file(&secret(2));
        file.records[0] = theirs.records[0].clone();
    });
}

#[test]
fn a_cut_file_is_noticed() {
    let mut cut = World::new().file(&secret(1));
    cut.records.pop();
    let refused = ExportFile::parse(&cut.to_bytes()).unwrap_err().to_string();
    assert!(refused.contains("it was cut or added to"), "{refused}");
    fails("no entries", |file| file.entries.clear());
    fails("an entry less", |file| {
        file.entries.remove(0);
    });
    fails("an opening less", |file| {
        file.openings.remove(0);
    });
    fails("no records", |file| {
        file.records.clear();
        file.header.records.clear();
    });
    fails("half a ciphertext", |file| {
        let half = file.records[0].ciphertext.len() / 8 * 4;
        file.records[0].ciphertext.truncate(half);
    });
    fails("no base64", |file| file.records[0].enc = "*".to_owned());
}

#[test]
fn no_changed_byte_of_a_file_passes() {
    let world = World::new();
    let mut draft = world.draft(&world.head);
    draft.documents.truncate(1);
    let reference = draft.documents[0].0.reference;
    draft.entries.retain(|entry| {
        let mut names = named(entry.leaf.as_bytes()).into_iter();
        names.any(|(it, _)| it == reference)
    });
    draft.entries.truncate(1);
    draft.openings.truncate(1);
    let file = draft.seal(&secret(1).public(), &Counted::default());
    let bytes = file.unwrap().to_bytes();
    let trust = in_key().holding(world.head.clone());
    let whole = ExportFile::parse(&bytes).unwrap();
    assert_eq!(
        unseal(&whole, &secret(1), &trust).unwrap().word,
        Word::Trusted
    );
    for at in (0..bytes.len()).step_by(13) {
        let mut wrong = bytes.clone();
        wrong[at] ^= 1;
        let Ok(file) = ExportFile::parse(&wrong) else {
            continue;
        };
        if let Ok(found) = unseal(&file, &secret(1), &trust) {
            assert_eq!(found.word, Word::Failed, "byte {at}");
        }
    }
}

/// The server's operator, or whoever may open records, makes the file: it can seal whatever it likes.
#[test]
fn whoever_makes_a_file_cannot_pass_other_content_for_the_logs() {
    let world = World::new();
    let recipient = secret(1).public();
    let random = Counted::default();
    // Content that hashes otherwise, sealed rightly under the ref of a record.
    let mut file = world.file(&secret(1));
    let forged = br#"{"kind":"intent","text":"pay everything","v":1}"#;
    let (info, aad) = bindings(&file, 0);
    let sealed = seal(&recipient, &info, &aad, forged, &random).unwrap();
    assert!(
        secret(1).open(&sealed, &info, &aad).is_ok(),
        "it is sealed rightly"
    );
    file.records[0] = text_of(&sealed);
    let found = unseal(&file, &secret(1), &in_key()).unwrap();
    assert_eq!(found.word, Word::Failed);
    assert!(
        found.findings[0].contains("hashes to"),
        "{:?}",
        found.findings
    );
    assert_eq!(found.records[0].document, None);

    // A document that no entry names, under its own ref.
    let mut draft = world.draft(&world.head);
    let name = RecordName {
        kind: "intent".to_owned(),
        reference: Sha256::of(forged),
    };
    draft.documents.push((name, forged.to_vec()));
    let file = draft.seal(&recipient, &random).unwrap();
    let found = unseal(&file, &secret(1), &in_key()).unwrap();
    assert_eq!(found.word, Word::Failed);
    let last = found.records.last().unwrap();
    assert_eq!((last.word, &last.document), (Word::Failed, &None));

    // A document under another kind than the entry says.
    let mut draft = world.draft(&world.head);
    let call = draft
        .documents
        .iter_mut()
        .find(|(name, _)| name.kind == "call");
    call.unwrap().0.kind = "result".to_owned();
    let file = draft.seal(&recipient, &random).unwrap();
    let found = unseal(&file, &secret(1), &in_key()).unwrap();
    assert!(
        found.findings[0].contains("as `call`"),
        "{:?}",
        found.findings
    );
}

#[test]
fn entries_that_are_not_in_the_log_prove_nothing() {
    fails("a leaf that was changed", |file| {
        let leaf = &mut file.entries[0].leaf;
        *leaf = leaf.replacen("2026", "2025", 1);
    });
    fails("the proof of another entry", |file| {
        file.entries[0].proof = file.entries[1].proof.clone();
    });
    fails("a proof that was changed", |file| {
        let proof = &mut file.entries[0].proof;
        *proof = proof.replacen("index ", "index 1", 1);
    });
    fails("no proof", |file| file.entries[0].proof.clear());
    fails("an opening of another kind", |file| {
        file.openings[0] = file.entries[0].clone();
    });
    fails("a leaf that is not canonical", |file| {
        let leaf = &mut file.entries[0].leaf;
        *leaf = leaf.replacen(':', ": ", 1);
    });
}

/// What binds a record, as docs/vault-export.md writes it: another hand than the library's.
fn bindings(file: &ExportFile, number: usize) -> (Vec<u8>, Vec<u8>) {
    let frame = |label: &str, fields: &[&[u8]]| {
        let mut all = label.as_bytes().to_vec();
        for field in fields {
            all.extend((field.len() as u64).to_be_bytes());
            all.extend(*field);
        }
        all
    };
    let header = serde_json::to_value(&file.header).unwrap();
    let header = countersign_core::json::CanonicalJson::of(&header).unwrap();
    let name = &file.header.records[number];
    (
        frame(
            "countersign/vault-export/v1\n",
            &[
                file.header.origin.as_bytes(),
                file.header.purpose.as_bytes(),
            ],
        ),
        frame(
            "countersign/vault-export/record/v1\n",
            &[
                header.digest().as_bytes(),
                name.reference.as_bytes(),
                name.kind.as_bytes(),
            ],
        ),
    )
}

fn text_of(sealed: &countersign_seal::Sealed) -> SealedText {
    use base64::Engine as _;
    let encode = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
    SealedText {
        enc: encode(&sealed.enc),
        ciphertext: encode(&sealed.ciphertext),
    }
}
