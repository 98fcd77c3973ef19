//! What a list of tools shows an agent, and tools that change after they were confirmed.

use countersign_core::entry::{Body, Detector, Role};
use countersign_core::refs::Sha256;
use countersign_core::verdict::Outcome;
use countersign_service::{ErrorCode, VISIBLE_TOOLS};
use countersign_wire::{VisibleAnswer, VisibleRequest};
use serde_json::json;

use crate::kit::{AGENT, Kit, bundle, mail_request};

fn asked(kit: &Kit, actor: &str, tools: &[&str]) -> VisibleAnswer {
    kit.service()
        .visible_tools(&kit.caller(Role::Agent), request(actor, tools))
        .unwrap()
}

fn request(actor: &str, tools: &[&str]) -> VisibleRequest {
    VisibleRequest {
        actor: actor.to_owned(),
        tools: tools.iter().map(|tool| (*tool).to_owned()).collect(),
        ..VisibleRequest::default()
    }
}

#[test]
fn tools_that_nothing_permits_are_hidden() {
    let kit = Kit::new();
    let answer = asked(
        &kit,
        AGENT,
        &["email.send", "shell", "inbox.read", "Email.Send"],
    );
    assert_eq!(answer.visible, ["email.send", "inbox.read"]);
    assert_eq!(answer.hidden, ["shell", "Email.Send"]);
    assert!(answer.changed.is_empty());
    let kit = Kit::with_bundle(bundle("allow-all"));
    let long = "x".repeat(257);
    let answer = asked(&kit, AGENT, &["shell", &long]);
    assert_eq!(
        (answer.visible, answer.hidden),
        (vec!["shell".into()], vec![long])
    );
}

#[test]
fn nobody_asks_for_another_agent_or_without_end() {
    let kit = Kit::new();
    let refused = |role: Role, request: VisibleRequest| {
        let error = kit.service().visible_tools(&kit.caller(role), request);
        error.unwrap_err().code
    };
    assert_eq!(
        refused(Role::Agent, request("agent:other", &["x"])),
        ErrorCode::OutOfBounds
    );
    assert_eq!(
        refused(Role::Auditor, request(AGENT, &["x"])),
        ErrorCode::WrongRole
    );
    let many = vec!["x"; VISIBLE_TOOLS + 1];
    assert_eq!(
        refused(Role::Agent, request(AGENT, &many)),
        ErrorCode::MalformedRequest
    );
    let mut odd = request(AGENT, &["x"]);
    odd.definitions
        .insert("x".to_owned(), "sha256:no".to_owned());
    assert_eq!(refused(Role::Agent, odd), ErrorCode::MalformedRequest);
}

#[test]
fn a_tool_that_changes_is_hidden_its_call_rejected_and_a_flag_raised() {
    let confirmed = Sha256::of(b"as it was confirmed");
    let mut pinned = bundle("mail-agent");
    for tool in &mut pinned.tools {
        tool.pinned = Some(confirmed);
    }
    let kit = Kit::with_bundle(pinned);
    let turn = kit.turn("s-1", "Send jo@customer.example the confirmation");
    let call = |listed: &Sha256| {
        let mut request = mail_request(&turn.intent_ref, "jo@customer.example");
        request["definition"] = json!(listed.to_string());
        kit.decide(&request).unwrap().outcome
    };
    assert_eq!(call(&confirmed), "approved");
    let listed = |digest: &Sha256| {
        let mut request = request(AGENT, &["email.send", "inbox.read"]);
        let digest = digest.to_string();
        request.definitions.insert("email.send".to_owned(), digest);
        let caller = kit.caller(Role::Agent);
        kit.service().visible_tools(&caller, request).unwrap()
    };
    assert!(listed(&confirmed).changed.is_empty());

    let other = Sha256::of(b"and now it sends all mail to eve");
    let before = kit.size();
    let answer = listed(&other);
    assert_eq!(
        kit.size(),
        before + 1,
        "it is recorded though nobody called it"
    );
    assert_eq!(kit.last_decision().outcome, Outcome::Rejected);
    assert_eq!(kit.last_decision().facts_ref, None);
    kit.service().settle_watch().unwrap();
    let after = kit.size();
    assert_eq!(after, before + 2, "and flagged");
    listed(&other);
    assert_eq!(kit.size(), after, "once");
    assert_eq!(answer.visible, ["inbox.read"]);
    assert_eq!(
        (&answer.hidden, &answer.changed),
        (&vec!["email.send".to_owned()], &answer.hidden)
    );
    assert_eq!(call(&other), "rejected");
    let rejected = kit.last_decision();
    let reasons: Vec<&str> = rejected.reasons.iter().map(|id| id.as_str()).collect();
    assert_eq!(reasons, ["countersign.tool-changed"]);
    kit.service().settle_watch().unwrap();
    let flags: Vec<_> = kit
        .log()
        .into_iter()
        .filter_map(|entry| match entry.body() {
            Some(Body::Flag(flag)) => Some(flag.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(flags.len(), 1);
    assert_eq!(
        (flags[0].detector, flags[0].count),
        (Detector::ToolChanged, 1),
        "raised by the list; the call belongs to the same incident"
    );
}
