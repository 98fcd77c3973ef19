//! Shows what has changed of a server's tools since a bundle was made for them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use countersign_core::document::{BundleContent, ToolManifest};
use countersign_core::json::pointer::member;
use serde::Serialize;
use serde_json::{Map, Value};

use super::fresh::{LISTED, is_of_tool};
use super::listed::Listed;
use super::text::PAGE;
use super::update::take_over;
use crate::bundles;
use crate::error::CliError;
use crate::exit::Exit;
use crate::render::plain;
use crate::terminal::{Terminal, Tone};

/// Most differences of one tool that are shown.
const SHOWN: usize = 20;
/// Most characters of a text that are shown.
const TEXT: usize = 160;

/// What became of a tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum What {
    /// The server lists it, and the bundle has no manifest.
    New,
    /// Its definition is not the one that was confirmed.
    Changed,
    /// The bundle has a manifest that says nothing of a definition.
    Unpinned,
    /// The server lists it no more.
    Gone,
}

#[derive(Debug, Serialize)]
pub(super) struct Change {
    pub(super) tool: String,
    pub(super) what: What,
    /// Where the definition differs from what was listed before.
    differences: Vec<String>,
    /// What became of it with `--update`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) updated: Option<&'static str>,
}

pub(super) fn compare(
    directory: &Path,
    listed: &Listed,
    update: bool,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    let shown = directory.display().to_string();
    let content = bundles::read(&shown)?;
    let before = kept(directory)?;
    let mut changes = changes(&content, listed, &before);
    if update {
        take_over(directory, content, listed, &mut changes)?;
        bundles::check(&shown)?;
    }
    let is_open = !update && !changes.is_empty();
    let answer = serde_json::json!({
        "directory": shown,
        "server": listed.server,
        "protocol": listed.revision,
        "changes": changes,
        "unreadable": listed.unreadable,
    });
    terminal.answer(&answer, || report(*terminal, &changes))?;
    if !terminal.is_json() {
        hints(&shown, update, &changes, terminal);
    }
    Ok(if is_open { Exit::No } else { Exit::Yes })
}

fn hints(shown: &str, update: bool, changes: &[Change], terminal: &Terminal) {
    if changes.is_empty() {
        return;
    }
    if !update {
        terminal.hint("calls of changed tools are rejected; look at what is new of them, then --update takes it over");
        return;
    }
    terminal.note(format!(
        "policies, actions and effects are as they were: what is new is at the end of {shown}/{PAGE}"
    ));
    terminal.hint(format!(
        "countersign policy test {shown} && countersign policy publish --activate {shown}"
    ));
}

/// The definitions that the manifests were made from, if they are still there.
fn kept(directory: &Path) -> Result<Map<String, Value>, CliError> {
    let path = directory.join(LISTED);
    if !path.exists() {
        return Ok(Map::new());
    }
    let text = crate::input::file(&path)?;
    serde_json::from_str(&text).map_err(|error| CliError::io(&path, error))
}

fn changes(content: &BundleContent, listed: &Listed, before: &Map<String, Value>) -> Vec<Change> {
    let manifests: BTreeMap<&str, &ToolManifest> = content
        .tools
        .iter()
        .map(|manifest| (manifest.tool.as_str(), manifest))
        .collect();
    let mut out = Vec::new();
    for (tool, definition) in &listed.tools {
        let name = &tool.definition.name;
        let what = match manifests.get(name.as_str()) {
            None => What::New,
            Some(manifest) => match manifest.pinned {
                None => What::Unpinned,
                Some(pinned) if pinned != tool.pinned => What::Changed,
                Some(_) => continue,
            },
        };
        let mut differences = Vec::new();
        if let (What::Changed, Some(before)) = (what, before.get(name)) {
            differ("", before, definition, &mut differences);
            let more = differences.len().saturating_sub(SHOWN);
            differences.truncate(SHOWN);
            if more > 0 {
                differences.push(format!("and {more} more"));
            }
        }
        out.push(Change {
            tool: name.clone(),
            what,
            differences,
            updated: None,
        });
    }
    let named: BTreeSet<&str> = listed
        .tools
        .iter()
        .map(|(tool, _)| tool.definition.name.as_str())
        .collect();
    let gone = content
        .tools
        .iter()
        .filter(|manifest| is_of_tool(manifest) && !named.contains(manifest.tool.as_str()));
    out.extend(gone.map(|manifest| Change {
        tool: manifest.tool.clone(),
        what: What::Gone,
        differences: Vec::new(),
        updated: None,
    }));
    out
}

/// Where two values differ, by JSON Pointers.
fn differ(at: &str, before: &Value, now: &Value, out: &mut Vec<String>) {
    match (before, now) {
        (Value::Object(old), Value::Object(new)) => {
            let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
            for name in names {
                let at = member(at, name);
                match (old.get(name), new.get(name)) {
                    (Some(before), Some(now)) => differ(&at, before, now, out),
                    (Some(_), None) => out.push(format!("{at} is gone")),
                    (None, Some(now)) => out.push(format!("{at} is new: {}", short(now))),
                    (None, None) => {}
                }
            }
        }
        _ if before == now => {}
        _ => out.push(format!("{at} was {}, is {}", short(before), short(now))),
    }
}

fn short(value: &Value) -> String {
    countersign_observe::shortened(&plain(&value.to_string()), TEXT)
}

fn report(terminal: Terminal, changes: &[Change]) -> String {
    if changes.is_empty() {
        return "nothing has changed".to_owned();
    }
    let mut lines = Vec::new();
    for change in changes {
        let (tone, what) = match change.what {
            What::New => (Tone::Careful, "new"),
            What::Changed => (Tone::Bad, "changed"),
            What::Unpinned => (Tone::Careful, "unpinned"),
            What::Gone => (Tone::Quiet, "gone"),
        };
        let updated = change
            .updated
            .map_or_else(String::new, |text| format!(": {text}"));
        lines.push(format!(
            "{} {}{updated}",
            terminal.paint(tone, what),
            plain(&change.tool)
        ));
        lines.extend(
            change
                .differences
                .iter()
                .map(|text| format!("  {}", plain(text))),
        );
    }
    lines.join("\n")
}
