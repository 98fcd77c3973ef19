//! `countersign export incident`

mod gather;
mod opening;
mod proofs;
mod write;

use std::collections::BTreeSet;
use std::path::PathBuf;

use countersign_client::{Client, LogPath};
use countersign_core::ids::EntryId;
use countersign_core::refs::{IntentRef, Sha256};
use countersign_core::time::Timestamp;
use countersign_evidence::{Chosen, EvidenceError, Material, Question, Standing, choose};
use countersign_merkle::TreeSize;
use countersign_note::{Checkpoint, Note};
use countersign_verify::Word;
use serde::Serialize;

use crate::commands::verify::TrustArgs;
use crate::connection::{Connection, ConnectionArgs};
use crate::error::CliError;
use crate::exit::Exit;
use crate::input;
use crate::render::plain;
use crate::terminal::Terminal;

/// One folder, and one file, about one incident: a report, the entries with their proofs, the rules,
/// and what the caller may open.
#[derive(Debug, clap::Args)]
pub(crate) struct IncidentArgs {
    /// A flag, any other entry, or a turn (sha256:…); or give --from and --to
    #[arg(value_name = "FLAG|ENTRY|INTENT", required_unless_present = "from", conflicts_with_all = ["from", "to"])]
    about: Option<String>,
    /// All that was committed at or after this time: 2026-04-18T02:13:44Z, 2026-04-18, or so long ago: 2h, 1d
    #[arg(long, value_name = "TIME", value_parser = crate::units::time, requires = "to")]
    from: Option<String>,
    /// And before this time
    #[arg(long, value_name = "TIME", value_parser = crate::units::time, requires = "from")]
    to: Option<String>,
    /// The folder, which must be new or empty
    #[arg(short, long = "output", value_name = "DIR")]
    output: PathBuf,
    /// The same as one ZIP file, too
    #[arg(long, value_name = "FILE")]
    zip: Option<PathBuf>,
    /// Open the sealed records that it names; each opening is an entry, and is in the folder
    #[arg(long, requires = "purpose", conflicts_with = "at")]
    open: bool,
    /// Why they are opened
    #[arg(long, value_name = "TEXT", requires = "open")]
    purpose: Option<String>,
    /// Prove everything against this checkpoint, which you got earlier and kept, as if nothing had come after it
    #[arg(long, value_name = "FILE")]
    at: Option<PathBuf>,
    #[command(flatten)]
    trust: TrustArgs,
}

/// What was exported.
#[derive(Debug, Serialize)]
struct Exported {
    dir: PathBuf,
    zip: Option<PathBuf>,
    entries: usize,
    opened: usize,
    left_sealed: usize,
    #[serde(flatten)]
    standing: Standing,
}

pub(crate) fn run(
    args: &IncidentArgs,
    connection: &ConnectionArgs,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    let question = question(args)?;
    write::check_empty(&args.output)?;
    let mut material = Material {
        trust: args.trust.read(connection, terminal)?,
        policy: args.trust.policy_text()?,
        ..Material::default()
    };
    let connected = connection.open(terminal)?;
    let reader = connected.with_role(&["auditor", "vault-reader"])?;
    let mut least = 0;
    if let Some(purpose) = args.purpose.as_deref().filter(|_| args.open) {
        // Opened first, so that the checkpoint covers the entries of the opening.
        let opener = connected.with_role(&["vault-reader"])?;
        let pool = gather::gather(&reader, &question, terminal)?;
        let chosen = choose(&question, &pool, &BTreeSet::new());
        if !chosen.has_asked() {
            return Err(refused(EvidenceError::Nothing));
        }
        let opened = opening::open_all(&opener, &chosen, purpose, terminal)?;
        least = opened
            .newest_access
            .map_or(0, |index| index.saturating_add(1));
        material.documents = opened.documents;
        material.left_sealed = opened.left_sealed;
        material.purpose = Some(purpose.to_owned());
    }
    let head = Head::read(args, &connected, least, terminal)?;
    let pool = gather::gather(&reader, &question, terminal)?.below(head.size.get());
    let opened: BTreeSet<Sha256> = material.documents.keys().copied().collect();
    let chosen = choose(&question, &pool, &opened);
    fill(&mut material, &reader, &head, &chosen, terminal)?;
    let (files, standing) =
        countersign_evidence::build(&question, &chosen, &material).map_err(refused)?;
    write::folder(&args.output, &files)?;
    if let Some(zip) = &args.zip {
        write::archive(zip, &files)?;
    }
    let exported = Exported {
        dir: args.output.clone(),
        zip: args.zip.clone(),
        entries: chosen.len(),
        opened: material.documents.len(),
        left_sealed: material.left_sealed.len(),
        standing,
    };
    say(&exported, terminal)
}

fn say(exported: &Exported, terminal: &Terminal) -> Result<Exit, CliError> {
    terminal.answer(exported, || {
        let documents = match exported.opened {
            0 => String::new(),
            count => format!(", {count} opened records"),
        };
        format!(
            "{} entries with their proofs{documents}, and the report are in `{}`",
            exported.entries,
            exported.dir.display()
        )
    })?;
    if !terminal.is_json() {
        if exported.left_sealed > 0 {
            terminal.note(format!(
                "{} records were left sealed: records.json says why",
                exported.left_sealed
            ));
        }
        if exported.opened > 0 {
            terminal.warn("the folder holds plaintext of sealed records: keep it as such");
        }
        let dir = exported.dir.display();
        terminal.hint(format!("open {dir}/report.html in a browser"));
        terminal.hint(format!(
            "check it with countersign verify {dir} --key <the log's key> --checkpoint <one that you kept>"
        ));
    }
    match exported.standing.word {
        Word::Failed => {
            terminal.warn("something does not hold: the report begins with it");
            Ok(Exit::No)
        }
        Word::Unanchored | Word::Trusted => Ok(Exit::Yes),
    }
}

/// What it is about.
fn question(args: &IncidentArgs) -> Result<Question, CliError> {
    if let (Some(from), Some(to)) = (&args.from, &args.to) {
        let time = |text: &str| {
            let read = text.parse::<Timestamp>();
            read.map_err(|error| CliError::usage(format!("`{}`: {error}", plain(text))))
        };
        let (from, to) = (time(from)?, time(to)?);
        if from >= to {
            return Err(CliError::usage(format!("--from is {from}, --to is {to}"))
                .hint("--from has to be before --to"));
        }
        return Ok(Question::Between(from, to));
    }
    let about = args.about.as_deref().unwrap_or_default();
    if let Ok(id) = about.parse::<EntryId>() {
        return Ok(Question::Entry(id));
    }
    about
        .parse::<IntentRef>()
        .map(Question::Intent)
        .map_err(|_| {
            CliError::usage(format!(
                "`{}` is neither an entry's id nor an intent_ref",
                plain(about)
            ))
            .hint("`countersign flags` lists flags by their ids, `countersign entries` the rest")
        })
}

/// The head that everything is proven against.
pub(super) struct Head {
    pub(super) log: LogPath,
    pub(super) size: TreeSize,
    pub(super) checkpoint: Vec<u8>,
}

impl Head {
    /// The newest published checkpoint, which has to cover so many entries; or the one that was given.
    fn read(
        args: &IncidentArgs,
        connected: &Connection,
        least: u64,
        terminal: &Terminal,
    ) -> Result<Self, CliError> {
        let public = connected.public();
        let head = public.head()?;
        let log = LogPath::of_origin(&head.origin)
            .ok_or_else(|| CliError::usage("the server's log has an origin of an unknown form"))?;
        let checkpoint = match &args.at {
            Some(file) => input::file_bytes(file)?,
            None => covering(public, &log, least, head.checkpoint, terminal)?,
        };
        let (origin, size) = head_of(&checkpoint)
            .map_err(|reason| CliError::usage(format!("the checkpoint: {reason}")))?;
        if origin != head.origin {
            return Err(CliError::usage(format!(
                "the checkpoint is of `{}`, and the server's log is `{}`",
                plain(&origin),
                plain(&head.origin)
            )));
        }
        if size.get() > head.size {
            return Err(CliError::usage(format!(
                "the checkpoint covers {size} entries, and the server's log has only {}",
                head.size
            ))
            .exiting(Exit::Inconsistent)
            .hint(
                "keep this checkpoint: if it is signed by the log's key, the log has lost entries",
            ));
        }
        Ok(Self {
            log,
            size,
            checkpoint,
        })
    }
}

/// How often the published checkpoint is asked for until it covers what was opened.
const TRIES: u32 = 20;
/// How long is waited in between: a checkpoint is published at most once a second.
const REST: std::time::Duration = std::time::Duration::from_millis(500);

/// The published checkpoint, which has its witnesses' cosignatures; where it does not come to cover
/// what was opened, the head's own, which has none.
fn covering(
    public: &Client,
    log: &LogPath,
    least: u64,
    present: String,
    terminal: &Terminal,
) -> Result<Vec<u8>, CliError> {
    for _ in 0..TRIES {
        let checkpoint = public.checkpoint(log)?;
        if head_of(&checkpoint).is_ok_and(|(_, size)| size.get() >= least) {
            return Ok(checkpoint);
        }
        std::thread::sleep(REST);
    }
    terminal.warn("no published checkpoint covers the entries of the opening yet; the present one is taken, which no witness has cosigned");
    Ok(present.into_bytes())
}

pub(super) fn head_of(checkpoint: &[u8]) -> Result<(String, TreeSize), String> {
    let note = Note::parse(checkpoint).map_err(|error| error.to_string())?;
    let checkpoint = Checkpoint::parse(note.text()).map_err(|error| error.to_string())?;
    Ok((checkpoint.origin().to_owned(), checkpoint.size()))
}

/// Proofs and bundles of what was chosen.
fn fill(
    material: &mut Material,
    reader: &Client,
    head: &Head,
    chosen: &Chosen,
    terminal: &Terminal,
) -> Result<(), CliError> {
    if !chosen.has_asked() {
        return Err(refused(EvidenceError::Nothing));
    }
    if chosen.len() > countersign_evidence::limits::ENTRIES {
        return Err(refused(EvidenceError::TooMany(chosen.len())));
    }
    material.checkpoint.clone_from(&head.checkpoint);
    material.paths = proofs::paths(reader, head, chosen, terminal)?;
    for policy in chosen.bundles() {
        let bytes = gather::patient(|| reader.bundle(&policy.to_string()))?;
        material.bundles.insert(policy, bytes);
    }
    Ok(())
}

fn refused(error: EvidenceError) -> CliError {
    let own = CliError::usage(error.to_string());
    match error {
        EvidenceError::Nothing => own.exiting(Exit::No),
        EvidenceError::TooMany(_) => own.hint("ask for less, with --from and --to"),
        EvidenceError::Unproven { .. } => own.hint(
            "is the key that of this very log? `countersign key show` prints it on its server",
        ),
        EvidenceError::OtherBytes(_) | EvidenceError::Unwritable(_) => own,
    }
}
