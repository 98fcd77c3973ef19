//! Where the values of arguments that are no targets came from, what stands in texts, and what the
//! arguments hold of fields that not everybody may read.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use countersign_core::document::{
    ArgumentRole, CarriedFact, Confidentiality, EntityKind, Source, TargetFact, TargetType,
    TextEntity, ValueFact,
};
use countersign_core::json::pointer::name_of;
use serde_json::Value;

use super::drawing::{Drawing, Leaf, leaves};
use super::trail::{StandsFor, Trail, Wanted};
use crate::bundle::{Roles, Tool};
use crate::limits::{CARRIED, CARRIED_STEPS, VALUE_EVIDENCE, VALUES};
use crate::mention::{TextEntities, TextFound, entities};
use crate::value::{Key, plain_keys, quantity_keys};

/// What was found of all arguments.
#[derive(Default)]
pub(super) struct Arguments {
    pub(super) values: Vec<ValueFact>,
    pub(super) carried: Vec<CarriedFact>,
    /// The labels of all that is carried, listed or not.
    pub(super) labels: BTreeSet<Confidentiality>,
    /// How many places are given so far.
    evidence: usize,
    /// What was traced already: a call can hold one value many times. Never iterated.
    traced: HashMap<(String, Vec<Key>, StandsFor<'static>), ValueFact>,
    /// The steps that the search for what is carried took so far.
    steps: usize,
    /// The strongest sources of the values of each argument, by its name.
    pub(super) sources: BTreeMap<String, BTreeSet<Source>>,
    /// The same of all that stands in texts.
    pub(super) text_sources: BTreeSet<Source>,
    /// The lookup forms of what stands in texts.
    pub(super) text: BTreeMap<EntityKind, BTreeSet<String>>,
}

/// More values than can be traced.
pub(super) struct TooMany;

/// Draws the facts of all arguments but the targets, whose own facts are there.
pub(super) fn draw(
    drawing: &Drawing<'_>,
    tool: &Tool,
    targets: &[TargetFact],
) -> Result<Arguments, TooMany> {
    let mut out = Arguments::default();
    for target in targets {
        out.note(&target.at, &target.sources);
    }
    // What a command line does is told from the line; its words are no text for a reader.
    let line = tool.commands().map(|table| table.declaration().at.as_str());
    let at_targets = targets.iter().map(|target| target.at.as_str());
    let at_targets: BTreeSet<&str> = at_targets.chain(line).collect();
    let mut done = Ok(());
    let args = &drawing.inputs.call.args;
    let whole = leaves(args, tool.roles(), &mut |at, role, leaf| {
        if done.is_ok() {
            done = match leaf {
                Leaf::Name(name) => out.name(drawing, at, role, name),
                Leaf::Value(Value::Null) => Ok(()),
                Leaf::Value(value) if at_targets.contains(at) => {
                    out.carry(drawing, at, &written(value));
                    Ok(())
                }
                Leaf::Value(value) => out.leaf(drawing, at, role, value),
            };
        }
    });
    done?;
    if whole { Ok(out) } else { Err(TooMany) }
}

/// The same of a tool that no manifest names: what stands in its arguments, and what they carry.
pub(super) fn of_unknown(drawing: &Drawing<'_>) -> Arguments {
    let mut out = Arguments::default();
    let roles = Roles::default();
    let whole = leaves(&drawing.inputs.call.args, &roles, &mut |at, _, leaf| {
        let text = match leaf {
            Leaf::Value(Value::Null | Value::Bool(_)) => return,
            Leaf::Value(value) => written(value),
            Leaf::Name(name) => name.to_owned(),
        };
        out.unread(drawing, at, &text);
    });
    if !whole {
        out.text_sources.insert(Source::None);
    }
    out
}

impl Arguments {
    fn leaf(
        &mut self,
        drawing: &Drawing<'_>,
        at: &str,
        role: Option<ArgumentRole>,
        value: &Value,
    ) -> Result<(), TooMany> {
        match (role, value) {
            (Some(ArgumentRole::Text), Value::String(text)) => self.words(drawing, at, text),
            // What the manifest says nothing of may be read by somebody, as text is.
            (None, Value::String(text)) => {
                self.unread(drawing, at, text);
                Ok(())
            }
            (None | Some(ArgumentRole::Text), Value::Bool(_)) => Ok(()),
            (None | Some(ArgumentRole::Text), value) => {
                self.carry(drawing, at, &written(value));
                Ok(())
            }
            (Some(role), value) => self.value(drawing, at, role, value),
        }
    }

    /// The name of a member that an agent chose. Where a value has a source, so has a name.
    fn name(
        &mut self,
        drawing: &Drawing<'_>,
        at: &str,
        role: Option<ArgumentRole>,
        name: &str,
    ) -> Result<(), TooMany> {
        match role {
            None => {
                self.unread(drawing, at, name);
                Ok(())
            }
            Some(ArgumentRole::Text) => self.words(drawing, at, name),
            Some(_) => {
                self.words(drawing, at, name)?;
                let name = Value::String(name.to_owned());
                self.value(drawing, at, ArgumentRole::Identity, &name)
            }
        }
    }

    fn value(
        &mut self,
        drawing: &Drawing<'_>,
        at: &str,
        role: ArgumentRole,
        value: &Value,
    ) -> Result<(), TooMany> {
        let keys = match role {
            ArgumentRole::Quantity => quantity_keys(value),
            _ => plain_keys(value),
        };
        let written = written(value);
        self.carry(drawing, at, &written);
        let fact = ValueFact {
            at: at.to_owned(),
            role,
            found: None,
            ..self.trace(drawing, written, keys, StandsFor::Nothing)
        };
        self.note(at, &fact.sources);
        self.push(fact)
    }

    /// What the manifest says nothing of. There may be more of it than can be traced.
    fn unread(&mut self, drawing: &Drawing<'_>, at: &str, text: &str) {
        if self.words(drawing, at, text).is_err() {
            self.text_sources.insert(Source::None);
        }
    }

    /// Words for a reader.
    fn words(&mut self, drawing: &Drawing<'_>, at: &str, text: &str) -> Result<(), TooMany> {
        self.carry(drawing, at, text);
        let TextEntities { found, too_many } = entities(text);
        for TextFound {
            kind,
            value,
            lookup,
            keys,
            offset,
            host,
        } in found
        {
            if self.values.len() == VALUES {
                return Err(TooMany);
            }
            let fact = ValueFact {
                at: at.to_owned(),
                role: ArgumentRole::Text,
                found: Some(TextEntity {
                    kind,
                    offset: u64::try_from(offset).unwrap_or(u64::MAX),
                }),
                ..self.trace(drawing, value, keys, stands_for(kind))
            };
            self.text_sources.insert(strongest(&fact.sources));
            self.text.entry(kind).or_default().insert(lookup);
            // A link leads to its host, as a bare domain does.
            if kind == EntityKind::Url
                && let Some(host) = host
            {
                self.text
                    .entry(EntityKind::Domain)
                    .or_default()
                    .insert(host);
            }
            self.push(fact)?;
        }
        if too_many { Err(TooMany) } else { Ok(()) }
    }

    /// The facts of one value but for its place.
    fn trace(
        &mut self,
        drawing: &Drawing<'_>,
        value: String,
        keys: Vec<Key>,
        stands_for: StandsFor<'static>,
    ) -> ValueFact {
        let wanted = (value, keys, stands_for);
        if let Some(known) = self.traced.get(&wanted) {
            return known.clone();
        }
        let (value, keys, stands_for) = &wanted;
        let mut trail = Trail::of(
            drawing,
            Wanted {
                value,
                keys,
                skeleton: None,
                stands_for: *stands_for,
            },
        );
        trail.end();
        let fact = ValueFact {
            at: String::new(),
            role: ArgumentRole::Text,
            found: None,
            value: value.clone(),
            sources: trail.sources,
            evidence: trail.evidence,
            named_in: trail.named_in,
        };
        self.traced.insert(wanted, fact.clone());
        fact
    }

    fn push(&mut self, mut fact: ValueFact) -> Result<(), TooMany> {
        if self.values.len() == VALUES {
            return Err(TooMany);
        }
        fact.evidence.truncate(VALUE_EVIDENCE - self.evidence);
        self.evidence += fact.evidence.len();
        self.values.push(fact);
        Ok(())
    }

    fn note(&mut self, at: &str, sources: &BTreeSet<Source>) {
        let name = at.split('/').nth(1).unwrap_or_default();
        self.sources
            .entry(name_of(name))
            .or_default()
            .insert(strongest(sources));
    }

    fn carry(&mut self, drawing: &Drawing<'_>, at: &str, text: &str) {
        if self.steps > CARRIED_STEPS {
            return;
        }
        let results = drawing.inputs.results;
        for carried in results.carried(text, &mut self.steps) {
            self.labels.insert(carried.label);
            if self.carried.len() < CARRIED {
                self.carried.push(CarriedFact {
                    at: at.to_owned(),
                    label: carried.label,
                    result_ref: carried.result_ref,
                    pointer: carried.pointer,
                });
            }
        }
        if self.steps > CARRIED_STEPS {
            self.labels.extend(results.hidden());
        }
    }
}

/// A value as it is looked for.
fn written(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The one with the most authority. That a person approved this very call takes nothing from what
/// its values are: the rules see of them what they saw when they asked.
pub(super) fn strongest(sources: &BTreeSet<Source>) -> Source {
    Source::BY_AUTHORITY
        .into_iter()
        .filter(|source| *source != Source::Approved)
        .find(|source| sources.contains(source))
        .unwrap_or(Source::None)
}

fn stands_for(kind: EntityKind) -> StandsFor<'static> {
    match kind {
        EntityKind::Email => StandsFor::Kind(TargetType::Email),
        EntityKind::Domain => StandsFor::Kind(TargetType::Domain),
        EntityKind::Url => StandsFor::Kind(TargetType::Url),
        EntityKind::Path => StandsFor::Kind(TargetType::Path),
        EntityKind::Iban | EntityKind::Phone => StandsFor::Kind(TargetType::Id),
    }
}
