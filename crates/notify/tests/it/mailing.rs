//! Mail: encrypted or not at all, and nobody's words make a header, a command or an end.

use countersign_core::entry::Severity;
use countersign_notify::{Change, MailTls, RawSink};

use crate::smtp::{CERT, MailServer, Mailed, Speaks};
use crate::support::{TOKEN, World, words};

fn mail(server: &MailServer, tls: MailTls) -> RawSink {
    RawSink {
        name: "mail".to_owned(),
        kind: "mail".to_owned(),
        server: Some(format!("localhost:{}", server.port)),
        tls: Some(tls),
        from: Some("Countersign <watch@acme.example>".to_owned()),
        to: vec![
            "Jo Doe <jo@acme.example>".to_owned(),
            "ops@acme.example".to_owned(),
        ],
        allow_private: true,
        ca_file: (tls != MailTls::None).then(|| CERT.into()),
        ..RawSink::default()
    }
}

/// One mail about one flag.
fn told(sink: &RawSink, server: &MailServer, opened: Option<&str>) -> Mailed {
    let mut world = World::new();
    if let Some(text) = opened {
        *world.log.opened.lock().unwrap() = words(text);
    }
    world.add(sink);
    world.start();
    world.log.raise(Severity::Critical);
    server.wait(1).remove(0)
}

#[test]
fn a_mail_arrives_encrypted_with_what_it_says() {
    for (speaks, tls) in [
        (Speaks::Starttls, MailTls::Starttls),
        (Speaks::Implicit, MailTls::Implicit),
    ] {
        let server = MailServer::start(speaks);
        let sink = RawSink {
            username: Some("watch".to_owned()),
            password: Some("pass word".to_owned()),
            ..mail(&server, tls)
        };
        let got = told(&sink, &server, None);
        assert!(got.is_encrypted);
        // base64 of NUL watch NUL pass word
        assert_eq!(
            got.login.as_deref(),
            Some("AUTH PLAIN AHdhdGNoAHBhc3Mgd29yZA==")
        );
        assert_eq!(got.from, "<watch@acme.example>");
        assert_eq!(got.to, ["<jo@acme.example>", "<ops@acme.example>"]);
        assert_eq!(
            got.header("subject"),
            ["[countersign] critical: burst, agent:support"]
        );
        assert_eq!(got.header("date"), ["Sun, 01 Mar 2026 12:00:00 +0000"]);
        let body = got.lines.join("\n");
        for part in [
            "more calls than usual were rejected",
            "5 calls stopped, 0 passed; the policy held",
            "look: countersign flags show ",
            "stop it: countersign stop agent:support",
            "log log.example/log/acme/1",
        ] {
            assert!(body.contains(part), "`{part}` is not in\n{body}");
        }
    }
}

#[test]
fn later_mails_follow_the_first() {
    let server = MailServer::start(Speaks::Plain);
    let mut world = World::new();
    world.add(&mail(&server, MailTls::None));
    world.start();
    let flag = world.log.raise(Severity::Warning);
    let closed = world.log.follow(flag, Change::Closed, Severity::Warning);
    let got = server.wait(2);
    let first = format!("<{flag}@countersign.invalid>");
    assert_eq!(got[0].header("message-id"), [&first]);
    assert!(got[0].header("references").is_empty());
    assert_eq!(
        got[1].header("message-id"),
        [format!("<{closed}@countersign.invalid>")]
    );
    assert_eq!(got[1].header("references"), [&first]);
    assert_eq!(got[1].header("in-reply-to"), [&first]);
}

#[test]
fn somebody_elses_words_stay_in_the_body() {
    let evil = "hi\r\nBcc: evil@evil.example\r\n\r\n.\r\nRCPT TO:<evil@evil.example>\r\n\u{202e}<b>x</b>\u{7}\n.\n";
    let server = MailServer::start(Speaks::Starttls);
    let sink = RawSink {
        opens: Some(TOKEN.to_owned()),
        ..mail(&server, MailTls::Starttls)
    };
    let got = told(&sink, &server, Some(evil));
    assert_eq!(got.to.len(), 2);
    assert_eq!(got.header("subject").len(), 1);
    assert!(got.header("bcc").is_empty());
    assert_eq!(got.header("content-type"), ["text/plain; charset=utf-8"]);
    let start = got.lines.iter().position(String::is_empty).unwrap();
    let body = &got.lines[start..];
    assert!(
        body.iter()
            .any(|line| line.contains("> Bcc: evil@evil.example")),
        "{body:?}"
    );
    assert!(
        !body
            .iter()
            .any(|line| line.starts_with("Bcc") || line.starts_with("RCPT"))
    );
    assert!(!body.join("").contains(['\u{202e}', '\u{7}']));
    // One mail, not two.
    assert_eq!(server.got().len(), 1);
}

/// What a sink says went wrong, after the first attempt.
fn failure(sink: &RawSink) -> String {
    let mut world = World::new();
    world.add(sink);
    world.start();
    world.log.raise(Severity::Critical);
    let state = world.wait("mail", |state| {
        state.head.as_ref().is_some_and(|head| head.attempts == 1) || !state.dead.is_empty()
    });
    let tried = state.head.and_then(|head| head.error);
    tried
        .or_else(|| Some(format!("given up: {}", state.dead.first()?.error)))
        .unwrap()
}

#[test]
fn without_encryption_nothing_is_said() {
    let server = MailServer::start(Speaks::Plain);
    let why = failure(&mail(&server, MailTls::Starttls));
    assert!(why.contains("does not offer STARTTLS"), "{why}");
    let server = MailServer::start(Speaks::Injecting);
    let why = failure(&mail(&server, MailTls::Starttls));
    assert!(why.contains("before encryption"), "{why}");
    assert!(server.got().is_empty());
}

#[test]
fn a_certificate_that_nobody_vouches_for_is_refused() {
    for (speaks, tls) in [
        (Speaks::Starttls, MailTls::Starttls),
        (Speaks::Implicit, MailTls::Implicit),
    ] {
        let server = MailServer::start(speaks);
        let why = failure(&RawSink {
            ca_file: None,
            ..mail(&server, tls)
        });
        assert!(why.contains("certificate"), "{why}");
        assert!(server.got().is_empty());
    }
}

#[test]
fn a_recipient_that_there_is_not_is_a_dead_letter_at_once() {
    let server = MailServer::start(Speaks::Refusing);
    let why = failure(&mail(&server, MailTls::Starttls));
    assert!(
        why.starts_with("given up: it answered 550 to RCPT: nobody\u{fffd}[2J here"),
        "{why}"
    );
}
