//! Following a log that grows, goes back, or shows two histories.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

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
    let (server, url) = serve(&home, "one");
    assert_eq!(events(&look(&home, 0, &url, &[])), ["same"]);
    server.stop();
}

#[test]
fn a_contradiction_that_cannot_be_kept_is_one_all_the_same() {
    let home = Home::new();
    home.ok(&["init", "--data", "one"]);
    copy(&home.path("one"), &home.path("two"));
    let (server, url) = serve(&home, "one");
    turns(&home, 2, "one");
    look(&home, 0, &url, &[]);
    server.stop();
    let (_server, url) = serve(&home, "two");
    turns(&home, 2, "two");
    let found = look(&home, 3, &url, &[]);
    let kept = home.path(found[0]["evidence"].as_str().unwrap());
    // Every name is taken by something else.
    std::fs::write(&kept, "another").unwrap();
    for number in 1..100 {
        let stem = kept.file_stem().unwrap().to_str().unwrap();
        let taken = kept.with_file_name(format!("{stem}-{number}.txt"));
        std::fs::write(taken, "another").unwrap();
    }
    let found = look(&home, 3, &url, &[]);
    assert_eq!(events(&found), ["contradiction"]);
    assert!(found[0]["evidence"].is_null(), "{found:?}");
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

/// A witness of the log in `log`, and a policy that names both.
fn witness(home: &Home) -> Serving {
    let keys = home.json(0, &["key", "show", "--data", "log"]);
    let log = keys["log_key"].as_str().unwrap();
    let key = home.ok(&[
        "witness",
        "init",
        "--data",
        "w",
        "--name",
        "witness.example/w",
    ]);
    let args = [
        "witness",
        "serve",
        "--data",
        "w",
        "--log",
        log,
        "--listen",
        "127.0.0.1:0",
    ];
    let serving = Serving::start(home.command(&args), home.path("w.log"));
    let policy = format!("log {log}\nwitness w {key} {}\nquorum w\n", serving.url);
    std::fs::write(home.path("policy"), policy).unwrap();
    serving
}

/// Serves the log until its witness has cosigned all of it.
fn cosigned(home: &Home, count: usize) {
    let server = home.serve(&["--data", "log", "--witness-policy", "policy"]);
    let url = log_url(home, &server);
    turns(home, count, "cosigned");
    let size = home.json(0, &["checkpoint", "--data", "log"])["size"].clone();
    let begun = std::time::Instant::now();
    loop {
        let seen = monitored(home, 0, &url, "watching", &[]);
        let own = of_witness(&seen);
        if own["event"] == "same" && own["size"] == size {
            assert!(own["cosigned_at"].is_string(), "{own}");
            assert_eq!(own["lag_entries"], 0);
            break;
        }
        assert!(
            begun.elapsed() < std::time::Duration::from_secs(60),
            "{own}"
        );
    }
    server.stop();
}

fn of_witness(events: &[Value]) -> &Value {
    let mut all = events.iter();
    all.find(|it| it["source"] == "witness w").unwrap()
}

fn monitored(home: &Home, code: i32, url: &str, state: &str, more: &[&str]) -> Vec<Value> {
    let mut args = vec!["monitor", url, "--once", "--json", "--policy", "policy"];
    args.extend(["--state", state]);
    args.extend(more);
    let out = home.expect(code, &args);
    let lines = out.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn a_witness_without_an_address_is_not_left_out_silently() {
    let home = Home::new();
    home.ok(&["init", "--data", "log"]);
    let witness = witness(&home);
    let policy = std::fs::read_to_string(home.path("policy")).unwrap();
    let bare = policy.replace(&format!(" {}", witness.url), "");
    std::fs::write(home.path("bare"), bare).unwrap();
    let (server, url) = serve(&home, "log");
    let args = ["--once", "--state", "seen", "--policy", "bare"];
    let ran = home.run(&[&["monitor", &url], &args[..]].concat());
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(
        ran.err.contains("the witness `w` is not asked") && ran.err.contains("--witness w=URL"),
        "{}",
        ran.err
    );
    // Nor does a policy that nobody has met go unsaid where nothing else anchors.
    let ran = home.run(&["verify", &url, "--policy", "bare"]);
    assert_eq!(ran.code, 4, "{}", ran.err);
    assert!(
        ran.err.contains("quorum is not met") && ran.err.contains("none of its witnesses"),
        "{}",
        ran.err
    );
    server.stop();
    witness.stop();
}

#[test]
fn a_log_key_that_was_not_given_is_not_put_on_the_witness() {
    let home = Home::new();
    home.ok(&["init", "--data", "log"]);
    let witness = witness(&home);
    cosigned(&home, 1);
    let policy = std::fs::read_to_string(home.path("policy")).unwrap();
    let (_, bare) = policy.split_once('\n').unwrap();
    std::fs::write(home.path("bare"), bare).unwrap();
    home.ok(&["key", "rotate", "log", "--data", "log"]);
    let (server, url) = serve(&home, "log");
    // What the witness holds is signed by the key that was in force before.
    let new = home.json(0, &["key", "show", "--data", "log"])["log_key"].clone();
    let args = ["--once", "--state", "other", "--policy", "bare", "--key"];
    let args = [&["monitor", &url], &args[..], &[new.as_str().unwrap()]].concat();
    let ran = home.run(&args);
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert!(
        ran.out.contains("log: first") && ran.out.contains("witness w: unsigned"),
        "{}",
        ran.out
    );
    assert!(ran.err.contains("--key OLD --key NEW"), "{}", ran.err);
    server.stop();
    witness.stop();
}

#[test]
fn a_witness_that_was_shown_another_history_gives_it_away() {
    let home = Home::new();
    home.ok(&["init", "--data", "log"]);
    copy(&home.path("log"), &home.path("twin"));
    let witness = witness(&home);
    cosigned(&home, 3);
    // Whoever asks only the other server sees nothing wrong with it.
    let (server, url) = serve(&home, "twin");
    turns(&home, 6, "twin");
    look(&home, 0, &url, &[]);
    for (grow, state) in [(0, "a"), (1, "b"), (5, "c")] {
        turns(&home, grow, "more");
        let found = monitored(&home, 3, &url, state, &[]);
        let last = found.last().unwrap();
        assert_eq!(last["event"], "contradiction", "{last}");
        assert_eq!(last["source"], "witness w");
        let evidence = last["evidence"].as_str().unwrap();
        let args = ["verify", "--contradiction", evidence, "--policy", "policy"];
        home.expect(3, &args);
    }
    server.stop();
    witness.stop();
    // Without its witness the log can still be followed.
    let (_server, url) = serve(&home, "twin");
    let unread = monitored(&home, 2, &url, "d", &[]);
    assert_eq!(of_witness(&unread)["event"], "unread");
}

/// Answers every request with this text.
fn showing(text: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let length = text.len();
            let head =
                format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
            let _ = stream.write_all((head + &text).as_bytes());
        }
    });
    url
}

#[test]
fn another_history_counts_also_where_the_witness_has_not_cosigned_it() {
    let home = Home::new();
    home.ok(&["init", "--data", "log"]);
    copy(&home.path("log"), &home.path("twin"));
    let _witness = witness(&home);
    let (server, url) = serve(&home, "twin");
    turns(&home, 2, "twin");
    look(&home, 0, &url, &[]);
    server.stop();
    let other = std::fs::read_to_string(home.path("seen/checkpoint")).unwrap();
    let (_server, url) = serve(&home, "log");
    turns(&home, 2, "log");
    // It shows a head of the log's key, and no signature of its own.
    let elsewhere = format!("w={}", showing(other));
    let found = monitored(&home, 3, &url, "s", &["--witness", &elsewhere]);
    let last = found.last().unwrap();
    assert_eq!(last["event"], "contradiction", "{last}");
    assert_eq!(last["source"], "witness w");
}

#[test]
fn a_witness_that_knows_more_than_the_log_shows_is_a_finding() {
    let home = Home::new();
    home.ok(&["init", "--data", "log"]);
    copy(&home.path("log"), &home.path("old"));
    let _witness = witness(&home);
    cosigned(&home, 3);
    let (_server, url) = serve(&home, "old");
    // For a moment a log may be behind what it has sent to its witnesses.
    let ahead = monitored(&home, 0, &url, "s", &[]);
    assert_eq!(of_witness(&ahead)["event"], "ahead");
    assert_eq!(of_witness(&ahead)["finding"], false);
    let late = monitored(&home, 1, &url, "s", &["--patience", "0"]);
    assert_eq!(of_witness(&late)["finding"], true);
    // A name that the policy does not know has no key.
    let args = [
        "monitor",
        &url,
        "--state",
        "t",
        "--policy",
        "policy",
        "--witness",
        "x=http://127.0.0.1:1",
    ];
    home.expect(2, &args);
    let elsewhere = ["--witness", "w=http://127.0.0.1:1"];
    let unread = monitored(&home, 2, &url, "u", &elsewhere);
    assert_eq!(of_witness(&unread)["event"], "unread");
}

#[test]
fn a_monitor_goes_on_until_it_finds_a_contradiction() {
    use std::io::BufRead as _;
    let home = Home::new();
    home.ok(&["init", "--data", "log"]);
    copy(&home.path("log"), &home.path("twin"));
    let (server, url) = serve(&home, "log");
    let args = [
        "monitor",
        &url,
        "--state",
        "seen",
        "--interval",
        "1",
        "--json",
    ];
    let mut child = home
        .command(&args)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let out = std::io::BufReader::new(child.stdout.take().unwrap());
    let (send, lines) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for line in out.lines().map_while(Result::ok) {
            let event: Value = serde_json::from_str(&line).unwrap();
            let _ = send.send(event);
        }
    });
    let wait = |event: &str| loop {
        let seen = lines.recv_timeout(std::time::Duration::from_secs(60));
        if seen.unwrap()["event"] == event {
            break;
        }
    };
    wait("first");
    turns(&home, 2, "log");
    wait("grown");
    let address = server.url.strip_prefix("http://").unwrap().to_owned();
    server.stop();
    wait("unread");
    let args = ["serve", "--data", "twin", "--listen", &address];
    let twin = Serving::start(home.command(&args), home.path("twin.log"));
    turns(&home, 9, "twin");
    wait("contradiction");
    assert_eq!(child.wait().unwrap().code(), Some(3));
    twin.stop();
}
