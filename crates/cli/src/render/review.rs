//! What a reviewer sees: who asked for what, the call, why a person is asked, and what is new about
//! it.

use std::fmt::Write as _;

use countersign_core::is_hidden;
use countersign_core::json::pointer;
use countersign_wire::{Shown, ShownBefore, ShownRule, ShownTarget};
use serde_json::Value;

use super::explanation::{grounds, sources, turn_within};
use super::text::{indented, plain, short_ref, wrapped};
use super::trace::shortened;
use crate::terminal::{Terminal, Tone};

/// Most characters of one part of a turn that are shown; `--json` has the whole.
const WORDS: usize = 8_000;
/// Most striking things that are told first.
const STRIKING: usize = 12;

/// What is shown, as text of at most the terminal's width. The arguments are whole.
pub(crate) fn review(terminal: &Terminal, shown: &Shown, call: &Value, turns: &[Value]) -> String {
    let mut sections = vec![head(terminal, shown)];
    let mut section = |name: &str, text: String| {
        sections.push(format!("{}\n{text}", terminal.paint(Tone::Strong, name)));
    };
    let striking = striking(shown, call);
    if !striking.is_empty() {
        let each = striking.iter().map(|it| wrapped(it, "  "));
        let text = each.collect::<Vec<_>>().join("\n");
        section("look at", terminal.paint(Tone::Careful, &text));
    }
    section("what was asked for", asked_for(shown, turns));
    section("the call", the_call(shown, call));
    section("why a person is asked", rules(shown));
    section("what it acts on", targets(terminal, shown));
    if !shown.values.is_empty() || shown.more_values > 0 {
        section("the other values", values(shown));
    }
    section("beside earlier calls", before(shown.before.as_ref()));
    if let Some(reasoning) = &shown.reasoning {
        section(
            "what the agent says (evidence, never authority)",
            wrapped(reasoning, "  "),
        );
    }
    section("what an answer signs", signs(shown));
    sections.join("\n\n")
}

fn head(terminal: &Terminal, shown: &Shown) -> String {
    let mut out = format!(
        "{}  {} by {} ({})\n  {}, asked at {}\n  to be answered until {}",
        terminal.paint(Tone::Careful, "waiting"),
        plain(&shown.action),
        plain(&shown.actor),
        plain(&shown.surface),
        plain(&shown.decision),
        plain(&shown.timestamp),
        plain(&shown.deadline),
    );
    if !shown.actions.is_empty() {
        let _ = write!(
            out,
            "\n  all that it does: {}",
            plain(&shown.actions.join(", "))
        );
    }
    if !shown.cut.is_empty() {
        let places = plain(&shown.cut.join(", "));
        let text = format!("not all of it is shown here; cut at {places}");
        let _ = write!(out, "\n{}", wrapped(&text, "  "));
    }
    out
}

/// What somebody who has little time should look at first.
fn striking(shown: &Shown, call: &Value) -> Vec<String> {
    let mut out = Vec::new();
    for target in &shown.targets {
        let ungrounded = vouched_for(&target.sources).err();
        let what = match (target.approved_before, ungrounded) {
            (true, None) => continue,
            (false, None) => "was never approved before".to_owned(),
            (true, Some(why)) => why.to_owned(),
            (false, Some(why)) => format!("was never approved before, and {why}"),
        };
        out.push(format!("{} at {} {what}", target.value, target.at));
    }
    for value in &shown.values {
        if let Err(why) = vouched_for(&value.sources) {
            out.push(format!("{} at {} {why}", shortened(&value.value), value.at));
        }
    }
    for at in hiding(call.get("args").unwrap_or(&Value::Null)) {
        out.push(format!("{at} holds characters that hide or reorder text"));
    }
    for it in &shown.carries {
        out.push(format!(
            "{} holds what is {}: it would leave",
            it.at, it.label
        ));
    }
    if out.len() > STRIKING {
        let more = out.len().saturating_sub(STRIKING);
        out.truncate(STRIKING);
        out.push(format!("and {more} more below"));
    }
    out
}

/// The places of arguments that hold characters which steer, hide or reorder text.
fn hiding(args: &Value) -> Vec<String> {
    fn walk(value: &Value, at: String, out: &mut Vec<String>) {
        let hides = |text: &str| {
            let mut characters = text.chars();
            characters.any(|it| !matches!(it, '\n' | '\t' | '\r') && is_hidden(it))
        };
        match value {
            Value::String(text) if hides(text) => out.push(at),
            Value::Array(items) => {
                for (n, item) in items.iter().enumerate() {
                    walk(item, format!("{at}/{n}"), out);
                }
            }
            Value::Object(members) => {
                for (name, item) in members {
                    let at = pointer::member(&at, name);
                    if hides(name) {
                        out.push(at.clone());
                    }
                    walk(item, at, out);
                }
            }
            _ => {}
        }
    }
    let mut out = Vec::new();
    walk(args, String::new(), &mut out);
    out
}

/// Whether somebody's words or a record vouch for a value.
fn vouched_for(sources: &[String]) -> Result<(), &'static str> {
    let has = |name: &str| sources.iter().any(|source| source == name);
    match sources.iter().any(|it| it != "none" && it != "any_output") {
        true => Ok(()),
        false if has("any_output") => Err("stands in a result, and nobody vouches for it"),
        false => Err("comes from nowhere that is known"),
    }
}

fn asked_for(shown: &Shown, turns: &[Value]) -> String {
    let Some((named, earlier)) = turns.split_first() else {
        return "  nobody: the call names no turn that counts".to_owned();
    };
    let mut out = turn_within(named, WORDS);
    for turn in earlier {
        let _ = write!(out, "\n  before that:\n{}", turn_within(turn, WORDS));
    }
    if shown.more_turns > 0 {
        let _ = write!(
            out,
            "\n  {} earlier turns of the session ground nothing here, and are not shown",
            shown.more_turns
        );
    }
    out
}

fn the_call(shown: &Shown, call: &Value) -> String {
    let args = call.get("args").cloned().unwrap_or_default();
    let args = serde_json::to_string_pretty(&args).unwrap_or_default();
    let mut out = format!("  tool {}\n{}", plain(&shown.tool), indented(&args, "    "));
    let text = |member: &str, name: &str| Some(call.get(member)?.get(name)?.as_str()?.to_owned());
    if let Some(destination) = text("wire", "destination") {
        let _ = write!(out, "\n  it goes to {}", plain(&destination));
    }
    if let Some(cwd) = text("workspace", "cwd") {
        let _ = write!(out, "\n  in {}", plain(&cwd));
    }
    out
}

fn rules(shown: &Shown) -> String {
    let each: Vec<String> = shown.rules.iter().map(rule).collect();
    let who = match shown.requester_may_answer {
        true => "whoever asked may answer, too",
        false => "whoever asked may not answer: another person does",
    };
    format!(
        "{}\n  {who}; bundle {}",
        each.join("\n"),
        plain(&shown.bundle_name)
    )
}

fn rule(rule: &ShownRule) -> String {
    format!(
        "  {}\n{}\n{}",
        plain(&rule.id),
        wrapped(&rule.text, "    "),
        indented(&rule.source, "    | ")
    )
}

fn targets(terminal: &Terminal, shown: &Shown) -> String {
    if shown.targets.is_empty() {
        return "  nothing that is declared as a target".to_owned();
    }
    let is_mandated = shown.intent_ref.is_some();
    let each = shown.targets.iter();
    let each: Vec<String> = each.map(|it| target(terminal, it, is_mandated)).collect();
    each.join("\n")
}

fn target(terminal: &Terminal, target: &ShownTarget, is_mandated: bool) -> String {
    let before = match target.approved_before {
        true => "approved before".to_owned(),
        false => terminal.paint(Tone::Careful, "new: never approved before"),
    };
    let mut out = format!(
        "  {} at {}  ({before})",
        plain(&target.value),
        plain(&target.at)
    );
    sources(&mut out, &target.sources, &target.evidence);
    grounds(
        &mut out,
        is_mandated,
        &target.evidence,
        target.directory.as_ref(),
    );
    out
}

fn values(shown: &Shown) -> String {
    let mut each: Vec<String> = shown
        .values
        .iter()
        .map(|value| {
            let (text, role) = (shortened(&value.value), plain(&value.role));
            let mut out = format!("  {text} at {} ({role})", plain(&value.at));
            sources(&mut out, &value.sources, &value.evidence);
            out
        })
        .collect();
    if shown.more_values > 0 {
        each.push(format!("  and {} more", shown.more_values));
    }
    each.join("\n")
}

fn before(before: Option<&ShownBefore>) -> String {
    let Some(before) = before else {
        return "  no call of this tool was approved for this agent before".to_owned();
    };
    let whose = match before.same_session {
        true => "of this session",
        false => "of another session, whose values are not shown",
    };
    let mut out = format!(
        "  {}, approved at {}, {whose}",
        plain(&before.decision),
        plain(&before.timestamp)
    );
    if before.differs.is_empty() {
        out.push_str("\n  the same arguments");
    }
    for it in &before.differs {
        let value = |value: &Option<String>, none: &str| {
            value.as_deref().map_or_else(|| none.to_owned(), shortened)
        };
        let (then, now) = match (before.same_session, &it.then) {
            (true, then) => (value(then, "nothing"), value(&it.now, "nothing")),
            (false, _) => ("another value".to_owned(), value(&it.now, "nothing")),
        };
        let _ = write!(
            out,
            "\n  {}\n    then {then}\n    now  {now}",
            plain(&it.at)
        );
    }
    out
}

fn signs(shown: &Shown) -> String {
    let intent = shown.intent_ref.as_deref();
    let intent = intent.map_or_else(|| "no turn".to_owned(), short_ref);
    format!(
        "  what stands above, call {}, turn {intent}, rules {}: each was compared with its ref",
        short_ref(&shown.call_ref),
        short_ref(&shown.policy_ref)
    )
}
