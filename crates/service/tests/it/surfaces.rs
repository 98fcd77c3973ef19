//! What surfaces say beside the call: their session, what they will send, where they work.

use countersign_core::entry::{Body, Role, Surface};
use countersign_core::refs::Sha256;
use countersign_service::ErrorCode;
use countersign_wire::NewCredential;
use serde_json::{Value, json};

use crate::kit::{AGENT, Kit, mail_request};

/// A mail in the name of the session's newest turn.
fn in_session(session: &str, to: &str) -> Value {
    let mut request = mail_request("", to);
    let members = request.as_object_mut().unwrap();
    members.shift_remove("intent_ref");
    members.insert("session".to_owned(), json!(session));
    members.insert("session_turn".to_owned(), json!(true));
    request
}

#[test]
fn a_call_may_name_its_session_in_place_of_the_turn() {
    let kit = Kit::new();
    kit.turn("s-1", "Send jo@customer.example the confirmation");
    let first = kit
        .decide(&in_session("s-1", "jo@customer.example"))
        .unwrap();
    assert_eq!(first.outcome, "approved");
    let turn = kit.turn("s-1", "Now send it to kim@customer.example");
    let second = kit.decide(&in_session("s-1", "kim@customer.example"));
    assert_eq!(second.unwrap().outcome, "approved");
    let stated = kit.last_decision().intent_ref.unwrap().to_string();
    assert_eq!(stated, turn.intent_ref, "the newest turn");
}

#[test]
fn a_session_without_a_live_turn_is_no_mandate() {
    let kit = Kit::new();
    let unknown = kit.decide(&in_session("s-none", "jo@customer.example"));
    assert_eq!(unknown.unwrap().outcome, "rejected");
    assert_eq!(kit.last_decision().intent_ref, None);

    let turn = kit.turn("s-1", "Send jo@customer.example the confirmation");
    let ingress = kit.caller(Role::Ingress);
    let intent_ref = turn.intent_ref.parse().unwrap();
    kit.service().revoke_turn(&ingress, intent_ref).unwrap();
    let revoked = kit.decide(&in_session("s-1", "jo@customer.example"));
    assert_eq!(revoked.unwrap().outcome, "rejected");

    kit.turn("s-2", "Send jo@customer.example the confirmation");
    kit.clock.turn(2 * 3_600_000);
    let ended = kit.decide(&in_session("s-2", "jo@customer.example"));
    assert_eq!(ended.unwrap().outcome, "rejected");
}

#[test]
fn a_turn_that_names_another_agent_is_not_the_sessions_turn_for_this_one() {
    let kit = Kit::new();
    let words = "Send jo@customer.example the confirmation";
    let mut request = crate::kit::turn_request("s-1", words);
    request["actors"] = json!(["agent:other"]);
    kit.try_turn(request).unwrap();
    let answer = kit
        .decide(&in_session("s-1", "jo@customer.example"))
        .unwrap();
    assert_eq!(answer.outcome, "rejected");
    assert_eq!(kit.last_decision().intent_ref, None);
}

#[test]
fn naming_both_a_turn_and_the_sessions_is_a_malformed_call() {
    let kit = Kit::new();
    let turn = kit.turn("s-1", "Send jo@customer.example the confirmation");
    let mut both = in_session("s-1", "jo@customer.example");
    both["intent_ref"] = json!(turn.intent_ref);
    let mut neither = in_session("s-1", "jo@customer.example");
    neither.as_object_mut().unwrap().shift_remove("session");
    for request in [both, neither] {
        let error = kit.decide(&request).unwrap_err();
        assert_eq!(error.code, ErrorCode::MalformedRequest);
        assert!(error.entry_id.is_some(), "it is recorded");
    }
}

#[test]
fn what_a_surface_states_is_sealed_with_the_call_and_stands_in_the_permit() {
    let kit = Kit::new();
    let turn = kit.turn("s-1", "Send jo@customer.example the confirmation");
    let digest = Sha256::of(b"bytes").to_string();
    let mut request = mail_request(&turn.intent_ref, "jo@customer.example");
    request["wire"] = json!({"profile": "mcp", "destination": "mail", "sha256": digest});
    request["definition"] = json!(digest);
    request["workspace"] = json!({"root": "/p", "cwd": "/p/src", "links": {"/p/a": "/etc"}});
    let answer = kit.decide(&request).unwrap();
    assert_eq!(answer.outcome, "approved");
    let call_ref = kit.last_decision().call_ref.unwrap();
    let reader = kit.reader();
    let opened = kit.open(&reader, *call_ref.digest(), "a test").unwrap();
    let call = opened.document;
    assert_eq!(call["wire"]["profile"], "mcp");
    assert_eq!(call["definition"], json!(digest));
    assert_eq!(call["workspace"]["links"], json!({"/p/a": "/etc"}));
    let claims = answer.permit.unwrap();
    let payload = claims.split('.').nth(1).unwrap().to_owned();
    assert!(decoded(&payload).contains(&format!("\"sha256\":\"{digest}\"")));
    let again = kit
        .service()
        .decision(&kit.caller(Role::Agent), answer.entry_id.parse().unwrap());
    assert_eq!(
        again.unwrap().permit.unwrap(),
        claims,
        "the very same permit"
    );
}

fn decoded(payload: &str) -> String {
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload);
    String::from_utf8(bytes.unwrap()).unwrap()
}

#[test]
fn paths_of_a_workspace_are_absolute_and_plain() {
    let kit = Kit::new();
    let turn = kit.turn("s-1", "Send jo@customer.example the confirmation");
    for root in [
        "p",
        "",
        "/p/../etc",
        "/p//q",
        "/p/./q",
        "/p/",
        "/p\n",
        "~/p",
    ] {
        let mut request = mail_request(&turn.intent_ref, "jo@customer.example");
        request["workspace"] = json!({"root": root, "cwd": "/p"});
        assert!(kit.decide(&request).is_err(), "root {root:?}");
        request["workspace"] = json!({"root": "/p", "cwd": "/p", "links": {"/p/x": root}});
        assert!(kit.decide(&request).is_err(), "link to {root:?}");
    }
    for (member, value) in [
        ("definition", json!("sha256:00")),
        (
            "wire",
            json!({"profile": "mcp", "destination": "x", "sha256": "no"}),
        ),
        (
            "wire",
            json!({"profile": "p".repeat(65), "destination": "x", "sha256": Sha256::of(b"").to_string()}),
        ),
    ] {
        let mut request = mail_request(&turn.intent_ref, "jo@customer.example");
        request[member] = value;
        assert!(kit.decide(&request).is_err(), "{member}");
    }
}

#[test]
fn where_a_call_came_in_is_what_its_credential_says() {
    let kit = Kit::new();
    let request = NewCredential {
        roles: vec!["agent".to_owned()],
        actors: vec![AGENT.to_owned()],
        surface: Some("relay".to_owned()),
        ..NewCredential::default()
    };
    let created = kit
        .service()
        .add_credential(&kit.caller(Role::Admin), &request)
        .unwrap();
    let relay = kit.service().authenticate(&created.token).unwrap();
    let turn = kit.turn("s-1", "Send jo@customer.example the confirmation");
    let body = mail_request(&turn.intent_ref, "jo@customer.example").to_string();
    kit.service()
        .decide(&relay, body.as_bytes(), Surface::Api, None)
        .unwrap();
    assert_eq!(kit.last_decision().surface, Surface::Relay);
    let Err(_) = kit.service().decide(&relay, b"[]", Surface::Api, None) else {
        panic!("a list is no call");
    };
    assert_eq!(kit.last_decision().surface, Surface::Relay, "also unread");
}

#[test]
fn members_of_credentials_are_for_the_roles_that_they_mean_something_to() {
    let kit = Kit::new();
    let admin = kit.caller(Role::Admin);
    let base = |role: &str| NewCredential {
        roles: vec![role.to_owned()],
        actors: vec![AGENT.to_owned()],
        ..NewCredential::default()
    };
    let refused = [
        NewCredential {
            surface: Some("relay".to_owned()),
            ..base("ingress")
        },
        NewCredential {
            surface: Some("nowhere".to_owned()),
            ..base("agent")
        },
        NewCredential {
            principal: Some("user:jo@acme.example".to_owned()),
            ..base("ingress")
        },
        NewCredential {
            principal: Some(String::new()),
            ..base("reviewer")
        },
        NewCredential {
            own_sessions: true,
            ..base("agent")
        },
        NewCredential {
            roles: vec!["ingress".to_owned(), "reviewer".to_owned()],
            ..base("reviewer")
        },
    ];
    for request in refused {
        let before = kit.size();
        assert!(
            kit.service().add_credential(&admin, &request).is_err(),
            "{request:?}"
        );
        assert_eq!(kit.size(), before);
    }
    let reviewer = NewCredential {
        principal: Some("user:jo@acme.example".to_owned()),
        ..base("reviewer")
    };
    kit.service().add_credential(&admin, &reviewer).unwrap();
    let Body::Credential(entry) = kit.last() else {
        panic!("no credential");
    };
    kit.turn("s-1", "Send jo@customer.example the confirmation");
    let Body::Intent(intent) = kit.last() else {
        panic!("no intent");
    };
    assert_eq!(
        entry.principal,
        Some(intent.principal),
        "one person, one pseudonym"
    );
}
