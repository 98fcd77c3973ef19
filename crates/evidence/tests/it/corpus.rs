//! The corpus of the fuzz targets, as ordinary tests.

#[path = "../../../../fuzz/checks/evidence.rs"]
mod checks;
#[path = "../../../../fuzz/checks/replay.rs"]
mod replay;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use countersign_core::refs::Sha256;
use countersign_evidence::{Question, check};
use countersign_note::NoteSigner as _;
use countersign_story::log::Key;
use countersign_story::story::story;
use countersign_verify::{Trust, Word};

use crate::support::{folder, folder_with, text};

#[test]
fn evidence_folder() {
    replay::each("evidence_folder", checks::evidence_folder);
}

/// What the inputs change is sound as it is; `UPDATE_CORPUS=1` makes it anew.
#[test]
fn what_the_inputs_change_is_sound() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/checks/folder.json");
    let trust = Trust::in_key(Key::log().verifier_key().clone());
    if std::env::var_os("UPDATE_CORPUS").is_some() {
        let story = story();
        let at = |name: &str| story.entries[story.position(name)].1.timestamp;
        let about = Question::Between(at("approved"), at("rejected 2"));
        let (sealed, _) = folder(&story, &about);
        let entries = sealed
            .keys()
            .filter(|name| name.starts_with("entries/"))
            .map(|name| text(&sealed, name))
            .collect::<String>();
        let is_named = |it: &Sha256| entries.contains(&it.to_string());
        let (files, _) = folder_with(&story, &about, trust.clone(), is_named);
        let texts: BTreeMap<String, String> = files
            .into_iter()
            .map(|(name, bytes)| (name, String::from_utf8(bytes).unwrap()))
            .collect();
        let json = serde_json::to_vec_pretty(&texts).unwrap();
        fs::write(&path, json).unwrap();
    }
    let texts: BTreeMap<String, String> =
        serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let files = texts.into_iter();
    let files = files
        .map(|(name, text)| (name, text.into_bytes()))
        .collect();
    let said = check(&files, &trust, false);
    assert_eq!(said.standing.word, Word::Unanchored, "{said:?}");
    assert!(said.documents > 0 && said.bundles > 0 && said.standing.proven > 3);
}
