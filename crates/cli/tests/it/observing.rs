//! `countersign observe`: reports over transcripts, hostile ones among them.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::Home;

/// Texts that would do something in a page or on a terminal if they were not escaped.
const HOSTILE: &str = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'`&amp;\u{202e}\u{200b}\u{1b}[2J\u{9b}31m</style></title>javascript:";

fn fixtures() -> String {
    format!(
        "{}/../transcripts/tests/fixtures",
        env!("CARGO_MANIFEST_DIR")
    )
}

#[test]
fn a_directory_of_all_formats_gives_one_report() {
    let home = Home::new();
    let report = home.json(0, &["observe", &fixtures()]);
    assert_eq!(report["files"].as_array().unwrap().len(), 9);
    assert_eq!(report["passed_over"], json!([]));
    assert_eq!(report["bundle"]["is_guessed"], true);
    let all = &report["all"];
    let sum = ["approved", "escalated", "rejected"]
        .map(|name| all[name].as_u64().unwrap())
        .iter()
        .sum::<u64>();
    assert_eq!(all["calls"].as_u64().unwrap(), sum);
    assert_eq!(report["calls"].as_array().unwrap().len() as u64, sum);
    let text = home.ok(&["observe", &fixtures()]);
    assert!(text.contains("would have been stopped"), "{text}");
    assert!(text.contains("the bundle is a guess"), "{text}");
}

#[test]
fn a_proposed_bundle_passes_its_check_and_judges() {
    let home = Home::new();
    let transcript = format!("{}/openai-chat.json", fixtures());
    home.ok(&["observe", &transcript, "--propose", "guessed"]);
    home.ok(&["policy", "check", "guessed"]);
    let manifest = std::fs::read_to_string(home.path("guessed/tools/guessed.json")).unwrap();
    let manifests: Vec<Value> = serde_json::from_str(&manifest).unwrap();
    for manifest in manifests {
        assert!(
            manifest["description"]
                .as_str()
                .unwrap()
                .starts_with("guess: ")
        );
    }
    let guessed = home.json(0, &["observe", &transcript]);
    let given = home.json(0, &["observe", &transcript, "--bundle", "guessed"]);
    assert_eq!(given["bundle"]["is_guessed"], false);
    assert_eq!(given["calls"], guessed["calls"]);
    // What was corrected is not written over.
    let again = home.run(&["observe", &transcript, "--propose", "guessed"]);
    assert_eq!(again.code, 2);
    assert!(again.err.contains("exists already"), "{}", again.err);
}

#[test]
fn options_choose_what_is_shown() {
    let home = Home::new();
    let transcript = format!("{}/openai-chat.json", fixtures());
    let calls = |args: &[&str]| -> Vec<String> {
        let mut all = vec!["observe", &transcript];
        all.extend(args);
        let report = home.json(0, &all);
        assert_eq!(report["all"]["calls"], 4);
        let calls = report["calls"].as_array().unwrap().iter();
        calls
            .map(|call| {
                format!(
                    "{} {}",
                    call["outcome"].as_str().unwrap(),
                    call["tool"].as_str().unwrap()
                )
            })
            .collect()
    };
    assert_eq!(calls(&["--only", "asked"]), ["escalated send_email"]);
    assert_eq!(calls(&["--only", "stopped"]), ["rejected archive"]);
    assert_eq!(calls(&["--tool", "read_inbox"]), ["approved read_inbox"]);
    assert_eq!(calls(&["--limit", "1"]).len(), 1);
    assert_eq!(home.run(&["observe", &transcript, "--only", "bad"]).code, 2);
    let none = home.ok(&["observe", &transcript, "--tool", "send_emial"]);
    assert!(none.contains("no call is one that --only and --tool choose"));
    let other = home.ok(&["observe", &transcript, "--bundle", "mail-agent"]);
    let words: Vec<&str> = other.split_whitespace().collect();
    let note = "the bundle has no manifest for 3 tools (";
    assert!(words.join(" ").contains(note), "{other}");
    let hook = home.path("hook.json");
    std::fs::write(&hook, r#"{"session_id":"s","hook_event_name":"Stop"}"#).unwrap();
    let hook = home.run(&["observe", hook.to_str().unwrap()]);
    assert!(hook.err.contains("1 record of json"), "{}", hook.err);
    assert!(hook.err.contains("`transcript_path`"), "{}", hook.err);
    // A limit is one of the page, too; so the terminal does not promise that the page has them all.
    let text = home.ok(&["observe", &transcript, "--limit", "1"]);
    assert!(text.contains("1 of 2 calls shown"), "{text}");
    assert!(
        text.contains("without --limit, --html shows 500 and --json all"),
        "{text}"
    );
}

#[test]
fn a_file_that_is_no_transcript_says_what_was_looked_for() {
    let home = Home::new();
    std::fs::write(home.path("notes.json"), r#"{"notes": []}"#).unwrap();
    let ran = home.run(&["observe", "notes.json"]);
    assert_eq!(ran.code, 2);
    for words in [
        "notes.json",
        "looked for",
        "`resourceSpans`",
        "docs/observe.md",
    ] {
        assert!(ran.err.contains(words), "{}", ran.err);
    }
    for (args, words) in [
        (&["observe", "missing.json"][..], "missing.json"),
        (&["observe", "."], "holds no transcript"),
        (&["observe"], "FILE"),
        (&["observe", "notes.json", "--bundle", "nope"], "nope"),
    ] {
        let ran = home.run(args);
        assert_eq!(ran.code, 2, "{args:?}: {}", ran.err);
        assert!(ran.err.contains(words), "{args:?}: {}", ran.err);
    }
    std::fs::write(home.path("bad.jsonl.zst"), b"no zstd").unwrap();
    assert_eq!(home.run(&["observe", "bad.jsonl.zst"]).code, 2);
}

#[test]
fn a_directory_tells_what_it_passed_over() {
    let home = Home::new();
    std::fs::create_dir_all(home.path("logs/deep")).unwrap();
    std::fs::write(home.path("logs/package.json"), r#"{"name": "x"}"#).unwrap();
    std::fs::write(home.path("logs/readme.txt"), "hello").unwrap();
    let own = format!("{}/own.jsonl", fixtures());
    std::fs::copy(own, home.path("logs/deep/own.jsonl")).unwrap();
    let report = home.json(0, &["observe", "logs"]);
    assert_eq!(report["files"].as_array().unwrap().len(), 1);
    assert_eq!(report["files"][0]["broken"], 1);
    assert_eq!(report["passed_over"].as_array().unwrap().len(), 1);
    let text = home.ok(&["observe", "logs"]);
    assert!(
        text.contains("1 broken line") && text.contains("line 7:"),
        "{text}"
    );
    assert!(text.contains("it is no transcript: 1 file"), "{text}");
}

/// A transcript in which every text is hostile.
fn hostile(path: &Path) {
    let lines = [
        json!({"kind": "tool", "name": HOSTILE, "description": HOSTILE, "arguments": {"type": "object", "properties": {HOSTILE: {"type": "string", "description": HOSTILE}}}}),
        json!({"kind": "turn", "session": HOSTILE, "text": HOSTILE, "parts": [{"by": "correspondent", "text": HOSTILE}]}),
        json!({"kind": "call", "session": HOSTILE, "id": HOSTILE, "tool": HOSTILE, "args": {HOSTILE: HOSTILE, "to": [HOSTILE]}}),
        json!({"kind": "result", "session": HOSTILE, "call": HOSTILE, "result": {HOSTILE: [HOSTILE]}}),
        json!({"kind": "call", "session": HOSTILE, "tool": "send_email", "args": {"to": [HOSTILE, "x@evil.example"], "body": HOSTILE}}),
        json!({"kind": "call", "session": HOSTILE, "tool": "send_email", "args": format!("{{\"to\": {HOSTILE}")}),
        json!({"kind": HOSTILE, HOSTILE: HOSTILE}),
    ];
    let text: Vec<String> = lines.iter().map(ToString::to_string).collect();
    std::fs::write(path, text.join("\n")).unwrap();
}

#[test]
fn nothing_in_a_transcript_becomes_markup_or_steers_a_terminal() {
    let home = Home::new();
    hostile(&home.path("hostile.jsonl"));
    let ran = home.run(&[
        "observe",
        "hostile.jsonl",
        "--html",
        "report.html",
        "--propose",
        "guessed",
    ]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    for text in [&ran.out, &ran.err] {
        assert!(
            !text.contains(['\u{1b}', '\u{202e}', '\u{200b}', '\u{9b}']),
            "{text}"
        );
    }
    let page = std::fs::read_to_string(home.path("report.html")).unwrap();
    for bad in [
        "<script",
        "<img",
        "\u{202e}",
        "\u{200b}",
        "\u{1b}",
        "onerror=alert(2)>",
    ] {
        assert!(!page.contains(bad), "`{bad}` is in the page");
    }
    assert!(page.contains("&lt;script&gt;"));
    assert!(page.contains("\\u{202e}"));
    // One style, which the policy names by its digest, and no attribute that runs or loads.
    assert_eq!(page.matches("<style>").count(), 1);
    assert!(page.contains("default-src 'none'; style-src 'sha256-"));
    assert!(!page.contains("unsafe-inline"));
    for tag in page.split('<').skip(1) {
        let tag = tag.split('>').next().unwrap_or_default();
        for word in [
            "href",
            "src=",
            " on",
            "style=",
            "url(",
            "http-equiv=\"refresh",
        ] {
            assert!(!tag.contains(word), "`{word}` stands in `<{tag}>`");
        }
    }
    assert_eq!(home.run(&["policy", "check", "guessed"]).code, 0);
}
