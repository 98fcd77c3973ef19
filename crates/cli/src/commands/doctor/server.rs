//! The server of the profile: whether it answers, decides, and commits what it decides.

use std::time::Duration;

use countersign_client::{Client, ClientError};
use countersign_core::time::{Clock as _, Timestamp};
use countersign_service::SystemClock;
use countersign_wire::{CloseSession, DecisionAnswer, DecisionRequest, Head};
use countersign_wire::{TurnPartRequest, TurnRequest};
use serde_json::json;

use super::Probe;
use super::ledger::{Ledger, Proved, said};
use super::report::{Check, Section};
use crate::commands::turn::LOCAL_ACTOR;
use crate::connection::{Connection, ConnectionArgs};
use crate::error::CliError;
use crate::profile::Profile;
use crate::terminal::Terminal;

/// How far two clocks may be apart: as far as the log's time may be ahead before nothing is judged.
const CLOCK: Duration = Duration::from_secs(2);
/// How far apart they are where times of entries mean little.
const CLOCK_WRONG: Duration = Duration::from_secs(60);
/// A tool that nobody has.
const NO_TOOL: &str = "countersign-doctor";

/// The profile, if there is one.
pub(super) fn profile(connection: &ConnectionArgs) -> Result<Option<Profile>, CliError> {
    connection.profile()
}

/// Everything about the server, and whom to ask for its entries.
pub(super) fn examine(
    probe: &Probe,
    profile: Option<&Profile>,
    args: &ConnectionArgs,
    terminal: &Terminal,
) -> (Section, Option<Ledger>) {
    let connection = match args.open(terminal) {
        Ok(connection) => connection,
        Err(error) => {
            let mut section = Section::new("the server");
            section.add(Check::red(error.to_string()));
            return (section, None);
        }
    };
    let mut section = Section::new(format!("the server {}", connection.public().server()));
    let Some(head) = answers(connection.public(), &mut section) else {
        return (section, None);
    };
    let known = profile.map(|profile| profile.log_key.as_str());
    if known.is_some_and(|known| known != head.log_key) {
        section.add(
            Check::red("its log is signed with another key than the profile's: the key was rotated, or it is another log")
                .hint("`countersign key list` shows how the log's keys came about; `countersign verify --url` checks it against the root key"),
        );
        return (section, None);
    }
    let (ledger, is_auditor) = match connection.with_role(&["auditor"]) {
        Ok(client) => (client, true),
        Err(_) => (connection.public().clone(), false),
    };
    let ledger = match Ledger::of(ledger, known, is_auditor) {
        Ok(ledger) => ledger,
        Err(error) => {
            section.add(Check::red(error));
            return (section, None);
        }
    };
    if probe.is_sending {
        attempts(probe, &connection, &ledger, &mut section);
    }
    (section, is_auditor.then_some(ledger))
}

fn answers(client: &Client, section: &mut Section) -> Option<Head> {
    let health = match client.health() {
        Ok(health) => health,
        Err(error) => {
            section.add(unreachable(error));
            return None;
        }
    };
    let says = format!("answers, with {} entries in its log", health.size);
    let why = health.reasons.join("; ");
    section.add(match health.status.as_str() {
        "ok" => Check::green(says),
        "degraded" => Check::yellow(format!("{says}; but {why}")),
        _ => Check::red(format!("it commits nothing: {why}")),
    });
    match client.head() {
        Ok(head) => Some(head),
        Err(error) => {
            section.add(Check::red(said(error)));
            None
        }
    }
}

fn unreachable(error: ClientError) -> Check {
    let hint = error.hint();
    let check = Check::red(error.to_string());
    match hint {
        Some(hint) => check.hint(hint),
        None => check,
    }
}

/// A turn and a call in a session of its own, and a call that is none.
fn attempts(probe: &Probe, connection: &Connection, ledger: &Ledger, section: &mut Section) {
    let agent = connection.with_role(&["agent"]);
    let (Ok(agent), Ok(ingress)) = (agent, connection.with_role(&["ingress"])) else {
        section.add(Check::yellow(
            "the profile holds no tokens for the roles `agent` and `ingress`, so no call was tried",
        ));
        return;
    };
    let before = SystemClock.now();
    let decided = call(probe, &agent, &ingress);
    let after = SystemClock.now();
    match decided {
        Ok(answer) => {
            let proved = ledger.prove(&answer.entry, &answer.entry_id);
            section.add(committed(&answer, proved.as_ref()));
            if let Ok(proved) = &proved {
                section.add(clock(before, proved.timestamp, after));
            }
        }
        Err(error) => section.add(unreachable(error)),
    }
    section.add(no_call(probe, &agent));
}

fn call(probe: &Probe, agent: &Client, ingress: &Client) -> Result<DecisionAnswer, ClientError> {
    let part = TurnPartRequest {
        by: "principal".to_owned(),
        media_type: None,
        text: format!("A trial by countersign doctor: {}", probe.id),
        raw_sha256: None,
    };
    let turn = ingress.register_turn(&TurnRequest {
        principal: "user:countersign-doctor".to_owned(),
        author: None,
        channel: "doctor".to_owned(),
        session: probe.id.clone(),
        actors: vec![LOCAL_ACTOR.to_owned()],
        parts: vec![part],
        expires_in_s: Some(60),
        mandate: None,
    })?;
    let request = DecisionRequest {
        tool: NO_TOOL.to_owned(),
        args: json!({}),
        actor: LOCAL_ACTOR.to_owned(),
        intent_ref: Some(turn.intent_ref),
        session: Some(probe.id.clone()),
        external_call_id: Some(probe.id.clone()),
        ..DecisionRequest::default()
    };
    let answer = agent.decide(&request, None);
    let session = probe.id.clone();
    // An open session ends by itself, too.
    let _ = ingress.close_session(&CloseSession { session });
    answer
}

fn committed(answer: &DecisionAnswer, proved: Result<&Proved, &String>) -> Check {
    let outcome = answer.outcome.as_str();
    let check = match proved {
        Err(error) => Check::red(format!(
            "it answered `{outcome}`, and the ledger does not bear that out: {error}"
        )),
        Ok(proved) if proved.decision.outcome.name() != outcome => Check::red(format!(
            "it answered `{outcome}`, and its entry says `{}`",
            proved.decision.outcome.name()
        )),
        Ok(_) => Check::green(format!(
            "a call of a tool that nobody has came out `{outcome}`, with an entry whose proof holds"
        )),
    };
    check.entry(&answer.entry_id)
}

/// A text that is no call must be refused by every server and under every bundle.
fn no_call(probe: &Probe, agent: &Client) -> Check {
    let id = &probe.id;
    let body = format!(
        r#"{{"tool": "{NO_TOOL}", "actor": "{LOCAL_ACTOR}", "external_call_id": "{id}", "args": {{"same": 1, "same": 2}}}}"#
    );
    let error = match agent.decide_bytes(body.into_bytes(), None) {
        Ok(answer) => {
            let says = format!(
                "a call that names an argument twice must be refused, and came out `{}`",
                answer.outcome
            );
            return Check::red(says).entry(answer.entry_id);
        }
        Err(error) => error,
    };
    match error.problem().and_then(|problem| problem.entry_id.clone()) {
        Some(entry_id) => {
            Check::green("a call that names an argument twice is refused, and recorded")
                .entry(entry_id)
        }
        None => Check::red(format!(
            "a call that names an argument twice is refused, without an entry: {error}"
        )),
    }
}

/// How the server's clock stands to this machine's.
pub(super) fn clock(before: Timestamp, entry: Timestamp, after: Timestamp) -> Check {
    let (early, late) = (before.millis_since(entry), entry.millis_since(after));
    let apart = early.max(late).max(0);
    let which = match early > late {
        true => "behind",
        false => "ahead of",
    };
    let millis = |limit: Duration| i64::try_from(limit.as_millis()).unwrap_or(i64::MAX);
    if apart <= millis(CLOCK) {
        return Check::green("the log's time is this machine's");
    }
    let says = format!(
        "the log's time is {} s {which} this machine's",
        apart / 1_000
    );
    let check = match apart > millis(CLOCK_WRONG) {
        true => Check::red(says),
        false => Check::yellow(says),
    };
    check.hint("times of entries are the server's; set both clocks by NTP. A log whose time is ahead waits until real time has caught up")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::doctor::report::Light;

    #[test]
    fn a_clock_that_is_off_is_seen_either_way() {
        let at = Timestamp::from_millis;
        let light = |entry: i64| clock(at(10_000_000), at(entry), at(10_000_100)).light;
        for (entry, expected) in [
            (10_000_050, Light::Green),
            (9_998_000, Light::Green),
            (10_002_100, Light::Green),
            (9_997_999, Light::Yellow),
            (10_002_101, Light::Yellow),
            (9_939_999, Light::Red),
            (10_060_101, Light::Red),
        ] {
            assert_eq!(light(entry), expected, "{entry}");
        }
    }
}
