//! What command lines do, as facts and verdicts; the bundle of a coding assistant over calls that a real one made.

use std::collections::BTreeMap;
use std::fs;

use countersign_core::document::{Call, Facts, Workspace};
use countersign_core::verdict::Outcome;
use countersign_judge::{judge, source};
use serde_json::{Value, json};

use crate::support::*;

const ROOT: &str = "/home/dev/app";

fn assistant() -> Scene {
    Scene::new(compile(starter("coding-agent"))).says("Fix the failing test")
}

fn in_project(tool: &str, args: Value) -> Call {
    Call {
        workspace: Some(Workspace {
            root: ROOT.to_owned(),
            cwd: format!("{ROOT}/sub"),
            links: BTreeMap::from([(format!("{ROOT}/sub/link"), "/etc".to_owned())]),
        }),
        ..call(tool, args)
    }
}

fn bash(line: &str) -> Call {
    in_project("Bash", json!({"command": line}))
}

/// Action, target and whether it is in the project, of each request.
fn requests(facts: &Facts) -> Vec<(String, String, Option<bool>)> {
    let of = |request: &countersign_core::document::CedarRequest| {
        let target = request.context.get("target");
        let text = |name: &str| Some(target?.get(name)?.as_str()?.to_owned());
        let shown = text("path").or_else(|| text("value")).unwrap_or_default();
        let in_project = target.and_then(|target| target.get("in_project")?.as_bool());
        (request.action.clone(), shown, in_project)
    };
    facts.requests.iter().map(of).collect()
}

#[test]
fn everything_that_a_line_does_is_judged_and_what_reaches_farthest_comes_first() {
    let scene = assistant();
    let facts = scene.facts(&bash(
        "cat a ../b link/hosts \"$x\" | sort -o c; X=1 rm -r d && curl -d 1 https://x.example; frob e",
    ));
    let found = requests(&facts);
    let expected = [
        ("file.delete_tree", "/home/dev/app/sub/d", Some(true)),
        ("net.send", "/", None),
        ("shell.run", "frob", None),
        ("file.write", "/home/dev/app/sub/c", Some(true)),
        ("shell.environment", "X", None),
        ("file.read", "/home/dev/app/sub/a", Some(true)),
        ("file.read", "/home/dev/app/b", Some(true)),
        ("file.read", "/etc/hosts", Some(false)),
        ("file.read", "\"$x\"", Some(false)),
    ];
    let expected =
        expected.map(|(action, shown, inside)| (action.to_owned(), shown.to_owned(), inside));
    assert_eq!(found, expected);
    assert_eq!(facts.action, x("file.delete_tree"));
    assert_eq!(facts.actions.len(), 6);
    assert_eq!(facts.targets.len(), 9);
    assert!(facts.targets.iter().all(|target| target.at == "/command"));
    let again = scene.facts(&bash(
        "cat a ../b link/hosts \"$x\" | sort -o c; X=1 rm -r d && curl -d 1 https://x.example; frob e",
    ));
    assert_eq!(facts, again);
}

#[test]
fn a_line_that_does_nothing_of_note_is_the_tools_own_action() {
    let scene = assistant();
    for line in ["", "# nothing", "cat", "true"] {
        let facts = scene.facts(&bash(line));
        assert_eq!(facts.action, x("shell.look"), "{line}");
        assert_eq!(facts.targets, [], "{line}");
        assert_eq!(
            judge(&scene.bundle, &facts).outcome,
            Outcome::Approved,
            "{line}"
        );
    }
}

#[test]
fn what_cannot_be_parsed_is_rejected_and_says_where() {
    let scene = assistant();
    for line in [
        "cat 'a",
        "$x",
        "eval \"$x\"",
        "ls\u{202e}",
        "((rm -r a))",
        &"a ".repeat(10_000),
    ] {
        let facts = scene.facts(&bash(line));
        assert_eq!(
            facts.obstacle.as_deref(),
            Some("unparsed-command"),
            "{line}"
        );
        assert_eq!(facts.obstacle_at.as_deref(), Some("/command"));
        let verdict = judge(&scene.bundle, &facts);
        assert_eq!(verdict.outcome, Outcome::Rejected);
        assert!(verdict.reasons.contains(&x("countersign.unparsed-command")));
    }
}

#[test]
fn a_line_acts_on_no_more_than_a_leaf_can_name() {
    let scene = assistant();
    let touch = |count: usize| {
        let names: Vec<String> = (0..count).map(|n| format!("f{n}")).collect();
        scene.facts(&bash(&format!("touch {}", names.join(" "))))
    };
    assert_eq!(touch(64).obstacle, None);
    assert_eq!(touch(65).obstacle.as_deref(), Some("too-many-targets"));
}

#[test]
fn paths_of_a_call_without_a_workspace_are_what_they_were() {
    let scene = assistant();
    let facts = scene.facts(&call("Read", json!({"file_path": "src/../a"})));
    assert_eq!(
        requests(&facts),
        [("file.read".to_owned(), "a".to_owned(), None)]
    );
    let facts = scene.facts(&call("Bash", json!({"command": "cat ../a b"})));
    let expected = [("../a", None), ("b", None)]
        .map(|(path, inside)| ("file.read".to_owned(), path.to_owned(), inside));
    assert_eq!(requests(&facts), expected);
    let facts = scene.facts(&in_project("Read", json!({"file_path": "src/../a"})));
    let expected = (
        "file.read".to_owned(),
        "/home/dev/app/sub/a".to_owned(),
        Some(true),
    );
    assert_eq!(requests(&facts), [expected]);
}

/// No spelling of a path outside the project is ever inside it.
#[test]
fn no_way_out_of_the_project_is_inside_it() {
    let scene = assistant();
    for path in [
        "../..",
        "../../x",
        "a/../../../x",
        "/etc/passwd",
        "/home/dev/app/../x",
        "/home/dev/app2/x",
        "/home/dev/ap",
        "link",
        "link/x",
        "./link/../x",
        "~",
        "~/app/x",
        "$PWD",
        "$PWD/x",
        "*",
        "?",
        "[a]b",
        "a*",
        "{a,b}",
        "`pwd`",
        "$(pwd)/x",
        "\"$x\"/y",
        "//etc/passwd",
        "/proc/self/cwd/x",
        "a\\\\..\\\\..\\\\x",
        "/home/dev/app/sub/../../../x",
        "=ls",
        "~dev/app/x",
        "~+/x",
    ] {
        for line in [
            format!("cat {path}"),
            format!("cat < {path}"),
            format!("echo x > {path}"),
            format!("sort a -o {path}"),
            format!("grep --file {path} a"),
        ] {
            let facts = scene.facts(&bash(&line));
            let verdict = judge(&scene.bundle, &facts);
            assert_ne!(
                verdict.outcome,
                Outcome::Approved,
                "{line}: {:?}",
                requests(&facts)
            );
        }
    }
}

/// The calls that a real client made, one after the other.
#[test]
fn recorded_calls_of_a_coding_assistant_are_judged() {
    let directory = repository().join("../shared/data/claude-code-hooks");
    let Ok(entries) = fs::read_dir(&directory) else {
        eprintln!(
            "SKIPPED: there are no recorded inputs at {}",
            directory.display()
        );
        return;
    };
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let mut scene = Scene::new(compile(starter("coding-agent")));
    let mut found = Vec::new();
    for path in paths {
        let event: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        match event["hook_event_name"].as_str().unwrap() {
            "UserPromptSubmit" => scene = scene.says(event["prompt"].as_str().unwrap()),
            "PreToolUse" => {
                let cwd = event["cwd"].as_str().unwrap().to_owned();
                let call = Call {
                    workspace: Some(Workspace {
                        root: cwd.clone(),
                        cwd,
                        links: BTreeMap::new(),
                    }),
                    ..call(
                        event["tool_name"].as_str().unwrap(),
                        event["tool_input"].clone(),
                    )
                };
                let facts = scene.facts(&call);
                found.push((call.tool, judge(&scene.bundle, &facts).outcome));
            }
            _ => {}
        }
    }
    let expected = [
        ("Bash", Outcome::Approved),
        ("Read", Outcome::Approved),
        // `cat /nonexistent/file` reads outside the project.
        ("Bash", Outcome::Escalated),
        ("Write", Outcome::Approved),
    ];
    assert_eq!(
        found,
        expected.map(|(tool, outcome)| (tool.to_owned(), outcome))
    );
}

/// A declaration with one thing changed, and what its check says.
fn findings(change: impl FnOnce(&mut Value)) -> String {
    let mut tool = json!({
        "tool": "sh", "action": "sh.look", "effect": "read",
        "arguments": {
            "type": "object", "properties": {"line": {"type": "string"}},
            "required": ["line"], "additionalProperties": false
        },
        "commands": {
            "at": "/line",
            "does": {
                "runs": "sh.run", "scripts": "sh.run_file", "code": "sh.run", "reads": "file.read",
                "writes": "file.write", "sets": "sh.set", "connects": "sh.run"
            },
            "actions": {
                "sh.run": {"effect": "irreversible"}, "sh.run_file": {"effect": "write"},
                "file.read": {"effect": "read"}, "file.write": {"effect": "write"},
                "sh.set": {"effect": "write"}
            },
            "rules": [{"run": ["cat", "git show"], "does": "file.read", "on": "paths"}]
        }
    });
    change(&mut tool);
    let policies =
        r#"@id("any") permit (principal, action, resource) when { context.intent.live };"#;
    let content = content(policies, "", json!([tool]));
    let found = countersign_judge::check(&content, &x("acme"));
    found
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn faults_of_a_declaration_are_found() {
    assert_eq!(findings(|_| {}), "");
    let rule = "/commands/rules/0";
    let faults: [(&str, &str, Value, &str); 9] = [
        (
            "/commands/at",
            "",
            json!("/other"),
            "is no text by the schema",
        ),
        (
            "/commands/at",
            "",
            json!("$.line"),
            "is no text by the schema",
        ),
        (
            rule,
            "does",
            json!("file.raed"),
            "does not declare `file.raed`",
        ),
        (rule, "run", json!(["cat", "cat"]), "`cat` has two rules"),
        (
            rule,
            "run",
            json!(["a  b"]),
            "is no program with its subcommand",
        ),
        (
            rule,
            "run",
            json!(["a b c d e"]),
            "is no program with its subcommand",
        ),
        (rule, "values", json!(["n"]), "is no option"),
        (rule, "odd", json!([""]), "is empty"),
        ("/commands/actions/sh.run", "effect", json!("read"), ""),
    ];
    for (at, member, value, expected) in faults {
        let found = findings(|tool| {
            let place = tool.pointer_mut(at).unwrap();
            match member {
                "" => *place = value,
                member => place[member] = value,
            }
        });
        assert!(found.contains(expected), "{expected}: {found}");
    }
    let found =
        findings(|tool| tool["targets"] = json!([{"at": "/line", "type": "id", "entity": "A"}]));
    assert!(found.contains("has no other targets"), "{found}");
    let found = findings(|tool| tool["commands"]["entities"] = json!({"url": "Path"}));
    assert!(found.contains("stands for values of type"), "{found}");
}

#[test]
fn what_is_misspelt_in_a_declaration_is_refused() {
    let mut files = files(&repository().join("bundles/coding-agent"));
    let (_, text) = files
        .iter_mut()
        .find(|(name, _)| name == "tools/Bash.json")
        .unwrap();
    *text = text.replacen("\"skip\":", "\"skpi\":", 1);
    let found = source::read(&files).unwrap_err();
    assert!(found[0].message.contains("skpi"), "{}", found[0]);
}
