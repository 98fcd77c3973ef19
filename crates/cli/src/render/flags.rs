//! Flags as text.

use countersign_wire::FlagView;

use super::text::{plain, short_ref};
use crate::terminal::{Terminal, Tone};

/// The flags, one paragraph each.
pub(crate) fn flags(terminal: &Terminal, flags: &[FlagView]) -> String {
    let flags = flags.iter().map(|flag| one(terminal, flag));
    flags.collect::<Vec<_>>().join("\n\n")
}

fn one(terminal: &Terminal, flag: &FlagView) -> String {
    let tone = match flag.state.as_str() {
        "open" => Tone::Bad,
        "acknowledged" => Tone::Careful,
        _ => Tone::Quiet,
    };
    let mut lines = vec![
        format!(
            "{}  {} ({}){}",
            terminal.paint(tone, &plain(&flag.state)),
            plain(&flag.detector),
            plain(&flag.severity),
            concerns(flag),
        ),
        format!("  {}, beginning with {}", counted(flag), plain(&flag.onset)),
    ];
    if let Some(turn) = &flag.turn {
        lines.push(format!("  the turn then was {}", short_ref(&plain(turn))));
    }
    if let Some(after) = &flag.after {
        lines.push(format!("  just before, a result came in: {}", plain(after)));
    }
    lines.push(format!(
        "  raised {} as {}",
        plain(&flag.raised_at),
        plain(&flag.flag)
    ));
    if let Some(by) = &flag.acknowledged_by {
        lines.push(format!("  acknowledged by {}", plain(by)));
    }
    if flag.state == "closed" {
        let by = flag.closed_by.as_deref().map(plain);
        let by = by.map_or("it went quiet".to_owned(), |by| format!("by {by}"));
        let at = flag.changed_at.as_deref().map(plain).unwrap_or_default();
        lines.push(format!("  closed {at}, {by}"));
    }
    lines.join("\n")
}

fn concerns(flag: &FlagView) -> String {
    let named = [
        ("by", flag.actor.as_deref().map(plain)),
        (
            "under",
            flag.intent_ref.as_deref().map(|it| short_ref(&plain(it))),
        ),
        (
            "towards",
            flag.target.as_deref().map(|it| short_ref(&plain(it))),
        ),
        ("of reader", flag.reader.as_deref().map(plain)),
    ];
    let named = named.into_iter();
    named
        .filter_map(|(how, what)| Some(format!(" {how} {}", what?)))
        .collect()
}

/// How many entries, and what became of the calls among them.
fn counted(flag: &FlagView) -> String {
    let entries = if flag.count == 1 { "entry" } else { "entries" };
    let mut text = format!("{} {entries}", flag.count);
    if let (Some(stopped), Some(passed)) = (flag.stopped, flag.passed) {
        let held = match passed {
            0 => ": the policy held throughout",
            _ => "",
        };
        text.push_str(&format!(" ({stopped} stopped, {passed} passed{held})"));
    }
    text
}
