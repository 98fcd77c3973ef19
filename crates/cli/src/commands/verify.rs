//! `countersign verify`

mod source;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use countersign_core::refs::Sha256;
use countersign_host::DataDir;
use countersign_note::{Note, TlogPolicy, VerifierKey};
use countersign_verify::{Audit, LogSource as _, Report, Trust, VerifyError, Word};

pub(crate) use source::Directory;

use crate::connection::ConnectionArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::render::plain;
use crate::terminal::Terminal;
use crate::{input, render};

/// Offline, from files and keys that you got by another way. The answer is `trusted`, `unanchored` or `failed`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes: 0 trusted · 4 unanchored: nothing wrong, and nothing from outside to hold it against
            1 failed · 3 failed: two signed heads contradict each other · 2 no answer: usage or I/O")]
pub(crate) struct VerifyArgs {
    /// The export
    dir: PathBuf,
    /// The log's verifier key, or a FILE that holds it; can be given more than once [default: the profile's]
    #[arg(long = "key", value_name = "VKEY")]
    keys: Vec<String>,
    /// The root key, or a FILE that holds it [default: the profile's, with the profile's log key]
    #[arg(long, value_name = "VKEY")]
    root_key: Option<String>,
    /// A checkpoint that you got earlier and kept; can be given more than once
    #[arg(long = "checkpoint", value_name = "FILE")]
    checkpoints: Vec<PathBuf>,
    /// A C2SP tlog-policy: which witnesses must have cosigned
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// The opened documents [default: DIR/documents, if it is there]
    #[arg(long, value_name = "DIR")]
    documents: Option<PathBuf>,
    /// Judge every decision again from its facts
    #[arg(long)]
    rejudge: bool,
    /// With --rejudge: every document is given that was not erased, so that one that is missing is a failure
    #[arg(long, requires = "rejudge")]
    complete: bool,
    /// Exit code 0 in place of 4 for `unanchored`
    #[arg(long)]
    allow_unanchored: bool,
}

pub(crate) fn run(
    args: &VerifyArgs,
    connection: &ConnectionArgs,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    let trust = trust(args, connection, terminal)?;
    let of_another = of_another_log(&trust, &args.dir);
    let audit = Audit {
        documents: documents(args)?,
        is_complete: args.complete,
        rejudge: args.rejudge,
        ..Audit::new(trust)
    };
    let report = check(&audit, &args.dir, terminal).map_err(|error| match &of_another {
        Some(hint) => error.hint(hint),
        None => error,
    })?;
    terminal.answer(&report, || render::report(terminal, &report))?;
    if report.word == Word::Unanchored && args.checkpoints.is_empty() && !terminal.is_json() {
        terminal.hint("hold it against a checkpoint that you kept: --checkpoint FILE (`countersign checkpoint --save FILE` keeps one)");
    }
    if let Some(hint) = of_another.filter(|_| !terminal.is_json()) {
        terminal.hint(hint);
    }
    Ok(exit(&report, args.allow_unanchored))
}

/// What to say if no key that is trusted bears the name under which the export's checkpoint goes.
fn of_another_log(trust: &Trust, dir: &Path) -> Option<String> {
    let bytes = Directory::new(dir).checkpoint().ok()?;
    let text = String::from_utf8(bytes).ok()?;
    // C2SP tlog-checkpoint: the first line is the origin.
    let origin = text.lines().next()?;
    let key = trust.log_keys.first()?.name();
    let is_known = trust
        .log_keys
        .iter()
        .any(|key| key.name().to_string() == origin);
    (!is_known).then(|| {
        let origin = plain(origin);
        format!("the key is of `{key}`, the export is of `{origin}`: give --key of this very log")
    })
}

/// Audits the export in a directory, with a bar.
pub(crate) fn check(audit: &Audit, dir: &Path, terminal: &Terminal) -> Result<Report, CliError> {
    if !dir.is_dir() {
        return Err(CliError::io(dir, "there is no such directory"));
    }
    let is_export = dir.join("checkpoint").exists();
    if !is_export && DataDir::new(dir).database().exists() {
        return Err(
            CliError::io(dir, "this is a data directory, and no export").hint(format!(
                "`countersign export OUT --data {}` makes what verify reads",
                dir.display()
            )),
        );
    }
    let bar = terminal.progress("entries");
    let report = audit.run(&Directory::new(dir), &mut |progress| {
        bar.set_length(progress.total);
        bar.set_position(progress.done);
    });
    bar.finish_and_clear();
    report.map_err(|error| {
        let own = CliError::usage(error.to_string());
        match error {
            VerifyError::Source(_) => {
                CliError::io(dir, error).hint("verify reads what `countersign export` makes")
            }
            VerifyError::Held(_) => own
                .hint("give --key with the key of this very log; a profile may be of another one"),
            _ => own,
        }
    })
}

/// The documented exit code of a report.
pub(crate) fn exit(report: &Report, allow_unanchored: bool) -> Exit {
    match (report.word, &report.contradiction) {
        (_, Some(_)) => Exit::Inconsistent,
        (Word::Failed, None) => Exit::No,
        (Word::Unanchored, None) if !allow_unanchored => Exit::Unanchored,
        (Word::Unanchored | Word::Trusted, None) => Exit::Yes,
    }
}

fn trust(
    args: &VerifyArgs,
    connection: &ConnectionArgs,
    terminal: &Terminal,
) -> Result<Trust, CliError> {
    let policy = args.policy.as_deref().map(policy).transpose()?;
    let mut keys = args
        .keys
        .iter()
        .map(|text| key("--key", text))
        .collect::<Result<Vec<_>, _>>()?;
    let mut root_key = args
        .root_key
        .as_deref()
        .map(|text| key("--root-key", text))
        .transpose()?;
    if keys.is_empty() && policy.is_none() {
        let profile = connection.profile()?.ok_or_else(|| {
            CliError::usage(
                "no key of the log was given: keys inside what is checked are never trusted",
            )
            .hint("give --key with what `countersign key show` printed, or what you were handed")
        })?;
        keys.push(key("the profile's log key", &profile.log_key)?);
        if root_key.is_none() {
            root_key = Some(key("the profile's root key", &profile.root_key)?);
        }
        terminal.note("checked with the keys of the profile, since no --key was given");
    }
    let held = args
        .checkpoints
        .iter()
        .map(|path| note(path))
        .collect::<Result<_, _>>()?;
    Ok(Trust {
        log_keys: keys,
        root_key,
        held,
        policy,
    })
}

fn key(what: &str, text: &str) -> Result<VerifierKey, CliError> {
    let text = input::key(text)?;
    text.trim().parse().map_err(|error| {
        CliError::usage(format!("{what}: {error}"))
            .hint("a verifier key is one line, name+8 hex digits+base64, or a FILE that holds it")
    })
}

fn note(path: &Path) -> Result<Note, CliError> {
    Note::parse(&input::file_bytes(path)?).map_err(|error| CliError::io(path, error))
}

fn policy(path: &Path) -> Result<TlogPolicy, CliError> {
    TlogPolicy::parse(&input::file_bytes(path)?).map_err(|error| CliError::io(path, error))
}

/// The opened documents, by the refs that their names give.
pub(crate) fn read_documents(dir: &Path) -> Result<BTreeMap<Sha256, Vec<u8>>, CliError> {
    let mut documents = BTreeMap::new();
    for file in std::fs::read_dir(dir).map_err(|error| CliError::io(dir, error))? {
        let path = file.map_err(|error| CliError::io(dir, error))?.path();
        let stem = path
            .file_stem()
            .and_then(|stem| stem.to_str())
            .unwrap_or_default();
        let is_json = path
            .extension()
            .is_some_and(|extension| extension == "json");
        let Some(reference) = format!("sha256:{stem}")
            .parse::<Sha256>()
            .ok()
            .filter(|_| is_json)
        else {
            return Err(CliError::io(
                &path,
                "this is no opened document: allowed are files named <64 hex digits>.json",
            ));
        };
        documents.insert(reference, input::regular_bytes(&path)?);
    }
    Ok(documents)
}

fn documents(args: &VerifyArgs) -> Result<BTreeMap<Sha256, Vec<u8>>, CliError> {
    let usual = args.dir.join("documents");
    match &args.documents {
        Some(dir) => read_documents(dir),
        None if usual.is_dir() => read_documents(&usual),
        None => Ok(BTreeMap::new()),
    }
}
