//! `countersign vault unseal`

use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use clap::Args;
use countersign_seal::{ExportFile, MAX_FILE_BYTES, RecordFound, UnsealFailure, Unsealed, unseal};
use countersign_verify::Word;
use serde::Serialize;
use serde_json::Value;

use super::recipient::load;
use crate::commands::verify::HeadArgs;
use crate::connection::ConnectionArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::input::open_regular;
use crate::render::plain;
use crate::terminal::{Terminal, Tone};

/// No server is asked. The keys of the log come from you, never from the file.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 trusted · 4 unanchored: nothing wrong, and nothing from outside to hold it against
            1 failed · 3 failed: the log's key has signed two histories · 2 no answer: usage or I/O")]
pub(crate) struct UnsealArgs {
    /// What `countersign vault export` made
    file: PathBuf,
    /// The file of your private key
    #[arg(long, value_name = "FILE")]
    recipient_key: PathBuf,
    #[command(flatten)]
    heads: HeadArgs,
    /// Write each document into DIR/<64 hex digits>.json, in place of printing them
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Exit code 0 in place of 4 for `unanchored`
    #[arg(long)]
    allow_unanchored: bool,
}

/// The answer as `--json` prints it.
#[derive(Serialize)]
struct Answer<'a> {
    word: Word,
    origin: &'a str,
    purpose: &'a str,
    made_at: &'a str,
    records: Vec<Record<'a>>,
    openings: usize,
    left_out: &'a [countersign_seal::LeftOut],
    findings: &'a [String],
}

#[derive(Serialize)]
struct Record<'a> {
    #[serde(rename = "ref")]
    reference: String,
    kind: &'a str,
    word: Word,
    entries: Vec<u64>,
    /// Only what is not written into files.
    #[serde(skip_serializing_if = "Option::is_none")]
    document: Option<Value>,
}

pub(super) fn run(
    args: &UnsealArgs,
    connection: &ConnectionArgs,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    let key = load(&args.recipient_key)?;
    let trust = args.heads.read(connection, terminal)?;
    let file = ExportFile::parse(&read(&args.file)?);
    let file = file
        .map_err(|error| CliError::io(&args.file, plain(&error.to_string())).exiting(Exit::No))?;
    let found = unseal(&file, key.secret(), &trust).map_err(|error| failure(&error))?;
    if let Some(dir) = &args.out {
        write_all(dir, &found.records)?;
    }
    let answer = answer(&file, &found, args.out.is_none());
    terminal.answer(&answer, || text(terminal, &answer))?;
    if !terminal.is_json() {
        advise(args, &found, terminal);
    }
    Ok(match found.word {
        _ if found.contradicts => Exit::Inconsistent,
        Word::Failed => Exit::No,
        Word::Unanchored if !args.allow_unanchored => Exit::Unanchored,
        Word::Unanchored | Word::Trusted => Exit::Yes,
    })
}

fn read(path: &Path) -> Result<Vec<u8>, CliError> {
    let failed = |error: std::io::Error| CliError::io(path, error);
    let file = open_regular(path).map_err(failed)?;
    let mut bytes = Vec::new();
    let most = MAX_FILE_BYTES as u64 + 1;
    file.take(most).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

fn failure(error: &UnsealFailure) -> CliError {
    let own = CliError::usage(plain(&error.to_string()));
    match error {
        UnsealFailure::OtherRecipient { .. } => own.hint(
            "take the private key whose public half the file names, or ask for a file of your own",
        ),
        UnsealFailure::NoLogKey => own.hint("give --key with what you were handed"),
        UnsealFailure::Held(_) | UnsealFailure::HeldOrigin { .. } => {
            own.hint("give --key with the key of this very log; a profile may be of another one")
        }
    }
}

fn answer<'a>(file: &'a ExportFile, found: &'a Unsealed, with_documents: bool) -> Answer<'a> {
    let records = found.records.iter().map(|record| {
        let document = record.document.as_ref().filter(|_| with_documents);
        Record {
            reference: record.name.reference.to_string(),
            kind: &record.name.kind,
            word: record.word,
            entries: record.entries.iter().map(|index| index.get()).collect(),
            document: document.and_then(|bytes| serde_json::from_slice(bytes).ok()),
        }
    });
    Answer {
        word: found.word,
        origin: &file.header.origin,
        purpose: &file.header.purpose,
        made_at: &file.header.made_at,
        records: records.collect(),
        openings: found.openings,
        left_out: &file.header.left_out,
        findings: &found.findings,
    }
}

fn text(terminal: &Terminal, answer: &Answer<'_>) -> String {
    let tone = |word: Word| match word {
        Word::Trusted => Tone::Good,
        Word::Unanchored => Tone::Careful,
        Word::Failed => Tone::Bad,
    };
    let mut out = format!(
        "{}  {} records of {}, for: {}",
        terminal.paint(tone(answer.word), answer.word.name()),
        answer.records.len(),
        plain(answer.origin),
        plain(answer.purpose),
    );
    for finding in answer.findings {
        out.push_str(&format!("\n  {}", plain(finding)));
    }
    for left_out in answer.left_out {
        let (reference, why) = (left_out.reference, plain(&left_out.why));
        out.push_str(&format!("\nnot in the file: {reference}, {why}"));
    }
    for record in &answer.records {
        let entries: Vec<String> = record.entries.iter().map(ToString::to_string).collect();
        out.push_str(&format!(
            "\n{}  {} {}, named by entry {}",
            terminal.paint(tone(record.word), record.word.name()),
            terminal.paint(Tone::Strong, &plain(record.kind)),
            record.reference,
            match entries.is_empty() {
                true => "–".to_owned(),
                false => entries.join(", "),
            }
        ));
        if let Some(document) = &record.document {
            let pretty = serde_json::to_string_pretty(document).unwrap_or_default();
            out.push_str(&format!("\n{}", plain(&pretty)));
        }
    }
    out
}

fn advise(args: &UnsealArgs, found: &Unsealed, terminal: &Terminal) {
    if found.contradicts {
        terminal.hint("keep both: two signed roots of one size are evidence (docs/verifying.md)");
    }
    if found.openings > 0 {
        let openings = found.openings;
        terminal.note(format!(
            "that these records were opened is in the log, too: {openings} entries"
        ));
    }
    if found.word == Word::Unanchored {
        terminal.hint(
            "nothing from outside the log covers these entries: give --policy with witnesses that you believe, or have the file made against a checkpoint that you hold (`vault export --checkpoint`) and give that with --checkpoint",
        );
    }
    if let Some(dir) = &args.out {
        terminal.note(format!("the documents are in `{}`", dir.display()));
    }
}

/// Writes what holds: the documents are plaintext, and only their owner may read them. Nothing that
/// is there already is written over, or through if it is a link.
fn write_all(dir: &Path, records: &[RecordFound]) -> Result<(), CliError> {
    let made = std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir);
    made.map_err(|error| CliError::io(dir, error))?;
    for record in records {
        let Some(document) = &record.document else {
            continue;
        };
        let text = record.name.reference.to_string();
        let digits = text.strip_prefix("sha256:").unwrap_or(&text);
        let path = dir.join(format!("{digits}.json"));
        let mut options = std::fs::OpenOptions::new();
        let options = options.write(true).create_new(true).mode(0o600);
        let written = options
            .open(&path)
            .and_then(|mut file| file.write_all(document));
        match written {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                if !is_written(&path, document) {
                    let found = "something else is there, and is not written over";
                    return Err(CliError::io(&path, found));
                }
            }
            written => written.map_err(|error| CliError::io(&path, error))?,
        }
    }
    Ok(())
}

/// Whether this very document was written there before, for its owner alone.
fn is_written(path: &Path, document: &[u8]) -> bool {
    let found = std::fs::symlink_metadata(path);
    let is_own = found.is_ok_and(|found| found.is_file() && found.mode() & 0o077 == 0);
    is_own && std::fs::read(path).is_ok_and(|bytes| bytes == document)
}
