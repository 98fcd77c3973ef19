//! Decisions, escalations and their reviews, and stops.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use countersign_core::entry::{Decision, Mode, Revocation, RevocationEffect, RevocationScope};
use countersign_core::ids::{CredentialId, EntryId};
use countersign_core::names::{ActorName, BuiltinReason, ReasonId};
use countersign_core::pseudonym::Pseudonym;
use countersign_core::refs::{CallRef, IntentRef, PolicyRef};
use countersign_core::time::Timestamp;
use countersign_core::verdict::Outcome;

use crate::report::{At, Check};

/// Every decision of the log.
#[derive(Default)]
pub(crate) struct Decisions {
    seen: HashMap<EntryId, Seen>,
    stopped: BTreeSet<ActorName>,
    is_all_stopped: bool,
    outcomes: BTreeMap<&'static str, u64>,
    escalated: u64,
    closed: HashSet<EntryId>,
    /// The calls of those that were escalated.
    escalated_calls: HashSet<CallRef>,
    /// Decisions beside which a bundle in shadow judged.
    shadowed: HashSet<EntryId>,
    /// Whether the decisions are kept, to be judged again.
    #[cfg(feature = "rejudge")]
    is_keeping: bool,
    /// The decisions themselves, in order, if they are kept.
    #[cfg(feature = "rejudge")]
    pub(crate) all: Vec<(u64, EntryId, Box<Decision>)>,
}

/// What later entries need of a decision.
pub(crate) struct Seen {
    pub(crate) index: u64,
    pub(crate) outcome: Outcome,
    pub(crate) mode: Mode,
    pub(crate) actor: ActorName,
    pub(crate) intent_ref: Option<IntentRef>,
    pub(crate) session: Option<Pseudonym>,
    pub(crate) delegation: Option<EntryId>,
    pub(crate) credential: CredentialId,
    pub(crate) call_ref: Option<CallRef>,
    /// Whether its tool was listed otherwise than it was confirmed.
    pub(crate) has_changed_tool: bool,
    pub(crate) policy_ref: PolicyRef,
    pub(crate) targets: Box<[Pseudonym]>,
    pub(crate) principal: Option<Pseudonym>,
    pub(crate) time: Timestamp,
    /// Of an escalation: the rules that ask.
    pub(crate) reasons: Vec<ReasonId>,
}

/// Whether the call was refused before it was judged: it rests on no facts and no intent.
pub(crate) fn is_unread(body: &Decision) -> bool {
    body.outcome == Outcome::Rejected && body.facts_ref.is_none() && body.intent_ref.is_none()
}

impl Decisions {
    /// Keeps every decision from now on, if they are to be judged again.
    #[cfg(feature = "rejudge")]
    pub(crate) fn keeping(is_keeping: bool) -> Self {
        Self {
            is_keeping,
            ..Self::default()
        }
    }

    pub(crate) fn get(&self, id: &EntryId) -> Option<&Seen> {
        self.seen.get(id)
    }

    pub(crate) fn is_escalation(&self, id: &EntryId) -> bool {
        self.get(id)
            .is_some_and(|seen| seen.outcome == Outcome::Escalated && seen.mode == Mode::Enforced)
    }

    /// Whether an escalation was closed.
    pub(crate) fn is_closed(&self, id: &EntryId) -> bool {
        self.closed.contains(id)
    }

    /// Whether an enforced decision on the call was an escalation.
    pub(crate) fn is_escalated_call(&self, call: &CallRef) -> bool {
        self.escalated_calls.contains(call)
    }

    pub(crate) fn by_outcome(&self) -> BTreeMap<String, u64> {
        let outcomes = self.outcomes.iter();
        outcomes.map(|(name, n)| ((*name).to_owned(), *n)).collect()
    }

    pub(crate) fn open_escalations(&self) -> u64 {
        let closed = u64::try_from(self.closed.len()).unwrap_or(u64::MAX);
        self.escalated.saturating_sub(closed)
    }

    /// Whether nothing may be done by an actor.
    pub(crate) fn is_stopped(&self, actor: &ActorName) -> bool {
        let stops = |pattern: &ActorName| actor.matches(pattern.as_str());
        self.is_all_stopped || self.stopped.iter().any(stops)
    }

    pub(crate) fn stop(&mut self, at: &mut At<'_>, body: &Revocation) {
        let is_stop = body.effect == RevocationEffect::Stop;
        match (body.scope, &body.actor) {
            (RevocationScope::Everything, _) => {
                let was = std::mem::replace(&mut self.is_all_stopped, is_stop);
                let expected = "a stop that is in force";
                at.require(was || is_stop, Check::Members, "`resume`", expected);
            }
            (RevocationScope::Actor, Some(actor)) if is_stop => {
                self.stopped.insert(actor.clone());
            }
            (RevocationScope::Actor, Some(actor)) => {
                let was = self.stopped.remove(actor);
                at.require(was, Check::Members, "`resume`", "a stop that is in force");
            }
            (RevocationScope::Actor | RevocationScope::Turn, _) => {}
        }
    }

    pub(crate) fn decide(&mut self, at: &mut At<'_>, body: &Decision) {
        check_members(at, body);
        match body.mode {
            Mode::Enforced => self.enforce(at, body),
            Mode::Shadow => self.shadow(at, body),
        }
        let seen = Seen {
            index: at.index,
            outcome: body.outcome,
            mode: body.mode,
            actor: body.actor.clone(),
            intent_ref: body.intent_ref,
            session: body.session,
            delegation: body.links.delegation,
            call_ref: body.call_ref,
            credential: body.credential,
            has_changed_tool: body
                .reasons
                .contains(&ReasonId::builtin(BuiltinReason::ToolChanged)),
            policy_ref: body.policy_ref,
            targets: body.targets.as_slice().into(),
            principal: body.principal,
            time: at.entry.timestamp,
            reasons: match body.outcome {
                Outcome::Escalated => body.reasons.clone(),
                _ => Vec::new(),
            },
        };
        self.seen.entry(at.entry.entry_id).or_insert(seen);
        #[cfg(feature = "rejudge")]
        if self.is_keeping {
            let kept = Box::new(body.clone());
            self.all.push((at.index, at.entry.entry_id, kept));
        }
    }

    fn enforce(&mut self, at: &mut At<'_>, body: &Decision) {
        let is_stopped = self.is_stopped(&body.actor);
        let is_refused = body.outcome == Outcome::Rejected;
        let found = format_args!("`{}` while a stop is in force", body.outcome.name());
        at.require(
            is_refused || !is_stopped,
            Check::Stopped,
            found,
            "`rejected`",
        );
        let is_own = body.links.shadows.is_none();
        let expected = "only where the mode is `shadow`";
        at.require(is_own, Check::Members, "`shadows`", expected);
        if body.links.resolves.is_some() {
            self.close(at, body.links.resolves);
        }
        *self.outcomes.entry(body.outcome.name()).or_default() += 1;
        if body.outcome == Outcome::Escalated {
            self.escalated += 1;
            self.escalated_calls.extend(body.call_ref);
        }
    }

    /// A verdict of a bundle in shadow stands beside one enforced decision, and does nothing.
    fn shadow(&mut self, at: &mut At<'_>, body: &Decision) {
        *self.outcomes.entry(Mode::Shadow.name()).or_default() += 1;
        let links = &body.links;
        let does_nothing = body.counts.is_empty()
            && links.review.is_none()
            && links.resolves.is_none()
            && links.modifies.is_none()
            && links.continues.is_none();
        let expected = "nothing counted, resolved or followed up in shadow";
        at.require(does_nothing, Check::Members, "an effect", expected);
        let Some(id) = links.shadows else {
            let expected = "`shadows` names the enforced decision";
            at.fail(Check::Link, "no `shadows`", expected);
            return;
        };
        let Some(beside) = self.get(&id) else {
            return; // The link itself is a finding then.
        };
        let is_same = beside.mode == Mode::Enforced
            && beside.actor == body.actor
            && beside.intent_ref == body.intent_ref
            && beside.session == body.session
            && beside.call_ref == body.call_ref;
        let found = format_args!("entry {}", beside.index);
        let expected = "the enforced decision on the same call";
        at.require(is_same, Check::Link, found, expected);
        let is_first = self.shadowed.insert(id);
        let found = format_args!("{id}, beside which a bundle judged before");
        let expected = "one verdict in shadow for a decision";
        at.require(is_first, Check::UsedOnce, found, expected);
    }

    /// Closes an escalation, which no other entry may do again.
    pub(crate) fn close(&mut self, at: &mut At<'_>, escalation: Option<EntryId>) {
        let Some(id) = escalation.filter(|id| self.is_escalation(id)) else {
            return; // The link itself is a finding then.
        };
        let is_first = self.closed.insert(id);
        let found = format_args!("{id}, which was closed before");
        at.require(is_first, Check::UsedOnce, found, "an open escalation");
    }
}

fn check_members(at: &mut At<'_>, body: &Decision) {
    let is_produced = !matches!(body.outcome, Outcome::Modified | Outcome::Deferred);
    let found = format_args!("`{}`", body.outcome.name());
    let expected = "an outcome that version 1 produces";
    at.require(is_produced, Check::Members, found, expected);
    let is_plain = body.effective_call_ref.is_none();
    at.require(
        is_plain,
        Check::Members,
        "`effective_call_ref`",
        "only with `modified`",
    );
    let is_whole = body.call_ref.is_some() && body.facts_ref.is_some();
    let is_rejected = body.outcome == Outcome::Rejected;
    let expected = "a call and facts";
    at.require(is_whole || is_rejected, Check::Members, "`null`", expected);
    let names_first = body
        .actions
        .as_ref()
        .is_none_or(|actions| actions.contains(&body.action));
    at.require(
        names_first,
        Check::Members,
        "other `actions`",
        "`action` among them",
    );
}
