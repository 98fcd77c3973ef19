//! How it ends: the server, the client, the Countersign server.

use std::time::Instant;

use serde_json::json;

use super::wire::{Wire, mail, refusal};
use crate::world::{PATIENCE, World};

const NAMED: &str = "billing@customer.example";

#[test]
fn a_server_that_dies_in_a_call_leaves_an_answer_and_an_unknown_execution() {
    for (what, code) in [("die", 3), ("half", 0)] {
        let world = World::new();
        let mut wire = Wire::new(&world, what);
        let text = refusal(&wire.call("email.send", &mail(NAMED)));
        assert!(text.contains("may have been carried out"), "{text}");
        let (rest, ended) = wire.ended();
        assert!(rest.is_empty(), "{rest:?}");
        assert_eq!((ended.code, ended.lost), (code, 0));
        assert_eq!(world.phases(), ["unknown"]);
    }
}

#[test]
fn what_is_not_answered_when_the_client_ends_is_unknown() {
    let world = World::new();
    let mut wire = Wire::new(&world, "hang");
    let id = wire.begin(
        "tools/call",
        &json!({ "name": "email.send", "arguments": mail(NAMED) }),
    );
    let (rest, ended) = wire.close();
    assert_eq!(rest.len(), 1, "{rest:?}");
    assert_eq!(
        (&rest[0]["id"], &rest[0]["result"]["isError"]),
        (&json!(id), &json!(true))
    );
    assert_eq!(ended.code, 0);
    assert_eq!(world.phases(), ["unknown"]);
}

#[test]
fn a_client_that_ends_at_once_gets_its_answers() {
    let world = World::new();
    let mut wire = Wire::new(&world, "");
    let id = wire.begin(
        "tools/call",
        &json!({ "name": "email.send", "arguments": mail(NAMED) }),
    );
    let (rest, ended) = wire.close();
    assert_eq!((rest.len(), &rest[0]["id"]), (1, &json!(id)), "{rest:?}");
    assert_eq!(ended.code, 0);
    assert_eq!(world.phases(), ["finished"]);
}

#[test]
fn a_half_line_of_the_client_is_no_message() {
    let world = World::new();
    let mut wire = Wire::new(&world, "");
    let line = json!({ "jsonrpc": "2.0", "id": 50, "method": "tools/call", "params": { "name": "email.send", "arguments": mail(NAMED) } });
    wire.raw(line.to_string().as_bytes());
    let (rest, _) = wire.close();
    assert!(rest.is_empty(), "{rest:?}");
    assert!(world.outcomes().is_empty());
}

#[test]
fn a_server_that_goes_on_is_ended() {
    let world = World::new();
    let wire = Wire::new(&world, "stays");
    let begun = Instant::now();
    wire.stop();
    let (_, ended) = wire.ended();
    assert_eq!(ended.code, 0);
    assert!(begun.elapsed() < PATIENCE);
}

#[test]
fn the_servers_own_code_is_passed_on() {
    let world = World::new();
    let (_, ended) = Wire::new(&world, "seven").close();
    assert_eq!(ended.code, 7);
}

#[test]
fn without_a_decision_no_call_leaves() {
    let mut world = World::new();
    let mut wire = Wire::new(&world, "");
    world.stop();
    let text = refusal(&wire.call("crm.lookup", &json!({ "contact": NAMED })));
    assert!(text.contains("could not decide"), "{text}");
    let listed = wire.ask("tools/list", &json!({}));
    assert_eq!(listed["error"]["code"], -32_603, "{listed}");
}

/// A call is approved, then the ledger goes away, and then its tool returns.
fn returned_while_away(world: &mut World, wire: &mut Wire) {
    let id = wire.begin(
        "tools/call",
        &json!({ "name": "crm.lookup", "arguments": { "contact": NAMED } }),
    );
    while world.outcomes().is_empty() {
        std::thread::yield_now();
    }
    world.stop();
    wire.say(r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{}}"#);
    assert_eq!(wire.hear()["id"], id);
}

#[test]
fn a_result_that_cannot_be_recorded_yet_holds_up_the_next_call_and_is_not_lost() {
    let mut world = World::new();
    let mut wire = Wire::new(&world, "late");
    returned_while_away(&mut world, &mut wire);
    let text = refusal(&wire.call("crm.lookup", &json!({ "contact": NAMED })));
    assert!(text.contains("could not decide"), "{text}");
    world.start_again();
    wire.begin(
        "tools/call",
        &json!({ "name": "email.send", "arguments": mail("mallory@evil.example") }),
    );
    assert!(refusal(&wire.hear()).contains("rejected"));
    assert_eq!(world.phases(), ["finished"]);
}

#[test]
fn a_result_that_the_client_has_already_is_recorded_before_the_next_call_is_judged() {
    let world = World::new();
    let mut wire = Wire::behind(&world, "quick");
    for _ in 0..5 {
        let answer = wire.call("crm.lookup", &json!({ "contact": NAMED }));
        assert_eq!(answer["result"]["isError"], false);
    }
    let (_, ended) = wire.close();
    assert_eq!(ended.lost, 0);
    let kinds: Vec<String> = world.kinds(10);
    let pair = ["decision", "execution"];
    assert_eq!(kinds, pair.repeat(5));
}

#[test]
fn a_result_that_the_client_has_already_is_not_lost_while_the_ledger_is_away() {
    let mut world = World::new();
    let mut wire = Wire::behind(&world, "late");
    returned_while_away(&mut world, &mut wire);
    let text = refusal(&wire.call("crm.lookup", &json!({ "contact": NAMED })));
    assert!(text.contains("could not decide"), "{text}");
    world.start_again();
    assert!(refusal(&wire.call("email.send", &mail("mallory@evil.example"))).contains("rejected"));
    assert_eq!(world.phases(), ["finished"]);
}

#[test]
fn an_execution_that_stays_unrecorded_is_counted_at_the_end() {
    let mut world = World::new();
    let mut wire = Wire::behind(&world, "late");
    returned_while_away(&mut world, &mut wire);
    let (_, ended) = wire.close();
    assert_eq!(ended.lost, 1);
}

#[test]
fn a_cancelled_call_is_recorded_and_not_answered() {
    let world = World::new();
    let mut wire = Wire::new(&world, "late");
    let id = wire.begin(
        "tools/call",
        &json!({ "name": "crm.lookup", "arguments": { "contact": NAMED } }),
    );
    wire.say(&json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": id } }).to_string());
    assert_eq!(wire.ask("ping", &json!({}))["result"], json!({}));
    world.await_phases(&["finished"]);
}
