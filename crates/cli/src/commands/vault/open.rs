//! `countersign vault open` and `confirm`

use std::io::{BufRead as _, IsTerminal as _};
use std::time::Duration;

use clap::Args;
use countersign_client::{Client, OpenAnswer};
use countersign_wire::{OpenRequest, Opened, OpeningRequested, OpeningView};

use crate::connection::ConnectionArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::render;
use crate::terminal::Terminal;

/// Who opens records.
const READER: &[&str] = &["vault-reader"];
/// How often it is looked whether the second person has said yes.
const POLL: Duration = Duration::from_secs(2);

#[derive(Debug, Args)]
pub(crate) struct OpenArgs {
    /// The record's commitment: sha256: and 64 hex digits
    reference: String,
    /// Why it is opened
    #[arg(long, value_name = "TEXT", required_unless_present = "request")]
    purpose: Option<String>,
    /// A request that a second person has confirmed, where two people are needed
    #[arg(long, value_name = "ENTRY", conflicts_with_all = ["purpose", "wait"])]
    request: Option<String>,
    /// Where two people are needed, wait until the second one has confirmed, and open then
    #[arg(long)]
    wait: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ConfirmArgs {
    /// The request, as `countersign vault open` printed it
    #[arg(value_name = "ENTRY")]
    request: String,
    /// Confirm without being asked
    #[arg(long)]
    yes: bool,
}

pub(super) fn run(
    args: &OpenArgs,
    connection: &ConnectionArgs,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    let client = connection.open(terminal)?.with_role(READER)?;
    let request = OpenRequest {
        purpose: args.purpose.clone(),
        request: args.request.clone(),
        alone: false,
    };
    match client.open_record(&args.reference, &request)? {
        OpenAnswer::Opened(opened) => shown(&opened, terminal),
        OpenAnswer::Requested(asked) if args.wait => {
            tell(&asked, terminal);
            wait(&client, &args.reference, &asked, terminal)
        }
        OpenAnswer::Requested(asked) => {
            terminal.answer(&asked, || render::plain(&asked.request))?;
            tell(&asked, terminal);
            if !terminal.is_json() {
                let (reference, request) = (&args.reference, &asked.request);
                terminal.hint(format!(
                    "after that: countersign vault open {} --request {}",
                    render::plain(reference),
                    render::plain(request)
                ));
            }
            Ok(Exit::No)
        }
    }
}

pub(super) fn confirm(
    args: &ConfirmArgs,
    connection: &ConnectionArgs,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    if !args.yes && !std::io::stdin().is_terminal() {
        return Err(
            CliError::usage("nobody sits here who could be asked whether that is meant")
                .hint("confirm with --yes"),
        );
    }
    let client = connection.open(terminal)?.with_role(READER)?;
    let view = client.opening(&args.request)?;
    if !terminal.is_json() {
        terminal.note(text(&view));
    }
    if !args.yes && !is_meant(terminal)? {
        terminal.note("nothing was confirmed");
        return Ok(Exit::No);
    }
    let confirmed = client.confirm_opening(&args.request)?;
    terminal.answer(&confirmed, || {
        format!(
            "confirmed with entry {}; who asked may open it once, until {}",
            crate::commands::entry_id(&confirmed.entry),
            render::plain(&confirmed.until)
        )
    })?;
    Ok(Exit::Yes)
}

fn shown(opened: &Opened, terminal: &Terminal) -> Result<Exit, CliError> {
    terminal.answer(opened, || {
        let pretty = serde_json::to_string_pretty(&opened.document).unwrap_or_default();
        render::plain(&pretty)
    })?;
    if !terminal.is_json() {
        terminal.note(format!(
            "opened with entry {}",
            crate::commands::entry_id(&opened.entry)
        ));
    }
    Ok(Exit::Yes)
}

/// What the second person must run.
fn tell(asked: &OpeningRequested, terminal: &Terminal) {
    terminal.note(format!(
        "two people are needed, and nothing is open yet: another person with the role \
         `vault-reader` runs, until {},\n  countersign vault confirm {}",
        render::plain(&asked.until),
        render::plain(&asked.request)
    ));
}

/// Opens with the request once it is confirmed; the server says when it has ended.
fn wait(
    client: &Client,
    reference: &str,
    asked: &OpeningRequested,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    loop {
        let view = client.opening(&asked.request)?;
        if view.state != "requested" {
            break;
        }
        std::thread::sleep(POLL);
    }
    let request = OpenRequest {
        purpose: None,
        request: Some(asked.request.clone()),
        alone: false,
    };
    match client.open_record(reference, &request)? {
        OpenAnswer::Opened(opened) => shown(&opened, terminal),
        OpenAnswer::Requested(_) => Err(CliError::usage(
            "the server asked for a second request instead of opening",
        )),
    }
}

fn text(view: &OpeningView) -> String {
    let purpose = view.purpose.as_deref().unwrap_or("(erased)");
    let refs: Vec<String> = view.refs.iter().map(|it| render::plain(it)).collect();
    format!(
        "{} asks to open {}\nfor: {}\nasked at {}, {}, until {}",
        render::plain(&view.credential),
        refs.join(", "),
        render::plain(purpose),
        render::plain(&view.requested_at),
        render::plain(&view.state),
        render::plain(&view.until)
    )
}

fn is_meant(terminal: &Terminal) -> Result<bool, CliError> {
    terminal.note("confirm this opening? type `confirm`, anything else is no answer");
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line);
    read.map_err(|error| CliError::usage(format!("stdin: {error}")))?;
    Ok(line.trim() == "confirm")
}
