//! `countersign restore`

use std::path::{Path, PathBuf};

use countersign_host::{DataDir, KnownHead, KnownHeadOf, Restored, Restoring, Standing};
use countersign_ledger::RecordedHead;
use countersign_note::Note;
use serde::Serialize;

use super::backup::Bars;
use super::verify::key;
use crate::error::CliError;
use crate::exit::Exit;
use crate::input;
use crate::terminal::{Terminal, Tone};

/// All of it is checked: each entry, the tree, the signed checkpoint. Then it is held against the newest head of the
/// lost log that you know. If entries were released that the backup does not have, no server will open the directory:
/// a log that has forgotten what it released must not go on under the same key.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes: 0 trusted: the newest head that is known is this one · 4 unanchored: restored, and nobody here knows
            whether entries are missing · 3 rolled back, or another history · 1 the backup is damaged
            2 nothing was restored: usage or I/O")]
pub(crate) struct RestoreArgs {
    /// What `countersign backup` made
    backup: PathBuf,
    /// The data directory that is made; it must not be there, or be empty
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// The log's key files, which are copied into the data directory
    #[arg(long, value_name = "DIR")]
    keys: Option<PathBuf>,
    /// The log's verifier key, or a FILE that holds it, if the key files come later
    #[arg(long = "key", value_name = "VKEY")]
    log_keys: Vec<String>,
    /// The head file of the lost data directory: nothing was released after it
    #[arg(long, value_name = "FILE")]
    head: Option<PathBuf>,
    /// A checkpoint that was kept, that a witness holds, or that was published; can be given more than once
    #[arg(long = "checkpoint", value_name = "FILE")]
    checkpoints: Vec<PathBuf>,
}

/// What was restored, as `--json` prints it.
#[derive(Serialize)]
struct Answer<'a> {
    word: &'static str,
    dir: &'a Path,
    origin: &'a str,
    size: u64,
    root: &'a str,
    /// When the backup was made.
    made_at: &'a str,
    /// Entries that a known head covers.
    covered: u64,
    /// Entries that were released, where that is known to be more.
    #[serde(skip_serializing_if = "Option::is_none")]
    released: Option<u64>,
    has_keys: bool,
    erasures_requested: u64,
    erasures_complete: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    destroyed_epoch: Option<u32>,
}

pub(crate) fn run(args: &RestoreArgs, terminal: &Terminal) -> Result<Exit, CliError> {
    let keys = args.log_keys.iter().map(|text| key("--key", text));
    let restoring = Restoring {
        keys: args.keys.as_deref(),
        log_keys: keys.collect::<Result<_, _>>()?,
        known: known(args)?,
    };
    let bars = Bars::new(terminal, "bytes");
    let restored = DataDir::new(&args.data).restore(&args.backup, restoring, &mut |at| {
        bars.tell(at);
    })?;
    bars.clear();
    let answer = answer(&args.data, &restored);
    terminal.answer(&answer, || text(terminal, &answer, &restored.standing))?;
    if !terminal.is_json() {
        advise(args, &restored, terminal);
    }
    Ok(match restored.standing {
        Standing::Newest => Exit::Yes,
        Standing::Unanchored { .. } => Exit::Unanchored,
        Standing::RolledBack { .. } => Exit::Inconsistent,
    })
}

fn known(args: &RestoreArgs) -> Result<Vec<KnownHead>, CliError> {
    let mut known = Vec::new();
    if let Some(path) = &args.head {
        let head = RecordedHead::read(path).map_err(|error| CliError::usage(error.to_string()))?;
        known.push(KnownHead {
            what: format!("the head file `{}`", path.display()),
            head: KnownHeadOf::HeadFile(head),
        });
    }
    for path in &args.checkpoints {
        let note = Note::parse(&input::file_bytes(path)?);
        let note = note.map_err(|error| CliError::io(path, error))?;
        known.push(KnownHead {
            what: format!("the checkpoint `{}`", path.display()),
            head: KnownHeadOf::Checkpoint(note),
        });
    }
    Ok(known)
}

fn answer<'a>(dir: &'a Path, restored: &'a Restored) -> Answer<'a> {
    let backup = &restored.backup;
    let (word, covered, released) = match restored.standing {
        Standing::Newest => ("trusted", backup.size, None),
        Standing::Unanchored { covered } => ("unanchored", covered, None),
        Standing::RolledBack { released } => ("rolled-back", backup.size, Some(released)),
    };
    Answer {
        word,
        dir,
        origin: &backup.origin,
        size: backup.size,
        root: &backup.root,
        made_at: &backup.made_at,
        covered,
        released,
        has_keys: restored.has_keys,
        erasures_requested: restored.erasures.requested,
        erasures_complete: restored.erasures.complete,
        destroyed_epoch: restored.erasures.destroyed_epoch,
    }
}

fn text(terminal: &Terminal, answer: &Answer<'_>, standing: &Standing) -> String {
    let (tone, means) = match standing {
        Standing::Newest => (
            Tone::Good,
            "no newer head is known: a server may go on".to_owned(),
        ),
        Standing::Unanchored { covered: 0 } => (
            Tone::Careful,
            "nothing tells whether entries were released that this backup does not have".to_owned(),
        ),
        Standing::Unanchored { covered } => (
            Tone::Careful,
            format!(
                "the newest head that you gave covers {covered} entries; nothing tells whether entries were released that this backup does not have"
            ),
        ),
        Standing::RolledBack { released } => (
            Tone::Bad,
            format!(
                "{} entries were released that this backup does not have: no server opens the directory",
                released.saturating_sub(answer.size)
            ),
        ),
    };
    format!(
        "{}  {} entries of {}, all checked, are in `{}`\n{means}",
        terminal.paint(tone, answer.word),
        answer.size,
        answer.origin,
        answer.dir.display(),
    )
}

fn advise(args: &RestoreArgs, restored: &Restored, terminal: &Terminal) {
    let data = args.data.display();
    match restored.standing {
        Standing::Newest => {}
        Standing::Unanchored { .. } => {
            terminal.warn(
                "if a server goes on from here and entries were released after the backup, the log has two histories under one key, which whoever holds the later one can show",
            );
            terminal.hint("before you start a server, hold it against the newest checkpoint that anybody has, a witness, an auditor, a publication: countersign restore … --checkpoint FILE");
        }
        Standing::RolledBack { .. } => {
            terminal.warn("what was erased after the backup was made is in it still: destroy every copy that is not needed as evidence");
            terminal.hint(format!(
                "look for a newer copy; if there is none, begin a successor: countersign init --data NEW --successor-of {data} --i-have-lost-data (docs/recovery.md)"
            ));
        }
    }
    if !restored.has_keys {
        terminal.note(format!(
            "no key is in it: put the log's key files into `{data}/keys`, with mode 700 and 600"
        ));
    }
    if let Some(epoch) = restored.erasures.destroyed_epoch {
        terminal.warn(format!(
            "the log says that vault keys up to epoch {epoch} were destroyed: they are not in the directory; destroy them in every copy of the keys, too"
        ));
    }
}
