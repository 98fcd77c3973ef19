//! `countersign vault export`

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::Args;
use countersign_client::{Client, OpenAnswer};
use countersign_core::json::CanonicalJson;
use countersign_core::refs::Sha256;
use countersign_core::time::Clock as _;
use countersign_keys::SystemRandom;
use countersign_seal::{Draft, LeftOut, RecipientKey, RecordName};
use countersign_service::SystemClock;
use countersign_wire::{OpenRequest, Opened, RawJson};
use serde::Serialize;

use super::chosen::{ChosenArgs, ChosenEntry, ChosenRecord};
use super::proving::{Anchor, LONGEST_WAIT, Log, leaf_of};
use crate::connection::ConnectionArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::input;
use crate::patience::patient;
use crate::private;
use crate::terminal::Terminal;

/// Each record is opened as `vault open` opens it: each opening is an entry. The recipient opens the file with
/// `countersign vault unseal` or `tools/unseal.py`.
#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// The recipient's public key, or a FILE that holds it: what `countersign vault recipient-key` prints
    #[arg(long = "for", value_name = "KEY")]
    recipient: String,
    #[command(flatten)]
    chosen: ChosenArgs,
    /// Why they are handed over. It stands in the file as it is, readable for whoever carries it
    #[arg(long, value_name = "TEXT")]
    purpose: String,
    /// Prove the entries against this checkpoint, one that the recipient holds, in place of the newest
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// The file that is made
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

/// What was exported, as `--json` prints it.
#[derive(Serialize)]
struct Exported<'a> {
    file: &'a Path,
    recipient: String,
    origin: String,
    /// How many entries the checkpoint of the proofs covers.
    size: u64,
    records: usize,
    entries: usize,
    openings: usize,
    left_out: Vec<LeftOut>,
}

pub(super) fn run(
    args: &ExportArgs,
    connection: &ConnectionArgs,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    let recipient = recipient(&args.recipient)?;
    if args.output.exists() {
        return Err(CliError::io(
            &args.output,
            "it is there already, and is not written over",
        ));
    }
    let connection = connection.open(terminal)?;
    let reader = connection.with_role(&["auditor", "vault-reader"])?;
    let opener = connection.with_role(&["vault-reader"])?;
    let held = args
        .checkpoint
        .as_deref()
        .map(input::file_bytes)
        .transpose()?;
    let chosen = args.chosen.read(&reader, &opener, terminal)?;
    if chosen.records.is_empty() {
        return Err(
            CliError::usage("no record was chosen: the entries name none").exiting(Exit::No),
        );
    }
    let log = Log::open(&connection, &reader)?;
    let held = held.map(|bytes| log.held(&bytes)).transpose()?;
    check_provable(&log, held.as_ref(), &chosen.entries)?;
    let opened = open_all(&opener, &chosen.records, &args.purpose, terminal)?;
    if opened.documents.is_empty() {
        let left_out = opened.left_out.len();
        return Err(CliError::usage(format!(
            "none of the {left_out} records that were chosen can be opened any more, as after an erasure; no file was made"
        ))
        .exiting(Exit::No));
    }
    let last = opened.entries.iter().map(|(index, _)| *index).max();
    let anchor = match held {
        Some(held) => held,
        None => log.newest(last)?,
    };
    let draft = draft(&log, &anchor, &chosen.entries, opened, &args.purpose)?;
    let (entries, openings) = (draft.entries.len(), draft.openings.len());
    let file = draft.seal(&recipient, &SystemRandom);
    let file = file.map_err(|error| CliError::usage(error.to_string()))?;
    private::write(&args.output, &file.to_bytes())?;
    let exported = Exported {
        file: &args.output,
        recipient: recipient.to_string(),
        origin: file.header.origin.clone(),
        size: anchor.size(),
        records: file.records.len(),
        entries,
        openings,
        left_out: file.header.left_out.clone(),
    };
    say(&exported, terminal)?;
    Ok(Exit::Yes)
}

/// Before anything is opened: what is proven against an older checkpoint must be below it.
fn check_provable(
    log: &Log,
    held: Option<&Anchor>,
    entries: &[ChosenEntry],
) -> Result<(), CliError> {
    if let Some(held) = held {
        return held.check_covers("--checkpoint", entries);
    }
    let last = entries.iter().map(|entry| entry.index).max();
    let newest = log.newest(last)?;
    newest.check_covers("the server's newest checkpoint", entries)
}

/// What was opened, with the entries that name it and those of the openings, each proven.
fn draft(
    log: &Log,
    anchor: &Anchor,
    entries: &[ChosenEntry],
    opened: AllOpened,
    purpose: &str,
) -> Result<Draft, CliError> {
    let mut draft = Draft {
        origin: log.origin().to_owned(),
        made_at: SystemClock.now().to_string(),
        purpose: purpose.trim().to_owned(),
        documents: opened.documents,
        left_out: opened.left_out,
        ..Draft::default()
    };
    let documents = draft.documents.iter();
    let names: BTreeSet<Sha256> = documents.map(|(name, _)| name.reference).collect();
    for entry in entries {
        if entry.names.iter().any(|name| names.contains(name)) {
            let proven = log.prove(entry.index, &entry.leaf, anchor)?;
            draft.entries.push(proven);
        }
    }
    for (index, answered) in &opened.entries {
        draft.openings.push(log.opening(*index, answered, anchor)?);
    }
    Ok(draft)
}

fn say(exported: &Exported<'_>, terminal: &Terminal) -> Result<(), CliError> {
    terminal.answer(exported, || {
        format!(
            "{} records, sealed to {}, are in `{}`",
            exported.records,
            exported.recipient,
            exported.file.display()
        )
    })?;
    if terminal.is_json() {
        return Ok(());
    }
    if !exported.left_out.is_empty() {
        terminal.note(format!(
            "{} records are not in it, as after an erasure; the file names them",
            exported.left_out.len()
        ));
    }
    terminal.hint(format!(
        "its recipient opens it with: countersign vault unseal {} --recipient-key FILE --key <the log's key>",
        exported.file.display()
    ));
    Ok(())
}

fn recipient(argument: &str) -> Result<RecipientKey, CliError> {
    let text = match argument.parse::<RecipientKey>() {
        Ok(key) => return Ok(key),
        // A file of a private key is no text that anybody should see in an error.
        Err(_) if Path::new(argument).is_file() => input::file(Path::new(argument))?,
        Err(_) => input::text(argument)?,
    };
    text.parse().map_err(|error| {
        CliError::usage(format!("--for: {error}"))
            .hint("the recipient makes one with `countersign vault recipient-key new FILE`, and hands over what that prints")
    })
}

/// What came of opening.
struct AllOpened {
    documents: Vec<(RecordName, Vec<u8>)>,
    /// The entries of the openings, as they were answered, each with its place.
    entries: Vec<(u64, RawJson)>,
    left_out: Vec<LeftOut>,
}

fn open_all(
    client: &Client,
    records: &[ChosenRecord],
    purpose: &str,
    terminal: &Terminal,
) -> Result<AllOpened, CliError> {
    let mut all = AllOpened {
        documents: Vec::with_capacity(records.len()),
        entries: Vec::with_capacity(records.len()),
        left_out: Vec::new(),
    };
    let bar = terminal.progress("records");
    bar.set_length(records.len() as u64);
    for record in records {
        bar.inc(1);
        let reference = record.reference;
        let request = OpenRequest {
            purpose: record.request.is_none().then(|| purpose.to_owned()),
            request: record.request.clone(),
            alone: false,
        };
        let answered = patient(LONGEST_WAIT, || {
            client.open_record(&reference.to_string(), &request)
        });
        let opened = match answered {
            Ok(OpenAnswer::Opened(opened)) => opened,
            Ok(OpenAnswer::Requested(asked)) => {
                return Err(CliError::usage(format!(
                    "two people are needed to open {reference}: the request `{}` waits for the second",
                    asked.request
                ))
                .exiting(Exit::No)
                .hint(format!(
                    "another person confirms it with `countersign vault confirm {request}`; then export with --request {request}",
                    request = asked.request
                )));
            }
            Err(error) if matches!(error.code(), Some("not-found" | "erased")) => {
                let why = error.code().unwrap_or_default().to_owned();
                all.left_out.push(LeftOut { reference, why });
                continue;
            }
            Err(error) => {
                let own = CliError::from(error);
                return Err(match all.documents.len() {
                    0 => own,
                    before => own.hint(format!(
                        "{before} records were opened before, and their entries stand; no file was made"
                    )),
                });
            }
        };
        all.take(reference, opened)?;
    }
    bar.finish_and_clear();
    Ok(all)
}

impl AllOpened {
    fn take(&mut self, reference: Sha256, opened: Opened) -> Result<(), CliError> {
        let canonical = CanonicalJson::of_exact(&opened.document)
            .map_err(|error| CliError::usage(format!("the document {reference}: {error}")))?;
        if canonical.digest() != reference {
            return Err(CliError::usage(format!(
                "the server opened {reference} to a document that hashes to {}",
                canonical.digest()
            )));
        }
        let kind = opened.kind;
        self.documents
            .push((RecordName { kind, reference }, canonical.into_bytes()));
        let (index, _) = leaf_of(&opened.entry)?;
        let index = index.ok_or_else(|| {
            CliError::usage("the server answered with an opening's entry that has no proof")
        })?;
        self.entries.push((index, opened.entry));
        Ok(())
    }
}
