//! Records that are sealed to an auditor's key, and what the auditor makes of them.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use serde_json::Value;

use crate::newcomer::MAIL;
use crate::support::{Home, Serving, copy, files, ran};

/// A log with a turn and its call, and an auditor's key.
struct World {
    home: Home,
    intent: String,
    decision: Value,
    recipient: String,
    log_key: String,
    _server: Serving,
}

impl World {
    fn new() -> Self {
        let home = Home::new();
        let server = home.serve(&[]);
        let intent = home.ok(&["turn", "Send billing@customer.example the refund"]);
        let decide = ["decide", "email.send", MAIL, "--intent", &intent];
        let decision = home.json(0, &[&decide[..], &["--reasoning", "as asked"]].concat());
        let recipient = home.ok(&["vault", "recipient-key", "new", "auditor.key"]);
        let shown = home.json(0, &["key", "show"]);
        let log_key = shown["log_key"].as_str().unwrap().to_owned();
        Self {
            home,
            intent,
            decision,
            recipient,
            log_key,
            _server: server,
        }
    }

    fn export(&self, code: i32, to: &str, more: &[&str]) -> Value {
        let export = ["vault", "export", "--for", &self.recipient, "-o", to];
        let purpose = ["--purpose", "case 4711"];
        self.home
            .json(code, &[&export[..], &purpose, more].concat())
    }

    fn refuses(&self, code: i32, what: &str, more: &[&str]) {
        let export = ["vault", "export", "-o", "none", "--purpose", "case 4711"];
        let ran = self.home.run(&[&export[..], more].concat());
        assert_eq!(ran.code, code, "{what}: {}", ran.err);
        assert!(ran.err.contains(what), "{what}: {}", ran.err);
        assert!(!self.home.path("none").exists(), "{what}");
    }

    fn unseal(&self, code: i32, file: &str, more: &[&str]) -> Value {
        let unseal = ["vault", "unseal", file, "--recipient-key", "auditor.key"];
        let key = ["--key", &self.log_key];
        self.home.json(code, &[&unseal[..], &key, more].concat())
    }

    fn openings(&self) -> usize {
        let found = ["entries", "--kind", "vault-access", "--all"];
        match self.home.run(&[&found[..], &["--json"]].concat()) {
            ran if ran.out.is_empty() => 0,
            ran => {
                let page: Value = serde_json::from_str(&ran.out).unwrap();
                page["entries"].as_array().unwrap().len()
            }
        }
    }
}

#[test]
fn an_auditor_opens_what_was_handed_over_and_nobody_else_does() {
    let world = World::new();
    let home = &world.home;
    let exported = world.export(0, "out.json", &["--intent", &world.intent]);
    // The turn, the call, its facts and the reasons.
    assert_eq!(
        (&exported["records"], &exported["openings"]),
        (&4.into(), &4.into())
    );
    assert_eq!(world.openings(), 4, "each opening is an entry");
    let mode = home
        .path("out.json")
        .metadata()
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let sealed = std::fs::read_to_string(home.path("out.json")).unwrap();
    assert!(!sealed.contains("billing@customer.example"));

    let found = world.unseal(4, "out.json", &[]);
    assert_eq!(found["word"], "unanchored");
    assert_eq!(found["openings"], 4);
    let records = found["records"].as_array().unwrap();
    let intent = records.iter().find(|it| it["kind"] == "intent").unwrap();
    assert_eq!(intent["ref"], world.intent);
    assert!(
        intent["document"]
            .to_string()
            .contains("billing@customer.example")
    );
    world.unseal(0, "out.json", &["--allow-unanchored"]);

    let out = world.unseal(4, "out.json", &["--out", "documents"]);
    assert!(out["records"][0]["document"].is_null());
    let written = files(&home.path("documents"));
    assert_eq!(written.len(), 4);
    for path in written {
        let mode = path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
    }
    // What was written before stays; what somebody else put there is neither followed nor written over.
    world.unseal(4, "out.json", &["--out", "documents"]);
    let taken = files(&home.path("documents")).remove(0);
    std::fs::set_permissions(&taken, std::fs::Permissions::from_mode(0o644)).unwrap();
    let refused = || {
        let key = ["--recipient-key", "auditor.key", "--key", &world.log_key];
        let out = ["vault", "unseal", "out.json", "--out", "documents"];
        home.expect(2, &[&out[..], &key].concat());
    };
    refused();
    std::fs::remove_file(&taken).unwrap();
    std::os::unix::fs::symlink(home.path("elsewhere"), &taken).unwrap();
    refused();
    assert!(!home.path("elsewhere").exists());
    home.ok(&["vault", "recipient-key", "new", "other.key"]);
    let unseal = ["vault", "unseal", "out.json", "--key", &world.log_key];
    let other = home.run(&[&unseal[..], &["--recipient-key", "other.key"]].concat());
    assert_eq!(other.code, 2, "{}", other.err);
    assert!(other.err.contains("the file is sealed to"), "{}", other.err);
    let again = home.ok(&["vault", "recipient-key", "show", "auditor.key"]);
    assert_eq!(again, world.recipient);
}

#[test]
fn a_checkpoint_that_the_auditor_holds_anchors_what_it_covers() {
    let world = World::new();
    let home = &world.home;
    home.ok(&["checkpoint", "--save", "kept"]);
    let entry = world.decision["entry_id"].as_str().unwrap();
    // Made against it, after the log has grown.
    home.ok(&["turn", "Another turn"]);
    let exported = world.export(0, "out.json", &["--entry", entry, "--checkpoint", "kept"]);
    assert_eq!(exported["entries"], 1);
    let found = world.unseal(0, "out.json", &["--checkpoint", "kept"]);
    assert_eq!(found["word"], "trusted");

    // With another library in another language.
    let python = std::env::var("PYTHON").unwrap_or("python3".into());
    let has_it = Command::new(&python)
        .args(["-c", "import cryptography"])
        .output();
    if has_it.is_ok_and(|ran| ran.status.success()) {
        let mut script = Command::new(python);
        script.current_dir(home.path("."));
        script.arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../tools/unseal.py"
        ));
        script.args([
            "out.json",
            "--recipient-key",
            "auditor.key",
            "--checkpoint",
            "kept",
        ]);
        script.args(["--key", &world.log_key]);
        let ran = ran(script);
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
        assert!(ran.out.starts_with("trusted"), "{}", ran.out);
    } else {
        eprintln!("\n*** skipped: PYTHON has no `cryptography` ***\n");
    }

    // One that does not cover what is chosen: nothing is opened.
    let before = world.openings();
    let later = home.ok(&["turn", "A third turn"]);
    let args = [
        "--for",
        &world.recipient,
        "--intent",
        &later,
        "--checkpoint",
        "kept",
    ];
    world.refuses(2, "nothing was opened", &args);
    assert_eq!(world.openings(), before);
}

#[test]
fn single_records_and_kinds_are_chosen_and_nothing_else_is_opened() {
    let world = World::new();
    let all = world.export(0, "all.json", &["--intent", &world.intent]);
    assert_eq!(all["records"], 4);
    let call = ["--intent", &world.intent, "--kind", "call"];
    assert_eq!(world.export(0, "call.json", &call)["records"], 1);
    let turn = world.export(0, "turn.json", &["--ref", &world.intent]);
    assert_eq!(turn["records"], 1);
    assert_eq!(world.openings(), 6);
    let found = world.unseal(4, "turn.json", &[]);
    assert_eq!(found["records"][0]["kind"], "intent");

    let nothing = format!("sha256:{}", "0".repeat(64));
    world.refuses(
        1,
        "no entry names",
        &["--for", &world.recipient, "--ref", &nothing],
    );
    let args = [
        "--for",
        &world.recipient,
        "--intent",
        &world.intent,
        "--kind",
        "shoe",
    ];
    world.refuses(2, "there is no kind", &args);
    let none = [
        "--for",
        &world.recipient,
        "--intent",
        &world.intent,
        "--kind",
        "result",
    ];
    world.refuses(1, "no record was chosen", &none);
    // What is there is not written over.
    let again = world.home.run(&[
        "vault",
        "export",
        "--for",
        &world.recipient,
        "--intent",
        &world.intent,
        "--purpose",
        "x",
        "-o",
        "all.json",
    ]);
    assert_eq!(again.code, 2, "{}", again.err);
    assert_eq!(world.openings(), 6);
}

#[test]
fn what_was_erased_is_named_and_the_rest_is_handed_over() {
    let world = World::new();
    let home = &world.home;
    let found = world.export(
        0,
        "before.json",
        &["--intent", &world.intent, "--kind", "call"],
    );
    assert_eq!(found["records"], 1);
    let call = world.unseal(4, "before.json", &[])["records"][0]["ref"].clone();
    let call = call.as_str().unwrap();
    home.ok(&[
        "vault",
        "erase",
        "--ref",
        call,
        "--authority",
        "request 12",
        "--yes",
    ]);
    let exported = world.export(0, "after.json", &["--intent", &world.intent]);
    assert_eq!(exported["left_out"][0]["ref"], call);
    assert_eq!(exported["left_out"][0]["why"], "erased");
    let found = world.unseal(4, "after.json", &[]);
    assert_eq!(found["left_out"][0]["ref"], call);
    let records = found["records"].as_array().unwrap();
    assert!(records.len() >= 2 && records.iter().all(|it| it["ref"] != call));
    // What left the server is out of its reach: the file of before opens as it did.
    world.unseal(4, "before.json", &[]);
    let one = ["--for", &world.recipient, "--ref", call];
    world.refuses(1, "can be opened any more", &one);
}

#[test]
fn where_two_people_are_needed_one_hands_nothing_over() {
    let world = World::new();
    let home = &world.home;
    let starter = concat!(env!("CARGO_MANIFEST_DIR"), "/../../bundles/mail-agent");
    copy(std::path::Path::new(starter), &home.path("bundle"));
    let path = home.path("bundle/bundle.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(
        &path,
        format!("{text}\n[settings.vault]\nfour_eyes = true\n"),
    )
    .unwrap();
    home.ok(&["policy", "publish", "bundle", "--activate"]);
    let second = home.json(
        0,
        &[
            "credential",
            "add",
            "--role",
            "vault-reader",
            "--principal",
            "user:ann",
        ],
    );
    let chosen = ["--for", &world.recipient, "--ref", &world.intent];
    world.refuses(1, "two people are needed", &chosen);
    let requests = home.json(0, &["entries", "--kind", "vault-access"]);
    let request = requests["entries"][0]["entry"]["entry_id"]
        .as_str()
        .unwrap();
    let mut confirm = home.command(&["vault", "confirm", request, "--yes"]);
    confirm.env("COUNTERSIGN_TOKEN", second["token"].as_str().unwrap());
    let confirmed = ran(confirm);
    assert_eq!(confirmed.code, 0, "{}", confirmed.err);
    let exported = world.export(0, "out.json", &["--request", request]);
    assert_eq!(exported["records"], 1);
    assert_eq!(
        world.unseal(4, "out.json", &[])["records"][0]["ref"],
        world.intent
    );
    // A request is good once.
    world.refuses(1, "", &["--for", &world.recipient, "--request", request]);
}

#[test]
fn only_keys_of_recipients_are_sealed_to_and_no_secret_is_shown() {
    let world = World::new();
    let home = &world.home;
    let chosen = ["--intent", world.intent.as_str()];
    let with = |key: &'static str| ["--for", key, chosen[0], chosen[1]].map(str::to_owned);
    let log_key = world.log_key.clone();
    world.refuses(
        2,
        "a verifier key",
        &["--for", &log_key, "--intent", &world.intent],
    );
    let private = with("auditor.key");
    let private: Vec<&str> = private.iter().map(String::as_str).collect();
    world.refuses(2, "a file of a private key", &private);
    let secret = std::fs::read_to_string(home.path("auditor.key")).unwrap();
    let secret = secret
        .lines()
        .last()
        .unwrap()
        .strip_prefix("secret ")
        .unwrap();
    let export = ["vault", "export", "-o", "none", "--purpose", "x"];
    let ran = home.run(&[&export[..], &private].concat());
    assert!(!ran.err.contains(secret), "{}", ran.err);
    let mistyped = world.recipient.replace('a', "b").replace('1', "2");
    world.refuses(2, "--for", &["--for", &mistyped, "--intent", &world.intent]);

    // A public key in a file is as good as pasted; another key file opens nothing.
    std::fs::write(home.path("auditor.pub"), format!("{}\n", world.recipient)).unwrap();
    let export = ["vault", "export", "-o", "out.json", "--purpose", "x"];
    home.ok(&[&export[..], &["--for", "auditor.pub"], &chosen].concat());
    let log_file = home.path("data/countersign/keys/log.key");
    let unseal = ["vault", "unseal", "out.json", "--key", &world.log_key];
    let refused = home.run(
        &[
            &unseal[..],
            &["--recipient-key", log_file.to_str().unwrap()],
        ]
        .concat(),
    );
    assert_eq!(refused.code, 2);
    assert!(refused.err.contains("not `recipient`"), "{}", refused.err);
    let again = home.run(&["vault", "recipient-key", "new", "auditor.key"]);
    assert_eq!(again.code, 2, "{}", again.err);
}

#[test]
fn who_may_not_open_records_hands_none_over() {
    let world = World::new();
    let added = world
        .home
        .json(0, &["credential", "add", "--role", "auditor"]);
    let token = added["token"].as_str().unwrap();
    let mut command = world.home.command(&[
        "vault",
        "export",
        "--for",
        &world.recipient,
        "--intent",
        &world.intent,
        "--purpose",
        "x",
        "-o",
        "none",
    ]);
    command.env("COUNTERSIGN_TOKEN", token);
    let refused = ran(command);
    assert_eq!(refused.code, 1, "{}", refused.err);
    assert!(!world.home.path("none").exists());
    assert_eq!(world.openings(), 0);
}
