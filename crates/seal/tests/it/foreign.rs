//! The same files under `tools/unseal.py`, which shares no code with this crate.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::Command;

use countersign_note::NoteSigner as _;
use countersign_seal::ExportFile;
use countersign_story::log::{Key, checkpoint};

use crate::support::{World, secret};

/// `PYTHON` names an interpreter that has what `tools/requirements.txt` asks for.
fn interpreter() -> Option<String> {
    let python = std::env::var("PYTHON").unwrap_or("python3".into());
    let asked = Command::new(&python)
        .args(["-c", "import cryptography"])
        .output();
    let has_it = asked.is_ok_and(|ran| ran.status.success());
    if !has_it {
        eprintln!("\n*** skipped: `{python}` has no `cryptography`; set PYTHON ***\n");
    }
    has_it.then_some(python)
}

/// The text of a key file, as `countersign-keys` writes it.
const KEY: &str = "countersign-key/v1 recipient bd2894ef0d8222e9\n\
                   origin countersign.invalid/recipient\n\
                   secret AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE\n";

/// What is changed in a file, and how.
type Change = (&'static str, fn(&mut ExportFile));

struct Script<'a> {
    python: String,
    dir: &'a Path,
}

impl Script<'_> {
    fn write(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.dir.join(name);
        let mut options = std::fs::OpenOptions::new();
        let mut file = options
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&path)
            .unwrap();
        file.write_all(bytes).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// What the script says of a file, and how it ends.
    fn says(&self, file: &ExportFile, more: &[&str]) -> (i32, String) {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tools/unseal.py");
        let file = self.write("file.json", &file.to_bytes());
        let log_key = Key::log().verifier_key().to_string();
        let key = self.dir.join("recipient.key");
        let ran = Command::new(&self.python)
            .args([script, &file, "--key", &log_key, "--recipient-key"])
            .arg(&key)
            .args(more)
            .output()
            .unwrap();
        let said = [ran.stdout, ran.stderr].concat();
        let code = ran.status.code().unwrap();
        (code, String::from_utf8(said).unwrap())
    }
}

#[test]
fn a_script_with_other_libraries_says_the_same() {
    let Some(python) = interpreter() else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let script = Script { python, dir };
    script.write("recipient.key", KEY.as_bytes());
    let world = World::new();
    let file = world.file(&secret(1));
    let (code, said) = script.says(&file, &[]);
    assert_eq!(code, 4, "{said}");
    assert!(said.starts_with("unanchored"), "{said}");

    let held = script.write("held", world.head.to_string().as_bytes());
    let out = dir.join("documents");
    let (code, said) = script.says(
        &file,
        &["--checkpoint", &held, "--out", out.to_str().unwrap()],
    );
    assert_eq!((code, said.starts_with("trusted")), (0, true), "{said}");
    for name in &file.header.records {
        let digits = name.reference.to_string().replace("sha256:", "");
        let document = std::fs::read(out.join(format!("{digits}.json"))).unwrap();
        assert_eq!(document, world.story.documents[&name.reference]);
    }

    let mut leaves = world.leaves.clone();
    leaves.swap(3, 4);
    let other = script.write("other", checkpoint(&leaves).to_string().as_bytes());
    assert_eq!(script.says(&file, &["--checkpoint", &other]).0, 3);
    assert_eq!(script.says(&world.file(&secret(2)), &[]).0, 2);
}

#[test]
fn the_script_refuses_what_this_crate_refuses() {
    let Some(python) = interpreter() else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let script = Script {
        python,
        dir: dir.path(),
    };
    script.write("recipient.key", KEY.as_bytes());
    let file = World::new().file(&secret(1));
    let changes: [Change; 8] = [
        ("purpose", |file| file.header.purpose.push('.')),
        ("swapped", |file| file.records.swap(0, 1)),
        ("cut", |file| drop(file.records.pop())),
        ("no entries", |file| file.entries.clear()),
        ("moved proof", |file| {
            file.entries[0].proof = file.entries[1].proof.clone();
        }),
        ("changed leaf", |file| {
            let leaf = &mut file.entries[0].leaf;
            *leaf = leaf.replacen("2026", "2025", 1);
        }),
        ("other recipient's", |file| {
            file.records = World::new().file(&secret(2)).records;
        }),
        ("opening", |file| file.openings[0] = file.entries[0].clone()),
    ];
    for (what, change) in changes {
        let mut wrong = file.clone();
        change(&mut wrong);
        let (code, said) = script.says(&wrong, &[]);
        assert_eq!(
            (code, said.starts_with("failed")),
            (1, true),
            "{what}: {said}"
        );
    }
}
