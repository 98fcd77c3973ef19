//! The names and the form of the files of a folder.

use std::collections::BTreeMap;

use countersign_core::ids::EntryId;
use countersign_core::refs::Sha256;
use serde::{Deserialize, Serialize};

/// What `manifest.json` calls this layout.
pub const FORMAT: &str = "countersign-evidence/1";

/// The files of a folder, by their names in it.
pub type Files = BTreeMap<String, Vec<u8>>;

pub(crate) const MANIFEST: &str = "manifest.json";
pub(crate) const SUMS: &str = "SHA256SUMS";
pub(crate) const CHECKPOINT: &str = "checkpoint";
pub(crate) const POLICY: &str = "tlog-policy";
pub(crate) const RECORDS: &str = "records.json";
pub(crate) const REPORT_HTML: &str = "report.html";
pub(crate) const REPORT_MD: &str = "report.md";
pub(crate) const README: &str = "README.md";

/// The directories of a folder.
pub const DIRECTORIES: [&str; 4] = ["entries", "proofs", "bundles", "documents"];
/// The files beside them.
pub const TOP: [&str; 8] = [
    README,
    SUMS,
    CHECKPOINT,
    MANIFEST,
    RECORDS,
    REPORT_HTML,
    REPORT_MD,
    POLICY,
];

/// Whether a folder can hold a file of this name.
pub(crate) fn has_place(name: &str) -> bool {
    match name.split_once('/') {
        None => TOP.contains(&name),
        Some((directory, name)) => DIRECTORIES.contains(&directory) && !name.contains('/'),
    }
}

/// What `manifest.json` says.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: String,
    /// The log's origin.
    pub origin: String,
    /// How many entries the checkpoint covers.
    pub size: u64,
    /// What the folder is about.
    pub about: serde_json::Value,
    /// Whether sealed records were opened for it.
    pub opened: bool,
    /// The entries, in the order of the log.
    pub entries: Vec<Listed>,
    /// The SHA-256 of every other file but `SHA256SUMS`.
    pub files: BTreeMap<String, Sha256>,
}

/// An entry of the folder.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Listed {
    /// Its place in the log.
    pub index: u64,
    /// Its id.
    pub entry_id: String,
    /// Its kind.
    pub kind: String,
    /// Why it belongs.
    pub part: String,
}

/// Reads `manifest.json`; `None` if it is none of such a folder.
pub(crate) fn manifest_of(bytes: &[u8]) -> Option<Manifest> {
    let manifest: Manifest = serde_json::from_slice(bytes).ok()?;
    (manifest.format == FORMAT).then_some(manifest)
}

/// Eight digits, so that names sort as the log does.
fn stem(index: u64, id: &str) -> String {
    format!("{index:08}-{id}")
}

pub(crate) fn entry_name(index: u64, id: EntryId) -> String {
    format!("entries/{}.json", stem(index, &id.to_string()))
}

pub(crate) fn proof_name(index: u64, id: EntryId) -> String {
    format!("proofs/{}.tlog-proof", stem(index, &id.to_string()))
}

/// The place in the log that the name of an entry's file gives.
pub(crate) fn index_of_name(name: &str) -> Option<u64> {
    let stem = name.strip_prefix("entries/")?.strip_suffix(".json")?;
    stem.split_once('-')?.0.parse().ok()
}

/// The proof beside an entry's file.
pub(crate) fn proof_beside(entry: &str) -> Option<String> {
    let stem = entry.strip_prefix("entries/")?.strip_suffix(".json")?;
    Some(format!("proofs/{stem}.tlog-proof"))
}

fn hex(reference: &Sha256) -> String {
    let text = reference.to_string();
    text.strip_prefix("sha256:").unwrap_or(&text).to_owned()
}

pub(crate) fn bundle_name(reference: &Sha256) -> String {
    format!("bundles/{}.json", hex(reference))
}

pub(crate) fn document_name(reference: &Sha256) -> String {
    format!("documents/{}.json", hex(reference))
}

/// The ref that the name of a file in this directory gives.
pub(crate) fn ref_of_name(name: &str, directory: &str) -> Option<Sha256> {
    let rest = name.strip_prefix(directory)?.strip_prefix('/')?;
    format!("sha256:{}", rest.strip_suffix(".json")?)
        .parse()
        .ok()
}
