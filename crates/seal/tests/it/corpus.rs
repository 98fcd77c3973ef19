//! The corpus of the fuzz targets, as ordinary tests.

#[path = "../../../../fuzz/checks/seal.rs"]
mod checks;
#[path = "../../../../fuzz/checks/replay.rs"]
mod replay;

use std::fs;
use std::path::Path;

use countersign_note::NoteSigner as _;
use countersign_seal::ExportFile;
use countersign_story::log::Key;
use countersign_verify::Word;

use crate::support::{Counted, World, in_key, read, secret};

#[test]
fn vault_export() {
    replay::each("vault_export", checks::vault_export);
}

#[test]
fn recipient_key() {
    replay::each("recipient_key", checks::recipient_key);
}

/// What the inputs change is sound as it is; `UPDATE_CORPUS=1` makes it anew.
#[test]
fn what_the_inputs_change_is_sound() {
    let checks = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/checks");
    let path = checks.join("sealed.json");
    if std::env::var_os("UPDATE_CORPUS").is_some() {
        let world = World::new();
        let mut draft = world.draft(&world.head);
        draft.documents.truncate(1);
        draft.entries.truncate(1);
        draft.openings.truncate(1);
        let file = draft
            .seal(&secret(1).public(), &Counted::default())
            .unwrap();
        fs::write(&path, file.to_bytes()).unwrap();
        let key = Key::log().verifier_key().to_string();
        fs::write(checks.join("log.key.pub"), format!("{key}\n")).unwrap();
    }
    let file = ExportFile::parse(&fs::read(&path).unwrap()).unwrap();
    let said = read(&file, &in_key()).unwrap();
    assert_eq!(said.word, Word::Unanchored, "{:?}", said.findings);
    assert_eq!((said.records.len(), said.openings), (1, 1));
}
