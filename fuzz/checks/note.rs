//! What holds for any bytes that are read as a text of the crate `note`.

use countersign_merkle::{Hash, MAX_TREE_SIZE};
use countersign_note::{
    Checkpoint, KeyNameError, Note, NoteError, TlogPolicy, TlogProof, VerifierKey,
};

/// A checkpoint that a policy is asked about.
const COSIGNED: &str = include_str!("cosigned.note");

/// A note that is read is written back, and `signed_note` reads the same ones, but for names of
/// keys of more than 255 bytes and more than 64 signatures, which we refuse.
pub(crate) fn note(data: &[u8]) {
    let theirs = signed_note::Note::from_bytes(data);
    match (Note::parse(data), theirs) {
        (Ok(ours), theirs) => {
            assert_eq!(ours.to_string().as_bytes(), data);
            assert_eq!(ours.text().as_bytes(), theirs.unwrap().text());
        }
        (Err(error), Ok(_)) => assert!(is_refused_here_alone(&error), "{error}"),
        (Err(_), Err(_)) => {}
    }
}

fn is_refused_here_alone(error: &NoteError) -> bool {
    let too_long = |error: &KeyNameError| matches!(error, KeyNameError::TooLong { .. });
    match error {
        NoteError::TooManySignatures => true,
        NoteError::SignatureName { error, .. } => too_long(error),
        _ => false,
    }
}

/// A checkpoint that is read is written back, and `tlog_tiles` reads it, too.
pub(crate) fn checkpoint(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(ours) = Checkpoint::parse(text) {
        assert_eq!(ours.to_string(), text);
        assert!(ours.size().get() <= MAX_TREE_SIZE);
        let theirs = tlog_tiles::Checkpoint::from_bytes(data).unwrap();
        assert_eq!(theirs.origin(), ours.origin());
        assert_eq!(Hash::from_bytes(theirs.hash().0), ours.root());
    }
}

/// A proof that is read is written back, and its note is one.
pub(crate) fn proof(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(proof) = TlogProof::parse(text) {
        assert_eq!(proof.to_string(), text);
        note(proof.checkpoint().to_string().as_bytes());
        // No key has signed anything here.
        assert!(proof.verify(&Hash::from_bytes([0; 32]), &[]).is_err());
    }
}

/// A policy that is read can be asked, and reads the same with a newline at its end. A key that is
/// read is written back.
pub(crate) fn policy(data: &[u8]) {
    let cosigned = Note::parse(COSIGNED.as_bytes()).unwrap();
    if let Ok(policy) = TlogPolicy::parse(data) {
        let answer = format!("{:?}", policy.evaluate(&cosigned));
        let longer = TlogPolicy::parse(&[data, b"\n"].concat()).unwrap();
        assert_eq!(format!("{:?}", longer.evaluate(&cosigned)), answer);
        for log in policy.logs() {
            let key = log.key().to_string();
            assert_eq!(VerifierKey::parse(&key).unwrap().to_string(), key);
        }
    }
}
