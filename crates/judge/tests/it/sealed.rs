//! Cases that were sealed by earlier builds: the same facts and bundle give the same verdict, forever.

use std::collections::BTreeMap;

use countersign_core::document::{
    Author, Bundle, Call, CounterFact, Document, Facts, HistoryFact, Intent, PartBy, ToolResult,
};
use countersign_core::json::CanonicalJson;
use countersign_judge::{CompiledBundle, EXTRACTOR, RejudgeInputs, judge, recount, rejudge};
use serde_json::{Value, json};

use crate::provenance::{mails, office};
use crate::support::{Scene, call, mail, repository};

fn lines(name: &str) -> Vec<Value> {
    let path = repository().join("crates/judge/tests/sealed").join(name);
    let text = std::fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn read<D: Document>(document: &Value) -> D {
    D::from_canonical(CanonicalJson::of(document).unwrap().as_bytes()).unwrap()
}

/// Judges all cases of an extractor again; how many there are.
fn judged_again(extractor: u32) -> usize {
    let bundles: BTreeMap<String, CompiledBundle> =
        lines(&format!("extractor-{extractor}.bundles.jsonl"))
            .iter()
            .map(|bundle| {
                let compiled = CompiledBundle::stored(read::<Bundle>(bundle)).unwrap();
                (compiled.policy_ref().to_string(), compiled)
            })
            .collect();
    let cases = lines(&format!("extractor-{extractor}.cases.jsonl"));
    for (n, case) in cases.iter().enumerate() {
        let facts: Facts = read(&case["facts"]);
        assert_eq!(facts.extractor, extractor);
        let all = |member: &str| case[member].as_array().unwrap().clone();
        let intents: Vec<Intent> = all("intents").iter().map(read).collect();
        let results: Vec<ToolResult> = all("results").iter().map(read).collect();
        let verdict = rejudge(&RejudgeInputs {
            bundle: &bundles[case["bundle"].as_str().unwrap()],
            facts: &facts,
            call: &read::<Call>(&case["call"]),
            intents: &intents,
            results: &results,
        })
        .unwrap_or_else(|error| panic!("case {n}: {error}"));
        let reasons: Vec<String> = verdict.reasons.iter().map(ToString::to_string).collect();
        assert_eq!(verdict.outcome.name(), case["outcome"], "case {n}");
        assert_eq!(serde_json::json!(reasons), case["reasons"], "case {n}");
    }
    cases.len()
}

#[test]
fn what_the_first_extractor_sealed_is_judged_as_it_was() {
    assert_eq!(judged_again(1), 144);
}

#[test]
fn what_the_second_extractor_sealed_is_judged_as_it_was() {
    assert_eq!(judged_again(2), SEALED);
}

/// How many cases of this extractor are sealed.
const SEALED: usize = 60;

const POLICIES: &str = r#"
    @id("grounded") permit (principal, action in [Action::"irreversible", Action::"writes"], resource)
    when { context.intent.live && context.asked.verb && context has target &&
           ["user", "user_earlier", "confirmed", "system_field", "first_party_field"].containsAll(context.sources.to) };
    @id("read") permit (principal, action in Action::"reads", resource) when { context.intent.live };
    @id("handed-over") permit (principal, action == Action::"mail.send", resource)
    when { context.hand_over && context.target.handed_over && context.target.named_in.contains("mail.search") };
    @id("ask-handed-over") @escalate forbid (principal, action == Action::"mail.send", resource)
    when { context.target.handed_over && !context.target.sources.contains("user") };
    @id("no-links") forbid (principal, action == Action::"mail.send", resource)
    unless { ["user", "system_field"].containsAll(context.text.sources) };
    @id("no-secrets") forbid (principal, action, resource) when { context.carries.contains("secret") };
    @id("hours") @escalate forbid (principal, action == Action::"mail.send", resource)
    when { context.time.weekday == 7 || context.time.hour >= 23 };
    @id("again") forbid (principal, action == Action::"mail.send", resource) when { context.rejected_before };
"#;

/// Scenes, each with what is asked in it.
fn scenes() -> Vec<(Scene, Vec<(&'static str, Value)>)> {
    let to = |address: &str| json!({"to": [address]});
    let sends = vec![
        ("mail.send", to("jane@partner.example")),
        ("mail.send", to("mallory@evil.example")),
        ("mail.send", to("joe@partner.example")),
        ("mail.send", to("j\u{430}ne@partner.example")),
        ("mail.send", to("Jane+x@partner.example")),
        (
            "mail.send",
            json!({"to": ["jane@partner.example", "eve@evil.example"], "subject": "Hi"}),
        ),
        (
            "mail.send",
            json!({"to": ["jane@partner.example"], "body": "see https://acme.example/form"}),
        ),
        (
            "mail.send",
            json!({"to": ["jane@partner.example"], "body": "the code: 46 38-20"}),
        ),
        (
            "mail.send",
            json!({"to": ["jane@partner.example"], "files": ["report-7.pdf"], "at": "2026-05-04", "amount": 1250}),
        ),
        ("mail.send", json!({"to": []})),
        ("page.read", json!({"url": "https://acme.example/form"})),
        ("channel.read", json!({"channel": "general"})),
    ];
    let searched = |says: &str| {
        office(POLICIES)
            .says(says)
            .result_of("mail.search", json!({"query": "offer"}), mails())
    };
    vec![
        (
            office(POLICIES).says("Send report-7.pdf to jane@partner.example on May 4, 2026, EUR 1,250.00, with https://acme.example/form"),
            sends.clone(),
        ),
        (searched("Write to the person who sent me the offer"), sends.clone()),
        (searched("Do what the mail from jane@partner.example asks"), sends.clone()),
        (
            searched("Send jane@partner.example a mail").says("Yes, go ahead").by_agent(),
            sends.clone(),
        ),
        (
            office(POLICIES).turn(
                Author::Human,
                &[(PartBy::Agent, "Shall I write to joe@partner.example?"), (PartBy::Principal, "Yes, send it")],
            ),
            sends.into_iter().take(3).collect(),
        ),
        (
            Scene::mail_agent()
                .says("Ticket #4821: write to jane@customer.example and joe@left.example")
                .entity("Contact", "joe@left.example", json!({"status": "churned"})),
            vec![
                ("email.send", mail(&["jane@customer.example"])),
                ("email.send", mail(&["joe@left.example"])),
                ("email.send", mail(&["JOE+a@left.example"])),
                ("email.send", mail(&["jane@customer.example", "eve@evil.example"])),
                ("email.send", mail(&["no address"])),
                ("ticket.update", json!({"ticket": "4821", "status": "closed"})),
                ("inbox.read", json!({})),
                ("nothing.known", json!({})),
                ("email.send", json!({"to": 1})),
            ],
        ),
    ]
}

/// Seals the cases anew. Only for an extractor that no release has: once released, what it drew
/// stays as it was.
#[test]
#[ignore = "writes the cases of this build's extractor"]
fn seal() {
    let mut cases = String::new();
    let mut bundles: BTreeMap<String, String> = BTreeMap::new();
    let text = |json: &CanonicalJson| String::from_utf8(json.as_bytes().to_vec()).unwrap();
    let history = HistoryFact {
        as_of: 7,
        approved_before: vec![true, false],
        rejected_before: true,
    };
    let counters: [CounterFact; 0] = [];
    let mut count = 0;
    for (n, (scene, asked)) in scenes().into_iter().enumerate() {
        let canonical = scene.bundle.bundle().canonical().unwrap();
        bundles.insert(scene.bundle.policy_ref().to_string(), text(&canonical));
        for (tool, args) in asked {
            let (facts, _) = scene.asks(tool, args.clone());
            // What came before is drawn from the log; every fifth scene has some.
            let facts = match n % 5 {
                3 => recount(&scene.bundle, &facts, &counters, Some(&history)),
                _ => facts,
            };
            let verdict = judge(&scene.bundle, &facts);
            let value =
                |json: CanonicalJson| -> Value { serde_json::from_slice(json.as_bytes()).unwrap() };
            let case = json!({
                "bundle": scene.bundle.policy_ref().to_string(),
                "facts": value(facts.canonical().unwrap()),
                "call": value(call(tool, args).canonical().unwrap()),
                "intents": scene.turns.iter().map(|turn| value(turn.canonical().unwrap())).collect::<Vec<_>>(),
                "results": scene.results.iter().map(|result| value(result.canonical().unwrap())).collect::<Vec<_>>(),
                "outcome": verdict.outcome.name(),
                "reasons": verdict.reasons.iter().map(ToString::to_string).collect::<Vec<_>>(),
            });
            cases.push_str(&text(&CanonicalJson::of(&case).unwrap()));
            cases.push('\n');
            count += 1;
        }
    }
    let directory = repository().join("crates/judge/tests/sealed");
    let bundles: String = bundles.values().map(|text| format!("{text}\n")).collect();
    std::fs::write(
        directory.join(format!("extractor-{EXTRACTOR}.bundles.jsonl")),
        bundles,
    )
    .unwrap();
    std::fs::write(
        directory.join(format!("extractor-{EXTRACTOR}.cases.jsonl")),
        cases,
    )
    .unwrap();
    assert_eq!(count, SEALED);
}
