//! Decisions, escalations and their reviews, and stops.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use countersign_core::entry::{
    Decision, Mode, Review, ReviewAnswer, Revocation, RevocationEffect, RevocationScope,
};
use countersign_core::ids::{CredentialId, EntryId};
use countersign_core::names::{ActorName, BuiltinReason, KeyText, Origin, ReasonId};
use countersign_core::pseudonym::Pseudonym;
use countersign_core::refs::{CallRef, IntentRef, PolicyRef};
use countersign_core::signed::entry_message;
use countersign_core::time::Timestamp;
use countersign_core::verdict::Outcome;

use crate::report::{At, Check};
use crate::signature::{decode, is_signed};

/// Every decision of the log.
#[derive(Default)]
pub(crate) struct Decisions {
    seen: HashMap<EntryId, Seen>,
    reviews: HashMap<EntryId, Answer>,
    nonces: HashSet<KeyText>,
    stopped: BTreeSet<ActorName>,
    is_all_stopped: bool,
    outcomes: BTreeMap<&'static str, u64>,
    escalated: u64,
    closed: HashSet<EntryId>,
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
    pub(crate) credential: CredentialId,
    pub(crate) call_ref: Option<CallRef>,
    /// Whether its tool was listed otherwise than it was confirmed.
    pub(crate) has_changed_tool: bool,
    pub(crate) policy_ref: PolicyRef,
}

struct Answer {
    escalation: Option<EntryId>,
    call_ref: CallRef,
    policy_ref: PolicyRef,
    answer: ReviewAnswer,
    expires_at: Timestamp,
    is_used: bool,
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
            call_ref: body.call_ref,
            credential: body.credential,
            has_changed_tool: body
                .reasons
                .contains(&ReasonId::builtin(BuiltinReason::ToolChanged)),
            policy_ref: body.policy_ref,
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
        self.use_review(at, body);
        if body.links.resolves.is_some() {
            self.close(at, body.links.resolves);
        }
        *self.outcomes.entry(body.outcome.name()).or_default() += 1;
        if body.outcome == Outcome::Escalated {
            self.escalated += 1;
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

    pub(crate) fn review(
        &mut self,
        at: &mut At<'_>,
        body: &Review,
        key: Option<KeyText>,
        origin: Option<&Origin>,
    ) {
        let message = origin.and_then(|origin| entry_message(origin, body).ok());
        let public = key.as_ref().and_then(decode::<32>);
        let holds = match (public, message) {
            (Some(public), Some(message)) => body
                .signature
                .as_ref()
                .is_some_and(|signature| is_signed(&public, &message, signature)),
            _ => false,
        };
        let expected = "a signature of the reviewer's key over the other members";
        let found = body
            .signature
            .as_ref()
            .map_or("no signature", KeyText::as_str);
        at.require(holds, Check::Review, found, expected);
        let is_fresh = self.nonces.insert(body.nonce.clone());
        at.require(is_fresh, Check::UsedOnce, "a nonce again", "a fresh nonce");
        if let Some(seen) = body.links.review.and_then(|id| self.get(&id)) {
            let fits = seen.call_ref == Some(body.call_ref)
                && seen.policy_ref == body.policy_ref
                && seen.intent_ref == body.intent_ref;
            let expected = "the call, bundle and intent of the escalation";
            at.require(
                fits,
                Check::Review,
                "another call, bundle or intent",
                expected,
            );
        }
        let answer = Answer {
            escalation: body.links.review,
            call_ref: body.call_ref,
            policy_ref: body.policy_ref,
            answer: body.answer,
            expires_at: body.expires_at,
            is_used: false,
        };
        self.reviews.insert(at.entry.entry_id, answer);
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

    fn use_review(&mut self, at: &mut At<'_>, body: &Decision) {
        let review = body.links.review.and_then(|id| self.reviews.get_mut(&id));
        let Some(review) = review else {
            return; // A link to something else is a finding of its own.
        };
        let is_first = !std::mem::replace(&mut review.is_used, true);
        at.require(
            is_first,
            Check::UsedOnce,
            "a review again",
            "an unused review",
        );
        let approves = review.answer == ReviewAnswer::Approve;
        let fits = review.escalation == body.links.resolves
            && Some(review.call_ref) == body.call_ref
            && at.entry.timestamp <= review.expires_at
            && (body.outcome != Outcome::Approved
                || approves && review.policy_ref == body.policy_ref);
        let expected = "the escalation, call and bundle of a live review that approves";
        at.require(fits, Check::Review, "a review of something else", expected);
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
