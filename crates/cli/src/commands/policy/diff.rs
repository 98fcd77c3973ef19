//! `countersign policy diff`

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::document::BundleContent;
use countersign_core::json::CanonicalJson;
use serde::Serialize;

use super::named;
use crate::connection::ConnectionArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::render::plain;
use crate::terminal::{Terminal, Tone};

/// Most lines of one file that are compared line by line; longer ones are shown whole.
const LINES: usize = 3_000;

/// A part of a bundle that is not the same in both.
#[derive(Serialize)]
struct Difference {
    /// `added`, `removed` or `changed`.
    change: &'static str,
    /// A file of policies, the schema, a tool, or another member.
    part: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    a: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    b: Option<String>,
}

pub(super) fn run(
    a: &str,
    b: &str,
    connection: &ConnectionArgs,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    let mut open = || connection.open(terminal);
    let (a, b) = (parts(&named(a, &mut open)?)?, parts(&named(b, &mut open)?)?);
    let names: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    let differences: Vec<Difference> = names
        .into_iter()
        .filter_map(|name| {
            let (a, b) = (a.get(name), b.get(name));
            let change = match (a, b) {
                (Some(a), Some(b)) if a == b => return None,
                (Some(_), Some(_)) => "changed",
                (Some(_), None) => "removed",
                (None, _) => "added",
            };
            Some(Difference {
                change,
                part: name.clone(),
                a: a.cloned(),
                b: b.cloned(),
            })
        })
        .collect();
    if differences.is_empty() && !terminal.is_json() {
        terminal.note("the bundles are the same");
        return Ok(Exit::Yes);
    }
    terminal.answer(&serde_json::json!({ "differences": differences }), || {
        differences
            .iter()
            .map(|difference| text(terminal, difference))
            .collect::<Vec<_>>()
            .join("\n\n")
    })?;
    Ok(if differences.is_empty() {
        Exit::Yes
    } else {
        Exit::No
    })
}

/// A bundle as named texts.
fn parts(content: &BundleContent) -> Result<BTreeMap<String, String>, CliError> {
    let mut parts = BTreeMap::new();
    parts.insert("name".to_owned(), content.name.clone());
    parts.insert("description".to_owned(), content.description.clone());
    parts.insert("settings".to_owned(), sorted(&content.settings)?);
    for file in &content.policies {
        parts.insert(file.name.clone(), file.text.clone());
    }
    if !content.schema.is_empty() {
        parts.insert("schema.cedarschema".to_owned(), content.schema.clone());
    }
    for tool in &content.tools {
        parts.insert(format!("tool {}", tool.tool), sorted(tool)?);
    }
    Ok(parts)
}

/// JSON with the members in one order, whatever order they were written in.
fn sorted(part: &impl Serialize) -> Result<String, CliError> {
    let failed = |error: serde_json::Error| CliError::usage(error.to_string());
    let value = serde_json::to_value(part).map_err(failed)?;
    let canonical =
        CanonicalJson::of(&value).map_err(|error| CliError::usage(error.to_string()))?;
    let value: serde_json::Value = serde_json::from_slice(canonical.as_bytes()).map_err(failed)?;
    serde_json::to_string_pretty(&value).map_err(failed)
}

fn text(terminal: &Terminal, difference: &Difference) -> String {
    let tone = match difference.change {
        "added" => Tone::Good,
        "removed" => Tone::Bad,
        _ => Tone::Careful,
    };
    let head = format!(
        "{} {}",
        terminal.paint(tone, difference.change),
        plain(&difference.part)
    );
    let (a, b) = (
        difference.a.as_deref().unwrap_or_default(),
        difference.b.as_deref().unwrap_or_default(),
    );
    let mut lines = vec![head];
    for (mark, line) in compared(a, b) {
        let line = format!("  {mark} {}", plain(line));
        lines.push(match mark {
            '+' => terminal.paint(Tone::Good, &line),
            '-' => terminal.paint(Tone::Bad, &line),
            _ => line,
        });
    }
    lines.join("\n")
}

/// Lines with `-` if only `a` has them, `+` if only `b` has them, and a space if both do, by the
/// longest common subsequence.
fn compared<'t>(a: &'t str, b: &'t str) -> Vec<(char, &'t str)> {
    let (a, b): (Vec<&str>, Vec<&str>) = (a.lines().collect(), b.lines().collect());
    if a.len() > LINES || b.len() > LINES {
        return a
            .iter()
            .map(|line| ('-', *line))
            .chain(b.iter().map(|line| ('+', *line)))
            .collect();
    }
    let lengths = common_lengths(&a, &b);
    let length = |i: usize, j: usize| {
        lengths
            .get(i)
            .and_then(|row| row.get(j))
            .copied()
            .unwrap_or(0)
    };
    let (mut i, mut j, mut out) = (0, 0, Vec::new());
    loop {
        match (a.get(i), b.get(j)) {
            (Some(left), Some(right)) if left == right => {
                out.push((' ', *left));
                i += 1;
                j += 1;
            }
            (Some(left), right) if right.is_none() || length(i + 1, j) >= length(i, j + 1) => {
                out.push(('-', *left));
                i += 1;
            }
            (_, Some(right)) => {
                out.push(('+', *right));
                j += 1;
            }
            (_, None) => return out,
        }
    }
}

/// The length of the longest common subsequence of `a[i..]` and `b[j..]`, for every `i` and `j`.
fn common_lengths(a: &[&str], b: &[&str]) -> Vec<Vec<u16>> {
    let mut rows = vec![vec![0_u16; b.len() + 1]];
    for left in a.iter().rev() {
        let mut row = vec![0_u16; 1];
        let below = rows.last().map(Vec::as_slice).unwrap_or_default();
        // Both rows are filled from the end of `b`.
        for (offset, right) in b.iter().rev().enumerate() {
            let diagonal = below.get(offset).copied().unwrap_or(0);
            let under = below.get(offset + 1).copied().unwrap_or(0);
            let beside = row.last().copied().unwrap_or(0);
            row.push(if left == right {
                diagonal.saturating_add(1)
            } else {
                under.max(beside)
            });
        }
        rows.push(row);
    }
    rows.reverse();
    rows.iter_mut().for_each(|row| row.reverse());
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_line_is_shown_between_the_ones_that_stayed() {
        let shown: String = compared("a\nb\nc\n", "a\nx\nc\nd\n")
            .iter()
            .map(|(mark, line)| format!("{mark}{line} "))
            .collect();
        assert_eq!(shown, " a -b +x  c +d ");
        assert_eq!(compared("", "a"), [('+', "a")]);
        assert_eq!(compared("a", ""), [('-', "a")]);
        assert_eq!(compared("", ""), []);
    }
}
