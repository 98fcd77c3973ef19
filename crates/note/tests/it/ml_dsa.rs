//! ML-DSA-44 signatures of logs and witnesses (type 0x06): a note made by an implementation of
//! others (`tlog-scales` 0.0.3, which signs through another library), our own, and damaged ones.

use crate::support::{TestLog, TestSigner};
use aws_lc_rs::signature::{KeyPair as _, ML_DSA_44_SIGNING, PqdsaKeyPair};
use countersign_note::{
    Checkpoint, CheckpointError, KeyName, MlDsaSigner, Note, NoteSignature, NoteVerifyError,
    PolicyOutcome, SignError, SignNoteError, SignatureType, SignedCheckpoint, Timestamp,
    TlogPolicy, VerifierKey, cosign_ml_dsa,
};

const NOTE: &str = include_str!("../vectors/ml-dsa-44.note");
/// The log's Ed25519 key, its ML-DSA-44 key, and a witness's; seeds of 32 times 1, 2 and 3.
const KEYS: &str = include_str!("../vectors/ml-dsa-44.vkeys");

struct PqSigner {
    pair: PqdsaKeyPair,
    key: VerifierKey,
}

impl PqSigner {
    fn new(name: &str, seed: u8) -> Self {
        let pair = PqdsaKeyPair::from_seed(&ML_DSA_44_SIGNING, &[seed; 32]).unwrap();
        let public_key = pair.public_key().as_ref().try_into().unwrap();
        let key = VerifierKey::ml_dsa_44(KeyName::parse(name).unwrap(), public_key).unwrap();
        Self { pair, key }
    }

    fn sign_note(&self, note: &Note, seconds: u64) -> NoteSignature {
        let checkpoint = Checkpoint::parse(note.text()).unwrap();
        let time = Timestamp::from_seconds(seconds).unwrap();
        cosign_ml_dsa(&checkpoint, time, self).unwrap()
    }
}

impl MlDsaSigner for PqSigner {
    fn verifier_key(&self) -> &VerifierKey {
        &self.key
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        let mut signature = vec![0; 2420];
        self.pair.sign(message, &mut signature).unwrap();
        Ok(signature)
    }
}

fn keys() -> [VerifierKey; 3] {
    let keys: Vec<VerifierKey> = KEYS.lines().map(|key| key.parse().unwrap()).collect();
    assert_eq!(
        KEYS,
        keys.iter()
            .map(|key| format!("{key}\n"))
            .collect::<String>()
    );
    keys.try_into().unwrap()
}

fn foreign() -> Note {
    let note: Note = NOTE.parse().unwrap();
    assert_eq!(note.to_string(), NOTE);
    note
}

#[test]
fn what_others_sign_is_accepted() {
    let keys = keys();
    assert_eq!(keys[1], PqSigner::new("log.example/acme/1", 2).key);
    assert_eq!(keys[2], PqSigner::new("witness.example/w1", 3).key);
    let signed = SignedCheckpoint::open(&foreign(), &keys).unwrap();
    let signers: Vec<_> = signed.signatures().iter().map(|it| it.key()).collect();
    assert_eq!(signers, keys.iter().collect::<Vec<_>>());
    assert!(signed.unsupported().is_empty());
    let times = signed.signatures().iter().map(|it| it.timestamp());
    assert!(
        times
            .skip(1)
            .all(|time| time.unwrap().seconds() > 1_700_000_000)
    );
    // The log's one signature of either type is enough, a witness's is not.
    assert!(SignedCheckpoint::open(&foreign(), &keys[..1]).is_ok());
    assert!(SignedCheckpoint::open(&foreign(), &keys[1..2]).is_ok());
    assert!(matches!(
        SignedCheckpoint::open(&foreign(), &keys[2..]),
        Err(CheckpointError::NoLogSignature { .. })
    ));
}

#[test]
fn no_bit_of_a_foreign_signature_can_be_changed() {
    let keys = keys();
    let note = foreign();
    let line = &note.signatures()[1];
    let text = note.text().to_owned();
    let open = |text: &str, bytes: Vec<u8>| {
        let line = NoteSignature::new(line.name().clone(), line.id(), bytes).unwrap();
        let note = Note::new(text.to_owned(), vec![line]).unwrap();
        note.verify(&keys).map(|_| ())
    };
    assert_eq!(open(&text, line.bytes().to_vec()), Ok(()));
    let is_refused = |result| matches!(result, Err(NoteVerifyError::BadSignature { .. }));
    // Time and signature alike.
    for at in 0..line.bytes().len() {
        let mut bytes = line.bytes().to_vec();
        bytes[at] ^= 1 << (at % 8);
        assert!(is_refused(open(&text, bytes)), "byte {at}");
    }
    let mut long = line.bytes().to_vec();
    long.push(0);
    for bytes in [
        long,
        line.bytes()[..2427].to_vec(),
        line.bytes()[..8].to_vec(),
        line.bytes()[8..].to_vec(),
        vec![0; 2428],
        foreign().signatures()[2].bytes().to_vec(),
    ] {
        assert!(is_refused(open(&text, bytes)));
    }
    for (from, to) in [
        ("log.example/acme/1", "log.example/acme/2"),
        ("28672", "28673"),
        ("28672\n", "28672\nx"),
    ] {
        let changed = text.replace(from, to);
        assert!(is_refused(open(&changed, line.bytes().to_vec())), "{to}");
    }
    // A text that is no checkpoint has no such signature.
    assert!(is_refused(open("text\n", line.bytes().to_vec())));
}

#[test]
fn extension_lines_stand_only_under_a_signature_that_covers_them() {
    let keys = keys();
    let pq = PqSigner::new("log.example/acme/1", 2);
    let text = format!("{}extension\n", foreign().text());
    let checkpoint = Checkpoint::parse(&text).unwrap();
    let time = Timestamp::from_seconds(7).unwrap();
    let line = cosign_ml_dsa(&checkpoint, time, &pq).unwrap();
    let mut note = Note::new(text, vec![line]).unwrap();
    let signed = SignedCheckpoint::open(&note, &keys).unwrap();
    assert!(signed.checkpoint().extensions().is_empty());
    assert_eq!(signed.checkpoint().size(), checkpoint.size());

    let log = TestSigner::log("log.example/acme/1", 1);
    let signed = checkpoint.sign(&[&log]).unwrap();
    note.add_signature(signed.signatures()[0].clone()).unwrap();
    let signed = SignedCheckpoint::open(&note, &keys).unwrap();
    assert_eq!(signed.checkpoint().extensions(), ["extension"]);
}

#[test]
fn our_own_signatures_are_bound_to_name_time_and_checkpoint() {
    let log = TestLog::new("log.example", 7);
    let (ours, other) = (
        PqSigner::new("log.example", 9),
        PqSigner::new("log.example", 8),
    );
    let mut note = log.checkpoint();
    note.add_signature(ours.sign_note(&note, 0)).unwrap();
    let keys = [log.signer.key.clone(), ours.key.clone()];
    let signed = SignedCheckpoint::open(&note, &keys).unwrap();
    assert_eq!(signed.signatures().len(), 2);
    assert_eq!(
        signed.signatures()[1].timestamp(),
        Timestamp::from_seconds(0)
    );

    // The same secret under another name is another key.
    let renamed = PqSigner::new("log.example/2", 9);
    assert_ne!(renamed.key.id(), ours.key.id());
    assert!(matches!(
        note.verify(&[renamed.key]),
        Err(NoteVerifyError::NoKnownKey)
    ));
    // A signature of another key under our key's id.
    let line = other.sign_note(&note, 1);
    let line = NoteSignature::new(line.name().clone(), ours.key.id(), line.bytes().to_vec());
    let forged = Note::new(note.text().to_owned(), vec![line.unwrap()]).unwrap();
    assert!(matches!(
        forged.verify(std::slice::from_ref(&ours.key)),
        Err(NoteVerifyError::BadSignature { .. })
    ));
}

#[test]
fn a_key_of_another_type_does_not_sign_so() {
    struct Wrong(TestSigner);
    impl MlDsaSigner for Wrong {
        fn verifier_key(&self) -> &VerifierKey {
            &self.0.key
        }
        fn sign(&self, _: &[u8]) -> Result<Vec<u8>, SignError> {
            Ok(vec![1; 2420])
        }
    }
    let log = TestLog::new("log.example", 3);
    let checkpoint = Checkpoint::parse(log.checkpoint().text()).unwrap();
    let time = Timestamp::from_seconds(1).unwrap();
    let refused = cosign_ml_dsa(&checkpoint, time, &Wrong(TestSigner::log("log.example", 1)));
    assert!(matches!(
        refused,
        Err(SignNoteError::KeyType {
            expected: SignatureType::MlDsa44,
            ..
        })
    ));
}

#[test]
fn logs_and_witnesses_of_a_policy_may_have_such_keys() {
    let [_, pq, witness] = keys();
    let policy = |text: String| -> TlogPolicy { text.parse().unwrap() };
    let ours = policy(format!("log {pq}\nwitness w {witness}\nquorum w\n"));
    assert_eq!(ours.unsupported_keys().count(), 0);
    let Ok(PolicyOutcome::Satisfied(evidence)) = ours.evaluate(&foreign()) else {
        panic!("the quorum is met");
    };
    assert_eq!(evidence.witnesses().len(), 1);
    assert_eq!(evidence.checkpoint().checkpoint().size().get(), 28_672);

    let note = foreign();
    let lines = note.signatures()[..2].to_vec();
    let unwitnessed = Note::new(note.text().to_owned(), lines).unwrap();
    assert!(matches!(
        ours.evaluate(&unwitnessed),
        Ok(PolicyOutcome::QuorumNotMet(_))
    ));
}

#[test]
fn a_witness_is_not_taken_for_the_log_whose_name_it_bears() {
    let log = TestLog::new("log.example", 5);
    let impostor = PqSigner::new("log.example", 4);
    let note = log.checkpoint();
    let line = impostor.sign_note(&note, 1);
    let note = Note::new(note.text().to_owned(), vec![line]).unwrap();
    let policy = format!(
        "log {}\nwitness w {}\nquorum w\n",
        log.signer.key, impostor.key
    );
    let policy: TlogPolicy = policy.parse().unwrap();
    assert!(matches!(
        policy.evaluate(&note),
        Err(CheckpointError::NoLogSignature { .. })
    ));
}
