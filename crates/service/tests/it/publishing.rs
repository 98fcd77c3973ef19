//! What the bundle in force demands of the next one, and replays under another bundle.

use countersign_core::document::{BundleContent, PublishingSettings};
use countersign_core::entry::{Body, PolicyPhase, Role};
use countersign_core::limits::REPLAY_GOOD_MS;
use countersign_service::{Caller, ErrorCode, REPLAY_PAGE};
use countersign_wire::{NewCredential, ReplayPage, ReplayRequest};
use serde_json::{Value, json};

use crate::kit::{Kit, bundle, mail_request};
use crate::shadow::{ASK, mail_agent_and, named};

impl Kit {
    fn another(&self, role: Role) -> Caller {
        let request = NewCredential {
            roles: vec![role.name().to_owned()],
            ..NewCredential::default()
        };
        let admin = self.caller(Role::Admin);
        let created = self.service().add_credential(&admin, &request).unwrap();
        self.service().authenticate(&created.token).unwrap()
    }

    fn put_in_force(&self, by: &Caller, policy_ref: &str) -> Result<(), ErrorCode> {
        let current = self.service().current_bundle(by).unwrap().policy_ref;
        let set = self
            .service()
            .set_bundle(by, &named(policy_ref), Some(&current));
        set.map(|_| ()).map_err(|error| error.code)
    }

    fn replay(&self, request: ReplayRequest) -> Result<ReplayPage, ErrorCode> {
        let reader = self.caller(Role::VaultReader);
        let request = ReplayRequest {
            purpose: "before publishing".to_owned(),
            ..request
        };
        let page = self.service().replay_decisions(&reader, &request);
        page.map_err(|error| error.code)
    }
}

fn under(policy_ref: &str) -> ReplayRequest {
    ReplayRequest {
        policy_ref: Some(policy_ref.to_owned()),
        ..ReplayRequest::default()
    }
}

fn asking(two_person: bool, replay: bool) -> BundleContent {
    let mut content = bundle("mail-agent");
    content.settings.publishing = PublishingSettings { two_person, replay };
    content
}

#[test]
fn two_persons_publish_where_the_bundle_in_force_says_so() {
    let kit = Kit::with_bundle(asking(true, false));
    let (first, second) = (kit.caller(Role::Author), kit.another(Role::Author));
    let start = kit.service().current_bundle(&first).unwrap().policy_ref;
    let other = kit.store(&mail_agent_and(ASK));
    let size = kit.size();
    let alone = kit.put_in_force(&first, &other);
    assert_eq!(alone, Err(ErrorCode::SecondPerson));
    assert_eq!(kit.size(), size);
    // To store it once more changes nothing: the log held it already.
    let body = serde_json::to_vec(&mail_agent_and(ASK)).unwrap();
    assert!(kit.service().store_bundle(&second, &body).unwrap().known);
    kit.put_in_force(&second, &other).unwrap();
    // The bundle in force now asks for nothing; the way back is a publication like any other.
    kit.put_in_force(&first, &start).unwrap();
    kit.put_in_force(&second, &other).unwrap();
    kit.put_in_force(&second, &start).unwrap();
    let alone = kit.put_in_force(&first, &other);
    assert_eq!(alone, Err(ErrorCode::SecondPerson));
}

#[test]
fn whoever_had_a_bundle_in_shadow_is_not_the_second_person() {
    let kit = Kit::with_bundle(asking(true, false));
    let (second, third) = (kit.another(Role::Author), kit.another(Role::Author));
    let other = kit.store(&mail_agent_and(ASK));
    let shadow = kit.service().set_shadow(&second, &named(&other));
    shadow.unwrap();
    // Also when it is in shadow no longer.
    kit.service().end_shadow(&third).unwrap();
    let alone = kit.put_in_force(&second, &other);
    assert_eq!(alone, Err(ErrorCode::SecondPerson));
    kit.put_in_force(&third, &other).unwrap();
}

/// Results can be long, and there can be many: what one request opens has a bound.
#[test]
fn a_decision_that_rests_on_too_much_is_left_out_of_a_replay() {
    let kit = Kit::new();
    let turn = kit.turn("s1", "Write to a@b.example").intent_ref;
    let long = "x".repeat(8 * 1024 * 1024 - 1_024);
    let sent: Vec<String> = (0..9)
        .map(|_| kit.mail(&turn, "a@b.example").entry_id)
        .collect();
    for decision in sent {
        let body = json!({"decision": decision, "phase": "finished", "result": long});
        let tool = kit.caller(Role::Tool);
        let reported = kit
            .service()
            .report_execution(&tool, body.to_string().as_bytes());
        reported.unwrap();
    }
    kit.mail(&turn, "a@b.example");
    let asks = kit.store(&mail_agent_and(ASK));
    let page = kit.replay(under(&asks)).unwrap();
    assert_eq!(page.judged, 9);
    assert_eq!(page.left_out, [("too-large".to_owned(), 1)].into());
}

/// A server often begins with `allow-all`: one person alone must not get back to it.
#[test]
fn it_takes_two_persons_to_go_back_to_what_the_log_began_with() {
    let kit = Kit::with_bundle(bundle("allow-all"));
    let (first, second) = (kit.caller(Role::Author), kit.another(Role::Author));
    let start = kit.service().current_bundle(&first).unwrap().policy_ref;
    let other = kit.store(&asking(true, false));
    kit.put_in_force(&first, &other).unwrap();
    for alone in [&first, &second] {
        let back = kit.put_in_force(alone, &start);
        assert_eq!(back, Err(ErrorCode::SecondPerson));
    }
    kit.service().set_shadow(&second, &named(&start)).unwrap();
    let alone = kit.put_in_force(&second, &start);
    assert_eq!(alone, Err(ErrorCode::SecondPerson));
    kit.put_in_force(&first, &start).unwrap();
}

#[test]
fn a_roll_back_is_a_new_publication_with_an_entry_of_its_own() {
    let kit = Kit::new();
    let author = kit.caller(Role::Author);
    let start = kit.service().current_bundle(&author).unwrap().policy_ref;
    let other = kit.store(&bundle("allow-all"));
    kit.put_in_force(&author, &other).unwrap();
    kit.put_in_force(&author, &start).unwrap();
    let log = kit.log();
    let in_force: Vec<_> = log
        .iter()
        .filter_map(|entry| match entry.body() {
            Some(Body::Policy(policy)) if policy.phase == PolicyPhase::InForce => {
                let previous = policy.previous.map(|previous| previous.to_string());
                Some((policy.policy_ref.to_string(), previous))
            }
            _ => None,
        })
        .collect();
    let expected = [
        (start.clone(), None),
        (other.clone(), Some(start.clone())),
        (start, Some(other)),
    ];
    assert_eq!(in_force, expected);
}

#[test]
fn a_replay_says_what_another_bundle_would_have_decided_and_is_access_to_the_vault() {
    let kit = Kit::with_bundle(bundle("allow-all"));
    let author = kit.caller(Role::Author);
    let churned = br#"{"status":"churned"}"#;
    let turn = kit.turn("s1", "Write to a@b.example and c@d.example");
    let first: Value = serde_json::from_str(turn.entry.get()).unwrap();
    let first = first["entry_id"].as_str().unwrap().to_owned();
    let turn = turn.intent_ref;
    kit.mail(&turn, "a@b.example");
    let refused = kit.mail(&turn, "x@y.example");
    kit.mail(&turn, "c@d.example");
    let start = kit.service().current_bundle(&author).unwrap().policy_ref;
    let mail_agent = kit.store(&bundle("mail-agent"));
    kit.put_in_force(&author, &mail_agent).unwrap();
    let put = |id: &str| {
        kit.service()
            .put_entity(&author, "Contact", id, churned)
            .unwrap()
    };
    put("c@d.example");
    let stopped = kit.mail(&turn, "c@d.example");
    assert_eq!(stopped.outcome, "rejected");
    // The directory is taken as it was at each call, whatever it is now.
    put("a@b.example");
    let asks = kit.store(&mail_agent_and(ASK));

    let page = kit.replay(under(&mail_agent)).unwrap();
    assert_eq!((page.judged, page.unchanged), (4, 3));
    assert_eq!(page.changes.len(), 1);
    let change = &page.changes[0];
    assert_eq!(change.entry_id, refused.entry_id);
    assert_eq!(change.change, "newly-stopped");
    assert_eq!(
        (change.was.as_str(), change.becomes.as_str()),
        ("approved", "rejected")
    );
    assert_eq!(change.reasons[0].id, "countersign.no-permit");
    assert!(change.call.is_none() && page.next.is_none());
    // It is in force, so nothing needs to be said of it.
    assert!(page.entry.is_none());
    let body = kit.last();
    let Body::VaultAccess(access) = body else {
        panic!("{}", body.kind());
    };
    assert_eq!(access.refs.len(), 4);

    let page = kit.replay(under(&start)).unwrap();
    let changes: Vec<_> = page.changes.iter().map(|c| c.change.as_str()).collect();
    assert_eq!(changes, ["newly-permitted"]);
    assert!(page.entry.is_some());
    let shown = ReplayRequest {
        calls: true,
        ..under(&asks)
    };
    let page = kit.replay(shown).unwrap();
    let changes: Vec<_> = page.changes.iter().map(|c| c.change.as_str()).collect();
    assert_eq!(
        changes,
        ["newly-escalated", "newly-stopped", "newly-escalated"]
    );
    let call = page.changes[1].call.as_ref().unwrap();
    assert_eq!(call["args"]["to"], json!(["x@y.example"]));
    let since = ReplayRequest {
        since: Some(stopped.entry_id.clone()),
        ..under(&start)
    };
    let page = kit.replay(since).unwrap();
    assert_eq!((page.judged, page.entry.is_none()), (1, true));
    let since = ReplayRequest {
        since: Some(first),
        ..under(&start)
    };
    assert_eq!(kit.replay(since).unwrap().judged, 4);
}

#[test]
fn a_bundle_that_is_not_stored_can_be_replayed_and_leaves_no_text_in_the_log() {
    let kit = Kit::new();
    let turn = kit.turn("s1", "Write to a@b.example").intent_ref;
    kit.mail(&turn, "a@b.example");
    let request = ReplayRequest {
        bundle: Some(serde_json::to_value(mail_agent_and(ASK)).unwrap()),
        ..ReplayRequest::default()
    };
    let size = kit.size();
    let page = kit.replay(request.clone()).unwrap();
    assert_eq!(page.changes[0].change, "newly-escalated");
    assert!(page.entry.is_none());
    assert_eq!(kit.size(), size + 1, "only the access");
    let mut broken = request;
    broken.bundle.as_mut().unwrap()["policies"][0]["text"] = json!("permit(");
    assert_eq!(kit.replay(broken).unwrap_err(), ErrorCode::InvalidBundle);
    let nothing = kit.replay(ReplayRequest::default());
    assert_eq!(nothing.unwrap_err(), ErrorCode::MalformedRequest);
    let silent = kit
        .service()
        .replay_decisions(&kit.caller(Role::VaultReader), &under(&page.policy_ref));
    assert_eq!(silent.unwrap_err().code, ErrorCode::MalformedRequest);
    // An author could ask a bundle for what is sealed, word by word.
    let asked = ReplayRequest {
        purpose: "curiosity".to_owned(),
        bundle: Some(serde_json::to_value(bundle("allow-all")).unwrap()),
        ..ReplayRequest::default()
    };
    for role in [Role::Author, Role::Auditor, Role::Agent, Role::Admin] {
        let refused = kit.service().replay_decisions(&kit.caller(role), &asked);
        assert_eq!(refused.unwrap_err().code, ErrorCode::WrongRole, "{role}");
    }
}

#[test]
fn a_replay_goes_on_where_its_page_ended_and_passes_over_what_no_bundle_judged() {
    let kit = Kit::new();
    kit.set_shadow(&kit.store(&bundle("allow-all"))).unwrap();
    let turn = kit.turn("s1", "Write to a@b.example").intent_ref;
    for _ in 0..5 {
        kit.mail(&turn, "a@b.example");
    }
    kit.decide(&json!({"tool": 7})).unwrap_err();
    let asks = kit.store(&mail_agent_and(ASK));
    let mut request = ReplayRequest {
        limit: Some(2),
        ..under(&asks)
    };
    let mut seen = Vec::new();
    loop {
        let page = kit.replay(request.clone()).unwrap();
        assert!(page.judged <= 2 && page.entry.is_none());
        seen.extend(page.changes.into_iter().map(|change| change.index));
        match page.next {
            Some(next) => request.cursor = Some(next),
            None => break,
        }
    }
    assert_eq!(seen.len(), 5);
    assert!(seen.is_sorted_by(|a, b| a > b));
    let too_many = ReplayRequest {
        limit: Some(u32::try_from(REPLAY_PAGE).unwrap() + 1),
        ..under(&asks)
    };
    let refused = kit.replay(too_many).unwrap_err();
    assert_eq!(refused, ErrorCode::MalformedRequest);
}

#[test]
fn a_replay_is_demanded_where_the_bundle_in_force_says_so() {
    let mut kit = Kit::with_bundle(asking(false, true));
    let start = kit
        .service()
        .current_bundle(&kit.caller(Role::Author))
        .unwrap()
        .policy_ref;
    let turn = kit.turn("s1", "Write to a@b.example").intent_ref;
    kit.mail(&turn, "a@b.example");
    let (asks, all) = (
        kit.store(&mail_agent_and(ASK)),
        kit.store(&bundle("allow-all")),
    );
    let set = |kit: &Kit, policy_ref: &str| kit.put_in_force(&kit.caller(Role::Author), policy_ref);
    assert_eq!(set(&kit, &asks), Err(ErrorCode::ReplayRequired));
    // Of another bundle, or of a part only, it is not the one.
    assert!(kit.replay(under(&all)).unwrap().entry.is_some());
    let part = ReplayRequest {
        limit: Some(1),
        ..under(&asks)
    };
    assert!(kit.replay(part).unwrap().entry.is_none());
    assert_eq!(set(&kit, &asks), Err(ErrorCode::ReplayRequired));
    // A day later it no longer is.
    assert!(kit.replay(under(&asks)).unwrap().entry.is_some());
    kit.clock.turn(REPLAY_GOOD_MS + 1);
    assert_eq!(set(&kit, &asks), Err(ErrorCode::ReplayRequired));
    kit.replay(under(&asks)).unwrap();
    kit.restart();
    set(&kit, &asks).unwrap();
    // That one asks for nothing. The first one does again, and the replay was of its earlier time:
    // it was beside the same bundle, so it is good.
    set(&kit, &start).unwrap();
    set(&kit, &asks).unwrap();
    set(&kit, &start).unwrap();
    assert_eq!(set(&kit, &all), Err(ErrorCode::ReplayRequired));
}

#[test]
fn what_was_not_counted_then_is_said_to_be_unknown() {
    let kit = Kit::new();
    let turn = kit.turn("s1", "Write to a@b.example").intent_ref;
    let request = mail_request(&turn, "a@b.example");
    kit.decide(&request).unwrap();
    let mut content = mail_agent_and(
        "@id(\"few\") @reason(\"Too many.\")\nforbid(principal, action == Action::\"email.send\", resource) when { context.counters.mails.after > 10 };",
    );
    let counter = json!({"name": "mails", "kind": "count", "actions": ["email.send"], "key": "actor", "window_s": 3600});
    content
        .counters
        .push(serde_json::from_value(counter).unwrap());
    let counting = kit.store(&content);
    let page = kit.replay(under(&counting)).unwrap();
    assert_eq!((page.judged, page.left_out["counter-unknown"]), (0, 1));
    kit.put_in_force(&kit.caller(Role::Author), &counting)
        .unwrap();
    kit.decide(&request).unwrap();
    content.policies.pop();
    content.policies.push(countersign_core::document::PolicyFile {
        name: "more.cedar".to_owned(),
        text: "@id(\"few\") @reason(\"Too many.\")\nforbid(principal, action == Action::\"email.send\", resource) when { context.counters.mails.after > 0 };".to_owned(),
    });
    let stricter = kit.store(&content);
    let page = kit.replay(under(&stricter)).unwrap();
    assert_eq!((page.judged, page.left_out["counter-unknown"]), (1, 1));
    assert_eq!(page.changes[0].change, "newly-stopped");
    assert_eq!(page.changes[0].reasons[0].id, "few");
}
