//! `countersign policy shadow`

mod report;

use clap::{Args, Subcommand};
use countersign_client::Client;

use crate::bundles;
use crate::connection::ConnectionArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::render::{plain, short_ref};
use crate::terminal::Terminal;

use super::READERS;
use report::ReportArgs;

#[derive(Debug, Args)]
pub(crate) struct ShadowArgs {
    #[command(subcommand)]
    command: ShadowCommand,
}

#[derive(Debug, Subcommand)]
enum ShadowCommand {
    /// Put a bundle in shadow: it judges beside the one in force, and nothing comes of it
    Set(SetArgs),
    /// End the time in shadow of the bundle that is
    End,
    /// Show which bundle is in shadow; exit code 1 if none is
    Show,
    /// Say where the bundle in shadow and the one in force disagreed; exit code 1 if they did
    Report(ReportArgs),
}

#[derive(Debug, Args)]
struct SetArgs {
    /// The bundle's directory, the name of one that comes with the program, or a policy_ref; a
    /// directory is stored in the log, where all its text stays
    bundle: String,
}

pub(crate) fn run(
    args: &ShadowArgs,
    connection: &ConnectionArgs,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    match &args.command {
        ShadowCommand::Set(args) => set(args, connection, terminal),
        ShadowCommand::End => {
            let client = connection.open(terminal)?.with_role(&["author"])?;
            let ended = client.end_shadow()?;
            terminal.answer(&ended, || {
                format!("no longer in shadow: {}", plain(&ended.policy_ref))
            })?;
            Ok(Exit::Yes)
        }
        ShadowCommand::Show => show(connection, terminal),
        ShadowCommand::Report(args) => report::run(args, connection, terminal),
    }
}

fn set(args: &SetArgs, connection: &ConnectionArgs, terminal: &Terminal) -> Result<Exit, CliError> {
    let client;
    let policy_ref = if args.bundle.starts_with("sha256:") {
        client = connection.open(terminal)?.with_role(&["author"])?;
        args.bundle.clone()
    } else {
        let (content, _) = bundles::check(&args.bundle)?;
        client = connection.open(terminal)?.with_role(&["author"])?;
        let stored = client.store_bundle(bundles::to_json(&content)?)?;
        super::warn(terminal, &stored.findings);
        stored.policy_ref
    };
    put(&client, &policy_ref, terminal)?;
    Ok(Exit::Yes)
}

fn put(client: &Client, policy_ref: &str, terminal: &Terminal) -> Result<(), CliError> {
    let shadow = client.set_shadow(policy_ref)?;
    terminal.answer(&shadow, || policy_ref.to_owned())?;
    if !terminal.is_json() {
        terminal.note(format!(
            "in shadow from entry {} on",
            super::super::entry_id(&shadow.entry)
        ));
        terminal.hint("what it would have done: countersign policy shadow report");
    }
    Ok(())
}

fn show(connection: &ConnectionArgs, terminal: &Terminal) -> Result<Exit, CliError> {
    let client = connection.open(terminal)?.with_role(READERS)?;
    let Some(shadow) = client.shadow()? else {
        terminal.answer(&serde_json::json!({ "policy_ref": null }), || {
            "no bundle is in shadow".to_owned()
        })?;
        return Ok(Exit::No);
    };
    let name = super::read(&client, &shadow.policy_ref)?.content.name;
    terminal.answer(&shadow, || {
        format!("{}  {}", plain(&name), plain(&shadow.policy_ref))
    })?;
    if !terminal.is_json() {
        let entry = super::super::entry_id(&shadow.entry);
        terminal.note(format!(
            "{} is in shadow since entry {entry}",
            short_ref(&shadow.policy_ref)
        ));
    }
    Ok(Exit::Yes)
}
