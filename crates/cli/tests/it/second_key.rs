//! A witness that was told of the log's ML-DSA-44 key alone.

use crate::newcomer::MAIL;
use crate::support::{Home, Serving, copy, files};

#[test]
fn a_witness_that_knows_only_the_second_key_shows_what_was_forgotten() {
    let home = Home::new();
    home.ok(&["init", "--ml-dsa", "--hide-tokens"]);
    let keys = home.json(0, &["key", "show", "--data", "data/countersign"]);
    let log = keys["ml_dsa_key"].as_str().unwrap();
    let init = [
        "witness",
        "init",
        "--data",
        "w",
        "--name",
        "witness.example/w",
    ];
    let key = home.ok(&init);
    let serve = ["witness", "serve", "--data", "w", "--log", log];
    let serve = [&serve[..], &["--listen", "127.0.0.1:0"]].concat();
    let witness = Serving::start(home.command(&serve), home.path("w.log"));
    let policy = format!("log {log}\nwitness w {key} {}\nquorum w\n", witness.url);
    std::fs::write(home.path("policy"), policy).unwrap();
    let cosigned = || {
        let server = home.serve(&["--witness-policy", "policy", "--wait", "witnessed"]);
        let intent = home.ok(&["turn", "Send billing@customer.example the refund"]);
        home.json(0, &["decide", "email.send", MAIL, "--intent", &intent]);
        server.stop();
    };
    cosigned();
    let data = home.path("data/countersign");
    copy(&data, &home.path("old"));
    cosigned();

    std::fs::rename(&data, home.path("newer")).unwrap();
    std::fs::rename(home.path("old"), &data).unwrap();
    let serve = ["serve", "--listen", "127.0.0.1:0"];
    let refused = home.run(&[&serve[..], &["--witness-policy", "policy"]].concat());
    assert_eq!(refused.code, 3, "{}", refused.err);
    assert!(refused.err.contains("rolled back"), "{}", refused.err);
    assert_eq!(files(&data.join("evidence")).len(), 1);
}
