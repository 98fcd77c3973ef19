//! `countersign decide`

use std::time::Duration;

use countersign_core::refs::Sha256;
use countersign_wire::{DecisionAnswer, LinksRequest, WireRequest};
use serde::{Deserialize, Serialize};
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
    /// What a gate will send: the method and the whole address at the tool, as in `POST https://mail.example/v1/send`
    #[arg(long, value_name = "METHOD URL")]
    http: Option<String>,
    /// With --http, the very bytes of the body: a text, @FILE, or - for stdin [default: none]
    #[arg(long, value_name = "BODY", requires = "http")]
    http_body: Option<String>,
    /// With the same key and request, the same entry and permit are answered again
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    /// Wait until the quorum of witnesses has cosigned the decision
    #[arg(long)]
    witnessed: bool,
    /// How long to wait for a person if the call is escalated, such as 30s; at most 60s
    #[arg(long, value_name = "TIME", value_parser = units::seconds)]
    wait: Option<u64>,
}

/// The built-in reason of a call that no rule permits.
const NO_PERMIT: &str = "countersign.no-permit";

/// What of a decision's entry is looked at here.
#[derive(Deserialize)]
struct Judged {
    intent_ref: Option<String>,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    wire: Option<WireRequest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    wait: Option<&'a str>,
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
        wire: wire(args)?,
        wait: args.witnessed.then_some("witnessed"),
    };
    let body = serde_json::to_vec(&request).map_err(|error| CliError::usage(error.to_string()))?;
    let client = connection.open(terminal)?.with_role(&["agent"])?;
    let mut answer = client
        .decide_bytes(body, args.idempotency_key.as_deref())
        .map_err(|error| not_witnessed(error.into(), args))?;
    if let Some(wait) = args.wait
        && answer.outcome == "escalated"
    {
        answer = client.decision(&answer.entry_id, Some(Duration::from_secs(wait)))?;
        // What came of the answer is a decision of its own, with its own permit.
        while let Some(resolution) = &answer.resolution
            && resolution.kind == "decision"
        {
            answer = client.decision(&resolution.entry_id, None)?;
        }
    }
    terminal.answer(&answer, || text(terminal, &args.tool, &answer))?;
    if !terminal.is_json() && answer.outcome != "approved" {
        match answer.outcome == "escalated" && answer.resolution.is_none() {
            true => tell_who_may_answer(&answer, terminal),
            false => terminal.hint(format!("countersign explain {}", answer.entry_id)),
        }
        if names_no_turn(&answer) {
            terminal.hint(
                "the call names no live turn (--intent) that its actor may act on for all that it does, and no rule permits calls without one",
            );
        }
    }
    Ok(exit(&answer))
}

/// The bytes that a gate will send.
fn wire(args: &DecideArgs) -> Result<Option<WireRequest>, CliError> {
    let Some(http) = &args.http else {
        return Ok(None);
    };
    let (method, destination) = http.split_once(' ').ok_or_else(|| {
        CliError::usage(
            "--http is a method and an address, as in \"POST https://mail.example/v1/send\"",
        )
    })?;
    let body = match &args.http_body {
        Some(body) => input::text(body)?,
        None => String::new(),
    };
    Ok(Some(WireRequest {
        profile: format!("http:{method}"),
        destination: destination.to_owned(),
        sha256: Sha256::of(body.as_bytes()).to_string(),
    }))
}

/// What was decided stands in the ledger, and only the permit was not given: says which entry it is.
fn not_witnessed(error: CliError, args: &DecideArgs) -> CliError {
    let problem = error.problem().filter(|it| it.code == "not-witnessed");
    let Some(id) = problem.and_then(|problem| problem.entry_id.clone()) else {
        return error;
    };
    let error = error.hint(format!(
        "it is entry {id} of the ledger, without a permit; `countersign entries proof {id}` proves it once it is cosigned"
    ));
    error.hint(match args.idempotency_key {
        Some(_) => "ask again with the same --idempotency-key for the same entry, and the permit",
        None => {
            "with --idempotency-key, asking again is answered with the same entry, and the permit"
        }
    })
}

/// Somebody has to answer, and the call is not lost meanwhile.
fn tell_who_may_answer(answer: &DecisionAnswer, terminal: &Terminal) {
    let id = &answer.entry_id;
    let who = match answer.requester_may_answer {
        Some(true) => "a person must say yes, and whoever asked may:",
        _ => "another person than the one who asked must say yes:",
    };
    terminal.hint(format!("{who} countersign reviews show {id}"));
    terminal.hint("with --wait 60s, the command waits for the answer");
}

/// Whether it was rejected for want of a rule, and no turn was found that it could follow from.
fn names_no_turn(answer: &DecisionAnswer) -> bool {
    let entry: Option<Judged> = serde_json::from_str(answer.entry.get()).ok();
    let is_unpermitted = answer.reasons.iter().any(|reason| reason.id == NO_PERMIT);
    answer.outcome == "rejected"
        && is_unpermitted
        && entry.is_some_and(|entry| entry.intent_ref.is_none())
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
