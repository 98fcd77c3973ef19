//! The slice of a set gives the verdict of the set.

use std::collections::BTreeMap;

use countersign_core::document::{Bundle, CedarRequest, EntityFact, EntityUid, Facts, Inputs};
use countersign_core::refs::Sha256;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{CompiledBundle, Way};
use crate::finding::Severity;
use crate::judge::judge;

fn x<T: std::str::FromStr>(text: &str) -> T
where
    T::Err: std::fmt::Debug,
{
    text.parse().unwrap()
}

fn tools() -> Value {
    let schema = json!({"type": "object", "additionalProperties": false,
        "properties": {"it": {"type": "string"}}});
    let tool = |name: &str, effect: &str, entity: Option<&str>, optional: bool| {
        let targets: Vec<Value> = entity
            .iter()
            .map(|e| json!({"at": "/it", "type": "id", "entity": e, "optional": optional}))
            .collect();
        json!({"tool": name, "action": name, "effect": effect, "arguments": schema, "targets": targets})
    };
    json!([
        tool("a.read", "read", Some("Thing"), false),
        tool("b.read", "read", None, false),
        tool("c.write", "write", Some("Thing"), true),
        tool("d.write", "write", Some("Other"), false),
        tool("e.end", "irreversible", Some("Other"), true),
    ])
}

const ACTIONS: [(&str, &[&str]); 5] = [
    ("a.read", &["Thing"]),
    ("b.read", &["Call"]),
    ("c.write", &["Thing", "Call"]),
    ("d.write", &["Other"]),
    ("e.end", &["Other", "Call"]),
];

fn policy() -> impl Strategy<Value = String> {
    let effect = prop_oneof![
        4 => Just("permit"),
        2 => Just("forbid"),
        2 => Just("@escalate forbid"),
        1 => Just("@escalate(\"requester\") forbid"),
    ];
    let action = prop_oneof![
        Just("action"),
        Just("action == Action::\"a.read\""),
        Just("action == Action::\"d.write\""),
        Just("action in Action::\"reads\""),
        Just("action in Action::\"irreversible\""),
        Just("action in [Action::\"writes\", Action::\"b.read\"]"),
        Just("action in [Action::\"e.end\"]"),
        Just("action == Action::\"reads\""),
    ];
    let resource = prop_oneof![
        Just("resource"),
        Just("resource is Thing"),
        Just("resource is Other"),
        Just("resource is Call"),
        Just("resource == Thing::\"1\""),
        Just("resource in Other::\"1\""),
        Just("resource is Thing in Thing::\"2\""),
    ];
    let principal = prop_oneof![Just("principal"), Just("principal == Actor::\"agent:x\"")];
    let when = prop_oneof![
        Just(""),
        Just("when { context.intent.live }"),
        Just("unless { context.target_count > 0 }"),
        Just("when { context.target_count + 9223372036854775807 < 0 }"),
        Just("when { context has target && context.target.sources.contains(\"user\") }"),
        Just("when { context has args.it && context[\"args\"].it == \"v\" }"),
        Just("when { context.mentioned.emails.isEmpty() || context.tool == \"a.read\" }"),
        Just("when { [context].containsAny([context]) }"),
    ];
    (effect, principal, action, resource, when).prop_map(
        |(effect, principal, action, resource, when)| {
            format!("{effect} ({principal}, {action}, {resource}) {when};")
        },
    )
}

/// Arguments that fit the type which policies see, and some that do not.
fn args() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => Just(json!({})),
        4 => Just(json!({"it": "v"})),
        1 => Just(json!({"it": 1})),
        1 => Just(json!({"it": ["v"]})),
        1 => Just(json!({"it": null})),
        1 => Just(json!({"other": "v"})),
        1 => Just(json!({"it": "v", "fraction": 0.5})),
        1 => Just(json!("v")),
    ]
}

fn facts(
    action: &str,
    resources: &[(String, String)],
    live: bool,
    count: i64,
    args: &Value,
) -> Facts {
    let nothing = json!({"emails": [], "domains": [], "urls": [], "ids": [], "amounts": []});
    let shared = json!({
        "intent": {"live": live, "earlier_turns": 0}, "mentioned": nothing, "targets": [],
        "has_targets": count > 0, "target_count": count, "tool": action, "effect": "x", "args": args,
    });
    let target = json!({"at": "/it", "value": "1", "lookup": "1", "kind": "id", "sources": ["user"],
        "known": false});
    let digest = Sha256::of(b"");
    Facts {
        tenant: x("acme"),
        extractor: 1,
        now: x("2026-04-18T02:13:44.000Z"),
        actor: x("agent:x"),
        action: x(action),
        actions: Vec::new(),
        inputs: Inputs {
            call: digest.into(),
            bundle: digest.into(),
            claimed_intent: None,
            intents: Vec::new(),
            results: Vec::new(),
            directory_revision: None,
            counters: Vec::new(),
            history: None,
            review: None,
            credential: x("01HYB7K3M4FXQZ9V2N6PTJD8RC"),
        },
        targets: Vec::new(),
        values: Vec::new(),
        carried: Vec::new(),
        context: shared.as_object().unwrap().clone(),
        requests: resources
            .iter()
            .map(|(kind, id)| CedarRequest {
                principal: "agent:x".into(),
                action: action.into(),
                resource: EntityUid {
                    kind: kind.clone(),
                    id: id.clone(),
                },
                context: if kind == "Call" {
                    Map::new()
                } else {
                    Map::from_iter([("target".to_owned(), target.clone())])
                },
            })
            .collect(),
        entities: vec![EntityFact {
            entity: EntityUid {
                kind: "Thing".into(),
                id: "2".into(),
            },
            attributes: BTreeMap::new(),
        }],
        obstacle: None,
        obstacle_at: None,
        salt: x("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
    }
}

fn way(whole: bool) -> Way {
    Way {
        whole,
        extractor: 1,
        publishing: false,
    }
}

fn bundle(lines: &[String]) -> Bundle {
    serde_json::from_value(json!({"tenant": "acme", "content": {
        "name": "test",
        "policies": [{"name": "p.cedar", "text": lines.concat()}],
        "tools": tools(),
    }}))
    .unwrap()
}

/// The context that a schema declares for an action.
fn context(bundle: &CompiledBundle, action: &str) -> Vec<String> {
    let action = bundle.action(&x(action)).unwrap();
    action.context.keys().cloned().collect()
}

#[test]
fn each_extractor_has_its_own_schema() {
    let bundle = CompiledBundle::compile_as(bundle(&[]), 2, false).unwrap();
    let first = bundle.for_extractor(1).unwrap();
    let old = [
        "args",
        "effect",
        "has_targets",
        "intent",
        "mentioned",
        "target",
        "target_count",
        "targets",
        "tool",
    ];
    assert_eq!(context(first, "a.read"), old);
    assert_eq!(context(&bundle, "a.read").len(), old.len() + 7);
    assert!(!first.schema_text().contains("rejected_before"));
    let text = bundle.schema_text().split_whitespace().collect::<String>();
    let sources = "sources:{it?:Set<__cedar::String>}";
    assert!(text.contains(sources), "{text}");
    // It is compiled once, and leads back.
    assert!(std::ptr::eq(first, bundle.for_extractor(1).unwrap()));
    assert!(std::ptr::eq(
        &raw const bundle,
        bundle.for_extractor(2).unwrap()
    ));
    assert_eq!(first.policy_ref(), bundle.policy_ref());
    assert!(bundle.for_extractor(0).is_none() && bundle.for_extractor(3).is_none());
}

proptest! {
    #[test]
    fn a_slice_judges_as_the_whole_set(
        policies in proptest::collection::vec(policy(), 0..12),
        asks in proptest::collection::vec(
            (0..5usize, proptest::collection::vec((0..2usize, 1..4u8), 1..4), any::<bool>(), 0..2i64, args()),
            1..12,
        ),
    ) {
        let mut lines: Vec<String> = policies
            .iter()
            .enumerate()
            .map(|(n, policy)| format!("@id(\"p{n}\") {policy}\n"))
            .collect();
        // Strict validation refuses policies that can never apply: those go.
        if let Err(error) = CompiledBundle::compile_with(bundle(&lines), way(false)) {
            for finding in error.findings.iter().filter(|f| f.severity == Severity::Error) {
                lines[finding.line as usize - 1] = "\n".to_owned();
            }
        }
        let text = lines.concat();
        let whole = CompiledBundle::compile_with(bundle(&lines), way(true));
        let sliced = CompiledBundle::compile_with(bundle(&lines), way(false));
        prop_assert!(whole.is_ok() && sliced.is_ok(), "{}", text);
        if let (Ok(whole), Ok(sliced)) = (whole, sliced) {
            for (n, resources, live, count, args) in asks {
                let (action, kinds) = ACTIONS[n];
                let resources: Vec<(String, String)> = resources
                    .iter()
                    .map(|(kind, id)| (kinds[kind % kinds.len()].to_owned(), id.to_string()))
                    .collect();
                let facts = facts(action, &resources, live, count, &args);
                prop_assert_eq!(judge(&whole, &facts), judge(&sliced, &facts), "{}", text);
            }
        }
    }
}
