//! What is said to somebody who went wrong.

use crate::newcomer::MAIL;
use crate::support::Home;

#[test]
fn a_call_without_a_turn_is_told_what_it_lacks() {
    let home = Home::new();
    let server = home.serve(&[]);
    let lacking = home.run(&["decide", "email.send", MAIL]);
    assert_eq!(lacking.code, 1, "{}", lacking.err);
    assert!(
        lacking
            .err
            .contains("hint: the call names no live turn (--intent)"),
        "{}",
        lacking.err
    );
    let intent = home.ok(&["turn", "Say hello"]);
    let uncovered = home.run(&["decide", "email.send", MAIL, "--intent", &intent]);
    assert_eq!(uncovered.code, 1, "{}", uncovered.err);
    assert!(!uncovered.err.contains("no live turn"), "{}", uncovered.err);
    server.stop();
}

#[test]
fn entries_that_cannot_be_are_refused_and_none_is_said() {
    let home = Home::new();
    let server = home.serve(&[]);
    let typo = home.run(&["entries", "--kind", "decisions"]);
    assert_eq!(typo.code, 2, "{}", typo.out);
    assert!(
        typo.err.contains("no such kind") && typo.err.contains("decision,"),
        "{}",
        typo.err
    );
    let none = home.run(&["entries", "--kind", "decision"]);
    assert_eq!((none.code, none.out.as_str()), (0, ""));
    assert!(none.err.contains("no entry matches"), "{}", none.err);
    assert!(home.json(0, &["entries", "--kind", "decision"])["entries"].is_array());
    let page = home.json(0, &["entries", "--limit", "1"]);
    let id = page["entries"][0]["entry"]["entry_id"].as_str().unwrap();
    let bare = home.run(&["entries", id]);
    assert_eq!(bare.code, 2);
    assert!(
        bare.err
            .contains(&format!("hint: countersign entries show {id}")),
        "{}",
        bare.err
    );
    server.stop();
}

#[test]
fn an_address_without_an_ip_is_told_its_form() {
    let home = Home::new();
    for address in ["localhost:8790", "8790"] {
        let refused = home.run(&["serve", "--listen", address]);
        assert_eq!(refused.code, 2);
        assert!(
            refused.err.contains("give IP:PORT, such as 127.0.0.1:8790"),
            "{}",
            refused.err
        );
    }
}

#[test]
fn the_same_server_by_another_name_is_not_sent_tokens_and_it_is_said_why() {
    let home = Home::new();
    let server = home.serve(&[]);
    let other = server.url.replace("127.0.0.1", "localhost");
    let refused = home.run(&["--server", &other, "turn", "Hello"]);
    assert_eq!(refused.code, 2, "{}", refused.err);
    assert!(
        refused.err.contains("is of another server address")
            && refused.err.contains("not sent elsewhere")
            && refused.err.contains(&server.url),
        "{}",
        refused.err
    );
    server.stop();
}

#[test]
fn verify_tells_a_wrong_key_and_a_data_directory() {
    let home = Home::new();
    let other = home.serve(&["--data", "other"]);
    let key = |home: &Home| {
        home.json(0, &["key", "show"])["log_key"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let foreign = key(&home);
    other.stop();
    std::fs::remove_file(home.profile()).unwrap();
    let server = home.serve(&[]);
    home.ok(&["export", "ex"]);
    std::fs::write(home.path("log.key"), key(&home)).unwrap();
    for named in ["log.key", "@log.key"] {
        home.expect(4, &["verify", "ex", "--key", named]);
    }
    let wrong = home.run(&["verify", "ex", "--key", &foreign]);
    assert_eq!(wrong.code, 1, "{}\n{}", wrong.out, wrong.err);
    assert!(
        wrong.err.contains("the key is of `") && wrong.err.contains("give --key of this very log"),
        "{}",
        wrong.err
    );
    let data = home.run(&["verify", "data/countersign", "--key", "log.key"]);
    assert_eq!(data.code, 2, "{}", data.out);
    assert!(
        data.err
            .contains("`data/countersign`: this is a data directory")
            && data
                .err
                .contains("`countersign export OUT --data data/countersign`"),
        "{}",
        data.err
    );
    server.stop();
}

#[test]
fn what_a_bundle_is_not_is_said_in_one_line() {
    let home = Home::new();
    std::fs::create_dir(home.path("notes")).unwrap();
    std::fs::write(home.path("notes/todo.txt"), "nothing").unwrap();
    for (named, said) in [
        ("notes", "it has neither bundle.toml nor policies/"),
        ("nosuch", "allowed are a directory, or one of `mail-agent`"),
    ] {
        let refused = home.run(&["policy", "check", named]);
        assert_eq!((refused.code, refused.out.as_str()), (2, ""));
        assert!(refused.err.contains(said), "{}", refused.err);
        assert!(!refused.err.contains("todo.txt"), "{}", refused.err);
    }
}

#[test]
#[cfg(not(feature = "analysis"))]
fn a_program_without_the_analysis_says_how_to_get_it() {
    let home = Home::new();
    for args in [&["--help"][..], &["mine", "--against", "current"], &[]] {
        let mut all = vec!["policy", "analyze"];
        all.extend(args);
        let refused = home.run(&all);
        assert_eq!(refused.code, 2, "{}", refused.out);
        assert!(
            refused.err.contains("--features analysis"),
            "{}",
            refused.err
        );
    }
}

#[test]
fn who_may_not_put_a_bundle_in_force_is_told_what_it_takes() {
    let home = Home::new();
    let strict = home.path("strict");
    std::fs::create_dir_all(strict.join("policies")).unwrap();
    std::fs::write(
        strict.join("policies/all.cedar"),
        "@id(\"reads\") permit (principal, action in Action::\"reads\", resource);",
    )
    .unwrap();
    let head = |name: &str| {
        let text =
            format!("name = \"{name}\"\n[settings.publishing]\nreplay = true\ntwo_person = true\n");
        std::fs::write(strict.join("bundle.toml"), text).unwrap();
    };
    let server = home.serve(&["--bundle", "allow-all"]);
    head("one");
    home.expect(0, &["policy", "publish", "strict", "--activate"]);
    head("two");
    let policy_ref = home.ok(&["policy", "publish", "strict"]);
    let activate = ["policy", "activate", &policy_ref];
    let mine = home.run(&activate);
    assert_eq!(mine.code, 1, "{}", mine.out);
    assert!(
        mine.err.contains("credential add --role author"),
        "{}",
        mine.err
    );
    let token = home.ok(&["credential", "add", "--role", "author", "--name", "another"]);
    let theirs = ["--token", &token, "policy", "activate", &policy_ref];
    let early = home.run(&theirs);
    assert_eq!(early.code, 1, "{}", early.out);
    let replay = format!("countersign policy replay --against {policy_ref}");
    assert!(early.err.contains(&replay), "{}", early.err);
    home.expect(0, &["policy", "replay", "--against", &policy_ref]);
    home.expect(0, &theirs);
    server.stop();
}
