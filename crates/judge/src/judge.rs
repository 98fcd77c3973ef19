//! From facts to a verdict.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::iter::once;

use cedar_policy::{
    Authorizer, Context, Decision, Entities, Entity, EntityId, EntityTypeName, EntityUid,
    PolicySet, Request, Response, RestrictedExpression, Schema,
};
use countersign_core::document::{CedarRequest, EntityFact, Facts, ReviewBy, ReviewFact};
use countersign_core::entry::ReviewAnswer;
use countersign_core::limits::LEAF_LIST;
use countersign_core::names::{ActionName, BuiltinReason, ReasonId};
use countersign_core::verdict::{Outcome, Verdict};
use serde_json::{Map, Value, json};

use crate::bundle::{Action, CompiledBundle, Shown, Slice};

mod trace;

pub(crate) use trace::outline;
pub use trace::{
    Had, Held, PolicyTrace, SourceComparison, SourceTest, SourcesOf, TargetTrace, Unmet, trace,
};

/// Judges the facts under the bundle's policies. Pure: the same facts and bundle give the same
/// verdict. Whatever cannot be evaluated is rejected.
///
/// Each target is judged by itself; the call takes the worst outcome, and its reasons are those of
/// the targets that have it, at most [`LEAF_LIST`]. A person's answer to the escalation of this very
/// call is looked at last: it lifts rules that asked, and nothing else.
pub fn judge(bundle: &CompiledBundle, facts: &Facts) -> Verdict {
    if let Some(obstacle) = &facts.obstacle {
        let reason = BuiltinReason::ALL
            .into_iter()
            .find(|reason| reason.name() == obstacle)
            .unwrap_or(BuiltinReason::EvaluationError);
        return rejected(reason);
    }
    bundle.evaluating(|| judged(bundle, facts))
}

fn judged(bundle: &CompiledBundle, facts: &Facts) -> Verdict {
    let judgements = judgements(bundle, facts);
    let verdict = |request: &CedarRequest| match judgements.get(request.action.as_str()) {
        Some(Some(judgement)) => judgement.target(request),
        _ => TargetVerdict::rejected(BuiltinReason::EvaluationError),
    };
    let targets: Vec<TargetVerdict> = facts.requests.iter().map(verdict).collect();
    let verdict = combine(&targets);
    match &facts.inputs.review {
        Some(review) => reviewed(bundle, review, verdict, &targets),
        None => verdict,
    }
}

/// The verdict on one target.
struct TargetVerdict {
    outcome: Outcome,
    reasons: BTreeSet<ReasonId>,
    /// Of one that is asked about: what would permit it.
    permits: BTreeSet<ReasonId>,
}

impl TargetVerdict {
    fn of(outcome: Outcome, reasons: BTreeSet<ReasonId>) -> Self {
        Self {
            outcome,
            reasons,
            permits: BTreeSet::new(),
        }
    }

    fn rejected(reason: BuiltinReason) -> Self {
        Self::of(
            Outcome::Rejected,
            BTreeSet::from([ReasonId::builtin(reason)]),
        )
    }
}

/// The verdict once a person has answered. A no counts whatever the bundle; a yes counts under the
/// bundle that asked, if it was asked about every rule that asks now, of all targets: a call that
/// is asked about anew is asked about as a whole.
fn reviewed(
    bundle: &CompiledBundle,
    review: &ReviewFact,
    verdict: Verdict,
    targets: &[TargetVerdict],
) -> Verdict {
    if verdict.outcome == Outcome::Rejected {
        return verdict;
    }
    if review.answer == ReviewAnswer::Reject {
        return rejected(BuiltinReason::ReviewRejected);
    }
    let lifts = |rule: &ReasonId| {
        let may = bundle.escalates_to_requester(rule);
        review.reasons.contains(rule)
            && match review.by {
                ReviewBy::Reviewer => may.is_some(),
                ReviewBy::Requester => may == Some(true),
            }
    };
    let asking = targets.iter().filter(|it| it.outcome == Outcome::Escalated);
    let is_lifted = review.policy_ref == bundle.policy_ref()
        && asking.clone().flat_map(|it| &it.reasons).all(lifts);
    if verdict.outcome != Outcome::Escalated || !is_lifted {
        return verdict;
    }
    // Of one that nobody is asked about, what permits it are its reasons.
    let permits = targets.iter().flat_map(|target| match target.outcome {
        Outcome::Escalated => &target.permits,
        _ => &target.reasons,
    });
    let permits: BTreeSet<ReasonId> = permits.cloned().collect();
    Verdict {
        outcome: Outcome::Approved,
        reasons: permits.into_iter().take(LEAF_LIST).collect(),
    }
}

/// One judgement for each thing that the call does; none where the facts do not fit the bundle.
fn judgements<'a>(
    bundle: &'a CompiledBundle,
    facts: &'a Facts,
) -> BTreeMap<&'a str, Option<Judgement<'a>>> {
    let judged = facts.done().map(|action| {
        let judgement = Judgement::prepare(bundle, facts, action);
        (action.as_str(), judgement)
    });
    judged.collect()
}

/// The worst outcome, with the reasons of the targets that have it.
fn combine(per_target: &[TargetVerdict]) -> Verdict {
    let rank = |outcome| match outcome {
        Outcome::Approved => 0,
        Outcome::Escalated => 1,
        Outcome::Rejected | Outcome::Modified | Outcome::Deferred => 2,
    };
    let Some(worst) = per_target
        .iter()
        .map(|v| v.outcome)
        .max_by_key(|o| rank(*o))
    else {
        return rejected(BuiltinReason::EvaluationError);
    };
    let reasons = per_target
        .iter()
        .filter(|verdict| verdict.outcome == worst)
        .flat_map(|verdict| &verdict.reasons)
        .collect::<BTreeSet<_>>();
    Verdict {
        outcome: worst,
        reasons: reasons.into_iter().take(LEAF_LIST).cloned().collect(),
    }
}

fn rejected(reason: BuiltinReason) -> Verdict {
    Verdict {
        outcome: Outcome::Rejected,
        reasons: BTreeSet::from([ReasonId::builtin(reason)]),
    }
}

/// What all targets of one call share that the same thing is done to.
struct Judgement<'a> {
    bundle: &'a CompiledBundle,
    facts: &'a Facts,
    name: &'a ActionName,
    action: &'a Action,
    /// Whether the shared members of the context are of their types.
    is_typed: bool,
    entities: Cow<'a, Entities>,
    kinds: BTreeMap<&'a str, Kind<'a>>,
    authorizer: Authorizer,
}

/// What all targets of one entity type share.
struct Kind<'a> {
    name: &'a EntityTypeName,
    slice: &'a Slice,
    /// The shared members of the context that the policies can read, made once for all targets.
    shared: OnceCell<Option<Context>>,
}

impl<'a> Judgement<'a> {
    /// `None` if the facts do not fit the bundle's schema.
    fn prepare(bundle: &'a CompiledBundle, facts: &'a Facts, name: &'a ActionName) -> Option<Self> {
        let action = bundle.action(name)?;
        let mut kinds = BTreeMap::new();
        let own = |request: &&CedarRequest| request.action == name.as_str();
        for request in facts.requests.iter().filter(own) {
            let kind = request.resource.kind.as_str();
            // A target of any other type is no target of this action, and rejected.
            if !kinds.contains_key(kind)
                && let (Some(name), Some(slice)) = (action.kind(kind), action.slice(kind))
            {
                let shared = OnceCell::new();
                kinds.insert(
                    kind,
                    Kind {
                        name,
                        slice,
                        shared,
                    },
                );
            }
        }
        let entities = match facts.entities.as_slice() {
            [] => Cow::Borrowed(&action.alone),
            known => {
                let known = known.iter().map(|fact| entity(bundle, fact));
                let all: Option<Vec<Entity>> =
                    once(Some(action.entity.clone())).chain(known).collect();
                Cow::Owned(Entities::from_entities(all?, None).ok()?)
            }
        };
        Some(Self {
            bundle,
            facts,
            name,
            action,
            is_typed: action.types(&facts.context),
            entities,
            kinds,
            authorizer: Authorizer::new(),
        })
    }

    /// The verdict on one target.
    fn target(&self, request: &CedarRequest) -> TargetVerdict {
        match self.prepared(request) {
            Some((kind, request)) => self.verdict(kind.slice, &request),
            None => TargetVerdict::rejected(BuiltinReason::EvaluationError),
        }
    }

    fn prepared(&self, request: &CedarRequest) -> Option<(&Kind<'a>, Request)> {
        let kind = self
            .kinds
            .get(request.resource.kind.as_str())
            .filter(|_| request.action == self.name.as_str())?;
        Some((kind, self.request(kind, request)?))
    }

    /// The request, if it fits the schema. What is known to fit is not checked again, and only
    /// what the policies can read is made.
    fn request(&self, kind: &Kind<'_>, request: &CedarRequest) -> Option<Request> {
        let is_known_to_fit = self.bundle.is_plain(&request.resource.kind)
            && self.is_typed
            && self.action.types(&request.context)
            && self.action.admits(&self.facts.context, &request.context);
        if !is_known_to_fit {
            return self.checked(kind, request);
        }
        debug_assert!(
            self.checked(kind, request).is_some(),
            "what fits must fit the schema"
        );
        let own = pairs(&request.context, &kind.slice.shown)?;
        let shared = || pairs(&self.facts.context, &kind.slice.shown);
        let context = match self.facts.requests.as_slice() {
            [_] => Context::from_pairs(shared()?.into_iter().chain(own)).ok()?,
            _ => {
                let shared = kind
                    .shared
                    .get_or_init(|| Context::from_pairs(shared()?).ok());
                shared.clone()?.merge(own).ok()?
            }
        };
        self.built(kind, request, context, None)
    }

    /// The request with the whole context, checked against the schema.
    fn checked(&self, kind: &Kind<'_>, request: &CedarRequest) -> Option<Request> {
        let context = Context::from_pairs(pairs(&self.facts.context, &Shown::All)?).ok()?;
        let context = context.merge(pairs(&request.context, &Shown::All)?).ok()?;
        let schema = Some(self.bundle.cedar_schema());
        self.built(kind, request, context, schema)
    }

    fn built(
        &self,
        kind: &Kind<'_>,
        request: &CedarRequest,
        context: Context,
        schema: Option<&Schema>,
    ) -> Option<Request> {
        let principal = EntityId::new(&request.principal);
        let resource = EntityId::new(&request.resource.id);
        Request::new(
            EntityUid::from_type_name_and_id(self.bundle.actor_type().clone(), principal),
            self.action.uid.clone(),
            EntityUid::from_type_name_and_id(kind.name.clone(), resource),
            context,
            schema,
        )
        .ok()
    }

    /// First without the forbids that escalate: unless that permits, nobody is asked.
    fn verdict(&self, slice: &Slice, request: &Request) -> TargetVerdict {
        let base = self.evaluate(&slice.base, request);
        if base.errors || base.decision == Decision::Deny {
            return base.rejection();
        }
        let Some(escalations) = &slice.escalations else {
            return TargetVerdict::of(Outcome::Approved, base.reasons);
        };
        // These are forbids only, so the answer is a denial; what matters is which of them hold.
        let asked = self.evaluate(escalations, request);
        if asked.errors {
            return asked.rejection();
        }
        match asked.reasons.is_empty() {
            true => TargetVerdict::of(Outcome::Approved, base.reasons),
            false => TargetVerdict {
                outcome: Outcome::Escalated,
                reasons: asked.reasons,
                permits: base.reasons,
            },
        }
    }

    fn evaluate(&self, policies: &PolicySet, request: &Request) -> Evaluated {
        Evaluated::of(
            &self
                .authorizer
                .is_authorized(request, policies, &self.entities),
        )
    }
}

struct Evaluated {
    decision: Decision,
    reasons: BTreeSet<ReasonId>,
    errors: bool,
}

impl Evaluated {
    fn of(response: &Response) -> Self {
        let diagnostics = response.diagnostics();
        // The ids of policies that raised an error stand beside the built-in reason, so that their
        // author finds them.
        let failed = diagnostics.errors().map(|error| match error {
            cedar_policy::AuthorizationError::PolicyEvaluationError(error) => error.policy_id(),
        });
        let errors = diagnostics.errors().next().is_some();
        let mut reasons: BTreeSet<ReasonId> = failed.filter_map(reason).collect();
        if !errors || response.decision() == Decision::Deny {
            reasons.extend(diagnostics.reason().filter_map(reason));
        }
        if errors {
            reasons.insert(ReasonId::builtin(BuiltinReason::EvaluationError));
        }
        Self {
            decision: response.decision(),
            reasons,
            errors,
        }
    }

    fn rejection(self) -> TargetVerdict {
        if self.reasons.is_empty() {
            return TargetVerdict::rejected(BuiltinReason::NoPermit);
        }
        TargetVerdict::of(Outcome::Rejected, self.reasons)
    }
}

fn reason(id: &cedar_policy::PolicyId) -> Option<ReasonId> {
    AsRef::<str>::as_ref(id).parse().ok()
}

/// An entity of the directory, held to its declared type.
fn entity(bundle: &CompiledBundle, fact: &EntityFact) -> Option<Entity> {
    let value = json!({
        "uid": {"type": fact.entity.kind, "id": fact.entity.id},
        "attrs": fact.attributes,
        "parents": [],
    });
    Entity::from_json_value(value, Some(bundle.cedar_schema())).ok()
}

/// What is shown of the members of a record.
fn pairs(
    members: &Map<String, Value>,
    shown: &Shown,
) -> Option<Vec<(String, RestrictedExpression)>> {
    members
        .iter()
        .filter_map(|(name, value)| Some((name, value, shown.member(name)?)))
        .map(|(name, value, shown)| Some((name.clone(), expression(value, shown)?)))
        .collect()
}

/// Plain JSON as a Cedar value. Cedar's own JSON form would read `__entity` and `__extn` in an
/// agent's arguments as more than text; here an object is a record, whatever its members.
fn expression(value: &Value, shown: &Shown) -> Option<RestrictedExpression> {
    Some(match value {
        Value::String(text) => RestrictedExpression::new_string(text.clone()),
        Value::Bool(bool) => RestrictedExpression::new_bool(*bool),
        Value::Number(number) => RestrictedExpression::new_long(number.as_i64()?),
        Value::Array(items) => {
            let items = items.iter().map(|item| expression(item, &Shown::All));
            RestrictedExpression::new_set(items.collect::<Option<Vec<_>>>()?)
        }
        Value::Object(members) => RestrictedExpression::new_record(pairs(members, shown)?).ok()?,
        Value::Null => return None,
    })
}
