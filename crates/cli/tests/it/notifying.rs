//! Telling people of flags: a real server, and receivers that speak HTTP and SMTP.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::Home;

const MAIL: &str = r#"{"to":["jo@left.example"],"subject":"Hi","body":"A secret <!channel>"}"#;
/// The longest that anything here may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A request that came to a webhook.
struct Got {
    headers: BTreeMap<String, String>,
    body: Value,
}

/// What a webhook does with what comes: answers with a status, or never.
type Behaviour = Arc<Mutex<Option<u16>>>;

struct Webhook {
    url: String,
    got: Receiver<Got>,
    behaviour: Behaviour,
}

/// A mail: its recipients and its lines.
struct Mailed {
    to: Vec<String>,
    lines: Vec<String>,
}

struct MailSink {
    port: u16,
    got: Receiver<Mailed>,
}

impl Webhook {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let behaviour: Behaviour = Arc::new(Mutex::new(Some(204)));
        let (sender, got) = channel();
        let shared = Arc::clone(&behaviour);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (sender, behaviour) = (sender.clone(), Arc::clone(&shared));
                std::thread::spawn(move || receive(stream.unwrap(), &sender, &behaviour));
            }
        });
        Self {
            url,
            got,
            behaviour,
        }
    }

    fn answers(&self, status: Option<u16>) {
        *self.behaviour.lock().unwrap() = status;
    }

    fn next(&self) -> Got {
        self.got.recv_timeout(PATIENCE).unwrap()
    }
}

impl Got {
    fn id(&self) -> &str {
        &self.headers["webhook-id"]
    }
}

fn receive(stream: TcpStream, sender: &Sender<Got>, behaviour: &Behaviour) {
    let mut reader = BufReader::new(stream);
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        match line.trim_end().split_once(": ") {
            Some((name, value)) => headers.insert(name.to_ascii_lowercase(), value.to_owned()),
            None if line.starts_with("POST ") => None,
            None => break,
        };
    }
    let mut body = vec![0; headers["content-length"].parse().unwrap()];
    reader.read_exact(&mut body).unwrap();
    let status = *behaviour.lock().unwrap();
    let body = serde_json::from_slice(&body).unwrap();
    // The test may have seen enough.
    let _ = sender.send(Got { headers, body });
    let mut stream = reader.into_inner();
    match status {
        Some(status) => write!(stream, "HTTP/1.1 {status} x\r\ncontent-length: 0\r\n\r\n").unwrap(),
        // Until the other side goes away.
        None => drop(stream.read(&mut [0])),
    }
}

impl MailSink {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, got) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                take_mail(stream.unwrap(), &sender);
            }
        });
        Self { port, got }
    }
}

fn take_mail(stream: TcpStream, sender: &Sender<Mailed>) {
    let mut out = stream.try_clone().unwrap();
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let mut say = |text: &str| out.write_all(text.as_bytes()).unwrap();
    say("220 mail.example\r\n");
    let mut to = Vec::new();
    while let Some(line) = lines.next() {
        match line.split([' ', ':']).next().unwrap() {
            "RCPT" => {
                to.push(line.strip_prefix("RCPT TO:").unwrap().to_owned());
                say("250 ok\r\n");
            }
            "DATA" => {
                say("354 go on\r\n");
                let lines = lines.by_ref().take_while(|line| line != ".").collect();
                let _ = sender.send(Mailed {
                    to: std::mem::take(&mut to),
                    lines,
                });
                say("250 taken\r\n");
            }
            "QUIT" => return say("221 bye\r\n"),
            _ => say("250 ok\r\n"),
        }
    }
}

/// The body of an answer.
fn get(url: &str, path: &str) -> String {
    let address = url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split_once("\r\n\r\n").unwrap().1.to_owned()
}

fn write_private(path: &std::path::Path, text: &str) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

/// Waits until a command's document is so.
fn wait(home: &Home, args: &[&str], is_so: impl Fn(&Value) -> bool) -> Value {
    let begun = Instant::now();
    loop {
        let found = home.json(0, args);
        if is_so(&found) {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "{found}");
    }
}

/// The story of the demo, told to a webhook and by mail: one flag, which began with the first attempt.
#[test]
fn the_night_is_told() {
    let home = Home::new();
    let (webhook, mail) = (Webhook::start(), MailSink::start());
    let sinks = home.path("sinks.toml");
    write_private(
        &sinks,
        &format!(
            "[[sink]]\nname = \"hook\"\nkind = \"webhook\"\nurl = \"{}\"\nallow_private = true\n\
             secrets = [\"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"]\n\
             [[sink]]\nname = \"mail\"\nkind = \"mail\"\nserver = \"127.0.0.1:{}\"\ntls = \"none\"\n\
             allow_private = true\nfrom = \"watch@acme.example\"\nto = [\"jo@acme.example\"]\n",
            webhook.url, mail.port
        ),
    );
    let summary = home.json(0, &["demo", "--notify", sinks.to_str().unwrap()]);
    let first_attempt = &summary["attempts"][0]["entry_id"];
    let told: Vec<Got> = webhook.got.try_iter().collect();
    let raised: Vec<&Got> = told
        .iter()
        .filter(|got| got.body["type"] == "countersign.flag.raised")
        .collect();
    let detectors: Vec<&Value> = raised
        .iter()
        .map(|got| &got.body["data"]["detector"])
        .collect();
    assert_eq!(detectors, ["burst"]);
    let data = &raised[0].body["data"];
    assert_eq!(&data["onset"], first_attempt, "{data}");
    assert_eq!(data["flag"], raised[0].id());
    assert_eq!(data["policy_held"], true, "{data}");
    assert_eq!(data["passed"], 0, "{data}");
    let mails: Vec<Mailed> = mail.got.try_iter().collect();
    assert_eq!(mails.len(), told.len());
    let subject = |mail: &&Mailed| {
        let mut lines = mail.lines.iter();
        lines.any(|line| {
            line.starts_with("Subject: ") && line.contains("burst") && !line.contains('(')
        })
    };
    let of_flag: Vec<&Mailed> = mails.iter().filter(subject).collect();
    assert_eq!(of_flag.len(), 1);
    assert_eq!(of_flag[0].to, ["<jo@acme.example>"]);
    let began = format!("it began with entry {}", first_attempt.as_str().unwrap());
    let body = of_flag[0].lines.join("\n").replace("=\n", "");
    assert!(body.contains(&began), "{body}");
    // Nothing that is sealed left the house.
    assert!(
        !body.contains("jane.doe")
            && !told
                .iter()
                .any(|got| got.body.to_string().contains("jane.doe"))
    );
}

#[test]
fn a_kill_between_flag_and_delivery_loses_and_reorders_nothing() {
    let home = Home::new();
    let webhook = Webhook::start();
    let mut server = home.serve(&[]);
    let added = home.json(
        0,
        &[
            "notify",
            "add",
            "webhook",
            "hook",
            &webhook.url,
            "--allow-private",
        ],
    );
    assert_eq!(added["taken_up"], true, "{added}");
    assert!(added["secret"].as_str().unwrap().starts_with("whsec_"));
    webhook.answers(None);
    let call = home.json(1, &["decide", "email.send", MAIL]);
    let first = webhook.next();
    assert_eq!(first.body["data"]["onset"], call["entry_id"]);
    // It is being told, and the server has no answer yet.
    home.ok(&["flags", "acknowledge", first.id()]);
    server.signal("KILL");
    assert_eq!(server.ended(), None);
    webhook.answers(Some(204));
    let _server = home.serve(&[]);
    let again = webhook.next();
    assert_eq!(again.id(), first.id());
    assert_eq!(again.body, first.body);
    assert_ne!(again.headers["webhook-timestamp"], "0");
    let noted = webhook.next();
    assert_eq!(noted.body["type"], "countersign.flag.acknowledged");
    assert_eq!(noted.body["data"]["flag"], first.id());
    home.ok(&["flags", "close", first.id()]);
    let closed = webhook.next();
    assert_eq!(closed.body["type"], "countersign.flag.closed");
    let listed = wait(&home, &["notify", "list"], |list| {
        list[0]["state"]["delivered"] == 3
    });
    assert_eq!(listed[0]["state"]["dead"], 0, "{listed}");
    // The secret is nowhere but in the settings.
    let secret = added["secret"].as_str().unwrap();
    assert!(!listed.to_string().contains(secret));
}

#[test]
fn sinks_are_added_tried_listed_and_removed() {
    let home = Home::new();
    let webhook = Webhook::start();
    let missing = home.run(&["notify", "list"]);
    assert_eq!(missing.code, 2, "{}", missing.err);
    assert!(missing.err.contains("holds no log"), "{}", missing.err);
    let server = home.serve(&[]);
    assert_eq!(home.ok(&["notify", "list"]), "");
    // What a sink may not be is said before anything is written.
    let plain = home.run(&["notify", "add", "webhook", "hook", &webhook.url]);
    assert_eq!(plain.code, 2);
    assert!(plain.err.contains("allow_private"), "{}", plain.err);
    home.ok(&[
        "notify",
        "add",
        "webhook",
        "hook",
        &webhook.url,
        "--allow-private",
    ]);
    let twice = home.run(&[
        "notify",
        "add",
        "webhook",
        "hook",
        &webhook.url,
        "--allow-private",
    ]);
    assert!(
        twice.code == 2 && twice.err.contains("two sinks"),
        "{}",
        twice.err
    );
    write_private(&home.path("password"), "secret of mail\n");
    home.ok(&[
        "notify",
        "add",
        "mail",
        "ops",
        "mail.example:587",
        "--from",
        "w@acme.example",
        "--to",
        "jo@acme.example",
        "--username",
        "w",
        "--password-file",
        home.path("password").to_str().unwrap(),
        "--min-severity",
        "critical",
        "--quiet",
        "22:00-07:00",
        "--quiet-offset",
        "-05:00",
    ]);
    home.ok(&["notify", "test", "hook"]);
    let tested = webhook.next();
    assert_eq!(tested.body["type"], "countersign.test");
    assert!(tested.headers["webhook-signature"].starts_with("v1,"));
    webhook.answers(Some(500));
    let failed = home.json(1, &["notify", "test", "hook"]);
    assert_eq!(
        failed,
        json!({"sink": "hook", "arrived": false, "why": "it answered 500"})
    );
    let listed = home.ok(&["notify", "list"]);
    for told in [
        "hook",
        "mail.example:587",
        "critical and above, quiet hours",
        "private networks allowed",
    ] {
        assert!(listed.contains(told), "`{told}` is not in\n{listed}");
    }
    assert!(!listed.contains("secret of mail"));
    home.ok(&["notify", "remove", "ops"]);
    assert_eq!(home.run(&["notify", "remove", "ops"]).code, 2);
    // Nobody but the owner may read the settings: the server does not start on others.
    server.stop();
    let settings = home.path("data/countersign/notify.toml");
    assert!(!std::fs::read_to_string(&settings).unwrap().contains("ops"));
    std::fs::set_permissions(&settings, std::fs::Permissions::from_mode(0o644)).unwrap();
    let open = home.run(&["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(open.code, 2);
    assert!(
        open.err.contains("644") && open.err.contains("hint: chmod 600"),
        "{}",
        open.err
    );
}

#[test]
fn dead_letters_are_listed_and_sent_again() {
    let home = Home::new();
    let webhook = Webhook::start();
    webhook.answers(Some(410));
    let server = home.serve(&[]);
    home.ok(&[
        "notify",
        "add",
        "webhook",
        "hook",
        &webhook.url,
        "--allow-private",
    ]);
    assert_eq!(home.ok(&["notify", "dead"]), "");
    home.json(1, &["decide", "email.send", MAIL]);
    let first = webhook.next();
    let dead = wait(&home, &["notify", "dead"], |dead| {
        !dead.as_array().unwrap().is_empty()
    });
    assert_eq!(dead[0]["id"], first.id());
    assert_eq!(dead[0]["sink"], "hook");
    let listed = home.ok(&["notify", "list"]);
    assert!(listed.contains("no more is sent"), "{listed}");
    let health: Value = serde_json::from_str(&get(&server.url, "/healthz")).unwrap();
    assert_eq!(health["status"], "degraded", "{health}");
    assert!(
        health["reasons"][0]
            .as_str()
            .unwrap()
            .contains("1 of 1 sinks"),
        "{health}"
    );
    let metrics = get(&server.url, "/metrics");
    for line in [
        "countersign_sink_dead_letters{sink=\"hook\"} 1",
        "countersign_sink_off{sink=\"hook\"} 1",
    ] {
        assert!(metrics.contains(line), "`{line}` is not in\n{metrics}");
    }
    let unknown = home.run(&["notify", "retry", "01ARZ3NDEKTSV4RRFFQ69G5FAV"]);
    assert!(
        unknown.code == 2 && unknown.err.contains("is no dead letter"),
        "{}",
        unknown.err
    );
    webhook.answers(Some(204));
    let retried = home.json(0, &["notify", "retry", first.id()]);
    assert_eq!(
        retried,
        json!({"sink": "hook", "messages": 1, "taken_up": true})
    );
    assert_eq!(webhook.next().id(), first.id());
    wait(&home, &["notify", "dead"], |dead| dead == &json!([]));
}

/// What is sealed is told only to a sink that names a credential, and the log says that it was.
#[test]
fn what_is_opened_for_a_sink_is_an_entry() {
    let home = Home::new();
    let (open, shut) = (Webhook::start(), Webhook::start());
    let _server = home.serve(&[]);
    let profile = std::fs::read_to_string(home.profile()).unwrap();
    let token = profile
        .lines()
        .find_map(|line| line.strip_prefix("vault-reader = "))
        .unwrap();
    write_private(&home.path("token"), token.trim_matches('"'));
    let token = home.path("token");
    home.ok(&[
        "notify",
        "add",
        "webhook",
        "open",
        &open.url,
        "--allow-private",
        "--opens",
        token.to_str().unwrap(),
    ]);
    home.ok(&[
        "notify",
        "add",
        "webhook",
        "shut",
        &shut.url,
        "--allow-private",
    ]);
    home.json(1, &["decide", "email.send", MAIL]);
    let (told, not_told) = (open.next(), shut.next());
    let opened = told.body["data"]["opened"]["call"].as_str().unwrap();
    assert!(
        opened.starts_with("email.send {") && opened.contains("jo@left.example"),
        "{opened}"
    );
    assert!(!not_told.body.to_string().contains("jo@left.example"));
    let mut without = told.body.clone();
    without["data"].as_object_mut().unwrap().remove("opened");
    assert_eq!(without, not_told.body);
    let accesses = home.json(0, &["entries", "--kind", "vault-access"]);
    let accesses = accesses["entries"].as_array().unwrap();
    assert_eq!(accesses.len(), 1, "{accesses:?}");
    let purpose = accesses[0]["entry"]["purpose_ref"].as_str().unwrap();
    let purpose = home.json(
        0,
        &[
            "vault",
            "open",
            purpose,
            "--purpose",
            "looking at an opening",
        ],
    );
    assert_eq!(purpose["document"]["text"], "told to sink open");
}
