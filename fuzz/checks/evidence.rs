//! What holds for any files that come as the folder of an incident.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use countersign_core::refs::Sha256;
use countersign_evidence::{Files, check};
use countersign_note::VerifierKey;
use countersign_verify::{Trust, Word};
use serde_json::{Map, Value};

/// The files of a sound folder, by their names.
const FOLDER: &str = include_str!("folder.json");
/// The key of its log.
const LOG_KEY: &str = include_str!("log.key.pub");

fn folder() -> &'static Files {
    static FOLDER_FILES: OnceLock<Files> = OnceLock::new();
    FOLDER_FILES.get_or_init(|| {
        let texts: BTreeMap<String, String> = serde_json::from_str(FOLDER).unwrap();
        let files = texts.into_iter();
        files
            .map(|(name, text)| (name, text.into_bytes()))
            .collect()
    })
}

/// Blocks that lines `---` part, each a name and, after a line feed, what that file holds; `-` before
/// the name takes the file away, `N:` puts the text at the N-th byte of the one that is there. A folder
/// that was changed fails; and if the manifest was written anew over the change, no entry of it is
/// another one, and no record or bundle but of its own name.
pub(crate) fn evidence_folder(data: &[u8]) {
    let mut files = folder().clone();
    for block in split(data) {
        let line = block.iter().position(|byte| *byte == b'\n');
        let (name, text) = block.split_at(line.unwrap_or(block.len()));
        let text = text.get(1..).unwrap_or_default();
        let name = String::from_utf8_lossy(name).into_owned();
        if let Some(name) = name.strip_prefix('-') {
            files.remove(name);
        } else if let Some((at, name)) = patched(&name) {
            if let Some(file) = files.get_mut(name) {
                let at = at.min(file.len());
                let end = at.saturating_add(text.len()).min(file.len());
                file.splice(at..end, text.iter().copied());
            }
        } else {
            files.insert(name, text.to_vec());
        }
    }
    let key: VerifierKey = LOG_KEY.trim().parse().unwrap();
    let trust = Trust::in_key(key);
    let is_changed = files != *folder();
    let said = check(&files, &trust, true);
    assert_eq!(said.standing.word == Word::Failed, is_changed, "{said:?}");
    remade(&mut files);
    let said = check(&files, &trust, true);
    assert_ne!(said.standing.word, Word::Trusted);
    if said.standing.word == Word::Failed {
        assert!(!said.standing.mismatches.is_empty());
        return;
    }
    for (name, bytes) in &files {
        if name.starts_with("entries/") {
            assert_eq!(folder().get(name), Some(bytes), "{name}");
        } else if name.starts_with("documents/") || name.starts_with("bundles/") {
            let digest = Sha256::of(bytes).to_string();
            assert!(name.contains(&digest["sha256:".len()..]), "{name}");
        }
    }
}

fn split(data: &[u8]) -> Vec<&[u8]> {
    let mark = b"\n---\n";
    let mut blocks = Vec::new();
    let mut rest = data;
    while let Some(at) = rest.windows(mark.len()).position(|part| part == mark) {
        blocks.push(&rest[..at]);
        rest = &rest[at + mark.len()..];
    }
    blocks.push(rest);
    blocks.retain(|block| !block.is_empty());
    blocks
}

fn patched(name: &str) -> Option<(usize, &str)> {
    let (at, name) = name.split_once(':')?;
    Some((at.parse().ok()?, name))
}

/// Writes the manifest's digests and the sums anew over what is there.
fn remade(files: &mut Files) {
    let is_own = |name: &str| name == "manifest.json" || name == "SHA256SUMS";
    let digest = |bytes: &Vec<u8>| Sha256::of(bytes).to_string();
    let listed: Map<String, Value> = files
        .iter()
        .filter(|(name, _)| !is_own(name))
        .map(|(name, bytes)| (name.clone(), digest(bytes).into()))
        .collect();
    let manifest = files.get("manifest.json").map(Vec::as_slice);
    let manifest = manifest.and_then(|bytes| serde_json::from_slice::<Value>(bytes).ok());
    if let Some(Value::Object(mut manifest)) = manifest {
        manifest.insert("files".to_owned(), listed.into());
        let bytes = serde_json::to_vec_pretty(&manifest).unwrap();
        files.insert("manifest.json".to_owned(), bytes);
    }
    let sums = files.iter().filter(|(name, _)| *name != "SHA256SUMS");
    let sums: String = sums
        .map(|(name, bytes)| format!("{}  {name}\n", &digest(bytes)["sha256:".len()..]))
        .collect();
    files.insert("SHA256SUMS".to_owned(), sums.into_bytes());
}
