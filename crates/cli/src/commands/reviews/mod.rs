//! `countersign reviews`

mod answer;
mod checked;
mod key;
mod list;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use countersign_wire::ReviewShown;

use crate::connection::ConnectionArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::render;
use crate::terminal::Terminal;

/// Without a command: the escalations that wait for a person, those that end soonest first.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = "\
A call that a rule asks about waits until somebody answers, or its time is over. An answer
approves nothing by itself: the call is judged again with it, and what comes of it is a new
decision. Each answer is signed with the reviewer's own key, and is good for that one call, once.")]
pub(crate) struct ReviewsArgs {
    /// Go on, and print each new one as it comes
    #[arg(long)]
    wait: bool,
    #[command(subcommand)]
    command: Option<ReviewsCommand>,
}

#[derive(Debug, Subcommand)]
enum ReviewsCommand {
    /// Show what a person needs to answer: turn, call, rules, sources, differences; that it was opened is an entry
    Show(ShowArgs),
    /// Say yes to a call, after showing it
    Approve(AnswerArgs),
    /// Say no to a call
    Reject(AnswerArgs),
    /// Print the public half of a reviewer's key, which a credential states; or make a new key
    Key(key::KeyArgs),
}

#[derive(Debug, Args)]
struct ShowArgs {
    /// The escalated decision's entry id
    #[arg(value_name = "ENTRY_ID")]
    decision: String,
}

#[derive(Debug, Args)]
struct AnswerArgs {
    /// The escalated decision's entry id
    #[arg(value_name = "ENTRY_ID")]
    decision: String,
    /// Do not ask whether that is meant
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    key: KeyFile,
}

/// Where the reviewer's key lies.
#[derive(Debug, Args)]
struct KeyFile {
    /// The reviewer's key [default: reviewer.key beside the profile]
    #[arg(
        long,
        env = "COUNTERSIGN_REVIEWER_KEY",
        value_name = "FILE",
        hide_env_values = true
    )]
    key: Option<PathBuf>,
}

impl KeyFile {
    fn path(&self, connection: &ConnectionArgs) -> Result<PathBuf, CliError> {
        let beside = || {
            let profile = connection.profile_path()?;
            Some(profile.path().with_file_name(REVIEWER_KEY))
        };
        self.key.clone().or_else(beside).ok_or_else(|| {
            CliError::usage("there is no home directory to look for a reviewer's key in")
                .hint("name the file with --key")
        })
    }
}

/// The name of a reviewer's key file.
pub(crate) const REVIEWER_KEY: &str = "reviewer.key";

/// Whoever has one of these may see the list.
const LISTING: &[&str] = &["reviewer", "auditor", "ingress"];

pub(crate) fn run(
    args: &ReviewsArgs,
    connection: &ConnectionArgs,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    match &args.command {
        None => list::run(args.wait, connection, terminal),
        Some(ReviewsCommand::Show(args)) => show(args, connection, terminal),
        Some(ReviewsCommand::Approve(args)) => {
            answer::run(args, answer::Word::Approve, connection, terminal)
        }
        Some(ReviewsCommand::Reject(args)) => {
            answer::run(args, answer::Word::Reject, connection, terminal)
        }
        Some(ReviewsCommand::Key(args)) => key::run(args, connection, terminal),
    }
}

fn show(
    args: &ShowArgs,
    connection: &ConnectionArgs,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    let client = connection.open(terminal)?.with_role(&["reviewer"])?;
    let answer = client.show_review(&args.decision)?;
    checked::check(&answer, &args.decision)?;
    terminal.answer(&answer, || text(terminal, &answer))?;
    if !terminal.is_json() {
        let id = &answer.shown.decision;
        terminal.hint(format!("countersign reviews approve {id}"));
        terminal.hint(format!("countersign reviews reject {id}"));
    }
    Ok(Exit::Yes)
}

fn text(terminal: &Terminal, answer: &ReviewShown) -> String {
    let document =
        |raw: &countersign_wire::RawJson| serde_json::from_str(raw.get()).unwrap_or_default();
    let turns: Vec<serde_json::Value> = answer.turns.iter().map(document).collect();
    render::review(terminal, &answer.shown, &document(&answer.call), &turns)
}
