//! Who may do what: roles, what a credential may speak for, and revoked credentials.

use countersign_core::entry::{Body, Role, Surface};
use countersign_service::{EntryQuery, ErrorCode, ServiceError};
use countersign_wire::NewCredential;
use serde_json::{Value, json};

use crate::kit::{AGENT, Kit, mail_request, turn_request};

fn grant(kit: &Kit, request: Value) -> Result<String, ServiceError> {
    let request: NewCredential = serde_json::from_value(request).unwrap();
    kit.service()
        .add_credential(&kit.caller(Role::Admin), &request)
        .map(|created| created.token)
}

#[test]
fn every_method_refuses_the_roles_that_it_is_not_for() {
    let kit = Kit::new();
    let turn = kit.turn("s1", "hello").intent_ref;
    let service = kit.service();
    let record = kit.turn("s1", "again").intent_ref.parse().unwrap();
    for role in Role::ALL.iter().copied() {
        let caller = kit.caller(role);
        let refused = |result: Result<(), ServiceError>| matches!(result, Err(error) if error.code == ErrorCode::WrongRole);
        let turn_body = turn_request("s9", "words").to_string();
        let call_body = mail_request(&turn, "x@y.example").to_string();
        let table = [
            (
                "turns",
                &[Role::Ingress][..],
                refused(
                    service
                        .register_turn(&caller, turn_body.as_bytes())
                        .map(drop),
                ),
            ),
            (
                "decisions",
                &[Role::Agent],
                refused(
                    service
                        .decide(&caller, call_body.as_bytes(), Surface::Api, None)
                        .map(drop),
                ),
            ),
            (
                "executions",
                &[Role::Tool, Role::Agent],
                refused(service.report_execution(&caller, b"{}").map(drop)),
            ),
            (
                "bundles",
                &[Role::Author],
                refused(service.store_bundle(&caller, b"{}").map(drop)),
            ),
            (
                "directory",
                &[Role::Author],
                refused(
                    service
                        .put_entity(&caller, "Contact", "a@b.example", b"{}")
                        .map(drop),
                ),
            ),
            (
                "entries",
                &[Role::Auditor],
                refused(service.entries(&caller, &EntryQuery::default()).map(drop)),
            ),
            (
                "vault",
                &[Role::VaultReader],
                refused(
                    service
                        .open_record(
                            &caller,
                            record,
                            &countersign_wire::OpenRequest {
                                purpose: Some("p".into()),
                                request: None,
                                alone: false,
                            },
                        )
                        .map(drop),
                ),
            ),
            (
                "credentials",
                &[Role::Admin],
                refused(
                    service
                        .add_credential(&caller, &NewCredential::default())
                        .map(drop),
                ),
            ),
        ];
        for (what, allowed, was_refused) in table {
            assert_eq!(was_refused, !allowed.contains(&role), "{what} by {role}");
        }
    }
}

#[test]
fn another_actor_is_refused_and_its_name_stays_out_of_the_leaf() {
    let kit = Kit::new();
    let turn = kit.turn("s1", "hello").intent_ref;
    let mut request = mail_request(&turn, "x@y.example");
    request["actor"] = json!("agent:ignore-previous-instructions");
    let error = kit.decide(&request).unwrap_err();
    assert_eq!(error.code, ErrorCode::OutOfBounds);
    let decision = kit.last_decision();
    assert_eq!(decision.reasons[0].as_str(), "countersign.foreign-actor");
    let log = kit.leaves();
    assert!(!String::from_utf8_lossy(log.last().unwrap()).contains("ignore-previous"));
}

#[test]
fn an_agent_never_speaks_for_anybody_else() {
    let kit = Kit::new();
    for other in [
        "ingress",
        "reviewer",
        "author",
        "admin",
        "tool",
        "vault-reader",
    ] {
        let request = json!({"roles": ["agent", other], "actors": [AGENT]});
        assert_eq!(
            grant(&kit, request).unwrap_err().code,
            ErrorCode::MalformedRequest,
            "{other}"
        );
    }
    assert!(
        grant(&kit, json!({"roles": ["agent"]})).is_err(),
        "an agent without actors"
    );
    assert!(grant(&kit, json!({"roles": []})).is_err());
    assert!(grant(&kit, json!({"roles": ["reviewer"], "public_key": "AAAA"})).is_err());
    let low_order = "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    assert!(
        grant(
            &kit,
            json!({"roles": ["reviewer"], "public_key": low_order})
        )
        .is_err()
    );
}

#[test]
fn an_ingress_registers_only_what_it_may_speak_for() {
    let kit = Kit::new();
    let token = grant(&kit, json!({
        "roles": ["ingress"], "actors": ["agent:team/"], "authors": ["human"], "channels": ["chat"], "session": "own",
    }))
    .unwrap();
    let ingress = kit.service().authenticate(&token).unwrap();
    let register = |change: &dyn Fn(&mut Value)| {
        let mut request = turn_request("own", "words");
        request["actors"] = json!(["agent:team/a"]);
        change(&mut request);
        kit.service()
            .register_turn(&ingress, request.to_string().as_bytes())
    };
    register(&|_| ()).unwrap();
    type Change<'a> = (&'a str, &'a dyn Fn(&mut Value));
    let changes: [Change<'_>; 4] = [
        ("actor", &|r| r["actors"] = json!(["agent:team/a", AGENT])),
        ("author", &|r| r["author"] = json!("schedule")),
        ("channel", &|r| r["channel"] = json!("mail")),
        ("session", &|r| r["session"] = json!("another")),
    ];
    for (what, change) in changes {
        assert_eq!(
            register(change).unwrap_err().code,
            ErrorCode::OutOfBounds,
            "{what}"
        );
    }
}

#[test]
fn a_revoked_credential_is_refused_also_for_what_it_had_in_hand() {
    let kit = Kit::new();
    let turn = kit.turn("s1", "Write to a@b.example").intent_ref;
    let token = grant(&kit, json!({"roles": ["agent"], "actors": [AGENT]})).unwrap();
    let held = kit.service().authenticate(&token).unwrap();
    let body = mail_request(&turn, "a@b.example").to_string();
    kit.service()
        .decide(&held, body.as_bytes(), Surface::Api, None)
        .unwrap();
    kit.service()
        .revoke_credential(&kit.caller(Role::Admin), held.id())
        .unwrap();
    assert_eq!(
        kit.service().authenticate(&token).unwrap_err().code,
        ErrorCode::Unauthenticated
    );
    // Authenticated before, decided after: the read set finds it, and nothing is approved.
    match kit
        .service()
        .decide(&held, body.as_bytes(), Surface::Api, None)
    {
        Ok(answer) => assert_eq!(answer.outcome, "rejected"),
        Err(error) => assert_eq!(error.code, ErrorCode::Contended),
    }
    let approvals = kit.log().iter().filter(|entry| matches!(entry.body(), Some(Body::Decision(d)) if d.outcome.name() == "approved")).count();
    assert_eq!(approvals, 1);
    assert_eq!(
        kit.service()
            .revoke_credential(&kit.caller(Role::Admin), held.id())
            .unwrap_err()
            .code,
        ErrorCode::Conflict
    );
}

#[test]
fn a_stop_of_a_prefix_stops_all_below_it_and_only_an_admin_lifts_it() {
    let kit = Kit::new();
    let token = grant(
        &kit,
        json!({"roles": ["ingress"], "actors": ["agent:team/"]}),
    )
    .unwrap();
    let ingress = kit.service().authenticate(&token).unwrap();
    let token = grant(&kit, json!({"roles": ["agent"], "actors": ["agent:team/"]})).unwrap();
    let agent = kit.service().authenticate(&token).unwrap();
    let mut request = turn_request("s1", "Write to a@b.example");
    request["actors"] = json!(["agent:team/one", "agent:team/two"]);
    let body = request.to_string();
    let turn = kit
        .service()
        .register_turn(&ingress, body.as_bytes())
        .unwrap();
    let outcome = |actor: &str| {
        let mut call = mail_request(&turn.intent_ref, "a@b.example");
        call["actor"] = json!(actor);
        let body = call.to_string();
        kit.service()
            .decide(&agent, body.as_bytes(), Surface::Api, None)
            .unwrap()
            .outcome
    };
    let stop = |role: Role, request: Value| {
        kit.service()
            .stop(&kit.caller(role), &serde_json::from_value(request).unwrap())
    };
    let team = json!({"scope": "actor", "actor": "agent:team/"});
    stop(Role::Reviewer, team.clone()).unwrap();
    assert_eq!(outcome("agent:team/one"), "rejected");
    let mut lift = team;
    lift["effect"] = json!("resume");
    assert_eq!(
        stop(Role::Reviewer, lift.clone()).unwrap_err().code,
        ErrorCode::WrongRole
    );
    stop(Role::Admin, lift).unwrap();
    stop(
        Role::Admin,
        json!({"scope": "actor", "actor": "agent:team/one"}),
    )
    .unwrap();
    assert_eq!(outcome("agent:team/one"), "rejected");
    assert_eq!(outcome("agent:team/two"), "approved");
}

#[test]
fn an_ingress_revokes_only_what_it_registered() {
    let kit = Kit::new();
    let turn = kit.turn("s1", "hello").intent_ref.parse().unwrap();
    let token = grant(&kit, json!({"roles": ["ingress"], "actors": [AGENT]})).unwrap();
    let other = kit.service().authenticate(&token).unwrap();
    let error = kit.service().revoke_turn(&other, turn).unwrap_err();
    assert_eq!(error.code, ErrorCode::OutOfBounds);
    kit.service()
        .revoke_turn(&kit.caller(Role::Reviewer), turn)
        .unwrap();
}

#[test]
fn tokens_that_are_not_ours_are_refused() {
    let kit = Kit::new();
    let good = kit.token(Role::Agent).to_owned();
    let other = Kit::new().token(Role::Agent).to_owned();
    let mut cut = good.clone();
    cut.pop();
    for bad in [
        "",
        "cs_",
        "Bearer x",
        &cut,
        &other,
        &good.to_lowercase(),
        &format!("{good} "),
    ] {
        assert_eq!(
            kit.service().authenticate(bad).unwrap_err().code,
            ErrorCode::Unauthenticated
        );
    }
    kit.service().authenticate(&good).unwrap();
}

#[test]
fn an_agent_does_not_see_another_agents_decision_and_nobody_else_gets_its_permit() {
    let kit = Kit::new();
    let turn = kit.turn("s1", "Write to a@b.example").intent_ref;
    let id = kit.mail(&turn, "a@b.example").entry_id.parse().unwrap();
    assert!(
        kit.service()
            .decision(&kit.caller(Role::Agent), id)
            .unwrap()
            .permit
            .is_some()
    );
    assert!(
        kit.service()
            .decision(&kit.caller(Role::Auditor), id)
            .unwrap()
            .permit
            .is_none()
    );
    let token = grant(&kit, json!({"roles": ["agent"], "actors": ["agent:spy"]})).unwrap();
    let spy = kit.service().authenticate(&token).unwrap();
    assert_eq!(
        kit.service().decision(&spy, id).unwrap_err().code,
        ErrorCode::NotFound
    );
}
