//! Entries as text.

use comfy_table::Cell;
use countersign_wire::EntryAnswer;
use serde_json::Value;

use super::text::{indented, outcome_tone, plain, short_ref};
use crate::terminal::{Terminal, Tone};

/// A table of entries.
pub(crate) fn entries(terminal: &Terminal, entries: &[EntryAnswer]) -> String {
    let mut table = terminal.table(["index", "time", "kind", "actor", "what", "entry"]);
    for answer in entries {
        let entry: Value = serde_json::from_str(answer.entry.get()).unwrap_or_default();
        let of = |member: &str| {
            plain(
                entry
                    .get(member)
                    .and_then(Value::as_str)
                    .unwrap_or_default(),
            )
        };
        table.add_row([
            Cell::new(answer.index),
            Cell::new(of("timestamp").replace('T', " ").trim_end_matches('Z')),
            Cell::new(of("kind")),
            Cell::new(of("actor")),
            what(terminal, &entry),
            Cell::new(of("entry_id")),
        ]);
    }
    super::text::trimmed(&table.to_string())
}

/// One entry, member by member, and its proof.
pub(crate) fn entry(terminal: &Terminal, answer: &EntryAnswer) -> String {
    let entry: Value = serde_json::from_str(answer.entry.get()).unwrap_or_default();
    let members = entry.as_object().cloned().unwrap_or_default();
    let width = members
        .keys()
        .map(|name| name.chars().count())
        .max()
        .unwrap_or(0);
    let mut lines = vec![format!("{:width$}  {}", "index", answer.index)];
    for (name, value) in &members {
        let shown = match value {
            Value::String(text) if name == "proof" => indented(text, "  | "),
            Value::String(text) => plain(text),
            other => plain(&other.to_string()),
        };
        let between = if shown.contains('\n') { "\n" } else { "  " };
        let name = terminal.paint(Tone::Quiet, &format!("{name:width$}"));
        lines.push(format!(
            "{}{between}{shown}",
            if between == "\n" {
                name.trim_end()
            } else {
                &name
            }
        ));
    }
    lines.join("\n")
}

/// What an entry says, in a few words.
fn what(terminal: &Terminal, entry: &Value) -> Cell {
    let of = |member: &str| {
        plain(
            entry
                .get(member)
                .and_then(Value::as_str)
                .unwrap_or_default(),
        )
    };
    let link = |member: &str| {
        let linked = entry.get("links").and_then(|links| links.get(member));
        plain(linked.and_then(Value::as_str).unwrap_or_default())
    };
    let list = |member: &str| {
        let items = entry
            .get(member)
            .and_then(Value::as_array)
            .map(Vec::as_slice)
            .unwrap_or_default();
        items
            .iter()
            .filter_map(Value::as_str)
            .map(plain)
            .collect::<Vec<_>>()
            .join(", ")
    };
    match of("kind").as_str() {
        "decision" => {
            let outcome = of("outcome");
            let text = format!("{outcome} {} ({})", of("action"), list("reasons"));
            if of("mode") == "shadow" {
                return terminal.cell(Tone::Quiet, &format!("in shadow: {text}"));
            }
            terminal.cell(outcome_tone(&outcome), &text)
        }
        "flag" => terminal.cell(Tone::Bad, &format!("{} {}", of("detector"), of("severity"))),
        "intent" => Cell::new(format!(
            "{} {}",
            of("channel"),
            short_ref(&of("intent_ref"))
        )),
        "revocation" => Cell::new(format!("{} {}", of("effect"), of("scope"))),
        "policy" => Cell::new(format!("{} {}", of("phase"), short_ref(&of("policy_ref")))),
        "credential" => Cell::new(format!("{} {}", of("change"), list("roles"))),
        "execution" => match of("permit").is_empty() {
            true => Cell::new(of("phase")),
            false => Cell::new(format!("{} on its permit", of("phase"))),
        },
        "permit-refused" => terminal.cell(Tone::Bad, &of("reason")),
        "review" => Cell::new(format!("{} of {}", of("answer"), link("review"))),
        "expired" => Cell::new(format!("nobody answered {}", link("resolves"))),
        "key" => Cell::new(format!("{} {}", of("change"), of("purpose"))),
        "delegation" => {
            let actions = match list("actions") {
                all if all.is_empty() => "all of its mandate".to_owned(),
                some => some,
            };
            Cell::new(format!("{} gives {} {actions}", of("from"), of("to")))
        }
        "genesis" => Cell::new(of("origin")),
        "flag-update" | "flag-close" => {
            let change = match of("change") {
                change if change.is_empty() => "closed".to_owned(),
                change => change,
            };
            Cell::new(format!("{change}: {}", link("flag")))
        }
        "erasure" => terminal.cell(Tone::Careful, &records(&of("phase"), entry)),
        "hold" => Cell::new(records(&of("change"), entry)),
        "vault-access" => {
            let phase = match of("phase") {
                phase if phase.is_empty() => "opened".to_owned(),
                phase => phase,
            };
            Cell::new(records(&phase, entry))
        }
        "session-open" | "session-close" => Cell::new(short_ref(&of("session"))),
        _ => Cell::new(""),
    }
}

/// What became of so many records.
fn records(what: &str, entry: &Value) -> String {
    let refs = entry.get("refs").and_then(Value::as_array);
    match refs.map_or(0, Vec::len) {
        1 => format!("{what}: 1 record"),
        many => format!("{what}: {many} records"),
    }
}
