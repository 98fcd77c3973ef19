//! Calls that are judged, forwarded and recorded.

use countersign_core::refs::Sha256;
use countersign_mcp::relay::TurnSource;
use countersign_wire::{TurnPartRequest, TurnRequest};
use serde_json::json;

use super::wire::{Wire, mail, refusal, returned};
use crate::world::{AGENT, World};

const NAMED: &str = "billing@customer.example";

#[test]
fn an_approved_call_goes_on_as_the_very_bytes_that_were_judged() {
    let world = World::new();
    let mut wire = Wire::new(&world, "");
    // Spaces, escapes, members that nobody knows and the order of members stay as they are.
    let line = r#"{ "params" : {"arguments":{"to":["billing@customer.example"],"body":"D\u006fne 1.50","subject":"Refund"},"_meta":{"x.y/z":[1.0]},"future":true, "name":"email.send"},"method":"tools\/call", "id":"a\u0062c" ,"jsonrpc":"2.0"}"#;
    wire.say(line);
    let answer = wire.hear();
    assert_eq!(answer["id"], "abc");
    assert_eq!(returned(&answer), line);
    assert_eq!(world.outcomes(), ["approved"]);
    assert_eq!(
        world.phases(),
        ["finished"],
        "the result is recorded before the client has it"
    );
    let call = world.newest_call();
    assert_eq!(call["wire"]["profile"], "mcp");
    assert_eq!(call["wire"]["destination"], "tools");
    assert_eq!(
        call["wire"]["sha256"],
        Sha256::of(line.as_bytes()).to_string()
    );
    assert_eq!(call["external_call_id"], "abc");
    assert!(call["definition"].as_str().unwrap().starts_with("sha256:"));
}

#[test]
fn a_rejected_call_does_not_leave_and_says_why() {
    let world = World::new();
    let mut wire = Wire::new(&world, "");
    let refused = wire.call("email.send", &mail("mallory@evil.example"));
    let text = refusal(&refused);
    let entry = world.entries("decision").pop().unwrap();
    let entry_id = entry["entry_id"].as_str().unwrap();
    assert!(
        text.contains(entry_id) && text.contains("Do not retry"),
        "{text}"
    );
    assert!(text.contains("countersign.no-permit"), "{text}");
    assert_eq!(
        refused["result"]["_meta"]["dev.countersign/refusal"]["entry_id"],
        entry_id
    );
    assert_eq!(world.outcomes(), ["rejected"]);
    assert!(world.phases().is_empty());
}

#[test]
fn a_list_shows_what_could_be_permitted_and_is_for_nobody_else() {
    let world = World::new();
    let mut wire = Wire::new(&world, "");
    let listed = wire.ask("tools/list", &json!({}));
    let result = &listed["result"];
    let tools = result["tools"].as_array().unwrap();
    let names: Vec<&str> = tools
        .iter()
        .map(|tool| tool["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["crm.lookup", "email.send", "ticket.update"]);
    assert!(result.get("ttlMs").is_none() && result.get("cacheScope").is_none());
    assert_eq!(result["_meta"]["kept"], true);
    assert_eq!(tools[0]["inputSchema"]["maximum"], 0.5);
    // What was hidden is judged all the same.
    let refused = wire.call("disk.format", &json!({}));
    assert!(refusal(&refused).contains("countersign."), "{refused}");
}

#[test]
fn a_tool_that_was_never_listed_is_looked_up_before_it_is_judged() {
    let world = World::new();
    let mut wire = Wire::with(world.core(|_| {}), "");
    let params = json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "t", "version": "1" } });
    wire.ask("initialize", &params);
    wire.say(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
    let answer = wire.call("crm.lookup", &json!({ "contact": NAMED }));
    assert!(returned(&answer).contains("crm.lookup"));
    let unlisted = Sha256::of(b"").to_string();
    let call = world.newest_call();
    assert_ne!(
        call["definition"], unlisted,
        "the relay asked for the list itself"
    );
}

#[test]
fn a_resource_is_judged_as_a_read() {
    let world = World::new();
    let mut wire = Wire::new(&world, "");
    let answer = wire.ask("resources/read", &json!({ "uri": "file:///a" }));
    assert_eq!(answer["error"]["code"], -32_010, "{answer}");
    assert!(
        answer["error"]["message"]
            .as_str()
            .unwrap()
            .contains("Ledger entry"),
        "{answer}"
    );
    let call = world.newest_call();
    assert_eq!(
        (&call["tool"], &call["args"]),
        (&json!("mcp.resources.read"), &json!({ "uri": "file:///a" }))
    );
}

#[test]
fn the_turn_of_a_session_is_what_calls_follow_from() {
    let world = World::new();
    let turn = TurnRequest {
        principal: "user:lead@acme.example".to_owned(),
        author: None,
        channel: "support-inbox".to_owned(),
        session: "hook-1".to_owned(),
        actors: vec![AGENT.to_owned()],
        parts: vec![TurnPartRequest {
            by: "principal".to_owned(),
            media_type: None,
            text: format!("Send {NAMED} the confirmation"),
            raw_sha256: None,
        }],
        expires_in_s: None,
        mandate: None,
    };
    let mut wire = Wire::edited(&world, "", &json!({}), |options| {
        options.turn = TurnSource::OfSession("hook-1".to_owned());
    });
    let refused = wire.call("email.send", &mail(NAMED));
    assert!(refusal(&refused).contains("rejected"));
    let registered = world.client("ingress").register_turn(&turn).unwrap();
    assert!(returned(&wire.call("email.send", &mail(NAMED))).contains(NAMED));
    let decision = world.entries("decision").pop().unwrap();
    assert_eq!(decision["intent_ref"], registered.intent_ref);

    // A client that knows the turn names it itself.
    let mut plain = Wire::edited(&world, "", &json!({}), |options| {
        options.turn = TurnSource::Unmandated;
    });
    let params = json!({
        "name": "email.send", "arguments": mail(NAMED),
        "_meta": { "dev.countersign/intent_ref": registered.intent_ref },
    });
    assert!(returned(&plain.ask("tools/call", &params)).contains(NAMED));
    assert!(refusal(&plain.call("email.send", &mail(NAMED))).contains("rejected"));
}

#[test]
fn what_a_tool_reports_as_failed_is_recorded_as_failed() {
    let world = World::new();
    let mut wire = Wire::new(&world, "fails");
    let answer = wire.call("crm.lookup", &json!({ "contact": NAMED }));
    assert_eq!(answer["error"]["message"], "no such customer");
    let execution = world.entries("execution").pop().unwrap();
    assert_eq!(
        (&execution["phase"], &execution["is_error"]),
        (&json!("finished"), &json!(true))
    );
}

#[test]
fn a_task_is_recorded_when_what_it_returned_is_asked_for() {
    let world = World::new();
    let mut wire = Wire::new(&world, "task");
    let begun = wire.ask(
        "tools/call",
        &json!({ "name": "crm.lookup", "arguments": { "contact": NAMED }, "task": {} }),
    );
    assert_eq!(begun["result"]["task"]["taskId"], "t-1");
    assert_eq!(world.phases(), ["started"]);
    let other = wire.ask("tasks/result", &json!({ "taskId": "t-2" }));
    assert_eq!(other["error"]["code"], -32_602, "{other}");
    let done = wire.ask("tasks/result", &json!({ "taskId": "t-1" }));
    assert_eq!(done["result"]["content"][0]["text"], "the task is done");
    assert_eq!(world.phases(), ["started", "finished"]);
}
