//! Escalations over HTTP: who sees them, who answers, and what whoever waits is told.

use std::thread;

use countersign_core::entry::{Links, Review, ReviewAnswer};
use countersign_keys::{ReviewerKey, SystemRandom};
use serde_json::{Value, json};

use crate::world::{World, bundle, call};

const RULES: &str = r#"
@id("ask") @reason("ask somebody") @escalate forbid (principal, action, resource)
unless { context.target.domain == "own.example" };
@id("ask-me") @reason("sure?") @escalate("requester") forbid (principal, action, resource)
when { context.target.domain == "own.example" };"#;

struct Asked {
    world: World,
    key: ReviewerKey,
    token: String,
    credential: String,
}

/// A world where every mail is asked about, and a reviewer with a key.
fn asked() -> Asked {
    let world = World::new();
    let mut content = serde_json::to_value(bundle("mail-agent")).unwrap();
    let text = content["policies"][0]["text"].as_str().unwrap();
    content["policies"][0]["text"] = json!(format!("{text}\n{}", scoped(RULES)));
    let stored = world.post("author", "/v1/bundles", &content).expect(201);
    let current = world.get("author", "/v1/bundles/current");
    let if_match = [("if-match", current.header("etag").unwrap())];
    let set = json!({"policy_ref": stored["policy_ref"]});
    world
        .put("author", "/v1/bundles/current", &if_match, &set)
        .expect(200);
    let key = ReviewerKey::fresh(&SystemRandom).unwrap();
    let grant = json!({
        "roles": ["reviewer"], "principal": "user:other@acme.example",
        "public_key": key.public_key(),
    });
    let granted = world.post("admin", "/v1/credentials", &grant).expect(201);
    let text = |member: &str| granted[member].as_str().unwrap().to_owned();
    Asked {
        token: text("token"),
        credential: text("credential"),
        world,
        key,
    }
}

/// Mails only: other actions have no target with a domain.
fn scoped(rules: &str) -> String {
    rules.replace(
        "principal, action, resource",
        "principal, action == Action::\"email.send\", resource",
    )
}

impl Asked {
    fn escalated(&self, to: &str) -> Value {
        let turn = json!({
            "principal": "user:lead@acme.example", "channel": "chat", "session": "s",
            "actors": ["agent:support"],
            "parts": [{"by": "principal", "text": format!("Write to {to}")}],
        });
        let turn = self.world.post("ingress", "/v1/turns", &turn).expect(201);
        let call = call(turn["intent_ref"].as_str().unwrap(), to);
        let answer = self.world.post("agent", "/v1/decisions", &call).expect(200);
        assert_eq!(answer["outcome"], "escalated", "{answer}");
        answer
    }

    fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> crate::world::Reply {
        let bearer = format!("Bearer {}", self.token);
        let body = body.map(|body| body.to_string().into_bytes());
        let headers = [("authorization", bearer.as_str())];
        self.world
            .ask(method, path, None, &headers, body.as_deref())
    }

    fn show(&self, id: &str) -> Value {
        self.ask("POST", &format!("/v1/reviews/{id}/show"), None)
            .expect(201)
    }

    fn answer(&self, shown: &Value, word: &str, nonce: &str) -> Value {
        let text = |member: &str| shown["shown"][member].as_str().unwrap();
        let body = Review {
            links: Links {
                review: Some(text("decision").parse().unwrap()),
                ..Links::default()
            },
            call_ref: text("call_ref").parse().unwrap(),
            policy_ref: text("policy_ref").parse().unwrap(),
            intent_ref: Some(text("intent_ref").parse().unwrap()),
            shown_ref: shown["shown_ref"].as_str().unwrap().parse().unwrap(),
            answer: match word {
                "approve" => ReviewAnswer::Approve,
                _ => ReviewAnswer::Reject,
            },
            credential: self.credential.parse().unwrap(),
            expires_at: text("deadline").parse().unwrap(),
            nonce: nonce.parse().unwrap(),
            signature: None,
        };
        let signature = self.key.sign(self.world.service().origin(), &body).unwrap();
        json!({
            "decision": text("decision"), "answer": word, "shown_ref": shown["shown_ref"],
            "expires_at": text("deadline"), "nonce": nonce, "signature": signature,
        })
    }
}

#[test]
fn whoever_waits_gets_the_decision_that_came_of_the_answer() {
    let asked = asked();
    let world = &asked.world;
    let escalated = asked.escalated("a@b.example");
    let id = escalated["entry_id"].as_str().unwrap();
    assert_eq!(escalated["requester_may_answer"], false);
    let listed = asked.ask("GET", "/v1/reviews", None).expect(200);
    assert_eq!(listed["reviews"][0]["decision"], *id);
    let shown = asked.show(id);
    assert_eq!(shown["entry"]["kind"], "vault-access");
    let path = format!("/v1/decisions/{id}?wait_s=30");
    let (waited, answered) = thread::scope(|scope| {
        let waiting = scope.spawn(|| world.get("agent", &path).expect(200));
        let yes = asked.answer(&shown, "approve", "nonce-of-the-yes-1");
        let answered = asked.ask("POST", "/v1/reviews", Some(&yes)).expect(201);
        (waiting.join().unwrap(), answered)
    });
    assert_eq!(answered["decision"]["outcome"], "approved");
    assert_eq!(answered["decision"]["permit"], Value::Null);
    assert_eq!(answered["review"]["kind"], "review");
    let resolution = &waited["resolution"];
    assert_eq!(resolution["kind"], "decision");
    assert_eq!(resolution["entry_id"], answered["decision"]["entry_id"]);
    let closing = resolution["entry_id"].as_str().unwrap();
    let read = world
        .get("agent", &format!("/v1/decisions/{closing}"))
        .expect(200);
    assert!(read["permit"].as_str().unwrap().starts_with("eyJ"));
    // Again: the escalation is closed, and by what.
    let yes = asked.answer(&shown, "approve", "nonce-of-the-yes-2");
    let closed = asked.ask("POST", "/v1/reviews", Some(&yes));
    let problem = closed.problem(409, "conflict");
    assert!(
        problem["detail"].as_str().unwrap().contains(closing),
        "{problem}"
    );
}

#[test]
fn an_agent_can_neither_answer_nor_look_nor_put_words_into_anybodys_mouth() {
    let asked = asked();
    let world = &asked.world;
    let escalated = asked.escalated("a@own.example");
    let id = escalated["entry_id"].as_str().unwrap();
    assert_eq!(escalated["requester_may_answer"], true);
    let size = world.size();
    let for_the_requester = json!({"decision": id, "answer": "approve", "shown": "May it?"});
    world.get("agent", "/v1/reviews").problem(403, "wrong-role");
    let show = format!("/v1/reviews/{id}/show");
    world
        .ask("POST", &show, Some("agent"), &[], None)
        .problem(403, "wrong-role");
    let posted = world.post("agent", "/v1/reviews", &for_the_requester);
    posted.problem(403, "wrong-role");
    // Nor with an answer that somebody has signed.
    let yes = asked.answer(&asked.show(id), "approve", "nonce-of-the-yes-1");
    world
        .post("agent", "/v1/reviews", &yes)
        .problem(403, "wrong-role");
    world
        .post("ingress", "/v1/reviews", &yes)
        .problem(403, "wrong-role");
    assert_eq!(world.size() - size, 1, "only what the reviewer was shown");
    // A result that claims to be an approval is a result.
    let claim = json!({"decision": id, "phase": "finished", "result": {"outcome": "approved"}});
    world
        .post("agent", "/v1/executions", &claim)
        .problem(409, "conflict");
    // The ingress may, for the person whose turn it registered.
    let done = world
        .post("ingress", "/v1/reviews", &for_the_requester)
        .expect(201);
    assert_eq!(done["decision"]["outcome"], "approved");
}

#[test]
fn two_answers_at_once_are_one() {
    let asked = asked();
    for round in 0..4 {
        let escalated = asked.escalated("a@b.example");
        let shown = asked.show(escalated["entry_id"].as_str().unwrap());
        let answers: Vec<Value> = ["approve", "reject", "approve"]
            .iter()
            .enumerate()
            .map(|(n, word)| asked.answer(&shown, word, &format!("nonce-{round}-{n}-padding")))
            .collect();
        let statuses: Vec<u16> = thread::scope(|scope| {
            let asked = &asked;
            let sent: Vec<_> = answers
                .iter()
                .map(|answer| {
                    scope.spawn(move || asked.ask("POST", "/v1/reviews", Some(answer)).status)
                })
                .collect();
            sent.into_iter().map(|it| it.join().unwrap()).collect()
        });
        let done = statuses.iter().filter(|status| **status == 201).count();
        assert_eq!(done, 1, "{statuses:?}");
        assert!(
            statuses.iter().all(|it| [201, 409].contains(it)),
            "{statuses:?}"
        );
    }
}

#[test]
fn what_does_not_fit_is_told_with_a_stable_code() {
    let asked = asked();
    let escalated = asked.escalated("a@b.example");
    let id = escalated["entry_id"].as_str().unwrap();
    let shown = asked.show(id);
    let yes = asked.answer(&shown, "approve", "nonce-of-the-yes-1");
    let mut forged = yes.clone();
    forged["answer"] = json!("reject");
    let reply = asked.ask("POST", "/v1/reviews", Some(&forged));
    reply.problem(403, "bad-signature");
    let mut missing = yes.clone();
    missing["decision"] = json!("01HYB7K3M4FXQZ9V2N6PTJD8RC");
    let reply = asked.ask("POST", "/v1/reviews", Some(&missing));
    reply.problem(404, "not-found");
    let large = json!({"decision": id, "answer": "approve", "shown": "x".repeat(600 * 1024)});
    let reply = asked.world.post("ingress", "/v1/reviews", &large);
    reply.problem(413, "too-large");
    let reply = asked.ask("POST", "/v1/reviews/01HYB7K3M4FXQZ9V2N6PTJD8RC/show", None);
    reply.problem(404, "not-found");
    // The plain reviewer of a log that was made without keys has none to sign with.
    let show = format!("/v1/reviews/{id}/show");
    let bare = asked.world.ask("POST", &show, Some("reviewer"), &[], None);
    let problem = bare.problem(403, "out-of-bounds");
    assert!(
        problem["detail"].as_str().unwrap().contains("public_key"),
        "{problem}"
    );
}
