//! A person answers: what comes of it, and who may not. Every log is audited when its test is done
//! (`audited.rs`): judged again offline, and held against its own rows.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use countersign_core::document::{BundleContent, ESCALATION_TTL_S, PolicyFile};
use countersign_core::entry::{Body, Decision, Links, Review, ReviewAnswer, Role};
use countersign_core::json::CanonicalJson;
use countersign_core::names::Origin;
use countersign_core::refs::Sha256;
use countersign_core::time::{Clock as _, Timestamp};
use countersign_core::verdict::Outcome;
use countersign_keys::{ReviewerKey, SystemRandom};
use countersign_service::{Caller, ErrorCode, ServiceError};
use countersign_wire::{
    CloseSession, DecisionAnswer, NewCredential, ReviewAnswered, ReviewRequest, ReviewShown,
    Selection, StopRequest,
};
use serde_json::{Value, json};

use crate::kit::{AGENT, Kit, bundle, mail_request};
use crate::shadow::named;

const RULES: &str = r#"
@id("ask-first") @reason("A person is asked about this domain.") @escalate
forbid(principal, action == Action::"email.send", resource)
when { context.target.domain == "ask.example" };
@id("ask-the-requester") @reason("Are you sure?") @escalate("requester")
forbid(principal, action == Action::"email.send", resource)
when { context.target.domain == "self.example" };"#;
const WORDS: &str = "Write to a@ask.example, b@self.example and c@open.example";
const TTL_MS: i64 = ESCALATION_TTL_S as i64 * 1_000;

/// A person who reviews.
struct Reviewer {
    key: ReviewerKey,
    caller: Caller,
}

fn asking() -> BundleContent {
    let mut content = bundle("mail-agent");
    content.policies.push(PolicyFile {
        name: "ask.cedar".to_owned(),
        text: RULES.to_owned(),
    });
    content
}

fn kit() -> Kit {
    Kit::with_bundle(asking())
}

impl Kit {
    fn reviewer(&self, principal: &str) -> Reviewer {
        let key = ReviewerKey::fresh(&SystemRandom).unwrap();
        let caller = self.granted(&NewCredential {
            roles: vec!["reviewer".to_owned()],
            public_key: Some(key.public_key()),
            principal: Some(principal.to_owned()),
            ..NewCredential::default()
        });
        Reviewer { key, caller }
    }

    fn granted(&self, request: &NewCredential) -> Caller {
        let admin = self.caller(Role::Admin);
        let created = self.service().add_credential(&admin, request).unwrap();
        self.service().authenticate(&created.token).unwrap()
    }

    fn escalated(&self, to: &str) -> DecisionAnswer {
        let turn = self.turn("s1", WORDS).intent_ref;
        let answer = self.mail(&turn, to);
        assert_eq!(answer.outcome, "escalated");
        answer
    }

    fn show(&self, reviewer: &Reviewer, of: &DecisionAnswer) -> ReviewShown {
        self.try_show(reviewer, of).unwrap()
    }

    fn try_show(
        &self,
        reviewer: &Reviewer,
        of: &DecisionAnswer,
    ) -> Result<ReviewShown, ServiceError> {
        let id = of.entry_id.parse().unwrap();
        self.service().show_review(&reviewer.caller, id)
    }

    /// A signed answer to what was shown.
    fn signed(&self, reviewer: &Reviewer, shown: &ReviewShown, answer: &str) -> ReviewRequest {
        let expires_at = self.clock.now().plus_millis(60_000);
        self.signed_until(reviewer, shown, answer, expires_at)
    }

    fn signed_until(
        &self,
        reviewer: &Reviewer,
        shown: &ReviewShown,
        answer: &str,
        expires_at: Timestamp,
    ) -> ReviewRequest {
        self.signed_for(self.service().origin(), reviewer, shown, answer, expires_at)
    }

    fn signed_for(
        &self,
        log: &Origin,
        reviewer: &Reviewer,
        shown: &ReviewShown,
        answer: &str,
        expires_at: Timestamp,
    ) -> ReviewRequest {
        static NONCES: AtomicUsize = AtomicUsize::new(0);
        let nonce = format!("nonce-{:016}", NONCES.fetch_add(1, Ordering::SeqCst));
        let body = Review {
            links: Links {
                review: Some(shown.shown.decision.parse().unwrap()),
                ..Links::default()
            },
            call_ref: shown.shown.call_ref.parse().unwrap(),
            policy_ref: shown.shown.policy_ref.parse().unwrap(),
            intent_ref: shown
                .shown
                .intent_ref
                .as_ref()
                .map(|it| it.parse().unwrap()),
            shown_ref: shown.shown_ref.parse().unwrap(),
            answer: match answer {
                "approve" => ReviewAnswer::Approve,
                _ => ReviewAnswer::Reject,
            },
            credential: reviewer.caller.id(),
            expires_at,
            nonce: nonce.parse().unwrap(),
            signature: None,
        };
        let signature = reviewer.key.sign(log, &body).unwrap();
        ReviewRequest {
            decision: shown.shown.decision.clone(),
            answer: answer.to_owned(),
            shown_ref: Some(shown.shown_ref.clone()),
            shown: None,
            expires_at: Some(expires_at.to_string()),
            nonce: Some(nonce),
            signature: Some(signature.to_string()),
        }
    }

    fn send(
        &self,
        caller: &Caller,
        request: &ReviewRequest,
    ) -> Result<ReviewAnswered, ServiceError> {
        let body = serde_json::to_vec(request).unwrap();
        self.service().review(caller, &body)
    }

    fn answer(&self, reviewer: &Reviewer, of: &DecisionAnswer, answer: &str) -> ReviewAnswered {
        let shown = self.show(reviewer, of);
        let request = self.signed(reviewer, &shown, answer);
        self.send(&reviewer.caller, &request).unwrap()
    }

    fn agents_view(&self, id: &str) -> DecisionAnswer {
        let agent = self.caller(Role::Agent);
        self.service()
            .decision(&agent, id.parse().unwrap())
            .unwrap()
    }

    fn enforce(&self, content: &BundleContent) {
        let author = self.caller(Role::Author);
        let stored = named(&self.store(content));
        let current = self.service().current_bundle(&author).unwrap().policy_ref;
        self.service()
            .set_bundle(&author, &stored, Some(&current))
            .unwrap();
    }

    /// The outcome and the reasons of what closed an escalation.
    fn closed_by(&self, escalated: &DecisionAnswer) -> (String, Vec<String>) {
        let resolution = self.agents_view(&escalated.entry_id).resolution.unwrap();
        let decision = self.agents_view(&resolution.entry_id);
        assert_eq!(
            resolution.outcome.as_deref(),
            Some(decision.outcome.as_str())
        );
        let reasons = decision.reasons.into_iter().map(|reason| reason.id);
        (decision.outcome, reasons.collect())
    }

    fn kinds_of_all(&self) -> Vec<String> {
        let log = self.log();
        log.iter().map(|entry| entry.kind().to_owned()).collect()
    }
}

fn refused<T>(result: Result<T, ServiceError>, code: ErrorCode) -> ServiceError {
    match result {
        Ok(_) => panic!("it was done"),
        Err(error) => {
            assert_eq!(error.code, code, "{error}");
            error
        }
    }
}

fn closed(outcome: &str, reasons: &[&str]) -> (String, Vec<String>) {
    let reasons = reasons.iter().map(ToString::to_string).collect();
    (outcome.to_owned(), reasons)
}

#[test]
fn a_yes_approves_that_call_once_and_the_agent_gets_the_permit() {
    let kit = kit();
    let lee = kit.reviewer("user:lee@acme.example");
    let escalated = kit.escalated("a@ask.example");
    assert_eq!(escalated.requester_may_answer, Some(false));
    let listed = kit.service().reviews(&lee.caller).unwrap();
    assert_eq!(listed.reviews.len(), 1);
    assert_eq!(listed.reviews[0].decision, escalated.entry_id);
    assert_eq!(listed.reviews[0].reasons[0].id, "ask-first");
    let before = kit.kinds_of_all().len();
    let answered = kit.answer(&lee, &escalated, "approve");
    assert_eq!(answered.decision.outcome, "approved");
    assert_eq!(answered.decision.permit, None, "the permit is the agent's");
    assert_eq!(
        kit.kinds_of_all()[before..],
        ["vault-access", "review", "decision"],
        "both in one commit"
    );
    let seen = kit.agents_view(&escalated.entry_id);
    let resolution = seen.resolution.unwrap();
    assert_eq!((resolution.kind.as_str(), seen.permit), ("decision", None));
    let approved = kit.agents_view(&resolution.entry_id);
    assert!(approved.permit.is_some());
    let decision = kit.last_decision();
    assert_eq!(decision.outcome, Outcome::Approved);
    assert_eq!(decision.credential, kit.caller(Role::Agent).id());
    assert_eq!(
        decision.links.resolves.unwrap().to_string(),
        escalated.entry_id
    );
    assert!(
        kit.service()
            .reviews(&lee.caller)
            .unwrap()
            .reviews
            .is_empty()
    );
    // It is closed for good, and the same call again is another one.
    kit.clock.turn(TTL_MS);
    assert_eq!(kit.service().expire_escalations().unwrap(), 0);
    kit.escalated("a@ask.example");
}

#[test]
fn a_no_rejects_and_closes_it() {
    let kit = kit();
    let lee = kit.reviewer("user:lee@acme.example");
    let escalated = kit.escalated("a@ask.example");
    let answered = kit.answer(&lee, &escalated, "reject");
    assert_eq!(answered.decision.outcome, "rejected");
    assert_eq!(
        kit.closed_by(&escalated),
        closed("rejected", &["countersign.review-rejected"])
    );
    // Nobody says yes to it any more.
    let sam = kit.reviewer("user:sam@acme.example");
    let error = refused(kit.try_show(&sam, &escalated), ErrorCode::Conflict);
    assert!(error.detail.contains("rejected"), "{error}");
}

#[test]
fn what_is_shown_can_be_checked_against_what_is_committed_to() {
    let kit = kit();
    let lee = kit.reviewer("user:lee@acme.example");
    let turn = kit.turn("s1", WORDS).intent_ref;
    kit.mail(&turn, "c@open.example");
    let escalated = kit.mail(&turn, "a@ask.example");
    let answer = kit.show(&lee, &escalated);
    let digest = |raw: &str| Sha256::of(raw.as_bytes()).to_string();
    assert_eq!(digest(answer.statement.get()), answer.shown_ref);
    assert_eq!(digest(answer.call.get()), answer.shown.call_ref);
    assert_eq!(digest(answer.turns[0].get()), answer.shown.turns[0]);
    assert_eq!(answer.shown.intent_ref.as_ref(), Some(&turn));
    let statement: Value = serde_json::from_str(answer.statement.get()).unwrap();
    let text = statement["text"].as_str().unwrap();
    let shown = CanonicalJson::of(&answer.shown).unwrap();
    assert_eq!(text.as_bytes(), shown.as_bytes());
    let call: Value = serde_json::from_str(answer.call.get()).unwrap();
    assert_eq!(call["args"]["to"], json!(["a@ask.example"]));
    let shown = answer.shown;
    assert_eq!(shown.rules[0].id, "ask-first");
    assert!(shown.rules[0].source.contains("ask.example"));
    assert_eq!(shown.targets[0].value, "a@ask.example");
    assert_eq!(shown.targets[0].sources, ["user"]);
    assert!(!shown.targets[0].approved_before);
    assert_eq!(shown.reasoning.as_deref(), Some("The person asked for it."));
    let before = shown.before.unwrap();
    assert!(before.same_session);
    assert_eq!(before.differs.len(), 1);
    assert_eq!(before.differs[0].at, "/to/0");
    assert_eq!(
        before.differs[0].then.as_deref(),
        Some("\"c@open.example\"")
    );
    // The entry names all that was opened, and what was shown is its purpose.
    let Body::VaultAccess(access) = kit.last() else {
        panic!("no access");
    };
    assert_eq!(access.purpose_ref.to_string(), answer.shown_ref);
    assert_eq!(
        access.refs.len(),
        5,
        "call, facts, turn, reasoning, earlier call"
    );
    // Once it was approved, it was approved before.
    let request = kit.signed(&lee, &kit.show(&lee, &escalated), "approve");
    kit.send(&lee.caller, &request).unwrap();
    let again = kit.show(&lee, &kit.mail(&turn, "a@ask.example")).shown;
    assert!(again.targets[0].approved_before);
    assert!(again.before.unwrap().differs.is_empty());
}

#[test]
fn of_another_session_it_is_told_that_something_differs_and_not_what_it_was() {
    let kit = kit();
    let lee = kit.reviewer("user:lee@acme.example");
    let other = kit.turn("s2", WORDS).intent_ref;
    kit.mail(&other, "c@open.example");
    let shown = kit.show(&lee, &kit.escalated("a@ask.example"));
    let before = shown.shown.before.unwrap();
    assert!(!before.same_session);
    assert_eq!(before.differs[0].then, None);
    let shown = serde_json::to_string(&before).unwrap();
    assert!(!shown.contains("c@open.example"), "{shown}");
}

#[test]
fn nobody_else_can_answer() {
    let kit = kit();
    let lee = kit.reviewer("user:lee@acme.example");
    let sam = kit.reviewer("user:sam@acme.example");
    let escalated = kit.escalated("a@ask.example");
    let shown = kit.show(&lee, &escalated);
    let size = kit.size();
    let yes = kit.signed(&lee, &shown, "approve");
    for role in [
        Role::Agent,
        Role::Tool,
        Role::Author,
        Role::Auditor,
        Role::Admin,
    ] {
        refused(kit.send(&kit.caller(role), &yes), ErrorCode::WrongRole);
    }
    // Lee's answer in Sam's name, and Sam's signature in Lee's.
    refused(kit.send(&sam.caller, &yes), ErrorCode::BadSignature);
    let by_sam = Reviewer {
        key: sam.key,
        caller: lee.caller.clone(),
    };
    let forged = kit.signed(&by_sam, &shown, "approve");
    refused(kit.send(&lee.caller, &forged), ErrorCode::BadSignature);
    // A reviewer without a key or a person.
    let bare = kit.granted(&NewCredential {
        roles: vec!["reviewer".to_owned()],
        ..NewCredential::default()
    });
    refused(kit.send(&bare, &yes), ErrorCode::OutOfBounds);
    let nobody = kit.granted(&NewCredential {
        roles: vec!["reviewer".to_owned()],
        public_key: Some(ReviewerKey::fresh(&SystemRandom).unwrap().public_key()),
        ..NewCredential::default()
    });
    let error = refused(kit.send(&nobody, &yes), ErrorCode::OutOfBounds);
    assert!(error.detail.contains("person"), "{error}");
    assert_eq!(kit.size() - size, 2, "only the two grants");
    kit.send(&lee.caller, &yes).unwrap();
}

#[test]
fn an_answer_is_good_for_what_it_was_signed_for() {
    let kit = kit();
    let lee = kit.reviewer("user:lee@acme.example");
    let turn = kit.turn("s1", WORDS).intent_ref;
    let one = kit.mail(&turn, "a@ask.example");
    let other = kit.mail(&turn, "A@ask.example");
    let shown = kit.show(&lee, &one);
    let shown_other = kit.show(&lee, &other);
    let yes = kit.signed(&lee, &shown, "approve");
    let bad = |change: fn(&mut ReviewRequest, &ReviewShown)| {
        let mut changed = yes.clone();
        change(&mut changed, &shown_other);
        refused(kit.send(&lee.caller, &changed), ErrorCode::BadSignature);
    };
    bad(|it, other| it.decision.clone_from(&other.shown.decision));
    bad(|it, other| it.shown_ref = Some(other.shown_ref.clone()));
    bad(|it, _| it.answer = "reject".to_owned());
    bad(|it, _| it.nonce = Some("another-nonce-0000".to_owned()));
    bad(|it, _| it.expires_at = it.expires_at.as_ref().map(|at| at.replace(".0", ".1")));
    bad(|it, _| it.signature = it.signature.as_ref().map(|it| it.replace(|_| true, "A")));
    // Signed over what was shown of another call, or by what nobody showed.
    let mut crossed = shown.clone();
    crossed.shown_ref.clone_from(&shown_other.shown_ref);
    let crossed = kit.signed(&lee, &crossed, "approve");
    refused(kit.send(&lee.caller, &crossed), ErrorCode::MalformedRequest);
    let mut made_up = shown.clone();
    made_up.shown_ref = Sha256::of(b"made up").to_string();
    let made_up = kit.signed(&lee, &made_up, "approve");
    refused(kit.send(&lee.caller, &made_up), ErrorCode::MalformedRequest);
    kit.send(&lee.caller, &yes).unwrap();
    // Again, and its nonce for the other one.
    refused(kit.send(&lee.caller, &yes), ErrorCode::Conflict);
    let mut again = kit.signed(&lee, &shown_other, "approve");
    again.nonce.clone_from(&yes.nonce);
    refused(kit.send(&lee.caller, &again), ErrorCode::BadSignature);
}

#[test]
fn an_answer_for_another_log_is_none_here() {
    let kit = kit();
    let lee = kit.reviewer("user:lee@acme.example");
    let shown = kit.show(&lee, &kit.escalated("a@ask.example"));
    let other: Origin = "countersign.invalid/test/acme/2".parse().unwrap();
    let expires_at = kit.clock.now().plus_millis(60_000);
    let yes = kit.signed_for(&other, &lee, &shown, "approve", expires_at);
    refused(kit.send(&lee.caller, &yes), ErrorCode::BadSignature);
}

#[test]
fn a_nonce_is_good_once() {
    let kit = kit();
    let ingress = kit.caller(Role::Ingress);
    let turn = kit.turn("s1", WORDS).intent_ref;
    let answer = |of: &DecisionAnswer| ReviewRequest {
        decision: of.entry_id.clone(),
        answer: "approve".to_owned(),
        shown: Some("May the mail to b@self.example leave?".to_owned()),
        nonce: Some("one-nonce-for-all".to_owned()),
        ..ReviewRequest::default()
    };
    let one = kit.mail(&turn, "b@self.example");
    let other = kit.mail(&turn, "B@self.example");
    kit.send(&ingress, &answer(&one)).unwrap();
    let error = refused(kit.send(&ingress, &answer(&other)), ErrorCode::Conflict);
    assert!(error.detail.contains("nonce"), "{error}");
    let mut fresh = answer(&other);
    fresh.nonce = None;
    kit.send(&ingress, &fresh).unwrap();
}

#[test]
fn an_answer_ends_and_so_does_the_time_to_give_it() {
    let kit = kit();
    let lee = kit.reviewer("user:lee@acme.example");
    let escalated = kit.escalated("a@ask.example");
    let shown = kit.show(&lee, &escalated);
    let yes = kit.signed(&lee, &shown, "approve");
    kit.clock.turn(60_001);
    refused(kit.send(&lee.caller, &yes), ErrorCode::Conflict);
    let far = kit.clock.now().plus_millis(25 * 60 * 60 * 1_000);
    let far = kit.signed_until(&lee, &shown, "approve", far);
    refused(kit.send(&lee.caller, &far), ErrorCode::MalformedRequest);
    let late = kit.clock.now().plus_millis(TTL_MS);
    let late = kit.signed_until(&lee, &shown, "approve", late);
    kit.clock.turn(TTL_MS - 60_001);
    // Its time is over, though nobody has closed it yet.
    let error = refused(kit.send(&lee.caller, &late), ErrorCode::Conflict);
    assert!(error.detail.contains("until"), "{error}");
    assert!(
        kit.service()
            .reviews(&lee.caller)
            .unwrap()
            .reviews
            .is_empty()
    );
    assert_eq!(kit.service().expire_escalations().unwrap(), 1);
    refused(kit.send(&lee.caller, &late), ErrorCode::Conflict);
    assert!(kit.kinds_of_all().iter().all(|kind| kind != "review"));
}

#[test]
fn how_long_there_is_to_answer_is_the_bundles_to_say() {
    let mut content = asking();
    content.settings.escalation_ttl_s = 5;
    let kit = Kit::with_bundle(content);
    let lee = kit.reviewer("user:lee@acme.example");
    let escalated = kit.escalated("a@ask.example");
    kit.clock.turn(4_999);
    assert_eq!(kit.service().expire_escalations().unwrap(), 0);
    kit.show(&lee, &escalated);
    kit.clock.turn(1);
    refused(kit.try_show(&lee, &escalated), ErrorCode::Conflict);
    assert_eq!(kit.service().expire_escalations().unwrap(), 1);
}

#[test]
fn nobody_reviews_their_own_call_unless_the_rule_lets_them() {
    let kit = kit();
    // The turns are Jo's.
    let jo = kit.reviewer("user:jo@acme.example");
    let escalated = kit.escalated("a@ask.example");
    let error = refused(kit.try_show(&jo, &escalated), ErrorCode::OutOfBounds);
    assert!(error.detail.contains("own name"), "{error}");
    let lee = kit.reviewer("user:lee@acme.example");
    let mut shown = kit.show(&lee, &escalated);
    shown.shown.reviewer = jo.caller.id().to_string();
    let own = kit.signed(&jo, &shown, "approve");
    refused(kit.send(&jo.caller, &own), ErrorCode::OutOfBounds);
    let own = kit.escalated("b@self.example");
    assert_eq!(own.requester_may_answer, Some(true));
    let answered = kit.answer(&jo, &own, "approve");
    assert_eq!(answered.decision.outcome, "approved");
    // A call that asks for both is not theirs.
    let turn = kit.turn("s1", WORDS).intent_ref;
    let mut both = mail_request(&turn, "b@self.example");
    both["args"]["to"] = json!(["a@ask.example", "b@self.example"]);
    let both = kit.decide(&both).unwrap();
    assert_eq!(both.requester_may_answer, Some(false));
    refused(kit.try_show(&jo, &both), ErrorCode::OutOfBounds);
    assert_eq!(
        kit.answer(&lee, &both, "approve").decision.outcome,
        "approved"
    );
}

#[test]
fn the_ingress_answers_for_the_person_whose_turn_it_registered() {
    let kit = kit();
    let ingress = kit.caller(Role::Ingress);
    let answer = |of: &DecisionAnswer, answer: &str| ReviewRequest {
        decision: of.entry_id.clone(),
        answer: answer.to_owned(),
        shown: Some("May the mail leave?".to_owned()),
        ..ReviewRequest::default()
    };
    let own = kit.escalated("b@self.example");
    assert_eq!(kit.service().reviews(&ingress).unwrap().reviews.len(), 1);
    // Another ingress knows of neither the turn nor the question.
    let other = kit.granted(&NewCredential {
        roles: vec!["ingress".to_owned()],
        actors: vec![AGENT.to_owned()],
        ..NewCredential::default()
    });
    assert!(kit.service().reviews(&other).unwrap().reviews.is_empty());
    refused(
        kit.send(&other, &answer(&own, "approve")),
        ErrorCode::NotFound,
    );
    // What it showed is part of the answer, in its own words.
    let mut silent = answer(&own, "approve");
    silent.shown = Some(" ".to_owned());
    refused(kit.send(&ingress, &silent), ErrorCode::MalformedRequest);
    silent.shown = None;
    silent.shown_ref = Some(Sha256::of(b"x").to_string());
    refused(kit.send(&ingress, &silent), ErrorCode::MalformedRequest);
    let answered = kit.send(&ingress, &answer(&own, "approve")).unwrap();
    assert_eq!(answered.decision.outcome, "approved");
    let review: Value = serde_json::from_str(answered.review.get()).unwrap();
    assert_eq!(review["signature"], Value::Null);
    // Where another person is wanted, the one who asked is not heard, neither yes nor no.
    let asked = kit.escalated("a@ask.example");
    for word in ["approve", "reject"] {
        let error = refused(
            kit.send(&ingress, &answer(&asked, word)),
            ErrorCode::OutOfBounds,
        );
        assert!(error.detail.contains("reviewer"), "{error}");
    }
    let own = kit.escalated("b@self.example");
    kit.send(&ingress, &answer(&own, "reject")).unwrap();
    assert_eq!(
        kit.closed_by(&own),
        closed("rejected", &["countersign.review-rejected"])
    );
}

#[test]
fn under_another_bundle_the_answer_is_void_and_the_call_is_asked_about_anew() {
    let kit = kit();
    let lee = kit.reviewer("user:lee@acme.example");
    let escalated = kit.escalated("a@ask.example");
    let shown = kit.show(&lee, &escalated);
    let mut content = asking();
    content.description = "another".to_owned();
    kit.enforce(&content);
    let answered = kit
        .send(&lee.caller, &kit.signed(&lee, &shown, "approve"))
        .unwrap();
    assert_eq!(answered.decision.outcome, "escalated");
    assert_eq!(
        kit.closed_by(&escalated),
        closed("escalated", &["ask-first"])
    );
    // The new one waits for an answer of its own.
    let listed = kit.service().reviews(&lee.caller).unwrap().reviews;
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].decision, answered.decision.entry_id);
    let again = kit.answer(&lee, &answered.decision, "approve");
    assert_eq!(again.decision.outcome, "approved");
    assert_eq!(
        kit.closed_by(&answered.decision),
        closed("approved", &["only-addresses-named-in-the-turn"])
    );
}

#[test]
fn a_bundle_that_asks_nobody_decides_by_itself_and_a_no_still_counts() {
    let kit = kit();
    let lee = kit.reviewer("user:lee@acme.example");
    let (one, other) = (
        kit.escalated("a@ask.example"),
        kit.escalated("A@ask.example"),
    );
    // The turn of the first is not the newest any more, so only the second is mandated.
    let (shown_one, shown_other) = (kit.show(&lee, &one), kit.show(&lee, &other));
    kit.enforce(&bundle("allow-all"));
    let yes = kit.signed(&lee, &shown_one, "approve");
    assert_eq!(
        kit.send(&lee.caller, &yes).unwrap().decision.outcome,
        "approved"
    );
    let no = kit.signed(&lee, &shown_other, "reject");
    assert_eq!(
        kit.send(&lee.caller, &no).unwrap().decision.outcome,
        "rejected"
    );
}

#[test]
fn what_the_call_rested_on_must_still_be_in_force() {
    let kit = kit();
    let lee = kit.reviewer("user:lee@acme.example");
    let service = kit.service();
    let yes = |of: &DecisionAnswer| kit.answer(&lee, of, "approve").decision.outcome;
    // A turn that was withdrawn.
    let turn = kit.turn("s1", WORDS);
    let escalated = kit.mail(&turn.intent_ref, "a@ask.example");
    let ingress = kit.caller(Role::Ingress);
    service
        .revoke_turn(&ingress, turn.intent_ref.parse().unwrap())
        .unwrap();
    assert_eq!(yes(&escalated), "rejected");
    assert_eq!(
        kit.closed_by(&escalated),
        closed("rejected", &["countersign.no-permit"])
    );
    // Newer words.
    let escalated = kit.escalated("a@ask.example");
    kit.turn("s1", "Stop, do not write to them");
    assert_eq!(yes(&escalated), "rejected");
    // A session that was closed.
    let escalated = kit.escalated("a@ask.example");
    let session = CloseSession {
        session: "s1".to_owned(),
    };
    service.close_session(&ingress, &session).unwrap();
    assert_eq!(yes(&escalated), "rejected");
    // A turn that ended.
    let mut short = crate::kit::turn_request("s1", WORDS);
    short["expires_in_s"] = json!(30);
    let turn = kit.try_turn(short).unwrap().intent_ref;
    let escalated = kit.mail(&turn, "a@ask.example");
    kit.clock.turn(30_000);
    assert_eq!(yes(&escalated), "rejected");
    // A stop.
    let escalated = kit.escalated("a@ask.example");
    let stop = |effect: &str| StopRequest {
        scope: "everything".to_owned(),
        actor: None,
        effect: Some(effect.to_owned()),
    };
    let admin = kit.caller(Role::Admin);
    service.stop(&admin, &stop("stop")).unwrap();
    assert_eq!(yes(&escalated), "rejected");
    assert_eq!(
        kit.closed_by(&escalated),
        closed("rejected", &["countersign.stopped"])
    );
    service.stop(&admin, &stop("resume")).unwrap();
    // The credential that asked.
    let escalated = kit.escalated("a@ask.example");
    let agent = kit.caller(Role::Agent).id();
    service.revoke_credential(&admin, agent).unwrap();
    assert_eq!(yes(&escalated), "rejected");
    let decision = kit.last_decision();
    assert_eq!(decision.reasons[0].as_str(), "countersign.foreign-actor");
    assert_eq!(decision.credential, agent);
}

#[test]
fn a_reviewer_who_is_revoked_is_not_heard() {
    let kit = kit();
    let lee = kit.reviewer("user:lee@acme.example");
    let shown = kit.show(&lee, &kit.escalated("a@ask.example"));
    let yes = kit.signed(&lee, &shown, "approve");
    let admin = kit.caller(Role::Admin);
    kit.service()
        .revoke_credential(&admin, lee.caller.id())
        .unwrap();
    refused(kit.send(&lee.caller, &yes), ErrorCode::Unauthenticated);
}

#[test]
fn changed_arguments_are_another_call() {
    let kit = kit();
    let lee = kit.reviewer("user:lee@acme.example");
    let escalated = kit.escalated("a@ask.example");
    kit.answer(&lee, &escalated, "approve");
    let approved = kit.last_decision();
    let turn = approved.intent_ref.unwrap().to_string();
    let mut changed = mail_request(&turn, "a@ask.example");
    changed["args"]["body"] = json!("The refund was made, twice.");
    changed["links"] = json!({"continues": escalated.entry_id});
    assert_eq!(kit.decide(&changed).unwrap().outcome, "escalated");
    // And so is the very same call.
    assert_eq!(kit.mail(&turn, "a@ask.example").outcome, "escalated");
}

#[test]
fn of_two_answers_at_once_one_counts() {
    for _ in 0..8 {
        let kit = kit();
        let reviewers = [
            kit.reviewer("user:lee@acme.example"),
            kit.reviewer("user:sam@acme.example"),
        ];
        let escalated = kit.escalated("a@ask.example");
        let words = ["approve", "reject"];
        let requests: Vec<ReviewRequest> = reviewers
            .iter()
            .zip(words)
            .map(|(reviewer, word)| kit.signed(reviewer, &kit.show(reviewer, &escalated), word))
            .collect();
        let done = AtomicUsize::new(0);
        thread::scope(|scope| {
            for (reviewer, request) in reviewers.iter().zip(&requests) {
                let (kit, done) = (&kit, &done);
                scope.spawn(move || match kit.send(&reviewer.caller, request) {
                    Ok(_) => {
                        done.fetch_add(1, Ordering::SeqCst);
                    }
                    Err(error) => assert_eq!(error.code, ErrorCode::Conflict, "{error}"),
                });
            }
        });
        assert_eq!(done.load(Ordering::SeqCst), 1);
        let reviews = kit
            .kinds_of_all()
            .iter()
            .filter(|kind| *kind == "review")
            .count();
        assert_eq!(reviews, 1, "the other left no entry");
    }
}

#[test]
fn an_answer_and_the_deadline_at_once_close_it_once() {
    for n in 0..16 {
        let kit = kit();
        let lee = kit.reviewer("user:lee@acme.example");
        let escalated = kit.escalated("a@ask.example");
        let end = kit.clock.now().plus_millis(TTL_MS);
        let yes = kit.signed_until(&lee, &kit.show(&lee, &escalated), "approve", end);
        kit.clock.turn(TTL_MS - 1);
        let kit = &kit;
        let (answered, expired) = thread::scope(|scope| {
            let answering = scope.spawn(|| kit.send(&lee.caller, &yes).is_ok());
            let expiring = scope.spawn(move || {
                kit.clock.turn(n % 2);
                kit.service().expire_escalations().unwrap()
            });
            (answering.join().unwrap(), expiring.join().unwrap())
        });
        kit.clock.turn(1);
        let later = kit.service().expire_escalations().unwrap();
        assert_eq!(usize::from(answered) + expired + later, 1, "round {n}");
        assert!(kit.agents_view(&escalated.entry_id).resolution.is_some());
    }
}

#[test]
fn an_answer_and_what_takes_its_ground_away_at_once_leave_no_lie() {
    // Whatever comes first: the audit of each log finds an approval that its ground had left.
    let pull: [fn(&Kit, &str); 4] = [
        |kit, turn| {
            let ingress = kit.caller(Role::Ingress);
            let revoked = kit.service().revoke_turn(&ingress, turn.parse().unwrap());
            revoked.map(|_| ()).unwrap();
        },
        |kit, _| {
            let mut content = asking();
            content.description = "another".to_owned();
            kit.enforce(&content);
        },
        |kit, _| {
            kit.turn("s1", "Stop, do not write to them");
        },
        |kit, _| {
            let agent = kit.caller(Role::Agent).id();
            let admin = kit.caller(Role::Admin);
            kit.service()
                .revoke_credential(&admin, agent)
                .map(|_| ())
                .unwrap();
        },
    ];
    for (n, pull) in pull.into_iter().cycle().take(12).enumerate() {
        let kit = kit();
        let lee = kit.reviewer("user:lee@acme.example");
        let turn = kit.turn("s1", WORDS).intent_ref;
        let escalated = kit.mail(&turn, "a@ask.example");
        let yes = kit.signed(&lee, &kit.show(&lee, &escalated), "approve");
        let answered = thread::scope(|scope| {
            let answering = scope.spawn(|| kit.send(&lee.caller, &yes).unwrap());
            scope.spawn(|| pull(&kit, &turn));
            answering.join().unwrap()
        });
        let outcome = answered.decision.outcome;
        let voided = if n % 4 == 1 { "escalated" } else { "rejected" };
        assert!(outcome == "approved" || outcome == voided, "{n}: {outcome}");
    }
}

#[test]
fn a_bundle_in_shadow_knows_of_no_answer() {
    let kit = kit();
    let lee = kit.reviewer("user:lee@acme.example");
    let mut content = asking();
    content.description = "tried out".to_owned();
    let stored = kit.store(&content);
    kit.set_shadow(&stored).unwrap();
    let escalated = kit.escalated("a@ask.example");
    kit.answer(&lee, &escalated, "approve");
    let log = kit.log();
    let decisions: Vec<&Decision> = log
        .iter()
        .filter_map(|entry| match entry.body() {
            Some(Body::Decision(decision)) => Some(decision),
            _ => None,
        })
        .collect();
    let outcomes: Vec<Outcome> = decisions.iter().map(|it| it.outcome).collect();
    assert_eq!(
        outcomes,
        [
            Outcome::Escalated,
            Outcome::Escalated,
            Outcome::Approved,
            Outcome::Escalated
        ]
    );
    assert_eq!(decisions[3].links.review, None);
}

#[test]
fn an_unmandated_call_is_no_less_asked_about_and_does_not_come_by_a_turn() {
    let mut content = bundle("allow-all");
    content.policies.push(PolicyFile {
        name: "ask.cedar".to_owned(),
        text: r#"@id("ask") @escalate forbid(principal, action, resource) unless { context.intent.live };"#.to_owned(),
    });
    let kit = Kit::with_bundle(content);
    let lee = kit.reviewer("user:jo@acme.example");
    let mut request = mail_request("", "a@b.example");
    request.as_object_mut().unwrap().remove("intent_ref");
    let escalated = kit.decide(&request).unwrap();
    assert_eq!(escalated.outcome, "escalated");
    let shown = kit.show(&lee, &escalated);
    assert_eq!(
        (shown.shown.intent_ref.clone(), shown.turns.len()),
        (None, 0)
    );
    // No ingress speaks for somebody whom nobody named.
    let by_ingress = ReviewRequest {
        decision: escalated.entry_id.clone(),
        answer: "approve".to_owned(),
        shown: Some("May it?".to_owned()),
        ..ReviewRequest::default()
    };
    refused(
        kit.send(&kit.caller(Role::Ingress), &by_ingress),
        ErrorCode::NotFound,
    );
    kit.send(&lee.caller, &kit.signed(&lee, &shown, "approve"))
        .unwrap();
    assert_eq!(kit.last_decision().outcome, Outcome::Approved);
}

#[test]
fn words_of_a_purpose_do_not_pass_for_what_was_shown() {
    let kit = kit();
    let reader = kit.reader();
    let escalated = kit.escalated("a@ask.example");
    let decision = kit.log().iter().rev().find_map(|entry| match entry.body() {
        Some(Body::Decision(decision)) => decision.call_ref,
        _ => None,
    });
    let purpose = format!("{{\"decision\": \"{}\"}}", escalated.entry_id);
    let opened = kit.open(&reader, decision.unwrap().into(), &purpose);
    refused(opened, ErrorCode::MalformedRequest);
}

#[test]
fn words_of_an_ingress_do_not_pass_for_what_a_reviewer_was_shown() {
    let kit = kit();
    let lee = kit.reviewer("user:lee@acme.example");
    let turn = kit.turn("s1", WORDS).intent_ref;
    let wanted = kit.mail(&turn, "a@ask.example");
    let own = kit.mail(&turn, "b@self.example");
    // The ingress "shows", for its own question, what Lee was shown of another one.
    let mut shown = kit.show(&lee, &wanted);
    let by_ingress = ReviewRequest {
        decision: own.entry_id.clone(),
        answer: "approve".to_owned(),
        shown: Some(serde_json::to_string(&shown.shown).unwrap()),
        ..ReviewRequest::default()
    };
    let answered = kit.send(&kit.caller(Role::Ingress), &by_ingress).unwrap();
    let review: Value = serde_json::from_str(answered.review.get()).unwrap();
    review["shown_ref"]
        .as_str()
        .unwrap()
        .clone_into(&mut shown.shown_ref);
    let yes = kit.signed(&lee, &shown, "approve");
    refused(kit.send(&lee.caller, &yes), ErrorCode::MalformedRequest);
}

#[test]
fn a_replay_takes_answers_as_they_were_given() {
    let kit = kit();
    let lee = kit.reviewer("user:lee@acme.example");
    let (one, other) = (kit.escalated("a@ask.example"), "reject");
    kit.answer(&lee, &one, "approve");
    kit.answer(&lee, &kit.escalated("a@ask.example"), other);
    let mut content = asking();
    content.description = "the same rules".to_owned();
    let same = kit.store(&content);
    let request = countersign_wire::ReplayRequest {
        policy_ref: Some(same),
        purpose: "before publishing".to_owned(),
        ..countersign_wire::ReplayRequest::default()
    };
    let reader = kit.caller(Role::VaultReader);
    let page = kit.service().replay_decisions(&reader, &request).unwrap();
    assert_eq!((page.judged, page.unchanged), (4, 4), "{page:?}");
}

#[test]
fn after_a_restart_an_escalation_can_still_be_answered() {
    let mut kit = kit();
    let lee = kit.reviewer("user:lee@acme.example");
    let escalated = kit.escalated("a@ask.example");
    let shown = kit.show(&lee, &escalated);
    kit.restart();
    let yes = kit.signed(&lee, &shown, "approve");
    assert_eq!(
        kit.send(&lee.caller, &yes).unwrap().decision.outcome,
        "approved"
    );
    kit.restart();
    refused(kit.send(&lee.caller, &yes), ErrorCode::Conflict);
}

#[test]
fn what_is_no_answer_is_refused_before_anything_is_looked_at() {
    let kit = kit();
    let lee = kit.reviewer("user:lee@acme.example");
    let escalated = kit.escalated("a@ask.example");
    let shown = kit.show(&lee, &escalated);
    let size = kit.size();
    let yes = serde_json::to_value(kit.signed(&lee, &shown, "approve")).unwrap();
    for (member, value) in [
        ("answer", json!("maybe")),
        ("decision", json!("01")),
        ("shown_ref", Value::Null),
        ("shown_ref", json!("sha256:0")),
        ("shown", json!("by the reviewer")),
        ("expires_at", Value::Null),
        ("expires_at", json!("tomorrow")),
        ("nonce", Value::Null),
        ("nonce", json!("short")),
        ("nonce", json!("with a space in it all")),
        ("nonce", json!("n".repeat(65))),
        ("signature", Value::Null),
        ("signature", json!("two words")),
        ("more", json!(1)),
    ] {
        let mut changed = yes.clone();
        changed[member] = value;
        let body = changed.to_string();
        let sent = kit.service().review(&lee.caller, body.as_bytes());
        refused(sent, ErrorCode::MalformedRequest);
    }
    let missing = "01HYB7K3M4FXQZ9V2N6PTJD8RC".parse().unwrap();
    refused(
        kit.service().show_review(&lee.caller, missing),
        ErrorCode::NotFound,
    );
    assert_eq!(kit.size(), size);
}

#[test]
fn what_was_erased_is_shown_to_nobody_and_cannot_be_approved() {
    let kit = kit();
    let reviewer = kit.reviewer("user:kim@acme.example");
    let escalated = kit.escalated("a@ask.example");
    let shown = kit.show(&reviewer, &escalated);
    let request = countersign_wire::EraseRequest {
        selection: countersign_wire::Selection {
            entry: Some(escalated.entry_id.clone()),
            ..countersign_wire::Selection::default()
        },
        authority: "request 12".to_owned(),
        ..countersign_wire::EraseRequest::default()
    };
    let erased = kit.service().erase(&kit.caller(Role::Admin), &request);
    let statements = erased.unwrap().kinds;
    let statements = statements.iter().find(|it| it.kind == "statement");
    assert_eq!(
        statements.map(|it| it.records),
        Some(1),
        "what was shown goes with it"
    );
    let answer = kit.signed(&reviewer, &shown, "approve");
    let answered = kit.send(&reviewer.caller, &answer);
    assert_eq!(answered.unwrap_err().code, ErrorCode::Erased);
    let again = kit.try_show(&reviewer, &escalated).unwrap_err();
    assert_eq!(again.code, ErrorCode::Erased);
    // It ends as one that nobody answered.
    kit.clock.turn(TTL_MS + 1);
    kit.service().expire_escalations().unwrap();
    assert!(matches!(kit.last(), Body::Expired(_)));
}

/// A call that a person was asked about is judged twice: both times go, and what was asked under its
/// key.
#[test]
fn a_call_that_was_judged_again_is_erased_as_a_whole() {
    for by_ref in [false, true] {
        let kit = kit();
        let reviewer = kit.reviewer("user:rae@acme.example");
        let turn = kit.turn("s1", WORDS).intent_ref;
        let mut request = mail_request(&turn, "a@ask.example");
        request["args"]["body"] = json!("as pat@acme.example said");
        let asked = kit.decide_once(&request, Some("once")).unwrap();
        assert_eq!(asked.outcome, "escalated");
        kit.answer(&reviewer, &asked, "approve");
        let Body::Decision(body) = kit.last() else {
            panic!("no decision");
        };
        assert_eq!(body.outcome, Outcome::Approved);
        let subject = crate::remains::subject("pat@acme.example");
        if by_ref {
            kit.erases(Selection {
                refs: Some(vec![body.call_ref.unwrap().to_string()]),
                ..Selection::default()
            });
        } else {
            kit.erases(subject);
            assert_eq!(kit.left_of_pat(), Vec::<String>::new());
        }
        let rows = kit.service().ledger().scan("idempotency/", None, 10);
        let rows = rows.unwrap();
        let row: Value = serde_json::from_slice(rows[0].1.value.as_ref().unwrap()).unwrap();
        assert_eq!(row.get("body"), None, "{row}");
        let again = kit.decide_once(&request, Some("once")).unwrap_err();
        assert_eq!(again.code, ErrorCode::Erased);
    }
}
