//! Answers of people to escalations: by whom, over what, and what came of them.

use std::collections::{HashMap, HashSet};

use countersign_core::document::{Facts, ReviewBy, ReviewFact, Statement};
use countersign_core::entry::{Decision, Mode, Review, ReviewAnswer, VaultAccess};
use countersign_core::ids::{CredentialId, EntryId};
use countersign_core::names::{BuiltinReason, KeyText, Origin, ReasonId};
use countersign_core::pseudonym::Pseudonym;
use countersign_core::refs::{CallRef, StatementRef};
use countersign_core::signed::entry_message;
use countersign_core::verdict::Outcome;

use super::decisions::{Decisions, Seen};
use crate::documents::agree;
use crate::report::{At, Check, Findings};
use crate::signature::{decode, is_signed};

/// Every answer of the log.
#[derive(Default)]
pub(crate) struct Reviews {
    answers: HashMap<EntryId, Answer>,
    nonces: HashSet<KeyText>,
    /// What was opened for reviewers, and for whom.
    shown: HashMap<StatementRef, CredentialId>,
}

struct Answer {
    index: u64,
    call_ref: CallRef,
    /// The answer as a fact, of an escalation that is there.
    fact: Option<ReviewFact>,
    answer: ReviewAnswer,
    is_late: bool,
    is_used: bool,
}

/// Who answers, as the credentials say.
pub(crate) enum Answering {
    /// A reviewer: the key, and the person.
    Reviewer(Option<KeyText>, Option<Pseudonym>),
    /// An ingress, and whether it registered the turn.
    Ingress(bool),
}

impl Reviews {
    /// What was opened for a reviewer who may not open anything else is shown for an escalation: its
    /// call is among it. Whether it was opened for a reviewer, with such a call.
    pub(crate) fn opened(
        &mut self,
        at: &mut At<'_>,
        body: &VaultAccess,
        (is_reviewer, opens_any): (bool, bool),
        decisions: &Decisions,
    ) -> bool {
        if !is_reviewer {
            return false;
        }
        let is_of_one = body
            .refs
            .iter()
            .any(|reference| decisions.is_escalated_call(&CallRef::from(*reference)));
        let expected = "records of a call that was escalated, or the role `vault-reader`";
        at.require(
            is_of_one || opens_any,
            Check::Credential,
            "records that are opened",
            expected,
        );
        self.shown.insert(body.purpose_ref, body.credential);
        is_of_one
    }

    pub(crate) fn answer(
        &mut self,
        at: &mut At<'_>,
        body: &Review,
        who: Option<Answering>,
        origin: Option<&Origin>,
        (decisions, ttl_s): (&Decisions, Option<u32>),
    ) {
        let seen = body.links.review.and_then(|id| decisions.get(&id));
        let by = self.check_who(at, body, who, origin, seen);
        let is_fresh = self.nonces.insert(body.nonce.clone());
        at.require(is_fresh, Check::UsedOnce, "a nonce again", "a fresh nonce");
        let found = format_args!("an answer that ended at {}", body.expires_at);
        let is_live = at.entry.timestamp <= body.expires_at;
        at.require(is_live, Check::Review, found, "one that goes on");
        if let Some(seen) = seen {
            check_escalation(at, body, seen, ttl_s);
            let is_open = body
                .links
                .review
                .is_some_and(|id| !decisions.is_closed(&id));
            let expected = "an escalation that is open";
            at.require(is_open, Check::UsedOnce, "a closed escalation", expected);
        }
        let fact = seen
            .zip(body.links.review)
            .map(|(seen, escalation)| ReviewFact {
                entry: at.entry.entry_id,
                escalation,
                answer: body.answer,
                policy_ref: body.policy_ref,
                reasons: seen.reasons.iter().cloned().collect(),
                by,
            });
        let answer = Answer {
            index: at.index,
            call_ref: body.call_ref,
            fact,
            answer: body.answer,
            is_late: !is_live,
            is_used: false,
        };
        self.answers.insert(at.entry.entry_id, answer);
    }

    /// What the person saw speaks of this escalation.
    pub(crate) fn statement(&self, at: &mut At<'_>, body: &Review, shown: &Statement) {
        if body.signature.is_none() {
            return; // An ingress says in its own words what it showed.
        }
        let shown: serde_json::Value = serde_json::from_str(&shown.text).unwrap_or_default();
        let says = |member: &str, expected: String| {
            shown.get(member).and_then(serde_json::Value::as_str) == Some(expected.as_str())
        };
        let escalation = body.links.review.map(|id| id.to_string());
        let holds = says("decision", escalation.unwrap_or_default())
            && says("call_ref", body.call_ref.to_string())
            && says("policy_ref", body.policy_ref.to_string())
            && says("reviewer", body.credential.to_string());
        agree(at, "shown", "decision", holds);
    }

    /// A decision that closes an escalation is made with an answer to it, of the same call, directly
    /// after the answer; and every answer is used up so.
    pub(crate) fn used(&mut self, at: &mut At<'_>, body: &Decision, decisions: &Decisions) {
        let says_no = ReasonId::builtin(BuiltinReason::ReviewRejected);
        let is_no = body.reasons.contains(&says_no);
        let review = body.links.review.and_then(|id| self.answers.get_mut(&id));
        let Some(review) = review else {
            let is_plain = body.links.resolves.is_none() && !is_no;
            let expected = "the answer that it is made with";
            at.require(is_plain, Check::Review, "no `review`", expected);
            return; // A link to something else is a finding of its own.
        };
        let is_first = !std::mem::replace(&mut review.is_used, true);
        let expected = "an unused review";
        at.require(is_first, Check::UsedOnce, "a review again", expected);
        let is_next = review.index.checked_add(1) == Some(at.index);
        let found = format_args!("the review of entry {}", review.index);
        let expected = "the entry directly before, committed with this one";
        at.require(is_next, Check::Review, found, expected);
        let escalation = review.fact.as_ref().map(|fact| fact.escalation);
        let fits = escalation == body.links.resolves
            && Some(review.call_ref) == body.call_ref
            && !review.is_late;
        let expected = "the escalation and call of a live review";
        at.require(fits, Check::Review, "a review of something else", expected);
        let is_told = match review.answer {
            ReviewAnswer::Approve => !is_no,
            ReviewAnswer::Reject => body.outcome == Outcome::Rejected,
        };
        let found = format_args!("`{}` after `{}`", body.outcome.name(), review.answer);
        at.require(is_told, Check::Review, found, "what the person answered");
        if let Some(seen) = escalation.and_then(|id| decisions.get(&id)) {
            let is_same = seen.actor == body.actor
                && seen.credential == body.credential
                && (body.intent_ref.is_none() || body.intent_ref == seen.intent_ref);
            let expected = "the actor, credential and turn of the escalation";
            at.require(is_same, Check::Review, "somebody else's call", expected);
        }
    }

    /// The facts say of the answer what the entries do.
    pub(crate) fn facts(&self, at: &mut At<'_>, body: &Decision, facts: &Facts) {
        let answer = body.links.review.filter(|_| body.mode == Mode::Enforced);
        let answer = answer.and_then(|id| self.answers.get(&id));
        let fact = answer.and_then(|answer| answer.fact.as_ref());
        let holds = facts.inputs.review.as_ref() == fact;
        agree(at, "facts", "inputs.review", holds);
    }

    /// Answers of which nothing came: each is committed with the decision that uses it up.
    pub(crate) fn finish(&self, findings: &mut Findings) {
        let mut unused: Vec<_> = self.answers.iter().filter(|(_, it)| !it.is_used).collect();
        unused.sort_unstable_by_key(|(_, answer)| answer.index);
        for (id, answer) in unused {
            let expected = "the decision that was made with it, directly after it";
            let found = "an answer that no decision was made with";
            findings.entry(answer.index, Some(*id), Check::Review, found, expected);
        }
    }

    /// Whoever answers may, and has signed what was shown; and as whom.
    fn check_who(
        &self,
        at: &mut At<'_>,
        body: &Review,
        who: Option<Answering>,
        origin: Option<&Origin>,
        seen: Option<&Seen>,
    ) -> ReviewBy {
        let (key, person) = match who {
            Some(Answering::Ingress(is_registrar)) => {
                let expected = "the ingress that registered the turn, or a reviewer's signature";
                let found = "an answer without a signature";
                at.require(is_registrar, Check::Review, found, expected);
                return ReviewBy::Requester;
            }
            Some(Answering::Reviewer(key, person)) => (key, person),
            None => (None, None), // The credential is a finding then.
        };
        let message = origin.and_then(|origin| entry_message(origin, body).ok());
        let public = key.as_ref().and_then(decode::<32>);
        let signature = body.signature.as_ref();
        let holds = match (public, message, signature) {
            (Some(public), Some(message), Some(signature)) => {
                is_signed(&public, &message, signature)
            }
            _ => false,
        };
        let expected = "a signature of the reviewer's key over the other members";
        let found = signature.map_or("no signature", KeyText::as_str);
        at.require(holds, Check::Review, found, expected);
        let is_shown = self.shown.get(&body.shown_ref) == Some(&body.credential);
        let expected = "what a `vault-access` says was opened for this reviewer before";
        at.require(is_shown, Check::Review, body.shown_ref, expected);
        let expected = "a credential that names a person";
        at.require(person.is_some(), Check::Review, "a reviewer", expected);
        match person.is_some() && seen.is_some_and(|seen| seen.principal == person) {
            true => ReviewBy::Requester,
            false => ReviewBy::Reviewer,
        }
    }
}

fn check_escalation(at: &mut At<'_>, body: &Review, seen: &Seen, ttl_s: Option<u32>) {
    let fits = seen.call_ref == Some(body.call_ref)
        && seen.policy_ref == body.policy_ref
        && seen.intent_ref == body.intent_ref;
    let expected = "the call, bundle and intent of the escalation";
    let found = "another call, bundle or intent";
    at.require(fits, Check::Review, found, expected);
    if let Some(ttl_s) = ttl_s {
        let deadline = seen
            .time
            .plus_millis(i64::from(ttl_s).saturating_mul(1_000));
        let found = format_args!("an answer at {}", at.entry.timestamp);
        let expected = format_args!("one before {deadline}, when the escalation ended");
        let is_in_time = at.entry.timestamp < deadline;
        at.require(is_in_time, Check::Review, found, expected);
    }
}
