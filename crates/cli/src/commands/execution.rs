//! `countersign execution`

use countersign_wire::ExecutionRequest;
use serde_json::Value;

use crate::connection::ConnectionArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::input;
use crate::terminal::Terminal;

/// What the tool returned becomes something that later calls of the session may rest on.
#[derive(Debug, clap::Args)]
pub(crate) struct ExecutionArgs {
    /// The entry id of the decision
    decision: String,
    /// How far it came
    #[arg(long, value_parser = ["started", "finished", "unknown"], default_value = "finished")]
    phase: String,
    /// What the tool returned: JSON, @FILE, or - for stdin
    #[arg(long, value_name = "JSON", conflicts_with = "text")]
    result: Option<String>,
    /// What the tool returned, as a text, @FILE, or - for stdin
    #[arg(long, value_name = "TEXT")]
    text: Option<String>,
    /// The tool says that it failed
    #[arg(long = "error")]
    is_error: bool,
    /// How long it took, in milliseconds
    #[arg(long, value_name = "MS")]
    duration_ms: Option<u64>,
}

pub(crate) fn run(
    args: &ExecutionArgs,
    connection: &ConnectionArgs,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    let result = match (&args.result, &args.text) {
        (Some(json), _) => Some(value(json)?),
        (None, Some(text)) => Some(Value::String(input::text(text)?)),
        (None, None) => None,
    };
    let request = ExecutionRequest {
        decision: args.decision.clone(),
        phase: args.phase.clone(),
        result,
        is_error: (args.phase == "finished").then_some(args.is_error),
        duration_ms: args.duration_ms,
    };
    let client = connection.open(terminal)?.with_role(&["tool"])?;
    let answer = client.report_execution(&request)?;
    terminal.answer(&answer, || answer.entry_id.clone())?;
    Ok(Exit::Yes)
}

fn value(argument: &str) -> Result<Value, CliError> {
    let raw = input::json(argument)?;
    serde_json::from_str(raw.get())
        .map_err(|error| CliError::usage(format!("this is no json: {error}")))
}
