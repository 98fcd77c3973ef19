//! The context of the Cedar requests.

use std::collections::BTreeSet;

use countersign_core::document::Source;
use serde_json::{Map, Value, json};

use super::ExtractInputs;
use super::targets::ReadTarget;
use crate::bundle::{Action, Tool};
use crate::mention::TurnMentions;
use crate::value::type_name;

/// The effect that policies see where no manifest states one.
const UNKNOWN_EFFECT: &str = "unknown";

/// What all requests of the call share.
pub(super) fn shared(
    inputs: &ExtractInputs<'_>,
    tool: Option<(&Tool, &Action)>,
    targets: &[ReadTarget],
) -> Map<String, Value> {
    let lookups: BTreeSet<&str> = targets
        .iter()
        .map(|target| target.parsed.lookup())
        .collect();
    let (args, effect) = match tool {
        Some((tool, action)) => (
            action.visible_args(&inputs.call.args),
            tool.manifest().effect.name(),
        ),
        None => (json!({}), UNKNOWN_EFFECT),
    };
    Map::from_iter([
        ("intent".to_owned(), intent(inputs)),
        ("mentioned".to_owned(), mentioned(inputs)),
        ("targets".to_owned(), json!(lookups)),
        ("has_targets".to_owned(), json!(!targets.is_empty())),
        ("target_count".to_owned(), json!(targets.len())),
        ("tool".to_owned(), json!(inputs.call.tool)),
        ("effect".to_owned(), json!(effect)),
        ("args".to_owned(), args),
    ])
}

/// What is the request's own: its target.
pub(super) fn own(target: &ReadTarget) -> Map<String, Value> {
    let sources: Vec<&str> = target
        .fact
        .sources
        .iter()
        .copied()
        .map(Source::name)
        .collect();
    let mut members = Map::from_iter([
        ("at".to_owned(), json!(target.fact.at)),
        ("value".to_owned(), json!(target.fact.value)),
        ("lookup".to_owned(), json!(target.parsed.lookup())),
        ("kind".to_owned(), json!(type_name(target.kind))),
        ("sources".to_owned(), json!(sources)),
        ("known".to_owned(), json!(target.known)),
    ]);
    for (name, value) in &target.parsed.members {
        members.insert((*name).to_owned(), json!(value));
    }
    Map::from_iter([("target".to_owned(), Value::Object(members))])
}

fn intent(inputs: &ExtractInputs<'_>) -> Value {
    let Some(turn) = inputs.chain.first() else {
        return json!({"live": false, "earlier_turns": 0});
    };
    json!({
        "live": true,
        "author": turn.intent.author.name(),
        "channel": turn.intent.channel,
        "assurance": turn.intent.assurance.name(),
        "principal": turn.intent.principal,
        "earlier_turns": inputs.chain.len() - 1,
    })
}

/// What the principal's words in the turn that the call names mention.
fn mentioned(inputs: &ExtractInputs<'_>) -> Value {
    let nothing = TurnMentions::default();
    let mentioned = inputs
        .chain
        .first()
        .map_or(&nothing, |turn| turn.mentions)
        .mentioned();
    json!({
        "emails": mentioned.emails,
        "domains": mentioned.domains,
        "urls": mentioned.urls,
        "ids": mentioned.ids,
        "amounts": mentioned.amounts,
    })
}
