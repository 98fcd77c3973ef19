//! The checker in Python, which shares no code with this one, agrees on the same exports.

use std::path::Path;
use std::process::Command;

use countersign_note::NoteSigner as _;
use countersign_verify::{LogSource as _, MemoryLog};

use crate::large;
use crate::log::{Key, audit, checkpoint, publish, trust, under};
use crate::story::story;

/// `PYTHON` names an interpreter that has what `tools/requirements.txt` asks for.
fn python() -> Option<String> {
    let python = std::env::var("PYTHON").unwrap_or("python3".into());
    let script = "import rfc8785, cryptography";
    let run = Command::new(&python).args(["-c", script]).output();
    match run {
        Ok(output) if output.status.success() => Some(python),
        _ => {
            eprintln!(
                "SKIPPED: `{python}` has no rfc8785 and cryptography (tools/requirements.txt)"
            );
            None
        }
    }
}

fn write(log: &MemoryLog, directory: &Path) {
    for (tile, bytes) in &log.tiles {
        let path = directory.join(tile.to_string());
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    std::fs::write(directory.join("checkpoint"), log.checkpoint().unwrap()).unwrap();
}

fn export(log: &MemoryLog) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    write(log, directory.path());
    let documents = directory.path().join("documents");
    std::fs::create_dir_all(&documents).unwrap();
    for (reference, bytes) in story().documents {
        let name = reference.to_string().replace("sha256:", "") + ".json";
        std::fs::write(documents.join(name), bytes).unwrap();
    }
    directory
}

/// What the Python checker says: its output and exit code.
fn says(python: &str, log: &MemoryLog, held: Option<&str>) -> (String, i32) {
    let directory = export(log);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tools/check_export.py");
    let mut command = Command::new(python);
    command.arg(script).arg(directory.path());
    command.arg(Key::log().verifier_key().to_string());
    command
        .arg("--root-key")
        .arg(Key::root().verifier_key().to_string());
    if let Some(held) = held {
        let path = directory.path().join("held");
        std::fs::write(&path, held).unwrap();
        command.arg("--checkpoint").arg(path);
    }
    let output = command.output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (
        String::from_utf8_lossy(&text).into_owned(),
        output.status.code().unwrap(),
    )
}

#[test]
fn the_python_checker_comes_to_the_same_word() {
    let Some(python) = python() else { return };
    let leaves = story().leaves();
    let signed = checkpoint(&leaves);
    let mut changed = leaves.clone();
    let text = String::from_utf8(leaves[20].clone()).unwrap();
    changed[20] = text.replacen("01HYB", "01HYC", 1).into_bytes();
    let early = checkpoint(&leaves[..9]).to_string();
    let other = checkpoint(&changed[..25]).to_string();
    let mut no_tile = publish(&leaves);
    no_tile.tiles.pop_first();
    for (what, log, held) in [
        ("sound", publish(&leaves), None),
        ("held whole", publish(&leaves), Some(signed.to_string())),
        ("held early", publish(&leaves), Some(early)),
        ("one character", under(&changed, &signed), None),
        ("another history", publish(&leaves), Some(other)),
        (
            "cut short",
            publish(&leaves[..30]),
            Some(signed.to_string()),
        ),
        ("a tile short", no_tile, None),
        ("three tiles", publish(&large::leaves(600)), None),
        ("without a genesis", publish(&leaves[1..]), None),
    ] {
        let mut trust = trust();
        trust
            .held
            .extend(held.as_ref().map(|held| held.parse().unwrap()));
        let ours = audit(&log, trust);
        let (text, code) = says(&python, &log, held.as_deref());
        assert_eq!(i32::from(ours.exit_code()), code, "{what}: {text}");
        assert!(text.starts_with(ours.word.name()), "{what}: {text}");
    }
}

#[test]
fn the_python_checker_finds_a_decision_under_another_bundle() {
    let Some(python) = python() else { return };
    let from = story().position("approved");
    let mut leaves = story().leaves();
    let leaf: serde_json::Value = serde_json::from_slice(&leaves[from]).unwrap();
    let other = format!("sha256:{}", "0".repeat(64));
    let text = String::from_utf8(leaves[from].clone()).unwrap();
    leaves[from] = text
        .replace(leaf["policy_ref"].as_str().unwrap(), &other)
        .into();
    let (text, code) = says(&python, &publish(&leaves), None);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("bundle in force"), "{text}");
    assert!(text.contains(&format!("entry {from}")), "{text}");
}

/// The commands of the documentation, as they stand there.
#[test]
fn the_commands_to_check_by_hand_work() {
    let Some(python) = python() else { return };
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let text = std::fs::read_to_string(repository.join("docs/wire-format.md")).unwrap();
    let section = text.split("\n## Checking by hand\n").nth(1).unwrap();
    let blocks: Vec<&str> = section.split("```sh\n").skip(1).collect();
    assert_eq!(blocks.len(), 4);
    let script: Vec<&str> = blocks
        .iter()
        .filter_map(|b| b.split("```").next())
        .collect();
    if Command::new("openssl").arg("version").output().is_err() {
        eprintln!("SKIPPED: no openssl");
        return;
    }
    let leaves = story().leaves();
    let sound = export(&publish(&leaves));
    let mut changed = leaves.clone();
    changed[0] = String::from_utf8(leaves[0].clone())
        .unwrap()
        .replace("acme", "acmf")
        .into();
    let mut swapped = publish(&changed);
    let entries = publish(&leaves).tiles.pop_last().unwrap();
    swapped.tiles.insert(entries.0, entries.1);
    for (what, directory, expected) in
        [("sound", sound, true), ("swapped", export(&swapped), false)]
    {
        let run = Command::new("sh")
            .args(["-ec", &script.join("\n").replace("python3", &python)])
            .current_dir(directory.path())
            .env("VKEY", Key::log().verifier_key().to_string())
            .env("REPOSITORY", repository.canonicalize().unwrap())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&[run.stdout, run.stderr].concat()).into_owned();
        assert_eq!(run.status.success(), expected, "{what}: {text}");
    }
}
