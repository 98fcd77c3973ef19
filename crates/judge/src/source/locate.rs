//! Where in its files a finding is of. A bundle's document holds manifests and settings without
//! their text, so what is found of them names a tool or a setting only.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{HEAD, SCHEMA};
use crate::finding::Finding;

/// Places findings that have no line: those of a manifest in the file that holds it, at what the
/// message names.
pub fn locate(files: &[(String, String)], findings: &mut [Finding]) {
    if findings.iter().all(|finding| finding.line > 0) {
        return;
    }
    let manifests = manifests(files);
    for finding in findings.iter_mut().filter(|finding| finding.line == 0) {
        if let Some(name) = tool_of(&finding.file)
            && let Some(place) = manifests.get(name)
        {
            let within = named(&finding.message, place.of)
                .or_else(|| place.of.find("\"tool\""))
                .unwrap_or(0);
            *finding = finding.clone().at(place.text, place.start + within);
            place.path.clone_into(&mut finding.file);
        } else if [HEAD, SCHEMA].contains(&finding.file.as_str()) {
            let text = files.iter().find(|(path, _)| *path == finding.file);
            if let Some((_, text)) = text
                && let Some(offset) = named(&finding.message, text)
            {
                *finding = finding.clone().at(text, offset);
            }
        }
    }
}

fn tool_of(file: &str) -> Option<&str> {
    file.strip_prefix("tools/")?.strip_suffix(".json")
}

/// A manifest in its file.
struct Place<'a> {
    path: &'a str,
    text: &'a str,
    start: usize,
    of: &'a str,
}

/// All manifests, by the tool that they are of.
fn manifests(files: &[(String, String)]) -> BTreeMap<String, Place<'_>> {
    let mut out = BTreeMap::new();
    for (path, text) in files {
        if !path.starts_with("tools/") {
            continue;
        }
        for (start, end) in objects(text) {
            let Some(of) = text.get(start..end) else {
                continue;
            };
            let manifest: Option<Value> = serde_json::from_str(of).ok();
            let tool = manifest
                .as_ref()
                .and_then(|value| value.get("tool")?.as_str());
            if let Some(tool) = tool {
                out.entry(tool.to_owned()).or_insert(Place {
                    path,
                    text,
                    start,
                    of,
                });
            }
        }
    }
    out
}

/// The objects that a text is, or is a list of: from the first brace to the one that closes it.
pub(super) fn objects(text: &str) -> Vec<(usize, usize)> {
    let base = usize::from(text.trim_start().starts_with('['));
    let mut out = Vec::new();
    let (mut depth, mut start) = (0_usize, None);
    let (mut in_text, mut escaped) = (false, false);
    for (at, byte) in text.bytes().enumerate() {
        if in_text {
            in_text = byte != b'"' || escaped;
            escaped = byte == b'\\' && !escaped;
            continue;
        }
        match byte {
            b'"' => (in_text, escaped) = (true, false),
            b'{' | b'[' => {
                if byte == b'{' && depth == base {
                    start = Some(at);
                }
                depth += 1;
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                if depth == base
                    && let Some(start) = start.take()
                {
                    out.push((start, at + 1));
                }
            }
            _ => {}
        }
    }
    out
}

/// Where the first thing stands that the message names between backticks: as a text by itself, or
/// by its last name.
pub(super) fn named(message: &str, text: &str) -> Option<usize> {
    message.split('`').skip(1).step_by(2).find_map(|name| {
        let last = name.rsplit(['/', '.']).next().unwrap_or(name);
        let quoted = |name: &str| text.find(&format!("\"{name}\"")).map(|at| at + 1);
        quoted(name)
            .or_else(|| (last != name && !last.is_empty()).then(|| quoted(last))?)
            .or_else(|| text.find(&format!("{last} =")))
            .or_else(|| (name.len() > 2).then(|| text.find(name))?)
    })
}
