//! The folder of an incident, from a real server to a reader who has only the folder and keys.

use std::path::Path;

use serde_json::Value;

use crate::newcomer::{MAIL, OTHER_MAIL};
use crate::support::{Home, files};

/// What was done, and the keys.
struct Done {
    home: Home,
    intent: String,
    approved: String,
    rejected: String,
    key: String,
    root_key: String,
}

fn done() -> (Done, crate::support::Serving) {
    let home = Home::new();
    let server = home.serve(&[]);
    let intent = home.ok(&["turn", "Send billing@customer.example the refund"]);
    let id = |answer: &Value| answer["entry_id"].as_str().unwrap().to_owned();
    let asked = ["--intent", &intent, "--reasoning", "as asked"];
    let decide = |code, mail| {
        home.json(
            code,
            &[&["decide", "email.send", mail][..], &asked[..]].concat(),
        )
    };
    let approved = id(&decide(0, MAIL));
    home.ok(&["execution", &approved, "--text", "sent"]);
    let rejected = id(&decide(1, OTHER_MAIL));
    let keys = home.json(0, &["key", "show"]);
    let key = |name: &str| keys[name].as_str().unwrap().to_owned();
    let done = Done {
        intent,
        approved,
        rejected,
        key: key("log_key"),
        root_key: key("root_key"),
        home,
    };
    (done, server)
}

fn read(dir: &Path, name: &str) -> String {
    std::fs::read_to_string(dir.join(name)).unwrap()
}

/// Every file of a folder, by its name in it.
fn contents(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let all = files(dir).into_iter();
    all.map(|path| {
        let name = path.strip_prefix(dir).unwrap().display().to_string();
        (name, std::fs::read(&path).unwrap())
    })
    .collect()
}

#[test]
fn a_folder_is_checked_without_a_server_and_is_the_same_each_time() {
    let (done, server) = done();
    let home = &done.home;
    home.ok(&["checkpoint", "--save", "kept"]);
    let export = |dir: &str, zip: &str| {
        home.ok(&[
            "export",
            "incident",
            &done.rejected,
            "-o",
            dir,
            "--zip",
            zip,
        ]);
    };
    export("first", "first.zip");
    export("second", "second.zip");
    assert_eq!(
        contents(&home.path("first")),
        contents(&home.path("second"))
    );
    let zip = |name: &str| std::fs::read(home.path(name)).unwrap();
    assert_eq!(zip("first.zip"), zip("second.zip"));
    // Nothing is written over.
    home.expect(2, &["export", "incident", &done.rejected, "-o", "first"]);

    // The log goes on; as of the checkpoint that was kept, the folder is what it was.
    home.ok(&["turn", "One more"]);
    home.ok(&[
        "export",
        "incident",
        &done.rejected,
        "-o",
        "at",
        "--at",
        "kept",
    ]);
    assert_eq!(contents(&home.path("first")), contents(&home.path("at")));
    server.stop();

    let key = ["--key", &done.key][..].to_owned();
    let verify = |code, more: &[&str]| home.json(code, &[&["verify", "first"], more].concat());
    let checked = verify(4, &key);
    assert_eq!(checked["word"], "unanchored");
    let held = [&key[..], &["--checkpoint", "kept"]].concat();
    let checked = verify(0, &held);
    assert_eq!(checked["word"], "trusted");
    assert_eq!(checked["anchors"][0]["kind"], "held-checkpoint");
    verify(0, &["--root-key", &done.root_key, "--checkpoint", "kept"]);
    verify(1, &["--key", &done.root_key]);
    // Sealed, nothing can be judged again, and that is said.
    let again = verify(0, &[&held[..], &["--rejudge"]].concat());
    assert_eq!(again["rejudged"]["agreed"], 0);
    assert!(again["rejudged"]["not_rejudged"]["sealed"].as_u64() >= Some(2));

    let report = read(&home.path("first"), "report.html");
    assert!(report.contains("sealed") && !report.contains("billing@customer.example"));

    // What lies beside the files of a folder is not a part of what was checked.
    for name in [
        "index.html",
        "REPORT.html",
        "entries/more",
        "evidence/report.html",
    ] {
        let path = home.path("first").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, "another report").unwrap();
        verify(1, &held);
        std::fs::remove_file(&path).unwrap();
    }
    verify(1, &held);
    std::fs::remove_dir(home.path("first/evidence")).unwrap();
    std::fs::write(home.path("first/.DS_Store"), "a file manager was here").unwrap();
    verify(0, &held);

    let leaf = files(&home.path("first/entries")).pop().unwrap();
    let text = std::fs::read_to_string(&leaf).unwrap();
    std::fs::write(&leaf, text.replacen("01", "02", 1)).unwrap();
    verify(1, &held);
    std::fs::remove_file(&leaf).unwrap();
    verify(1, &held);
}

#[test]
fn what_is_opened_for_a_folder_is_in_its_log_and_in_the_folder() {
    let (done, server) = done();
    let home = &done.home;
    let args = ["export", "incident", &done.intent, "-o", "open", "--open"];
    home.expect(2, &args);
    let exported = home.json(0, &[&args[..], &["--purpose", "incident 17"]].concat());
    assert!(exported["opened"].as_u64() >= Some(7), "{exported}");
    server.stop();
    let open = home.path("open");
    let manifest: Value = serde_json::from_str(&read(&open, "manifest.json")).unwrap();
    assert_eq!(manifest["opened"], true);
    let entries = manifest["entries"].as_array().unwrap();
    let accesses: Vec<&Value> = entries
        .iter()
        .filter(|entry| entry["kind"] == "vault-access")
        .collect();
    assert!(!accesses.is_empty());
    // Every record that lies there open is one that such an entry names.
    let texts: String = accesses
        .iter()
        .map(|entry| {
            let name = format!(
                "entries/{:08}-{}.json",
                entry["index"].as_u64().unwrap(),
                entry["entry_id"].as_str().unwrap()
            );
            read(&open, &name)
        })
        .collect();
    for document in files(&open.join("documents")) {
        let stem = document.file_stem().unwrap().to_str().unwrap().to_owned();
        assert!(texts.contains(&format!("sha256:{stem}")), "{stem}");
    }
    for name in ["report.html", "report.md"] {
        let report = read(&open, name);
        for said in [
            "Send billing@customer.example the refund",
            "as asked",
            "incident 17",
            "2 decisions of this folder were judged again",
            &done.approved,
        ] {
            assert!(report.contains(said), "`{said}` in {name}");
        }
    }
    let checked = home.json(
        0,
        &[
            "verify",
            "open",
            "--rejudge",
            "--key",
            &done.key,
            "--checkpoint",
            "open/checkpoint",
        ],
    );
    assert_eq!(checked["rejudged"]["agreed"], 2);
    assert_eq!(checked["rejudged"]["not_rejudged"], serde_json::json!({}));
    // Plaintext is for its owner alone.
    use std::os::unix::fs::PermissionsExt as _;
    let mode = |name: &str| {
        std::fs::metadata(open.join(name))
            .unwrap()
            .permissions()
            .mode()
    };
    assert_eq!(mode("report.html") & 0o777, 0o600);
    assert_eq!(mode("documents") & 0o777, 0o700);
}

#[test]
fn after_an_erasure_the_same_folder_shows_commitments_and_who_erased_the_content() {
    let (done, server) = done();
    let home = &done.home;
    let export = |dir: &str| home.ok(&["export", "incident", &done.intent, "-o", dir]);
    export("before");
    let erase = [
        "vault",
        "erase",
        "--subject",
        "billing@customer.example",
        "--yes",
    ];
    let whose = ["--authority", "request 12 of the person"];
    home.ok(&[&erase[..], &whose[..]].concat());
    export("after");
    let opened = ["export", "incident", &done.intent, "-o", "opened", "--open"];
    home.ok(&[&opened[..], &["--purpose", "incident 17"]].concat());
    server.stop();
    // What was there before is there as it was.
    let before = contents(&home.path("before"));
    let entries = |name: &&(String, Vec<u8>)| name.0.starts_with("entries/");
    for (name, bytes) in before.iter().filter(entries) {
        assert_eq!(
            &std::fs::read(home.path("after").join(name)).unwrap(),
            bytes
        );
    }
    for dir in ["after", "opened"] {
        let held = format!("{dir}/checkpoint");
        let args = [
            "verify",
            dir,
            "--rejudge",
            "--key",
            &done.key,
            "--checkpoint",
            &held,
        ];
        let checked = home.json(0, &args);
        assert!(
            checked["rejudged"]["not_rejudged"]["erased"].as_u64() >= Some(1),
            "{checked}"
        );
        for name in ["report.html", "report.md"] {
            let report = read(&home.path(dir), name);
            for said in [
                "erased",
                "The live key to it was destroyed on ",
                "(admin)",
                "the commitment",
            ] {
                assert!(report.contains(said), "`{said}` in {dir}/{name}");
            }
            assert!(!report.contains("billing@customer.example"), "{dir}/{name}");
        }
    }
    let report = read(&home.path("opened"), "report.md");
    assert!(report.contains("request 12 of the person"), "{report}");
}

#[test]
fn what_cannot_be_exported_is_said() {
    let (done, server) = done();
    let home = &done.home;
    let unknown = "01HYB7K3M4FXQZ9V2N6PTJD8RC";
    let nowhere = home.run(&["export", "incident", unknown, "-o", "none"]);
    assert_eq!(nowhere.code, 1, "{}", nowhere.err);
    assert!(nowhere.err.contains("not-found"), "{}", nowhere.err);
    let turn = format!("sha256:{}", "0".repeat(64));
    let nobody = home.run(&["export", "incident", &turn, "-o", "none"]);
    assert_eq!(nobody.code, 1, "{}", nobody.err);
    assert!(nobody.err.contains("no entry"), "{}", nobody.err);
    home.expect(2, &["export", "incident", "neither", "-o", "none"]);
    home.expect(2, &["export", "incident", "-o", "none"]);
    home.expect(2, &["export", "incident", "--from", "1h", "-o", "none"]);
    let ago = ["--from", "1h", "--to", "2h", "-o", "none"];
    home.expect(2, &[&["export", "incident"], &ago[..]].concat());
    assert!(!home.path("none").exists());
    // A stretch of time is a question, too.
    let ago = ["--from", "1h", "--to", "0s", "-o", "hour"];
    home.ok(&[&["export", "incident"], &ago[..]].concat());
    assert!(read(&home.path("hour"), "report.md").contains("What was recorded from"));
    // Who may not open gets nothing opened, and nothing else either.
    let tokens = std::fs::read_to_string(home.profile()).unwrap();
    let auditor = tokens
        .lines()
        .find_map(|line| line.strip_prefix("auditor = \"")?.strip_suffix('"'))
        .unwrap();
    let args = [
        "export",
        "incident",
        &done.rejected,
        "-o",
        "mine",
        "--token",
        auditor,
    ];
    let opening = ["--open", "--purpose", "curious"];
    let refused = home.run(&[&args[..], &opening[..]].concat());
    assert_eq!(refused.code, 1, "{}", refused.err);
    home.ok(&args);
    server.stop();
}

#[test]
fn a_second_checker_agrees() {
    let (done, server) = done();
    let home = &done.home;
    home.ok(&["export", "incident", &done.intent, "-o", "folder"]);
    server.stop();
    let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tools/check_incident.py");
    let run = |key: &str| {
        let ran = std::process::Command::new(&python)
            .arg(&script)
            .arg(home.path("folder"))
            .arg(key)
            .output();
        ran.map(|ran| {
            let said = String::from_utf8_lossy(&ran.stdout).into_owned();
            (ran.status.code().unwrap_or(-1), said)
        })
    };
    let Ok((code, said)) = run(&done.key) else {
        eprintln!("SKIPPED: there is no `{python}`");
        return;
    };
    if code == 2 {
        eprintln!("SKIPPED: `{python}` has not what tools/requirements.txt lists");
        return;
    }
    assert_eq!(
        (code, said.split(':').next()),
        (4, Some("unanchored")),
        "{said}"
    );
    let (code, said) = run(&done.root_key).unwrap();
    assert_eq!(
        (code, said.split(':').next()),
        (1, Some("failed")),
        "{said}"
    );
    let leaf = files(&home.path("folder/entries")).pop().unwrap();
    let text = std::fs::read_to_string(&leaf).unwrap();
    std::fs::write(&leaf, text.replacen("01", "02", 1)).unwrap();
    let (code, said) = run(&done.key).unwrap();
    assert_eq!(
        (code, said.split(':').next()),
        (1, Some("failed")),
        "{said}"
    );
}
