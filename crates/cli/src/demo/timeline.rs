//! The ledger as a table: who did what, when, and what was decided.

use std::collections::BTreeMap;

use comfy_table::Cell;
use countersign_client::{Client, EntriesQuery};
use countersign_wire::{EntryAnswer, FlagView};
use serde_json::Value;

use super::teller::Teller;
use super::world::failed;
use crate::error::CliError;
use crate::render;
use crate::terminal::Tone;

/// Most entries on a page.
const PAGE: usize = 500;
/// How many characters of an id are shown: the random ones at its end.
const SHORT_ID: usize = 6;

/// One line of the timeline.
struct Row {
    index: u64,
    time: String,
    actor: String,
    action: String,
    outcome: String,
    tone: Tone,
    reasons: String,
    entry_id: String,
}

/// Every entry, oldest first.
pub(super) fn read(auditor: &Client) -> Result<Vec<(u64, Value)>, CliError> {
    let mut entries = Vec::new();
    let mut query = EntriesQuery {
        order: Some("oldest".to_owned()),
        limit: Some(PAGE),
        ..EntriesQuery::default()
    };
    loop {
        let page = auditor.entries(&query)?;
        for EntryAnswer { index, entry } in &page.entries {
            entries.push((*index, serde_json::from_str(entry.get()).map_err(failed)?));
        }
        query.cursor = page.next;
        if query.cursor.is_none() {
            return Ok(entries);
        }
    }
}

/// Shows the turns, decisions, messages sent and flags; the rest is counted.
pub(super) fn show(entries: &[(u64, Value)], teller: &Teller<'_>) -> Result<(), CliError> {
    let sent = sent_messages(entries);
    let mut table = teller.terminal().table([
        "#", "time", "actor", "action", "outcome", "reasons", "entry",
    ]);
    let mut others: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, entry) in entries {
        match row(*index, entry, &sent) {
            Some(row) => {
                let outcome = teller.terminal().cell(row.tone, &row.outcome);
                let entry = short(&row.entry_id);
                table.add_row([
                    Cell::new(row.index),
                    Cell::new(row.time),
                    Cell::new(row.actor),
                    Cell::new(row.action),
                    outcome,
                    Cell::new(row.reasons),
                    Cell::new(entry),
                ]);
            }
            None => *others.entry(text(entry, "kind")).or_default() += 1,
        }
    }
    for line in table.to_string().lines() {
        teller.raw(line.trim_end())?;
    }
    let others: Vec<String> = others
        .iter()
        .map(|(kind, count)| format!("{count} {kind}"))
        .collect();
    teller.say(&format!("Not shown: {}.", others.join(", ")))
}

/// Shows a flag with the entry where it began.
pub(super) fn show_flag(
    flag: &FlagView,
    onset: Option<u64>,
    teller: &Teller<'_>,
) -> Result<(), CliError> {
    let what = format!("{} {}", teller.paint(Tone::Careful, "flag"), flag.detector);
    let actor = flag.actor.as_deref().unwrap_or("an actor");
    let place = onset.map_or_else(String::new, |index| format!(" (#{index} above)"));
    teller.raw(&format!(
        "  {what} ({}): at least {} rejections of {actor} under one turn.",
        flag.severity, flag.count
    ))?;
    teller.say(&format!(
        "It began with the first of them, entry {}{place}.",
        flag.onset
    ))
}

/// The decisions whose call is a message that was sent, by the entry of the execution.
fn sent_messages(entries: &[(u64, Value)]) -> BTreeMap<&str, &str> {
    let actions: BTreeMap<&str, &str> = entries
        .iter()
        .filter(|(_, entry)| text(entry, "kind") == "decision")
        .map(|(_, entry)| (text(entry, "entry_id"), text(entry, "action")))
        .collect();
    entries
        .iter()
        .filter(|(_, entry)| {
            text(entry, "kind") == "execution" && text(entry, "phase") == "finished"
        })
        .filter_map(|(_, entry)| {
            let decision = entry.pointer("/links/decision")?.as_str()?;
            let action = *actions.get(decision)?;
            (action == "email.send").then(|| (text(entry, "entry_id"), action))
        })
        .collect()
}

fn row(index: u64, entry: &Value, sent: &BTreeMap<&str, &str>) -> Option<Row> {
    let (actor, action, outcome, tone, reasons) = match text(entry, "kind") {
        "intent" => {
            let by = format!("by {}", text(entry, "channel"));
            (text(entry, "author"), "turn", "registered", Tone::Quiet, by)
        }
        "decision" => {
            let outcome = text(entry, "outcome");
            let tone = render::outcome_tone(outcome);
            (
                text(entry, "actor"),
                text(entry, "action"),
                outcome,
                tone,
                reasons(entry),
            )
        }
        "execution" => {
            let action = sent.get(text(entry, "entry_id"))?;
            ("tool", *action, "sent", Tone::Quiet, String::new())
        }
        "flag" => (
            "watch",
            "flag",
            text(entry, "severity"),
            Tone::Careful,
            text(entry, "detector").to_owned(),
        ),
        "vault-access" => (
            "vault-reader",
            "open",
            "opened",
            Tone::Quiet,
            "sealed documents".to_owned(),
        ),
        _ => return None,
    };
    Some(Row {
        index,
        time: text(entry, "timestamp").get(11..19)?.to_owned(),
        actor: actor.to_owned(),
        action: action.to_owned(),
        outcome: outcome.to_owned(),
        tone,
        reasons,
        entry_id: text(entry, "entry_id").to_owned(),
    })
}

/// The reasons, one a line.
fn reasons(entry: &Value) -> String {
    let reasons = entry.get("reasons").and_then(Value::as_array);
    let texts: Vec<&str> = reasons
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    texts.join("\n")
}

fn text<'a>(entry: &'a Value, member: &str) -> &'a str {
    entry
        .get(member)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// The end of an id: the beginning is the time, and much the same for all.
fn short(entry_id: &str) -> String {
    let cut = entry_id.len().saturating_sub(SHORT_ID);
    format!("\u{2026}{}", entry_id.get(cut..).unwrap_or(entry_id))
}
