//! Exports and what the verifier says of them.

use crate::newcomer::{MAIL, OTHER_MAIL};
use crate::support::{Home, copy, files};

/// A home with a log of some entries, whose server has stopped; the log's key.
pub(crate) fn some_log() -> (Home, String) {
    let home = Home::new();
    let server = home.serve(&[]);
    let intent = home.ok(&["turn", "Send billing@customer.example the refund"]);
    let approved = home.json(
        0,
        &[
            "decide",
            "email.send",
            MAIL,
            "--intent",
            &intent,
            "--reasoning",
            "as asked",
        ],
    );
    home.ok(&[
        "execution",
        approved["entry_id"].as_str().unwrap(),
        "--text",
        "sent",
    ]);
    home.expect(
        1,
        &["decide", "email.send", OTHER_MAIL, "--intent", &intent],
    );
    let key = home.json(0, &["key", "show"])["log_key"]
        .as_str()
        .unwrap()
        .to_owned();
    server.stop();
    (home, key)
}

#[test]
fn a_directory_and_a_server_export_the_same() {
    let (home, key) = some_log();
    let data = home.path("data/countersign").display().to_string();
    home.ok(&["export", "offline", "--data", &data]);
    let server = home.serve(&[]);
    home.ok(&["export", "online"]);
    // A server may run while its directory is read.
    home.ok(&["export", "beside", "--data", &data]);
    home.ok(&["entries", "--data", &data, "--outcome", "rejected"]);
    home.ok(&["checkpoint", "--data", &data, "--key", &key]);
    let tiles = |name: &str| {
        let root = home.path(name);
        let all = files(&root)
            .into_iter()
            .filter(|path| !path.ends_with("export.json"));
        all.map(|path| {
            (
                path.strip_prefix(&root).unwrap().to_owned(),
                std::fs::read(&path).unwrap(),
            )
        })
        .collect::<Vec<_>>()
    };
    assert_eq!(tiles("offline"), tiles("online"));
    assert_eq!(tiles("offline"), tiles("beside"));
    server.stop();
}

#[test]
fn an_export_is_brought_up_to_date_and_never_mixed_with_another() {
    let (home, key) = some_log();
    let server = home.serve(&[]);
    home.ok(&["export", "ex"]);
    home.ok(&["checkpoint", "--save", "kept"]);
    home.ok(&["turn", "One more"]);
    home.ok(&["export", "ex"]);
    let report = home.json(4, &["verify", "ex", "--key", &key, "--checkpoint", "kept"]);
    let words: Vec<&str> = report["ranges"]
        .as_array()
        .unwrap()
        .iter()
        .map(|range| range["word"].as_str().unwrap())
        .collect();
    assert_eq!(words, ["trusted", "unanchored"]);
    let kept = home.run(&["checkpoint", "--save", "kept"]);
    assert_eq!(kept.code, 2, "what is kept is not written over");
    server.stop();

    let other = home.serve(&["--data", "other"]);
    for source in [&["export", "ex"][..], &["export", "ex", "--data", "other"]] {
        let mixed = home.run(source);
        assert_eq!(mixed.code, 2, "{}", mixed.out);
    }
    assert_eq!(
        home.json(4, &["verify", "ex", "--key", &key])["findings_total"],
        0
    );
    other.stop();
}

#[test]
fn opened_documents_are_checked_and_judged_again() {
    let (home, key) = some_log();
    let server = home.serve(&[]);
    home.expect(2, &["export", "ex", "--documents"]);
    home.ok(&[
        "export",
        "ex",
        "--documents",
        "--purpose",
        "the yearly audit",
    ]);
    let purposes = home.json(0, &["entries", "--kind", "vault-access"]);
    assert!(!purposes["entries"].as_array().unwrap().is_empty());
    let report = home.json(
        4,
        &["verify", "ex", "--key", &key, "--rejudge", "--complete"],
    );
    assert_eq!(report["rejudged"]["agreed"], 2, "{report}");
    assert_eq!(
        report["counts"]["documents_checked"], report["counts"]["documents_named"],
        "{report}"
    );
    server.stop();

    // The same from the directory; nobody else may have it open then.
    let data = home.path("data/countersign").display().to_string();
    home.ok(&[
        "export",
        "ex2",
        "--data",
        &data,
        "--documents",
        "--purpose",
        "the yearly audit",
    ]);
    assert_eq!(
        home.json(4, &["verify", "ex2", "--key", &key, "--rejudge"])["rejudged"]["agreed"],
        2
    );

    let documents = files(&home.path("ex/documents"));
    let is_call = |path: &&std::path::PathBuf| {
        std::fs::read_to_string(path)
            .unwrap()
            .contains("\"kind\":\"call\"")
    };
    let one = documents.iter().find(is_call).unwrap();
    let text = std::fs::read_to_string(one).unwrap();
    std::fs::write(
        one,
        text.replacen("\"tenant\":\"local\"", "\"tenant\":\"other\"", 1),
    )
    .unwrap();
    let swapped = home.expect(1, &["verify", "ex", "--key", &key]);
    assert!(swapped.contains("document-hash"), "{swapped}");
    std::fs::remove_file(one).unwrap();
    home.expect(
        1,
        &["verify", "ex", "--key", &key, "--rejudge", "--complete"],
    );
    std::fs::write(home.path("ex/documents/stray.txt"), "x").unwrap();
    home.expect(2, &["verify", "ex", "--key", &key]);
}

#[test]
fn two_histories_under_one_key_are_told_apart() {
    let home = Home::new();
    home.ok(&["init"]);
    let data = home.path("data/countersign");
    copy(&data, &home.path("twin"));
    for (dir, text) in [(data.to_str().unwrap(), "one"), ("twin", "another")] {
        let server = home.serve(&["--data", dir]);
        home.ok(&["turn", text]);
        server.stop();
    }
    home.ok(&["export", "ex"]
        .iter()
        .copied()
        .chain(["--data", data.to_str().unwrap()])
        .collect::<Vec<_>>());
    home.ok(&["checkpoint", "--data", "twin", "--save", "theirs"]);
    let split = home.expect(3, &["verify", "ex", "--checkpoint", "theirs"]);
    assert!(split.contains("contradict each other"), "{split}");
    // What shows it is not lost because nobody made the directory.
    let kept = ["--checkpoint", "theirs", "--evidence", "new/evidence"];
    home.expect(3, &[&["verify", "ex"], &kept[..]].concat());
    assert_eq!(files(&home.path("new/evidence")).len(), 1);
    let report = home.json(3, &["verify", "ex", "--checkpoint", "theirs"]);
    assert!(
        report["contradiction"]["ours"].is_string()
            && report["contradiction"]["theirs"].is_string()
    );
}

#[test]
fn what_keeps_the_verifier_from_an_answer_is_no_answer() {
    let (home, key) = some_log();
    let data = home.path("data/countersign").display().to_string();
    home.ok(&["export", "ex", "--data", &data]);
    home.expect(2, &["verify", "not-there", "--key", &key]);
    home.expect(2, &["verify", "ex", "--key", "no key"]);
    let mistyped = home.run(&["verify", "ex", "--key", "log.vkye"]);
    assert_eq!(mistyped.code, 2);
    assert!(
        mistyped.err.contains("there is no file `log.vkye`"),
        "{}",
        mistyped.err
    );
    let saved = home.run(&["verify", "ex", "--key", &key, "--save", "copy"]);
    assert_eq!(saved.code, 2);
    assert!(saved.err.contains("is a directory"), "{}", saved.err);
    home.expect(
        2,
        &["verify", "ex", "--key", &key, "--checkpoint", "not-there"],
    );
    std::fs::create_dir(home.path("empty")).unwrap();
    home.expect(2, &["verify", "empty", "--key", &key]);
    std::fs::remove_file(home.profile()).unwrap();
    let keyless = home.run(&["verify", "ex"]);
    assert_eq!(keyless.code, 2);
    assert!(
        keyless.err.contains("never trusted") && keyless.err.contains("hint: give --key"),
        "{}",
        keyless.err
    );
    // A key that did not sign it is no trouble of the caller's, but of the log.
    let root = home.json(0, &["key", "show", "--data", &data])["root_key"]
        .as_str()
        .unwrap()
        .to_owned();
    home.expect(1, &["verify", "ex", "--key", &root]);
    let keyless = home.run(&["verify", "ex", "--root-key", &root, "--tree"]);
    assert_eq!(keyless.code, 2);
    assert!(
        keyless.err.contains("--tree reads none of them"),
        "{}",
        keyless.err
    );
    std::fs::write(home.path("key"), format!("{key}\n")).unwrap();
    home.expect(4, &["verify", "ex", "--key", "@key", "--root-key", &root]);
}

#[test]
fn a_key_is_not_taken_for_the_name_of_a_file_in_the_export() {
    let (home, key) = some_log();
    home.ok(&["export", "ex", "--data", "data/countersign"]);
    let other = home.json(0, &["key", "show", "--data", "data/countersign"])["root_key"].clone();
    let planted = home.path(&key);
    std::fs::create_dir_all(planted.parent().unwrap()).unwrap();
    std::fs::write(planted, other.as_str().unwrap()).unwrap();
    home.expect(4, &["verify", "ex", "--key", &key]);
    // A file is meant where it is no key.
    std::fs::write(home.path("log.vkey"), format!("{key}\n")).unwrap();
    home.expect(4, &["verify", "ex", "--key", "log.vkey"]);
}

#[test]
fn a_missing_tail_and_a_missing_middle_are_found() {
    let (home, key) = some_log();
    let data = home.path("data/countersign").display().to_string();
    home.ok(&["export", "ex", "--data", &data]);
    home.ok(&["checkpoint", "--data", &data, "--save", "kept"]);
    copy(&home.path("ex"), &home.path("no-entries"));
    std::fs::remove_dir_all(home.path("no-entries/tile/entries")).unwrap();
    let report = home.json(
        1,
        &[
            "verify",
            "no-entries",
            "--key",
            &key,
            "--checkpoint",
            "kept",
        ],
    );
    assert_eq!(report["findings"][0]["check"], "tile-missing", "{report}");
    let bundle = files(&home.path("ex/tile/entries")).pop().unwrap();
    let bytes = std::fs::read(&bundle).unwrap();
    std::fs::write(&bundle, &bytes[..bytes.len() / 2]).unwrap();
    home.expect(1, &["verify", "ex", "--key", &key, "--checkpoint", "kept"]);
}

#[test]
fn a_pipe_in_an_export_is_an_error_and_no_wait_without_end() {
    let (home, key) = some_log();
    let data = home.path("data/countersign").display().to_string();
    home.ok(&["export", "x", "--data", &data]);
    let pipe = |name: &str| {
        let path = home.path(name);
        let _ = std::fs::remove_file(&path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let made = std::process::Command::new("mkfifo").arg(&path).status();
        assert!(made.unwrap().success());
    };
    pipe(&format!("x/documents/{}.json", "0".repeat(64)));
    home.expect(2, &["verify", "x", "--key", &key]);
    std::fs::remove_dir_all(home.path("x/documents")).unwrap();
    pipe("x/checkpoint");
    home.expect(2, &["verify", "x", "--key", &key]);
}
