//! The context of the Cedar requests.

use std::collections::BTreeSet;

use countersign_core::document::{EntityKind, Source};
use serde_json::{Map, Value, json};

use super::ChainTurn;
use super::drawing::Drawing;
use super::targets::ReadTarget;
use super::trail::grounds;
use super::values::Arguments;
use crate::bundle::Action;
use crate::gate::{Asked, Words};
use crate::mention::TurnMentions;
use crate::value::type_name;

/// The effect that policies see where no manifest states one.
const UNKNOWN_EFFECT: &str = "unknown";
/// About how many members a context has that all requests share.
const SHARED: usize = 16;
/// About how many members `context.target` has.
const OF_TARGET: usize = 12;
/// Milliseconds in a minute.
const MINUTE_MS: i64 = 60_000;

/// What all requests of the call share.
pub(super) fn shared(
    drawing: &Drawing<'_>,
    targets: &[&ReadTarget],
    arguments: &Arguments,
) -> Map<String, Value> {
    let lookups: BTreeSet<&str> = targets
        .iter()
        .map(|target| target.parsed.lookup())
        .collect();
    let mut context = Map::with_capacity(SHARED);
    context.extend([
        ("intent".to_owned(), intent(drawing)),
        ("mentioned".to_owned(), mentioned(drawing)),
        ("targets".to_owned(), json!(lookups)),
        ("has_targets".to_owned(), json!(!targets.is_empty())),
        ("target_count".to_owned(), json!(targets.len())),
        ("tool".to_owned(), json!(drawing.inputs.call.tool)),
    ]);
    if drawing.traces_all() {
        context.insert("text".to_owned(), text(arguments));
        context.insert("carries".to_owned(), carries(arguments));
        context.insert("hand_over".to_owned(), json!(hands_over(drawing)));
        context.insert("time".to_owned(), time(drawing));
    }
    context
}

/// What all requests of one action share: the arguments as it types them, and its effect. `None`
/// stands for an unknown tool.
pub(super) fn of_action(
    drawing: &Drawing<'_>,
    action: Option<(&Action, &'static str)>,
    arguments: &Arguments,
) -> Map<String, Value> {
    let args = match action {
        Some((action, _)) => action.visible_args(&drawing.inputs.call.args),
        None => json!({}),
    };
    let effect = action.map_or(UNKNOWN_EFFECT, |(_, effect)| effect);
    let mut context = Map::from_iter([
        ("effect".to_owned(), json!(effect)),
        ("args".to_owned(), args),
    ]);
    if drawing.traces_all() {
        let args = &drawing.inputs.call.args;
        let sources = sources(action.map(|(action, _)| action), args, arguments);
        context.insert("sources".to_owned(), sources);
    }
    context
}

/// What is the request's own: its target.
pub(super) fn target(drawing: &Drawing<'_>, target: &ReadTarget) -> Value {
    let sources: Vec<&str> = target
        .fact
        .sources
        .iter()
        .copied()
        .map(Source::name)
        .collect();
    let mut members = Map::with_capacity(OF_TARGET);
    members.extend([
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
    if let Some(in_project) = target.in_project {
        members.insert("in_project".to_owned(), json!(in_project));
    }
    if drawing.traces_all() {
        let handed_over =
            hands_over(drawing) && target.fact.sources.contains(&Source::NamedDocument);
        members.insert("named_in".to_owned(), json!(target.fact.named_in));
        members.insert("handed_over".to_owned(), json!(handed_over));
    }
    Value::Object(members)
}

/// Whether the principal's words speak of what the call does: those of the newest turn, and of the
/// turns before it if it only says yes.
pub(super) fn asked(drawing: &Drawing<'_>, words: Option<&Words>) -> Value {
    let mut all = Asked::default();
    let grounding = |(n, turn): &(usize, &ChainTurn<'_>)| grounds(drawing, *n, turn).is_some();
    let chain = drawing.inputs.chain.iter().enumerate();
    for (_, turn) in chain.filter(grounding) {
        let Some(words) = words else { break };
        let asked = turn.mentions.asks(words);
        all.verb |= asked.verb;
        all.noun |= asked.noun;
        if !turn.mentions.confirms() {
            break;
        }
    }
    json!({"verb": all.verb, "noun": all.noun})
}

fn hands_over(drawing: &Drawing<'_>) -> bool {
    let newest = drawing.inputs.chain.first();
    newest.is_some_and(|turn| turn.mentions.hands_over())
}

/// The strongest sources of the values of each argument that the action's type has and the call
/// holds.
fn sources(action: Option<&Action>, args: &Value, arguments: &Arguments) -> Value {
    let declared = action.into_iter().flat_map(Action::sourced);
    let given = declared.filter(|name| args.get(name).is_some_and(|value| !value.is_null()));
    given
        .map(|name| {
            let sources = arguments.sources.get(name);
            (name.to_owned(), sources.map_or_else(|| json!([]), names))
        })
        .collect::<Map<_, _>>()
        .into()
}

fn text(arguments: &Arguments) -> Value {
    let of = |kind: EntityKind| match arguments.text.get(&kind) {
        Some(forms) => json!(forms),
        None => json!([]),
    };
    record([
        ("sources", names(&arguments.text_sources)),
        ("emails", of(EntityKind::Email)),
        ("domains", of(EntityKind::Domain)),
        ("urls", of(EntityKind::Url)),
        ("ibans", of(EntityKind::Iban)),
        ("phones", of(EntityKind::Phone)),
        ("paths", of(EntityKind::Path)),
    ])
}

fn record<const N: usize>(members: [(&str, Value); N]) -> Value {
    let members = members.into_iter();
    Value::Object(
        members
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
    )
}

fn carries(arguments: &Arguments) -> Value {
    let labels = arguments.labels.iter().map(|label| label.name());
    labels.collect::<Vec<_>>().into()
}

fn names(sources: &BTreeSet<Source>) -> Value {
    let names = sources.iter().map(|source| source.name());
    names.collect::<Vec<_>>().into()
}

/// The time of the call on the bundle's clock.
fn time(drawing: &Drawing<'_>) -> Value {
    let ahead = i64::from(drawing.inputs.bundle.settings().utc_offset_min) * MINUTE_MS;
    let now = drawing.inputs.now.plus_millis(ahead);
    let days = now.as_millis().div_euclid(24 * 60 * MINUTE_MS);
    let minutes = now.as_millis().rem_euclid(24 * 60 * MINUTE_MS) / MINUTE_MS;
    // 1970-01-01 was a Thursday.
    let weekday = (days + 3).rem_euclid(7) + 1;
    let date: String = now.to_string().chars().take(10).collect();
    record([
        ("hour", json!(minutes / 60)),
        ("minute", json!(minutes % 60)),
        ("weekday", json!(weekday)),
        ("date", json!(date)),
    ])
}

fn intent(drawing: &Drawing<'_>) -> Value {
    let chain = drawing.inputs.chain;
    let Some(turn) = chain.first() else {
        return json!({"live": false, "earlier_turns": 0});
    };
    record([
        ("live", json!(true)),
        ("author", json!(turn.intent.author.name())),
        ("channel", json!(turn.intent.channel)),
        ("assurance", json!(turn.intent.assurance.name())),
        ("principal", json!(turn.intent.principal)),
        ("earlier_turns", json!(chain.len() - 1)),
    ])
}

/// What the principal's words in the turn that the call names mention.
fn mentioned(drawing: &Drawing<'_>) -> Value {
    let nothing = TurnMentions::default();
    let mentioned = drawing
        .inputs
        .chain
        .first()
        .map_or(&nothing, |turn| turn.mentions)
        .mentioned();
    let mut sets = vec![
        ("emails", &mentioned.emails),
        ("domains", &mentioned.domains),
        ("urls", &mentioned.urls),
        ("ids", &mentioned.ids),
        ("amounts", &mentioned.amounts),
    ];
    if drawing.traces_all() {
        sets.extend([("ibans", &mentioned.ibans), ("phones", &mentioned.phones)]);
    }
    let sets = sets
        .into_iter()
        .map(|(name, set)| (name.to_owned(), json!(set)));
    Value::Object(sets.collect())
}
