//! Checking a log where it is served, and exports that were made to hurt.

use serde_json::Value;

use crate::support::{Home, Serving, copy, files};
use crate::verifying::some_log;

/// The address of the log that a server serves.
pub(crate) fn log_url(home: &Home, server: &Serving) -> String {
    let origin = home.json(0, &["checkpoint"])["origin"].clone();
    let mut end = origin.as_str().unwrap().rsplit('/');
    let (epoch, tenant) = (end.next().unwrap(), end.next().unwrap());
    format!("{}/log/{tenant}/{epoch}", server.url)
}

/// A report without what depends on where the log was read.
fn said(report: &Value) -> Value {
    let mut report = report.clone();
    report["counts"]["documents_checked"] = Value::Null;
    report
}

#[test]
fn a_log_is_checked_where_it_is_served() {
    let (home, key) = some_log();
    let server = home.serve(&[]);
    let url = log_url(&home, &server);
    home.ok(&["export", "ex"]);
    let exported = home.json(4, &["verify", "ex", "--key", &key]);
    let served = home.json(4, &["verify", &url, "--key", &key]);
    assert_eq!(said(&served), said(&exported));
    home.ok(&["checkpoint", "--save", "kept"]);
    // However the address was copied.
    for url in [format!("{url}/"), format!("{url}/checkpoint")] {
        home.ok(&["verify", &url, "--key", &key, "--checkpoint", "kept"]);
    }
    let tree = home.json(4, &["verify", &url, "--key", &key, "--tree"]);
    assert_eq!(tree["depth"], "tree");
    let codes = tree["not_shown"].as_array().unwrap();
    assert!(codes.iter().any(|it| it["code"] == "entries-not-read"));
    let text = home.expect(4, &["verify", "ex", "--key", &key, "--tree"]);
    assert!(text.contains("only the tree"), "{text}");

    // What was read can be kept, and is the same log.
    home.json(4, &["verify", &url, "--key", &key, "--save", "saved"]);
    assert_eq!(
        said(&home.json(4, &["verify", "saved", "--key", &key])),
        said(&exported)
    );
    home.expect(2, &["verify", &url, "--key", &key, "--save", "saved"]);
    server.stop();
    home.expect(2, &["verify", &url, "--key", &key]);
}

#[test]
fn entries_on_a_server_need_a_token_which_is_not_sent_elsewhere() {
    let (home, key) = some_log();
    let server = home.serve(&[]);
    let url = log_url(&home, &server);
    std::fs::rename(home.profile(), home.path("moved")).unwrap();
    let refused = home.run(&["verify", &url, "--key", &key]);
    assert_eq!(refused.code, 2, "{}", refused.out);
    assert!(refused.err.contains("`auditor`"), "{}", refused.err);
    let wrong = home.run(&["verify", &url, "--key", &key, "--token", "cs_wrong"]);
    assert_eq!(wrong.code, 2, "{}", wrong.out);
    let profile = home.path("moved").display().to_string();
    home.expect(4, &["verify", &url, "--key", &key, "--profile", &profile]);
    // The same profile, of a server with another address.
    let text = std::fs::read_to_string(home.path("moved")).unwrap();
    let own = text
        .lines()
        .find(|line| line.starts_with("server"))
        .unwrap();
    let text = text.replace(own, "server = \"http://127.0.0.1:1\"");
    std::fs::write(home.path("moved"), text).unwrap();
    let elsewhere = home.run(&["verify", &url, "--key", &key, "--profile", &profile]);
    assert_eq!(elsewhere.code, 2, "{}", elsewhere.out);
    // The server's own address is not the log's.
    let base = home.run(&["verify", &server.url, "--key", &key]);
    assert_eq!(base.code, 2);
    assert!(base.err.contains("/log/TENANT/EPOCH"), "{}", base.err);
}

#[test]
fn contradicting_heads_are_kept_as_a_file_that_a_stranger_can_check() {
    let home = Home::new();
    home.ok(&["init"]);
    let data = home.path("data/countersign");
    copy(&data, &home.path("twin"));
    let key = home.json(0, &["key", "show", "--data", "twin"])["log_key"].clone();
    let key = key.as_str().unwrap();
    for (dir, turns) in [(data.to_str().unwrap(), 3), ("twin", 1)] {
        let server = home.serve(&["--data", dir]);
        for turn in 0..turns {
            home.ok(&["turn", &format!("{turn} in {turns}")]);
        }
        server.stop();
    }
    home.ok(&["export", "ex", "--data", data.to_str().unwrap()]);
    home.ok(&["checkpoint", "--data", "twin", "--save", "theirs"]);
    let ran = home.run(&["verify", "ex", "--checkpoint", "theirs"]);
    assert_eq!(ran.code, 3, "{}", ran.err);
    assert!(ran.err.contains("contradiction-"), "{}", ran.err);
    let kept = || -> Vec<_> {
        let all = files(&home.path("."));
        let name = |path: &std::path::PathBuf| path.file_name().unwrap().to_owned();
        let names = all.iter().map(name);
        names
            .map(|name| name.into_string().unwrap())
            .filter(|name| name.starts_with("contradiction-"))
            .collect()
    };
    assert_eq!(kept().len(), 1);
    // Found again, it is not kept twice.
    home.expect(3, &["verify", "ex", "--checkpoint", "theirs"]);
    let [file] = kept().try_into().unwrap();
    let proven = home.json(3, &["verify", "--contradiction", &file, "--key", key]);
    assert_eq!(proven["contradiction"], true);
    let text = home.expect(3, &["verify", "--contradiction", &file, "--key", key]);
    assert!(text.contains("does not begin with it"), "{text}");
    // A key that has not signed shows nothing, and neither do other files.
    let root = home.json(0, &["key", "show", "--data", "twin"])["root_key"].clone();
    let root = root.as_str().unwrap();
    home.expect(1, &["verify", "--contradiction", &file, "--key", root]);
    home.expect(1, &["verify", "--contradiction", "theirs", "--key", key]);
    home.expect(2, &["verify", "--contradiction", "none", "--key", key]);
    let bytes = std::fs::read_to_string(home.path(&file)).unwrap();
    std::fs::write(home.path("changed"), bytes.replace("size ", "size 1")).unwrap();
    home.expect(1, &["verify", "--contradiction", "changed", "--key", key]);
}

#[test]
fn exports_that_were_made_to_hurt_end_in_an_answer() {
    let (home, key) = some_log();
    let data = home.path("data/countersign").display().to_string();
    home.ok(&["export", "ex", "--data", &data]);
    home.ok(&["checkpoint", "--data", &data, "--save", "kept"]);
    let with = |change: &dyn Fn(&std::path::Path)| {
        let dir = home.path("hurt");
        let _ = std::fs::remove_dir_all(&dir);
        copy(&home.path("ex"), &dir);
        change(&dir);
        home.run(&["verify", "hurt", "--key", &key, "--checkpoint", "kept"])
    };
    let bundle = |dir: &std::path::Path| files(&dir.join("tile/entries")).pop().unwrap();
    let tile = |dir: &std::path::Path| files(&dir.join("tile/0")).pop().unwrap();
    let huge = |path: &std::path::Path| {
        let file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
        file.set_len(1 << 40).unwrap();
    };
    let checkpoint = std::fs::read_to_string(home.path("ex/checkpoint")).unwrap();
    let sized = |size: &str| {
        let mut lines: Vec<&str> = checkpoint.split('\n').collect();
        lines[1] = size;
        lines.join("\n")
    };
    let write = |path: &std::path::Path, text: &str| std::fs::write(path, text).unwrap();
    let link = |to: &std::path::Path, path: &std::path::Path| {
        std::fs::remove_file(path).unwrap();
        std::os::unix::fs::symlink(to, path).unwrap();
    };
    let outside = bundle(&home.path("ex"));
    std::fs::copy(&outside, home.path("outside")).unwrap();
    let signatures = {
        let signature = checkpoint.lines().last().unwrap();
        checkpoint.clone() + &format!("{signature}\n").repeat(1_000_000)
    };

    type Change<'c> = Box<dyn Fn(&std::path::Path) + 'c>;
    let cases: Vec<(&str, i32, Change<'_>)> = vec![
        ("nothing", 0, Box::new(|_| {})),
        (
            "a huge checkpoint",
            1,
            Box::new(|dir| huge(&dir.join("checkpoint"))),
        ),
        ("a huge bundle", 1, Box::new(|dir| huge(&bundle(dir)))),
        ("a huge tile", 1, Box::new(|dir| huge(&tile(dir)))),
        (
            "an empty checkpoint",
            1,
            Box::new(|dir| write(&dir.join("checkpoint"), "")),
        ),
        (
            "size 0",
            1,
            Box::new(|dir| write(&dir.join("checkpoint"), &sized("0"))),
        ),
        (
            "size 2^63",
            1,
            Box::new(|dir| write(&dir.join("checkpoint"), &sized("9223372036854775808"))),
        ),
        (
            "size 2^64",
            1,
            Box::new(|dir| write(&dir.join("checkpoint"), &sized("18446744073709551616"))),
        ),
        (
            "size -1",
            1,
            Box::new(|dir| write(&dir.join("checkpoint"), &sized("-1"))),
        ),
        (
            "more than there is",
            1,
            Box::new(|dir| write(&dir.join("checkpoint"), &sized("4000000000"))),
        ),
        (
            "a million signatures",
            1,
            Box::new(|dir| write(&dir.join("checkpoint"), &signatures)),
        ),
        (
            "no tiles",
            1,
            Box::new(|dir| std::fs::remove_dir_all(dir.join("tile")).unwrap()),
        ),
        (
            "a file for tiles",
            1,
            Box::new(|dir| {
                std::fs::remove_dir_all(dir.join("tile")).unwrap();
                write(&dir.join("tile"), "x");
            }),
        ),
        (
            "a directory for a tile",
            2,
            Box::new(|dir| {
                let path = tile(dir);
                std::fs::remove_file(&path).unwrap();
                std::fs::create_dir(&path).unwrap();
            }),
        ),
        (
            "a directory for the checkpoint",
            2,
            Box::new(|dir| {
                std::fs::remove_file(dir.join("checkpoint")).unwrap();
                std::fs::create_dir(dir.join("checkpoint")).unwrap();
            }),
        ),
        (
            "no checkpoint",
            2,
            Box::new(|dir| std::fs::remove_file(dir.join("checkpoint")).unwrap()),
        ),
        (
            "a link out",
            2,
            Box::new(|dir| link(&home.path("outside"), &bundle(dir))),
        ),
        (
            "a link to itself",
            2,
            Box::new(|dir| link(&bundle(dir), &bundle(dir))),
        ),
        (
            "a device",
            2,
            Box::new(|dir| link(std::path::Path::new("/dev/zero"), &bundle(dir))),
        ),
        (
            "a link in the export",
            0,
            Box::new(|dir| {
                let path = bundle(dir);
                std::fs::rename(&path, path.with_extension("moved")).unwrap();
                let name = path.with_extension("moved");
                std::os::unix::fs::symlink(name.file_name().unwrap(), &path).unwrap();
            }),
        ),
    ];
    for (name, code, change) in cases {
        let ran = with(&change);
        assert_eq!(ran.code, code, "{name}\n{}\n{}", ran.out, ran.err);
    }
    // A directory of documents somewhere else.
    let ran = with(&|dir| {
        std::fs::create_dir_all(home.path("elsewhere")).unwrap();
        write(
            &home.path(&format!("elsewhere/{}.json", "0".repeat(64))),
            "{}",
        );
        let _ = std::fs::remove_dir_all(dir.join("documents"));
        std::os::unix::fs::symlink(home.path("elsewhere"), dir.join("documents")).unwrap();
    });
    assert_eq!(ran.code, 2, "{}\n{}", ran.out, ran.err);
}
