//! What people do: reviews, delegations, stops.

use super::*;

/// Escalations that a reviewer answers, that the person who asked answers, and that nobody does; a
/// delegation, and a stop.
pub(super) fn people(story: &mut Story) {
    let escalated = decided(story, 20, Outcome::Escalated, "no-churned-contacts");
    story.push("escalated", escalated.clone());
    let mut review = answer(story, "escalated", &escalated, ReviewAnswer::Approve);
    let shown = json!({
        "decision": story.id("escalated"), "call_ref": review.call_ref,
        "policy_ref": review.policy_ref, "reviewer": credential(REVIEWER),
    });
    review.shown_ref = story.state(&shown.to_string());
    review.signature = Some(signed(&TestKey::new("reviewer", 6), &review));
    let shown = VaultAccess {
        refs: vec![review.call_ref.into()],
        purpose_ref: review.shown_ref,
        credential: credential(REVIEWER),
        phase: None,
        request: None,
    };
    story.push("shown", shown);
    story.push("review", review);
    let mut resolved = closing(story, "review", escalated);
    resolved.outcome = Outcome::Approved;
    resolved.reasons = vec![x("named-addresses")];
    resolved.counts = counted("agent:support-v3", false);
    story.push("resolved", resolved);

    let escalated = decided(story, 21, Outcome::Escalated, "no-churned-contacts");
    story.push("escalated again", escalated);
    let links = link(|l| l.resolves = Some(story.id("escalated again")));
    story.push("expired", Expired { links });

    let escalated = decided(story, 25, Outcome::Escalated, "no-churned-contacts");
    story.push("escalated to the requester", escalated.clone());
    let answered = "escalated to the requester";
    let mut said_no = answer(story, answered, &escalated, ReviewAnswer::Reject);
    said_no.shown_ref = story.state("May this mail leave?");
    said_no.credential = credential(INGRESS);
    said_no.nonce = x(&base64url(&[8; 32]));
    story.push("the requester says no", said_no);
    let mut refused = closing(story, "the requester says no", escalated);
    refused.outcome = Outcome::Rejected;
    refused.reasons = vec![x("countersign.review-rejected")];
    story.push("refused", refused);
    delegation(story);
    stop(story);
}

/// An answer to an escalation, not signed yet.
fn answer(
    story: &Story,
    escalation: &'static str,
    escalated: &Decision,
    answer: ReviewAnswer,
) -> Review {
    Review {
        links: link(|l| l.review = Some(story.id(escalation))),
        call_ref: escalated.call_ref.unwrap(),
        policy_ref: escalated.policy_ref,
        intent_ref: escalated.intent_ref,
        shown_ref: Sha256::of(b"not shown yet").into(),
        answer,
        credential: credential(REVIEWER),
        expires_at: Timestamp::from_millis(START + 60_000),
        nonce: x(&base64url(&[7; 32])),
        signature: None,
    }
}

/// The decision that an answer leads to, but for what it says: its facts hold the answer.
fn closing(story: &mut Story, review: &'static str, escalated: Decision) -> Decision {
    let position = story.position(review);
    let Body::Review(answer) = story.entries[position].1.body.clone() else {
        panic!("`{review}` is no review");
    };
    let escalation = answer.links.review.unwrap();
    let bytes = &story.documents[&Sha256::from(escalated.facts_ref.unwrap())];
    let mut facts = Facts::from_canonical(bytes).unwrap();
    facts.inputs.review = Some(ReviewFact {
        entry: story.id(review),
        escalation,
        answer: answer.answer,
        policy_ref: answer.policy_ref,
        reasons: escalated.reasons.iter().cloned().collect(),
        by: match answer.signature {
            Some(_) => ReviewBy::Reviewer,
            None => ReviewBy::Requester,
        },
    });
    Decision {
        links: link(|l| {
            l.review = Some(story.id(review));
            l.resolves = Some(escalation);
        }),
        facts_ref: Some(story.keep(&facts)),
        ..escalated
    }
}

fn delegation(story: &mut Story) {
    let helper: ActorName = x("agent:team/mailer");
    let delegation = Delegation {
        intent_ref: turn(1, None).reference().unwrap(),
        from: x("agent:support-v3"),
        to: helper.clone(),
        actions: vec![x("email.send")],
        expires_at: Timestamp::from_millis(START + 60_000),
        links: Links::default(),
        credential: credential(AGENT),
    };
    story.push("delegation", delegation);
    let delegated = Decision {
        actor: helper,
        facts_ref: Some(Sha256::of(b"facts of the helper").into()),
        counts: counted("agent:team/mailer", true),
        links: link(|l| {
            l.delegation = Some(story.id("delegation"));
            l.continues = Some(story.id("approved"));
        }),
        ..decided(story, 22, Outcome::Approved, "named-addresses")
    };
    story.push("delegated", delegated);
}

fn stop(story: &mut Story) {
    let stop = Revocation {
        scope: RevocationScope::Everything,
        effect: RevocationEffect::Stop,
        intent_ref: None,
        actor: None,
        credential: credential(ADMIN),
    };
    story.push("stop", stop.clone());
    let stopped = decided(story, 23, Outcome::Rejected, "countersign.stopped");
    story.push("stopped", stopped);
    let resume = Revocation {
        effect: RevocationEffect::Resume,
        ..stop.clone()
    };
    story.push("resume", resume);
    let actor = Revocation {
        scope: RevocationScope::Actor,
        actor: Some(x("agent:team/mailer")),
        ..stop.clone()
    };
    let second = turn(2, Some(turn(1, None).reference().unwrap()));
    story.keep(&second);
    story.push("second turn", registered(&second));
    story.push("stop of an actor", actor);
    let turn = Revocation {
        scope: RevocationScope::Turn,
        intent_ref: Some(
            turn(2, Some(turn(1, None).reference().unwrap()))
                .reference()
                .unwrap(),
        ),
        ..stop
    };
    story.push("turn revoked", turn);
}
