//! Other people's programs at the other end, as `.ci/webhook-peers` installs them: the official
//! verifiers of Standard Webhooks, and aiosmtpd.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};

use countersign_core::entry::Severity;
use countersign_notify::{Change, MailTls, RawSink, SigningSecret};
use serde_json::Value;

use crate::smtp::{CERT, KEY};
use crate::support::{SECRET, TOKEN, World, webhook, words};

const OTHER: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

/// A program that prints its port, and then a line for each thing that came.
struct Peer {
    child: Child,
    port: u16,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Peer {
    fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = lines.next().unwrap().unwrap().parse().unwrap();
        Self { child, port, lines }
    }

    fn node(secret: &str) -> Self {
        let mut command = Command::new("node");
        command.arg(installed("receiver.mjs")).arg(secret);
        Self::start(command)
    }

    fn python(program: &str, args: &[&str]) -> Self {
        let mut command = Command::new(installed("venv/bin/python"));
        let tools = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tools/webhook-peers/");
        command.arg(format!("{tools}{program}")).args(args);
        Self::start(command)
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    fn next(&mut self) -> Value {
        serde_json::from_str(&self.lines.next().unwrap().unwrap()).unwrap()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn installed(name: &str) -> PathBuf {
    let root = std::env::var("COUNTERSIGN_TEST_PEERS")
        .expect("COUNTERSIGN_TEST_PEERS names what `.ci/webhook-peers` installs");
    let path = PathBuf::from(root).join(name);
    assert!(path.exists(), "{}", path.display());
    path
}

#[test]
#[ignore = "needs what `.ci/webhook-peers` installs"]
fn the_official_verifiers_accept_what_is_signed() {
    for start in [Peer::node as fn(&str) -> Peer, |secret| {
        Peer::python("receiver.py", &[secret])
    }] {
        // Old and new, while the secret is exchanged; and somebody who has neither.
        let mut peers = [
            start(SECRET),
            start(OTHER),
            start("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
        ];
        let mut world = World::at_present();
        *world.log.opened.lock().unwrap() = words("\u{fc}ml\u{e4}ut \u{1f642} \\ \" </script>");
        for (number, peer) in peers.iter().enumerate() {
            world.add(&RawSink {
                secrets: vec![OTHER.to_owned(), SECRET.to_owned()],
                opens: Some(TOKEN.to_owned()),
                ..webhook(&format!("sink-{number}"), &peer.url())
            });
        }
        world.start();
        let flag = world.log.raise(Severity::Critical);
        let closed = world.log.follow(flag, Change::Closed, Severity::Critical);
        for peer in peers.iter_mut().take(2) {
            let raised = peer.next();
            assert_eq!(raised["verified"], true, "{raised}");
            assert_eq!(raised["id"], flag.to_string());
            assert_eq!(raised["payload"]["type"], "countersign.flag.raised");
            assert_eq!(
                raised["payload"]["data"]["opened"]["turn"][0]["text"],
                "\u{fc}ml\u{e4}ut \u{1f642} \\ \" </script>"
            );
            let over = peer.next();
            assert_eq!(
                (&over["verified"], &over["id"]),
                (&true.into(), &closed.to_string().into())
            );
        }
        let refused = peers[2].next();
        assert_eq!(refused["verified"], false, "{refused}");
        let state = world.wait("sink-2", |state| {
            state.head.as_ref().is_some_and(|head| head.attempts == 1)
        });
        assert_eq!(
            state.head.unwrap().error.as_deref(),
            Some("it answered 400")
        );
    }
}

/// A message that is older than five minutes must not verify: each attempt is signed anew.
#[test]
#[ignore = "needs what `.ci/webhook-peers` installs"]
fn the_official_verifiers_refuse_old_times() {
    let mut peers = [Peer::node(SECRET), Peer::python("receiver.py", &[SECRET])];
    let mut world = World::new();
    for (number, peer) in peers.iter().enumerate() {
        world.add(&webhook(&format!("sink-{number}"), &peer.url()));
    }
    world.start();
    world.log.raise(Severity::Warning);
    for (number, peer) in peers.iter_mut().enumerate() {
        assert_eq!(peer.next()["verified"], false);
        world.wait(&format!("sink-{number}"), |state| {
            state.head.as_ref().is_some_and(|head| head.attempts == 1)
        });
    }
    world.clock.to_present();
    for peer in &mut peers {
        let said = peer.next();
        assert_eq!(said["verified"], true, "{said}");
    }
}

#[test]
#[ignore = "needs what `.ci/webhook-peers` installs"]
fn a_fresh_secret_is_one_for_the_verifiers() {
    struct Counting;
    impl countersign_core::random::Random for Counting {
        fn fill(&self, bytes: &mut [u8]) {
            for (byte, number) in bytes.iter_mut().zip(200..=u8::MAX) {
                *byte = number;
            }
        }
    }
    let secret = SigningSecret::fresh(&Counting).reveal().to_string();
    for mut peer in [Peer::node(&secret), Peer::python("receiver.py", &[&secret])] {
        let mut world = World::at_present();
        world.add(&RawSink {
            secrets: vec![secret.clone()],
            ..webhook("a", &peer.url())
        });
        world.start();
        world.log.raise(Severity::Warning);
        assert_eq!(peer.next()["verified"], true);
    }
}

#[test]
#[ignore = "needs what `.ci/webhook-peers` installs"]
fn a_real_mail_server_takes_what_is_written() {
    for (mode, tls) in [
        ("starttls", MailTls::Starttls),
        ("implicit", MailTls::Implicit),
    ] {
        let mut server = Peer::python("mailserver.py", &[mode, CERT, KEY, "watch", "pass word"]);
        let mut world = World::at_present();
        let evil = "hi\r\nBcc: evil@evil.example\n\n.\r\n.\nQUIT\n\u{fc}ml\u{e4}ut ".to_owned()
            + &"x".repeat(1_500);
        *world.log.opened.lock().unwrap() = words(&evil);
        world.add(&RawSink {
            name: "mail".to_owned(),
            kind: "mail".to_owned(),
            server: Some(format!("localhost:{}", server.port)),
            tls: Some(tls),
            from: Some("Countersign <watch@acme.example>".to_owned()),
            to: vec!["jo@acme.example".to_owned(), "ops@acme.example".to_owned()],
            username: Some("watch".to_owned()),
            password: Some("pass word".to_owned()),
            allow_private: true,
            ca_file: Some(CERT.into()),
            opens: Some(TOKEN.to_owned()),
            ..RawSink::default()
        });
        world.start();
        let flag = world.log.raise(Severity::Critical);
        let closed = world.log.follow(flag, Change::Closed, Severity::Critical);
        let mail = server.next();
        assert_eq!(
            (&mail["encrypted"], &mail["authenticated"]),
            (&true.into(), &true.into()),
            "{mail}"
        );
        assert_eq!(mail["from"], "watch@acme.example");
        assert_eq!(
            mail["to"],
            serde_json::json!(["jo@acme.example", "ops@acme.example"])
        );
        assert_eq!(
            mail["headers"]["subject"],
            "[countersign] critical: burst, agent:support"
        );
        assert_eq!(
            mail["headers"]["message-id"],
            format!("<{flag}@countersign.invalid>")
        );
        assert_eq!(mail["defects"], serde_json::json!([]));
        let names = mail["names"].as_array().unwrap();
        assert!(!names.contains(&"bcc".into()), "{mail}");
        let body = mail["body"].as_str().unwrap().replace("\r\n", "\n");
        for part in [
            "> Bcc: evil@evil.example",
            "\n> .\n",
            "> QUIT",
            "\u{fc}ml\u{e4}ut",
            &"x".repeat(1_000),
        ] {
            assert!(body.contains(part), "`{part}` is not in\n{body}");
        }
        let second = server.next();
        assert_eq!(
            second["headers"]["message-id"],
            format!("<{closed}@countersign.invalid>")
        );
        assert_eq!(
            second["headers"]["references"],
            format!("<{flag}@countersign.invalid>")
        );
    }
}

/// A login that fails is tried again: people put it right, the mail is not given up.
#[test]
#[ignore = "needs what `.ci/webhook-peers` installs"]
fn a_real_mail_server_refuses_a_wrong_password() {
    let server = Peer::python("mailserver.py", &["starttls", CERT, KEY, "watch", "right"]);
    let mut world = World::at_present();
    world.add(&RawSink {
        name: "mail".to_owned(),
        kind: "mail".to_owned(),
        server: Some(format!("localhost:{}", server.port)),
        from: Some("watch@acme.example".to_owned()),
        to: vec!["jo@acme.example".to_owned()],
        username: Some("watch".to_owned()),
        password: Some("wrong".to_owned()),
        allow_private: true,
        ca_file: Some(CERT.into()),
        ..RawSink::default()
    });
    world.start();
    world.log.raise(Severity::Critical);
    let state = world.wait("mail", |state| {
        state.head.as_ref().is_some_and(|head| head.attempts == 1)
    });
    let why = state.head.unwrap().error.unwrap();
    assert!(why.starts_with("it answered 535 to AUTH"), "{why}");
    assert!(!why.contains("wrong") && state.dead.is_empty(), "{why}");
}
