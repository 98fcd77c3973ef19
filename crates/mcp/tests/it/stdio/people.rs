//! Calls that a person has to approve.

use std::time::Duration;

use countersign_wire::{ReviewRequest, StopRequest};
use serde_json::{Value, json};

use super::wire::{Wire, refusal, returned};
use crate::world::World;

fn close() -> Value {
    json!({ "name": "ticket.update", "arguments": { "ticket": "4821", "status": "solved" } })
}

/// What the person says to the question that comes.
fn answer(wire: &mut Wire, said: &Value) -> Value {
    let asked = wire.hear();
    assert_eq!(asked["method"], "elicitation/create", "{asked}");
    wire.say(&json!({ "jsonrpc": "2.0", "id": asked["id"], "result": said }).to_string());
    asked
}

#[test]
fn the_person_is_asked_through_the_client_and_may_say_yes() {
    let world = World::new();
    let mut wire = Wire::edited(&world, "", &json!({ "elicitation": {} }), |_| {});
    let id = wire.begin("tools/call", &close());
    let asked = answer(
        &mut wire,
        &json!({ "action": "accept", "content": { "answer": "approve" } }),
    );
    let message = asked["params"]["message"].as_str().unwrap();
    assert!(
        message.contains("ticket.update") && message.contains("Is this ticket meant?"),
        "{message}"
    );
    let done = wire.hear();
    assert_eq!(done["id"], id);
    assert!(returned(&done).contains("4821"));
    assert_eq!(world.outcomes(), ["escalated", "approved"]);
    assert_eq!(world.phases(), ["started", "finished"]);
    assert_eq!(world.entries("review").len(), 1);
}

#[test]
fn the_person_may_say_no() {
    let world = World::new();
    let mut wire = Wire::edited(&world, "", &json!({ "elicitation": {} }), |_| {});
    wire.begin("tools/call", &close());
    answer(&mut wire, &json!({ "action": "decline" }));
    assert!(refusal(&wire.hear()).contains("rejected"));
    assert_eq!(world.outcomes(), ["escalated", "rejected"]);
    assert!(world.phases().is_empty());
}

#[test]
fn an_answer_that_nobody_was_asked_for_approves_nothing() {
    let world = World::new();
    let mut wire = Wire::edited(&world, "", &json!({ "elicitation": {} }), |options| {
        options.review_wait = Duration::from_secs(2);
    });
    wire.begin("tools/call", &close());
    let asked = wire.hear();
    for id in [json!("countersign-"), json!(1), json!("s0")] {
        let yes = json!({ "action": "accept", "content": { "answer": "approve" } });
        wire.say(&json!({ "jsonrpc": "2.0", "id": id, "result": yes }).to_string());
    }
    let text = refusal(&wire.hear());
    assert!(text.contains("countersign reviews approve"), "{text}");
    assert_eq!(world.outcomes(), ["escalated"]);
    // The question is no longer open.
    let late = json!({ "action": "accept", "content": { "answer": "approve" } });
    wire.say(&json!({ "jsonrpc": "2.0", "id": asked["id"], "result": late }).to_string());
    assert!(wire.ask("ping", &json!({}))["result"].is_object());
    assert_eq!(world.outcomes(), ["escalated"]);
}

#[test]
fn while_one_call_waits_others_go_on_and_it_can_be_cancelled() {
    let world = World::new();
    let mut wire = Wire::new(&world, "");
    let id = wire.begin("tools/call", &close());
    let other = wire.call(
        "crm.lookup",
        &json!({ "contact": "billing@customer.example" }),
    );
    assert!(returned(&other).contains("crm.lookup"));
    wire.say(&json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": id } }).to_string());
    assert!(wire.ask("ping", &json!({}))["result"].is_object());
    let (rest, _) = wire.close();
    assert!(rest.is_empty(), "{rest:?}");
}

#[test]
fn the_same_call_made_again_is_the_same_question() {
    let world = World::new();
    let mut wire = Wire::edited(&world, "", &json!({}), |options| {
        options.review_wait = Duration::from_secs(1);
    });
    wire.begin("tools/call", &close());
    assert!(refusal(&wire.hear()).contains("reviews approve"));
    wire.begin("tools/call", &close());
    assert!(refusal(&wire.hear()).contains("reviews approve"));
    assert_eq!(world.outcomes(), ["escalated"], "nobody is asked anew");
    let decision = world.entries("decision").pop().unwrap();
    let yes = ReviewRequest {
        decision: decision["entry_id"].as_str().unwrap().to_owned(),
        answer: "approve".to_owned(),
        shown: Some("ticket 4821".to_owned()),
        ..ReviewRequest::default()
    };
    world.client("ingress").review(&yes).unwrap();
    let id = wire.begin("tools/call", &close());
    let done = wire.hear();
    assert_eq!(done["id"], id, "the answer goes to the request that waits");
    // The bytes are those of the first call, which the approval is for.
    assert!(
        !returned(&done).contains(&format!("\"id\":{id},")),
        "{done}"
    );
    assert_eq!(world.outcomes(), ["escalated", "approved"]);
    // Once: the next one is asked about anew.
    wire.begin("tools/call", &close());
    assert!(refusal(&wire.hear()).contains("reviews approve"));
    assert_eq!(world.outcomes(), ["escalated", "approved", "escalated"]);
}

/// The call waits, is refused for now, and is approved; then it is made again.
fn approved_then(end: impl FnOnce(&World)) -> (World, Value) {
    let world = World::new();
    let mut wire = Wire::edited(&world, "", &json!({}), |options| {
        options.review_wait = Duration::ZERO;
    });
    wire.begin("tools/call", &close());
    assert!(refusal(&wire.hear()).contains("reviews approve"));
    let decision = world.entries("decision").pop().unwrap();
    let yes = ReviewRequest {
        decision: decision["entry_id"].as_str().unwrap().to_owned(),
        answer: "approve".to_owned(),
        shown: Some("ticket 4821".to_owned()),
        ..ReviewRequest::default()
    };
    world.client("ingress").review(&yes).unwrap();
    end(&world);
    wire.begin("tools/call", &close());
    let answer = wire.hear();
    drop(wire);
    (world, answer)
}

#[test]
fn an_approval_does_not_outlive_a_stop() {
    let (world, answer) = approved_then(|world| {
        let everything = StopRequest {
            scope: "everything".to_owned(),
            actor: None,
            effect: None,
        };
        world.client("reviewer").stop(&everything).unwrap();
    });
    // Judged anew, by what holds now.
    let text = refusal(&answer);
    assert!(text.contains("countersign.stopped"), "{text}");
    assert!(world.phases().is_empty());
    let refused = world.entries("permit-refused").pop().unwrap();
    assert_eq!(refused["reason"], "stopped");
}

#[test]
fn an_approval_does_not_outlive_its_turn() {
    let (world, answer) = approved_then(|world| {
        let decision = world.entries("decision").pop().unwrap();
        let turn = decision["intent_ref"].as_str().unwrap();
        world.client("ingress").revoke_turn(turn).unwrap();
    });
    let text = refusal(&answer);
    assert!(text.contains("countersign.no-permit"), "{text}");
    assert!(world.phases().is_empty());
    let refused = world.entries("permit-refused").pop().unwrap();
    assert_eq!(refused["reason"], "intent");
}

/// A call as the stateless revision makes it.
fn stateless(more: &Value) -> Value {
    let mut params = close();
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": { "elicitation": {} },
    });
    for (name, value) in more.as_object().unwrap() {
        params[name] = value.clone();
    }
    params
}

#[test]
fn a_stateless_client_is_asked_by_the_answer_and_calls_again() {
    let world = World::new();
    let mut wire = Wire::new(&world, "");
    let asked = wire.ask("tools/call", &stateless(&json!({})));
    assert_eq!(asked["result"]["resultType"], "input_required", "{asked}");
    let question = &asked["result"]["inputRequests"]["approve"];
    assert_eq!(question["method"], "elicitation/create");
    assert!(
        question["params"]["message"]
            .as_str()
            .unwrap()
            .contains("4821")
    );
    let yes = json!({ "approve": { "action": "accept", "content": { "answer": "approve" } } });
    let answered =
        json!({ "inputResponses": yes, "requestState": asked["result"]["requestState"] });
    let id = wire.begin("tools/call", &stateless(&answered));
    let done = wire.hear();
    assert_eq!(done["id"], id);
    // The bytes that were judged, without the answer and the state.
    assert!(!returned(&done).contains("requestState"), "{done}");
    assert_eq!(world.outcomes(), ["escalated", "approved"]);
    assert_eq!(world.phases(), ["started", "finished"]);

    let again = wire.ask("tools/call", &stateless(&answered));
    assert_eq!(
        again["error"]["code"], -32_602,
        "a state is good once: {again}"
    );
    assert_eq!(world.phases(), ["started", "finished"]);
}

#[test]
fn a_state_that_was_changed_or_made_up_is_worth_nothing() {
    let world = World::new();
    let mut wire = Wire::new(&world, "");
    let yes = json!({ "approve": { "action": "accept", "content": { "answer": "approve" } } });
    let asked = wire.ask("tools/call", &stateless(&json!({})));
    let state = asked["result"]["requestState"].as_str().unwrap().to_owned();
    let made_up = json!({ "inputResponses": yes, "requestState": "dev.countersign.01ARZ3NDEKTSV4RRFFQ69G5FAV" });
    let refused = wire.ask("tools/call", &stateless(&made_up));
    assert_eq!(refused["error"]["code"], -32_602, "{refused}");
    let other = json!({ "inputResponses": yes, "requestState": state, "arguments": { "ticket": "4822", "status": "solved" } });
    let refused = wire.ask("tools/call", &stateless(&other));
    assert_eq!(refused["error"]["code"], -32_602, "{refused}");
    // Trying used it up.
    let right = json!({ "inputResponses": yes, "requestState": state });
    let refused = wire.ask("tools/call", &stateless(&right));
    assert_eq!(refused["error"]["code"], -32_602, "{refused}");
    assert!(world.entries("review").is_empty());
    assert!(world.phases().is_empty());
}
