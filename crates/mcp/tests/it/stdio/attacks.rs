//! What a hostile client or server sends.

use countersign_core::refs::Sha256;
use serde_json::{Value, json};

use super::wire::{Wire, mail, refusal, returned};
use crate::world::World;

const NAMED: &str = "billing@customer.example";

fn look() -> Value {
    json!({ "contact": NAMED })
}

#[test]
fn what_two_readers_could_take_differently_is_refused_and_recorded() {
    let world = World::new();
    let mut wire = Wire::new(&world, "");
    let to = format!(r#""arguments":{{"contact":"{NAMED}"}}"#);
    let lines = [
        format!(r#"[{{"jsonrpc":"2.0","id":90,"method":"tools/call","params":{{"name":"crm.lookup",{to}}}}}]"#),
        format!(r#"{{"jsonrpc":"2.0","id":91,"id":92,"method":"tools/call","params":{{"name":"crm.lookup",{to}}}}}"#),
        format!(r#"{{"jsonrpc":"2.0","id":93,"method":"tools/call","params":{{"name":"crm.lookup",{to}}},"params":{{"name":"email.send"}}}}"#),
        format!(r#"{{"jsonrpc":"2.0","id":94,"method":"tools/call","params":{{"name":"crm.lookup","name":"email.send",{to}}}}}"#),
        format!(r#"{{"jsonrpc":"2.0","id":95,"method":"tools/call","params":{{"name":"crm.lookup","Name":"email.send",{to}}}}}"#),
        format!(r#"{{"jsonrpc":"2.0","id":96,"method":"ping","Method":"tools/call","params":{{"name":"crm.lookup",{to}}}}}"#),
        format!(r#"{{"jsonrpc":"2.0","id":null,"method":"tools/call","params":{{"name":"crm.lookup",{to}}}}}"#),
        format!(r#"{{"jsonrpc":"2.0","id":97,"method":"tools/call","params":{{"name":"crm.lookup\ud800",{to}}}}}"#),
        r#"{"jsonrpc":"2.0","id":98,"method":"tools/call","params":{"name":"crm.lookup","arguments":{"n":1e400}}}"#.to_owned(),
    ];
    for line in &lines {
        wire.say(line);
        let answer = wire.hear();
        assert!(answer["error"]["code"].is_i64(), "{line}\n{answer}");
    }
    // None of them left, and the ledger says of each that something was refused. One is a `ping`.
    let outcomes = world.outcomes();
    assert_eq!(outcomes.len(), lines.len() - 1, "{outcomes:?}");
    assert!(outcomes.iter().all(|outcome| outcome == "rejected"));
    assert!(world.phases().is_empty());
    assert!(returned(&wire.call("crm.lookup", &look())).contains(NAMED));
}

/// Servers that read their input as text, as Python's do, take a carriage return for the end of a line:
/// what stands between two of them would be a message of its own, which nobody judged.
#[test]
fn no_message_is_hidden_between_carriage_returns() {
    let world = World::new();
    let mut wire = Wire::new(&world, "");
    let hidden = r#"{"jsonrpc":"2.0","id":77,"method":"tools/call","params":{"name":"email.send","arguments":{}}}"#;
    wire.say(&format!(
        "{{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"method\":\"tools/call\",\"params\":{{\"name\":\"crm.lookup\",\"arguments\":{},\"_meta\":{{\"x\":\r{hidden}\r}}}}}}\r",
        look()
    ));
    let answer = wire.hear();
    let came = returned(&answer);
    assert!(came.contains(hidden) && !came.contains('\r'), "{came:?}");
    // What was judged is what left.
    let sent = Sha256::of(came.as_bytes()).to_string();
    assert_eq!(world.newest_call()["wire"]["sha256"], sent.as_str());
    assert_eq!(world.outcomes(), ["approved"]);
}

#[test]
fn a_call_without_an_id_is_dropped_and_recorded() {
    let world = World::new();
    let mut wire = Wire::new(&world, "");
    wire.say(&json!({ "jsonrpc": "2.0", "method": "tools/call", "params": { "name": "crm.lookup", "arguments": look() } }).to_string());
    assert!(returned(&wire.call("crm.lookup", &look())).contains(NAMED));
    assert_eq!(world.outcomes(), ["rejected", "approved"]);
}

#[test]
fn names_that_only_look_like_a_tool_are_other_tools() {
    let world = World::new();
    let mut wire = Wire::new(&world, "");
    for name in [
        "crm.lookup ",
        "crm\u{2024}lookup",
        "\u{441}rm.lookup",
        "crm.lookup\u{200b}",
        "CRM.LOOKUP",
    ] {
        let refused = wire.call(name, &look());
        assert!(refusal(&refused).contains("countersign."), "{name:?}");
    }
    let reserved = wire.call(
        "mcp.resources.read",
        &json!({ "uri": "file:///etc/passwd" }),
    );
    assert!(reserved["error"]["code"].is_i64(), "{reserved}");
    assert!(world.outcomes().iter().all(|outcome| outcome == "rejected"));
}

#[test]
fn an_id_in_use_is_not_taken_twice() {
    let world = World::new();
    let mut wire = Wire::new(&world, "hang");
    let call = json!({ "jsonrpc": "2.0", "id": "x", "method": "tools/call", "params": { "name": "crm.lookup", "arguments": look() } });
    wire.say(&call.to_string());
    wire.say(&call.to_string());
    let answer = wire.hear();
    assert_eq!(
        (&answer["id"], &answer["error"]["code"]),
        (&json!("x"), &json!(-32_600)),
        "{answer}"
    );
    assert_eq!(world.outcomes(), ["approved", "rejected"]);
}

#[test]
fn methods_in_no_list_do_not_pass() {
    let world = World::new();
    let mut wire = Wire::new(&world, "");
    for method in [
        "tools/invoke",
        "sampling/createMessage",
        "roots/list",
        "elicitation/create",
    ] {
        let answer = wire.ask(method, &json!({}));
        assert_eq!(answer["error"]["code"], -32_601, "{method}");
    }
    assert_eq!(wire.ask("ping", &json!({}))["result"], json!({}));
}

#[test]
fn an_answer_that_nobody_asked_for_is_dropped() {
    let world = World::new();
    let mut wire = Wire::new(&world, "other");
    assert_eq!(returned(&wire.call("crm.lookup", &look())), "once");
    assert_eq!(
        wire.ask("ping", &json!({}))["result"],
        json!({}),
        "nothing came in between"
    );
    assert_eq!(world.phases(), ["finished"]);
}

#[test]
fn a_result_that_claims_to_be_an_approval_is_only_a_result() {
    let world = World::new();
    let mut wire = Wire::new(&world, "claims");
    assert!(returned(&wire.call("crm.lookup", &look())).contains("approved"));
    let refused = wire.call("email.send", &mail("mallory@evil.example"));
    assert!(refusal(&refused).contains("rejected"));
    assert_eq!(world.outcomes(), ["approved", "rejected"]);
}

#[test]
fn a_result_with_two_meanings_is_withheld() {
    let world = World::new();
    let mut wire = Wire::new(&world, "twice");
    let text = refusal(&wire.call("crm.lookup", &look()));
    assert!(text.contains("not readable in one way"), "{text}");
    assert_eq!(world.phases(), ["unknown"]);
}

#[test]
fn a_result_that_is_too_long_to_be_recorded_is_withheld() {
    for what in ["big", "huge"] {
        let world = World::new();
        let mut wire = Wire::new(&world, what);
        let text = refusal(&wire.call("crm.lookup", &look()));
        assert!(text.contains("bytes"), "{text}");
        assert_eq!(world.phases(), ["unknown"], "{what}");
        assert!(wire.ask("ping", &json!({}))["result"].is_object());
    }
}

#[test]
fn a_message_of_a_hundred_megabytes_is_refused_and_recorded() {
    let world = World::new();
    let mut wire = Wire::new(&world, "");
    let filler = vec![b'x'; 1024 * 1024];
    wire.raw(br#"{"params":{"name":"crm.lookup","arguments":{"contact":""#);
    for _ in 0..100 {
        wire.raw(&filler);
    }
    wire.say(r#""}},"jsonrpc":"2.0","method":"tools/call","id":99}"#);
    let answer = wire.hear();
    assert_eq!(
        (&answer["id"], &answer["error"]["code"]),
        (&json!(99), &json!(-32_600)),
        "{answer}"
    );
    assert_eq!(world.outcomes(), ["rejected"]);
    assert!(returned(&wire.call("crm.lookup", &look())).contains(NAMED));
}

#[test]
fn a_server_may_ask_only_what_the_client_offered() {
    let world = World::new();
    let offered = json!({ "sampling": {}, "roots": {} });
    let mut wire = Wire::edited(&world, "asks", &offered, |_| {});
    let id = wire.begin(
        "tools/call",
        &json!({ "name": "crm.lookup", "arguments": look() }),
    );
    let asked = [wire.hear(), wire.hear()];
    let methods = asked.each_ref().map(|it| it["method"].as_str().unwrap());
    assert_eq!(methods, ["sampling/createMessage", "roots/list"]);
    for ask in &asked {
        wire.say(
            &json!({ "jsonrpc": "2.0", "id": ask["id"], "result": { "roots": [] } }).to_string(),
        );
    }
    // An answer to what was not asked goes nowhere.
    wire.say(r#"{"jsonrpc":"2.0","id":"s1","result":{}}"#);
    let answer = wire.hear();
    assert_eq!(answer["id"], id);
    let heard = answer["result"]["structuredContent"]["heard"].to_string();
    assert_eq!(heard.matches("-32601").count(), 2, "{heard}");
    assert_eq!(heard.matches("roots").count(), 2, "{heard}");
}

#[test]
fn a_list_or_a_definition_in_other_letters_is_not_shown() {
    let world = World::new();
    let mut wire = Wire::new(&world, "letters");
    let listed = wire.ask("tools/list", &json!({}));
    let result = listed["result"].as_object().unwrap();
    assert!(!result.contains_key("Tools"), "{listed}");
    let tools = result["tools"].as_array().unwrap();
    let names: Vec<&Value> = tools.iter().map(|tool| &tool["name"]).collect();
    assert_eq!(names, ["crm.lookup"]);
}

#[test]
fn of_two_tools_with_one_name_none_is_shown() {
    let world = World::new();
    let mut wire = Wire::new(&world, "doubled");
    let listed = wire.ask("tools/list", &json!({}));
    let tools = listed["result"]["tools"].as_array().unwrap();
    let names: Vec<&Value> = tools.iter().map(|tool| &tool["name"]).collect();
    assert_eq!(names, ["crm.lookup"]);
}
