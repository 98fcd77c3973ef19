//! Calls that wait for a person, from a second terminal.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::{Home, Serving, copy, ran};

const RULES: &str = r#"
@id("partners-are-asked-about")
@reason("A mail to a partner is put to another person.")
@escalate
forbid (principal, action == Action::"email.send", resource)
when { context.target.domain == "partner.example" };

@id("sure")
@reason("Are you sure?")
@escalate("requester")
forbid (principal, action == Action::"email.send", resource)
when { context.target.domain == "self.example" };
"#;
const WORDS: &str = "Send ann@partner.example and bob@self.example the refund for #4821";

fn serve(home: &Home) -> Serving {
    let bundle = home.path("bundle");
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../bundles/mail-agent");
    copy(root.as_ref(), &bundle);
    std::fs::write(bundle.join("policies/ask.cedar"), RULES).unwrap();
    home.serve(&["--bundle", bundle.to_str().unwrap()])
}

fn mail(to: &str) -> String {
    json!({"to": [to], "subject": "Refund", "body": "It is on its way: https://else.example/x"})
        .to_string()
}

/// Asks for a mail in the name of somebody, and gives the escalated decision's id.
fn escalated(home: &Home, person: &str, to: &str) -> String {
    let intent = home.ok(&["turn", WORDS, "--as", person]);
    let asked = home.json(1, &["decide", "email.send", &mail(to), "--intent", &intent]);
    assert_eq!(asked["outcome"], "escalated", "{asked}");
    asked["entry_id"].as_str().unwrap().to_owned()
}

#[test]
fn a_call_is_shown_and_approved_from_a_second_terminal() {
    let home = Home::new();
    let server = serve(&home);
    let key = home.profile().with_file_name("reviewer.key");
    let mode = std::fs::metadata(&key).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    assert_eq!(home.ok(&["reviews"]), "");
    let intent = home.ok(&["turn", WORDS, "--as", "user:lead@acme.example"]);
    // The agent waits for its answer.
    let call = mail("ann@partner.example");
    let wait = [
        "decide",
        "email.send",
        &call,
        "--intent",
        &intent,
        "--wait",
        "60s",
    ];
    let mut waiting = home.command(&wait);
    waiting.stdout(Stdio::piped()).stderr(Stdio::piped());
    let waiting = waiting.spawn().unwrap();
    let mut seen = home.command(&["reviews", "--wait", "--json"]);
    let mut seen = seen.stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    let out = seen.stdout.take().unwrap();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut line).unwrap();
    seen.kill().unwrap();
    seen.wait().unwrap();
    let found: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(found["reasons"][0]["id"], "partners-are-asked-about");
    let id = found["decision"].as_str().unwrap();
    let listed = home.ok(&["reviews"]);
    assert!(
        listed.contains(id) && listed.contains("another person"),
        "{listed}"
    );

    let shown = home.ok(&["reviews", "show", id]);
    for told in [
        "ann@partner.example at /to/0 was never approved before",
        "https://else.example/x at /body comes from nowhere that is known",
        "a turn of user:lead@acme.example",
        &format!("> {WORDS}"),
        "\"subject\": \"Refund\"",
        "A mail to a partner is put to another person.",
        "whoever asked may not answer",
        "sources: user",
        "no call of this tool was approved for this agent before",
    ] {
        assert!(shown.contains(told), "{told}: {shown}");
    }
    // Nobody sits at this terminal, so nothing is answered by accident.
    let unasked = home.run(&["reviews", "approve", id]);
    assert_eq!(unasked.code, 2, "{}", unasked.err);
    let approved = home.ok(&["reviews", "approve", id, "--yes"]);
    assert!(approved.starts_with("approved  email.send"), "{approved}");
    assert!(
        !approved.contains("eyJ"),
        "the permit is the agent's: {approved}"
    );
    let waited = waiting.wait_with_output().unwrap();
    let out = String::from_utf8(waited.stdout).unwrap();
    assert_eq!(waited.status.code(), Some(0), "{out}");
    assert!(
        out.starts_with("approved") && out.contains("permit eyJ"),
        "{out}"
    );

    let again = home.run(&["reviews", "approve", id, "--yes"]);
    assert_eq!(again.code, 1);
    assert!(again.err.contains("was closed by"), "{}", again.err);
    let entries = home.ok(&["entries", "--kind", "review"]);
    assert!(entries.contains(&format!("approve of {id}")), "{entries}");
    let decision = out.split_whitespace().nth(2).unwrap();
    let explained = home.ok(&["explain", decision]);
    assert!(
        explained.contains("answered and signed `approve`"),
        "{explained}"
    );
    // What a stranger checks holds, too.
    let export = home.path("export");
    let export = export.to_str().unwrap();
    home.ok(&["export", export, "--documents", "--purpose", "to check it"]);
    let verified = home.run(&["verify", export, "--rejudge"]);
    assert_eq!(verified.code, 4, "{}{}", verified.out, verified.err);
    server.stop();
}

#[test]
fn a_no_is_a_no_and_says_so_to_whoever_waits() {
    let home = Home::new();
    let server = serve(&home);
    let id = escalated(&home, "user:lead@acme.example", "ann@partner.example");
    let rejected = home.ok(&["reviews", "reject", &id, "--yes"]);
    assert!(
        rejected.contains("countersign.review-rejected"),
        "{rejected}"
    );
    server.stop();
}

#[test]
fn what_was_asked_in_the_reviewers_own_name_is_for_another_person() {
    let home = Home::new();
    let server = serve(&home);
    let person = home.json(0, &["turn", WORDS]);
    let person = person["intent"]["principal"].as_str().unwrap().to_owned();
    let id = escalated(&home, &person, "ann@partner.example");
    let refused = home.run(&["reviews", "approve", &id, "--yes"]);
    assert_eq!(refused.code, 1);
    assert!(refused.err.contains("own name"), "{}", refused.err);
    // Where the rule lets the one who asked answer, the same person does.
    let own = escalated(&home, &person, "bob@self.example");
    home.ok(&["reviews", "approve", &own, "--yes"]);
    // A second person brings a key.
    let other = home.path("other.key");
    let other = other.to_str().unwrap();
    let made = home.json(0, &["reviews", "key", "--new", "--key", other]);
    let public = made["public_key"].as_str().unwrap();
    let granted = home.json(
        0,
        &[
            "credential",
            "add",
            "--role",
            "reviewer",
            "--principal",
            "user:second@acme.example",
            "--public-key",
            public,
        ],
    );
    let token = granted["token"].as_str().unwrap();
    let mut command = home.command(&["reviews", "approve", &id, "--yes", "--key", other]);
    let second = ran({
        command.env("COUNTERSIGN_TOKEN", token);
        command
    });
    assert_eq!(second.code, 0, "{}", second.err);
    // With the wrong key for the credential, nothing is taken.
    let id = escalated(&home, &person, "ann@partner.example");
    let mut command = home.command(&["reviews", "approve", &id, "--yes"]);
    let crossed = ran({
        command.env("COUNTERSIGN_TOKEN", token);
        command
    });
    assert_eq!(crossed.code, 1);
    assert!(crossed.err.contains("bad-signature"), "{}", crossed.err);
    server.stop();
}

#[test]
fn a_reviewers_key_is_kept_to_oneself_and_never_written_over() {
    let home = Home::new();
    let server = serve(&home);
    let key = home.profile().with_file_name("reviewer.key");
    let public = home.ok(&["reviews", "key"]);
    let again = home.run(&["reviews", "key", "--new"]);
    assert_eq!(again.code, 2, "{}", again.err);
    assert_eq!(home.ok(&["reviews", "key"]), public);
    let id = escalated(&home, "user:lead@acme.example", "ann@partner.example");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let loose = home.run(&["reviews", "approve", &id, "--yes"]);
    assert_eq!(loose.code, 2);
    assert!(loose.err.contains("chmod 600"), "{}", loose.err);
    std::fs::remove_file(&key).unwrap();
    let missing = home.run(&["reviews", "approve", &id, "--yes"]);
    assert_eq!(missing.code, 2);
    assert!(missing.err.contains("there is no key"), "{}", missing.err);
    // Nothing was opened for somebody who could not have answered.
    let opened = home.json(0, &["entries", "--kind", "vault-access"]);
    assert_eq!(opened["entries"], json!([]));
    server.stop();
}

#[test]
fn text_of_the_call_cannot_steer_the_reviewers_terminal() {
    let home = Home::new();
    let server = serve(&home);
    let mail = home.path("mail.txt");
    std::fs::write(&mail, "\u{1b}[2Jwrite to me\u{202e}").unwrap();
    let mail = mail.to_str().unwrap();
    let lead = "user:lead@acme.example";
    let intent = home.ok(&["turn", WORDS, "--as", lead, "--correspondent", mail]);
    let call = json!({
        "to": ["ann@partner.example"], "subject": "Refund", "body": "a\u{1b}[31mb\u{200b}\u{9b}2J",
    });
    let call = call.to_string();
    let reasoning = "\u{1b}]0;approved\u{7}";
    let asked = home.json(
        1,
        &[
            "decide",
            "email.send",
            &call,
            "--intent",
            &intent,
            "--reasoning",
            reasoning,
        ],
    );
    assert_eq!(asked["outcome"], "escalated", "{asked}");
    let shown = home.ok(&["reviews", "show", asked["entry_id"].as_str().unwrap()]);
    let steers = |c: char| c.is_control() && c != '\n' || ['\u{200b}', '\u{202e}'].contains(&c);
    assert!(!shown.contains(steers), "{shown:?}");
    assert!(shown.contains("\\u{202e}"), "{shown}");
    let told = "/body holds characters that hide or reorder text";
    assert!(shown.contains(told), "{shown}");
    server.stop();
}
