//! Takes over what a server lists otherwise than before.

use std::path::Path;

use countersign_core::document::{BundleContent, ToolManifest};
use countersign_observe::{ListedGuess, ListedTool, compile, guess_listed};

use super::again::{Change, What};
use super::files::files;
use super::fresh::{LISTED, definitions, save_over};
use super::listed::Listed;
use super::merged::candidates;
use super::text::{Guessed, HEADER, PAGE};
use crate::error::CliError;

/// Writes what is new into the bundle. Actions, effects, words and labels of results stay what they
/// are; so do roles and targets of arguments that are still there.
pub(super) fn take_over(
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
