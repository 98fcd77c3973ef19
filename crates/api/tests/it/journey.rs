//! The whole path over HTTP, as a newcomer would walk it.

use std::thread;

use countersign_core::json::CanonicalJson;
use countersign_core::refs::Sha256;
use countersign_merkle::leaf_hash;
use countersign_note::{TlogProof, VerifierKey};
use serde_json::{Value, json};

use crate::world::{AGENT, Reply, World, bundle, call};

/// Checks an entry's proof as a stranger would: with the head's key and nothing else.
fn verify(world: &World, entry: &Value) {
    let head = world.ask("GET", "/v1/head", None, &[], None).expect(200);
    let key = VerifierKey::parse(head["log_key"].as_str().unwrap()).unwrap();
    let mut leaf = entry.clone();
    let proof = leaf.as_object_mut().unwrap().remove("proof").unwrap();
    let leaf = CanonicalJson::of(&leaf).unwrap();
    let proof = TlogProof::parse(proof.as_str().unwrap()).unwrap();
    let signed = proof.verify(&leaf_hash(leaf.as_bytes()), &[key]).unwrap();
    assert_eq!(
        signed.checkpoint().origin(),
        head["origin"].as_str().unwrap()
    );
}

#[test]
fn a_decision_is_proved_by_its_own_answer() {
    let world = World::new();
    let turn = world.turn();
    verify(&world, &turn["entry"]);
    let document = CanonicalJson::of(&turn["intent"]).unwrap();
    assert_eq!(
        turn["intent_ref"],
        Sha256::of(document.as_bytes()).to_string()
    );
    let intent_ref = turn["intent_ref"].as_str().unwrap();
    let reply = world.post(
        "agent",
        "/v1/decisions",
        &call(intent_ref, "billing@customer.example"),
    );
    let approved = reply.expect(200);
    assert_eq!(approved["outcome"], "approved", "{approved}");
    assert!(approved["permit"].as_str().unwrap().split('.').count() == 3);
    verify(&world, &approved["entry"]);
    let reply = world.post(
        "agent",
        "/v1/decisions",
        &call(intent_ref, "jane@former.example"),
    );
    let rejected = reply.expect(200);
    assert_eq!(rejected["outcome"], "rejected");
    assert_eq!(rejected["permit"], Value::Null);
    verify(&world, &rejected["entry"]);
}

#[test]
fn the_bytes_of_a_served_entry_are_those_of_the_leaf() {
    let world = World::new();
    let id = world.turn()["entry"]["entry_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let served = world.get("auditor", &format!("/v1/entries/{id}"));
    let text = served.text();
    let index = served.json()["index"].as_u64().unwrap();
    let leaf = world
        .service()
        .ledger()
        .leaf(countersign_merkle::LeafIndex::new(index))
        .unwrap();
    let leaf = String::from_utf8(leaf.unwrap().bytes).unwrap();
    assert!(
        text.contains(leaf.strip_suffix('}').unwrap()),
        "{text}\n{leaf}"
    );
}

#[test]
fn executions_entries_explanations_flags_and_the_vault_hang_together() {
    let world = World::new();
    let intent_ref = world.intent_ref();
    let approved = world
        .post(
            "agent",
            "/v1/decisions",
            &call(&intent_ref, "billing@customer.example"),
        )
        .expect(200);
    let id = approved["entry_id"].as_str().unwrap();
    let again = world
        .get("agent", &format!("/v1/decisions/{id}"))
        .expect(200);
    assert_eq!(again["permit"], approved["permit"]);
    let foreign = world
        .get("auditor", &format!("/v1/decisions/{id}?wait_s=0"))
        .expect(200);
    assert_eq!(foreign["permit"], Value::Null, "an auditor gets no permit");
    let started = world.post(
        "tool",
        "/v1/executions",
        &json!({"decision": id, "phase": "started"}),
    );
    assert_eq!(started.status, 201);
    let twice = world.post(
        "tool",
        "/v1/executions",
        &json!({"decision": id, "phase": "started"}),
    );
    twice.problem(409, "conflict");
    // What the agent tells of its own call stands beside it, and is said to be the agent's.
    let told = json!({"decision": id, "phase": "finished", "result": {"sent": false}});
    let told = world.post("agent", "/v1/executions", &told).expect(201);
    let opened = world.post(
        "vault-reader",
        &format!("/v1/vault/{}/open", told["result_ref"].as_str().unwrap()),
        &json!({"purpose": "a test"}),
    );
    assert_eq!(opened.expect(200)["document"]["by_agent"], true);
    let nobodys = json!({"decision": "01HYB7K3M4FXQZ9V2N6PTJD8RC", "phase": "started"});
    let nobodys = world.post("agent", "/v1/executions", &nobodys);
    nobodys.problem(404, "not-found");
    let finished = json!({"decision": id, "phase": "finished", "result": {"sent": true}});
    let finished = world.post("tool", "/v1/executions", &finished).expect(201);
    let opened = world.post(
        "vault-reader",
        &format!(
            "/v1/vault/{}/open",
            finished["result_ref"].as_str().unwrap()
        ),
        &json!({"purpose": "a test"}),
    );
    assert_eq!(
        opened.expect(200)["document"]["result"],
        json!({"sent": true})
    );
    let page = world.get(
        "auditor",
        &format!("/v1/entries?actor={AGENT}&outcome=approved&limit=5"),
    );
    assert_eq!(page.expect(200)["entries"][0]["entry"]["entry_id"], id);
    let explained = world
        .get("auditor", &format!("/v1/entries/{id}/explain"))
        .expect(200);
    assert_eq!(explained["call"]["state"], "sealed");
    assert_eq!(
        explained["reasons"][0]["id"],
        "only-addresses-named-in-the-turn"
    );
    let unmandated = json!({"tool": "email.send", "args": {"to": ["x@y.example"], "subject": "", "body": ""}, "actor": AGENT});
    world
        .post("agent", "/v1/decisions", &unmandated)
        .expect(200);
    world.service().settle_watch().unwrap();
    let flags = world.get("auditor", "/v1/flags").expect(200);
    assert_eq!(flags["flags"][0]["detector"], "unmandated");
}

#[test]
fn pages_of_entries_follow_each_other_without_gap_or_repetition() {
    let world = World::new();
    world.turn();
    world.turn();
    let size = world.size();
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = world
            .get(
                "auditor",
                &format!("/v1/entries?order=oldest&limit=3{cursor}"),
            )
            .expect(200);
        let entries = page["entries"].as_array().unwrap();
        seen.extend(entries.iter().map(|entry| entry["index"].as_u64().unwrap()));
        let Some(next) = page["next"].as_str() else {
            break;
        };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(seen, (0..size).collect::<Vec<_>>());
}

#[test]
fn a_bundle_comes_into_force_only_over_the_one_that_was_seen() {
    let world = World::new();
    let before = world.get("author", "/v1/bundles/current");
    let etag = before.header("etag").unwrap().to_owned();
    assert_eq!(
        etag,
        format!("\"{}\"", before.json()["policy_ref"].as_str().unwrap())
    );
    let content = serde_json::to_value(bundle("allow-all")).unwrap();
    let stored = world.post("author", "/v1/bundles", &content).expect(201);
    let set = json!({"policy_ref": stored["policy_ref"]});
    let again = world.post("author", "/v1/bundles", &content).expect(200);
    assert_eq!(again["known"], true);
    let put =
        |if_match: &[(&str, &str)]| world.put("author", "/v1/bundles/current", if_match, &set);
    put(&[]).problem(428, "precondition-required");
    for bad in [
        "*",
        "sha256:ab",
        "\"x\", \"y\"",
        "W/\"x\"",
        "\"nonsense\"",
        "",
    ] {
        put(&[("if-match", bad)]).problem(400, "malformed-request");
    }
    put(&[("if-match", &etag), ("if-match", &etag)]).problem(400, "malformed-request");
    let other = format!("\"sha256:{}\"", "0".repeat(64));
    put(&[("if-match", &other)]).problem(412, "precondition-failed");
    let now = put(&[("if-match", &etag)]);
    assert_eq!(now.status, 200, "{now:?}");
    assert_eq!(
        now.header("etag").unwrap(),
        format!("\"{}\"", stored["policy_ref"].as_str().unwrap())
    );
    put(&[("if-match", &etag)]).problem(412, "precondition-failed");
    let text = world.get(
        "auditor",
        &format!("/v1/bundles/{}", stored["policy_ref"].as_str().unwrap()),
    );
    assert_eq!(
        Sha256::of(&text.body).to_string(),
        stored["policy_ref"].as_str().unwrap()
    );
}

#[test]
fn a_bundle_that_does_not_pass_its_check_is_answered_with_the_findings() {
    let world = World::new();
    let mut content = serde_json::to_value(bundle("mail-agent")).unwrap();
    content["policies"][0]["text"] =
        json!("permit (principal, action, resource) when { context.nonsense };");
    let problem = world
        .post("author", "/v1/bundles", &content)
        .problem(422, "invalid-bundle");
    assert_eq!(problem["findings"][0]["severity"], "error");
    assert!(
        problem["findings"][0]["line"].as_u64().unwrap() > 0,
        "{problem}"
    );
}

#[test]
fn the_directory_takes_one_entity_or_many_and_all_or_none() {
    let world = World::new();
    let one = world.put(
        "author",
        "/v1/directory/Contact/jane%40former.example",
        &[],
        &json!({"status": "churned"}),
    );
    assert_eq!(one.expect(200)["changes"], 1);
    let lines = |text: &str, media_type: &str| {
        let headers = [("content-type", media_type)];
        world.ask(
            "POST",
            "/v1/directory",
            Some("author"),
            &headers,
            Some(text.as_bytes()),
        )
    };
    let good = "{\"type\":\"Contact\",\"id\":\"a@b.example\",\"attributes\":{}}\n\n{\"type\":\"Contact\",\"id\":\"c@b.example\",\"attributes\":null}";
    assert_eq!(lines(good, "application/jsonl").expect(200)["changes"], 2);
    lines(good, "application/json").problem(415, "unsupported-media-type");
    let size = world.size();
    let half =
        "{\"type\":\"Contact\",\"id\":\"a@b.example\",\"attributes\":{}}\n{\"type\":\"Contact\"";
    let problem = lines(half, "application/jsonl").problem(400, "malformed-json");
    assert!(
        problem["detail"].as_str().unwrap().starts_with("line 2"),
        "{problem}"
    );
    assert_eq!(world.size(), size);
    let removed = world.put(
        "author",
        "/v1/directory/Contact/jane%40former.example",
        &[],
        &Value::Null,
    );
    removed.expect(200);
}

#[test]
fn a_granted_credential_works_until_it_is_revoked() {
    let world = World::new();
    let new = json!({"roles": ["auditor"], "name": "an auditor"});
    let created = world.post("admin", "/v1/credentials", &new).expect(201);
    let token = created["token"].as_str().unwrap();
    let id = created["credential"].as_str().unwrap();
    let with = |token: &str| -> Reply {
        world.ask(
            "GET",
            "/v1/flags",
            None,
            &[("authorization", &format!("Bearer {token}"))],
            None,
        )
    };
    with(token).expect(200);
    let listed = world.get("admin", "/v1/credentials");
    assert!(!listed.text().contains(token), "a token is listed");
    let revoke = || {
        world.ask(
            "POST",
            &format!("/v1/credentials/{id}/revoke"),
            Some("admin"),
            &[],
            None,
        )
    };
    revoke().expect(200);
    with(token).problem(401, "unauthenticated");
    revoke().problem(409, "conflict");
    let both = json!({"roles": ["agent", "ingress"], "actors": ["agent:x"]});
    world
        .post("admin", "/v1/credentials", &both)
        .problem(400, "malformed-request");
}

#[test]
fn a_stop_holds_from_its_entry_on_and_is_lifted() {
    let world = World::new();
    let intent_ref = world.intent_ref();
    let outcome = || {
        let call = call(&intent_ref, "billing@customer.example");
        world.post("agent", "/v1/decisions", &call).expect(200)["outcome"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(outcome(), "approved");
    world
        .post(
            "reviewer",
            "/v1/stop",
            &json!({"scope": "actor", "actor": AGENT}),
        )
        .expect(200);
    assert_eq!(outcome(), "rejected");
    world
        .post(
            "admin",
            "/v1/stop",
            &json!({"scope": "actor", "actor": AGENT, "effect": "resume"}),
        )
        .expect(200);
    assert_eq!(outcome(), "approved");
    world
        .ask(
            "POST",
            &format!("/v1/turns/{intent_ref}/revoke"),
            Some("ingress"),
            &[],
            None,
        )
        .expect(200);
    assert_eq!(outcome(), "rejected");
}

#[test]
fn who_waits_for_an_escalation_learns_how_it_was_closed() {
    let world = World::new();
    let mut content = serde_json::to_value(bundle("allow-all")).unwrap();
    let ask =
        r#"@id("ask") @reason("ask somebody") @escalate forbid (principal, action, resource);"#;
    content["policies"][0]["text"] = json!(format!(
        "{}\n{ask}",
        content["policies"][0]["text"].as_str().unwrap()
    ));
    let stored = world.post("author", "/v1/bundles", &content).expect(201);
    let current = world.get("author", "/v1/bundles/current");
    let if_match = [("if-match", current.header("etag").unwrap())];
    let set = json!({"policy_ref": stored["policy_ref"]});
    world
        .put("author", "/v1/bundles/current", &if_match, &set)
        .expect(200);
    let call = call(&world.intent_ref(), "billing@customer.example");
    let escalated = world.post("agent", "/v1/decisions", &call).expect(200);
    assert_eq!(escalated["outcome"], "escalated", "{escalated}");
    assert_eq!(escalated["permit"], Value::Null);
    let path = format!("/v1/decisions/{}", escalated["entry_id"].as_str().unwrap());
    let open = world.get("agent", &format!("{path}?wait_s=0")).expect(200);
    assert_eq!(open["resolution"], Value::Null);
    let closed = thread::scope(|scope| {
        let waiting = scope.spawn(|| world.get("agent", &format!("{path}?wait_s=30")).expect(200));
        world.clock().turn(16 * 60 * 1_000);
        assert_eq!(world.service().expire_escalations().unwrap(), 1);
        waiting.join().unwrap()
    });
    assert_eq!(closed["outcome"], "escalated");
    assert_eq!(closed["resolution"]["kind"], "expired");
    assert_eq!(closed["permit"], Value::Null);
}

#[test]
fn a_bundle_in_shadow_says_nothing_to_the_agent_and_is_replayed_by_who_may_open() {
    let world = World::new();
    let mut content = serde_json::to_value(bundle("allow-all")).unwrap();
    content["settings"]["publishing"] = json!({"two_person": true, "replay": true});
    let stored = world.post("author", "/v1/bundles", &content).expect(201);
    let named = json!({"policy_ref": stored["policy_ref"]});
    let shadow = "/v1/bundles/shadow";
    let ask = |method| world.ask(method, shadow, Some("author"), &[], None);
    ask("GET").problem(404, "not-found");
    ask("DELETE").problem(404, "not-found");
    let put = || world.put("author", shadow, &[], &named);
    let set = put().expect(200);
    assert_eq!(set["entry"]["phase"], "shadow");
    put().problem(409, "conflict");
    assert_eq!(ask("GET").expect(200)["policy_ref"], named["policy_ref"]);
    let call = call(&world.intent_ref(), "stranger@other.example");
    let answer = world.post("agent", "/v1/decisions", &call);
    assert!(!answer.text().contains("shadow"));
    assert_eq!(answer.expect(200)["outcome"], "rejected");
    let entries = world
        .get("auditor", "/v1/entries?kind=decision")
        .expect(200);
    let tried = &entries["entries"][0]["entry"];
    assert_eq!(tried["mode"], "shadow");
    assert_eq!(tried["outcome"], "approved");
    let path = format!("/v1/decisions/{}", tried["entry_id"].as_str().unwrap());
    world.get("agent", &path).problem(404, "not-found");
    assert_eq!(ask("DELETE").expect(200)["entry"]["phase"], "shadow-end");

    let mut request = named.clone();
    request["purpose"] = json!("before it is published");
    request["calls"] = json!(true);
    let replay = |body: &Value| world.post("vault-reader", "/v1/bundles/replay", body);
    let page = replay(&request).expect(200);
    assert_eq!(page["changes"][0]["change"], "newly-permitted");
    assert_eq!(page["entry"]["phase"], "replayed");
    assert_eq!(page["changes"][0]["call"]["tool"], call["tool"]);
    request["limit"] = json!(129);
    replay(&request).problem(400, "malformed-request");
    request["limit"] = json!(1);
    request["nonsense"] = json!(1);
    replay(&request).problem(400, "malformed-request");

    let current = world.get("author", "/v1/bundles/current");
    let if_match = [("if-match", current.header("etag").unwrap())];
    let in_force = world.put("author", "/v1/bundles/current", &if_match, &named);
    in_force.expect(200);
    let start = current.json()["policy_ref"].clone();
    let quoted = format!("\"{}\"", named["policy_ref"].as_str().unwrap());
    let back = world.put(
        "author",
        "/v1/bundles/current",
        &[("if-match", &quoted)],
        &json!({"policy_ref": start}),
    );
    back.problem(409, "second-person");
}
