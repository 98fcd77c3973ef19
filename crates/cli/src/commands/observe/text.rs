//! The report on the terminal.

use std::fmt::Write as _;

use comfy_table::{Cell, CellAlignment};
use countersign_observe::{Argument, CallView, Outcomes, Report, counted, shortened, stands_in};

use super::SHOWN_HTML;
use crate::render::{outcome_tone, plain, trimmed, wrapped};
use crate::terminal::{Terminal, Tone};

/// How many rules, notes of files and tools the first screen names.
const TOP: usize = 5;
const TOOLS: usize = 10;
/// Most characters of a turn and of arguments, shorter than in HTML.
const TEXT_SHOWN: usize = 240;
/// Most lines of values that one call shows.
const VALUES_SHOWN: usize = 8;

/// Which calls are shown.
#[derive(Clone, Copy)]
pub(super) struct Shown {
    /// Most of them.
    pub(super) limit: usize,
    /// Whether the reader chose them; else those that would have passed are not shown.
    pub(super) is_filtered: bool,
}

/// The report, with these calls.
pub(super) fn report(terminal: Terminal, report: &Report, shows: Shown) -> String {
    let mut sections = vec![head(terminal, report)];
    if !report.tally.origins.is_empty() {
        sections.push(origins(terminal, report));
    }
    if !report.tally.rules.is_empty() {
        sections.push(rules(terminal, report));
    }
    sections.push(tools(terminal, report));
    sections.push(notes(terminal, report));
    let shown: Vec<&CallView> = report
        .calls
        .iter()
        .filter(|call| shows.is_filtered || call.outcome != "approved")
        .take(shows.limit)
        .collect();
    for call in &shown {
        sections.push(one(terminal, call));
    }
    let matching = match shows.is_filtered {
        true => report.calls_matching,
        false => report.tally.all.held(),
    };
    if shows.is_filtered && matching == 0 {
        sections.push("no call is one that --only and --tool choose".to_owned());
    }
    if matching > shown.len() {
        sections.push(format!(
            "{} of {matching} calls shown: --limit shows more, --only and --tool choose; without --limit, --html shows {SHOWN_HTML} and --json all",
            shown.len()
        ));
    }
    sections.join("\n\n")
}

fn head(terminal: Terminal, report: &Report) -> String {
    let all = report.tally.all;
    let mut out = format!(
        "{}, {}, {}, judged by {}",
        counted(report.sessions, "session"),
        counted(report.turns, "turn"),
        counted(all.calls, "call"),
        match report.bundle.is_guessed {
            true => "a guessed bundle".to_owned(),
            false => format!("the bundle {}", plain(&report.bundle.name)),
        }
    );
    for (tone, count, what) in [
        (Tone::Bad, all.rejected, "would have been stopped"),
        (
            Tone::Careful,
            all.escalated,
            "a person would have been asked",
        ),
        (Tone::Good, all.approved, "would have passed"),
    ] {
        let line = format!("{count:>7}  {:>4}  {what}", percent(count, all.calls));
        let _ = write!(out, "\n{}", terminal.paint(tone, &line));
    }
    for file in &report.files {
        if report.files.len() <= 3 || file.broken > 0 {
            let _ = write!(
                out,
                "\n  {}: {}, {}{}",
                plain(&file.path),
                file.format,
                counted(file.sessions, "session"),
                match file.broken {
                    0 => String::new(),
                    broken => format!(", {}", counted(broken, "broken line")),
                }
            );
        }
        for broken in file.broken_lines.iter().take(3) {
            let reason = plain(&shortened(&broken.reason, TEXT_SHOWN));
            let _ = write!(out, "\n    line {}: {reason}", broken.line);
        }
    }
    if !report.passed_over.is_empty() {
        let _ = write!(
            out,
            "\n  passed over, since it is no transcript: {}",
            counted(report.passed_over.len(), "file")
        );
    }
    out
}

fn percent(part: usize, whole: usize) -> String {
    match (part * 200 + whole).checked_div(whole * 2) {
        Some(percent) => format!("{percent}%"),
        None => "–".to_owned(),
    }
}

fn origins(terminal: Terminal, report: &Report) -> String {
    let mut out = terminal.paint(
        Tone::Strong,
        "what the recording says of who is behind the calls",
    );
    for (origin, outcomes) in &report.tally.origins {
        let _ = write!(out, "\n  {}: {}", plain(origin), counts(*outcomes));
    }
    out
}

fn counts(outcomes: Outcomes) -> String {
    format!(
        "{}, {} stopped, {} asked, {} passed",
        counted(outcomes.calls, "call"),
        outcomes.rejected,
        outcomes.escalated,
        outcomes.approved
    )
}

fn rules(terminal: Terminal, report: &Report) -> String {
    let mut out = terminal.paint(Tone::Strong, "the rules behind it");
    for rule in report.tally.rules.iter().take(TOP) {
        let place = match (&rule.file, rule.line) {
            (Some(file), Some(line)) => format!("  {}:{line}", plain(file)),
            _ => String::new(),
        };
        let _ = write!(
            out,
            "\n  {}{place}: {} stopped, {} asked\n{}",
            plain(&rule.id),
            rule.rejected,
            rule.escalated,
            wrapped(&rule.text, "    ")
        );
    }
    out
}

fn tools(terminal: Terminal, report: &Report) -> String {
    let mut table = terminal.table([
        "tool", "calls", "stopped", "asked", "passed", "effect", "action",
    ]);
    for tool in report.tally.tools.iter().take(TOOLS) {
        let number = |n: usize| Cell::new(n).set_alignment(CellAlignment::Right);
        let effect = tool.effect.unwrap_or("unknown tool");
        let guess = if tool.guess.is_some() { " (guess)" } else { "" };
        table.add_row([
            Cell::new(plain(&shortened(&tool.tool, 40))),
            number(tool.outcomes.calls),
            number(tool.outcomes.rejected),
            number(tool.outcomes.escalated),
            number(tool.outcomes.approved),
            Cell::new(format!("{effect}{guess}")),
            Cell::new(tool.action.as_deref().unwrap_or_default()),
        ]);
    }
    let more = report.tally.tools.len().saturating_sub(TOOLS);
    let mut out = trimmed(&table.to_string());
    if more > 0 {
        let more = counted(more, "more tool");
        let _ = write!(out, "\nand {more}: --html and --json have them all");
    }
    out
}

fn notes(terminal: Terminal, report: &Report) -> String {
    let mut out = terminal.paint(Tone::Strong, "to be known");
    let own = report.notes.iter();
    let files = report.files.iter().flat_map(|file| &file.notes);
    for note in own.chain(files.take(TOP)) {
        let _ = write!(out, "\n{}", wrapped(note, "  ").replacen("  ", "- ", 1));
    }
    out
}

fn one(terminal: Terminal, call: &CallView) -> String {
    let word = match call.outcome {
        "approved" => "passed",
        "escalated" => "asked",
        _ => "stopped",
    };
    let origin = match &call.origin {
        Some(origin) => format!("  (recorded as {})", plain(origin)),
        None => String::new(),
    };
    let mut out = format!(
        "{}  {}  in {}, call {}{origin}",
        terminal.paint(outcome_tone(call.outcome), word),
        terminal.paint(Tone::Strong, &plain(&call.tool)),
        plain(&shortened(&call.session, 80)),
        call.number
    );
    match &call.turn {
        Some(turn) => {
            let turn = shortened(turn, TEXT_SHOWN).replace('\n', " ");
            let _ = write!(out, "\n{}", wrapped(&turn, "  > "));
        }
        None => out.push_str("\n  no turn of a person stands before it"),
    }
    let args = shortened(&call.args, TEXT_SHOWN);
    let _ = write!(out, "\n{}", wrapped(&args, "  "));
    for reason in &call.reasons {
        let place = reason.at.as_deref().map(|at| format!(" ({})", plain(at)));
        let text = format!(
            "because of {}{}: {}",
            reason.id,
            place.unwrap_or_default(),
            reason.text
        );
        let _ = write!(out, "\n{}", wrapped(&text, "  "));
    }
    if let Some(advice) = &call.advice {
        let _ = write!(out, "\n{}", wrapped(advice, "  "));
    }
    // Those in the way first.
    let mut arguments: Vec<&Argument> = call.arguments.iter().collect();
    arguments.sort_by_key(|argument| (argument.needed.is_empty(), argument.sources.is_none()));
    for argument in arguments.iter().take(VALUES_SHOWN) {
        let _ = write!(out, "\n{}", value(argument));
    }
    if arguments.len() > VALUES_SHOWN {
        let _ = write!(
            out,
            "\n    and {} more values",
            arguments.len() - VALUES_SHOWN
        );
    }
    out
}

fn value(argument: &Argument) -> String {
    let value = shortened(&argument.value, 60).replace('\n', " ");
    let mut text = format!("{} = {value} ({})", argument.at, argument.what);
    let places = match argument.places.as_slice() {
        [] => "found nowhere".to_owned(),
        places => format!("found in {}", places.join("; in ")),
    };
    let _ = write!(text, ": {places}");
    if let Some(sources) = &argument.sources {
        let _ = write!(text, "; sources: {}", sources.join(", "));
    }
    if !argument.needed.is_empty() {
        let needed: Vec<&str> = argument.needed.iter().map(|name| stands_in(name)).collect();
        let _ = write!(
            text,
            "; it would have had to stand in {}",
            needed.join(", or in ")
        );
    }
    wrapped(&text, "    ")
}
