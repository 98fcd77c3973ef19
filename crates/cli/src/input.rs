//! Arguments that are a text, a file or stdin.

use std::io::Read as _;
use std::path::Path;

use countersign_note::VerifierKey;
use serde_json::value::RawValue;

use crate::error::CliError;

/// Most bytes that are read from a file or stdin: as much as the server takes.
const INPUT_BYTES: u64 = 8 * 1024 * 1024;

/// The text itself, or with `@file` that file's, or with `-` what comes by stdin.
pub(crate) fn text(argument: &str) -> Result<String, CliError> {
    match argument.strip_prefix('@') {
        _ if argument == "-" => utf8("stdin", limited("stdin", std::io::stdin().lock())?),
        Some(path) => file(Path::new(path)),
        None => Ok(argument.to_owned()),
    }
}

/// A verifier key: the text itself, or that of a file, with `@` before its name or without.
///
/// What is a key is never taken for the name of a file: a key's text is a relative path, too, and
/// whoever made the export that the auditor stands in could put another key there.
pub(crate) fn key(argument: &str) -> Result<String, CliError> {
    let path = Path::new(argument);
    let is_key = argument.trim().parse::<VerifierKey>().is_ok();
    match !is_key && path.is_file() {
        true => file(path),
        false => text(argument),
    }
}

/// The text of a file.
pub(crate) fn file(path: &Path) -> Result<String, CliError> {
    let name = path.display().to_string();
    utf8(&name, file_bytes(path)?)
}

/// The bytes of a file.
pub(crate) fn file_bytes(path: &Path) -> Result<Vec<u8>, CliError> {
    let opened = std::fs::File::open(path).map_err(|error| CliError::io(path, error))?;
    limited(&path.display().to_string(), opened)
}

/// A file of an export, whose maker is not trusted: a pipe there would never end.
pub(crate) fn open_regular(path: &Path) -> std::io::Result<std::fs::File> {
    if std::fs::metadata(path)?.is_file() {
        return std::fs::File::open(path);
    }
    let kind = std::io::ErrorKind::InvalidInput;
    Err(std::io::Error::new(kind, "this is no regular file"))
}

/// The bytes of a file of an export.
pub(crate) fn regular_bytes(path: &Path) -> Result<Vec<u8>, CliError> {
    let opened = open_regular(path).map_err(|error| CliError::io(path, error))?;
    limited(&path.display().to_string(), opened)
}

/// JSON as it was written: numbers and repeated members are for the server to judge, not for this
/// program to tidy up.
pub(crate) fn json(argument: &str) -> Result<Box<RawValue>, CliError> {
    let text = text(argument)?;
    serde_json::from_str(&text).map_err(|error| {
        CliError::usage(format!("this is no json: {error}"))
            .hint("put it in single quotes, as in '{\"to\": [\"jo@acme.example\"]}', or give @FILE, or - for stdin")
    })
}

fn limited(name: &str, reader: impl std::io::Read) -> Result<Vec<u8>, CliError> {
    let mut bytes = Vec::new();
    let read = reader.take(INPUT_BYTES + 1).read_to_end(&mut bytes);
    let read = read.map_err(|error| CliError::usage(format!("`{name}`: {error}")))?;
    match u64::try_from(read).is_ok_and(|read| read <= INPUT_BYTES) {
        true => Ok(bytes),
        false => Err(CliError::usage(format!(
            "`{name}` has more than {INPUT_BYTES} bytes, which is the limit"
        ))),
    }
}

fn utf8(name: &str, bytes: Vec<u8>) -> Result<String, CliError> {
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        CliError::usage(format!("`{name}` is not utf-8 at byte {at}"))
    })
}
