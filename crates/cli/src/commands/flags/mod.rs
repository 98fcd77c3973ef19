//! `countersign flags`

mod follow;
mod show;

use clap::{Args, Subcommand};

use crate::connection::ConnectionArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::render;
use crate::terminal::Terminal;

/// Roles that read flags, the one that the profile most likely has first.
const READERS: &[&str] = &["auditor", "reviewer", "admin", "vault-reader"];
/// Roles that take note of one.
const KEEPERS: &[&str] = &["reviewer", "admin"];

/// Without a command: the flags, newest first, each with the entry where it began.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct FlagsArgs {
    /// Only those that are not closed
    #[arg(long)]
    open: bool,
    /// Go on, and print each new one, and what becomes of each, as it comes
    #[arg(long)]
    follow: bool,
    #[command(subcommand)]
    command: Option<FlagsCommand>,
}

#[derive(Debug, Subcommand)]
enum FlagsCommand {
    /// Show one flag: where it began, what came just before, what was stopped and what passed
    Show(FlagArg),
    /// Take note of a flag, so that others know that somebody looks at it; that is an entry
    Acknowledge(FlagArg),
    /// Close a flag; that is an entry, and what comes after it begins another flag
    Close(FlagArg),
}

#[derive(Debug, Args)]
struct FlagArg {
    /// The flag's entry id
    #[arg(value_name = "FLAG")]
    flag: String,
}

pub(crate) fn run(
    args: &FlagsArgs,
    connection: &ConnectionArgs,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    match &args.command {
        None => list(args, connection, terminal),
        Some(FlagsCommand::Show(arg)) => show::run(&arg.flag, connection, terminal),
        Some(FlagsCommand::Acknowledge(arg)) => {
            let client = connection.open(terminal)?.with_role(KEEPERS)?;
            let answer = client.acknowledge_flag(&arg.flag)?;
            terminal.answer(&answer, || noted("acknowledged", &answer.entry))?;
            Ok(Exit::Yes)
        }
        Some(FlagsCommand::Close(arg)) => {
            let client = connection.open(terminal)?.with_role(KEEPERS)?;
            let answer = client.close_flag(&arg.flag)?;
            terminal.answer(&answer, || noted("closed", &answer.entry))?;
            Ok(Exit::Yes)
        }
    }
}

fn list(
    args: &FlagsArgs,
    connection: &ConnectionArgs,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    let client = connection.open(terminal)?.with_role(READERS)?;
    if args.follow {
        return follow::run(&client, terminal);
    }
    let mut answer = client.flags()?;
    answer
        .flags
        .retain(|flag| !args.open || flag.state != "closed");
    if terminal.is_json() || !answer.flags.is_empty() {
        terminal.answer(&answer, || render::flags(terminal, &answer.flags))?;
    } else {
        terminal.note("there are no flags");
    }
    if let (false, Some(first)) = (terminal.is_json(), answer.flags.first()) {
        terminal.hint(format!("countersign flags show {}", first.flag));
    }
    Ok(Exit::Yes)
}

fn noted(what: &str, entry: &countersign_wire::RawJson) -> String {
    format!("{what} as entry {}", super::entry_id(entry))
}
