//! A bundle guessed from what a server says of its tools, before any was called.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::document::{
    BundleContent, Effect, PolicyFile, Settings, TargetType, ToolManifest,
};
use countersign_core::names::ActionName;
use countersign_core::refs::Sha256;
use countersign_judge::type_name;
use countersign_transcripts::ToolDefinition;
use serde_json::Value;

use super::words::{self, Named};
use super::{DESCRIPTION, ProposeError, TOOLS, by_schema, policies, samples, shape, spoken};
use crate::compile;
use crate::shorten;

/// Longest name of a tool that MCP allows.
const NAME_BYTES: usize = 128;

/// A tool as its server lists it.
#[derive(Debug, Clone)]
pub struct ListedTool {
    /// Its name, description and schema.
    pub definition: ToolDefinition,
    /// What the server claims of it. Nobody vouches for that: it can make a guess stricter, never
    /// milder.
    pub hints: Hints,
    /// The digest of its definition.
    pub pinned: Sha256,
}

/// What a server claims of a tool (`annotations`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Hints {
    /// That it changes nothing.
    pub read_only: Option<bool>,
    /// That what it changes may be lost.
    pub destructive: Option<bool>,
}

/// What was guessed of one tool.
#[derive(Debug, Clone)]
pub struct ListedGuess {
    /// The tool.
    pub tool: String,
    /// Its manifest; none if none could be made: then its calls are rejected.
    pub manifest: Option<ToolManifest>,
    /// Why its effect was guessed to be what it is.
    pub why: String,
    /// What else is to be known.
    pub notes: Vec<String>,
}

/// A bundle for listed tools. It passes its check, and its cases hold.
#[derive(Debug)]
pub struct ListedProposal {
    /// The bundle.
    pub content: BundleContent,
    /// The file of its cases, if there are any.
    pub cases: Option<(String, String)>,
    /// What was guessed of each tool, in the order of the list.
    pub guesses: Vec<ListedGuess>,
}

/// Guesses a bundle for the tools that a server lists; `beside` are manifests of what else is judged.
pub fn propose_listed(
    name: &str,
    tools: &[ListedTool],
    beside: &[ToolManifest],
) -> Result<ListedProposal, ProposeError> {
    let taken = beside.iter().map(|tool| tool.action.clone()).collect();
    let guesses = guess_listed(tools, &taken);
    let manifests = guesses.iter().filter_map(|guess| guess.manifest.clone());
    let content = content(name, manifests.chain(beside.iter().cloned()).collect());
    let bundle = compile(content.clone()).map_err(|error| ProposeError(error.to_string()))?;
    let cases = samples::cases(&content, &bundle);
    Ok(ListedProposal {
        content,
        cases,
        guesses,
    })
}

/// Guesses manifests for tools of a bundle that has these actions already.
pub fn guess_listed(tools: &[ListedTool], taken: &BTreeSet<ActionName>) -> Vec<ListedGuess> {
    let mut taken: BTreeSet<String> = taken.iter().map(ToString::to_string).collect();
    let mut names: BTreeMap<&str, usize> = BTreeMap::new();
    for tool in tools {
        *names.entry(&tool.definition.name).or_default() += 1;
    }
    let guesses = tools.iter().enumerate().map(|(n, tool)| {
        let name = tool.definition.name.as_str();
        let refused = if n >= TOOLS {
            Some(format!("only the first {TOOLS} tools are looked at"))
        } else if names.get(name).is_some_and(|count| *count > 1) {
            Some("the server lists two tools of this name".to_owned())
        } else if !is_name(name) {
            Some("the name holds characters that the name of an MCP tool may not have".to_owned())
        } else {
            None
        };
        match refused {
            Some(reason) => without(name, &reason),
            None => guess(tool, &mut taken),
        }
    });
    guesses.collect()
}

/// The specification's rule for names, 2025-11-25: letters, digits, `_`, `-`, `.`, and `/`, which
/// earlier ones had. Others can be mistaken for each other.
fn is_name(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_-./".contains(&b);
    !name.is_empty() && name.len() <= NAME_BYTES && name.bytes().all(allowed)
}

fn without(tool: &str, reason: &str) -> ListedGuess {
    ListedGuess {
        tool: tool.to_owned(),
        manifest: None,
        why: String::new(),
        notes: vec![format!("{reason}: no manifest, so every call is rejected")],
    }
}

/// The bundle with its policies and the entity types of its targets.
fn content(name: &str, tools: Vec<ToolManifest>) -> BundleContent {
    let policies = policies::listed(&tools).into_iter();
    BundleContent {
        name: name.to_owned(),
        description: policies::LISTED.to_owned(),
        policies: policies
            .map(|(name, text)| PolicyFile {
                name: format!("policies/{name}.cedar"),
                text,
            })
            .collect(),
        schema: schema(&tools),
        tools,
        counters: Vec::new(),
        acknowledged: Vec::new(),
        settings: Settings::default(),
    }
}

/// The Cedar schema: what calls act on.
fn schema(tools: &[ToolManifest]) -> String {
    let targets = tools.iter().flat_map(|tool| &tool.targets);
    let kinds: BTreeMap<&str, TargetType> = targets
        .map(|target| (target.entity.as_str(), target.kind))
        .collect();
    let mut out = String::from(
        "// Guess. What calls act on. Give an entity type attributes, all optional, to speak of what the\n\
         // directory knows of them: entity Path = { \"owner\"?: String };\n",
    );
    for (entity, kind) in kinds {
        out.push_str(&format!(
            "entity {entity}; // values are read as `{}`\n",
            type_name(kind)
        ));
    }
    out
}

/// A manifest that passes its check, the fullest first.
fn guess(tool: &ListedTool, taken: &mut BTreeSet<String>) -> ListedGuess {
    let name = &tool.definition.name;
    let named = Named::of(name);
    let Some(action) = action(&named, taken) else {
        return without(name, "no action could be made of its name");
    };
    let listed = tool.definition.arguments.clone();
    let listed = listed.unwrap_or_else(|| serde_json::json!({"type": "object"}));
    for (schema, said) in shape::listed(&listed) {
        for (described, with_targets) in
            [(true, true), (false, true), (true, false), (false, false)]
        {
            let mut notes: Vec<String> = said.iter().map(|text| (*text).to_owned()).collect();
            let (manifest, why) = manifest(tool, &named, &action, &schema, &mut notes);
            let manifest = ToolManifest {
                description: if described {
                    manifest.description
                } else {
                    String::new()
                },
                targets: if with_targets {
                    manifest.targets
                } else {
                    Vec::new()
                },
                ..manifest
            };
            if !described {
                notes
                    .push("its description is left out: it may hold somebody's address".to_owned());
            }
            if compile(content("one", vec![manifest.clone()])).is_ok() {
                taken.insert(action.to_string());
                return ListedGuess {
                    tool: name.clone(),
                    manifest: Some(manifest),
                    why,
                    notes,
                };
            }
        }
    }
    let reason = refusal(tool, &named, &action, &listed);
    without(name, &reason)
}

/// Why the schema as it is listed is refused.
fn refusal(tool: &ListedTool, named: &Named, action: &ActionName, listed: &Value) -> String {
    let (manifest, _) = manifest(tool, named, action, listed, &mut Vec::new());
    match compile(content("one", vec![manifest])) {
        Err(error) => shorten::text(&error.to_string(), DESCRIPTION),
        Ok(_) => "its schema cannot be used".to_owned(),
    }
}

fn manifest(
    tool: &ListedTool,
    named: &Named,
    action: &ActionName,
    schema: &Value,
    notes: &mut Vec<String>,
) -> (ToolManifest, String) {
    let arguments = by_schema::guess(schema, named.words());
    let guessed = words::effect(named, arguments.fetches());
    let (effect, why) = stricter(guessed, tool.hints, notes);
    if effect != Effect::Read && arguments.targets.is_empty() {
        notes.push("nothing was found that it acts on: its calls are put to a person".to_owned());
    }
    let first = tool.definition.description.lines().next();
    let manifest = ToolManifest {
        tool: tool.definition.name.clone(),
        action: action.clone(),
        effect,
        description: shorten::text(first.unwrap_or_default(), DESCRIPTION),
        arguments: schema.clone(),
        targets: arguments.targets,
        roles: arguments.roles,
        results: None,
        words: spoken(named),
        effects: Vec::new(),
        commands: None,
        pinned: Some(tool.pinned),
    };
    (manifest, why)
}

/// The guess by the name, made stricter by what the server claims; a milder claim is only noted.
fn stricter(guessed: (Effect, String), hints: Hints, notes: &mut Vec<String>) -> (Effect, String) {
    let (effect, why) = guessed;
    // Without the claim that nothing is lost, the protocol takes what changes to be destructive.
    let claimed = match (hints.read_only, hints.destructive) {
        (Some(true), _) => Some(Effect::Read),
        (_, Some(true)) => Some(Effect::Irreversible),
        (_, Some(false)) => Some(Effect::Write),
        (Some(false), None) => Some(Effect::Irreversible),
        (None, None) => None,
    };
    let rank = |effect: Effect| match effect {
        Effect::Read => 0,
        Effect::Write => 1,
        Effect::Irreversible => 2,
    };
    match claimed {
        Some(claimed) if rank(claimed) > rank(effect) => {
            let name = claimed.name();
            (
                claimed,
                format!("{why}, but the server says `{name}`, which is stricter"),
            )
        }
        Some(claimed) if rank(claimed) < rank(effect) => {
            notes.push(format!(
                "the server says `{}`, which nobody vouches for: not taken over",
                claimed.name()
            ));
            (effect, why)
        }
        _ => (effect, why),
    }
}

/// An action that no other tool has.
fn action(named: &Named, taken: &BTreeSet<String>) -> Option<ActionName> {
    let text = named.action();
    let other = (2..=TOOLS + 1).map(|n| format!("{text}-{n}"));
    std::iter::once(text.clone())
        .chain(other)
        .find(|text| !taken.contains(text))?
        .parse()
        .ok()
}
