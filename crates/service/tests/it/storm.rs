//! Everything at once: callers ask while turns come and are withdrawn, sessions close, actors are
//! stopped, credentials end, and bundle and directory change. Whoever asked gets the answer to its
//! own question, and the verifier finds nothing wrong with what is left (see `audited`).

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use countersign_core::entry::{AnyEntry, Body, Role, Surface};
use countersign_core::json::CanonicalJson;
use countersign_core::names::ActorName;
use countersign_permit::{Args, Expect, PermitVerifier};
use countersign_service::{Caller, permit_audience};
use countersign_wire::{CloseSession, NewCredential, SetCurrentBundle};
use serde_json::{Value, json};

use crate::kit::{AGENT, Kit, bundle, mail_request, turn_request};

/// Calls of each asking thread.
const CALLS: usize = 60;
const ASKING: usize = 4;
const SESSIONS: [&str; 3] = ["s0", "s1", "s2"];
const NAMED: [&str; 3] = ["a@b.example", "c@d.example", "e@f.example"];

struct Storm {
    kit: Kit,
    /// The newest turns that were registered, one of each session.
    turns: Mutex<HashMap<String, String>>,
    approved: Mutex<Vec<String>>,
    /// What a tool's side would show of approved calls.
    permits: Mutex<Vec<String>>,
    asking: AtomicUsize,
}

impl Storm {
    fn goes_on(&self) -> bool {
        self.asking.load(Ordering::SeqCst) > 0
    }

    fn turn_of(&self, n: usize) -> Option<String> {
        let session = SESSIONS[n % SESSIONS.len()];
        self.turns.lock().unwrap().get(session).cloned()
    }

    fn agent(&self) -> Caller {
        let request = NewCredential {
            roles: vec!["agent".to_owned()],
            actors: vec![AGENT.to_owned()],
            ..NewCredential::default()
        };
        let admin = self.kit.caller(Role::Admin);
        let created = self.kit.service().add_credential(&admin, &request).unwrap();
        self.kit.service().authenticate(&created.token).unwrap()
    }

    /// Asks, and holds the answer against the question.
    fn ask(&self, caller: &Caller, verifier: &PermitVerifier, n: usize) {
        let turn = self.turn_of(n).unwrap();
        let to = match n % 5 {
            4 => "nobody@named.example",
            _ => NAMED[n % NAMED.len()],
        };
        let mut request = mail_request(&turn, to);
        request["args"]["subject"] = json!(format!("{}: {n}", caller.id()));
        let body = request.to_string();
        let key = format!("key-{}", n / 2);
        // Every second call is made twice at once.
        let (key, times) = match n % 2 {
            0 => (None, 1),
            _ => (Some(key), 2),
        };
        let answers: Vec<_> = std::thread::scope(|scope| {
            let asked: Vec<_> = (0..times)
                .map(|_| {
                    scope.spawn(|| {
                        let service = self.kit.service();
                        service.decide(caller, body.as_bytes(), Surface::Api, key.as_deref())
                    })
                })
                .collect();
            asked.into_iter().map(|it| it.join().unwrap()).collect()
        });
        let Some(Ok(first)) = answers.first() else {
            panic!("{:?}", answers.first());
        };
        for answer in &answers {
            let answer = answer.as_ref().unwrap();
            assert_eq!(answer.entry_id, first.entry_id);
            let entry: Value = serde_json::from_str(answer.entry.get()).unwrap();
            assert_eq!(entry["entry_id"], json!(answer.entry_id));
            assert_eq!(entry["credential"], json!(caller.id()));
            assert_eq!(entry["outcome"], json!(answer.outcome));
            let Some(permit) = &answer.permit else {
                assert_ne!(answer.outcome, "approved");
                continue;
            };
            let audience = permit_audience("email.send");
            let args = CanonicalJson::of(&request["args"]).unwrap();
            let expect = Expect {
                issuer: self.kit.service().origin().as_str(),
                audience: &audience,
                tool: "email.send",
                args: Args::Sha256(args.digest()),
                tenant: None,
                wire: None,
                now: countersign_core::time::Clock::now(&*self.kit.clock),
            };
            let claims = verifier.verify(permit, &expect).unwrap();
            assert_eq!(claims.entry_id.to_string(), answer.entry_id);
            let shown = json!({
                "permit": permit, "audience": audience, "tool": "email.send",
                "args_sha256": args.digest().to_string(),
            });
            self.permits.lock().unwrap().push(shown.to_string());
            self.approved.lock().unwrap().push(answer.entry_id.clone());
        }
    }

    fn register(&self, n: usize) {
        let session = SESSIONS[n % SESSIONS.len()];
        let words = format!("{n}: write to {}", NAMED.join(" and "));
        if let Ok(turn) = self.kit.try_turn(turn_request(session, &words)) {
            let mut turns = self.turns.lock().unwrap();
            turns.insert(session.to_owned(), turn.intent_ref);
        }
    }

    fn withdraw(&self, n: usize) {
        let (service, ingress) = (self.kit.service(), self.kit.caller(Role::Ingress));
        if let Some(turn) = self.turn_of(n) {
            let _ = service.revoke_turn(&ingress, turn.parse().unwrap());
        }
    }

    fn close(&self, n: usize) {
        let session = SESSIONS[n % SESSIONS.len()].to_owned();
        let ingress = self.kit.caller(Role::Ingress);
        let _ = self
            .kit
            .service()
            .close_session(&ingress, &CloseSession { session });
    }

    fn stop(&self, n: usize) {
        let effect = if n.is_multiple_of(2) {
            "stop"
        } else {
            "resume"
        };
        let request = match n % 4 {
            0 | 1 => json!({"scope": "everything", "effect": effect}),
            _ => json!({"scope": "actor", "actor": AGENT, "effect": effect}),
        };
        let request = serde_json::from_value(request).unwrap();
        let admin = self.kit.caller(Role::Admin);
        self.kit.service().stop(&admin, &request).unwrap();
    }

    fn change(&self, n: usize, bundles: &[String; 2]) {
        let (service, author) = (self.kit.service(), self.kit.caller(Role::Author));
        let status = if n.is_multiple_of(2) {
            "churned"
        } else {
            "active"
        };
        let attributes = json!({"status": status}).to_string();
        let _ = service.put_entity(&author, "Contact", NAMED[0], attributes.as_bytes());
        let request = SetCurrentBundle {
            policy_ref: bundles[(n + 1) % 2].clone(),
        };
        let _ = service.set_bundle(&author, &request, Some(&bundles[n % 2]));
    }

    /// Shows a permit twice at once, and again to whoever comes later: it is used up once at the most.
    fn consume(&self) {
        let (service, tool) = (self.kit.service(), self.kit.caller(Role::Tool));
        let Some(shown) = self.permits.lock().unwrap().pop() else {
            return;
        };
        let used: Vec<bool> = std::thread::scope(|scope| {
            let both = [(); 2]
                .map(|()| scope.spawn(|| service.consume_permit(&tool, shown.as_bytes()).is_ok()));
            both.into_iter().map(|it| it.join().unwrap()).collect()
        });
        assert_ne!(used, [true, true]);
    }

    fn report(&self) {
        let (service, tool) = (self.kit.service(), self.kit.caller(Role::Tool));
        let next = self.approved.lock().unwrap().pop();
        if let Some(decision) = next {
            let body =
                json!({"decision": decision, "phase": "finished", "result": {"to": "x@y.example"}});
            let _ = service.report_execution(&tool, body.to_string().as_bytes());
        }
    }
}

#[test]
fn whoever_asks_in_a_storm_is_answered_as_if_alone() {
    let kit = Kit::new();
    let author = kit.caller(Role::Author);
    let first = kit.service().current_bundle(&author).unwrap().policy_ref;
    let mut second = bundle("mail-agent");
    second.policies[0].text.push_str("\n// another\n");
    let second = serde_json::to_vec(&second).unwrap();
    let second = kit.service().store_bundle(&author, &second).unwrap();
    let bundles = [first, second.policy_ref];
    let verifier = PermitVerifier::from_jwks(kit.service().public_keys().jwks.as_bytes()).unwrap();
    let storm = Storm {
        kit,
        turns: Mutex::default(),
        approved: Mutex::default(),
        permits: Mutex::default(),
        asking: AtomicUsize::new(ASKING),
    };
    (0..SESSIONS.len()).for_each(|n| storm.register(n));
    std::thread::scope(|scope| {
        let (storm, verifier, bundles) = (&storm, &verifier, &bundles);
        for thread in 0..ASKING {
            scope.spawn(move || {
                struct Done<'a>(&'a AtomicUsize);
                impl Drop for Done<'_> {
                    fn drop(&mut self) {
                        self.0.fetch_sub(1, Ordering::SeqCst);
                    }
                }
                let _done = Done(&storm.asking);
                let caller = storm.agent();
                (0..CALLS).for_each(|n| storm.ask(&caller, verifier, thread + n));
            });
        }
        let change = move |pause, work: Box<dyn Fn(usize) + Send>| {
            scope.spawn(move || {
                let mut n = 0;
                while storm.goes_on() {
                    work(n);
                    n += 1;
                    std::thread::sleep(Duration::from_millis(pause));
                }
            });
        };
        change(41, Box::new(|n| storm.register(n)));
        change(97, Box::new(|n| storm.withdraw(n)));
        change(89, Box::new(|n| storm.close(n)));
        change(53, Box::new(|n| storm.change(n, bundles)));
        change(9, Box::new(|_| storm.report()));
        change(1, Box::new(|_| storm.consume()));
        change(
            5,
            Box::new(|_| {
                storm.kit.service().settle_watch().unwrap();
                storm.kit.service().close_idle_sessions().unwrap();
            }),
        );
        // An agent that is revoked with a call in its hands.
        change(
            7,
            Box::new(|n| {
                let caller = storm.agent();
                let admin = storm.kit.caller(Role::Admin);
                std::thread::scope(|scope| {
                    scope.spawn(|| {
                        let body = mail_request(&storm.turn_of(n).unwrap(), NAMED[1]).to_string();
                        for _ in 0..3 {
                            let _ = storm.kit.service().decide(
                                &caller,
                                body.as_bytes(),
                                Surface::Api,
                                None,
                            );
                        }
                    });
                    let _ = storm.kit.service().revoke_credential(&admin, caller.id());
                });
            }),
        );
        scope.spawn(move || {
            let mut n = 0;
            while storm.goes_on() || n % 4 != 0 {
                storm.stop(n);
                n += 1;
                let pause = if n % 2 == 0 { 29 } else { 1 };
                std::thread::sleep(Duration::from_millis(pause));
            }
        });
    });
    check(&storm.kit);
}

/// Nothing is approved while it must not be, as far as the order of the entries tells.
fn check(kit: &Kit) {
    let (mut everything, mut actor) = (false, false);
    let mut revoked = std::collections::HashSet::new();
    let (mut approved, mut rejected, mut used, mut refused) = (0, 0, 0, 0);
    for entry in kit.log() {
        let AnyEntry::Known(entry) = entry else {
            continue;
        };
        match &entry.body {
            Body::Revocation(body) if body.intent_ref.is_none() => {
                let stops = body.effect.name() == "stop";
                match &body.actor {
                    None => everything = stops,
                    Some(_) => actor = stops,
                }
            }
            Body::Credential(body) if body.change.name() == "revoked" => {
                revoked.insert(body.subject);
            }
            Body::Decision(body) if body.outcome.name() == "approved" => {
                approved += 1;
                assert!(!everything, "{} after a stop of everything", entry.entry_id);
                let is_agents = body.actor == AGENT.parse::<ActorName>().unwrap();
                assert!(
                    !(actor && is_agents),
                    "{} after a stop of the actor",
                    entry.entry_id
                );
                assert!(!revoked.contains(&body.credential), "{}", entry.entry_id);
            }
            Body::Decision(_) => rejected += 1,
            Body::Execution(body) => used += usize::from(body.permit.is_some()),
            Body::PermitRefused(_) => refused += 1,
            _ => {}
        }
    }
    eprintln!(
        "{approved} approved, {rejected} rejected, {used} used, {refused} refused, {} entries",
        kit.size()
    );
    assert!(approved > 0, "{approved} approved, {rejected} not");
}
