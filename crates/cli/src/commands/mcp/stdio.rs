//! A server as a child process.

use std::ffi::OsString;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use countersign_mcp::relay::Relay;
use countersign_mcp::stdio::{self, ServerCommand};

use crate::error::CliError;
use crate::exit::Exit;
use crate::terminal::Terminal;

/// How long the relay may take to end after a signal.
const STOP: Duration = Duration::from_secs(20);
/// What variables of this command begin with; some hold tokens.
const OWN: &str = "COUNTERSIGN_";

pub(super) fn run(
    command: &[OsString],
    relay: &Relay,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    let Some((program, args)) = command.split_first() else {
        return Err(CliError::usage("there is no server to run"));
    };
    let own = std::env::vars_os().map(|(name, _)| name);
    let command = ServerCommand {
        program: program.clone(),
        args: args.to_vec(),
        without: own
            .filter(|name| name.as_encoded_bytes().starts_with(OWN.as_bytes()))
            .collect(),
    };
    let stop = signals()?;
    let ended = stdio::run(relay, &command, std::io::stdin(), std::io::stdout(), stop)
        .map_err(|error| CliError::usage(error.to_string()))?;
    if ended.lost > 0 {
        terminal.warn(format!(
            "{} executions are not in the ledger: the decisions stand there without them",
            ended.lost
        ));
    }
    let code = match ended.code {
        0 if ended.lost > 0 => Exit::Trouble.code(),
        code => code,
    };
    // The server's own code, and threads that still wait for input end with the process.
    std::process::exit(i32::from(code))
}

/// Tells when this process is asked to end.
fn signals() -> Result<Receiver<()>, CliError> {
    use tokio::signal::unix::{SignalKind, signal};
    let failed =
        |error: std::io::Error| CliError::usage(format!("signals cannot be heard: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .map_err(failed)?;
    let kinds = [
        SignalKind::terminate(),
        SignalKind::interrupt(),
        SignalKind::hangup(),
    ];
    let [mut terminate, mut interrupt, mut hangup] = {
        let _inside = runtime.enter();
        let [one, two, three] = kinds.map(signal);
        [
            one.map_err(failed)?,
            two.map_err(failed)?,
            three.map_err(failed)?,
        ]
    };
    let (told, stop) = channel();
    std::thread::spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
                _ = hangup.recv() => {}
            }
        });
        // Nobody waits for it any more if it fails.
        let _ = told.send(());
        std::thread::sleep(STOP);
        std::process::exit(i32::from(Exit::Trouble.code()));
    });
    Ok(stop)
}
