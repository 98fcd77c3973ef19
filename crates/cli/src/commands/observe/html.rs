//! The report as one HTML page: no script, nothing from elsewhere. What stands in a transcript was
//! written by anybody, so every text goes through [`escaped`].

use std::fmt::Write as _;

use countersign_evidence::markup;
use countersign_observe::{Argument, CallView, Outcomes, Report, ToolCount, counted, stands_in};

use crate::render::plain;

/// The page's own style.
const STYLE: &str = include_str!("report.css");
/// How many rules and tools stand on the first screen.
const TOP: usize = 5;

/// The page.
pub(super) fn page(report: &Report, limit: usize) -> String {
    let mut out =
        String::from("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    let _ = write!(
        out,
        "<meta http-equiv=\"Content-Security-Policy\" content=\"{}\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>Countersign: what would have happened</title>\n<style>{}</style>\n</head>\n<body>\n<main>\n",
        markup::only_style(STYLE),
        STYLE
    );
    head(&mut out, report);
    calls(&mut out, report, limit);
    reading(&mut out, report);
    out.push_str("</main>\n</body>\n</html>\n");
    out
}

/// Text from a transcript, for the page: nothing in it is markup, and what could hide or reorder it
/// is made visible.
fn escaped(text: &str) -> String {
    markup::escaped(&plain(text))
}

fn head(out: &mut String, report: &Report) {
    let all = report.tally.all;
    let by = match report.bundle.is_guessed {
        true => {
            "a bundle that was <strong>guessed</strong> from the tools that were seen".to_owned()
        }
        false => format!(
            "the bundle <strong>{}</strong>",
            escaped(&report.bundle.name)
        ),
    };
    let _ = write!(
        out,
        "<header>\n<h1>What would have happened</h1>\n<p>{}, {}, {}, judged by {by}. Nothing was enforced, and nothing left the machine.</p>\n",
        counted(report.sessions, "session"),
        counted(report.turns, "turn"),
        counted(all.calls, "call")
    );
    out.push_str("<ul class=\"counts\">\n");
    for (class, count, what) in [
        ("rejected", all.rejected, "would have been stopped"),
        ("escalated", all.escalated, "a person would have been asked"),
        ("approved", all.approved, "would have passed"),
    ] {
        let _ = writeln!(
            out,
            "<li class=\"{class}\"><b>{count}</b> <span>{what}</span> <i>{}</i></li>",
            percent(count, all.calls)
        );
    }
    out.push_str("</ul>\n");
    bar(out, all);
    out.push_str("</header>\n");
    origins(out, report);
    rules(out, report);
    tools(out, report);
    out.push_str("<section>\n<h2>To be known</h2>\n<ul>\n");
    for note in &report.notes {
        let _ = writeln!(out, "<li>{}</li>", escaped(note));
    }
    out.push_str("</ul>\n</section>\n");
}

fn percent(part: usize, whole: usize) -> String {
    match (part * 200 + whole).checked_div(whole * 2) {
        Some(percent) => format!("{percent}%"),
        None => "–".to_owned(),
    }
}

/// The three counts as one bar, drawn with the page's own style.
fn bar(out: &mut String, all: Outcomes) {
    if all.calls == 0 {
        return;
    }
    let whole = all.calls;
    let _ = write!(
        out,
        "<svg class=\"bar\" viewBox=\"0 0 1000 12\" preserveAspectRatio=\"none\" aria-hidden=\"true\">"
    );
    let mut at = 0;
    for (class, part) in [
        ("rejected", all.rejected),
        ("escalated", all.escalated),
        ("approved", all.approved),
    ] {
        let width = part * 1000 / whole;
        let _ = write!(
            out,
            "<rect class=\"{class}\" x=\"{at}\" width=\"{width}\" height=\"12\"/>"
        );
        at += width;
    }
    out.push_str("</svg>\n");
}

fn origins(out: &mut String, report: &Report) {
    if report.tally.origins.is_empty() {
        return;
    }
    out.push_str("<section>\n<h2>Who is behind the calls, as the recording says</h2>\n<div class=\"wide\"><table>\n<tr><th>origin</th><th class=\"n\">calls</th><th class=\"n\">stopped</th><th class=\"n\">asked</th><th class=\"n\">passed</th></tr>\n");
    for (origin, outcomes) in &report.tally.origins {
        let _ = writeln!(
            out,
            "<tr><td>{}</td>{}</tr>",
            escaped(origin),
            cells(*outcomes)
        );
    }
    out.push_str("</table></div>\n</section>\n");
}

fn cells(outcomes: Outcomes) -> String {
    format!(
        "<td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td>",
        outcomes.calls, outcomes.rejected, outcomes.escalated, outcomes.approved
    )
}

fn rules(out: &mut String, report: &Report) {
    if report.tally.rules.is_empty() {
        return;
    }
    out.push_str("<section>\n<h2>The rules behind it</h2>\n<ul class=\"rules\">\n");
    for rule in report.tally.rules.iter().take(TOP) {
        let place = match (&rule.file, rule.line) {
            (Some(file), Some(line)) => format!(" <small>{}:{line}</small>", escaped(file)),
            _ => String::new(),
        };
        let _ = writeln!(
            out,
            "<li><code>{}</code>{place}<br>{}<br><small>{} stopped, {} asked</small></li>",
            escaped(&rule.id),
            escaped(&rule.text),
            rule.rejected,
            rule.escalated
        );
    }
    out.push_str("</ul>\n</section>\n");
}

fn tools(out: &mut String, report: &Report) {
    let rows = |out: &mut String, tools: &[ToolCount]| {
        out.push_str("<div class=\"wide\"><table>\n<tr><th>tool</th><th class=\"n\">calls</th><th class=\"n\">stopped</th><th class=\"n\">asked</th><th class=\"n\">passed</th></tr>\n");
        for tool in tools {
            let guess = match &tool.guess {
                Some(why) => format!(" <mark>guess</mark><br><small>{}</small>", escaped(why)),
                None => String::new(),
            };
            let _ = writeln!(
                out,
                "<tr><td><code>{}</code><br><small>{}, {}</small>{guess}</td>{}</tr>",
                escaped(&tool.tool),
                escaped(tool.action.as_deref().unwrap_or("no manifest")),
                tool.effect.unwrap_or("unknown"),
                cells(tool.outcomes)
            );
        }
        out.push_str("</table></div>\n");
    };
    let tools = &report.tally.tools;
    let (top, rest) = tools.split_at(TOP.min(tools.len()));
    out.push_str("<section>\n<h2>The tools</h2>\n");
    rows(out, top);
    if !rest.is_empty() {
        let _ = writeln!(out, "<details><summary>{} more</summary>", rest.len());
        rows(out, rest);
        out.push_str("</details>\n");
    }
    out.push_str("</section>\n");
}

fn calls(out: &mut String, report: &Report, limit: usize) {
    let shown = report.calls.iter().take(limit);
    let (passed, held): (Vec<&CallView>, Vec<&CallView>) =
        shown.partition(|call| call.outcome == "approved");
    let count = passed.len() + held.len();
    if !held.is_empty() {
        out.push_str("<section>\n<h2>Calls that would not simply have passed</h2>\n");
        held.iter().for_each(|call| one(out, call, true));
        out.push_str("</section>\n");
    }
    if !passed.is_empty() {
        let _ = write!(
            out,
            "<section>\n<h2>Calls that would have passed</h2>\n<details><summary>{} calls</summary>\n",
            passed.len()
        );
        passed.iter().for_each(|call| one(out, call, false));
        out.push_str("</details>\n</section>\n");
    }
    if report.calls_matching > count {
        let _ = writeln!(
            out,
            "<p>{count} of {} calls are shown, those that matter first; <code>--limit</code>, <code>--only</code> and <code>--tool</code> choose others.</p>",
            report.calls_matching
        );
    }
}

fn one(out: &mut String, call: &CallView, is_open: bool) {
    let word = match call.outcome {
        "approved" => "passed",
        "escalated" => "asked",
        _ => "stopped",
    };
    let _ = write!(
        out,
        "<article class=\"{}\">\n<h3><span class=\"word\">{word}</span> <code>{}</code></h3>\n<p class=\"where\">{}, call {}",
        match call.outcome {
            "approved" => "approved",
            "escalated" => "escalated",
            _ => "rejected",
        },
        escaped(&call.tool),
        escaped(&call.session),
        call.number
    );
    if let Some(origin) = &call.origin {
        let _ = write!(out, " · recorded as <strong>{}</strong>", escaped(origin));
    }
    if call.is_after_a_stop {
        out.push_str(" · after a call that would not have passed");
    }
    out.push_str("</p>\n");
    match &call.turn {
        Some(turn) => {
            let _ = writeln!(out, "<blockquote>{}</blockquote>", escaped(turn));
        }
        None => out.push_str("<p>No turn of a person stands before it.</p>\n"),
    }
    let _ = writeln!(out, "<pre>{}</pre>", escaped(&call.args));
    reasons(out, call);
    if !call.arguments.is_empty() {
        let open = if is_open { " open" } else { "" };
        let _ = write!(
            out,
            "<details{open}><summary>Where each value came from</summary>\n<ul class=\"values\">\n"
        );
        call.arguments
            .iter()
            .for_each(|argument| value(out, argument));
        out.push_str("</ul>\n</details>\n");
    }
    out.push_str("</article>\n");
}

fn reasons(out: &mut String, call: &CallView) {
    for reason in &call.reasons {
        let place = match &reason.at {
            Some(at) => format!(" <small>{}</small>", escaped(at)),
            None => String::new(),
        };
        let _ = writeln!(
            out,
            "<p class=\"reason\"><code>{}</code>{place}<br>{}</p>",
            escaped(&reason.id),
            escaped(&reason.text)
        );
    }
    if let Some(advice) = &call.advice {
        let _ = writeln!(out, "<p class=\"advice\">{}</p>", escaped(advice));
    }
}

fn value(out: &mut String, argument: &Argument) {
    let class = if argument.needed.is_empty() {
        ""
    } else {
        " class=\"blamed\""
    };
    let _ = write!(
        out,
        "<li{class}><code>{}</code> = <q>{}</q> <small>({})</small><br>",
        escaped(&argument.at),
        escaped(&argument.value),
        escaped(&argument.what)
    );
    match argument.places.as_slice() {
        [] => out.push_str("found nowhere"),
        places => {
            let places: Vec<String> = places.iter().map(|place| escaped(place)).collect();
            let _ = write!(out, "found in {}", places.join("; in "));
        }
    }
    if let Some(sources) = &argument.sources {
        let _ = write!(out, " <small>sources: {}</small>", sources.join(", "));
    }
    if !argument.needed.is_empty() {
        let needed: Vec<&str> = argument.needed.iter().map(|name| stands_in(name)).collect();
        let _ = write!(
            out,
            "<br><strong>It would have had to stand in {}.</strong>",
            escaped(&needed.join(", or in "))
        );
    }
    out.push_str("</li>\n");
}

fn reading(out: &mut String, report: &Report) {
    out.push_str("<section>\n<h2>What was read</h2>\n<ul>\n");
    for file in &report.files {
        let _ = write!(
            out,
            "<li><code>{}</code>: {}, {}",
            escaped(&file.path),
            escaped(&file.format),
            counted(file.sessions, "session")
        );
        if file.broken > 0 {
            let _ = write!(
                out,
                ", <strong>{}</strong>",
                counted(file.broken, "broken line")
            );
        }
        for broken in &file.broken_lines {
            let _ = write!(
                out,
                "<br><small>line {}: {}</small>",
                broken.line,
                escaped(&broken.reason)
            );
        }
        for note in &file.notes {
            let _ = write!(out, "<br><small>{}</small>", escaped(note));
        }
        out.push_str("</li>\n");
    }
    if !report.passed_over.is_empty() {
        let _ = writeln!(
            out,
            "<li>Passed over, since it is no transcript: {}</li>",
            counted(report.passed_over.len(), "file")
        );
    }
    out.push_str("</ul>\n</section>\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_style_stays_within_its_element() {
        assert!(!STYLE.contains('<'));
    }

    #[test]
    fn no_text_is_markup_and_none_is_hidden() {
        let hostile = "<script>alert(1)</script>\"'`&\u{202e}x\u{200b}\u{1b}";
        assert_eq!(
            escaped(hostile),
            "&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&#96;&amp;\\u{202e}x\\u{200b}\\u{1b}"
        );
    }
}
