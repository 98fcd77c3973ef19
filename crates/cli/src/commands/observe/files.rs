//! Finds and reads the files.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use countersign_observe::{FileRead, Found, PassedOver};
use countersign_transcripts::{NotATranscript, read as parse};
use ruzstd::decoding::StreamingDecoder;

use crate::error::CliError;
use crate::terminal::Terminal;

/// Most bytes of one file, unpacked.
const FILE_BYTES: u64 = 1024 * 1024 * 1024;
/// Most files of one directory.
const FILES: usize = 20_000;
/// How the names of transcripts end; others in a directory are passed over.
const ENDINGS: &[&str] = &[
    ".json",
    ".jsonl",
    ".ndjson",
    ".json.zst",
    ".jsonl.zst",
    ".ndjson.zst",
];

/// What was read.
pub(super) struct Read {
    pub(super) files: Vec<FileRead>,
    pub(super) found: Vec<Found>,
    /// Files of directories that are no transcripts.
    pub(super) passed_over: Vec<PassedOver>,
}

/// Reads files and directories. A file that was named and is no transcript is an error; one of a
/// directory is passed over, and told.
pub(super) fn read(named: &[PathBuf], terminal: &Terminal) -> Result<Read, CliError> {
    let mut all: Vec<(PathBuf, bool)> = Vec::new();
    for path in named {
        match path.is_dir() {
            true => all.extend(inside(path)?.into_iter().map(|path| (path, false))),
            false => all.push((path.clone(), true)),
        }
    }
    let progress = terminal.progress("reading");
    progress.set_length(u64::try_from(all.len()).unwrap_or(0));
    let mut read = Read {
        files: Vec::new(),
        found: Vec::new(),
        passed_over: Vec::new(),
    };
    for (path, is_named) in all {
        match one(&path, &mut read) {
            Ok(()) => {}
            Err(error) if is_named => {
                progress.finish_and_clear();
                return Err(error);
            }
            Err(error) => read.passed_over.push(PassedOver {
                path: path.display().to_string(),
                reason: error.to_string(),
            }),
        }
        progress.inc(1);
    }
    progress.finish_and_clear();
    match read.files.is_empty() {
        false => Ok(read),
        true => Err(nothing(named, &read.passed_over)),
    }
}

fn nothing(named: &[PathBuf], passed_over: &[PassedOver]) -> CliError {
    let names: Vec<String> = named
        .iter()
        .map(|path| format!("`{}`", path.display()))
        .collect();
    let error = CliError::usage(format!(
        "{} holds no transcript: of files that end in {}, none was one",
        names.join(", "),
        ENDINGS.join(", ")
    ));
    match passed_over.first() {
        Some(first) => error.hint(format!(
            "the first of {}: {}",
            passed_over.len(),
            first.reason
        )),
        None => error,
    }
}

fn one(path: &Path, read: &mut Read) -> Result<(), CliError> {
    let transcript = parse(&bytes(path)?)
        .map_err(|error: NotATranscript| CliError::io(path, &error).hint(error.hint()))?;
    let file = read.files.len();
    read.files.push(FileRead {
        path: path.display().to_string(),
        format: transcript.format.name().to_owned(),
        sessions: transcript.sessions.len(),
        broken: transcript.broken,
        broken_lines: transcript.broken_shown,
        notes: transcript.notes,
    });
    let sessions = transcript.sessions.into_iter();
    read.found
        .extend(sessions.map(|session| Found { file, session }));
    Ok(())
}

fn bytes(path: &Path) -> Result<Vec<u8>, CliError> {
    let file = crate::input::open_regular(path).map_err(|error| CliError::io(path, error))?;
    let mut bytes = Vec::new();
    let read = file.take(FILE_BYTES + 1).read_to_end(&mut bytes);
    read.map_err(|error| CliError::io(path, error))?;
    if path.extension().is_some_and(|end| end == "zst") {
        bytes = unpacked(&bytes).map_err(|error| CliError::io(path, error))?;
    }
    match u64::try_from(bytes.len()).is_ok_and(|length| length <= FILE_BYTES) {
        true => Ok(bytes),
        false => Err(CliError::io(
            path,
            format!("it holds more than {FILE_BYTES} bytes"),
        )),
    }
}

/// All frames of compressed data, one after the other (RFC 8878 section 3).
fn unpacked(mut packed: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut out = Vec::new();
    while !packed.is_empty() && out.len() as u64 <= FILE_BYTES {
        let frame = StreamingDecoder::new(&mut packed).map_err(std::io::Error::other)?;
        frame.take(FILE_BYTES + 1).read_to_end(&mut out)?;
    }
    Ok(out)
}

/// The files of a directory that end as transcripts do, by name.
fn inside(root: &Path) -> Result<Vec<PathBuf>, CliError> {
    let mut files = Vec::new();
    let mut waiting = vec![root.to_owned()];
    while let Some(directory) = waiting.pop() {
        let entries =
            std::fs::read_dir(&directory).map_err(|error| CliError::io(&directory, error))?;
        for entry in entries {
            let entry = entry.map_err(|error| CliError::io(&directory, error))?;
            let kind = entry
                .file_type()
                .map_err(|error| CliError::io(&directory, error))?;
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if kind.is_dir() {
                waiting.push(path);
            } else if kind.is_file() && ENDINGS.iter().any(|ending| name.ends_with(ending)) {
                if files.len() == FILES {
                    return Err(CliError::io(
                        root,
                        format!("more than {FILES} files are too many at once"),
                    ));
                }
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}
