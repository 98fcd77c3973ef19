//! What a call that was not approved would have needed: it is judged again as if its values came
//! from elsewhere, one source after the other. So what is said holds for any policy.

use countersign_core::document::{Call, Facts, Source};
use countersign_core::names::{BuiltinReason, ReasonId};
use countersign_core::verdict::{Outcome, Verdict};
use countersign_judge::{CompiledBundle, judge};
use serde_json::{Map, Value, json};

use crate::places::Provenance;

/// The sources that are tried, in the order of their authority: all but nowhere.
fn tried() -> impl Iterator<Item = Source> {
    let all = Source::BY_AUTHORITY.into_iter();
    all.filter(|source| *source != Source::None)
}

/// Where a value of this source stands, for people.
pub fn stands_in(source: &str) -> &str {
    match source {
        "user" => "the person's words",
        "confirmed" => "what the person confirmed",
        "approved" => "what a reviewer approved",
        "user_earlier" => "an earlier turn of theirs",
        "system_field" => "a field that a system wrote",
        "first_party_field" => "a first-party field",
        "directory" => "the directory",
        "record_linked" => "the record of something that they named",
        "named_document" => "a document that they named",
        "any_output" => "any result",
        other => other,
    }
}

/// Says in the provenance which arguments stand in the way, and what else does.
pub(super) fn explain(
    bundle: &CompiledBundle,
    facts: &Facts,
    call: &Call,
    verdict: &Verdict,
    provenance: &mut Provenance,
) {
    if facts.obstacle.is_some() {
        provenance.advice = obstacle(bundle, facts, call);
        return;
    }
    if facts.inputs.intents.is_empty() {
        provenance.advice = Some(
            "nobody's turn stands before this call in the transcript, so nobody asked for it"
                .to_owned(),
        );
    }
    let passes = |facts: &Facts| judge(bundle, facts).outcome == Outcome::Approved;
    let needed: Vec<Source> = tried()
        .filter(|source| passes(&as_if(facts, *source)))
        .collect();
    if !needed.is_empty() {
        blame(&needed, provenance);
        return;
    }
    let asked = as_if_asked(facts);
    provenance.advice = provenance.advice.take().or_else(|| {
        if passes(&asked) {
            return Some("the turn does not speak of this kind of action".to_owned());
        }
        if tried().any(|source| passes(&as_if(&asked, source))) {
            return Some(
                "the turn does not speak of this kind of action, and its values would have to come from elsewhere"
                    .to_owned(),
            );
        }
        let no_permit = ReasonId::builtin(BuiltinReason::NoPermit);
        Some(match verdict.outcome {
            Outcome::Escalated => "a person is always asked about this".to_owned(),
            _ if verdict.reasons.contains(&no_permit) => {
                "no source of its values would have made a rule permit it".to_owned()
            }
            _ => "no source of its values would have lifted the rule".to_owned(),
        })
    });
}

fn obstacle(bundle: &CompiledBundle, facts: &Facts, call: &Call) -> Option<String> {
    let schema = bundle
        .tool(&call.tool)
        .and_then(|tool| tool.schema_error(&call.args));
    match (schema, &facts.obstacle_at) {
        (Some(error), _) => Some(error),
        (None, Some(at)) => Some(format!("the argument at {at} is in the way")),
        (None, None) => None,
    }
}

/// Marks the arguments that have none of the sources.
fn blame(needed: &[Source], provenance: &mut Provenance) {
    let names: Vec<&'static str> = needed.iter().map(|source| source.name()).collect();
    for argument in &mut provenance.arguments {
        let sources = argument.sources.as_deref();
        if sources.is_some_and(|sources| sources.iter().all(|source| !names.contains(source))) {
            argument.needed.clone_from(&names);
        }
    }
    let none = provenance
        .arguments
        .iter()
        .all(|argument| argument.needed.is_empty());
    if none && provenance.advice.is_none() {
        provenance.advice = Some(format!(
            "it would have passed if its values stood in {}",
            names
                .iter()
                .map(|name| stands_in(name))
                .collect::<Vec<_>>()
                .join(", or in ")
        ));
    }
}

/// The same facts, if every value had this source, too.
fn as_if(facts: &Facts, source: Source) -> Facts {
    let mut facts = facts.clone();
    let name = source.name();
    for request in &mut facts.requests {
        let target = request.context.get_mut("target");
        if let Some(Value::Array(sources)) = target.and_then(|target| target.get_mut("sources")) {
            sources.retain(|known| known != "none" && known != name);
            sources.push(json!(name));
        }
        strongest(&mut request.context, name);
    }
    strongest(&mut facts.context, name);
    facts
}

/// The members of a context that hold the strongest source of each of several values.
fn strongest(context: &mut Map<String, Value>, name: &str) {
    let one = |sources: &mut Value| {
        if sources.as_array().is_some_and(|all| !all.is_empty()) {
            *sources = json!([name]);
        }
    };
    if let Some(Value::Object(arguments)) = context.get_mut("sources") {
        arguments.values_mut().for_each(one);
    }
    if let Some(Value::Object(text)) = context.get_mut("text")
        && let Some(sources) = text.get_mut("sources")
    {
        one(sources);
    }
}

/// The same facts, if the turn spoke of the action.
fn as_if_asked(facts: &Facts) -> Facts {
    let mut facts = facts.clone();
    let contexts = facts
        .requests
        .iter_mut()
        .map(|request| &mut request.context)
        .chain(Some(&mut facts.context));
    for context in contexts {
        if let Some(Value::Object(asked)) = context.get_mut("asked") {
            asked.values_mut().for_each(|said| *said = json!(true));
        }
    }
    facts
}
