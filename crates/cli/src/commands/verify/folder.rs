//! Checking the folder of an incident, without a server.

use std::fmt::Write as _;
use std::path::Path;

use countersign_evidence::limits::{FILE_BYTES, FILES, FOLDER_BYTES};
use countersign_evidence::{Checked, DIRECTORIES, Files, TOP, check, is_folder};
use countersign_verify::{Anchor, Trust, Word};

use super::directory::Directory;
use super::trust::log_keys;
use crate::error::CliError;
use crate::exit::Exit;
use crate::render::plain;
use crate::terminal::{Terminal, Tone};

const MANIFEST: &str = "manifest.json";
/// Most mismatches that are shown; `--json` has all.
const SHOWN: usize = 20;

/// Whether a directory is such a folder.
pub(super) fn is_one(dir: &Path) -> bool {
    let manifest = Directory::open(dir)
        .and_then(|directory| directory.bytes(MANIFEST, FILE_BYTES))
        .ok()
        .flatten();
    manifest.is_some_and(|bytes| is_folder(&bytes))
}

/// Checks it, and says so.
pub(super) fn run(
    dir: &Path,
    trust: &Trust,
    (rejudge, allow_unanchored): (bool, bool),
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    if log_keys(trust).is_empty() && trust.root_key.is_none() {
        return Err(CliError::usage(
            "no key of the log was given: keys inside what is checked are never trusted",
        ));
    }
    let files = read(dir)?;
    let checked = check(&files, trust, rejudge);
    terminal.answer(&checked, || text(&checked, terminal))?;
    let word = checked.standing.word;
    if word == Word::Unanchored && !terminal.is_json() {
        terminal.hint(match checked.standing.held_elsewhere {
            true => "the checkpoint that you hold is of another size, and only the log can tie the two together: `countersign export incident … --at FILE` makes the folder against the one that you hold",
            false => "hold it against a checkpoint of this size that you kept (--checkpoint FILE), or against witnesses (--policy FILE)",
        });
    }
    Ok(match word {
        _ if checked.standing.contradicts => Exit::Inconsistent,
        Word::Failed => Exit::No,
        Word::Unanchored if !allow_unanchored => Exit::Unanchored,
        Word::Unanchored | Word::Trusted => Exit::Yes,
    })
}

/// Every file of the folder. Its maker is not trusted: what has no place in it is named, and not read.
fn read(dir: &Path) -> Result<Files, CliError> {
    let directory = Directory::open(dir)?;
    let mut names = Vec::new();
    list(dir, "", &mut names)?;
    for below in DIRECTORIES {
        if names.iter().any(|name| name == below) {
            names.retain(|name| name != below);
            list(&dir.join(below), &format!("{below}/"), &mut names)?;
        }
    }
    let mut files = Files::new();
    let mut total = 0usize;
    for name in names {
        let is_named = TOP.contains(&name.as_str()) || name.contains('/');
        let bytes = match is_named {
            true => directory.bytes(&name, FILE_BYTES)?,
            false => None,
        };
        // What is not there under its name has one that is no text.
        let bytes = bytes.unwrap_or_default();
        total = total.saturating_add(bytes.len());
        if total > FOLDER_BYTES {
            let found = format!("it holds more than {FOLDER_BYTES} bytes, which is the limit");
            return Err(CliError::io(dir, found));
        }
        files.insert(name, bytes);
    }
    Ok(files)
}

/// The names in a directory. Hidden ones are what file managers leave behind, and show to nobody.
fn list(dir: &Path, prefix: &str, names: &mut Vec<String>) -> Result<(), CliError> {
    let listed = std::fs::read_dir(dir).map_err(|error| CliError::io(dir, error))?;
    for file in listed {
        let file = file.map_err(|error| CliError::io(dir, error))?;
        let name = file.file_name();
        let name = name.to_string_lossy();
        if name.starts_with('.') {
            continue;
        }
        names.push(format!("{prefix}{name}"));
        if names.len() > FILES {
            let found = format!("it holds more than {FILES} files, which is the limit");
            return Err(CliError::io(dir, found));
        }
    }
    Ok(())
}

fn text(checked: &Checked, terminal: &Terminal) -> String {
    let standing = &checked.standing;
    let tone = match standing.word {
        Word::Trusted => Tone::Good,
        Word::Unanchored => Tone::Careful,
        Word::Failed => Tone::Bad,
    };
    let mut out = format!(
        "{}  {} entries of {} are in the log of {} entries that the checkpoint signs",
        terminal.paint(tone, standing.word.name()),
        standing.proven,
        plain(standing.origin.as_deref().unwrap_or("an unknown log")),
        standing.size
    );
    for anchor in &standing.anchors {
        let _ = match anchor {
            Anchor::HeldCheckpoint { size } => {
                write!(
                    out,
                    "\nanchored by the checkpoint of {size} entries that you hold"
                )
            }
            Anchor::Witnesses { names } => {
                let names: Vec<String> = names.iter().map(|name| plain(name)).collect();
                write!(out, "\nanchored by the witnesses {}", names.join(", "))
            }
        };
    }
    let _ = write!(
        out,
        "\n{} and {} are what the entries name",
        counted(checked.documents, "opened record"),
        counted(checked.bundles, "bundle")
    );
    if let Some(again) = &checked.rejudged {
        let not: u64 = again.not_rejudged.values().sum();
        let _ = write!(
            out,
            "\njudged again: {} came out the same, {not} not judged again",
            counted(again.agreed, "decision")
        );
    }
    for mismatch in standing.mismatches.iter().take(SHOWN) {
        let _ = write!(
            out,
            "\n{} {}: {}; expected was {}",
            terminal.paint(Tone::Bad, "does not hold:"),
            plain(&mismatch.file),
            plain(&mismatch.found),
            plain(&mismatch.expected)
        );
    }
    let more = standing.mismatches.len().saturating_sub(SHOWN);
    if more > 0 {
        let _ = write!(out, "\nand {more} more; --json has them");
    }
    out.push_str("\nnot shown:");
    for text in &checked.not_shown {
        let _ = write!(out, "\n  {text}");
    }
    out
}

fn counted(count: u64, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    }
}
