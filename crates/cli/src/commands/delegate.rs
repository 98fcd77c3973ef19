//! `countersign delegate`

use countersign_wire::DelegationRequest;

use crate::connection::ConnectionArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::render::plain;
use crate::terminal::Terminal;
use crate::units;

/// The receiver may then act on the turn, within what was given. Prints the entry's id.
#[derive(Debug, clap::Args)]
#[command(
    group(clap::ArgGroup::new("mandate").required(true).args(["intent", "session"])),
    after_help = "Example: countersign delegate --intent sha256:… --action email.send agent:local agent:local/mailer"
)]
pub(crate) struct DelegateArgs {
    /// Who gives: an actor that may act on the turn
    from: String,
    /// Who receives: an actor that the turn does not name
    to: String,
    /// The turn
    #[arg(long, value_name = "INTENT_REF")]
    intent: Option<String>,
    /// In place of --intent: the session whose newest turn the giver may act on
    #[arg(long, value_name = "SESSION")]
    session: Option<String>,
    /// The only actions that are given; can be given more than once [default: all of the giver's]
    #[arg(long = "action", value_name = "ACTION")]
    actions: Vec<String>,
    /// For how long, such as 90s, 30m or 12h; never longer than the giver has [default: as long]
    #[arg(long, value_name = "TIME", value_parser = units::seconds)]
    expires_in: Option<u64>,
}

pub(crate) fn run(
    args: &DelegateArgs,
    connection: &ConnectionArgs,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    let request = DelegationRequest {
        intent_ref: args.intent.clone(),
        session: args.session.clone(),
        from: args.from.clone(),
        to: args.to.clone(),
        actions: args.actions.clone(),
        expires_in_s: args.expires_in,
    };
    let client = connection.open(terminal)?.with_role(&["agent"])?;
    let given = client.delegate(&request)?;
    terminal.answer(&given, || plain(&given.entry_id))?;
    if !terminal.is_json() {
        let what = match given.actions.is_empty() {
            true => "all that the giver may do".to_owned(),
            false => plain(&given.actions.join(", ")),
        };
        let until = plain(&given.expires_at);
        terminal.note(format!("given until {until}: {what}"));
    }
    Ok(Exit::Yes)
}
