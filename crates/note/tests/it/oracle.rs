//! Notes must be those of the published `signed_note` crate, checkpoints those of `tlog_tiles`.
//!
//! Where we refuse what they read, a test names it: ids in upper case and signatures of unknown
//! types in keys; in checkpoints control characters, sizes of 2^63 and more, origins of more than
//! 255 bytes, and more than 32 extension lines.

use crate::support::TestSigner;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_merkle::{Hash, MAX_TREE_SIZE, TreeSize};
use countersign_note::{Checkpoint, KeyName, Note, SignatureType, VerifierKey, sign_note};
use proptest::prelude::*;
use signed_note::{Signer, StandardSigner, StandardVerifier, Verifier, VerifierList};

/// The most extension lines that we read.
const MAX_EXTENSIONS: usize = 32;
/// The longest origin that we read.
const MAX_ORIGIN_LEN: usize = 255;

fn name() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z][a-z0-9./-]{0,20}", "[^+\\s\\x00-\\x1f]{1,20}"]
        .prop_filter("not a name", |name| KeyName::parse(name).is_ok())
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "([ -~]{0,12}\n){1,5}",
        "([^\\x00-\\x1f]{0,6}\n){1,4}",
        "(— [a-z]{0,3}( [A-Za-z0-9+/]{8})?\n|\n){1,4}",
    ]
}

fn their_signer(signer: &TestSigner) -> StandardSigner {
    let secret = [&[1], signer.secret.as_bytes().as_slice()].concat();
    let name = signer.key.name();
    let key = format!(
        "PRIVATE+KEY+{name}+{}+{}",
        signer.key.id(),
        STANDARD.encode(secret)
    );
    StandardSigner::new(&key).unwrap()
}

fn their_verifiers(keys: &[&VerifierKey]) -> VerifierList {
    let verifier = |key: &&VerifierKey| {
        Box::new(StandardVerifier::new(&key.to_string()).unwrap()) as Box<dyn Verifier>
    };
    VerifierList::new(keys.iter().map(verifier).collect())
}

proptest! {
    #[test]
    fn both_sign_alike_and_read_each_other(
        name in name(), other in name(), seed: [u8; 32], text in text(),
    ) {
        let signer = TestSigner::new(&name, SignatureType::Ed25519, seed);
        let second = TestSigner::new(&other, SignatureType::Ed25519, [7; 32]);
        prop_assume!(seed != [7; 32]);
        let ours = sign_note(&text, &[&signer, &second]).unwrap();

        let mut theirs = signed_note::Note::new(text.as_bytes(), &[]).unwrap();
        let (first, last) = (their_signer(&signer), their_signer(&second));
        theirs.add_sigs(&[&first as &dyn Signer, &last]).unwrap();
        prop_assert_eq!(ours.to_string().into_bytes(), theirs.to_bytes());

        let bytes = theirs.to_bytes();
        let parsed = Note::parse(&bytes).unwrap();
        prop_assert_eq!(&parsed, &ours);
        let verified = parsed.verify(std::slice::from_ref(&signer.key)).unwrap();
        prop_assert_eq!(verified.text(), text);
        let theirs = signed_note::Note::from_bytes(ours.to_string().as_bytes()).unwrap();
        prop_assert!(theirs.verify(&their_verifiers(&[&signer.key, &second.key])).is_ok());
    }

    #[test]
    fn both_judge_damaged_notes_alike(
        text in text(),
        position: prop::sample::Index,
        replacement in prop_oneof![
            Just(Vec::new()), prop::collection::vec(any::<u8>(), 0..3),
            prop::sample::select(vec![b"\n".to_vec(), b"\n\n".to_vec(), b" ".to_vec(),
                b"+".to_vec(), b"=".to_vec(), "—".into(), "\u{a0}".into(), b"\t".to_vec()]),
        ],
        cut in 0_usize..3,
    ) {
        let signer = TestSigner::log("a.example", 1);
        let other = TestSigner::log("b.example", 2);
        let note = sign_note(&text, &[&signer, &other]).unwrap().to_string();
        let mut bytes = note.into_bytes();
        let start = position.index(bytes.len());
        let end = (start + cut).min(bytes.len());
        bytes.splice(start..end, replacement);

        let (ours, theirs) = (Note::parse(&bytes), signed_note::Note::from_bytes(&bytes));
        prop_assert_eq!(ours.is_ok(), theirs.is_ok(), "{:?}", String::from_utf8_lossy(&bytes));
        if let (Ok(ours), Ok(theirs)) = (ours, theirs) {
            prop_assert_eq!(ours.to_string().into_bytes(), bytes);
            prop_assert_eq!(ours.text().as_bytes(), theirs.text());
            let keys = [signer.key.clone(), other.key.clone()];
            let judged = theirs.verify(&their_verifiers(&[&keys[0], &keys[1]]));
            prop_assert_eq!(ours.verify(&keys).is_ok(), judged.is_ok());
        }
    }

    #[test]
    fn both_judge_damaged_keys_alike(
        name in name(), seed: [u8; 32], position: prop::sample::Index, change in 0x20_u8..0x7f,
    ) {
        let signer = TestSigner::new(&name, SignatureType::Ed25519, seed);
        let mut key = signer.key.to_string().into_bytes();
        let position = position.index(key.len());
        // An id in upper case is read there, and is a second spelling of the same key here.
        let is_upper_id = (name.len() + 1..name.len() + 9).contains(&position)
            && change.is_ascii_uppercase();
        prop_assume!(!is_upper_id);
        key[position] = change;
        let Ok(key) = String::from_utf8(key) else { return Ok(()) };
        let theirs = StandardVerifier::new(&key).is_ok();
        let ours = VerifierKey::parse(&key);
        // Keys of other types are kept here and refused there.
        let is_known = ours.is_ok_and(|key| key.signature_type() == SignatureType::Ed25519);
        prop_assert_eq!(is_known, theirs, "{}", key);
    }
}

/// Texts that are checkpoints more often than not.
fn checkpoint() -> impl Strategy<Value = String> {
    let origin = prop_oneof![
        8 => "[a-z][a-z0-9./ +-]{0,20}",
        1 => "\\PC{1,8}",
        1 => "[a-z]{250,260}",
        1 => Just(String::new()),
    ];
    let size = prop_oneof![
        8 => any::<u64>().prop_map(|size| size.to_string()),
        2 => (MAX_TREE_SIZE - 1..=MAX_TREE_SIZE + 2).prop_map(|size| size.to_string()),
        1 => prop::sample::select(vec!["", "0", "00", "01", "+1", "-1", "1 ", "18446744073709551616", "٣"])
            .prop_map(str::to_owned),
    ];
    let root = any::<[u8; 32]>().prop_map(|root| STANDARD.encode(root));
    let extensions = prop_oneof![
        8 => prop::collection::vec("[ -~]{1,6}", 0..3),
        1 => prop::collection::vec("[ -~\t]{0,3}", 0..4),
        1 => prop::collection::vec("x", MAX_EXTENSIONS - 1..MAX_EXTENSIONS + 2),
    ];
    (origin, size, root, extensions).prop_map(|(origin, size, root, extensions)| {
        let lines = [vec![origin, size, root], extensions].concat();
        lines.join("\n") + "\n"
    })
}

/// What they read and we refuse.
fn is_refused_here_alone(theirs: &tlog_tiles::Checkpoint) -> bool {
    let has_control = |text: &str| text.chars().any(|char| char < ' ' && char != '\n');
    theirs.size() > MAX_TREE_SIZE
        || theirs.origin().len() > MAX_ORIGIN_LEN
        || has_control(theirs.origin())
        || has_control(theirs.extension())
        || theirs.extension().lines().count() > MAX_EXTENSIONS
}

fn assert_same_checkpoint(text: &str) -> Result<(), TestCaseError> {
    let theirs = tlog_tiles::Checkpoint::from_bytes(text.as_bytes());
    let is_read_there = theirs
        .as_ref()
        .is_ok_and(|theirs| !is_refused_here_alone(theirs));
    let ours = Checkpoint::parse(text);
    prop_assert_eq!(ours.is_ok(), is_read_there, "{:?}", text);
    if let (Ok(ours), Ok(theirs)) = (ours, theirs) {
        prop_assert_eq!(ours.origin(), theirs.origin());
        prop_assert_eq!(ours.size(), TreeSize::new(theirs.size()));
        prop_assert_eq!(ours.root(), Hash::from_bytes(theirs.hash().0));
        prop_assert_eq!(ours.to_string().into_bytes(), theirs.to_bytes());
        prop_assert_eq!(ours.to_string(), text);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn both_read_the_same_checkpoints(text in checkpoint()) {
        assert_same_checkpoint(&text)?;
    }

    #[test]
    fn both_judge_damaged_checkpoints_alike(
        text in checkpoint(),
        position: prop::sample::Index,
        replacement in prop::sample::select(vec![
            "", "\n", "\n\n", " ", "=", "==", "/", "A", "0", "\r", "\t", "\u{0}", "\u{a0}", "é",
        ]),
        cut in 0_usize..3,
    ) {
        let mut chars: Vec<char> = text.chars().collect();
        let start = position.index(chars.len());
        let end = (start + cut).min(chars.len());
        chars.splice(start..end, replacement.chars());
        assert_same_checkpoint(&chars.into_iter().collect::<String>())?;
    }
}

/// A checkpoint that a log signed with one crate is read with the other.
#[test]
fn a_checkpoint_goes_from_one_to_the_other() {
    let signer = TestSigner::log("log.example/1", 3);
    let root = Hash::from_bytes([9; 32]);
    let ours = Checkpoint::new("log.example/1", TreeSize::new(70_000), root).unwrap();
    let note = ours.sign(&[&signer]).unwrap().to_string();

    let read = signed_note::Note::from_bytes(note.as_bytes()).unwrap();
    assert!(read.verify(&their_verifiers(&[&signer.key])).is_ok());
    let theirs = tlog_tiles::Checkpoint::from_bytes(read.text()).unwrap();
    assert_eq!((theirs.size(), theirs.hash().0), (70_000, [9; 32]));

    let theirs = tlog_tiles::Checkpoint::new("log.example/1", 70_000, *theirs.hash(), "").unwrap();
    let mut theirs = signed_note::Note::new(&theirs.to_bytes(), &[]).unwrap();
    theirs
        .add_sigs(&[&their_signer(&signer) as &dyn Signer])
        .unwrap();
    assert_eq!(theirs.to_bytes(), note.into_bytes());
}
