//! Making the folder.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::entry::ErasurePhase;
use countersign_core::refs::{PolicyRef, Sha256};
use countersign_merkle::{Hash, LeafIndex};
use countersign_note::TlogProof;
use countersign_verify::{Trust, Word};
use serde_json::json;

use crate::again;
use crate::case::Case;
use crate::choose::Chosen;
use crate::format::{self, FORMAT, Files, Listed, Manifest};
use crate::limits::ENTRIES;
use crate::members;
use crate::question::Question;
use crate::readme;
use crate::record::{Records, State};
use crate::report;
use crate::standing::{self, Proof, Standing};

/// What a folder is made of.
#[derive(Debug, Clone, Default)]
pub struct Material {
    /// The inclusion path of every chosen entry, by its place.
    pub paths: BTreeMap<u64, Vec<Hash>>,
    /// The signed checkpoint that the paths lead to.
    pub checkpoint: Vec<u8>,
    /// The bundles that the entries name, as canonical JSON.
    pub bundles: BTreeMap<PolicyRef, Vec<u8>>,
    /// The records that were opened, as canonical JSON.
    pub documents: BTreeMap<Sha256, Vec<u8>>,
    /// Records that were to be opened and were not, with why.
    pub left_sealed: BTreeMap<Sha256, String>,
    /// What records were opened for, if they were.
    pub purpose: Option<String>,
    /// A tlog-policy with witnesses, if there is one; else one of the log's keys is written.
    pub policy: Option<String>,
    /// What the maker of the folder believes.
    pub trust: Trust,
}

/// Why there is no folder.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvidenceError {
    /// Nothing is there that it could be about.
    #[error("the log holds no entry that this is about")]
    Nothing,
    /// Too much belongs to it.
    #[error("{0} entries belong to this, over the limit of {ENTRIES} of one folder")]
    TooMany(usize),
    /// The checkpoint or a proof is not sound.
    #[error("`{file}`: {found}; expected was {expected}")]
    Unproven {
        /// The file.
        file: String,
        /// What was found.
        found: String,
        /// What was expected.
        expected: String,
    },
    /// A record or bundle is not what its ref says.
    #[error("{0} was answered with bytes that hash to another ref")]
    OtherBytes(String),
    /// The files cannot be written as they are meant to be.
    #[error("the files cannot be written: {0}")]
    Unwritable(String),
}

/// The files of a folder about what was chosen, and how far they are proven. Entries that their
/// proofs do not prove are refused; a verdict that comes out otherwise, judged again, is said.
pub fn build(
    question: &Question,
    chosen: &Chosen,
    material: &Material,
) -> Result<(Files, Standing), EvidenceError> {
    if !chosen.has_asked() {
        return Err(EvidenceError::Nothing);
    }
    if chosen.len() > ENTRIES {
        return Err(EvidenceError::TooMany(chosen.len()));
    }
    check_hashes(material)?;
    let mut files = Files::new();
    files.insert(format::CHECKPOINT.to_owned(), material.checkpoint.clone());
    entries(chosen, material, &mut files)?;
    for (reference, bytes) in &material.bundles {
        let name = format::bundle_name(&(*reference).into());
        files.insert(name, bytes.clone());
    }
    // A record that none of the entries names would be proven by nothing here.
    let named = members::named(chosen);
    let mut documents = material.documents.clone();
    documents.retain(|reference, _| named.contains(reference));
    for (reference, bytes) in &documents {
        files.insert(format::document_name(reference), bytes.clone());
    }
    let mut standing = stand(&files, &material.trust);
    if let Some(mismatch) = standing.mismatches.first() {
        return Err(EvidenceError::Unproven {
            file: mismatch.file.clone(),
            found: mismatch.found.clone(),
            expected: mismatch.expected.clone(),
        });
    }
    let policy = material.policy.clone();
    let policy = policy.unwrap_or_else(|| readme::policy_text(&material.trust));
    files.insert(format::POLICY.to_owned(), policy.into_bytes());
    let records = Records::of(chosen, &documents);
    let listed = records_listed(chosen, &records, &material.left_sealed);
    files.insert(format::RECORDS.to_owned(), pretty(&listed)?);
    let bundles = again::compiled(&material.bundles);
    let bodies = chosen.bodies().filter_map(|(index, _, body)| {
        let id = chosen.id_at(index)?;
        Some((format::entry_name(index, id), body))
    });
    // A verdict that comes out otherwise is what the reader has to know: it is no reason to refuse.
    let again = again::all(bodies, &records, &bundles, &mut standing.mismatches);
    if !standing.mismatches.is_empty() {
        standing.word = Word::Failed;
    }
    let case = Case::new(
        *question,
        chosen,
        records,
        (&bundles, &again, &standing),
        (material.purpose.as_deref(), &material.left_sealed),
    );
    let page = report::report(&case);
    files.insert(format::REPORT_HTML.to_owned(), report::html(&page));
    files.insert(format::REPORT_MD.to_owned(), report::markdown(&page));
    let origin = standing.origin.clone().unwrap_or_default();
    let is_opened = !documents.is_empty();
    files.insert(
        format::README.to_owned(),
        readme::readme(&origin, standing.size, &material.trust, is_opened),
    );
    finish(question, chosen, &standing, is_opened, &mut files)?;
    Ok((files, standing))
}

fn check_hashes(material: &Material) -> Result<(), EvidenceError> {
    let bundles = material
        .bundles
        .iter()
        .map(|(reference, bytes)| (Sha256::from(*reference), bytes));
    let documents = material.documents.iter().map(|(it, bytes)| (*it, bytes));
    for (reference, bytes) in bundles.chain(documents) {
        if Sha256::of(bytes) != reference {
            return Err(EvidenceError::OtherBytes(reference.to_string()));
        }
    }
    Ok(())
}

fn entries(chosen: &Chosen, material: &Material, files: &mut Files) -> Result<(), EvidenceError> {
    let checkpoint = std::str::from_utf8(&material.checkpoint)
        .map_err(|error| EvidenceError::Unwritable(error.to_string()))?;
    for index in chosen.indices() {
        let (Some(leaf), Some(id)) = (chosen.leaf(index), chosen.id_at(index)) else {
            continue;
        };
        let path = material.paths.get(&index);
        let path = path.ok_or_else(|| EvidenceError::Unproven {
            file: format::proof_name(index, id),
            found: "no proof".to_owned(),
            expected: "one for each entry".to_owned(),
        })?;
        let proof = TlogProof::text_of(LeafIndex::new(index), path, checkpoint);
        files.insert(format::entry_name(index, id), leaf.to_vec());
        files.insert(format::proof_name(index, id), proof.into_bytes());
    }
    Ok(())
}

/// Holds the entries of some files against the checkpoint among them.
pub(crate) fn stand(files: &Files, trust: &Trust) -> Standing {
    let mut names = Vec::new();
    for name in files.keys() {
        if let (Some(index), Some(proof)) =
            (format::index_of_name(name), format::proof_beside(name))
        {
            names.push((name.as_str(), index, proof));
        }
    }
    let empty = Vec::new();
    let proofs: Vec<Proof<'_>> = names
        .iter()
        .map(|(file, index, proof_file)| Proof {
            file,
            index: *index,
            leaf: files.get(*file).unwrap_or(&empty),
            proof_file,
            // What is not UTF-8 is no proof either.
            proof: files
                .get(proof_file)
                .and_then(|bytes| std::str::from_utf8(bytes).ok())
                .unwrap_or_default(),
        })
        .collect();
    let checkpoint = files.get(format::CHECKPOINT).unwrap_or(&empty);
    standing::stand(checkpoint, &proofs, trust)
}

/// Every record that the entries name: what it is, which entries name it, and what became of it.
pub(crate) fn records_listed(
    chosen: &Chosen,
    records: &Records<'_>,
    left_sealed: &BTreeMap<Sha256, String>,
) -> Vec<serde_json::Value> {
    let mut named: BTreeMap<Sha256, (&'static str, BTreeSet<String>)> = BTreeMap::new();
    for (index, _, body) in chosen.bodies() {
        for record in members::records(body) {
            let (_, by) = named
                .entry(record.reference)
                .or_insert_with(|| (record.kind, BTreeSet::new()));
            by.extend(chosen.id_at(index).map(|id| id.to_string()));
        }
    }
    named
        .iter()
        .map(|(reference, (kind, by))| {
            let mut record = json!({"ref": reference.to_string(), "kind": kind, "named_by": by});
            let state = match records.state(reference) {
                State::Open => {
                    json!({"state": "opened", "file": format::document_name(reference)})
                }
                State::Erased(erased) => {
                    let erased: Vec<serde_json::Value> = erased
                        .iter()
                        .map(|it| {
                            json!({
                                "entry": it.entry.to_string(),
                                "at": it.at.to_string(),
                                "phase": match it.phase {
                                    ErasurePhase::Requested => "requested",
                                    ErasurePhase::Complete => "complete",
                                },
                                "credential": it.credential.map(|it| it.to_string()),
                                "authority_ref": it.authority.to_string(),
                            })
                        })
                        .collect();
                    json!({"state": "erased", "erased": erased})
                }
                State::Sealed => match left_sealed.get(reference) {
                    Some(why) => json!({"state": "sealed", "why": why}),
                    None => json!({"state": "sealed"}),
                },
            };
            if let (Some(record), serde_json::Value::Object(state)) =
                (record.as_object_mut(), state)
            {
                record.extend(state);
            }
            record
        })
        .collect()
}

fn pretty(value: &impl serde::Serialize) -> Result<Vec<u8>, EvidenceError> {
    let mut bytes = serde_json::to_vec_pretty(value)
        .map_err(|error| EvidenceError::Unwritable(error.to_string()))?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// The manifest, and the sums as `sha256sum` reads them.
fn finish(
    question: &Question,
    chosen: &Chosen,
    standing: &Standing,
    opened: bool,
    files: &mut Files,
) -> Result<(), EvidenceError> {
    let listed = chosen.pooled().filter_map(|(index, pooled)| {
        Some(Listed {
            index,
            entry_id: pooled.entry.entry_id().to_string(),
            kind: pooled.entry.kind().to_owned(),
            part: chosen.part(index)?.name().to_owned(),
        })
    });
    let manifest = Manifest {
        format: FORMAT.to_owned(),
        origin: standing.origin.clone().unwrap_or_default(),
        size: standing.size,
        about: question.stated(),
        opened,
        entries: listed.collect(),
        files: files
            .iter()
            .map(|(name, bytes)| (name.clone(), Sha256::of(bytes)))
            .collect(),
    };
    files.insert(format::MANIFEST.to_owned(), pretty(&manifest)?);
    let sums = sums(files);
    files.insert(format::SUMS.to_owned(), sums);
    Ok(())
}

/// What `SHA256SUMS` says of the other files.
pub(crate) fn sums(files: &Files) -> Vec<u8> {
    let mut out = String::new();
    for (name, bytes) in files.iter().filter(|(name, _)| *name != format::SUMS) {
        let digest = Sha256::of(bytes).to_string();
        let hex = digest.strip_prefix("sha256:").unwrap_or(&digest);
        out.push_str(hex);
        out.push_str("  ");
        out.push_str(name);
        out.push('\n');
    }
    out.into_bytes()
}
