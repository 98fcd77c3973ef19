//! `countersign observe`: recorded calls judged as they would have been live, without a server.

mod files;
mod html;
mod text;
mod write;

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use countersign_core::verdict::Outcome;
use countersign_judge::CompiledBundle;
use countersign_observe::{Choice, Found, Guess, Judged, Report};

use crate::bundles;
use crate::error::CliError;
use crate::exit::Exit;
use crate::terminal::Terminal;

/// How many calls are shown on the terminal where nothing else is said, and how many in HTML.
const SHOWN_TERMINAL: usize = 10;
const SHOWN_HTML: usize = 500;

#[derive(Debug, Args)]
#[command(after_help = "\
Read: OpenAI chat messages and Responses items, Anthropic messages, Claude Code sessions, OpenTelemetry
GenAI spans (OTLP JSON), AgentDojo run logs, recorded runs, and Countersign's own JSON Lines; each
alone, as JSON Lines, or compressed (.zst). The format is told by the content. docs/observe.md says
what is read of each, and what is not.

Examples:
  countersign observe session.jsonl
  countersign observe ~/transcripts --html report.html
  countersign observe session.jsonl --propose my-bundle && countersign policy check my-bundle
  countersign observe session.jsonl --bundle my-bundle --only stopped

Exit codes: 0 a report was written, whatever it says; 2 usage, or a file that could not be read.")]
pub(crate) struct ObserveArgs {
    /// Transcripts, or directories of them
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Judge by this bundle: a directory, or the name of one that comes with the program; without it, one is
    /// guessed from the tools that were seen
    #[arg(long, value_name = "DIR|NAME")]
    bundle: Option<String>,
    /// Write the guessed bundle into this directory, which must not exist yet
    #[arg(long, value_name = "DIR", conflicts_with = "bundle")]
    propose: Option<PathBuf>,
    /// Write the report as one HTML file, too
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// How many calls to show, those that matter first [default: 10 on the terminal, 500 in HTML]
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Show only calls with this outcome
    #[arg(long, value_name = "OUTCOME")]
    only: Option<Only>,
    /// Show only calls of this tool
    #[arg(long, value_name = "TOOL")]
    tool: Option<String>,
}

/// Which calls are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Only {
    /// Those that would have been stopped.
    Stopped,
    /// Those that a person would have been asked about.
    Asked,
    /// Those that would have passed.
    Passed,
}

pub(crate) fn run(args: &ObserveArgs, terminal: &Terminal) -> Result<Exit, CliError> {
    if let Some(directory) = args.propose.as_deref().filter(|path| path.exists()) {
        return Err(CliError::io(
            directory,
            "it exists already; name a directory that does not, so that nothing is written over",
        ));
    }
    let given = args.bundle.as_ref().map(|bundle| bundles::check(bundle));
    let given = given.transpose()?;
    let read = files::read(&args.files, terminal)?;
    let (content, guesses) = match given {
        Some((content, _)) => (content, None),
        None => {
            let proposal = countersign_observe::propose(&read.found).map_err(|error| {
                CliError::usage(error.to_string()).hint("write one, and give it with --bundle DIR")
            })?;
            (proposal.content, Some(proposal.guesses))
        }
    };
    let bundle = countersign_observe::compile(content)
        .map_err(|error| CliError::usage(error.to_string()))?;
    let judged = judge(&bundle, &read.found, terminal);
    if let Some(directory) = &args.propose {
        write::bundle(directory, &bundle.bundle().content, terminal)?;
    }
    let guessed = guesses.as_deref();
    let mut report = Report::new(
        &choice(args, terminal),
        read.files,
        &read.found,
        &bundle,
        guessed,
        judged,
    );
    report.passed_over = read.passed_over;
    if let Some(path) = &args.html {
        let page = html::page(&report, args.limit.unwrap_or(SHOWN_HTML));
        std::fs::write(path, page).map_err(|error| CliError::io(path, error))?;
        terminal.note(format!("the report stands in `{}`", path.display()));
    }
    let shown = text::Shown {
        limit: args.limit.unwrap_or(SHOWN_TERMINAL),
        is_filtered: args.only.is_some() || args.tool.is_some(),
    };
    terminal.answer(&report, || text::report(*terminal, &report, shown))?;
    hints(args, guessed, terminal);
    Ok(Exit::Yes)
}

/// What the report holds: JSON has all calls that were asked for, unless a limit was.
fn choice(args: &ObserveArgs, terminal: &Terminal) -> Choice {
    Choice {
        only: args.only.map(|only| match only {
            Only::Stopped => Outcome::Rejected,
            Only::Asked => Outcome::Escalated,
            Only::Passed => Outcome::Approved,
        }),
        tool: args.tool.clone(),
        limit: args.limit.filter(|_| terminal.is_json()),
    }
}

fn hints(args: &ObserveArgs, guesses: Option<&[Guess]>, terminal: &Terminal) {
    if terminal.is_json() {
        return;
    }
    if args.html.is_none() {
        terminal.hint("--html report.html writes all of it as one page that needs no network");
    }
    if guesses.is_some() && args.propose.is_none() {
        terminal.hint(
            "--propose DIR writes the guessed bundle: correct it, then judge by it with --bundle DIR",
        );
    }
}

fn judge(bundle: &CompiledBundle, found: &[Found], terminal: &Terminal) -> Vec<Judged> {
    let progress = terminal.progress("judging");
    let calls = countersign_observe::calls(found);
    progress.set_length(u64::try_from(calls).unwrap_or(u64::MAX));
    let judged = countersign_observe::judge_all(bundle, found, &|| progress.inc(1));
    progress.finish_and_clear();
    judged
}
