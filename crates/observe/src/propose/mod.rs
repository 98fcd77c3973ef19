//! A bundle guessed from the tools that were seen, where none was given. Everything in it is a
//! guess, and says so.

mod arguments;
mod by_schema;
mod labels;
mod listed;
mod policies;
mod samples;
mod shape;
mod words;

use std::collections::BTreeMap;

use countersign_core::document::{
    ActionWords, BundleContent, Effect, PolicyFile, ResultManifest, Settings, ToolManifest,
};
use countersign_core::names::ActionName;
use countersign_transcripts::{Args, Event, ToolDefinition};
use serde_json::Value;

use crate::drive::Found;
use crate::shorten;
use words::Named;

pub use listed::{Hints, ListedGuess, ListedProposal, ListedTool, guess_listed, propose_listed};

/// The name of a guessed bundle.
const NAME: &str = "guessed";
/// Most calls of a tool that are looked at, and most results.
const SAMPLES: usize = 10_000;
/// Most tools that a bundle is guessed for.
const TOOLS: usize = 500;
/// Most characters of a tool's own description that are taken over.
const DESCRIPTION: usize = 300;

/// Why a tool was guessed to be what it is.
#[derive(Debug)]
pub struct Guess {
    /// The tool.
    pub tool: String,
    /// Why.
    pub why: String,
}

/// A guessed bundle.
#[derive(Debug)]
pub struct Proposal {
    /// The bundle; it passes its check.
    pub content: BundleContent,
    /// Why each tool was guessed to be what it is.
    pub guesses: Vec<Guess>,
}

/// No bundle could be guessed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no bundle could be guessed: {0}")]
pub struct ProposeError(pub String);

/// What is known of a tool from transcripts.
#[derive(Default)]
struct SeenTool<'a> {
    definition: Option<&'a ToolDefinition>,
    args: Vec<&'a Value>,
    results: Vec<&'a Value>,
}

/// Guesses a bundle from the tools that were called.
pub fn propose(found: &[Found]) -> Result<Proposal, ProposeError> {
    let seen = collect(found);
    let mut tools = Vec::new();
    let mut guesses = Vec::new();
    let mut actions: BTreeMap<String, usize> = BTreeMap::new();
    for (name, seen) in seen.iter().take(TOOLS) {
        match guess(name, seen, &mut actions) {
            Some((manifest, why)) => {
                guesses.push(Guess {
                    tool: (*name).to_owned(),
                    why,
                });
                tools.push(manifest);
            }
            None => guesses.push(Guess {
                tool: (*name).to_owned(),
                why: "guess: none could be made that passes its check".to_owned(),
            }),
        }
    }
    let content = content(tools);
    // Each tool passes by itself; together they may be more than a bundle holds.
    compile(&content).map_err(ProposeError)?;
    Ok(Proposal { content, guesses })
}

fn content(tools: Vec<ToolManifest>) -> BundleContent {
    let policies = policies::of(&tools)
        .into_iter()
        .map(|(name, text)| PolicyFile {
            name: format!("policies/{name}.cedar"),
            text,
        });
    BundleContent {
        name: NAME.to_owned(),
        description: policies::DESCRIPTION.to_owned(),
        policies: policies.collect(),
        schema: String::new(),
        tools,
        counters: Vec::new(),
        acknowledged: Vec::new(),
        settings: Settings::default(),
    }
}

fn collect(found: &[Found]) -> BTreeMap<&str, SeenTool<'_>> {
    let mut seen: BTreeMap<&str, SeenTool<'_>> = BTreeMap::new();
    for session in found.iter().map(|one| &one.session) {
        for event in &session.events {
            match event {
                Event::Call(call) => {
                    let tool = seen.entry(&call.tool).or_default();
                    if let Args::Json(args) = &call.args
                        && tool.args.len() < SAMPLES
                    {
                        tool.args.push(args);
                    }
                }
                Event::Output(output) => {
                    if let Some(Event::Call(call)) = session.events.get(output.call) {
                        let tool = seen.entry(&call.tool).or_default();
                        if tool.results.len() < SAMPLES && !output.is_error {
                            tool.results.push(&output.value);
                        }
                    }
                }
                Event::Turn(_) => {}
            }
        }
    }
    for definition in found.iter().flat_map(|one| &one.session.tools) {
        // A tool that was offered and never called needs no manifest to be judged.
        if let Some(tool) = seen.get_mut(definition.name.as_str()) {
            tool.definition = Some(definition);
        }
    }
    seen
}

/// A manifest that passes its check, the fullest first: with the tool's own schema, with one that
/// fits what was seen, without targets.
fn guess(
    name: &str,
    seen: &SeenTool<'_>,
    actions: &mut BTreeMap<String, usize>,
) -> Option<(ToolManifest, String)> {
    let named = Named::of(name);
    let own = seen
        .definition
        .and_then(|definition| definition.arguments.as_ref());
    let inferred = shape::schema(&seen.args);
    let schemas: Vec<Value> = own
        .map(shape::without_remarks)
        .into_iter()
        .filter(|schema| shape::fits(schema, &seen.args))
        .chain(Some(inferred))
        .collect();
    let action = action(&named, actions)?;
    for schema in &schemas {
        let arguments = arguments::guess(schema, &seen.args);
        let (effect, why) = words::effect(&named, arguments.fetches());
        for with_targets in [true, false] {
            for with_description in [true, false] {
                let manifest = ToolManifest {
                    tool: name.to_owned(),
                    action: action.clone(),
                    effect,
                    description: match seen.definition {
                        Some(definition) if with_description => {
                            let first = definition.description.lines().next().unwrap_or_default();
                            format!("{why}. {}", shorten::text(first, DESCRIPTION))
                        }
                        _ => why.clone(),
                    },
                    arguments: schema.clone(),
                    targets: match with_targets && effect != Effect::Read {
                        true => arguments.targets.clone(),
                        false => Vec::new(),
                    },
                    roles: arguments.roles.clone(),
                    results: labels::guess(&seen.results, |name| {
                        effect != Effect::Read && labels::is_echo(name, schema)
                    }),
                    words: spoken(&named),
                    effects: Vec::new(),
                    commands: None,
                    pinned: None,
                };
                if compile(&content(vec![manifest.clone()])).is_ok() {
                    return Some((manifest, why));
                }
                let plain = ToolManifest {
                    results: manifest.results.as_ref().map(|results| ResultManifest {
                        fields: Vec::new(),
                        ..results.clone()
                    }),
                    ..manifest
                };
                if compile(&content(vec![plain.clone()])).is_ok() {
                    return Some((plain, why));
                }
            }
        }
    }
    None
}

fn spoken(named: &Named) -> BTreeMap<String, ActionWords> {
    let words = ActionWords {
        verbs: named.verbs(),
        nouns: named.nouns(),
    };
    BTreeMap::from([("en".to_owned(), words)])
}

/// An action of its own for each tool: `send_email` does `email.send`.
fn action(named: &Named, actions: &mut BTreeMap<String, usize>) -> Option<ActionName> {
    let text = named.action();
    let count = actions.entry(text.clone()).or_default();
    *count += 1;
    let text = match *count {
        1 => text,
        n => format!("{text}-{n}"),
    };
    text.parse().ok()
}

fn compile(content: &BundleContent) -> Result<(), String> {
    crate::compile(content.clone())
        .map(|_| ())
        .map_err(|error| error.to_string())
}
