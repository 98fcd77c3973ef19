//! Files that hold a contradiction: kept, and checked.

use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use countersign_core::refs::Sha256;
use countersign_note::VerifierKey;
use countersign_verify::Contradiction;
use serde::Serialize;

use crate::error::CliError;
use crate::exit::Exit;
use crate::input;
use crate::render::plain;
use crate::terminal::{Terminal, Tone};

/// Most files about the same log and size that are kept beside each other.
const MOST_FILES: u32 = 100;

/// Keeps it in a file of its own in `dir`. The file is there for good when this returns.
pub(crate) fn keep(contradiction: &Contradiction, dir: &Path) -> Result<PathBuf, CliError> {
    let (origin, size) = contradiction.names().unwrap_or_default();
    let log = Sha256::of(origin.as_bytes()).to_string();
    let log = log.strip_prefix("sha256:").unwrap_or(&log).to_owned();
    let text = contradiction.to_text();
    std::fs::create_dir_all(dir).map_err(|error| CliError::io(dir, error))?;
    for number in 0..MOST_FILES {
        let end = match number {
            0 => String::new(),
            _ => format!("-{number}"),
        };
        let path = dir.join(format!("contradiction-{log}-{size}{end}.txt"));
        match write(&path, &text) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                if input::regular_bytes(&path).is_ok_and(|bytes| bytes == text.as_bytes()) {
                    return Ok(path);
                }
            }
            Err(error) => return Err(CliError::io(&path, error)),
        }
    }
    Err(CliError::io(dir, "it holds too many contradiction files"))
}

fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
    std::fs::File::open(dir.unwrap_or(Path::new(".")))?.sync_all()
}

/// What `verify --contradiction --json` prints.
#[derive(Serialize)]
struct Checked {
    contradiction: bool,
    origin: Option<String>,
    sizes: Option<(u64, u64)>,
    keys: Vec<String>,
    reason: Option<String>,
}

/// Checks a file that somebody brought.
pub(crate) fn check(
    path: &Path,
    keys: &[VerifierKey],
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    let bytes = input::regular_bytes(path)?;
    let checked = Contradiction::parse(&bytes).and_then(|found| found.prove(keys));
    let (document, exit) = match &checked {
        Ok(proven) => (
            Checked {
                contradiction: true,
                origin: Some(proven.origin.clone()),
                sizes: Some(proven.sizes),
                keys: proven.keys.iter().map(ToString::to_string).collect(),
                reason: None,
            },
            Exit::Inconsistent,
        ),
        Err(error) => (
            Checked {
                contradiction: false,
                origin: None,
                sizes: None,
                keys: Vec::new(),
                reason: Some(error.to_string()),
            },
            Exit::No,
        ),
    };
    terminal.answer(&document, || match (&checked, document.sizes) {
        (Ok(proven), Some((fewer, more))) => format!(
            "{}  the key of {} has signed {}\n{}",
            terminal.paint(Tone::Bad, "contradiction"),
            plain(&proven.origin),
            match fewer == more {
                true => format!("two trees of {more} entries"),
                false => format!(
                    "a tree of {fewer} entries and one of {more} that does not begin with it"
                ),
            },
            "both cannot be true: whoever has the key has shown two histories",
        ),
        _ => format!(
            "{}  {}",
            terminal.paint(Tone::Careful, "nothing shown"),
            plain(document.reason.as_deref().unwrap_or_default())
        ),
    })?;
    Ok(exit)
}
