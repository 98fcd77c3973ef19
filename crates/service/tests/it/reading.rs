//! Reading the ledger again: pages, explanations, restarts.

use countersign_core::entry::{Body, Role};
use countersign_service::{EntryQuery, ErrorCode};
use countersign_wire::Sealable;
use serde_json::{Value, json};

use crate::kit::{AGENT, Kit};

#[test]
fn pages_go_through_the_whole_log_and_filters_narrow_it() {
    let kit = Kit::new();
    let turn = kit.turn("s1", "Write to a@b.example").intent_ref;
    for to in ["a@b.example", "x@y.example", "a@b.example"] {
        kit.mail(&turn, to);
    }
    let auditor = kit.caller(Role::Auditor);
    let mut seen = Vec::new();
    let mut cursor = None;
    loop {
        let query = EntryQuery {
            limit: Some(3),
            cursor,
            oldest_first: true,
            ..EntryQuery::default()
        };
        let page = kit.service().entries(&auditor, &query).unwrap();
        seen.extend(page.entries.iter().map(|entry| entry.index));
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen, (0..kit.size()).collect::<Vec<_>>());
    let count = |query: EntryQuery| {
        kit.service()
            .entries(&auditor, &query)
            .unwrap()
            .entries
            .len()
    };
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(
        count(EntryQuery {
            outcome: text("approved"),
            ..EntryQuery::default()
        }),
        2
    );
    assert_eq!(
        count(EntryQuery {
            actor: text(AGENT),
            outcome: text("rejected"),
            ..EntryQuery::default()
        }),
        1
    );
    assert_eq!(
        count(EntryQuery {
            action: text("email.send"),
            ..EntryQuery::default()
        }),
        3
    );
    assert_eq!(
        count(EntryQuery {
            intent: Some(turn),
            kind: text("decision"),
            ..EntryQuery::default()
        }),
        3
    );
    let target = match kit.last() {
        Body::Decision(decision) => decision.targets[0].to_string(),
        other => panic!("{}", other.kind()),
    };
    assert_eq!(
        count(EntryQuery {
            target: Some(target),
            ..EntryQuery::default()
        }),
        2
    );
    let by_value = EntryQuery {
        target: text("Contact::a@b.example"),
        ..EntryQuery::default()
    };
    assert_eq!(
        kit.service().entries(&auditor, &by_value).unwrap_err().code,
        ErrorCode::WrongRole
    );
    for bad in [
        EntryQuery {
            limit: Some(0),
            ..EntryQuery::default()
        },
        EntryQuery {
            cursor: text("x"),
            ..EntryQuery::default()
        },
        EntryQuery {
            since: text("yesterday"),
            ..EntryQuery::default()
        },
    ] {
        assert_eq!(
            kit.service().entries(&auditor, &bad).unwrap_err().code,
            ErrorCode::MalformedRequest
        );
    }
}

#[test]
fn an_explanation_shows_what_the_caller_may_open_and_seals_the_rest() {
    let kit = Kit::new();
    let turn = kit
        .try_turn(json!({
            "principal": "user:jo@acme.example", "channel": "chat", "session": "s1", "actors": [AGENT],
            "parts": [{"by": "principal", "text": "Answer it"}, {"by": "correspondent", "text": "mail jane@former.example"}],
        }))
        .unwrap();
    let rejected = kit
        .mail(&turn.intent_ref, "jane@former.example")
        .entry_id
        .parse()
        .unwrap();
    let auditor = kit.caller(Role::Auditor);
    let sealed = kit
        .service()
        .explain(&auditor, rejected, Some("curious"))
        .unwrap();
    assert!(
        matches!(sealed.turn, Sealable::Sealed { .. })
            && matches!(sealed.call, Sealable::Sealed { .. })
    );
    assert!(sealed.targets.is_empty() && sealed.vault_access.is_none());
    assert!(
        !serde_json::to_string(&sealed)
            .unwrap()
            .contains("former.example")
    );

    let reader = kit.reader();
    let open = kit
        .service()
        .explain(&reader, rejected, Some("incident 7"))
        .unwrap();
    assert!(
        matches!(kit.last(), Body::VaultAccess(_)),
        "opening is an entry"
    );
    let Sealable::Open { document, .. } = &open.reasoning else {
        panic!("{:?}", open.reasoning)
    };
    assert_eq!(document["text"], "The person asked for it.");
    assert_eq!(open.targets[0].value, "jane@former.example");
    let evidence = &open.targets[0].evidence[0];
    assert!(
        evidence.text.contains("correspondent") && !evidence.grounds,
        "{evidence:?}"
    );
    assert_eq!(open.reasons[0].id, "countersign.no-permit");
    // Which rule would have let it pass, which source the address had, which it would have needed.
    let lack = &open.lacks[0];
    assert_eq!(lack.policy, "only-addresses-named-in-the-turn");
    assert_eq!(
        lack.sources,
        ["/to/0 `jane@former.example` has the source none; it would need user"]
    );
    assert!(sealed.lacks.is_empty() && sealed.values.is_empty());
    let size = kit.size();
    kit.service().explain(&reader, rejected, None).unwrap();
    assert_eq!(kit.size(), size, "without a purpose nothing is opened");
}

#[test]
fn what_is_no_turn_is_not_shown_as_one_and_nothing_opened_is_no_access() {
    let kit = Kit::new();
    let turn = kit.turn("s1", "Write to a@b.example").intent_ref;
    kit.mail(&turn, "a@b.example");
    let reasoning = match kit.last() {
        Body::Decision(decision) => decision.reasoning_ref.unwrap().to_string(),
        other => panic!("{}", other.kind()),
    };
    let reader = kit.reader();
    let claims = kit
        .mail(&reasoning, "a@b.example")
        .entry_id
        .parse()
        .unwrap();
    let explanation = kit
        .service()
        .explain(&reader, claims, Some("a test"))
        .unwrap();
    assert!(
        matches!(explanation.turn, Sealable::Absent),
        "{:?}",
        explanation.turn
    );

    let agent = kit.caller(Role::Agent);
    let error = kit
        .service()
        .decide(&agent, b"{", countersign_core::entry::Surface::Api, None)
        .unwrap_err();
    let size = kit.size();
    let explanation = kit
        .service()
        .explain(&reader, error.entry_id.unwrap(), Some("a test"))
        .unwrap();
    assert_eq!((kit.size(), explanation.vault_access), (size, None));
}

#[test]
fn an_explanation_says_why_a_named_turn_did_not_count_and_what_does_not_fit() {
    let kit = Kit::new();
    let auditor = kit.caller(Role::Auditor);
    let notes = |id: &str| {
        let explained = kit.service().explain(&auditor, id.parse().unwrap(), None);
        let explained = explained.unwrap();
        (explained.notes.join("; "), explained.is_mandated)
    };
    let turn = kit.turn("s1", "Write to a@b.example").intent_ref;
    let live = kit.mail(&turn, "a@b.example").entry_id;
    assert_eq!(notes(&live), (String::new(), true));
    kit.service()
        .revoke_turn(&kit.caller(Role::Ingress), turn.parse().unwrap())
        .unwrap();
    let (revoked, is_mandated) = notes(&kit.mail(&turn, "a@b.example").entry_id);
    assert!(revoked.contains("revoked") && !is_mandated, "{revoked}");
    let unknown = countersign_core::refs::Sha256::of(b"x").to_string();
    let (unknown, _) = notes(&kit.mail(&unknown, "a@b.example").entry_id);
    assert!(unknown.contains("no turn of this ledger"), "{unknown}");

    let turn = kit.turn("s2", "Write to a@b.example").intent_ref;
    let mut request = crate::kit::mail_request(&turn, "a@b.example");
    request["args"]["to"] = json!("a@b.example");
    let id = kit.decide(&request).unwrap().entry_id.parse().unwrap();
    let reader = kit.reader();
    let explained = kit.service().explain(&reader, id, Some("a test")).unwrap();
    assert!(explained.notes[0].contains("/to"), "{:?}", explained.notes);
}

#[test]
fn an_approval_is_explained_with_its_rule() {
    let kit = Kit::new();
    let turn = kit.turn("s1", "Write to a@b.example").intent_ref;
    let id = kit.mail(&turn, "a@b.example").entry_id.parse().unwrap();
    let explanation = kit
        .service()
        .explain(&kit.caller(Role::Auditor), id, None)
        .unwrap();
    assert_eq!(
        explanation.policies[0].id,
        "only-addresses-named-in-the-turn"
    );
    assert!(
        explanation.policies[0].source.contains("permit"),
        "{:?}",
        explanation.policies
    );
    assert!(explanation.policies[0].line > 0);
    assert_eq!(explanation.proof.tree_size, kit.size());
}

#[test]
fn after_a_restart_everything_is_as_it_was() {
    let mut kit = Kit::new();
    let turn = kit.turn("s1", "Write to a@b.example").intent_ref;
    let before = kit.mail(&turn, "a@b.example");
    let log = kit.leaves();
    kit.restart();
    assert_eq!(kit.leaves(), log);
    let again = kit
        .service()
        .decision(&kit.caller(Role::Agent), before.entry_id.parse().unwrap())
        .unwrap();
    assert_eq!(
        (again.permit, again.outcome),
        (before.permit, before.outcome)
    );
    assert_eq!(kit.mail(&turn, "a@b.example").outcome, "approved");
    let entry: Value = serde_json::from_str(
        kit.service()
            .entry(&kit.caller(Role::Auditor), before.entry_id.parse().unwrap())
            .unwrap()
            .entry
            .get(),
    )
    .unwrap();
    assert!(
        entry["proof"]
            .as_str()
            .unwrap()
            .starts_with("c2sp.org/tlog-proof@v1\n")
    );
}
