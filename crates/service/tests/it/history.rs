//! Declared counters and what came before: settled in the plan, so that calls in flight count, and
//! the same when they are made from the leaves alone. That the rows are those of the leaves, and the
//! facts say what the leaves do, is held at the end of every test (see `audited`).

use std::sync::Barrier;

use countersign_core::document::{BundleContent, CounterFact, Document as _, Facts};
use countersign_core::entry::{Body, Decision, Role, Surface};
use countersign_core::names::{BuiltinReason, ReasonId};
use countersign_core::refs::Sha256;
use countersign_service::Caller;
use countersign_verify::Check;
use countersign_wire::{DecisionAnswer, SetCurrentBundle};
use serde_json::{Value, json};

use crate::kit::{AGENT, Kit};

const LIVE: &str = r#"
    @id("live") @reason("A person asked.")
    permit (principal, action, resource) when { context.intent.live };
"#;

/// A bundle for a tool that pays, with these counters and policies.
fn paying(counters: Value, policies: &str) -> BundleContent {
    let text = format!("{LIVE}\n{policies}");
    serde_json::from_value(json!({
        "name": "paying",
        "policies": [{"name": "paying.cedar", "text": text}],
        "schema": "entity Payee = {\"name\"?: String};",
        "tools": [{
            "tool": "pay", "action": "payment.send", "effect": "irreversible",
            "arguments": {
                "type": "object",
                "properties": {
                    "to": {"type": "array", "items": {"type": "string"}},
                    "amount": {"type": "number"},
                    "note": {"type": "string"},
                },
                "required": ["to"], "additionalProperties": false,
            },
            "targets": [{"at": "/to", "type": "id", "entity": "Payee", "optional": true}],
            "roles": {"/amount": "quantity", "/note": "text"},
        }],
        "counters": counters,
        "settings": {"vault": {"opened_per_hour": 0}},
    }))
    .unwrap()
}

fn counter(name: &str, kind: &str, key: &str, more: Value) -> Value {
    let mut counter = json!({"name": name, "kind": kind, "actions": ["payment.send"], "key": key});
    for (name, value) in more.as_object().unwrap() {
        counter[name] = value.clone();
    }
    counter
}

fn spent(key: &str) -> Value {
    counter(
        "spent",
        "sum",
        key,
        json!({"over": "/amount", "decimals": 2}),
    )
}

fn payments(window_s: u32) -> Value {
    counter("payments", "count", "actor", json!({"window_s": window_s}))
}

/// A request whose amount is written as it stands.
fn request(turn: &str, to: &[&str], amount: &str) -> String {
    let amount = match amount {
        "" => String::new(),
        amount => format!(", \"amount\": {amount}"),
    };
    format!(
        r#"{{"tool": "pay", "actor": "{AGENT}", "intent_ref": "{turn}", "args": {{"to": {}{amount}}}}}"#,
        json!(to)
    )
}

impl Kit {
    fn pay(&self, turn: &str, to: &[&str], amount: &str) -> DecisionAnswer {
        self.pay_by(&self.caller(Role::Agent), turn, to, amount)
    }

    fn pay_by(&self, agent: &Caller, turn: &str, to: &[&str], amount: &str) -> DecisionAnswer {
        let body = request(turn, to, amount);
        let service = self.service();
        service
            .decide(agent, body.as_bytes(), Surface::Api, None)
            .unwrap()
    }

    fn opened_facts(&self, decision: &Decision) -> Facts {
        let documents = self.documents().unwrap();
        Facts::from_canonical(&documents[&decision.facts_ref.unwrap().into()]).unwrap()
    }

    /// What the facts of the newest decision say of counters: name, value, what is added.
    fn counters(&self) -> Vec<(String, i64, i64)> {
        let facts = self.opened_facts(&self.every_decision().pop().unwrap());
        let told = |fact: CounterFact| (fact.counter, fact.value, fact.adds);
        facts.inputs.counters.into_iter().map(told).collect()
    }

    fn every_decision(&self) -> Vec<Decision> {
        let log = self.log();
        let decisions = log.iter().filter_map(|entry| match entry.body() {
            Some(Body::Decision(decision)) => Some(decision.clone()),
            _ => None,
        });
        decisions.collect()
    }

    /// Puts another bundle in force.
    fn publish(&self, bundle: &BundleContent) {
        let (service, author) = (self.service(), self.caller(Role::Author));
        let current = service.current_bundle(&author).unwrap().policy_ref;
        let stored = serde_json::to_vec(bundle).unwrap();
        let stored = service.store_bundle(&author, &stored).unwrap();
        let policy_ref = stored.policy_ref;
        let request = SetCurrentBundle { policy_ref };
        service
            .set_bundle(&author, &request, Some(&current))
            .unwrap();
    }
}

fn is(answer: &DecisionAnswer, outcome: &str, reason: &str) {
    let reasons: Vec<&str> = answer
        .reasons
        .iter()
        .map(|reason| reason.id.as_str())
        .collect();
    assert_eq!((answer.outcome.as_str(), reasons), (outcome, vec![reason]));
}

fn uncountable(answer: &DecisionAnswer) {
    let reason = ReasonId::builtin(BuiltinReason::Uncountable);
    is(answer, "rejected", reason.as_str());
}

#[test]
fn amounts_add_up_exactly_and_what_is_not_exact_is_rejected() {
    let kit = Kit::with_bundle(paying(json!([spent("intent")]), ""));
    let turn = kit.turn("s1", "pay").intent_ref;
    let mut sum = 0;
    for (amount, cents) in [
        ("12.50", 1_250),
        ("1e3", 100_000),
        ("0.1", 10),
        ("0", 0),
        ("", 0),
    ] {
        is(&kit.pay(&turn, &["a"], amount), "approved", "live");
        assert_eq!(
            kit.counters(),
            [("spent".to_owned(), sum, cents)],
            "{amount}"
        );
        let counts = kit.every_decision().pop().unwrap().counts;
        let deltas: Vec<i64> = counts.iter().map(|count| count.delta).collect();
        assert_eq!(
            deltas,
            [cents].into_iter().filter(|c| *c != 0).collect::<Vec<_>>()
        );
        sum += cents;
    }
    for amount in ["-1", "-0.01", "0.001", "1e300", "90071992547410"] {
        uncountable(&kit.pay(&turn, &["a"], amount));
    }
    // As much as there is room for, and a cent.
    is(
        &kit.pay(&turn, &["a"], "90071992540000"),
        "approved",
        "live",
    );
    uncountable(&kit.pay(&turn, &["a"], "7409.91"));
    is(&kit.pay(&turn, &["a"], "1"), "approved", "live");
}

#[test]
fn three_transfers_at_once_do_not_each_see_a_counter_of_zero() {
    let cap = r#"
        @id("once") @reason("One payment for each turn.")
        forbid (principal, action == Action::"payment.send", resource)
        when { context.counters.payments.after > 1 };
    "#;
    let once = counter("payments", "count", "intent", json!({}));
    let kit = Kit::with_bundle(paying(json!([once]), cap));
    let turn = kit.turn("s1", "pay").intent_ref;
    let (agent, start) = (kit.caller(Role::Agent), Barrier::new(3));
    let outcomes = std::thread::scope(|scope| {
        let ask = || {
            start.wait();
            kit.pay_by(&agent, &turn, &["a"], "1").outcome
        };
        let asked: Vec<_> = (0..3).map(|_| scope.spawn(ask)).collect();
        asked
            .into_iter()
            .map(|it| it.join().unwrap())
            .collect::<Vec<_>>()
    });
    let approved = outcomes
        .iter()
        .filter(|outcome| *outcome == "approved")
        .count();
    assert_eq!(approved, 1, "{outcomes:?}");
}

#[test]
fn a_hot_cap_approves_exactly_as_many_as_it_allows_and_starves_nobody() {
    const CLIENTS: usize = 64;
    const CAP: usize = 20;
    let cap = r#"
        @id("cap") @reason("No more than 20.")
        forbid (principal, action == Action::"payment.send", resource)
        when { context.counters.payments.before >= 20 };
    "#;
    let kit = Kit::with_bundle(paying(json!([payments(3_600)]), cap));
    let turn = kit.turn("s1", "pay").intent_ref;
    let (agent, start) = (kit.caller(Role::Agent), Barrier::new(CLIENTS));
    let answers = std::thread::scope(|scope| {
        let ask = |n: usize| {
            let (kit, turn, agent, start) = (&kit, &turn, &agent, &start);
            move || {
                start.wait();
                kit.pay_by(agent, turn, &[&format!("payee-{}", n % 3)], "1")
            }
        };
        let asked: Vec<_> = (0..CLIENTS).map(|n| scope.spawn(ask(n))).collect();
        asked
            .into_iter()
            .map(|it| it.join().unwrap())
            .collect::<Vec<_>>()
    });
    for answer in &answers {
        let reason = if answer.outcome == "approved" {
            "live"
        } else {
            "cap"
        };
        assert_eq!(
            answer.reasons[0].id, reason,
            "nobody is refused as contended"
        );
    }
    let approved = answers
        .iter()
        .filter(|answer| answer.outcome == "approved")
        .count();
    assert_eq!(approved, CAP);
    // Each approved call saw those before it, and no other.
    let documents = kit.documents().unwrap();
    let mut seen: Vec<i64> = kit
        .every_decision()
        .iter()
        .filter(|decision| decision.outcome.name() == "approved")
        .map(|decision| documents[&decision.facts_ref.unwrap().into()].as_slice())
        .map(|facts| Facts::from_canonical(facts).unwrap().inputs.counters[0].value)
        .collect();
    seen.sort_unstable();
    assert_eq!(seen, (0..CAP as i64).collect::<Vec<_>>());
}

#[test]
fn a_window_forgets_what_has_left_it_and_nothing_before() {
    let mut kit = Kit::with_bundle(paying(json!([payments(60)]), ""));
    let turn = kit.turn("s1", "pay").intent_ref;
    let value = |kit: &Kit| {
        kit.pay(&turn, &["a"], "1");
        kit.counters()[0].1
    };
    assert_eq!(value(&kit), 0);
    kit.clock.turn(30_000);
    assert_eq!(value(&kit), 1);
    kit.clock.turn(29_999);
    assert_eq!(value(&kit), 2, "within the window to the millisecond");
    // A bucket of one second may count until it has left the window whole.
    kit.clock.turn(1_001);
    assert_eq!(value(&kit), 2, "the first has left");
    kit.restart();
    assert_eq!(value(&kit), 3, "a restart forgets nothing");
    // The log's time does not go back with the clock.
    kit.clock.turn(-1_500);
    assert_eq!(value(&kit), 4);
    kit.clock.turn(10_000_000);
    let turn = kit.turn("s1", "pay").intent_ref;
    kit.pay(&turn, &["a"], "1");
    assert_eq!(kit.counters()[0].1, 0);
}

#[test]
fn keys_are_counted_apart() {
    let all = ["actor", "intent", "session", "principal", "target"];
    let counters = all.map(|key| counter(&format!("by_{key}"), "count", key, json!({})));
    let kit = Kit::with_bundle(paying(json!(counters), ""));
    let values = |of: &str| {
        let all = kit.counters();
        all.iter()
            .filter(|(name, ..)| name == of)
            .map(|(_, value, _)| *value)
            .collect::<Vec<_>>()
    };
    let first = kit.turn("s1", "pay").intent_ref;
    kit.pay(&first, &["a", "b", "a"], "1");
    kit.pay(&first, &["a"], "1");
    assert_eq!(
        values("by_target"),
        [1],
        "the same target twice counts once"
    );
    let second = kit.turn("s1", "pay").intent_ref;
    kit.pay(&second, &["b", "c"], "1");
    assert_eq!(values("by_target"), [1, 0]);
    assert_eq!(values("by_actor"), [2]);
    assert_eq!(values("by_intent"), [0]);
    assert_eq!(values("by_session"), [2]);
    let third = kit.turn("s2", "pay").intent_ref;
    kit.pay(&third, &[], "1");
    assert_eq!(values("by_session"), [0]);
    assert_eq!(values("by_principal"), [3]);
    assert!(values("by_target").is_empty());
}

#[test]
fn different_values_count_once_as_long_as_they_are_met() {
    let counters = json!([
        counter(
            "payees",
            "count_distinct",
            "session",
            json!({"window_s": 60})
        ),
        counter(
            "notes",
            "count_distinct",
            "session",
            json!({"over": "/note"})
        ),
    ]);
    let kit = Kit::with_bundle(paying(counters, ""));
    let turn = kit.turn("s1", "pay").intent_ref;
    let pay = |to: &[&str], note: &str| {
        let mut body: Value = serde_json::from_str(&request(&turn, to, "1")).unwrap();
        body["args"]["note"] = json!(note);
        assert_eq!(kit.decide(&body).unwrap().outcome, "approved");
        let both = kit.counters();
        [(both[0].1, both[0].2), (both[1].1, both[1].2)]
    };
    assert_eq!(pay(&["a", "b", "a"], "x"), [(0, 2), (0, 1)]);
    assert_eq!(pay(&["a"], "x"), [(2, 0), (1, 0)]);
    kit.clock.turn(40_000);
    assert_eq!(pay(&["a"], "y"), [(2, 0), (1, 1)], "met again");
    kit.clock.turn(40_000);
    assert_eq!(
        pay(&["c"], "x"),
        [(1, 1), (2, 0)],
        "`a` was met since, `b` not"
    );
    let counts = kit.every_decision().pop().unwrap().counts;
    assert_eq!(
        counts.len(),
        1,
        "without a window nothing is to be said of `x` again"
    );
}

#[test]
fn what_is_not_approved_does_not_count() {
    let ask = r#"
        @id("ask") @escalate @reason("A person looks at it.")
        forbid (principal, action == Action::"payment.send", resource)
        when { context.targets.contains("ask") };
        @id("never") @reason("Never.")
        forbid (principal, action == Action::"payment.send", resource)
        when { context.targets.contains("never") };
    "#;
    let kit = Kit::with_bundle(paying(json!([payments(60)]), ask));
    let turn = kit.turn("s1", "pay").intent_ref;
    is(&kit.pay(&turn, &["ask"], "1"), "escalated", "ask");
    is(&kit.pay(&turn, &["never"], "1"), "rejected", "never");
    assert!(
        kit.every_decision()
            .iter()
            .all(|decision| decision.counts.is_empty())
    );
    let body = request(&turn, &["a"], "1");
    let agent = kit.caller(Role::Agent);
    for _ in 0..3 {
        let answer = kit
            .service()
            .decide(&agent, body.as_bytes(), Surface::Api, Some("k"));
        assert_eq!(answer.unwrap().outcome, "approved");
    }
    kit.pay(&turn, &["a"], "1");
    assert_eq!(
        kit.counters(),
        [("payments".to_owned(), 1, 1)],
        "an answer again counts once"
    );
}

#[test]
fn a_counter_that_is_declared_otherwise_starts_anew_and_one_that_is_not_goes_on() {
    let kit = Kit::with_bundle(paying(json!([payments(60), spent("session")]), ""));
    let turn = kit.turn("s1", "pay").intent_ref;
    kit.pay(&turn, &["a"], "1");
    kit.publish(&paying(
        json!([payments(61), spent("session")]),
        "// another bundle\n",
    ));
    kit.pay(&turn, &["a"], "2");
    assert_eq!(
        kit.counters(),
        [
            ("payments".to_owned(), 0, 1),
            ("spent".to_owned(), 100, 200)
        ]
    );
    // What was counted before is there again with the declaration.
    kit.publish(&paying(json!([payments(60)]), "// a third\n"));
    kit.pay(&turn, &["a"], "2");
    assert_eq!(kit.counters(), [("payments".to_owned(), 1, 1)]);
}

#[test]
fn without_a_turn_there_is_nothing_to_count_by() {
    let counters = json!([
        payments(60),
        counter("by_turn", "count", "intent", json!({}))
    ]);
    let open = "@id(\"open\") @reason(\"Open.\") permit (principal, action, resource);";
    let kit = Kit::with_bundle(paying(counters, open));
    for n in 0..2 {
        let body = json!({"tool": "pay", "actor": AGENT, "args": {"to": ["a"]}});
        assert_eq!(kit.decide(&body).unwrap().outcome, "approved");
        let expected = [("payments".to_owned(), n, 1), ("by_turn".to_owned(), 0, 1)];
        assert_eq!(kit.counters(), expected);
    }
}

#[test]
fn policies_may_ask_what_was_approved_and_rejected_before() {
    let policies = r#"
        @id("new") @reason("Nobody was paid there before.")
        forbid (principal, action == Action::"payment.send", resource)
        when { context has target && !context.target.approved_before && !context.targets.contains("first") };
        @id("again") @reason("It was rejected before.")
        forbid (principal, action == Action::"payment.send", resource)
        when { context.rejected_before };
    "#;
    let kit = Kit::with_bundle(paying(json!([]), policies));
    let turn = kit.turn("s1", "pay").intent_ref;
    let reasons = |turn: &str, to: &[&str]| {
        let answer = kit.pay(turn, to, "1");
        let reasons = answer.reasons.into_iter().map(|reason| reason.id);
        (answer.outcome, reasons.collect::<Vec<_>>())
    };
    let approved = ("approved".to_owned(), vec!["live".to_owned()]);
    let rejected = |by: &[&str]| {
        let by = by.iter().map(|reason| (*reason).to_owned());
        ("rejected".to_owned(), by.collect::<Vec<_>>())
    };
    assert_eq!(reasons(&turn, &["a"]), rejected(&["new"]));
    assert_eq!(reasons(&turn, &["a"]), rejected(&["again", "new"]));
    assert_eq!(reasons(&turn, &["first"]), approved);
    assert_eq!(reasons(&turn, &["first"]), approved);
    assert_eq!(
        reasons(&turn, &["first", "a"]),
        approved,
        "another set of targets"
    );
    assert_eq!(
        reasons(&turn, &["a"]),
        rejected(&["again"]),
        "approved since"
    );
    let turn = kit.turn("s1", "pay").intent_ref;
    assert_eq!(reasons(&turn, &["a"]), approved, "under another turn");
}

/// A log that an earlier version began has no rows of history, and none that says so.
#[test]
fn rows_that_are_missing_are_made_from_the_leaves_at_the_start() {
    let policies = r#"
        @id("new") @reason("Nobody was paid there before.")
        forbid (principal, action == Action::"payment.send", resource)
        when { context has target && !context.target.approved_before && !context.targets.contains("first") };
    "#;
    let counters = json!([payments(600), spent("session")]);
    let mut kit = Kit::with_bundle(paying(counters, policies));
    let turn = kit.turn("s1", "pay").intent_ref;
    // More than are written with one decision.
    for n in 0..300 {
        kit.pay(&turn, &[&format!("payee-{n}"), "first"], "1.5");
    }
    kit.service = None;
    let database = rusqlite::Connection::open(kit.dir.path().join("ledger.db")).unwrap();
    let gone = "DELETE FROM state WHERE key GLOB 'history/*' OR key GLOB 'counter/*' \
                OR key GLOB 'approved/*' OR key GLOB 'rejected/*'";
    assert!(database.execute(gone, []).unwrap() > 300);
    drop(database);
    for n in 0..3_i64 {
        kit.restart();
        is(
            &kit.pay(&turn, &[&format!("payee-{}", n * 99)], "1"),
            "approved",
            "live",
        );
        let spent = 300 * 150 + n * 100;
        let expected = [
            ("payments".to_owned(), 300 + n, 1),
            ("spent".to_owned(), spent, 100),
        ];
        assert_eq!(kit.counters(), expected);
    }
}

/// Calls, turns, bundles, steps of the clock and restarts as they fall; what is left is held against
/// the leaves at the end.
#[test]
fn whatever_happens_the_rows_are_those_of_the_leaves() {
    let bundles = [
        paying(json!([payments(60), spent("principal")]), ""),
        paying(
            json!([
                payments(600),
                counter(
                    "payees",
                    "count_distinct",
                    "actor",
                    json!({"window_s": 120})
                ),
                counter(
                    "notes",
                    "count_distinct",
                    "target",
                    json!({"over": "/note"})
                ),
                counter(
                    "to_payee",
                    "sum",
                    "target",
                    json!({"over": "/amount", "window_s": 30})
                ),
            ]),
            "@id(\"cap\") @reason(\"Enough.\") forbid (principal, action, resource)\n\
             when { context.has_targets && context.rejected_before };",
        ),
        paying(json!([]), ""),
    ];
    for seed in 1..4_u64 {
        let mut kit = Kit::with_bundle(bundles[0].clone());
        let mut state = seed;
        let mut draw = move |below: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        let mut turn = kit.turn("s0", "pay").intent_ref;
        for n in 0..120 {
            match draw(12) {
                0 => turn = kit.turn(&format!("s{}", draw(2)), "pay").intent_ref,
                1 => kit.clock.turn(i64::try_from(draw(90_000)).unwrap()),
                2 if n % 5 == 0 => kit.restart(),
                2 => kit.publish(&{
                    let mut bundle = bundles[usize::try_from(draw(3)).unwrap()].clone();
                    bundle.description = format!("{n}");
                    bundle
                }),
                _ => {
                    let to: Vec<String> = (0..draw(3)).map(|_| format!("p{}", draw(5))).collect();
                    let to: Vec<&str> = to.iter().map(String::as_str).collect();
                    let amount = ["1", "2.25", "-1", ""][usize::try_from(draw(4)).unwrap()];
                    let mut body: Value =
                        serde_json::from_str(&request(&turn, &to, amount)).unwrap();
                    body["args"]["note"] = json!(format!("n{}", draw(3)));
                    kit.decide(&body).unwrap();
                }
            }
        }
    }
}

/// Facts with another value than the entries before them give are found, also where the verdict
/// would be the same.
#[test]
fn facts_that_count_otherwise_than_the_log_are_found() {
    let kit = Kit::with_bundle(paying(json!([payments(60)]), ""));
    let turn = kit.turn("s1", "pay").intent_ref;
    kit.pay(&turn, &["a"], "1");
    kit.pay(&turn, &["a"], "1");
    let mut documents = kit.documents().unwrap();
    let honest = kit.every_decision().pop().unwrap().facts_ref.unwrap();
    let honest = Sha256::from(honest);
    let mut facts = Facts::from_canonical(&documents[&honest]).unwrap();
    facts.inputs.counters[0].value = 0;
    let before = json!({"before": 0, "adds": 1, "after": 1});
    facts.requests[0].context["counters"]["payments"] = before;
    let forged = Sha256::from(facts.reference().unwrap());
    documents.insert(forged, facts.canonical().unwrap().into_bytes());
    let report = kit.audit(documents, Some((honest.to_string(), forged.to_string())));
    let checks: Vec<Check> = report.findings.iter().map(|it| it.check).collect();
    assert!(checks.contains(&Check::Counts), "{checks:?}");
    assert!(
        !checks.contains(&Check::RejudgeFacts),
        "only the log tells: {checks:?}"
    );
}

/// What an entry adds for a sum only the call tells, or the facts, where the call is sealed.
#[test]
fn a_payment_that_counts_for_less_than_its_facts_say_is_found() {
    let kit = Kit::with_bundle(paying(json!([spent("actor")]), ""));
    let turn = kit.turn("s1", "pay").intent_ref;
    kit.pay(&turn, &["a"], "7");
    let mut documents = kit.documents().unwrap();
    let call = kit.every_decision().pop().unwrap().call_ref.unwrap();
    let swap = ("\"delta\":700".to_owned(), "\"delta\":100".to_owned());
    for _ in 0..2 {
        let report = kit.audit(documents.clone(), Some(swap.clone()));
        let is_found = report.findings.iter().any(|it| it.check == Check::Counts);
        assert!(is_found, "{:?}", report.findings);
        documents.remove(&call.into());
    }
}

/// Drawn again without history, facts say that nothing came before.
#[test]
fn facts_that_leave_out_what_came_before_are_found() {
    let policies = r#"
        @id("again") @reason("It was rejected before.")
        forbid (principal, action == Action::"payment.send", resource)
        when { context.rejected_before };
        @id("not-there") @reason("Not there.")
        forbid (principal, action == Action::"payment.send", resource)
        when { context.targets.contains("b") };
    "#;
    let kit = Kit::with_bundle(paying(json!([]), policies));
    let turn = kit.turn("s1", "pay").intent_ref;
    kit.pay(&turn, &["b"], "1");
    kit.pay(&turn, &["b"], "1");
    let mut documents = kit.documents().unwrap();
    let honest = kit.every_decision().pop().unwrap().facts_ref.unwrap();
    let honest = Sha256::from(honest);
    let mut facts = Facts::from_canonical(&documents[&honest]).unwrap();
    assert!(facts.inputs.history.take().unwrap().rejected_before);
    facts.context["rejected_before"] = json!(false);
    let forged = Sha256::from(facts.reference().unwrap());
    documents.insert(forged, facts.canonical().unwrap().into_bytes());
    let report = kit.audit(documents, Some((honest.to_string(), forged.to_string())));
    let checks: Vec<Check> = report.findings.iter().map(|it| it.check).collect();
    assert!(checks.contains(&Check::RejudgeFacts), "{checks:?}");
}

const CAP: &str = r#"
    @id("cap") @reason("Enough.")
    forbid (principal, action == Action::"payment.send", resource)
    when { context.counters.spent.after > 1000 };
"#;

/// Rows are not authenticated: the server obeys an operator who edits one, and everybody else sees it.
#[test]
fn a_counter_that_the_operator_sets_back_is_found_in_the_rows_and_in_the_facts() {
    let mut kit = Kit::with_bundle(paying(json!([spent("principal")]), CAP));
    let turn = kit.turn("s1", "pay").intent_ref;
    is(&kit.pay(&turn, &["a"], "10"), "approved", "live");
    is(&kit.pay(&turn, &["a"], "1"), "rejected", "cap");
    kit.service = None;
    let database = rusqlite::Connection::open(kit.dir.path().join("ledger.db")).unwrap();
    let set_back = "UPDATE state SET value = CAST('[[0,1]]' AS BLOB) WHERE key GLOB 'counter/*'";
    assert_eq!(database.execute(set_back, []).unwrap(), 1);
    drop(database);
    kit.restart();
    is(&kit.pay(&turn, &["a"], "1"), "approved", "live");
    assert!(kit.state_findings().total() > 0);
    let report = kit.audit(kit.documents().unwrap(), None);
    let checks: Vec<Check> = report.findings.iter().map(|it| it.check).collect();
    assert_eq!(checks, [Check::Counts]);
    // What it would have come to stands in sealed facts only.
    let report = kit.audit(Default::default(), None);
    assert!(report.findings.is_empty());
    kit.service = None;
}

/// One key, asked for at once and again after a restart, is one payment; as many keys are as many.
#[test]
fn a_call_that_is_asked_for_again_is_paid_once() {
    let mut kit = Kit::with_bundle(paying(json!([spent("principal")]), CAP));
    let turn = kit.turn("s1", "pay").intent_ref;
    let body = request(&turn, &["a", "a"], "6");
    let ask = |kit: &Kit, key: &str| {
        let agent = kit.caller(Role::Agent);
        let service = kit.service();
        let asked = service.decide(&agent, body.as_bytes(), Surface::Api, Some(key));
        asked.unwrap().outcome
    };
    let start = Barrier::new(8);
    let outcomes: Vec<(usize, String)> = std::thread::scope(|scope| {
        let asked: Vec<_> = (0..8)
            .map(|n| {
                let (kit, start, ask) = (&kit, &start, &ask);
                scope.spawn(move || {
                    start.wait();
                    (n % 2, ask(kit, &format!("key-{}", n % 2)))
                })
            })
            .collect();
        asked.into_iter().map(|it| it.join().unwrap()).collect()
    });
    kit.restart();
    for key in 0..2 {
        let again = ask(&kit, &format!("key-{key}"));
        let of_key = outcomes.iter().filter(|(of, _)| *of == key);
        assert!(of_key.clone().count() == 4 && of_key.clone().all(|(_, it)| *it == again));
    }
    let decisions = kit.every_decision();
    assert_eq!(decisions.len(), 2);
    let deltas: Vec<i64> = decisions
        .iter()
        .flat_map(|it| &it.counts)
        .map(|it| it.delta)
        .collect();
    assert_eq!(deltas, [600]);
}
