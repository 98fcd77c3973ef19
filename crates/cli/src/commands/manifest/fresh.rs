//! Writes a bundle for the tools that a server lists.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use countersign_core::document::ToolManifest;
use countersign_observe::{ListedProposal, ListedTool, propose_listed};
use serde_json::{Map, Value, json};

use super::listed::Listed;
use super::text::{self, Guessed};
use crate::bundles;
use crate::error::CliError;
use crate::exit::Exit;
use crate::terminal::Terminal;

/// Where the definitions are kept that the manifests were made from: beside the bundle, hidden from
/// it.
pub(super) const LISTED: &str = ".listed.json";

pub(super) fn write(
    directory: &Path,
    name: &str,
    listed: &Listed,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    let is_taken = std::fs::read_dir(directory).is_ok_and(|mut files| files.next().is_some());
    if is_taken {
        return Err(
            CliError::io(directory, "it exists already, and is no bundle")
                .hint("--out names another directory"),
        );
    }
    let tools: Vec<ListedTool> = listed.tools.iter().map(|(tool, _)| tool.clone()).collect();
    let proposal = propose_listed(name, &tools, &listed.beside)
        .map_err(|error| CliError::usage(error.to_string()))?;
    let guesses: Vec<Guessed> = proposal.guesses.iter().map(Guessed::of).collect();
    save(directory, &proposal, listed, &guesses)?;
    let shown = directory.display().to_string();
    let (_, findings) = bundles::check(&shown)?;
    let answer = json!({
        "directory": shown,
        "server": listed.server,
        "protocol": listed.revision,
        "tools": guesses,
        "unreadable": listed.unreadable,
        "warnings": findings.len(),
    });
    terminal.answer(&answer, || text::table(*terminal, &guesses))?;
    if !terminal.is_json() {
        terminal.note(format!(
            "all of this is guessed: {shown}/{} says why, and is there to be ticked off",
            text::PAGE
        ));
        terminal.hint(format!(
            "countersign policy test {shown} && countersign policy publish --activate {shown}"
        ));
    }
    Ok(Exit::Yes)
}

fn save(
    directory: &Path,
    proposal: &ListedProposal,
    listed: &Listed,
    guesses: &[Guessed],
) -> Result<(), CliError> {
    let content = &proposal.content;
    let quoted = |text: &str| toml::Value::String(text.to_owned());
    let head = format!(
        "name = {}\ndescription = {}\n",
        quoted(&content.name),
        quoted(&content.description)
    );
    save_new(directory, "bundle.toml", &head)?;
    save_new(directory, "schema.cedarschema", &content.schema)?;
    for file in &content.policies {
        save_new(directory, &file.name, &file.text)?;
    }
    for tool in &content.tools {
        save_new(directory, &file_of(&tool.tool), &pretty(tool)?)?;
    }
    if let Some((name, text)) = &proposal.cases {
        save_new(directory, name, text)?;
    }
    save_new(directory, text::PAGE, &text::page(listed, guesses))?;
    save_new(directory, LISTED, &definitions(listed)?)
}

/// What the server listed, by the tools' names.
pub(super) fn definitions(listed: &Listed) -> Result<String, CliError> {
    let all: Map<String, Value> = listed
        .tools
        .iter()
        .map(|(tool, definition)| (tool.definition.name.clone(), definition.clone()))
        .collect();
    pretty(&all)
}

pub(super) fn pretty(document: &impl serde::Serialize) -> Result<String, CliError> {
    let text = serde_json::to_string_pretty(document)
        .map_err(|error| CliError::usage(error.to_string()))?;
    Ok(format!("{text}\n"))
}

/// The file of a tool's manifest. What cannot stand in a file's name is written as `%` and two hex
/// digits, so that two tools never share one; so are capitals, where a disk does not tell them apart.
pub(super) fn file_of(tool: &str) -> String {
    let mut name = String::new();
    for byte in tool.bytes() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' => name.push(char::from(byte)),
            b'.' if !name.is_empty() => name.push('.'),
            other => name.push_str(&format!("%{other:02X}")),
        }
    }
    format!("tools/{name}.json")
}

/// Writes a file that is not there yet.
pub(super) fn save_new(directory: &Path, name: &str, text: &str) -> Result<(), CliError> {
    let path = directory.join(name);
    let parent = path.parent().unwrap_or(directory);
    std::fs::create_dir_all(parent).map_err(|error| CliError::io(parent, error))?;
    File::create_new(&path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| CliError::io(&path, error))
}

/// Writes a file in place of what is there.
pub(super) fn save_over(path: &Path, text: &str) -> Result<(), CliError> {
    let other = path.with_extension("new");
    std::fs::write(&other, text).map_err(|error| CliError::io(&other, error))?;
    std::fs::rename(&other, path).map_err(|error| CliError::io(path, error))
}

/// A manifest, and whether it is one of a tool and not of what is judged beside tools.
pub(super) fn is_of_tool(manifest: &ToolManifest) -> bool {
    manifest.pinned.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_tools_never_share_a_file_and_none_leaves_the_directory() {
        for (tool, file) in [
            ("read_file", "tools/read_file.json"),
            ("Read", "tools/%52ead.json"),
            ("../../x", "tools/%2E.%2F..%2Fx.json"),
            (".hidden", "tools/%2Ehidden.json"),
            ("a/b", "tools/a%2Fb.json"),
        ] {
            assert_eq!(file_of(tool), file);
        }
    }
}
