//! Bundles: stored with their whole text, put in force, and the one that judged is the one named.

use countersign_core::document::{Bundle, Document};
use countersign_core::entry::{Body, PolicyPhase, Role};
use countersign_core::refs::{PolicyRef, Sha256};
use countersign_service::ErrorCode;
use countersign_wire::SetCurrentBundle;
use serde_json::json;

use crate::kit::{Kit, bundle, mail_request};

#[test]
fn a_bundle_comes_into_force_only_over_the_one_that_its_author_means() {
    let kit = Kit::new();
    let author = kit.caller(Role::Author);
    let first = kit.service().current_bundle(&author).unwrap().policy_ref;
    let body = serde_json::to_vec(&bundle("allow-all")).unwrap();
    let stored = kit.service().store_bundle(&author, &body).unwrap();
    assert!(!stored.known);
    let size = kit.size();
    assert!(kit.service().store_bundle(&author, &body).unwrap().known);
    assert_eq!(kit.size(), size, "what the log holds is not repeated");
    let set = |policy_ref: &str, if_match: Option<&str>| {
        kit.service().set_bundle(
            &author,
            &SetCurrentBundle {
                policy_ref: policy_ref.to_owned(),
            },
            if_match,
        )
    };
    assert_eq!(
        set(&stored.policy_ref, None).unwrap_err().code,
        ErrorCode::PreconditionRequired
    );
    assert_eq!(
        set(&stored.policy_ref, Some(&stored.policy_ref))
            .unwrap_err()
            .code,
        ErrorCode::PreconditionFailed
    );
    let unknown = Sha256::of(b"x").to_string();
    assert_eq!(
        set(&unknown, Some(&first)).unwrap_err().code,
        ErrorCode::NotFound
    );
    set(&stored.policy_ref, Some(&format!("\"{first}\""))).unwrap();
    assert_eq!(
        kit.service().current_bundle(&author).unwrap().policy_ref,
        stored.policy_ref
    );

    let text = kit
        .service()
        .bundle(&author, stored.policy_ref.parse().unwrap())
        .unwrap();
    let read = Bundle::from_canonical(&text).unwrap();
    assert_eq!(read.reference().unwrap().to_string(), stored.policy_ref);
    let turn = kit.turn("s1", "do as you like").intent_ref;
    let answer = kit.mail(&turn, "any@body.example");
    assert_eq!(
        (answer.outcome.as_str(), answer.reasons[0].id.as_str()),
        ("approved", "allow-all")
    );
}

#[test]
fn a_bundle_that_does_not_validate_is_refused_with_the_place() {
    let kit = Kit::new();
    let mut content = bundle("mail-agent");
    content.policies[0]
        .text
        .push_str("\npermit(principal, action, resource) when { context.nonsense };\n");
    let size = kit.size();
    let error = kit
        .service()
        .store_bundle(
            &kit.caller(Role::Author),
            &serde_json::to_vec(&content).unwrap(),
        )
        .unwrap_err();
    assert_eq!(error.code, ErrorCode::InvalidBundle);
    assert!(
        error
            .findings
            .iter()
            .any(|finding| finding.line > 0 && !finding.file.is_empty()),
        "{:?}",
        error.findings
    );
    assert_eq!(kit.size(), size);
}

#[test]
fn a_decision_names_the_bundle_in_force_at_its_commit() {
    let kit = Kit::new();
    let turn = kit.turn("s1", "Write to a@b.example").intent_ref;
    let author = kit.caller(Role::Author);
    let first = kit.service().current_bundle(&author).unwrap().policy_ref;
    let stored = kit
        .service()
        .store_bundle(&author, &serde_json::to_vec(&bundle("allow-all")).unwrap())
        .unwrap();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..30 {
                    // A call may be refused as contended; it is an entry all the same.
                    kit.decide(&mail_request(&turn, "x@y.example")).unwrap();
                }
            });
        }
        let mut current = [first.clone(), stored.policy_ref.clone()];
        for _ in 0..10 {
            let set = SetCurrentBundle {
                policy_ref: current[1].clone(),
            };
            kit.service()
                .set_bundle(&author, &set, Some(&current[0]))
                .unwrap();
            current.reverse();
        }
    });
    let allow_all: PolicyRef = stored.policy_ref.parse().unwrap();
    let mut in_force = None;
    for entry in kit.log() {
        match entry.body().unwrap() {
            Body::Policy(policy) if policy.phase == PolicyPhase::InForce => {
                in_force = Some(policy.policy_ref)
            }
            Body::Decision(decision) if decision.facts_ref.is_some() => {
                assert_eq!(Some(decision.policy_ref), in_force);
                assert_eq!(
                    decision.outcome.name() == "approved",
                    decision.policy_ref == allow_all
                );
            }
            _ => {}
        }
    }
}

#[test]
fn what_the_bundle_in_force_could_not_look_up_is_not_taken_into_the_directory() {
    let kit = Kit::new();
    let author = kit.caller(Role::Author);
    let put = |kind: &str, id: &str, body: &str| {
        kit.service().put_entity(&author, kind, id, body.as_bytes())
    };
    put(
        "Contact",
        "Old@Customer.Example",
        r#"{"status": "churned"}"#,
    )
    .unwrap();
    for (kind, body) in [
        ("contact", r#"{"status": "churned"}"#),
        ("Contact", r#"{"Status": "churned"}"#),
        ("Contact", r#"{"status": true}"#),
        ("Nothing", "null"),
    ] {
        let error = put(kind, "a@b.example", body).unwrap_err();
        assert_eq!(error.code, ErrorCode::MalformedRequest, "{kind} {body}");
    }
    // A bundle that looks contacts up by another form would not find what is there.
    let mut content = bundle("mail-agent");
    for target in content.tools.iter_mut().flat_map(|tool| &mut tool.targets) {
        if target.entity == "Contact" {
            target.kind = countersign_core::document::TargetType::Id;
        }
    }
    let body = serde_json::to_vec(&content).unwrap();
    let stored = kit.service().store_bundle(&author, &body).unwrap();
    let current = kit.service().current_bundle(&author).unwrap().policy_ref;
    let set = SetCurrentBundle {
        policy_ref: stored.policy_ref,
    };
    let error = kit
        .service()
        .set_bundle(&author, &set, Some(&current))
        .unwrap_err();
    assert_eq!(error.code, ErrorCode::Conflict, "{error}");
}

#[test]
fn the_directory_takes_bulk_changes_whole_or_not_at_all() {
    let kit = Kit::new();
    let author = kit.caller(Role::Author);
    let good = "{\"type\":\"Contact\",\"id\":\"A@b.example\",\"attributes\":{\"status\":\"churned\"}}\n\n{\"type\":\"Contact\",\"id\":\"c@d.example\",\"attributes\":{}}\n";
    assert_eq!(
        kit.service()
            .load_directory(&author, good.as_bytes())
            .unwrap()
            .changes,
        2
    );
    let size = kit.size();
    for bad in [
        format!("{good}not json\n"),
        format!(
            "{good}{}\n",
            json!({"type": "Contact", "id": "x\u{7}", "attributes": {}})
        ),
        format!(
            "{good}{}\n",
            json!({"type": "Contact", "id": "no address", "attributes": {}})
        ),
        String::new(),
    ] {
        assert!(
            kit.service()
                .load_directory(&author, bad.as_bytes())
                .is_err()
        );
    }
    assert_eq!(kit.size(), size);
}
