//! Receivers that mean ill, and addresses that nothing may be sent to.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use countersign_core::entry::Severity;
use countersign_notify::address::{Lookup, SystemLookup};
use countersign_notify::{Config, MailTls, Outcome, RawSink, send_test};

use crate::receiver::{Answer, Receiver, status, with_header};
use crate::support::{TOKEN, Told, World, webhook, words};

/// A test message to one sink, within a second.
fn send(sink: &RawSink, lookup: &dyn Lookup) -> Outcome {
    let world = World::new();
    world.add(sink);
    let config: Config = world
        .dir()
        .config()
        .read()
        .unwrap_or_else(|error| panic!("{error}"));
    let begun = Instant::now();
    let outcome = send_test(
        &config.sinks[0],
        "log.example",
        Duration::from_secs(1),
        lookup,
    );
    // Far from any limit that would make this wait for the other side.
    assert!(
        begun.elapsed() < Duration::from_secs(15),
        "{:?}",
        begun.elapsed()
    );
    outcome
}

fn why(outcome: Outcome) -> String {
    match outcome {
        Outcome::Failed { why, .. } => why,
        other => panic!("{other:?}"),
    }
}

/// A public webhook at this address.
fn public(url: &str) -> RawSink {
    RawSink {
        allow_private: false,
        ..webhook("a", url)
    }
}

#[test]
fn a_private_address_is_not_connected_to() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    for host in [
        "127.0.0.1",
        "localhost",
        "[::1]",
        "2130706433",
        "0x7f.1",
        "0177.0.0.1",
        "0.0.0.0",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "127.1",
        "169.254.169.254",
        "10.0.0.1",
    ] {
        let said = why(send(
            &public(&format!("https://{host}:{port}/")),
            &SystemLookup,
        ));
        assert!(said.contains("not a public one"), "{host}: {said}");
    }
    let mail = RawSink {
        name: "m".to_owned(),
        kind: "mail".to_owned(),
        server: Some(format!("localhost:{port}")),
        from: Some("a@acme.example".to_owned()),
        to: vec!["b@acme.example".to_owned()],
        ..RawSink::default()
    };
    let said = why(send(&mail, &SystemLookup));
    assert!(said.contains("not a public one"), "{said}");
    assert!(listener.accept().is_err(), "somebody connected");
}

#[test]
fn a_name_that_changes_its_answer_is_looked_up_once() {
    let (receiver, other) = (Receiver::start(), Receiver::start());
    let port = |receiver: &Receiver| receiver.address.clone();
    // The first answer is what is checked and connected to, whatever comes later.
    let lookup = Told::new(&[&[&port(&receiver)], &[&port(&other)]]);
    let outcome = send(&webhook("a", "http://rebind.example/"), &lookup);
    assert_eq!(outcome, Outcome::Delivered);
    assert_eq!(lookup.asked.load(Ordering::SeqCst), 1);
    assert_eq!((receiver.got().len(), other.got().len()), (1, 0));
    assert_eq!(receiver.got()[0].headers["host"], "rebind.example");
    // One private address among public ones refuses all of them.
    let lookup = Told::new(&[&["8.8.8.8:443", &port(&other)]]);
    let said = why(send(&public("https://mixed.example/"), &lookup));
    assert!(
        said.contains("127.0.0.1, which is not a public one"),
        "{said}"
    );
    assert!(other.got().is_empty());
}

#[test]
fn nothing_goes_unencrypted_to_a_public_address() {
    let lookup = Told::new(&[&["8.8.8.8:80"]]);
    let said = why(send(&webhook("a", "http://receiver.example/"), &lookup));
    assert!(said.contains("nothing goes there unencrypted"), "{said}");
    let mail = RawSink {
        name: "m".to_owned(),
        kind: "mail".to_owned(),
        server: Some("mail.example:25".to_owned()),
        tls: Some(MailTls::None),
        allow_private: true,
        from: Some("a@acme.example".to_owned()),
        to: vec!["b@acme.example".to_owned()],
        ..RawSink::default()
    };
    let said = why(send(&mail, &lookup));
    assert!(said.contains("nothing goes there unencrypted"), "{said}");
}

#[test]
fn redirects_are_not_followed() {
    let (receiver, inner) = (Receiver::start(), Receiver::start());
    for code in [301, 302, 303, 307, 308] {
        receiver.then(with_header(code, &format!("location: {}", inner.url)));
        let said = why(send(&webhook("a", &receiver.url), &SystemLookup));
        assert!(said.contains("redirects are not followed"), "{said}");
    }
    assert!(inner.got().is_empty());
}

/// Writes a little for ever.
fn drip(mut stream: TcpStream, first: &str, piece: &str) {
    let mut said = stream.write_all(first.as_bytes());
    while said.is_ok() {
        std::thread::sleep(Duration::from_millis(20));
        said = stream.write_all(piece.as_bytes());
    }
}

#[test]
fn a_receiver_that_never_ends_is_left() {
    let receiver = Receiver::start();
    let answers: [Act; 4] = [
        |stream| drip(stream, "HTTP/1.1 200 OK\r\nx: ", "a"),
        |stream| drip(stream, "", "H"),
        |stream| {
            drip(
                stream,
                "HTTP/1.1 100 Continue\r\n\r\n",
                "HTTP/1.1 100 Continue\r\n\r\n",
            )
        },
        |mut stream| {
            let mut nothing = [0; 1];
            let _ = stream.read(&mut nothing);
        },
    ];
    for (number, answer) in answers.into_iter().enumerate() {
        receiver.then(Answer::Do(answer));
        let outcome = send(&webhook("a", &receiver.url), &SystemLookup);
        assert!(
            matches!(outcome, Outcome::Failed { .. }),
            "{number}: {outcome:?}"
        );
    }
}

#[test]
fn a_huge_answer_is_not_read() {
    let receiver = Receiver::start();
    // A body without an end: the status is all that counts.
    receiver.then(Answer::Do(|mut stream| {
        let piece = vec![b'x'; 65_536];
        let mut said = stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
        while said.is_ok() {
            said = stream
                .write_all(b"10000\r\n")
                .and_then(|()| stream.write_all(&piece))
                .and_then(|()| stream.write_all(b"\r\n"));
        }
    }));
    assert_eq!(
        send(&webhook("a", &receiver.url), &SystemLookup),
        Outcome::Delivered
    );
    // A header without an end.
    receiver.then(Answer::Do(|mut stream| {
        let piece = format!("x-a: {}\r\n", "a".repeat(1_000));
        let mut said = stream.write_all(b"HTTP/1.1 200 OK\r\n");
        for _ in 0..100_000 {
            if said.is_err() {
                return;
            }
            said = stream.write_all(piece.as_bytes());
        }
    }));
    let outcome = send(&webhook("a", &receiver.url), &SystemLookup);
    assert!(matches!(outcome, Outcome::Failed { .. }), "{outcome:?}");
}

/// What a server does with a connection.
type Act = fn(TcpStream);

/// A mail server that does this with each connection.
fn bad_mail_server(act: Act) -> RawSink {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            act(stream.unwrap());
        }
    });
    RawSink {
        name: "m".to_owned(),
        kind: "mail".to_owned(),
        server: Some(format!("127.0.0.1:{port}")),
        tls: Some(MailTls::None),
        allow_private: true,
        from: Some("a@acme.example".to_owned()),
        to: vec!["b@acme.example".to_owned()],
        ..RawSink::default()
    }
}

#[test]
fn a_mail_server_that_never_ends_is_left() {
    let acts: [(Act, &str); 5] = [
        (|stream| drip(stream, "220", "-x\r\n220"), "too long"),
        (|stream| drip(stream, "2", "2"), "too long"),
        (
            |mut stream| {
                let line = vec![b'2'; 100_000];
                let mut said = Ok(());
                while said.is_ok() {
                    said = stream.write_all(&line);
                }
            },
            "longer than",
        ),
        (
            |mut stream| {
                let mut said = Ok(());
                while said.is_ok() {
                    said = stream.write_all(b"220-x\r\n");
                }
            },
            "more than 64 lines",
        ),
        (
            |mut stream| drop(stream.write_all(b"HTTP/1.1 400 Bad\r\n")),
            "no reply of SMTP",
        ),
    ];
    for (act, expected) in acts {
        let said = why(send(&bad_mail_server(act), &SystemLookup));
        assert!(said.contains(expected), "`{expected}`: {said}");
    }
}

#[test]
fn a_chat_is_shown_no_mention_link_or_markup_of_others() {
    let receiver = Receiver::start();
    let mut world = World::new();
    *world.log.opened.lock().unwrap() = words(
        "<!channel> @here *now* <https://evil.example|your bank> &lt;b&gt;\n[x](javascript:1)",
    );
    world.add(&RawSink {
        kind: "slack".to_owned(),
        secrets: Vec::new(),
        opens: Some(TOKEN.to_owned()),
        ..webhook("chat", &receiver.url)
    });
    world.start();
    world.log.raise(Severity::Critical);
    let got = receiver.wait(1).remove(0);
    assert!(!got.headers.contains_key("webhook-signature"));
    let said = got.json();
    let text = said["text"].as_str().unwrap();
    assert!(
        text.starts_with("[countersign] critical: burst, agent:support\n"),
        "{text}"
    );
    assert_eq!(said["unfurl_links"], false);
    let (_, foreign) = text
        .split_once("in the words of the correspondent:")
        .unwrap();
    for whole in [
        "<",
        "@here",
        "*now",
        "://",
        "evil.example",
        "](",
        "!channel",
    ] {
        assert!(!foreign.contains(whole), "`{whole}` in {foreign}");
    }
}

#[test]
fn a_receiver_that_answers_well_after_all_is_told() {
    let receiver = Arc::new(Receiver::start());
    receiver.then(status(404)).then(status(401));
    let mut world = World::new();
    world.add(&webhook("a", &receiver.url));
    world.start();
    world.log.raise(Severity::Notice);
    world.again("a", 1);
    world.again("a", 2);
    world.wait("a", |state| state.delivered == 1);
}
