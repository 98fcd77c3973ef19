//! `countersign verify`

mod directory;
mod evidence;
mod folder;
pub(crate) mod longest;
mod trust;
mod url;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use countersign_core::refs::Sha256;
use countersign_host::DataDir;
use countersign_note::{Note, PolicyOutcome};
use countersign_verify::{Audit, Check, Depth, LogSource, Report, Trust, VerifyError, Word};

pub(crate) use directory::Directory;
pub(crate) use evidence::keep;
pub(crate) use trust::{HeadArgs, TrustArgs, key, log_keys};
pub(crate) use url::{CONNECTIONS, LogUrl};

use crate::connection::ConnectionArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::render;
use crate::render::plain;
use crate::terminal::Terminal;

/// Offline, from files and keys that you got by another way; or read from a server while it is
/// checked. The answer is `trusted`, `unanchored` or `failed`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes: 0 trusted · 4 unanchored: nothing wrong, and nothing from outside to hold it against
            1 failed · 3 failed: two signed heads contradict each other · 2 no answer: usage or I/O
With --contradiction: 3 it holds · 1 the file shows nothing · 2 usage or I/O")]
pub(crate) struct VerifyArgs {
    /// An export, the folder of an incident, a directory in tlog-tiles layout, or the address of a log: https://HOST/log/TENANT/EPOCH
    #[arg(value_name = "DIR|URL", required_unless_present = "contradiction")]
    log: Option<String>,
    #[command(flatten)]
    trust: TrustArgs,
    /// The opened documents [default: DIR/documents, if it is there]
    #[arg(long, value_name = "DIR")]
    documents: Option<PathBuf>,
    /// Look only at the tree: signatures, tiles, root, held checkpoints, and not at what entries say
    #[arg(long, conflicts_with = "rejudge")]
    tree: bool,
    /// Judge every decision again from its facts
    #[arg(long)]
    rejudge: bool,
    /// With --rejudge: every document is given that was not erased, so that one that is missing is a failure
    #[arg(long, requires = "rejudge")]
    complete: bool,
    /// Exit code 0 in place of 4 for `unanchored`
    #[arg(long)]
    allow_unanchored: bool,
    /// Keep what is read from a server in this new directory, to check it again later
    #[arg(long, value_name = "DIR")]
    save: Option<PathBuf>,
    /// How many threads read [default: as many as the machine runs at once, 8 for a server]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=64))]
    threads: Option<u8>,
    /// Where to keep two signed heads that contradict each other
    #[arg(long, value_name = "DIR", default_value = ".")]
    evidence: PathBuf,
    /// Check a file with two heads that contradict each other, in place of a log
    #[arg(long, value_name = "FILE", conflicts_with_all = ["log", "documents", "tree", "rejudge", "save"])]
    contradiction: Option<PathBuf>,
}

impl VerifyArgs {
    /// The folder of an incident, if that is what is to be checked.
    fn folder(&self) -> Option<&Path> {
        let log = self.log.as_deref().filter(|text| !LogUrl::is_one(text))?;
        Some(Path::new(log)).filter(|dir| folder::is_one(dir))
    }
}

/// Where a log is read from.
enum Place {
    Directory(Directory),
    Url(Box<LogUrl>),
}

pub(crate) fn run(
    args: &VerifyArgs,
    connection: &ConnectionArgs,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    let trust = args.trust.read(connection, terminal)?;
    if let Some(file) = &args.contradiction {
        let keys = log_keys(&trust);
        if keys.is_empty() {
            return Err(CliError::usage(
                "a file of two heads is checked with the log's key: give --key",
            ));
        }
        return evidence::check(file, &keys, terminal);
    }
    if let Some(dir) = args.folder() {
        if args.tree || args.documents.is_some() || args.save.is_some() || args.complete {
            return Err(CliError::usage(format!(
                "`{}` is the folder of an incident: --tree, --documents, --save and --complete are for logs",
                dir.display()
            )));
        }
        let how = (args.rejudge, args.allow_unanchored);
        return folder::run(dir, &trust, how, terminal);
    }
    let knows_root = trust.root_key.is_some();
    if args.tree && log_keys(&trust).is_empty() {
        return Err(CliError::usage("no key of the log was given").hint(
            "what the root key vouches for stands in the entries, and --tree reads none of them: give --key",
        ));
    }
    let place = place(args, connection, terminal)?;
    let of_another = of_another_log(&trust, place.source());
    let short = short_of_quorum(&trust, place.source());
    let audit = Audit {
        documents: documents(args, &place)?,
        is_complete: args.complete,
        rejudge: args.rejudge,
        depth: match args.tree {
            true => Depth::Tree,
            false => Depth::Entries,
        },
        threads: match (args.threads, &place) {
            (Some(threads), _) => usize::from(threads),
            (None, Place::Url(_)) => CONNECTIONS,
            (None, Place::Directory(_)) => 0,
        },
        ..Audit::new(trust)
    };
    let report = match &args.save {
        Some(dir) => {
            let saving = url::Saving::new(place.source(), dir)?;
            audited(&audit, &saving, &place.name(), terminal)
        }
        None => audited(&audit, place.source(), &place.name(), terminal),
    };
    let report = report.map_err(|error| match &of_another {
        Some(hint) => error.hint(hint),
        None => error,
    })?;
    terminal.answer(&report, || render::report(terminal, &report))?;
    if let Some(contradiction) = &report.contradiction {
        kept(contradiction, &args.evidence, terminal);
    }
    if let Some(hint) = short.filter(|_| report.word == Word::Unanchored && !terminal.is_json()) {
        terminal.hint(hint);
    }
    if report.word == Word::Unanchored && args.trust.has_no_checkpoint() && !terminal.is_json() {
        terminal.hint("hold it against a checkpoint that you kept: --checkpoint FILE (`countersign checkpoint --save FILE` keeps one)");
    }
    let mut findings = report.findings.iter();
    let is_unknown = findings.any(|finding| finding.check == Check::CheckpointSignature);
    if is_unknown && !knows_root && of_another.is_none() && !terminal.is_json() {
        terminal.hint("if the log's key was rotated, give the new one with --key, or --root-key, which vouches for it");
    }
    if let Some(hint) = of_another.filter(|_| !terminal.is_json()) {
        terminal.hint(hint);
    }
    Ok(exit(&report, args.allow_unanchored))
}

impl Place {
    fn source(&self) -> &dyn LogSource {
        match self {
            Self::Directory(directory) => directory,
            Self::Url(url) => url.as_ref(),
        }
    }

    fn name(&self) -> String {
        match self {
            Self::Directory(directory) => directory.path().display().to_string(),
            Self::Url(url) => url.address().to_string(),
        }
    }
}

fn place(
    args: &VerifyArgs,
    connection: &ConnectionArgs,
    terminal: &Terminal,
) -> Result<Place, CliError> {
    let text = args.log.as_deref().unwrap_or_default();
    if LogUrl::is_one(text) {
        let url = LogUrl::open(text, connection, terminal)?;
        url.begin()?;
        return Ok(Place::Url(Box::new(url)));
    }
    if args.save.is_some() {
        return Err(CliError::usage(format!(
            "--save keeps what is read from a server, and `{text}` is a directory"
        )));
    }
    Ok(Place::Directory(open(Path::new(text))?))
}

/// Says where a contradiction was kept. What was found stands also where it cannot be.
fn kept(contradiction: &countersign_verify::Contradiction, dir: &Path, terminal: &Terminal) {
    match keep(contradiction, dir) {
        Ok(path) => terminal.note(format!(
            "both heads are kept in `{}`: a stranger can check it with `countersign verify --contradiction FILE --key VKEY`",
            path.display()
        )),
        Err(error) => terminal.warn(format!("both heads could not be kept: {error}")),
    }
}

/// What to say if a policy was given and does not anchor the log.
fn short_of_quorum(trust: &Trust, source: &dyn LogSource) -> Option<String> {
    let policy = trust.policy.as_ref()?;
    if policy.is_quorum_met(&[]) {
        return Some("the policy asks for no witness, so it anchors nothing".to_owned());
    }
    let note = Note::parse(&source.checkpoint().ok()?).ok()?;
    let PolicyOutcome::QuorumNotMet(evidence) =
        policy.evaluate_with_logs(&note, &log_keys(trust)).ok()?
    else {
        return None;
    };
    let names: Vec<_> = evidence
        .witnesses()
        .iter()
        .map(ToString::to_string)
        .collect();
    let who = match names.is_empty() {
        true => "none of its witnesses has".to_owned(),
        false => format!("of its witnesses only {} have", names.join(", ")),
    };
    Some(format!(
        "the policy's quorum is not met: {who} cosigned the checkpoint"
    ))
}

/// What to say if no key that is trusted bears the name under which the log's checkpoint goes.
fn of_another_log(trust: &Trust, source: &dyn LogSource) -> Option<String> {
    let text = String::from_utf8(source.checkpoint().ok()?).ok()?;
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
    let name = dir.display().to_string();
    audited(audit, &open(dir)?, &name, terminal)
}

fn open(dir: &Path) -> Result<Directory, CliError> {
    let directory = Directory::open(dir)?;
    let is_export = dir.join("checkpoint").exists();
    if !is_export && DataDir::new(dir).database().exists() {
        return Err(
            CliError::io(dir, "this is a data directory, and no export").hint(format!(
                "`countersign export OUT --data {}` makes what verify reads",
                dir.display()
            )),
        );
    }
    Ok(directory)
}

fn audited(
    audit: &Audit,
    source: &dyn LogSource,
    name: &str,
    terminal: &Terminal,
) -> Result<Report, CliError> {
    let bar = terminal.progress("entries");
    let report = audit.run(source, &mut |progress| {
        bar.set_length(progress.total);
        bar.set_position(progress.done);
    });
    bar.finish_and_clear();
    report.map_err(|error| {
        let own = CliError::usage(error.to_string());
        match error {
            VerifyError::Source(_) if LogUrl::is_one(name) => {
                CliError::usage(format!("`{name}`: {error}"))
            }
            VerifyError::Source(_) => CliError::usage(format!("`{name}`: {error}"))
                .hint("verify reads what `countersign export` makes"),
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

/// The opened documents, by the refs that their names give.
pub(crate) fn read_documents(dir: &Path) -> Result<BTreeMap<Sha256, Vec<u8>>, CliError> {
    documents_in(&Directory::open(dir)?, Path::new(""))
}

/// Those in a directory below another one, out of which no link may lead.
fn documents_in(root: &Directory, below: &Path) -> Result<BTreeMap<Sha256, Vec<u8>>, CliError> {
    let dir = root.path().join(below);
    let mut documents = BTreeMap::new();
    for file in std::fs::read_dir(&dir).map_err(|error| CliError::io(&dir, error))? {
        let name = file.map_err(|error| CliError::io(&dir, error))?.file_name();
        let name = name.to_string_lossy();
        let reference = name
            .strip_suffix(".json")
            .and_then(|stem| format!("sha256:{stem}").parse::<Sha256>().ok());
        let Some(reference) = reference else {
            return Err(CliError::io(
                &dir.join(name.as_ref()),
                "this is no opened document: allowed are files named <64 hex digits>.json",
            ));
        };
        let path = below.join(name.as_ref());
        documents.insert(reference, root.document(&path.to_string_lossy())?);
    }
    Ok(documents)
}

fn documents(args: &VerifyArgs, place: &Place) -> Result<BTreeMap<Sha256, Vec<u8>>, CliError> {
    match (&args.documents, place) {
        _ if args.tree => Ok(BTreeMap::new()),
        (Some(dir), _) => read_documents(dir),
        (None, Place::Directory(root)) if root.path().join("documents").is_dir() => {
            documents_in(root, Path::new("documents"))
        }
        (None, _) => Ok(BTreeMap::new()),
    }
}
