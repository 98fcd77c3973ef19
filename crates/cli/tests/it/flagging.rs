//! Flags at a terminal: waiting for them, reading one, taking note of it, closing it.

use std::io::{BufRead as _, BufReader, Lines};
use std::process::{Child, ChildStdout, Stdio};

use serde_json::Value;

use crate::support::{Home, Serving};

const MAIL: &str = r#"{"to":["jo@left.example"],"subject":"Hi","body":"Hello"}"#;

/// `flags --follow --json` as it runs, and what it prints.
struct Followed {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Followed {
    fn start(home: &Home) -> Self {
        let mut command = home.command(&["flags", "--follow", "--json"]);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    fn next(&mut self) -> Value {
        serde_json::from_str(&self.lines.next().unwrap().unwrap()).unwrap()
    }
}

impl Drop for Followed {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

#[test]
fn a_flag_is_met_as_it_comes_and_somebody_takes_note_of_it() {
    let home = Home::new();
    let server = home.serve(&[]);
    assert_eq!(home.ok(&["flags"]), "");
    let mut followed = Followed::start(&home);
    let call = home.json(1, &["decide", "email.send", MAIL]);
    let flag = followed.next();
    assert_eq!(flag["state"], "open");
    assert_eq!(flag["onset"], call["entry_id"]);
    let id = flag["flag"].as_str().unwrap().to_owned();

    let shown = home.ok(&["flags", "show", &id]);
    for told in ["unmandated", "what it rests on", "beginning with", &id] {
        assert!(shown.contains(told), "{told}: {shown}");
    }
    home.ok(&["flags", "acknowledge", &id]);
    let noted = followed.next();
    assert_eq!(
        (&noted["flag"], &noted["state"]),
        (&flag["flag"], &Value::from("acknowledged"))
    );
    assert!(home.ok(&["flags", "--open"]).contains("acknowledged by"));
    home.ok(&["flags", "close", &id]);
    assert_eq!(followed.next()["state"], "closed");
    assert_eq!(home.ok(&["flags", "--open"]), "");
    let again = home.run(&["flags", "close", &id]);
    assert_eq!(again.code, 1, "{}", again.err);
    assert!(again.err.contains("the flag is closed"), "{}", again.err);
    let unknown = home.run(&["flags", "show", "01HYB7K3M4FXQZ9V2N6PTJD8RC"]);
    assert!(unknown.err.contains("not-found"), "{}", unknown.err);

    // Waiting outlives the server.
    let address = server.url.trim_start_matches("http://").to_owned();
    server.stop();
    let again = home.command(&["serve", "--listen", &address]);
    let server = Serving::start(again, home.path("serve.log"));
    let call = home.json(1, &["decide", "email.send", MAIL]);
    assert_eq!(followed.next()["onset"], call["entry_id"]);
    drop(followed);
    server.stop();
}

/// What answers for a server may say anything, and may be overloaded now and then.
#[test]
fn whoever_follows_is_neither_steered_by_a_server_nor_left_when_it_is_overloaded() {
    use std::io::Write as _;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let steering = "\\u001b]0;taken\\u0007\\u202e";
    let answered = std::thread::spawn(move || {
        for n in 0..4 {
            let (mut stream, _) = listener.accept().unwrap();
            let mut head = BufReader::new(stream.try_clone().unwrap()).lines();
            while head.next().is_some_and(|line| !line.unwrap().is_empty()) {}
            let flag = format!(
                r#"{{"flag":"F{n}{steering}","detector":"burst","severity":"warning","state":"open","raised_at":"{n}","onset":"O","entries":[],"count":5}}"#
            );
            let (status, body) = match n {
                1 => ("503 Busy", "busy".to_owned()),
                2 => ("429 Slowly", "slowly".to_owned()),
                _ => ("200 OK", format!(r#"{{"flags":[{flag}]}}"#)),
            };
            let length = body.len();
            write!(stream, "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}").unwrap();
        }
    });
    let home = Home::new();
    let args = ["flags", "--follow", "--server", &address, "--token", "cs_x"];
    let mut command = home.command(&args);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    answered.join().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("F3")));
    child.kill().unwrap();
    let said = child.wait_with_output().unwrap().stderr;
    let said = String::from_utf8(said).unwrap();
    assert!(said.contains("flags show F0"), "{said}");
    assert!(said.contains("answers again"), "{said}");
    assert!(!said.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{said}");
}
