//! The same judgement again.

use countersign_core::document::{Call, Document as _, Facts};
use countersign_core::verdict::Outcome;
use countersign_judge::{RejudgeError, RejudgeInputs, rejudge};
use serde_json::{Value, json};

use crate::support::{Scene, call, mail};

fn scene() -> Scene {
    Scene::mail_agent()
        .says("Ticket #4821 is about a refund")
        .says("Write to jane@customer.example and joe@left.example")
        .result("crm.lookup", json!({"mail": "joe@left.example"}))
        .entity(
            "Contact",
            "jane@customer.example",
            json!({"status": "active"}),
        )
        .entity(
            "Contact",
            "joe@left.example",
            json!({"status": "churned", "other": 1}),
        )
}

fn again(
    scene: &Scene,
    facts: &Facts,
    call: &Call,
) -> Result<(Outcome, Vec<String>), RejudgeError> {
    let verdict = rejudge(&RejudgeInputs {
        bundle: &scene.bundle,
        facts,
        call,
        intents: &scene.turns,
        results: &scene.results,
    })?;
    let reasons = verdict.reasons.iter().map(ToString::to_string).collect();
    Ok((verdict.outcome, reasons))
}

fn stored(facts: &Facts) -> Facts {
    Facts::from_canonical(facts.canonical().unwrap().as_bytes()).unwrap()
}

#[test]
fn stored_facts_judge_as_they_did() {
    let scene = scene();
    for (tool, args) in [
        ("email.send", mail(&["jane@customer.example"])),
        ("email.send", mail(&["Jane+x@customer.example"])),
        (
            "email.send",
            mail(&["joe@left.example", "jane@customer.example"]),
        ),
        (
            "email.send",
            mail(&["joe+tag@left.example", "not an address"]),
        ),
        ("email.send", mail(&[])),
        ("email.send", json!({"to": 1})),
        ("ticket.update", json!({"ticket": "4821"})),
        ("inbox.read", json!({})),
        ("unknown", json!({"x": [1.5, null]})),
    ] {
        let call = call(tool, args);
        let facts = scene.facts(&call);
        let (_, verdict) = scene.asks(tool, call.args.clone());
        let reasons: Vec<String> = verdict.reasons.iter().map(ToString::to_string).collect();
        assert_eq!(
            again(&scene, &stored(&facts), &call).unwrap(),
            (verdict.outcome, reasons),
            "{tool} {}",
            call.args
        );
    }
}

#[test]
fn facts_that_were_changed_are_found_out() {
    let scene = scene();
    let call = call("email.send", mail(&["eve@evil.test"]));
    let facts = scene.facts(&call);
    let tampered = |change: &dyn Fn(&mut Value)| {
        let mut value = serde_json::to_value(&facts).unwrap();
        change(&mut value);
        again(&scene, &serde_json::from_value(value).unwrap(), &call)
    };
    let differs = |at: &str| Err(RejudgeError::Differs { at: at.to_owned() });
    assert_eq!(
        tampered(&|f| f["requests"][0]["context"]["target"]["sources"] = json!(["user"])),
        differs("/requests/0/context/target/sources/0")
    );
    assert_eq!(
        tampered(&|f| f["targets"][0]["sources"] = json!(["user"])),
        differs("/targets/0/sources/0")
    );
    assert_eq!(
        tampered(&|f| f["context"]["intent"]["live"] = json!(false)),
        differs("/context/intent/live")
    );
    assert_eq!(
        tampered(&|f| f["obstacle"] = json!("no-target")),
        differs("/obstacle")
    );
    let other = |what: &str| {
        Err(RejudgeError::OtherDocument {
            what: what.to_owned(),
        })
    };
    let digest = format!("sha256:{}", "0".repeat(64));
    assert_eq!(
        tampered(&|f| f["inputs"]["call"] = json!(digest)),
        other("call")
    );
    assert_eq!(
        tampered(&|f| f["inputs"]["intents"][0]["intent_ref"] = json!(digest)),
        other("intent 0")
    );
    assert_eq!(
        tampered(&|f| f["inputs"]["results"] = json!([])),
        other("number of results")
    );
    assert_eq!(
        tampered(&|f| f["extractor"] = json!(3)),
        Err(RejudgeError::Extractor {
            found: 3,
            supported: 2
        })
    );
}
