//! Cases that were sealed by earlier builds: the same facts and bundle give the same verdict, forever.

use std::collections::BTreeMap;

use countersign_core::document::{Bundle, Call, Document, Facts, Intent, ToolResult};
use countersign_core::json::CanonicalJson;
use countersign_judge::{CompiledBundle, RejudgeInputs, rejudge};
use serde_json::Value;

use crate::support::repository;

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
