//! What a list of tools may leave out: nothing of which any call is approved or put to a person.

use countersign_core::verdict::Outcome;
use serde_json::{Value, json};

use crate::support::{Scene, compile, content, files, repository, starter};

/// Scopes and conditions of every kind that looks at what is known beforehand, and some that do not.
const SCOPES: [&str; 9] = [
    "principal, action, resource",
    "principal == Actor::\"agent:support-v3\", action, resource",
    "principal == Actor::\"agent:other\", action, resource",
    "principal is Actor, action in Action::\"writes\", resource",
    "principal, action in [Action::\"reads\", Action::\"irreversible\"], resource",
    "principal, action == Action::\"send.do\", resource is To",
    "principal, action, resource is Call",
    "principal, action, resource is To",
    "principal, action, resource == To::\"x-1\"",
];
const CONDITIONS: [&str; 10] = [
    "",
    "when { context.intent.live }",
    "unless { context.intent.live }",
    "when { principal == Actor::\"agent:other\" || context.tool == \"send\" }",
    "when { context.effect == \"read\" && !(resource is To) }",
    "unless { context.effect == \"write\" } when { true }",
    "when { action in [Action::\"writes\", Action::\"look.do\"] }",
    "when { if context.tool == \"look\" then false else context.has_targets }",
    "unless { context.has_targets }",
    "when { principal != Actor::\"agent:support-v3\" }",
];

fn tools() -> Value {
    let tool = |name: &str, effect: &str, targets: Value| {
        json!({
            "tool": name,
            "action": format!("{name}.do"),
            "effect": effect,
            "arguments": {"type": "object", "properties": {"to": {"type": "string"}, "cc": {"type": "string"}}},
            "targets": targets,
            "effects": if name == "mark" { json!([{"action": "copy.do", "effect": "irreversible", "when": "$.cc"}, {"action": "log.do", "effect": "write"}]) } else { json!([]) },
        })
    };
    let at = |at: &str, entity: &str, optional: bool| json!({"at": at, "type": "id", "entity": entity, "optional": optional});
    json!([
        tool("look", "read", json!([])),
        tool(
            "send",
            "irreversible",
            json!([at("/to", "To", false), at("/cc", "Copy", true)])
        ),
        tool("mark", "write", json!([at("/to", "To", true)])),
    ])
}

fn calls() -> [Value; 4] {
    [
        json!({}),
        json!({"to": "x-1"}),
        json!({"to": "y", "cc": "y-2"}),
        json!({"cc": "x-1"}),
    ]
}

#[test]
fn what_is_left_out_is_rejected_whatever_the_call() {
    let actor = "agent:support-v3".parse().unwrap();
    let mut hidden = 0;
    let mut shown = 0;
    for (n, scope) in SCOPES.iter().enumerate() {
        for (m, condition) in CONDITIONS.iter().enumerate() {
            // A permit of one kind beside a forbid of another.
            let forbid = SCOPES[(n + m) % SCOPES.len()];
            let unless = CONDITIONS[(n * 3 + m) % CONDITIONS.len()];
            let annotation = if m % 4 == 3 { "@escalate " } else { "" };
            let text = format!(
                "@id(\"p\") permit ({scope}) {condition};\n@id(\"f\") {annotation}forbid ({forbid}) {unless};\n@id(\"q\") permit (principal, action == Action::\"log.do\", resource);"
            );
            let bundle = compile(content(&text, "", tools()));
            let mut scene = Scene::new(bundle).says("send x-1 to y-2");
            let names = ["look", "send", "mark", "other"];
            let could = scene.bundle.could_permit(&actor, &names);
            let left_out = names.iter().zip(could).filter(|(_, could)| !could);
            let left_out: Vec<&str> = left_out.map(|(tool, _)| *tool).collect();
            hidden += left_out.len();
            shown += names.len() - left_out.len();
            for is_spoken in [true, false] {
                if !is_spoken {
                    scene.turns.clear();
                }
                for tool in &left_out {
                    for args in calls() {
                        let (outcome, _) = scene.verdict(tool, args.clone());
                        assert_eq!(outcome, Outcome::Rejected, "{tool} {args}\n{text}");
                    }
                }
            }
        }
    }
    assert!(hidden > 50 && shown > 50, "{hidden} {shown}");
}

#[test]
fn the_tools_of_the_starters_are_shown() {
    let actor = "agent:support-v3".parse().unwrap();
    for entry in std::fs::read_dir(repository().join("bundles")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if !files(&repository().join("bundles").join(&name))
            .iter()
            .any(|(path, _)| path == "bundle.toml")
        {
            continue;
        }
        let bundle = compile(starter(&name));
        let tools: Vec<&str> = bundle
            .bundle()
            .content
            .tools
            .iter()
            .map(|tool| tool.tool.as_str())
            .collect();
        let could = bundle.could_permit(&actor, &tools);
        let left_out: Vec<_> = tools
            .iter()
            .zip(could)
            .filter(|(_, could)| !could)
            .collect();
        assert!(left_out.is_empty(), "{name}: {left_out:?}");
    }
}
