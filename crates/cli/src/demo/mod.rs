//! `countersign demo`: the 2 a.m. story, on a real server.
//!
//! A support agent is asked by a person to answer one ticket: that mail is sent. At night a ticket
//! talks the agent into writing to a customer who has left: nothing is sent, and the ledger says
//! why. Everything goes the way that it would in earnest: a server over a fresh data directory, an
//! agent that has a credential of its own, a mail tool that checks permits and speaks SMTP, an
//! auditor who checks an export offline. Only the words of the agent are scripted, and "02:13": the
//! clock is real.
//!
//! The demo holds itself to what it tells: whatever goes otherwise ends it with an error.

mod agent;
mod audit;
mod mail;
mod place;
mod play;
mod smtp;
mod story;
mod summary;
mod teller;
mod timeline;
mod tools;
mod world;

use std::path::PathBuf;

use crate::error::CliError;
use crate::exit::Exit;
use crate::terminal::Terminal;
use teller::Teller;
use world::World;

/// Plays the story on a fresh data directory and leaves it behind.
#[derive(Debug, clap::Args)]
pub(crate) struct DemoArgs {
    /// The directory that the demo makes; by default `./countersign-demo`, or the next free name
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Tell the sinks of this file of the night, as `countersign serve` would (docs/notify.md)
    #[arg(long, value_name = "FILE")]
    notify: Option<PathBuf>,
}

/// Plays the demo.
pub(crate) fn run(args: &DemoArgs, terminal: &Terminal) -> Result<Exit, CliError> {
    let home = place::make_directory(args.dir.as_deref())?;
    let teller = Teller::new(terminal);
    let world = World::begin(home, args.notify.as_deref())?;
    let told = play::play(&world, &teller);
    // The directory can be looked at even if the story went wrong.
    let ended = world.end();
    let summary = told?;
    ended?;
    if terminal.is_json() {
        terminal.json(&summary)?;
    }
    Ok(Exit::Yes)
}
