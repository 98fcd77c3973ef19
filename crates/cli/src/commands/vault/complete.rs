//! `countersign vault complete`

use std::thread;
use std::time::Duration;

use clap::Args;
use countersign_client::Client;
use countersign_wire::{BeginEpoch, CompleteRequest, Completion};

use crate::connection::ConnectionArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::terminal::Terminal;

/// Roles that complete erasures.
const ADMINS: &[&str] = &["admin"];
/// How long the server goes on by itself before it is asked how far it is.
const PAUSE: Duration = Duration::from_millis(500);

/// A new epoch of the vault's keys begins, the keys of all records that are left are wrapped anew, and the keys of
/// older epochs are destroyed: after that no copy of the database opens what was erased. The server does the same by
/// itself once the time of the bundle (`erasure_window_h`) is over. Interrupted, it goes on where it was.
#[derive(Debug, Args)]
pub(crate) struct CompleteArgs {
    /// Begin a new epoch of keys although no erasure waits for it
    #[arg(long)]
    new_epoch: bool,
}

pub(crate) fn run(
    args: &CompleteArgs,
    connection: &ConnectionArgs,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    let client = connection.open(terminal)?.with_role(ADMINS)?;
    let begin = match args.new_epoch {
        true => BeginEpoch::Always,
        false => BeginEpoch::IfPending,
    };
    let completion = see_through(&client, begin, terminal)?;
    tell(&completion, terminal)
}

/// Asks the server for it, and again until it is done.
fn see_through(
    client: &Client,
    begin: BeginEpoch,
    terminal: &Terminal,
) -> Result<Completion, CliError> {
    let bar = terminal.progress("records");
    let mut completion = client.complete_erasures(&CompleteRequest { begin })?;
    while !completion.done {
        bar.set_length(completion.last);
        bar.set_position(completion.reached);
        thread::sleep(PAUSE);
        let begin = BeginEpoch::Never;
        completion = client.complete_erasures(&CompleteRequest { begin })?;
    }
    bar.finish_and_clear();
    Ok(completion)
}

/// A new epoch of keys on a running server.
pub(crate) fn rotate(connection: &ConnectionArgs, terminal: &Terminal) -> Result<Exit, CliError> {
    let client = connection.open(terminal)?.with_role(ADMINS)?;
    let completion = see_through(&client, BeginEpoch::Always, terminal)?;
    tell(&completion, terminal)
}

/// What it came to, and what is left to do.
pub(crate) fn tell(completion: &Completion, terminal: &Terminal) -> Result<Exit, CliError> {
    terminal.answer(completion, || text(completion))?;
    if completion.unopenable > 0 {
        terminal.warn(format!(
            "{} records are damaged: no key opened them before, and none does now",
            completion.unopenable
        ));
    }
    if !terminal.is_json() {
        terminal.hint("copies of the old keys still open old copies of the database: make a new copy of the keys, and destroy the old ones (docs/keys.md)");
    }
    Ok(Exit::Yes)
}

fn text(completion: &Completion) -> String {
    let epoch = completion.epoch;
    let mut lines = vec![format!("epoch {epoch} of the vault's keys is the only one")];
    if completion.rewrapped > 0 {
        lines.push(format!(
            "keys of {} records were wrapped anew since the server started",
            completion.rewrapped
        ));
    }
    lines.push(match (completion.completed, completion.pending) {
        (0, 0) => "no erasure waits to be complete".to_owned(),
        (completed, 0) => format!("{completed} erasures were completed since the server started"),
        (_, pending) => format!("{pending} erasures came in meanwhile and wait for the next epoch"),
    });
    lines.join("\n")
}
