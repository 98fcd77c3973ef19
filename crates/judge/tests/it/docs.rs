//! `docs/policy-language.md` says what is so.

use countersign_core::document::{PolicyFile, ToolManifest, WatchSettings};
use countersign_core::verdict::Outcome;
use countersign_judge::{Severity, check, source};

use crate::support::{Scene, compile, mail, repository, starter, x};
use serde_json::{Value, json};

fn page() -> String {
    std::fs::read_to_string(repository().join("docs/policy-language.md")).unwrap()
}

/// The fenced blocks of a language.
fn blocks(language: &str) -> Vec<String> {
    let page = page();
    let mut out = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if line == format!("```{language}") {
            let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            out.push(block.join("\n"));
        }
    }
    assert!(!out.is_empty(), "{language}");
    out
}

/// The manifest and schema of the page with these policies.
fn documented(policies: &str) -> countersign_core::document::BundleContent {
    let blocks_of_json = blocks("json");
    let mut manifest: Value = serde_json::from_str(&blocks_of_json[0]).unwrap();
    let more: Value = serde_json::from_str(&blocks_of_json[1]).unwrap();
    let members = manifest.as_object_mut().unwrap();
    members.extend(more.as_object().unwrap().clone());
    let manifest: ToolManifest = serde_json::from_value(manifest).unwrap();
    let mut content = starter("mail-agent");
    content.tools = vec![manifest];
    content.schema = blocks("cedarschema").concat();
    content.policies = vec![PolicyFile {
        name: "policies/page.cedar".into(),
        text: policies.into(),
    }];
    content
}

#[test]
fn every_block_of_policies_compiles_without_a_finding() {
    for block in blocks("cedar") {
        let mut found = check(&documented(&block), &x("acme"));
        // The page shows the manifest's second action, and rules for the first.
        found.retain(|finding| !finding.message.starts_with("no rule permits `email.copy`"));
        assert!(found.is_empty(), "{block}\n{}", found[0]);
    }
}

#[test]
fn the_files_of_a_bundle_are_read() {
    let files = vec![
        ("bundle.toml".to_owned(), blocks("toml")[0].clone()),
        (
            "schema.cedarschema".to_owned(),
            blocks("cedarschema")[0].clone(),
        ),
        (
            "tools/email.send.json".to_owned(),
            blocks("json")[0].clone(),
        ),
        ("policies/mail.cedar".to_owned(), blocks("cedar").concat()),
    ];
    let content = source::read(&files).unwrap();
    assert_eq!(
        content.settings,
        countersign_core::document::Settings::default()
    );
    compile(content);
}

#[test]
fn the_two_constraints_decide_as_their_words_say() {
    let two: String = blocks("cedar")[..2].concat();
    let scene = |status: &str| {
        Scene::new(compile(documented(&two)))
            .says("Send billing@customer.example the refund confirmation")
            .entity(
                "Contact",
                "billing@customer.example",
                json!({"status": status}),
            )
    };
    let verdict = |status: &str, to: &str| scene(status).verdict("email.send", mail(&[to]));
    let named = "billing@customer.example";
    assert_eq!(verdict("active", named).0, Outcome::Approved);
    assert_eq!(
        verdict("active", "other@customer.example").1,
        ["countersign.no-permit"]
    );
    assert_eq!(verdict("churned", named).1, ["no-churned-contacts"]);
}

#[test]
fn the_escalation_of_the_page_asks() {
    let last = blocks("cedar").pop().unwrap();
    let scene = Scene::new(compile(documented(&last))).says("Write to jane@customer.example");
    assert_eq!(
        scene.verdict("email.send", mail(&["jane@customer.example"])),
        (Outcome::Escalated, vec!["ask-about-strangers".to_owned()])
    );
    assert_eq!(
        scene
            .verdict("email.send", mail(&["joe@customer.example"]))
            .0,
        Outcome::Rejected
    );
    let known = scene.entity("Contact", "jane@customer.example", json!({}));
    assert_eq!(
        known
            .verdict("email.send", mail(&["jane@customer.example"]))
            .0,
        Outcome::Approved
    );
}

/// A word that can stand at this place.
fn word(member: &str) -> &'static str {
    match member {
        "context.tool" | "context.target.named_in" => "email.send",
        "context.effect" => "irreversible",
        "context.target.kind" => "email",
        "context.intent.author" => "human",
        "context.intent.assurance" => "signed",
        "context.carries" => "secret",
        member if member.ends_with(".sources") => "user",
        _ => "x",
    }
}

#[test]
fn the_table_of_the_context_is_the_schema() {
    let page = page();
    let mut rows = Vec::new();
    for line in page.lines().filter(|line| line.starts_with("| `context.")) {
        let cells: Vec<&str> = line.split(" | ").collect();
        let member = cells[0].trim_start_matches("| `").trim_end_matches('`');
        rows.push((member.to_owned(), cells[1].replace('\\', "")));
    }
    for (member, kind) in &rows {
        let (optional, kind) = match kind.strip_prefix("optional ") {
            Some(kind) => (true, kind),
            None => (false, kind.as_str()),
        };
        let test = match kind {
            "Bool" => format!("{member} == true"),
            "Long" => format!("{member} > 0"),
            "String" => format!("{member} == \"{}\"", word(member)),
            "Set<String>" => format!("{member}.contains(\"{}\")", word(member)),
            other => panic!("{other}"),
        };
        let (record, name) = member.rsplit_once('.').unwrap();
        let policy = |test: &str| {
            let text =
                format!("@id(\"a\") permit (principal, action, resource) when {{ {test} }};");
            let mut found = check(&documented(&text), &x("acme"));
            // A policy of one test asks for less than a policy should.
            found.retain(|finding| finding.severity == Severity::Error);
            found
        };
        let guarded = policy(&format!("{record} has {name} && {test}"));
        assert!(guarded.is_empty(), "{member}: {}", guarded[0]);
        assert_eq!(policy(&test).is_empty(), !optional, "{member}");
    }
    // And back: every member of the facts of a call stands in the table.
    let scene =
        Scene::new(compile(documented(&blocks("cedar")[0]))).says("Write to jane@customer.example");
    let (facts, _) = scene.asks("email.send", mail(&["jane@customer.example"]));
    let known = |name: &str| rows.iter().any(|(member, _)| member == name);
    for (name, value) in facts.context.iter().chain(&facts.requests[0].context) {
        match value.as_object() {
            Some(_) if name == "args" || name == "sources" => {}
            Some(members) => {
                for member in members.keys() {
                    assert!(
                        known(&format!("context.{name}.{member}")),
                        "{name}.{member}"
                    );
                }
            }
            None => assert!(known(&format!("context.{name}")), "{name}"),
        }
    }
}

/// `docs/watch.md` states the usual value of every setting of the detectors.
#[test]
fn the_settings_of_the_watch_are_as_its_page_says() {
    let page = std::fs::read_to_string(repository().join("docs/watch.md")).unwrap();
    let block = page.split("```toml\n").nth(1).unwrap();
    let block = block.split("```").next().unwrap();
    let files = [(
        "bundle.toml".to_owned(),
        format!("name = \"watched\"\n{block}"),
    )];
    let mut watch = source::read(&files).unwrap().settings.watch;
    assert_eq!(watch.mute.len(), 1, "the page shows one");
    watch.mute.clear();
    assert_eq!(watch, WatchSettings::default());
    let named = block.matches(" = ").count();
    let whole = serde_json::to_value(&WatchSettings {
        burst_rejections: 4,
        ..WatchSettings::default()
    });
    assert_eq!(named, 4 + 2 + 2 + 2 + 2 + 2 + 3 + 2 + 2 + 2 + 4);
    assert_eq!(
        whole.unwrap().as_object().unwrap().len(),
        4,
        "usual ones are left out"
    );
}
