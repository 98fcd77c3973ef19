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
