//! `countersign credential`

use clap::{Args, Subcommand};
use comfy_table::Cell;
use countersign_wire::{CredentialView, NewCredential};

use crate::connection::ConnectionArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::render::plain;
use crate::terminal::{Terminal, Tone};

#[derive(Debug, Subcommand)]
pub(crate) enum CredentialCommand {
    /// Grant a credential; its token is printed once, and is nowhere else
    Add(Box<AddArgs>),
    /// Revoke a credential, for good
    Revoke(RevokeArgs),
    /// List the credentials, without their tokens
    List,
}

#[derive(Debug, Args)]
pub(crate) struct AddArgs {
    /// What it may do: ingress, agent, tool, reviewer, author, auditor, vault-reader or admin; can be given more than once
    #[arg(long = "role", required = true, value_name = "ROLE")]
    roles: Vec<String>,
    /// A name for people
    #[arg(long)]
    name: Option<String>,
    /// Whom it may speak for, or, for an ingress, name: an actor, or a prefix ending in /; can be given more than once
    #[arg(long = "actor", value_name = "ACTOR")]
    actors: Vec<String>,
    /// For an ingress: the only authors of its turns (human, schedule, system)
    #[arg(long = "author", value_name = "AUTHOR")]
    authors: Vec<String>,
    /// For an ingress: the only channels of its turns
    #[arg(long = "channel", value_name = "CHANNEL")]
    channels: Vec<String>,
    /// For an ingress: the only session of its turns
    #[arg(long)]
    session: Option<String>,
    /// For an ingress: same-uid or separate
    #[arg(long)]
    assurance: Option<String>,
    /// For a reviewer: base64url of the raw Ed25519 public key
    // base64url may begin with a hyphen
    #[arg(long, value_name = "KEY", allow_hyphen_values = true)]
    public_key: Option<String>,
    /// For a reviewer or a vault-reader: the person whose credential it is, such as user:jo@acme.example
    #[arg(long, value_name = "USER")]
    principal: Option<String>,
    /// For an agent: where its calls come in (api, relay, gate or hook)
    #[arg(long)]
    surface: Option<String>,
    /// For an ingress: it may register turns only in sessions that it opened itself
    #[arg(long)]
    own_sessions: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RevokeArgs {
    /// The credential's id
    credential: String,
}

pub(crate) fn run(
    command: &CredentialCommand,
    connection: &ConnectionArgs,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    match command {
        CredentialCommand::Add(args) => add(args, connection, terminal),
        CredentialCommand::Revoke(args) => revoke(args, connection, terminal),
        CredentialCommand::List => list(connection, terminal),
    }
}

fn add(args: &AddArgs, connection: &ConnectionArgs, terminal: &Terminal) -> Result<Exit, CliError> {
    let request = NewCredential {
        roles: args.roles.clone(),
        name: args.name.clone(),
        actors: args.actors.clone(),
        authors: args.authors.clone(),
        channels: args.channels.clone(),
        session: args.session.clone(),
        assurance: args.assurance.clone(),
        public_key: args.public_key.clone(),
        surface: args.surface.clone(),
        principal: args.principal.clone(),
        own_sessions: args.own_sessions,
    };
    let client = connection.open(terminal)?.with_role(&["admin"])?;
    let created = client.add_credential(&request)?;
    terminal.answer(&created, || created.token.clone())?;
    if !terminal.is_json() {
        terminal.note(format!(
            "credential {}; the token is shown this once, and the profile is left as it is",
            created.credential
        ));
    }
    Ok(Exit::Yes)
}

fn revoke(
    args: &RevokeArgs,
    connection: &ConnectionArgs,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    let client = connection.open(terminal)?.with_role(&["admin"])?;
    let answer = client.revoke_credential(&args.credential)?;
    terminal.answer(&answer, || {
        format!("revoked with entry {}", super::entry_id(&answer.entry))
    })?;
    Ok(Exit::Yes)
}

fn list(connection: &ConnectionArgs, terminal: &Terminal) -> Result<Exit, CliError> {
    let client = connection
        .open(terminal)?
        .with_role(&["admin", "auditor"])?;
    let answer = client.credentials()?;
    terminal.answer(&answer, || table(terminal, &answer.credentials))?;
    Ok(Exit::Yes)
}

fn table(terminal: &Terminal, credentials: &[CredentialView]) -> String {
    let mut table = terminal.table(["credential", "name", "roles", "actors", "state"]);
    for view in credentials {
        let state = match view.revoked {
            true => terminal.cell(Tone::Bad, "revoked"),
            false => terminal.cell(Tone::Good, "in force"),
        };
        table.add_row([
            Cell::new(plain(&view.credential)),
            Cell::new(plain(view.name.as_deref().unwrap_or_default())),
            Cell::new(plain(&view.roles.join(", "))),
            Cell::new(plain(&view.actors.join(", "))),
            state,
        ]);
    }
    crate::render::trimmed(&table.to_string())
}
