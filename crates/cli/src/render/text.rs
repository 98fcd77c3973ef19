//! Pieces of text.

use std::fmt::Write as _;

pub(crate) use countersign_core::plain;
use countersign_wire::{FindingView, ReasonView};

use crate::terminal::{Tone, width};

/// Text in lines of the terminal's width, each after the indent. Words that are longer stay whole.
pub(crate) fn wrapped(text: &str, indent: &str) -> String {
    let room = width().saturating_sub(indent.chars().count()).max(20);
    let mut lines = Vec::new();
    for paragraph in plain(text).lines() {
        let mut line = String::new();
        for word in paragraph.split(' ') {
            if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > room {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    lines
        .iter()
        .map(|line| format!("{indent}{line}").trim_end().to_owned())
        .collect::<Vec<_>>()
        .join("\n")
}

/// Text as it is, each line after the indent.
pub(crate) fn indented(text: &str, indent: &str) -> String {
    plain(text)
        .lines()
        .map(|line| format!("{indent}{line}").trim_end().to_owned())
        .collect::<Vec<_>>()
        .join("\n")
}

/// Text without space at the ends of its lines.
pub(crate) fn trimmed(text: &str) -> String {
    text.lines()
        .map(str::trim_end)
        .collect::<Vec<_>>()
        .join("\n")
}

/// A ref with its middle left out: `sha256:a3f9c2…e841`.
pub(crate) fn short_ref(reference: &str) -> String {
    let shortened = || {
        let (kind, digits) = reference.split_once(':')?;
        let (head, tail) = (
            digits.get(..6)?,
            digits.get(digits.len().checked_sub(4)?..)?,
        );
        (digits.len() > 12).then(|| format!("{kind}:{head}…{tail}"))
    };
    shortened().unwrap_or_else(|| plain(reference))
}

/// The tone of an outcome, or of a verifier's word.
pub(crate) fn outcome_tone(outcome: &str) -> Tone {
    match outcome {
        "approved" | "trusted" => Tone::Good,
        "escalated" | "unanchored" => Tone::Careful,
        _ => Tone::Bad,
    }
}

/// Reasons, one per paragraph.
pub(crate) fn reasons(reasons: &[ReasonView]) -> String {
    let text =
        |reason: &ReasonView| format!("  {}\n{}", plain(&reason.id), wrapped(&reason.text, "    "));
    reasons.iter().map(text).collect::<Vec<_>>().join("\n")
}

/// What the check of a bundle found, with the line that it speaks of.
pub(crate) fn finding(finding: &FindingView) -> String {
    let mut out = format!(
        "{}: {}\n  --> {}",
        finding.severity,
        plain(&finding.message),
        plain(&finding.file)
    );
    if finding.line > 0 {
        let _ = write!(out, ":{}:{}", finding.line, finding.column);
    }
    if let Some(snippet) = &finding.snippet {
        let number = finding.line.to_string();
        let margin = " ".repeat(number.len());
        let before = usize::try_from(finding.column.saturating_sub(1)).unwrap_or(0);
        // What `plain` makes wider stands before the mark, too.
        let lead: String = snippet.chars().take(before).collect();
        let lead = " ".repeat(plain(&lead).chars().count());
        let _ = write!(
            out,
            "\n{margin} |\n{number} | {}\n{margin} | {lead}^",
            plain(snippet)
        );
    }
    if let Some(hint) = &finding.hint {
        let _ = write!(out, "\nhint: {}", plain(hint));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_as_wide_as_they_may_be() {
        let text = "word ".repeat(60);
        for line in wrapped(&text, "    ").lines() {
            assert!(
                line.starts_with("    word") && line.chars().count() <= width(),
                "{line}"
            );
        }
        assert_eq!(wrapped("a\n\nb", "  "), "  a\n\n  b");
    }

    #[test]
    fn a_ref_keeps_its_ends() {
        let reference = format!("sha256:{}e841", "a".repeat(60));
        assert_eq!(short_ref(&reference), "sha256:aaaaaa…e841");
        assert_eq!(short_ref("ref:AgI"), "ref:AgI");
    }
}
