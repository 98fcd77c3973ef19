//! `countersign flags --follow`

use std::collections::BTreeMap;
use std::time::Duration;

use countersign_client::{Client, ClientError};
use countersign_wire::FlagView;

use crate::error::CliError;
use crate::exit::Exit;
use crate::render;
use crate::terminal::Terminal;

/// How often it is looked.
const LOOK: Duration = Duration::from_secs(1);

/// Prints every flag that is open, then each as it comes and changes, until somebody ends the
/// command. A server that does not answer for a while is asked again.
pub(super) fn run(client: &Client, terminal: &Terminal) -> Result<Exit, CliError> {
    let mut known: BTreeMap<String, Option<String>> = BTreeMap::new();
    let mut flags = client.flags()?.flags;
    for flag in flags.iter().filter(|flag| flag.state == "closed") {
        known.insert(flag.flag.clone(), flag.changed_at.clone());
    }
    terminal.note("waiting for flags; Ctrl-C ends this");
    let mut is_away = false;
    loop {
        for flag in flags.iter().rev() {
            let before = known.insert(flag.flag.clone(), flag.changed_at.clone());
            if before.as_ref() != Some(&flag.changed_at) {
                print(terminal, flag, before.is_none())?;
            }
        }
        std::thread::sleep(LOOK);
        match client.flags() {
            Ok(list) => {
                if std::mem::take(&mut is_away) {
                    terminal.note("the server answers again");
                }
                flags = list.flags;
            }
            Err(error) if is_away_for_now(&error) => {
                if !std::mem::replace(&mut is_away, true) {
                    terminal.warn(format!("{error}; asking again"));
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Whether the server, or what stands before it, may well answer later. Whoever follows flags is to
/// hear of the one that comes when the server had too much to do.
fn is_away_for_now(error: &ClientError) -> bool {
    let status = match error {
        ClientError::Unreachable { .. }
        | ClientError::Timeout { .. }
        | ClientError::Broken { .. } => return true,
        ClientError::Problem { problem, .. } => problem.status,
        ClientError::NotThisApi { status, .. } | ClientError::Status { status, .. } => *status,
        _ => return false,
    };
    status == 429 || status >= 500
}

fn print(terminal: &Terminal, flag: &FlagView, is_new: bool) -> Result<(), CliError> {
    if terminal.is_json() {
        return terminal.json(flag);
    }
    terminal.line(render::flags(terminal, std::slice::from_ref(flag)))?;
    if is_new {
        terminal.hint(format!("countersign flags show {}", flag.flag));
    }
    Ok(())
}
