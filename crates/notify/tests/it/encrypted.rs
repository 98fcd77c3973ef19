//! Webhooks over TLS: the certificate is checked against the name, whatever the address.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use countersign_notify::{Outcome, RawSink, send_test};

use crate::smtp::{CERT, encrypted};
use crate::support::{Told, World, webhook};

/// A receiver that answers 204 to whoever accepts its certificate; what it got.
fn receiver() -> (u16, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, got) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut wire = BufReader::new(encrypted(stream.unwrap()));
            let (mut head, mut length) = (String::new(), 0);
            // Whoever does not accept the certificate goes away.
            while wire.read_line(&mut head).is_ok_and(|read| read > 2) {
                let line = head.lines().last().unwrap().to_ascii_lowercase();
                if let Some(text) = line.strip_prefix("content-length: ") {
                    length = text.parse().unwrap();
                }
            }
            let mut body = vec![0; length];
            if length > 0 && wire.read_exact(&mut body).is_ok() {
                sender.send(head).unwrap();
                let answer = b"HTTP/1.1 204 x\r\ncontent-length: 0\r\n\r\n";
                wire.get_mut().write_all(answer).unwrap();
                wire.get_mut().flush().unwrap();
            }
        }
    });
    (port, got)
}

fn send(host: &str, port: u16, ca_file: Option<&str>) -> Outcome {
    let world = World::new();
    world.add(&RawSink {
        ca_file: ca_file.map(Into::into),
        ..webhook("a", &format!("https://{host}:{port}/"))
    });
    let config = world
        .dir()
        .config()
        .read()
        .unwrap_or_else(|error| panic!("{error}"));
    let address = format!("127.0.0.1:{port}");
    let lookup = Told::new(&[&[&address]]);
    send_test(
        &config.sinks[0],
        "log.example",
        Duration::from_secs(10),
        &lookup,
    )
}

#[test]
fn a_certificate_has_to_fit_the_name_and_be_vouched_for() {
    let (port, got) = receiver();
    assert_eq!(send("localhost", port, Some(CERT)), Outcome::Delivered);
    assert!(got.recv().unwrap().starts_with("POST / HTTP/1.1"));
    for (host, ca_file) in [("localhost", None), ("other.example", Some(CERT))] {
        let outcome = send(host, port, ca_file);
        let Outcome::Failed { why, .. } = outcome else {
            panic!("{outcome:?}");
        };
        assert!(why.contains("certificate"), "{host}: {why}");
    }
    assert!(got.try_recv().is_err(), "something was sent all the same");
}
