//! `countersign stop`

use countersign_wire::StopRequest;

use crate::connection::ConnectionArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::terminal::Terminal;

/// From its entry on, nothing is approved for whoever is stopped.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("whom").required(true).args(["actor", "everything"])))]
pub(crate) struct StopArgs {
    /// The actor to stop
    actor: Option<String>,
    /// Stop every actor
    #[arg(long)]
    everything: bool,
    /// Lift the stop
    #[arg(long)]
    resume: bool,
}

pub(crate) fn run(
    args: &StopArgs,
    connection: &ConnectionArgs,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    let effect = if args.resume { "resume" } else { "stop" };
    let request = StopRequest {
        scope: if args.everything {
            "everything"
        } else {
            "actor"
        }
        .to_owned(),
        actor: args.actor.clone(),
        effect: Some(effect.to_owned()),
    };
    let client = connection
        .open(terminal)?
        .with_role(&["admin", "reviewer"])?;
    let answer = client.stop(&request)?;
    terminal.answer(&answer, || {
        let whom = args.actor.as_deref().unwrap_or("everything");
        let what = if args.resume {
            "may go on"
        } else {
            "is stopped"
        };
        format!(
            "{whom} {what} from entry {} on",
            super::entry_id(&answer.entry)
        )
    })?;
    Ok(Exit::Yes)
}
