//! What a file says to its recipient.

use std::collections::BTreeMap;

use countersign_core::entry::Body;
use countersign_core::refs::Sha256;
use countersign_merkle::LeafIndex;
use countersign_verify::{Trust, Word};

use crate::file::{ExportFile, Proven, RecordName};
use crate::key::{RecipientKey, RecipientSecret};
use crate::name::named;
use crate::proof::Anchors;

/// Why there is no answer: nothing is said of the file then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnsealFailure {
    /// It is for somebody else.
    #[error("the file is sealed to {sealed_to}, and this key is {key}")]
    OtherRecipient {
        /// To whom.
        sealed_to: String,
        /// The public half of the key that was given.
        key: RecipientKey,
    },
    /// The caller gave no key of the log.
    #[error("no key of the log was given: keys inside what is checked are never trusted")]
    NoLogKey,
    /// A checkpoint that the caller holds is not signed by a key that the caller gave.
    #[error("the checkpoint that you hold: {0}")]
    Held(String),
    /// A checkpoint that the caller holds is of another log.
    #[error("the checkpoint that you hold is of `{held}`, the file of `{file}`")]
    HeldOrigin {
        /// The origin of the held checkpoint.
        held: String,
        /// The origin of the file.
        file: String,
    },
}

/// A file that was opened and checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsealed {
    /// The weakest of its records' words; `failed` if anything at all does not hold.
    pub word: Word,
    /// Its records, in order.
    pub records: Vec<RecordFound>,
    /// How many entries of openings are in the log.
    pub openings: usize,
    /// What does not hold.
    pub findings: Vec<String>,
    /// Whether the log's key has signed two roots for one size.
    pub contradicts: bool,
}

/// A record of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordFound {
    /// Its name.
    pub name: RecordName,
    /// How far it is to be believed.
    pub word: Word,
    /// Where the entries stand that name it.
    pub entries: Vec<LeafIndex>,
    /// The document's canonical JSON; `None` of a record that failed.
    pub document: Option<Vec<u8>>,
}

/// Opens a file with its recipient's key, and holds it against what the recipient believes.
///
/// # Errors
/// Only what keeps it from an answer. Whatever is wrong with the file is a finding.
pub fn unseal(
    file: &ExportFile,
    secret: &RecipientSecret,
    trust: &Trust,
) -> Result<Unsealed, UnsealFailure> {
    let key = secret.public();
    if file.header.recipient.parse::<RecipientKey>().ok().as_ref() != Some(&key) {
        let sealed_to = file.header.recipient.chars().take(120);
        let sealed_to = sealed_to.flat_map(char::escape_debug).collect();
        return Err(UnsealFailure::OtherRecipient { sealed_to, key });
    }
    let mut anchors = Anchors::new(trust, &file.header.origin)?;
    let mut findings = Vec::new();
    for (what, named, found) in [
        ("entries", &file.header.entries, &file.entries),
        ("openings", &file.header.openings, &file.openings),
    ] {
        if !named.iter().copied().eq(found.iter().map(Proven::digest)) {
            findings.push(format!("the {what} are not those that the header names"));
        }
    }
    let entries = entries(file, &mut anchors, &mut findings);
    let openings = openings(file, &mut anchors, &mut findings);
    let records = records(file, secret, &entries, &mut findings);
    let contradicts = anchors.contradicts();
    if contradicts {
        findings.push("the log's key has signed two roots for one size".to_owned());
    }
    if records.is_empty() {
        findings.push("the file holds no record".to_owned());
    }
    let weakest = records.iter().map(|record| record.word).min();
    Ok(Unsealed {
        word: match findings.is_empty() {
            true => weakest.unwrap_or(Word::Failed),
            false => Word::Failed,
        },
        records,
        openings,
        findings,
        contradicts,
    })
}

/// What proven entries say of one record.
struct Naming {
    index: LeafIndex,
    kind: &'static str,
    word: Word,
}

fn entries(
    file: &ExportFile,
    anchors: &mut Anchors<'_>,
    findings: &mut Vec<String>,
) -> BTreeMap<Sha256, Vec<Naming>> {
    let mut all: BTreeMap<Sha256, Vec<Naming>> = BTreeMap::new();
    for (number, proven) in (1..).zip(&file.entries) {
        match anchors.prove(proven) {
            Ok(found) => {
                for (reference, kind) in named(proven.leaf.as_bytes()) {
                    let (index, word) = (found.index, found.word);
                    let naming = Naming { index, kind, word };
                    all.entry(reference).or_default().push(naming);
                }
            }
            Err(reason) => findings.push(format!("entry {number} of the file: {reason}")),
        }
    }
    all
}

/// Entries of openings are there to be seen: that there is none proves nothing.
fn openings(file: &ExportFile, anchors: &mut Anchors<'_>, findings: &mut Vec<String>) -> usize {
    let mut in_log = 0_usize;
    for (number, proven) in (1..).zip(&file.openings) {
        match anchors.prove(proven) {
            Ok(found) if matches!(found.entry.body(), Some(Body::VaultAccess(_))) => {
                in_log = in_log.saturating_add(1);
            }
            Ok(_) => findings.push(format!("opening {number} of the file is of another kind")),
            Err(reason) => findings.push(format!("opening {number} of the file: {reason}")),
        }
    }
    in_log
}

fn records(
    file: &ExportFile,
    secret: &RecipientSecret,
    entries: &BTreeMap<Sha256, Vec<Naming>>,
    findings: &mut Vec<String>,
) -> Vec<RecordFound> {
    let info = file.header.info();
    let digest = file.header.digest();
    let mut records = Vec::with_capacity(file.records.len());
    for (name, sealed) in file.header.records.iter().zip(&file.records) {
        let naming = entries.get(&name.reference).map_or(&[][..], Vec::as_slice);
        let opened = digest
            .as_ref()
            .map_err(ToString::to_string)
            .and_then(|digest| {
                let sealed = sealed
                    .sealed()
                    .ok_or("it is not base64 of a sealed message")?;
                let aad = name.associated_data(digest);
                let opened = secret.open(&sealed, &info, &aad);
                opened.map_err(|error| error.to_string())
            })
            .and_then(|document| check(name, document, naming));
        let word = naming.iter().map(|naming| naming.word).max();
        let (word, document) = match (opened, word) {
            (Ok(document), Some(word)) => (word, Some(document)),
            (Ok(_), None) => (Word::Failed, None),
            (Err(reason), _) => {
                findings.push(format!("record {}: {reason}", name.reference));
                (Word::Failed, None)
            }
        };
        records.push(RecordFound {
            name: name.clone(),
            word,
            entries: naming.iter().map(|naming| naming.index).collect(),
            document,
        });
    }
    records
}

/// Holds a document against its ref, and its ref and kind against the entries.
fn check(name: &RecordName, document: Vec<u8>, naming: &[Naming]) -> Result<Vec<u8>, String> {
    let found = Sha256::of(&document);
    if found != name.reference {
        return Err(format!("it opens to a document that hashes to {found}"));
    }
    if naming.is_empty() {
        return Err("no entry of the file that is in the log names it".to_owned());
    }
    if let Some(other) = naming.iter().find(|naming| naming.kind != name.kind) {
        return Err(format!(
            "entry {} names it as `{}`, the file as `{}`",
            other.index,
            other.kind,
            name.kind.escape_debug()
        ));
    }
    // The kind is hashed with the document: nobody can pass a turn for a result.
    let kind = serde_json::from_slice::<serde_json::Value>(&document).ok();
    let kind = kind.as_ref().and_then(|value| value.get("kind")?.as_str());
    match kind == Some(name.kind.as_str()) {
        true => Ok(document),
        false => Err(format!("the document is not of the kind `{}`", name.kind)),
    }
}
