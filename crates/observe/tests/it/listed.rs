//! Bundles for what servers list.

use std::collections::BTreeSet;

use countersign_core::document::{Effect, TargetType, ToolManifest};
use countersign_core::refs::Sha256;
use countersign_judge::cases::Cases;
use countersign_judge::{Severity, check};
use countersign_observe::{Hints, ListedGuess, ListedTool, compile, guess_listed, propose_listed};
use countersign_transcripts::ToolDefinition;
use serde_json::{Value, json};

fn tool(name: &str, schema: Value) -> ListedTool {
    ListedTool {
        definition: ToolDefinition {
            name: name.to_owned(),
            description: format!("What {name} is for."),
            arguments: Some(schema),
        },
        hints: Hints::default(),
        pinned: Sha256::of(name.as_bytes()),
    }
}

fn with(properties: Value) -> Value {
    let names: Vec<String> = properties.as_object().unwrap().keys().cloned().collect();
    json!({"type": "object", "properties": properties, "required": names})
}

fn text() -> Value {
    json!({"type": "string"})
}

/// Two servers in one: files and a memory.
fn some() -> Vec<ListedTool> {
    vec![
        tool("read_file", with(json!({"path": text()}))),
        tool(
            "write_file",
            with(json!({"path": text(), "content": text()})),
        ),
        tool(
            "move_file",
            with(json!({"source": text(), "destination": text()})),
        ),
        tool(
            "add_observations",
            with(
                json!({"observations": {"type": "array", "items": with(json!({"entityName": text(), "contents": {"type": "array", "items": text()}}))}}),
            ),
        ),
        tool("fetch_page", with(json!({"url": text()}))),
        tool(
            "send_email",
            with(json!({"to": text(), "subject": text(), "body": text()})),
        ),
        tool("reset_counter", json!({"type": "object", "properties": {}})),
        tool("frobnicate", with(json!({"level": {"type": "number"}}))),
        tool(
            "close_issue",
            with(json!({"issue_id": {"type": "integer"}, "repo": text()})),
        ),
    ]
}

fn manifest(guess: &ListedGuess) -> &ToolManifest {
    guess
        .manifest
        .as_ref()
        .unwrap_or_else(|| panic!("{guess:?}"))
}

fn guessed(tool: ListedTool) -> ListedGuess {
    guess_listed(&[tool], &BTreeSet::new()).remove(0)
}

#[test]
fn a_guessed_bundle_passes_its_check_and_its_cases_cover_every_policy() {
    let proposal = propose_listed("some", &some(), &[]).unwrap();
    let tenant = "local".parse().unwrap();
    let findings = check(&proposal.content, &tenant);
    let errors: Vec<_> = findings
        .iter()
        .filter(|finding| {
            finding.severity == Severity::Error || finding.file.starts_with("policies")
        })
        .collect();
    assert!(errors.is_empty(), "{errors:?}");
    let bundle = compile(proposal.content.clone()).unwrap();
    let cases = Cases::read(&[proposal.cases.unwrap()], &bundle).unwrap();
    let mut held = BTreeSet::new();
    for case in cases.run(&bundle) {
        let case = case.unwrap();
        assert!(case.mismatches.is_empty(), "{case:?}");
        held.extend(case.reasons.iter().map(ToString::to_string));
    }
    // Each tool: nobody asked, somebody did, and, where it changes something, it was named or not.
    assert!(cases.len() >= 2 * some().len() + 8, "{}", cases.len());
    for id in [
        "reads-are-free",
        "changes-for-a-turn",
        "asked-unless-named",
        "asked-without-a-target",
        "asked-about-links-in-texts",
    ] {
        assert!(held.contains(id), "{id} {held:?}");
    }
}

#[test]
fn names_say_what_listed_tools_do_and_act_on() {
    let proposal = propose_listed("some", &some(), &[]).unwrap();
    let of = |name: &str| {
        let found = proposal.guesses.iter().find(|guess| guess.tool == name);
        manifest(found.unwrap())
    };
    use Effect::{Irreversible, Read, Write};
    for (name, action, effect, targets) in [
        ("read_file", "file.read", Read, &["/path"][..]),
        ("write_file", "file.write", Write, &["/path"]),
        (
            "move_file",
            "file.move",
            Write,
            &["/source", "/destination"],
        ),
        (
            "add_observations",
            "observations.add",
            Write,
            &["$.observations[*].entityName"],
        ),
        ("fetch_page", "page.fetch", Write, &["/url"]),
        ("send_email", "email.send", Irreversible, &["/to"]),
        ("frobnicate", "frobnicate.use", Irreversible, &[]),
        ("close_issue", "issue.close", Write, &["/issue_id", "/repo"]),
    ] {
        let manifest = of(name);
        assert_eq!(
            (manifest.action.as_str(), manifest.effect),
            (action, effect),
            "{name}"
        );
        let at: Vec<&str> = manifest
            .targets
            .iter()
            .map(|target| target.at.as_str())
            .collect();
        assert_eq!(at, targets, "{name}");
        assert_eq!(manifest.pinned, Some(Sha256::of(name.as_bytes())));
        assert_eq!(manifest.arguments["additionalProperties"], false, "{name}");
    }
    assert_eq!(of("send_email").targets[0].kind, TargetType::Email);
    assert!(
        proposal.content.schema.contains("entity Path;"),
        "{}",
        proposal.content.schema
    );
}

#[test]
fn what_a_server_claims_makes_a_guess_stricter_and_never_milder() {
    let claims = |name: &str, read_only: Option<bool>, destructive: Option<bool>| {
        let mut tool = tool(name, with(json!({"path": text()})));
        tool.hints = Hints {
            read_only,
            destructive,
        };
        let guess = guessed(tool);
        (
            manifest(&guess).effect,
            guess
                .notes
                .iter()
                .any(|note| note.contains("nobody vouches")),
        )
    };
    assert_eq!(
        claims("delete_file", Some(true), Some(false)),
        (Effect::Irreversible, true)
    );
    assert_eq!(claims("read_file", Some(true), None), (Effect::Read, false));
    assert_eq!(
        claims("read_file", Some(false), Some(false)),
        (Effect::Write, false)
    );
    assert_eq!(
        claims("read_file", Some(false), None),
        (Effect::Irreversible, false)
    );
    assert_eq!(
        claims("write_file", Some(false), Some(true)),
        (Effect::Irreversible, false)
    );
    assert_eq!(claims("write_file", None, None), (Effect::Write, false));
}

#[test]
fn what_cannot_be_used_is_left_out_and_told() {
    // Names that can be mistaken for others, and one that is listed twice.
    for name in [
        "",
        "read\u{200b}_file",
        "ｒead_file",
        "reаd_file",
        "read file",
        &"x".repeat(129),
    ] {
        let guess = guessed(tool(name, with(json!({"path": text()}))));
        assert!(guess.manifest.is_none(), "{name:?}");
        assert!(
            guess.notes[0].ends_with("every call is rejected"),
            "{:?}",
            guess.notes
        );
    }
    let twice = [
        tool("read_file", text()),
        tool("read_file", with(json!({}))),
    ];
    let guesses = guess_listed(&twice, &BTreeSet::new());
    assert!(guesses.iter().all(|guess| guess.manifest.is_none()));
    // Schemas.
    for (schema, note) in [
        (json!(true), "only the types"),
        (json!({"type": "array"}), "only the types"),
        (
            json!({"type": "object", "properties": {"a": {"$ref": "https://evil.example/x"}}}),
            "only the types",
        ),
        (
            json!({"type": "object", "properties": {"a": {"type": "string", "pattern": "(?<=x)y"}}}),
            "only the types",
        ),
        (
            json!({"type": "object", "properties": {"a": {"type": "string", "description": "such as jo@acme.example"}}}),
            "left out of its schema",
        ),
    ] {
        let guess = guessed(tool("save", schema.clone()));
        manifest(&guess);
        assert!(
            guess.notes.iter().any(|said| said.contains(note)),
            "{schema} {:?}",
            guess.notes
        );
    }
    // Nothing that a server says is an error of ours.
    let proposal = propose_listed("empty", &[], &[]).unwrap();
    assert!(proposal.content.tools.is_empty() && proposal.cases.is_none());
}

#[test]
fn new_tools_get_actions_that_no_other_has() {
    let taken = BTreeSet::from(["file.read".parse().unwrap()]);
    let guesses = guess_listed(&[tool("read_file", with(json!({})))], &taken);
    assert_eq!(manifest(&guesses[0]).action.as_str(), "file.read-2");
    let both = [
        tool("read_file", with(json!({}))),
        tool("readFile", with(json!({}))),
    ];
    let guesses = guess_listed(&both, &BTreeSet::new());
    let actions: Vec<&str> = guesses
        .iter()
        .map(|guess| manifest(guess).action.as_str())
        .collect();
    assert_eq!(actions, ["file.read", "file.read-2"]);
}

#[test]
fn names_that_cedar_keeps_for_itself_stand_for_targets_too() {
    for name in [
        "string_id",
        "long_id",
        "bool_id",
        "set_id",
        "action_id",
        "__cedar_id",
    ] {
        let guess = guessed(tool("delete_it", with(json!({name: text()}))));
        assert_eq!(manifest(&guess).targets.len(), 1, "{name} {guess:?}");
    }
}
