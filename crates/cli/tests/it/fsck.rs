//! A data directory or tiles that somebody has edited, and what `fsck` says and puts right.

use std::path::{Path, PathBuf};

use rusqlite::Connection;
use serde_json::Value;

use crate::newcomer::{MAIL, OTHER_MAIL};
use crate::support::{Home, copy, files};

/// A log with a bit of everything, whose server has stopped: its home and its data directory.
fn log() -> (Home, PathBuf) {
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
            "--idempotency-key",
            "once",
        ],
    );
    let id = approved["entry_id"].as_str().unwrap();
    home.ok(&["execution", id, "--text", "sent"]);
    home.expect(
        1,
        &["decide", "email.send", OTHER_MAIL, "--intent", &intent],
    );
    let second = home.ok(&["turn", "Nothing more"]);
    home.ok(&["revoke", &second]);
    home.ok(&["stop", "agent:other"]);
    home.ok(&["stop", "--everything"]);
    server.stop();
    let data = home.path("data/countersign");
    (home, data)
}

fn database(data: &Path) -> Connection {
    Connection::open(data.join("ledger.db")).unwrap()
}

fn edit(data: &Path, sql: &str) {
    database(data).execute_batch(sql).unwrap();
}

fn parts(report: &Value) -> Vec<&str> {
    let findings = report["findings"].as_array().unwrap();
    let mut parts: Vec<&str> = findings
        .iter()
        .map(|f| f["part"].as_str().unwrap())
        .collect();
    parts.dedup();
    parts
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_log_that_nobody_edited_is_clean_and_a_directory_in_use_is_left_alone() {
    let (home, data) = log();
    for args in [&["fsck", text(&data)][..], &["fsck", "--data", text(&data)]] {
        let report = home.json(0, args);
        assert_eq!(
            (&report["found"], &report["differences"]),
            (&"clean".into(), &0.into())
        );
        assert_eq!(report["of"], "data");
        assert!(!report["not_held"].as_array().unwrap().is_empty());
    }
    home.expect(0, &["fsck", text(&data), "--repair"]);
    home.expect(2, &["fsck", "nowhere"]);
    home.expect(2, &["fsck"]);
    let server = home.serve(&[]);
    let busy = home.run(&["fsck", text(&data)]);
    assert_eq!(busy.code, 2, "{}", busy.err);
    assert!(
        busy.err.contains("in use by another process"),
        "{}",
        busy.err
    );
    server.stop();
}

#[test]
fn what_derives_is_found_and_put_right() {
    let edits = [
        (
            "UPDATE runs SET hashes = zeroblob(length(hashes)) WHERE idx = 0",
            "leaf-hash",
        ),
        ("DELETE FROM runs WHERE idx > 0", "leaf-hash"),
        (
            "INSERT INTO runs VALUES (100000, 1, zeroblob(32))",
            "leaf-hash",
        ),
        ("UPDATE runs SET time = time + 1 WHERE idx = 0", "time"),
        (
            "UPDATE leaves SET entry_id = randomblob(16) WHERE idx = 1",
            "entry-id",
        ),
        (
            "CREATE TEMP TABLE two AS SELECT entry_id FROM leaves WHERE idx IN (1, 2) ORDER BY idx;
             UPDATE leaves SET entry_id = idx WHERE idx IN (1, 2);
             UPDATE leaves SET entry_id = (SELECT entry_id FROM two WHERE rowid = 1) WHERE idx = 2;
             UPDATE leaves SET entry_id = (SELECT entry_id FROM two WHERE rowid = 2) WHERE idx = 1",
            "entry-id",
        ),
        ("DELETE FROM terms", "term"),
        ("INSERT INTO terms VALUES (zeroblob(16), 0, NULL)", "term"),
        ("INSERT INTO nodes VALUES (1, 0, zeroblob(32))", "node"),
        ("INSERT INTO nodes VALUES (200, 0, zeroblob(32))", "node"),
        ("DROP INDEX leaves_by_entry_id", "schema"),
        (
            "CREATE TRIGGER t AFTER INSERT ON state BEGIN DELETE FROM sealed; END",
            "schema",
        ),
        ("CREATE VIEW v AS SELECT * FROM state", "schema"),
    ];
    let (home, data) = log();
    let whole = std::fs::read(data.join("ledger.db")).unwrap();
    for (sql, part) in edits {
        std::fs::write(data.join("ledger.db"), &whole).unwrap();
        edit(&data, sql);
        let report = home.json(1, &["fsck", text(&data)]);
        assert!(parts(&report).contains(&part), "{sql}: {report}");
        assert_eq!(report["repaired"], false);
        let report = home.json(0, &["fsck", text(&data), "--repair"]);
        assert_eq!(
            (&report["repaired"], &report["left"]),
            (&true.into(), &0.into()),
            "{sql}"
        );
        home.expect(0, &["fsck", text(&data)]);
    }
    // What was put right is a log that goes on.
    let server = home.serve(&[]);
    home.ok(&["entries", "--kind", "decision"]);
    home.ok(&["stop", "--everything", "--resume"]);
    server.stop();
    home.expect(0, &["fsck", text(&data)]);
}

#[test]
fn an_entry_a_head_or_a_checkpoint_that_was_changed_is_found_and_left() {
    let as_text = "CAST(replace(CAST(bytes AS TEXT), '\"approved\"', '\"rejected\"') AS BLOB)";
    let is_approved = "CAST(bytes AS TEXT) LIKE '%\"outcome\":\"approved\"%'";
    let edits = [
        (
            format!("UPDATE leaves SET bytes = {as_text} WHERE {is_approved}"),
            "leaf",
        ),
        (
            // With its hash: then the root is another.
            format!(
                "UPDATE leaves SET bytes = {as_text} WHERE {is_approved};
                 UPDATE runs SET hashes = zeroblob(length(hashes))"
            ),
            "root",
        ),
        ("DELETE FROM leaves WHERE idx = 2".to_owned(), "leaf"),
        ("DELETE FROM leaves; DELETE FROM runs".to_owned(), "leaf"),
        (
            "INSERT INTO leaves SELECT 100000, randomblob(16), bytes FROM leaves WHERE idx = 1"
                .to_owned(),
            "leaf",
        ),
        ("UPDATE head SET size = size - 1".to_owned(), "checkpoint"),
        ("UPDATE head SET time = time + 1".to_owned(), "head"),
        ("UPDATE head SET root = zeroblob(32)".to_owned(), "head"),
        (
            "UPDATE head SET hashes = zeroblob(length(hashes))".to_owned(),
            "head",
        ),
        (
            "UPDATE head SET checkpoint = replace(checkpoint, '— ', '— x')".to_owned(),
            "checkpoint",
        ),
        (
            "UPDATE head SET checkpoint = 'no note'".to_owned(),
            "checkpoint",
        ),
        ("DELETE FROM head".to_owned(), "head"),
    ];
    let (home, data) = log();
    let whole = std::fs::read(data.join("ledger.db")).unwrap();
    for (sql, part) in &edits {
        std::fs::write(data.join("ledger.db"), &whole).unwrap();
        edit(&data, sql);
        let report = home.json(3, &["fsck", text(&data)]);
        assert!(parts(&report).contains(part), "{sql}: {report}");
        let edited = dump(&data);
        home.json(3, &["fsck", text(&data), "--repair"]);
        assert_eq!(dump(&data), edited, "{sql}");
    }
    // The entry that was changed is named.
    std::fs::write(data.join("ledger.db"), &whole).unwrap();
    edit(&data, &edits[0].0);
    let told = home.run(&["fsck", text(&data)]);
    assert!(
        told.err.contains("keep the directory as it is") && !told.err.contains("--repair"),
        "{}",
        told.err
    );
    let report = home.json(3, &["fsck", text(&data)]);
    let leaf = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .find(|f| f["part"] == "leaf");
    let index = leaf.unwrap()["index"].as_u64().unwrap();
    let bytes: String = database(&data)
        .query_row(
            "SELECT CAST(bytes AS TEXT) FROM leaves WHERE idx = ?1",
            [index as i64],
            |row| row.get(0),
        )
        .unwrap();
    assert!(bytes.contains("\"kind\":\"decision\""), "{bytes}");
    // What is wrong with a row is said without the words of a library.
    std::fs::write(data.join("ledger.db"), &whole).unwrap();
    edit(&data, "UPDATE head SET root = zeroblob(32)");
    let refused = home.run(&["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(refused.code, 2, "{}", refused.out);
    assert!(
        refused.err.contains("a row was changed: the stored root")
            && refused.err.contains("hint: `countersign fsck --data DIR`"),
        "{}",
        refused.err
    );
    // Nobody is told to begin a log where one was lost.
    for file in ["ledger.db", "ledger.db-wal", "ledger.db-shm"] {
        let _ = std::fs::remove_file(data.join(file));
    }
    let lost = home.run(&["fsck", "--data", text(&data)]);
    assert_eq!(lost.code, 2, "{}", lost.out);
    assert!(
        lost.err.contains("put the newest copy back") && !lost.err.contains("countersign init"),
        "{}",
        lost.err
    );
}

/// What must never be written: leaves, head, state.
fn dump(data: &Path) -> Vec<String> {
    let connection = database(data);
    let mut rows = Vec::new();
    for sql in [
        "SELECT idx || hex(bytes) FROM leaves ORDER BY idx",
        "SELECT size || hex(hashes) || hex(root) || checkpoint || time FROM head",
        "SELECT key || ifnull(hex(value), 'null') || version FROM state ORDER BY key",
    ] {
        let mut statement = connection.prepare(sql).unwrap();
        let found = statement
            .query_map([], |row| row.get::<_, String>(0))
            .unwrap();
        rows.extend(found.map(Result::unwrap));
    }
    rows
}

#[test]
fn a_row_of_state_that_no_entry_bears_out_is_found_and_left() {
    let edits = [
        // A role more, a revoked turn that lives again, a stop that is lifted.
        (
            "UPDATE state SET value = CAST(replace(CAST(value AS TEXT), '[\"agent\"]',
             '[\"admin\"]') AS BLOB) WHERE key LIKE 'credential/%'",
            "`roles`",
        ),
        (
            "UPDATE state SET value = CAST(replace(CAST(value AS TEXT), '\"revoked\":true',
             '\"revoked\":false') AS BLOB) WHERE key LIKE 'intent/%'",
            "`revoked`",
        ),
        (
            "UPDATE state SET value = NULL WHERE key = 'stop/everything'",
            "stop/everything",
        ),
        (
            "DELETE FROM state WHERE key = 'stop/everything'",
            "stop/everything",
        ),
        (
            "DELETE FROM state WHERE key = 'stop/actor/agent:other'",
            "agent:other",
        ),
        (
            "UPDATE state SET version = 100000 WHERE key = 'stop/everything'",
            "version",
        ),
        (
            "DELETE FROM state WHERE key LIKE 'execution/%'",
            "execution/",
        ),
        ("DELETE FROM state WHERE key LIKE 'result/%'", "result/"),
        ("DELETE FROM state WHERE key LIKE 'permit/%'", "permit/"),
        (
            "UPDATE state SET value = CAST(replace(CAST(value AS TEXT), '\"ttl_s\":', '\"ttl_s\":86')
             AS BLOB) WHERE key LIKE 'permit/%'",
            "is good for",
        ),
        (
            "INSERT INTO state SELECT 'permit/01HYB7K3M4FXQZ9V2N6PTJD8RC', value, version
             FROM state WHERE key LIKE 'permit/%'",
            "permit/01HYB7K3M4FXQZ9V2N6PTJD8RC",
        ),
        (
            "INSERT INTO state SELECT 'credential/01HYB7K3M4FXQZ9V2N6PTJD8RC', value, version
             FROM state WHERE key LIKE 'credential/%' LIMIT 1",
            "credential/01HYB7K3M4FXQZ9V2N6PTJD8RC",
        ),
        (
            "INSERT INTO state SELECT 'stop/actor/agent:new', value, version
             FROM state WHERE key = 'stop/everything'",
            "agent:new",
        ),
        (
            "UPDATE state SET value = (SELECT value FROM state WHERE key LIKE 'intent/%' LIMIT 1)
             WHERE key LIKE 'session/%'",
            "session/",
        ),
        (
            "UPDATE state SET value = CAST(replace(CAST(value AS TEXT), '\"decisions\":2',
             '\"decisions\":1') AS BLOB) WHERE key LIKE 'session-count/%'",
            "`decisions`",
        ),
        (
            "UPDATE state SET value = 'x' WHERE key = 'policy/in-force'",
            "policy/in-force",
        ),
        (
            "UPDATE state SET value = '{\"index\":0}' WHERE key LIKE 'part/%'",
            "part/",
        ),
        (
            "DELETE FROM state WHERE key LIKE 'pseudonym/target/%'",
            "no row of the target",
        ),
        (
            "UPDATE state SET value = CAST(replace(CAST(value AS TEXT), '\"entry\":\"0',
             '\"entry\":\"1') AS BLOB) WHERE key LIKE 'idempotency/%'",
            "idempotency/",
        ),
        (
            "INSERT INTO state VALUES ('something/else', 'x', 0)",
            "something/else",
        ),
    ];
    let (home, data) = log();
    let whole = std::fs::read(data.join("ledger.db")).unwrap();
    for (sql, word) in edits {
        std::fs::write(data.join("ledger.db"), &whole).unwrap();
        let before = dump(&data);
        edit(&data, sql);
        assert_ne!(dump(&data), before, "{sql}");
        let ran = home.run(&["fsck", text(&data), "--repair", "--json"]);
        assert_eq!(ran.code, 1, "{sql}: {}", ran.out);
        let report: Value = serde_json::from_str(&ran.out).unwrap();
        assert_eq!(parts(&report), ["state"], "{sql}: {report}");
        assert_eq!(report["repaired"], false, "{sql}");
        assert!(
            report["findings"].to_string().contains(word),
            "{sql}: {report}"
        );
        home.expect(1, &["fsck", text(&data)]);
    }
    std::fs::write(data.join("ledger.db"), &whole).unwrap();
    edit(&data, "DELETE FROM sealed WHERE kind = 'call'");
    let report = home.json(1, &["fsck", text(&data)]);
    assert_eq!(parts(&report), ["sealed"], "{report}");
}

#[test]
fn a_permit_whose_row_was_edited_is_not_signed_again() {
    let home = Home::new();
    let server = home.serve(&[]);
    let intent = home.ok(&["turn", "Send billing@customer.example the refund"]);
    let ask = ["decide", "email.send", MAIL, "--intent", &intent];
    let ask = [&ask[..], &["--idempotency-key", "once"]].concat();
    let permit = home.json(0, &ask)["permit"].clone();
    server.stop();
    let data = home.path("data/countersign");
    let whole = std::fs::read(data.join("ledger.db")).unwrap();
    for (member, by) in [
        ("\"ttl_s\":", "\"ttl_s\":8"),
        ("\"issued_at\":\"2", "\"issued_at\":\"3"),
    ] {
        std::fs::write(data.join("ledger.db"), &whole).unwrap();
        let server = home.serve(&[]);
        assert_eq!(home.json(0, &ask)["permit"], permit);
        server.stop();
        edit(
            &data,
            &format!(
                "UPDATE state SET value = CAST(replace(CAST(value AS TEXT), '{member}', '{by}')
                 AS BLOB) WHERE key LIKE 'permit/%'"
            ),
        );
        let server = home.serve(&[]);
        let refused = home.run(&ask);
        assert_ne!(refused.code, 0, "{member}: {}", refused.out);
        assert!(!refused.out.contains("permit"), "{member}: {}", refused.out);
        server.stop();
    }
}

#[test]
fn a_database_that_holds_what_is_not_ours_is_not_opened() {
    let (home, data) = log();
    let whole = std::fs::read(data.join("ledger.db")).unwrap();
    for (sql, word) in [
        (
            "CREATE TRIGGER lift AFTER INSERT ON leaves BEGIN
             DELETE FROM state WHERE key = 'stop/everything'; END",
            "the trigger `lift` is not this program's",
        ),
        (
            "CREATE VIEW v AS SELECT 1",
            "the view `v` is not this program's",
        ),
        (
            "CREATE TABLE more (x)",
            "the table `more` is not this program's",
        ),
        (
            "ALTER TABLE sealed ADD COLUMN more",
            "the table `sealed` was changed",
        ),
        (
            "DROP INDEX leaves_by_entry_id",
            "the index `leaves_by_entry_id` is missing",
        ),
    ] {
        std::fs::write(data.join("ledger.db"), &whole).unwrap();
        edit(&data, sql);
        for args in [
            &["serve", "--listen", "127.0.0.1:0"][..],
            &["entries", "--data", text(&data)],
        ] {
            let refused = home.run(args);
            assert_eq!(refused.code, 2, "{sql}: {}", refused.err);
            assert!(refused.err.contains(word), "{sql}: {}", refused.err);
        }
        let report = home.json(1, &["fsck", text(&data)]);
        assert!(
            report["findings"][0]["found"]
                .as_str()
                .unwrap()
                .contains(word),
            "{report}"
        );
    }
}

#[test]
fn tiles_are_held_against_the_entries_in_them() {
    let (home, data) = log();
    home.ok(&["export", "ex", "--data", text(&data)]);
    let key = home.json(0, &["key", "show", "--data", text(&data)])["log_key"]
        .as_str()
        .unwrap()
        .to_owned();
    let report = home.json(0, &["fsck", "ex", "--key", &key]);
    assert_eq!(
        (&report["of"], &report["found"]),
        (&"tiles".into(), &"clean".into())
    );
    let unsigned = home.run(&["fsck", "ex"]);
    assert!(unsigned.code == 0 && unsigned.err.contains("signature was not checked"));
    let hashes = files(&home.path("ex/tile/0")).pop().unwrap();
    let right = std::fs::read(&hashes).unwrap();
    for wrong in [None, Some(vec![0; right.len()]), Some(right[1..].to_vec())] {
        match wrong {
            Some(wrong) => std::fs::write(&hashes, wrong).unwrap(),
            None => std::fs::remove_file(&hashes).unwrap(),
        }
        let report = home.json(1, &["fsck", "ex", "--key", &key]);
        assert_eq!(parts(&report), ["node"], "{report}");
        home.expect(0, &["fsck", "ex", "--key", &key, "--repair"]);
        assert_eq!(std::fs::read(&hashes).unwrap(), right);
    }
    copy(&home.path("ex"), &home.path("other"));
    let bundle = files(&home.path("other/tile/entries")).pop().unwrap();
    let mut bytes = std::fs::read(&bundle).unwrap();
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    std::fs::write(&bundle, &bytes).unwrap();
    let hashes = files(&home.path("other/tile/0")).pop().unwrap();
    std::fs::remove_file(&hashes).unwrap();
    let report = home.json(3, &["fsck", "other", "--repair"]);
    assert!(parts(&report).contains(&"root"), "{report}");
    assert!(
        !hashes.exists(),
        "nothing is made from entries that were not signed"
    );
    std::fs::remove_file(&bundle).unwrap();
    let report = home.json(3, &["fsck", "other"]);
    assert_eq!(parts(&report), ["leaf"], "{report}");
    let another = Home::new();
    another.ok(&["init"]);
    let theirs = another.path("data/countersign").display().to_string();
    let shown = another.json(0, &["key", "show", "--data", &theirs]);
    let wrong = shown["log_key"].as_str().unwrap().to_owned();
    let report = home.json(3, &["fsck", "ex", "--key", &wrong]);
    assert_eq!(parts(&report), ["checkpoint"], "{report}");
    // A checkpoint that speaks of more entries than there are ends at the first that is missing.
    let checkpoint = std::fs::read_to_string(home.path("ex/checkpoint")).unwrap();
    let size = checkpoint.lines().nth(1).unwrap();
    let absurd = checkpoint.replacen(&format!("\n{size}\n"), "\n9223372036854775807\n", 1);
    std::fs::write(home.path("ex/checkpoint"), absurd).unwrap();
    home.expect(3, &["fsck", "ex"]);
}

#[test]
fn a_database_file_that_is_damaged_is_an_answer_and_not_put_right() {
    let (home, data) = log();
    let path = data.join("ledger.db");
    let mut bytes = std::fs::read(&path).unwrap();
    let pages = bytes.len() / 4096;
    // The first page says what the file is.
    for page in (2..pages).step_by(3) {
        bytes[page * 4096..(page + 1) * 4096].fill(0xa5);
    }
    std::fs::write(&path, &bytes).unwrap();
    for args in [
        &["fsck", text(&data)][..],
        &["fsck", text(&data), "--repair"],
    ] {
        let ran = home.run(&[args, &["--json"]].concat());
        assert!(
            ran.code == 1 || ran.code == 3,
            "{}: {}{}",
            ran.code,
            ran.out,
            ran.err
        );
        let report: Value = serde_json::from_str(&ran.out).unwrap();
        assert!(parts(&report).contains(&"database"), "{report}");
        assert_eq!(report["repaired"], false, "{report}");
    }
    assert_eq!(std::fs::read(&path).unwrap().len(), bytes.len());
}
