//! `countersign fsck`

use std::path::{Path, PathBuf};

use countersign_host::DataDir;
use countersign_ledger::fsck::{Findings, Flaw, Found, Part, Progress, check_tiles};
use countersign_note::VerifierKey;
use countersign_service::fsck::NOT_HELD;
use serde::Serialize;

use super::verify::key;
use crate::error::CliError;
use crate::exit::Exit;
use crate::render::plain;
use crate::terminal::{Terminal, Tone};

/// Most differences that are shown; `--json` has all that were kept.
const SHOWN: usize = 20;

/// A data directory is held against its own entries: leaf hashes, nodes, head, signed checkpoint, head file, index and
/// what rows of state say; a directory of tiles against the entries in it. No server may use a data directory meanwhile.
///
/// It reads what is there twice. `countersign verify` reads what the entries mean.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes: 0 nothing differs, or all of it was put right · 1 something differs
            3 the log is not the one that was signed, or that the head file has released · 2 no answer: usage or I/O")]
#[command(group(clap::ArgGroup::new("what").required(true).args(["dir", "data"])))]
pub(crate) struct FsckArgs {
    /// A data directory, or a directory of tiles: an export or a publication
    dir: Option<PathBuf>,
    /// The data directory, named as elsewhere
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Write what derives from the entries again; an entry, a head, a checkpoint or a row of state is never written
    #[arg(long)]
    repair: bool,
    /// For tiles: the key that must have signed the checkpoint, or a FILE that holds it
    #[arg(long = "key", value_name = "VKEY")]
    keys: Vec<String>,
}

/// The answer as `--json` prints it.
#[derive(Serialize)]
struct Report<'a> {
    dir: String,
    of: &'static str,
    found: &'static str,
    differences: u64,
    derived: u64,
    repaired: bool,
    left: u64,
    findings: Vec<Finding<'a>>,
    not_held: &'a [&'a str],
}

#[derive(Serialize)]
struct Finding<'a> {
    part: &'static str,
    derives: bool,
    index: Option<u64>,
    found: &'a str,
    expected: &'a str,
}

/// What is checked.
enum Subject {
    Data(DataDir),
    Tiles(PathBuf, Vec<VerifierKey>),
}

pub(crate) fn run(args: &FsckArgs, terminal: &Terminal) -> Result<Exit, CliError> {
    let (dir, subject) = subject(args)?;
    let first = check(&subject, args.repair, terminal)?;
    let was_repaired = first.repaired() == Some(true) && first.derived() > 0;
    // What was written is read again.
    let left = match was_repaired {
        true => check(&subject, false, terminal)?,
        false => first.clone(),
    };
    let report = Report {
        dir: dir.display().to_string(),
        of: match subject {
            Subject::Data(_) => "data",
            Subject::Tiles(..) => "tiles",
        },
        found: word(left.found()),
        differences: first.total(),
        derived: first.derived(),
        repaired: was_repaired,
        left: left.total(),
        findings: first.kept().iter().map(finding).collect(),
        not_held: match subject {
            Subject::Data(_) => NOT_HELD,
            Subject::Tiles(..) => &[],
        },
    };
    terminal.answer(&report, || text(terminal, &report, &first))?;
    if !terminal.is_json() {
        advise(args, &subject, &first, &left, terminal);
    }
    Ok(match left.found() {
        Found::Clean => Exit::Yes,
        Found::Differs => Exit::No,
        Found::Contradicts => Exit::Inconsistent,
    })
}

fn subject(args: &FsckArgs) -> Result<(&Path, Subject), CliError> {
    let dir = args.data.as_deref().or(args.dir.as_deref());
    let dir = dir.ok_or_else(|| CliError::usage("no directory was named"))?;
    let data = DataDir::new(dir);
    if args.data.is_some() || data.is_begun() {
        if !args.keys.is_empty() {
            return Err(CliError::usage(
                "`--key` is for tiles: a data directory has the log's key itself",
            ));
        }
        return Ok((dir, Subject::Data(data)));
    }
    if !dir.join("checkpoint").exists() {
        return Err(
            CliError::io(dir, "neither a data directory nor one of tiles").hint(
                "a data directory holds `ledger.db`, an export or a publication holds `checkpoint`",
            ),
        );
    }
    let keys = args
        .keys
        .iter()
        .map(|text| key("--key", text))
        .collect::<Result<_, _>>()?;
    Ok((dir, Subject::Tiles(dir.to_owned(), keys)))
}

fn check(subject: &Subject, repair: bool, terminal: &Terminal) -> Result<Findings, CliError> {
    let bar = terminal.progress("entries");
    let mut progress = |progress: Progress| {
        bar.set_length(progress.total);
        bar.set_position(progress.done);
    };
    let findings = match subject {
        Subject::Data(data) => data.fsck(repair, &mut progress)?,
        Subject::Tiles(dir, keys) => check_tiles(dir, keys, repair, &mut progress)
            .map_err(|error| CliError::usage(error.to_string()))?,
    };
    bar.finish_and_clear();
    Ok(findings)
}

fn word(found: Found) -> &'static str {
    match found {
        Found::Clean => "clean",
        Found::Differs => "differs",
        Found::Contradicts => "contradicts",
    }
}

fn finding(flaw: &Flaw) -> Finding<'_> {
    Finding {
        part: flaw.part.code(),
        derives: flaw.part.derives(),
        index: flaw.index.map(|index| index.get()),
        found: &flaw.found,
        expected: &flaw.expected,
    }
}

fn text(terminal: &Terminal, report: &Report<'_>, first: &Findings) -> String {
    let tone = match report.found {
        "clean" => Tone::Good,
        "differs" => Tone::Careful,
        _ => Tone::Bad,
    };
    let mut out = terminal.paint(tone, report.found);
    if report.differences == 0 {
        out.push_str("  what is there twice says the same");
    } else {
        out.push_str(&match report.differences {
            1 => "  1 difference".to_owned(),
            many => format!("  {many} differences"),
        });
        if report.left == 0 {
            out.push_str(", put right");
        }
    }
    for flaw in first.kept().iter().take(SHOWN) {
        let at = flaw.index.map(|index| format!(" of entry {index}"));
        out.push_str(&format!(
            "\n  {}{}: {}\n    expected: {}",
            terminal.paint(Tone::Strong, flaw.part.code()),
            at.unwrap_or_default(),
            plain(&flaw.found),
            plain(&flaw.expected),
        ));
    }
    let more = report.differences.saturating_sub(SHOWN as u64);
    if more > 0 {
        out.push_str(&format!("\n  and {more} more"));
    }
    if report.repaired {
        let put_right = report.differences.saturating_sub(report.left);
        out.push_str(&format!("\nput right: {put_right}, left: {}", report.left));
    }
    out
}

fn advise(
    args: &FsckArgs,
    subject: &Subject,
    first: &Findings,
    left: &Findings,
    terminal: &Terminal,
) {
    if let Subject::Tiles(_, keys) = subject
        && keys.is_empty()
    {
        terminal.warn("no --key was given: the checkpoint's signature was not checked");
    }
    if args.repair && first.counted(Part::Database) > 0 {
        terminal.warn("nothing was put right: the database file itself is damaged");
    } else if first.repaired() == Some(false) {
        terminal.warn("nothing was put right: the entries are not those that were signed");
    } else if !args.repair && first.derived() > 0 && left.found() == Found::Differs {
        terminal.hint("--repair writes again what derives from the entries");
    } else if args.repair && left.found() == Found::Differs {
        terminal.hint("what is left is not written by --repair: docs/recovery.md says what to do");
    }
    if left.found() == Found::Contradicts {
        terminal.hint(
            "keep the directory as it is: it is the evidence; docs/recovery.md says how to go on",
        );
    }
}
