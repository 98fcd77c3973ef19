//! Following a log that grows, goes back, or shows two histories.

use serde_json::Value;

use crate::fetching::log_url;
use crate::support::{Home, Serving, copy, files};

/// The events of one look that has to end so.
fn look(home: &Home, code: i32, url: &str, more: &[&str]) -> Vec<Value> {
    let mut args = vec!["monitor", url, "--state", "seen", "--once", "--json"];
    args.extend(more);
    let out = home.expect(code, &args);
    out.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn events(all: &[Value]) -> Vec<&str> {
    all.iter().map(|it| it["event"].as_str().unwrap()).collect()
}

fn turns(home: &Home, count: usize, text: &str) {
    for turn in 0..count {
        home.ok(&["turn", &format!("{text} {turn}")]);
    }
}

/// A server over a directory that the profile does not know by name.
fn serve(home: &Home, dir: &str) -> (Serving, String) {
    let server = home.serve(&["--data", dir]);
    let url = log_url(home, &server);
    (server, url)
}

#[test]
fn a_log_that_grows_is_followed_and_what_was_seen_is_kept() {
    let home = Home::new();
    home.ok(&["init", "--data", "log"]);
    let (server, url) = serve(&home, "log");
    let seen = look(&home, 0, &url, &[]);
    assert_eq!(events(&seen), ["first", "entries"]);
    assert_eq!(events(&look(&home, 0, &url, &[])), ["same"]);
    turns(&home, 3, "grow");
    let grown = look(&home, 0, &url, &[]);
    assert_eq!(events(&grown), ["grown", "entries"]);
    // What is kept is a checkpoint as any other.
    let kept = std::fs::read_to_string(home.path("seen/checkpoint")).unwrap();
    assert_eq!(
        kept.lines().nth(1),
        Some(grown[0]["size"].to_string().as_str())
    );
    home.ok(&["verify", &url, "--checkpoint", "seen/checkpoint"]);
    // Text says the same; a key that has not signed says no.
    let text = home.expect(0, &["monitor", &url, "--state", "seen", "--once"]);
    assert!(text.contains("log: same"), "{text}");
    let root = home.json(0, &["key", "show", "--data", "log"])["root_key"].clone();
    let other = ["--state", "other", "--key", root.as_str().unwrap()];
    let mut args = vec!["monitor", &url, "--once"];
    args.extend(other);
    let unsigned = home.expect(1, &args);
    assert!(unsigned.contains("unsigned"), "{unsigned}");
    server.stop();
    home.expect(2, &["monitor", &url, "--state", "seen", "--once"]);
}

#[test]
fn two_histories_are_found_from_head_to_head() {
    let home = Home::new();
    home.ok(&["init", "--data", "one"]);
    copy(&home.path("one"), &home.path("two"));
    let (server, url) = serve(&home, "one");
    turns(&home, 2, "one");
    look(&home, 0, &url, &[]);
    server.stop();
    let (server, url) = serve(&home, "two");
    // Of the same size, it contradicts at once; of more, by what it begins with.
    turns(&home, 2, "two");
    let found = look(&home, 3, &url, &[]);
    assert_eq!(events(&found), ["contradiction"]);
    turns(&home, 3, "two");
    let found = look(&home, 3, &url, &[]);
    assert_eq!(events(&found), ["contradiction"]);
    server.stop();
    let key = home.json(0, &["key", "show", "--data", "one"])["log_key"].clone();
    let evidence: Vec<_> = files(&home.path("seen"))
        .into_iter()
        .filter(|path| path.to_string_lossy().contains("contradiction-"))
        .collect();
    assert_eq!(evidence.len(), 2, "{evidence:?}");
    for path in evidence {
        let args = [
            "verify",
            "--contradiction",
            path.to_str().unwrap(),
            "--key",
            key.as_str().unwrap(),
        ];
        home.expect(3, &args);
    }
    // The first history is still the one that was seen.
    let (_server, url) = serve(&home, "one");
    assert_eq!(events(&look(&home, 0, &url, &[])), ["same"]);
}

#[test]
fn a_log_that_goes_back_is_found_and_so_is_what_it_hides_later() {
    let home = Home::new();
    home.ok(&["init", "--data", "log"]);
    copy(&home.path("log"), &home.path("old"));
    let (server, url) = serve(&home, "log");
    turns(&home, 4, "seen");
    look(&home, 0, &url, &[]);
    server.stop();
    // Yesterday's copy, which knows nothing of the turns.
    let (server, url) = serve(&home, "old");
    let back = look(&home, 1, &url, &[]);
    assert_eq!(events(&back), ["went-back"]);
    assert_eq!(back[0]["finding"], true);
    // It grows past what was seen, with other entries.
    turns(&home, 6, "instead");
    let found = look(&home, 3, &url, &[]);
    assert_eq!(events(&found), ["contradiction"]);
    server.stop();
}

#[test]
fn a_checkpoint_that_is_held_is_compared_too() {
    let home = Home::new();
    home.ok(&["init", "--data", "one"]);
    copy(&home.path("one"), &home.path("two"));
    let (server, _) = serve(&home, "two");
    turns(&home, 1, "two");
    home.ok(&["checkpoint", "--save", "kept"]);
    server.stop();
    let (_server, url) = serve(&home, "one");
    turns(&home, 3, "one");
    let found = look(&home, 3, &url, &["--checkpoint", "kept"]);
    assert_eq!(events(&found), ["first", "contradiction"]);
    assert_eq!(found[1]["source"], "held");
}

#[test]
fn a_monitor_has_its_directory_to_itself() {
    let home = Home::new();
    home.ok(&["init", "--data", "log"]);
    let (_server, url) = serve(&home, "log");
    look(&home, 0, &url, &[]);
    let lock = std::fs::File::open(home.path("seen/lock")).unwrap();
    lock.lock().unwrap();
    home.expect(2, &["monitor", &url, "--state", "seen", "--once"]);
    drop(lock);
    // A file that somebody changed is not believed.
    let [seen] = files(&home.path("seen/seen")).try_into().unwrap();
    let text = std::fs::read_to_string(&seen).unwrap();
    std::fs::write(&seen, text.replace("local", "other")).unwrap();
    home.expect(2, &["monitor", &url, "--state", "seen", "--once"]);
}
