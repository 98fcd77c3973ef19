//! What a manifest keeps of what a person said of a tool, when its server lists it otherwise.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::document::{ArgumentRole, TargetDeclaration, ToolManifest};
use countersign_core::json::pointer::name_of;
use countersign_observe::ListedGuess;
use serde_json::Value;

/// The manifests that could stand for the tool, that which keeps most of the old one first.
pub(super) fn candidates(old: Option<&ToolManifest>, guess: &ListedGuess) -> Vec<ToolManifest> {
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
fn argument(at: &str) -> String {
    if let Some(pointer) = at.strip_prefix('/') {
        return name_of(pointer.split('/').next().unwrap_or_default());
    }
    let path = at.strip_prefix("$.").unwrap_or(at);
    let end = path.find(['.', '[']).unwrap_or(path.len());
    path.get(..end).unwrap_or_default().to_owned()
}

fn merged_targets(old: &ToolManifest, new: &ToolManifest) -> Vec<TargetDeclaration> {
    let (before, now) = (names(old), names(new));
    let kept = old
        .targets
        .iter()
        .filter(|target| now.contains(argument(&target.at).as_str()));
    let added = new
        .targets
        .iter()
        .filter(|target| !before.contains(argument(&target.at).as_str()));
    kept.chain(added).cloned().collect()
}

fn merged_roles(old: &ToolManifest, new: &ToolManifest) -> BTreeMap<String, ArgumentRole> {
    let (before, now) = (names(old), names(new));
    let kept = old
        .roles
        .iter()
        .filter(|(at, _)| now.contains(argument(at).as_str()));
    let added = new
        .roles
        .iter()
        .filter(|(at, _)| !before.contains(argument(at).as_str()));
    kept.chain(added)
        .map(|(at, role)| (at.clone(), *role))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_lead_to_their_arguments() {
        for (at, name) in [
            ("/a/b", "a"),
            ("/a.b", "a.b"),
            ("/a~1b/c", "a/b"),
            ("$.a[*].b", "a"),
            ("$.a", "a"),
        ] {
            assert_eq!(argument(at), name, "{at}");
        }
    }
}
