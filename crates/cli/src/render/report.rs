//! The verifier's report as text.

use std::fmt::Write as _;

use countersign_verify::{Anchor, Depth, Finding, NotRejudged, Report};

use super::text::{outcome_tone, plain, wrapped};
use crate::terminal::{Terminal, Tone};

/// Most findings that are shown; `--json` has all that were kept.
const FINDINGS_SHOWN: usize = 20;

/// A report as text of at most the terminal's width.
pub(crate) fn report(terminal: &Terminal, report: &Report) -> String {
    let mut out = terminal.paint(outcome_tone(report.word.name()), report.word.name());
    match &report.origin {
        Some(origin) => {
            let _ = write!(out, "  {} entries of {}", report.size, plain(origin));
        }
        None => out.push_str("  there is no checkpoint that can be read"),
    }
    for range in &report.ranges {
        let word = terminal.paint(
            outcome_tone(range.word.name()),
            &format!("{:10}", range.word.name()),
        );
        let _ = write!(out, "\n  {word}  {}", span(range.first, range.last));
    }
    for anchor in &report.anchors {
        let _ = write!(out, "\n  anchored by {}", anchored(anchor));
    }
    if !report.findings.is_empty() {
        let _ = write!(out, "\n\n{}", findings(terminal, report));
    }
    if let Some(contradiction) = &report.contradiction {
        let _ = write!(
            out,
            "\n\n{}\n{}",
            terminal.paint(
                Tone::Bad,
                "two heads that the log's key signed contradict each other"
            ),
            [&contradiction.ours, &contradiction.theirs]
                .map(|note| super::text::indented(note, "  | "))
                .join("\n\n"),
        );
    }
    let _ = write!(
        out,
        "\n\n{}\n{}",
        terminal.paint(Tone::Strong, "looked at"),
        looked_at(report)
    );
    let _ = write!(
        out,
        "\n\n{}",
        terminal.paint(Tone::Strong, "this does not show")
    );
    for item in &report.not_shown {
        let count = item
            .count
            .map(|count| format!(" ({count})"))
            .unwrap_or_default();
        let text = wrapped(&format!("{}{count}", item.text), "    ");
        let _ = write!(out, "\n  - {}", text.trim_start());
    }
    out
}

fn span(first: u64, last: u64) -> String {
    if first == last {
        format!("{first}")
    } else {
        format!("{first}–{last}")
    }
}

fn anchored(anchor: &Anchor) -> String {
    match anchor {
        Anchor::HeldCheckpoint { size } => format!("a checkpoint of {size} entries that you hold"),
        Anchor::Witnesses { names } => format!("cosignatures of {}", plain(&names.join(", "))),
    }
}

fn findings(terminal: &Terminal, report: &Report) -> String {
    let mut out = terminal.paint(Tone::Bad, "what does not hold");
    for finding in report.findings.iter().take(FINDINGS_SHOWN) {
        let _ = write!(out, "\n{}", one_finding(finding));
    }
    let shown = u64::try_from(report.findings.len().min(FINDINGS_SHOWN)).unwrap_or(u64::MAX);
    if report.findings_total > shown {
        let _ = write!(out, "\n  and {} more", report.findings_total - shown);
    }
    out
}

fn one_finding(finding: &Finding) -> String {
    let place = match (finding.index, &finding.entry_id) {
        (Some(index), Some(id)) => format!("entry {index} ({id})"),
        (Some(index), None) => format!("entry {index}"),
        (None, _) => "the log".to_owned(),
    };
    let check = finding.check;
    let mut out = format!("  {place}: {check}\n{}", wrapped(check.describe(), "    "));
    let _ = write!(
        out,
        "\n{}",
        wrapped(&format!("found: {}", finding.found), "    ")
    );
    let _ = write!(
        out,
        "\n{}",
        wrapped(&format!("expected: {}", finding.expected), "    ")
    );
    out
}

fn looked_at(report: &Report) -> String {
    if report.depth == Depth::Tree {
        return "  only the tree: the signatures, every tile, every entry's bytes, the root"
            .to_owned();
    }
    let counts = &report.counts;
    let list = |map: &std::collections::BTreeMap<String, u64>| {
        map.iter()
            .map(|(name, count)| format!("{count} {}", plain(name)))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let mut lines = vec![wrapped(
        &format!("entries: {}", list(&counts.entries)),
        "  ",
    )];
    if !counts.decisions.is_empty() {
        lines.push(wrapped(
            &format!("decisions: {}", list(&counts.decisions)),
            "  ",
        ));
    }
    lines.push(format!(
        "  documents: {} of {} that entries name",
        counts.documents_checked, counts.documents_named
    ));
    if counts.open_escalations > 0 {
        lines.push(format!("  open escalations: {}", counts.open_escalations));
    }
    if let Some(rejudged) = &report.rejudged {
        let mut line = format!("judged again with the same outcome: {}", rejudged.agreed);
        for (why, count) in &rejudged.not_rejudged {
            let _ = write!(line, "; not judged again, {}: {count}", why_not(*why));
        }
        lines.push(wrapped(&line, "  "));
    }
    lines.join("\n")
}

fn why_not(why: NotRejudged) -> &'static str {
    match why {
        NotRejudged::Sealed => "because an input is sealed or was not given",
        NotRejudged::Erased => "because an input was erased",
        NotRejudged::NoFacts => "because the call was too malformed to have facts",
        NotRejudged::OutsideTheJudge => "because a stop or a foreign actor decided",
        NotRejudged::OtherExtractor => "because the facts are of another extractor",
    }
}
