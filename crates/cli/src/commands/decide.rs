//! `countersign decide`

use std::time::Duration;

use countersign_wire::{DecisionAnswer, LinksRequest};
use serde::Serialize;
use serde_json::value::RawValue;

use super::turn::LOCAL_ACTOR;
use crate::connection::ConnectionArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::render::{outcome_tone, reasons};
use crate::terminal::{Terminal, Tone};
use crate::{input, units};

/// Exit code 0 if the call is approved, 1 if it is rejected or escalated.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example: countersign decide email.send '{\"to\": [\"billing@customer.example\"], \"subject\": \"Refund\", \"body\": \"…\"}' --intent sha256:…")]
pub(crate) struct DecideArgs {
    /// The tool's name
    tool: String,
    /// The exact arguments: a JSON object, @FILE, or - for stdin
    #[arg(value_name = "JSON")]
    args: String,
    /// The turn that the call follows from, as `countersign turn` printed it
    #[arg(long, value_name = "INTENT_REF")]
    intent: Option<String>,
    /// Who makes the call
    #[arg(long, default_value = LOCAL_ACTOR)]
    actor: String,
    /// What the agent gives as its reasons: a text, @FILE, or - for stdin
    #[arg(long, value_name = "TEXT")]
    reasoning: Option<String>,
    /// The session; if given, the turn must be of this session
    #[arg(long)]
    session: Option<String>,
    /// The decision that this call follows up
    #[arg(long, value_name = "ENTRY_ID")]
    continues: Option<String>,
    /// The client's own id of the call
    #[arg(long, value_name = "ID")]
    external_call_id: Option<String>,
    /// With the same key and request, the same entry and permit are answered again
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    /// How long to wait for a person if the call is escalated, such as 30s; at most 60s
    #[arg(long, value_name = "TIME", value_parser = units::seconds)]
    wait: Option<u64>,
}

/// A request whose arguments go as they were written.
#[derive(Serialize)]
struct RawRequest<'a> {
    tool: &'a str,
    args: &'a RawValue,
    actor: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    intent_ref: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    links: Option<LinksRequest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_call_id: Option<&'a str>,
}

pub(crate) fn run(
    args: &DecideArgs,
    connection: &ConnectionArgs,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    let request = RawRequest {
        tool: &args.tool,
        args: &input::json(&args.args)?,
        actor: &args.actor,
        intent_ref: args.intent.as_deref(),
        reasoning: args.reasoning.as_deref().map(input::text).transpose()?,
        links: args.continues.clone().map(|continues| LinksRequest {
            continues: Some(continues),
        }),
        session: args.session.as_deref(),
        external_call_id: args.external_call_id.as_deref(),
    };
    let body = serde_json::to_vec(&request).map_err(|error| CliError::usage(error.to_string()))?;
    let client = connection.open(terminal)?.with_role(&["agent"])?;
    let mut answer = client.decide_bytes(body, args.idempotency_key.as_deref())?;
    if let Some(wait) = args.wait
        && answer.outcome == "escalated"
    {
        answer = client.decision(&answer.entry_id, Some(Duration::from_secs(wait)))?;
    }
    terminal.answer(&answer, || text(terminal, &args.tool, &answer))?;
    if !terminal.is_json() && answer.outcome != "approved" {
        terminal.hint(format!("countersign explain {}", answer.entry_id));
    }
    Ok(exit(&answer))
}

/// Only an approval is a yes. One that came of an escalation is a decision of its own, with its own permit.
fn exit(answer: &DecisionAnswer) -> Exit {
    match answer.outcome.as_str() {
        "approved" => Exit::Yes,
        _ => Exit::No,
    }
}

fn text(terminal: &Terminal, tool: &str, answer: &DecisionAnswer) -> String {
    let outcome = terminal.paint(outcome_tone(&answer.outcome), &answer.outcome);
    let mut out = format!(
        "{outcome}  {tool}  {}\n{}",
        answer.entry_id,
        reasons(&answer.reasons)
    );
    if let Some(resolution) = &answer.resolution {
        let what = resolution.outcome.as_deref().unwrap_or(&resolution.kind);
        out.push_str(&format!("\n  closed by {}: {what}", resolution.entry_id));
    }
    if let Some(permit) = &answer.permit {
        out.push_str(&format!(
            "\n{} {permit}",
            terminal.paint(Tone::Quiet, "permit")
        ));
    }
    out
}
