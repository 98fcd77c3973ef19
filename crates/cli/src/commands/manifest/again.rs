//! Shows what has changed of a server's tools since a bundle was made for them, and takes it over.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use countersign_core::document::{ArgumentRole, BundleContent, ToolManifest};
use countersign_core::json::pointer::member;
use countersign_observe::{ListedGuess, ListedTool, compile, guess_listed};
use serde::Serialize;
use serde_json::{Map, Value};

use super::fresh::{LISTED, definitions, file_of, is_of_tool, pretty, save_new, save_over};
use super::listed::Listed;
use super::text::{Guessed, HEADER, PAGE};
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
enum What {
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
struct Change {
    tool: String,
    what: What,
    /// Where the definition differs from what was listed before.
    differences: Vec<String>,
    /// What became of it with `--update`.
    #[serde(skip_serializing_if = "Option::is_none")]
    updated: Option<&'static str>,
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

/// Writes what is new into the bundle. Actions, effects, words and labels of results stay what they
/// are; so do roles and targets of arguments that are still there.
fn take_over(
    directory: &Path,
    mut content: BundleContent,
    listed: &Listed,
    changes: &mut [Change],
) -> Result<(), CliError> {
    let mut files = files(directory)?;
    let mut guessed = Vec::new();
    for change in changes
        .iter_mut()
        .filter(|change| change.what != What::Gone)
    {
        let found = listed
            .tools
            .iter()
            .find(|(tool, _)| tool.definition.name == change.tool);
        let Some((tool, _)) = found else { continue };
        let place = content
            .tools
            .iter()
            .position(|manifest| manifest.tool == change.tool);
        let old = place.and_then(|at| content.tools.get(at)).cloned();
        let guess = guess_one(tool, old.as_ref(), &content);
        let fitting = candidates(old.as_ref(), &guess)
            .into_iter()
            .find(|manifest| {
                let mut content = content.clone();
                put(&mut content, manifest.clone());
                compile(content).is_ok()
            });
        guessed.push(Guessed::of(&guess));
        change.updated = Some(match fitting {
            Some(manifest) => {
                put(&mut content, manifest.clone());
                files.put(manifest)?;
                "taken over"
            }
            None if old.is_some() => {
                "no manifest fits it: the old one stays, and calls are rejected"
            }
            None => "no manifest fits it: calls are rejected",
        });
    }
    files.save()?;
    append(directory, &guessed)?;
    save_over(&directory.join(LISTED), &definitions(listed)?)
}

fn guess_one(
    tool: &ListedTool,
    old: Option<&ToolManifest>,
    content: &BundleContent,
) -> ListedGuess {
    let others = content
        .tools
        .iter()
        .filter(|manifest| manifest.tool != tool.definition.name);
    let taken = others.map(|manifest| manifest.action.clone()).collect();
    let mut guesses = guess_listed(std::slice::from_ref(tool), &taken);
    let mut guess = guesses.pop().unwrap_or_else(|| ListedGuess {
        tool: tool.definition.name.clone(),
        manifest: None,
        why: String::new(),
        notes: Vec::new(),
    });
    if let (Some(old), Some(new)) = (old, &guess.manifest)
        && old.effect != new.effect
    {
        guess
            .notes
            .push(format!("its effect stays `{}`", old.effect.name()));
    }
    guess
}

/// The manifests that could stand for the tool, that which keeps most of the old one first.
fn candidates(old: Option<&ToolManifest>, guess: &ListedGuess) -> Vec<ToolManifest> {
    let Some(new) = &guess.manifest else {
        return Vec::new();
    };
    let Some(old) = old else {
        return vec![new.clone()];
    };
    let own = ToolManifest {
        action: old.action.clone(),
        effect: old.effect,
        words: old.words.clone(),
        results: old.results.clone(),
        effects: old.effects.clone(),
        ..new.clone()
    };
    let merged = ToolManifest {
        targets: merged_targets(old, new),
        roles: merged_roles(old, new),
        ..own.clone()
    };
    // Arguments that a person described in more detail than the server does are kept while they fit.
    let kept = ToolManifest {
        pinned: new.pinned,
        ..old.clone()
    };
    match names(old) == names(new) && old.arguments == new.arguments {
        true => vec![kept, merged, own],
        false => vec![merged, own],
    }
}

/// The names of a manifest's arguments.
fn names(manifest: &ToolManifest) -> BTreeSet<&str> {
    let properties = manifest
        .arguments
        .get("properties")
        .and_then(Value::as_object);
    properties
        .into_iter()
        .flatten()
        .map(|(name, _)| name.as_str())
        .collect()
}

/// The argument that a place is in.
fn argument(at: &str) -> &str {
    let rest = at
        .strip_prefix("$.")
        .or_else(|| at.strip_prefix('/'))
        .unwrap_or(at);
    let end = rest.find(['/', '.', '[']).unwrap_or(rest.len());
    rest.get(..end).unwrap_or_default()
}

fn merged_targets(
    old: &ToolManifest,
    new: &ToolManifest,
) -> Vec<countersign_core::document::TargetDeclaration> {
    let (before, now) = (names(old), names(new));
    let kept = old
        .targets
        .iter()
        .filter(|target| now.contains(argument(&target.at)));
    let added = new
        .targets
        .iter()
        .filter(|target| !before.contains(argument(&target.at)));
    kept.chain(added).cloned().collect()
}

fn merged_roles(old: &ToolManifest, new: &ToolManifest) -> BTreeMap<String, ArgumentRole> {
    let (before, now) = (names(old), names(new));
    let kept = old
        .roles
        .iter()
        .filter(|(at, _)| now.contains(argument(at)));
    let added = new
        .roles
        .iter()
        .filter(|(at, _)| !before.contains(argument(at)));
    kept.chain(added)
        .map(|(at, role)| (at.clone(), *role))
        .collect()
}

fn put(content: &mut BundleContent, manifest: ToolManifest) {
    match content
        .tools
        .iter_mut()
        .find(|known| known.tool == manifest.tool)
    {
        Some(known) => *known = manifest,
        None => content.tools.push(manifest),
    }
}

/// The files of manifests, and which of them have changed.
struct Files {
    directory: PathBuf,
    all: BTreeMap<PathBuf, File>,
}

struct File {
    manifests: Vec<ToolManifest>,
    /// Whether it holds one manifest and not a list.
    is_one: bool,
    is_new: bool,
    is_changed: bool,
}

fn files(directory: &Path) -> Result<Files, CliError> {
    let mut all = BTreeMap::new();
    let tools = directory.join("tools");
    let entries = match std::fs::read_dir(&tools) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Ok(Files {
                directory: directory.to_owned(),
                all,
            });
        }
        Err(error) => return Err(CliError::io(&tools, error)),
    };
    for entry in entries {
        let path = entry.map_err(|error| CliError::io(&tools, error))?.path();
        if path.extension().is_none_or(|end| end != "json") {
            continue;
        }
        let value: Value = serde_json::from_str(&crate::input::file(&path)?)
            .map_err(|error| CliError::io(&path, error))?;
        let is_one = value.is_object();
        let manifests = if is_one {
            serde_json::from_value(value).map(|one| vec![one])
        } else {
            serde_json::from_value(value)
        };
        let file = File {
            manifests: manifests.map_err(|error| CliError::io(&path, error))?,
            is_one,
            is_new: false,
            is_changed: false,
        };
        all.insert(path, file);
    }
    Ok(Files {
        directory: directory.to_owned(),
        all,
    })
}

impl Files {
    fn put(&mut self, manifest: ToolManifest) -> Result<(), CliError> {
        for file in self.all.values_mut() {
            let known = file
                .manifests
                .iter_mut()
                .find(|known| known.tool == manifest.tool);
            if let Some(known) = known {
                *known = manifest;
                file.is_changed = true;
                return Ok(());
            }
        }
        let path = self.directory.join(file_of(&manifest.tool));
        if self.all.contains_key(&path) {
            return Err(CliError::io(&path, "it holds the manifest of another tool"));
        }
        let file = File {
            manifests: vec![manifest],
            is_one: true,
            is_new: true,
            is_changed: true,
        };
        self.all.insert(path, file);
        Ok(())
    }

    fn save(&self) -> Result<(), CliError> {
        for (path, file) in self.all.iter().filter(|(_, file)| file.is_changed) {
            let text = match file.manifests.as_slice() {
                [one] if file.is_one => pretty(one)?,
                all => pretty(&all)?,
            };
            match file.is_new {
                true => {
                    let name = path.strip_prefix(&self.directory).unwrap_or(path);
                    save_new(&self.directory, &name.to_string_lossy(), &text)?;
                }
                false => save_over(path, &text)?,
            }
        }
        Ok(())
    }
}

/// What was guessed anew, at the end of the page.
fn append(directory: &Path, guessed: &[Guessed]) -> Result<(), CliError> {
    if guessed.is_empty() {
        return Ok(());
    }
    let path = directory.join(PAGE);
    let before = match path.exists() {
        true => crate::input::file(&path)?,
        false => "# What was guessed\n".to_owned(),
    };
    let rows: String = guessed.iter().map(Guessed::row).collect();
    save_over(
        &path,
        &format!("{before}\n## Taken over later\n\n{HEADER}{rows}"),
    )
}
