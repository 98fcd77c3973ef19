//! How keys, credentials, sessions and bundles in shadow end.

use super::*;

pub(super) fn endings(story: &mut Story) {
    let root = TestKey::root();
    let permit = base64url(&[5; 32]);
    let grant = key_entry(KeyPurpose::Permit, GrantChange::Granted, &permit, &root);
    story.push("key granted", grant);
    let old = base64url(&[3; 32]);
    let revoke = key_entry(KeyPurpose::Permit, GrantChange::Revoked, &old, &root);
    story.push("key revoked", revoke);
    let revoked = Credential {
        change: GrantChange::Revoked,
        roles: Vec::new(),
        public_key: None,
        credential: Some(credential(ADMIN)),
        ..granted(REVIEWER, Role::Reviewer)
    };
    story.push("credential revoked", revoked);
    let content = bundle("second").canonical().unwrap().into_bytes();
    for part in split(&content) {
        story.push("second part", part);
    }
    story.push("second stored", stored("second", Some(AUTHOR)));
    shadowed(story);
    story.push(
        "second in force",
        in_force("second", Some("first"), Some(SECOND_AUTHOR)),
    );
    story.push(
        "session-close",
        SessionClose {
            session: stands_for(SESSION),
            turns: 2,
            decisions: 13,
            executions: 2,
            credential: Some(credential(INGRESS)),
        },
    );
    let n = story.entries.len() as i64;
    story.push(
        "throttled",
        Throttled {
            credential: credential(AGENT),
            since: Timestamp::from_millis(START),
            until: Timestamp::from_millis(START + n),
            requests: 1000,
        },
    );
}

/// A call that a bundle in shadow judges, too, and a replay under that bundle.
fn shadowed(story: &mut Story) {
    let shadow = of_bundle(PolicyPhase::Shadow, "second", None, AUTHOR);
    story.push("second in shadow", shadow);
    let enforced = decided(story, 24, Outcome::Approved, "named-addresses");
    story.push("beside", enforced.clone());
    let (call, intent) = (enforced.call_ref.unwrap(), enforced.intent_ref.unwrap());
    let mut facts = facts(story, call, intent, 25);
    facts.inputs.bundle = bundle("second").reference().unwrap();
    let tried = Decision {
        policy_ref: facts.inputs.bundle,
        facts_ref: Some(story.keep(&facts)),
        outcome: Outcome::Rejected,
        reasons: vec![x("no-churned-contacts")],
        counts: Vec::new(),
        mode: Mode::Shadow,
        links: link(|l| l.shadows = Some(story.id("beside"))),
        ..enforced
    };
    story.push("tried", tried);
    let replayed = of_bundle(PolicyPhase::Replayed, "second", Some("first"), READER);
    story.push("second replayed", replayed);
    let end = of_bundle(PolicyPhase::ShadowEnd, "second", None, AUTHOR);
    story.push("second no longer in shadow", end);
}
