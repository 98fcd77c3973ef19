//! What a reviewer is shown: committed to as a statement, and opened by an entry.

use std::collections::BTreeSet;

use countersign_core::document::{
    Call, Document as _, EntityFact, Evidence, Facts, PartBy, Place, Reasoning, Source, Statement,
    TargetFact, ValueFact,
};
use countersign_core::entry::{Decision, Role};
use countersign_core::history;
use countersign_core::ids::EntryId;
use countersign_core::json::CanonicalJson;
use countersign_core::refs::{IntentRef, Sha256};
use countersign_core::verdict::Outcome;
use countersign_ledger::{Filter, Order, Page};
use countersign_wire::{
    RawJson, ReviewShown, Shown, ShownBefore, ShownCarried, ShownRule, ShownTarget, ValueView,
};
use serde_json::value::RawValue;

use super::Escalated;
use super::differs::differences;
use crate::Service;
use crate::caller::Caller;
use crate::decide::{enforced, reasons};
use crate::error::ServiceError;
use crate::explain::{target_view, value_view};
use crate::history::LedgerRows;

/// Most turns that are shown.
const TURNS: usize = 4;
/// Most values beside the targets that are shown.
const VALUES: usize = 64;
/// Most arguments that carry something out that are shown.
const CARRIED: usize = 64;
/// Most places where one value was found that are shown.
const EVIDENCE: usize = 6;
/// Longest value, and longest words of a place, that are shown, in bytes. The call is shown whole.
const VALUE_BYTES: usize = 1_024;
/// Longest text of a rule or of the agent that is shown, in bytes.
const TEXT_BYTES: usize = 4 * 1_024;
/// How many earlier approvals are looked at for one of the same tool.
const EARLIER: usize = 4;

/// What is opened for a reviewer.
struct Opening {
    call: Call,
    facts: Facts,
    /// The turns that are shown, the one that the call names first.
    turns: Vec<IntentRef>,
    reasoning: Option<Reasoning>,
    before: Option<Before>,
}

/// An earlier call that was approved.
struct Before {
    call_ref: Sha256,
    shown: ShownBefore,
}

impl Service {
    /// What a reviewer needs to answer an escalation: the turn, the call, the rules that ask, where
    /// each value came from, what differs from a call that was approved before. That it was opened is
    /// an entry, and what was shown is committed to by it: the answer is signed over that.
    pub fn show_review(
        &self,
        caller: &Caller,
        decision: EntryId,
    ) -> Result<ReviewShown, ServiceError> {
        caller.require(Role::Reviewer)?;
        let escalated = self.open_escalation(decision)?;
        // Who may not answer is shown nothing.
        self.reviewer_of(caller, &escalated)?;
        let opening = self.opening(&escalated)?;
        let shown = self.shown(caller, &escalated, &opening)?;
        let (shown, text) = fitting(shown)?;
        let (shown_ref, record) = self.sealed_statement(&text)?;
        let statement = self
            .vault
            .open_bytes(&record)
            .map_err(ServiceError::internal)?;
        let turns = opening.turns.iter().map(|turn| self.raw(*turn.digest()));
        let turns = turns.collect::<Result<Vec<_>, _>>()?;
        let call = self.raw(refs(&escalated.decision)?.call)?;
        let refs = opening.refs(&escalated.decision)?;
        let (_, entry) = self.note_shown(caller, &refs, &(shown_ref, record))?;
        Ok(ReviewShown {
            shown_ref: shown_ref.to_string(),
            statement: raw(statement)?,
            shown,
            call,
            turns,
            entry,
        })
    }

    fn opening(&self, escalated: &Escalated) -> Result<Opening, ServiceError> {
        let decision = &escalated.decision;
        let named = refs(decision)?;
        let call: Call = self.open_internally(named.call)?;
        let facts: Facts = self.open_internally(named.facts)?;
        let reasoning = decision.reasoning_ref.map(Sha256::from);
        Ok(Opening {
            turns: turns_to_show(&facts),
            reasoning: reasoning.map(|it| self.open_internally(it)).transpose()?,
            before: self.before(decision, &call)?,
            call,
            facts,
        })
    }

    fn shown(
        &self,
        caller: &Caller,
        escalated: &Escalated,
        opening: &Opening,
    ) -> Result<Shown, ServiceError> {
        let Escalated {
            decision, bundle, ..
        } = escalated;
        let (call, facts) = (&opening.call, &opening.facts);
        let mut cuts = Cuts::default();
        let reasoning = opening
            .reasoning
            .as_ref()
            .map(|reasoning| reasoning.text.as_str());
        let reasoning = reasoning.map(|text| cuts.text("/reasoning", text, TEXT_BYTES));
        let mut values: Vec<&ValueFact> = facts.values.iter().collect();
        // Those that somebody must look at come first.
        values.sort_by_key(|fact| is_grounded(&fact.sources));
        let more_values = values.len().saturating_sub(VALUES);
        let values = values.into_iter().take(VALUES).enumerate();
        let named = refs(decision)?;
        Ok(Shown {
            decision: escalated.id.to_string(),
            reviewer: caller.id().to_string(),
            timestamp: escalated.timestamp.to_string(),
            deadline: escalated.deadline.to_string(),
            call_ref: named.call.to_string(),
            policy_ref: decision.policy_ref.to_string(),
            bundle_name: bundle.bundle().content.name.clone(),
            intent_ref: decision.intent_ref.map(|intent| intent.to_string()),
            facts_ref: named.facts.to_string(),
            action: decision.action.to_string(),
            actions: decision
                .actions
                .iter()
                .flatten()
                .map(ToString::to_string)
                .collect(),
            actor: decision.actor.to_string(),
            surface: decision.surface.to_string(),
            tool: call.tool.clone(),
            rules: rules(escalated, &mut cuts),
            requester_may_answer: escalated.requester_may_answer(),
            turns: opening.turns.iter().map(ToString::to_string).collect(),
            more_turns: count(
                facts
                    .inputs
                    .intents
                    .len()
                    .saturating_sub(opening.turns.len()),
            ),
            targets: self.targets(decision, facts, &mut cuts)?,
            values: values
                .map(|(n, fact)| shown_value(&format!("/values/{n}"), fact, &mut cuts))
                .collect(),
            more_values: count(more_values),
            carries: carries(facts),
            reasoning,
            before: opening.before.as_ref().map(|before| before.shown.clone()),
            cut: cuts.places,
        })
    }

    /// What the call acts on, and whether a call of the same action on it was approved before.
    fn targets(
        &self,
        decision: &Decision,
        facts: &Facts,
        cuts: &mut Cuts,
    ) -> Result<Vec<ShownTarget>, ServiceError> {
        let rows = LedgerRows {
            ledger: &self.ledger,
            rebuilt: &self.rebuilt,
        };
        let actions = decision.actions.as_deref().unwrap_or_default();
        let targets = facts.targets.iter().zip(&decision.targets).enumerate();
        targets
            .map(|(n, (fact, pseudonym))| {
                let row = history::approved_row(&decision.action, actions, pseudonym);
                let approved_before = history::Rows::read::<bool>(&rows, &row)?.is_some();
                let at = format!("/targets/{n}");
                Ok(shown_target(
                    &at,
                    fact,
                    &facts.entities,
                    approved_before,
                    cuts,
                ))
            })
            .collect()
    }

    /// The newest approved call of the same actor, action and tool; one of the same session first.
    fn before(&self, decision: &Decision, call: &Call) -> Result<Option<Before>, ServiceError> {
        let session = decision.session;
        let sessions = session.map(Some).into_iter().chain([None]);
        for session in sessions {
            let filter = Filter {
                kind: Some("decision".to_owned()),
                actor: Some(decision.actor.clone()),
                action: Some(decision.action.clone()),
                outcome: Some(Outcome::Approved),
                session,
                ..Filter::default()
            };
            let page = Page {
                order: Order::NewestFirst,
                after: None,
                limit: EARLIER,
            };
            for stored in self.ledger.query(&filter, &page)?.entries {
                let entry = countersign_core::entry::AnyEntry::from_leaf(&stored.bytes)?;
                let Some(earlier) = entry.body().and_then(enforced) else {
                    continue;
                };
                let Some(call_ref) = earlier.call_ref.map(Sha256::from) else {
                    continue;
                };
                // One that was erased is not compared.
                let Ok(then) = self.open_internally::<Call>(call_ref) else {
                    continue;
                };
                if then.tool != call.tool {
                    continue;
                }
                let same_session = session.is_some();
                return Ok(Some(Before {
                    call_ref,
                    shown: ShownBefore {
                        decision: entry.entry_id().to_string(),
                        timestamp: entry.timestamp().to_string(),
                        same_session,
                        differs: differences(&then.args, &call.args, same_session),
                    },
                }));
            }
        }
        Ok(None)
    }

    /// A sealed document as its canonical JSON.
    fn raw(&self, reference: Sha256) -> Result<RawJson, ServiceError> {
        let missing = || ServiceError::internal(format!("the vault holds no record {reference}"));
        let record = self.ledger.sealed(&reference)?.ok_or_else(missing)?;
        raw(self
            .vault
            .open_bytes(&record)
            .map_err(ServiceError::internal)?)
    }
}

impl Opening {
    /// All that is opened, each once.
    fn refs(&self, decision: &Decision) -> Result<Vec<Sha256>, ServiceError> {
        let named = refs(decision)?;
        let mut all = vec![named.call, named.facts];
        all.extend(self.turns.iter().map(|turn| *turn.digest()));
        all.extend(decision.reasoning_ref.map(Sha256::from));
        all.extend(self.before.as_ref().map(|before| before.call_ref));
        Ok(all)
    }
}

/// The call and the facts of an escalation, which it always has.
struct Refs {
    call: Sha256,
    facts: Sha256,
}

fn refs(decision: &Decision) -> Result<Refs, ServiceError> {
    let missing = || ServiceError::internal("an escalation without a call");
    Ok(Refs {
        call: decision.call_ref.ok_or_else(missing)?.into(),
        facts: decision.facts_ref.ok_or_else(missing)?.into(),
    })
}

/// The turn that the call names, and those whose words ground a value, in the order of the chain.
fn turns_to_show(facts: &Facts) -> Vec<IntentRef> {
    let targets = facts.targets.iter().map(|fact| &fact.evidence);
    let values = facts.values.iter().map(|fact| &fact.evidence);
    let words: BTreeSet<IntentRef> = targets
        .chain(values)
        .flatten()
        .filter_map(|evidence| match &evidence.place {
            Place::Turn {
                intent_ref,
                by: PartBy::Principal,
                ..
            } if !evidence.look_alike => Some(*intent_ref),
            _ => None,
        })
        .collect();
    let chain = facts.inputs.intents.iter().map(|input| input.intent_ref);
    let shown = chain
        .enumerate()
        .filter(|(n, turn)| *n == 0 || words.contains(turn));
    shown.map(|(_, turn)| turn).take(TURNS).collect()
}

/// Which arguments hold something of fields that not everybody may read, each once.
fn carries(facts: &Facts) -> Vec<ShownCarried> {
    let carried = facts.carried.iter().map(|fact| ShownCarried {
        at: fact.at.clone(),
        label: fact.label.name().to_owned(),
    });
    let carried: BTreeSet<ShownCarried> = carried.collect();
    carried.into_iter().take(CARRIED).collect()
}

fn rules(escalated: &Escalated, cuts: &mut Cuts) -> Vec<ShownRule> {
    let Escalated {
        decision, bundle, ..
    } = escalated;
    let told = reasons(bundle, &decision.reasons);
    let rules = decision.reasons.iter().zip(told).enumerate();
    rules
        .map(|(n, (id, told))| {
            let source = bundle
                .policy_text(id)
                .map_or_else(String::new, |it| it.text);
            ShownRule {
                source: cuts.text(&format!("/rules/{n}/source"), &source, TEXT_BYTES),
                requester_may_answer: bundle.escalates_to_requester(id) == Some(true),
                id: told.id,
                text: told.text,
            }
        })
        .collect()
}

fn shown_target(
    at: &str,
    fact: &TargetFact,
    entities: &[EntityFact],
    approved_before: bool,
    cuts: &mut Cuts,
) -> ShownTarget {
    let mut fact = fact.clone();
    fact.value = cuts.text(&format!("{at}/value"), &fact.value, VALUE_BYTES);
    short_evidence(at, &mut fact.evidence, cuts);
    let view = target_view(&fact, entities);
    ShownTarget {
        at: view.at,
        value: view.value,
        sources: view.sources,
        evidence: view.evidence,
        directory: view.directory,
        approved_before,
    }
}

fn shown_value(at: &str, fact: &ValueFact, cuts: &mut Cuts) -> ValueView {
    let mut fact = fact.clone();
    fact.value = cuts.text(&format!("{at}/value"), &fact.value, VALUE_BYTES);
    short_evidence(at, &mut fact.evidence, cuts);
    value_view(&fact)
}

fn short_evidence(at: &str, evidence: &mut Vec<Evidence>, cuts: &mut Cuts) {
    if evidence.len() > EVIDENCE {
        cuts.places.push(format!("{at}/evidence"));
        evidence.truncate(EVIDENCE);
    }
    for one in evidence {
        if let Some(written) = &mut one.as_written {
            *written = cut(written, VALUE_BYTES);
        }
    }
}

/// Whether somebody who may ask, or a system, vouches for a value.
fn is_grounded(sources: &BTreeSet<Source>) -> bool {
    let vouches = |source: &Source| !matches!(source, Source::None | Source::AnyOutput);
    sources.iter().any(vouches)
}

/// Where texts were cut.
#[derive(Default)]
struct Cuts {
    places: Vec<String>,
}

impl Cuts {
    fn text(&mut self, at: &str, text: &str, limit: usize) -> String {
        if text.len() > limit {
            self.places.push(at.to_owned());
        }
        cut(text, limit)
    }
}

/// The beginning of a text, at most so many bytes and a mark.
pub(super) fn cut(text: &str, limit: usize) -> String {
    if text.len() <= limit {
        return text.to_owned();
    }
    let end = (0..=limit).rev().find(|at| text.is_char_boundary(*at));
    format!("{}…", text.get(..end.unwrap_or(0)).unwrap_or_default())
}

/// What is shown with its text, shortened where a statement could not hold it.
fn fitting(mut shown: Shown) -> Result<(Shown, String), ServiceError> {
    let text = |shown: &Shown| {
        let canonical = CanonicalJson::of(shown)?;
        String::from_utf8(canonical.into_bytes()).map_err(ServiceError::internal)
    };
    let whole = text(&shown)?;
    // Quoted once more within the statement, each byte may take two.
    if whole.len() <= Statement::MAX_BYTES / 2 - TEXT_BYTES {
        return Ok((shown, whole));
    }
    shown.more_values = shown.more_values.saturating_add(count(shown.values.len()));
    shown.values.clear();
    for target in &mut shown.targets {
        target.evidence.clear();
        target.directory = None;
    }
    shown.cut = vec!["/values".to_owned(), "/targets".to_owned()];
    let short = text(&shown)?;
    match short.len() <= Statement::MAX_BYTES / 2 - TEXT_BYTES {
        true => Ok((shown, short)),
        false => Err(ServiceError::internal(
            "what is shown does not fit a statement",
        )),
    }
}

fn raw(bytes: Vec<u8>) -> Result<RawJson, ServiceError> {
    let text = String::from_utf8(bytes).map_err(ServiceError::internal)?;
    Ok(RawValue::from_string(text)?)
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
