//! Witnesses as processes of their own, and a log that is cosigned by them.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use countersign_note::{Note, PolicyOutcome, TlogPolicy, TlogProof, VerifierKey};
use countersign_witness::LogName;

use crate::newcomer::MAIL;
use crate::support::{Home, Serving, copy, files};

/// The longest that anything here may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Two witnesses and a log that knows them.
struct World {
    home: Home,
    log_key: String,
    origin: String,
    witnesses: Vec<(String, Serving)>,
}

impl World {
    /// Begins a log and starts the witnesses for it.
    fn new(witnesses: usize) -> Self {
        let home = Home::new();
        home.ok(&["init", "--hide-tokens"]);
        let keys = home.json(0, &["key", "show", "--data", "data/countersign"]);
        let log_key = keys["log_key"].as_str().unwrap().to_owned();
        let origin = keys["origin"].as_str().unwrap().to_owned();
        let mut world = Self {
            home,
            log_key,
            origin,
            witnesses: Vec::new(),
        };
        for n in 0..witnesses {
            let dir = format!("w{n}");
            let name = format!("witness.example/w{n}");
            let key = world
                .home
                .ok(&["witness", "init", "--data", &dir, "--name", &name]);
            let serving = world.start_witness(n, "127.0.0.1:0");
            world.witnesses.push((key, serving));
        }
        world
    }

    fn start_witness(&self, n: usize, listen: &str) -> Serving {
        let dir = format!("w{n}");
        let log = &self.log_key;
        let args = [
            "witness", "serve", "--data", &dir, "--log", log, "--listen", listen,
        ];
        Serving::start(
            self.home.command(&args),
            self.home.path(&format!("{dir}.log")),
        )
    }

    /// Ends a witness at once, as a power cut would.
    fn kill_witness(&mut self, n: usize) {
        let (_, serving) = &mut self.witnesses[n];
        serving.signal("KILL");
        serving.ended();
    }

    /// Starts a witness again on the address that it had.
    fn restart_witness(&mut self, n: usize) {
        let address = self.witnesses[n]
            .1
            .url
            .strip_prefix("http://")
            .unwrap()
            .to_owned();
        self.witnesses[n].1 = self.start_witness(n, &address);
    }

    fn policy(&self, quorum: &str) -> TlogPolicy {
        let mut text = format!("log {}\n", self.log_key);
        let mut names = Vec::new();
        for (n, (key, serving)) in self.witnesses.iter().enumerate() {
            text += &format!("witness w{n} {key} {}\n", serving.url);
            names.push(format!("w{n}"));
        }
        text += &format!("group all {quorum} {}\nquorum all\n", names.join(" "));
        self.write_policy(&text)
    }

    fn write_policy(&self, text: &str) -> TlogPolicy {
        std::fs::write(self.home.path("policy"), text).unwrap();
        text.parse().unwrap()
    }

    fn serve(&self, options: &[&str]) -> Serving {
        let mut args = vec!["--witness-policy", "policy"];
        args.extend(options);
        self.home.serve(&args)
    }

    fn decide(&self, options: &[&str]) -> serde_json::Value {
        let intent = self
            .home
            .ok(&["turn", "Send billing@customer.example the refund"]);
        let mut args = vec!["decide", "email.send", MAIL, "--intent", &intent];
        args.extend(options);
        self.home.json(0, &args)
    }

    /// What the server shows as its checkpoint now.
    fn published(&self) -> Note {
        let log = ["checkpoint", "--key", &self.log_key];
        Note::parse(format!("{}\n", self.home.ok(&log)).as_bytes()).unwrap()
    }

    /// Waits until the published checkpoint meets the policy and covers so many entries.
    fn wait_for(&self, policy: &TlogPolicy, size: u64) -> Note {
        let begun = Instant::now();
        loop {
            let note = self.published();
            let is_met = matches!(policy.evaluate(&note), Ok(PolicyOutcome::Satisfied(_)));
            if is_met && size_of(&note) >= size {
                return note;
            }
            assert!(begun.elapsed() < PATIENCE, "not cosigned: {note}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn log_size(&self) -> u64 {
        let page = self.home.json(0, &["entries", "--limit", "1"]);
        page["entries"][0]["index"].as_u64().unwrap() + 1
    }
}

fn size_of(note: &Note) -> u64 {
    note.text().lines().nth(1).unwrap().parse().unwrap()
}

pub(crate) fn get(url: &str, path: &str) -> (u16, String) {
    send(
        url,
        &format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"),
    )
}

fn post(url: &str, body: &[u8]) -> (u16, String) {
    let head = format!(
        "POST /add-checkpoint HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let request = [head.as_bytes(), body].concat();
    send_bytes(url, &request)
}

fn send(url: &str, request: &str) -> (u16, String) {
    send_bytes(url, request.as_bytes())
}

fn send_bytes(url: &str, request: &[u8]) -> (u16, String) {
    let mut stream = TcpStream::connect(url.strip_prefix("http://").unwrap()).unwrap();
    // A server that refuses early may not read all of it.
    let _ = stream.write_all(request);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|text| text.parse().ok());
    (status.unwrap_or(0), body.to_owned())
}

/// A value of the metrics, by the beginning of its line.
fn metric(server: &Serving, name: &str) -> f64 {
    let (_, text) = get(&server.url, "/metrics");
    let line = text.lines().find(|line| line.starts_with(name));
    let line = line.unwrap_or_else(|| panic!("no {name} in\n{text}"));
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

#[test]
fn two_witnesses_cosign_and_a_decision_waits_for_both() {
    let world = World::new(2);
    let policy = world.policy("all");
    let server = world.serve(&["--require-witness", "--publish", "public"]);
    let answer = world.decide(&["--witnessed"]);
    assert_eq!(answer["outcome"], "approved");
    let proof: TlogProof = answer["entry"]["proof"].as_str().unwrap().parse().unwrap();
    let cosigned = policy.evaluate(proof.checkpoint()).unwrap();
    assert!(matches!(cosigned, PolicyOutcome::Satisfied(_)), "{proof}");
    assert!(size_of(proof.checkpoint()) > proof.index().get());

    // The leaf is proven by it: the entry without its proof is what was hashed.
    let entry = answer["entry"].clone();
    let id = entry["entry_id"].as_str().unwrap();
    let note = world.wait_for(&policy, world.log_size());
    let anchored = world.home.json(0, &["entries", "proof", id]);
    assert_eq!(anchored["witnessed"], true);
    assert_eq!(anchored["size"], size_of(&note));
    let old = size_of(proof.checkpoint()).to_string();
    let again = world
        .home
        .json(0, &["entries", "proof", id, "--size", &old]);
    let again: TlogProof = again["proof"].as_str().unwrap().parse().unwrap();
    assert_eq!(again.path(), proof.path());
    let beyond = world
        .home
        .run(&["entries", "proof", id, "--size", "999999"]);
    assert_eq!(beyond.code, 1, "{}", beyond.err);

    // The directory holds the same checkpoint, with its tiles.
    let begun = Instant::now();
    while std::fs::read_to_string(world.home.path("public/checkpoint")).unwrap() != note.to_string()
    {
        assert!(begun.elapsed() < PATIENCE);
    }
    let report = world
        .home
        .json(0, &["verify", "public", "--policy", "policy"]);
    assert_eq!(report["word"], "trusted", "{report}");

    // What the witnesses show is what was published.
    let name = LogName::of(&world.origin);
    for (_, witness) in &world.witnesses {
        let (status, shown) = get(&witness.url, &format!("/{}/checkpoint", name.as_str()));
        assert_eq!(status, 200);
        assert_eq!(Note::parse(shown.as_bytes()).unwrap().text(), note.text());
    }
    let size = size_of(&note) as f64;
    assert_eq!(metric(&server, "countersign_published_entries "), size);
    assert_eq!(metric(&server, "countersign_witness_lag_entries "), 0.0);
    assert_eq!(
        metric(
            &server,
            "countersign_witness_cosigned_entries{witness=\"w1\"}"
        ),
        size
    );
    server.stop();
    for (_, witness) in world.witnesses {
        witness.stop();
    }
}

#[test]
fn without_its_quorum_nothing_is_published_and_nothing_witnessed_is_approved() {
    let mut world = World::new(2);
    let policy = world.policy("all");
    let server = world.serve(&["--require-witness"]);
    let note = world.wait_for(&policy, world.log_size());
    world.kill_witness(1);
    // Durability and answers go on.
    let durable = world.decide(&[]);
    assert_eq!(durable["outcome"], "approved");
    let intent = world
        .home
        .ok(&["turn", "Send billing@customer.example the refund"]);
    let refused = world.home.run(&[
        "decide",
        "email.send",
        MAIL,
        "--intent",
        &intent,
        "--witnessed",
        "--idempotency-key",
        "k1",
        "--json",
    ]);
    assert_eq!(refused.code, 2, "{}", refused.out);
    assert!(
        refused.err.contains("not-witnessed") && !refused.out.contains("permit"),
        "{}\n{}",
        refused.out,
        refused.err
    );
    // Which entry it is, and how to ask again.
    let problem: serde_json::Value = serde_json::from_str(&refused.out).unwrap();
    let entry = problem["entry_id"].as_str().unwrap();
    assert!(
        refused.err.contains(&format!("hint: it is entry {entry}"))
            && refused.err.contains("same --idempotency-key"),
        "{}",
        refused.err
    );
    assert_eq!(world.published(), note);
    assert!(metric(&server, "countersign_witness_lag_entries ") > 0.0);
    let failures = "countersign_witness_failures_total{witness=\"w1\",kind=\"unreachable\"}";
    assert!(metric(&server, failures) > 0.0);

    // Back again, it goes on where it was, and the same request gets its answer.
    world.restart_witness(1);
    let newer = world.wait_for(&policy, world.log_size());
    assert!(size_of(&newer) > size_of(&note));
    let answer = world.home.json(
        0,
        &[
            "decide",
            "email.send",
            MAIL,
            "--intent",
            &intent,
            "--witnessed",
            "--idempotency-key",
            "k1",
        ],
    );
    assert_eq!(answer["outcome"], "approved");
    let proof: TlogProof = answer["entry"]["proof"].as_str().unwrap().parse().unwrap();
    assert!(matches!(
        policy.evaluate(proof.checkpoint()),
        Ok(PolicyOutcome::Satisfied(_))
    ));
    server.stop();
}

#[test]
fn a_server_can_make_every_decision_wait_also_when_it_is_read_again() {
    let mut world = World::new(2);
    let policy = world.policy("all");
    let server = world.serve(&["--wait", "witnessed"]);
    let answer = world.decide(&[]);
    let proof: TlogProof = answer["entry"]["proof"].as_str().unwrap().parse().unwrap();
    assert!(matches!(
        policy.evaluate(proof.checkpoint()),
        Ok(PolicyOutcome::Satisfied(_))
    ));
    world.kill_witness(0);
    let intent = world
        .home
        .ok(&["turn", "Send billing@customer.example the refund"]);
    let refused = world
        .home
        .run(&["decide", "email.send", MAIL, "--intent", &intent, "--json"]);
    assert!(
        refused.err.contains("not-witnessed"),
        "{}\n{}",
        refused.out,
        refused.err
    );
    // What is in the ledger and not witnessed has no permit for the agent that reads it, either.
    let page = world
        .home
        .json(0, &["entries", "--kind", "decision", "--limit", "1"]);
    let id = page["entries"][0]["entry"]["entry_id"].as_str().unwrap();
    assert_eq!(page["entries"][0]["entry"]["outcome"], "approved");
    let profile = std::fs::read_to_string(world.home.profile()).unwrap();
    let token = profile
        .lines()
        .find_map(|line| line.strip_prefix("agent = "))
        .unwrap();
    let read = |query: &str| {
        let request = format!(
            "GET /v1/decisions/{id}{query} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\nconnection: close\r\n\r\n",
            token.trim_matches('"')
        );
        send(&server.url, &request)
    };
    let (status, body) = read("?wait=durable");
    assert_eq!(status, 504, "{body}");
    assert!(body.contains(id) && !body.contains("permit\""), "{body}");
    world.restart_witness(0);
    let (status, body) = read("?wait=witnessed");
    assert_eq!(status, 200, "{body}");
    assert!(body.contains("\"permit\""), "{body}");
    assert_eq!(read("?wait=never").0, 400);
    server.stop();
}

#[test]
fn without_require_a_checkpoint_is_published_with_what_came() {
    let mut world = World::new(2);
    let policy = world.policy("all");
    let server = world.serve(&[]);
    world.wait_for(&policy, world.log_size());
    world.kill_witness(0);
    world.decide(&[]);
    let size = world.log_size();
    let begun = Instant::now();
    loop {
        let note = world.published();
        if size_of(&note) >= size {
            assert!(
                matches!(policy.evaluate(&note), Ok(PolicyOutcome::QuorumNotMet(_))),
                "{note}"
            );
            break;
        }
        assert!(begun.elapsed() < PATIENCE);
    }
    server.stop();
}

#[test]
fn a_restored_data_directory_is_refused_at_the_start() {
    let world = World::new(2);
    let policy = world.policy("all");
    let server = world.serve(&[]);
    world.decide(&[]);
    world.wait_for(&policy, world.log_size());
    server.stop();
    let old = world.home.path("data/old");
    copy(&world.home.path("data/countersign"), &old);
    let server = world.serve(&[]);
    world.decide(&[]);
    let newest = world.wait_for(&policy, world.log_size());
    server.stop();

    // The whole directory, head file and published checkpoint included: nothing in it tells.
    std::fs::rename(
        world.home.path("data/countersign"),
        world.home.path("data/newer"),
    )
    .unwrap();
    std::fs::rename(&old, world.home.path("data/countersign")).unwrap();
    let refused = world.home.run(&[
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--witness-policy",
        "policy",
    ]);
    assert_eq!(refused.code, 3, "{}\n{}", refused.out, refused.err);
    for line in newest.text().lines() {
        assert!(
            refused.err.contains(line),
            "`{line}` is not in {}",
            refused.err
        );
    }
    assert!(refused.err.contains("rolled back"), "{}", refused.err);
    let kept = files(&world.home.path("data/countersign/evidence"));
    assert_eq!(kept.len(), 1, "{kept:?}");
    // Two sizes without a proof show nothing to a stranger, and the file does not say otherwise.
    let text = std::fs::read_to_string(&kept[0]).unwrap();
    assert!(text.contains("cannot tell whether one extends"), "{text}");
    let kept = kept[0].to_str().unwrap();
    let key = world.log_key.as_str();
    world
        .home
        .expect(1, &["verify", "--contradiction", kept, "--key", key]);
    // The newest one goes on.
    std::fs::rename(world.home.path("data/countersign"), &old).unwrap();
    std::fs::rename(
        world.home.path("data/newer"),
        world.home.path("data/countersign"),
    )
    .unwrap();
    world.serve(&["--require-witness"]).stop();
}

#[test]
fn a_copy_that_runs_elsewhere_stops_the_log_and_both_heads_are_kept() {
    let world = World::new(2);
    let policy = world.policy("all");
    let server = world.serve(&[]);
    world.decide(&[]);
    world.wait_for(&policy, world.log_size());
    server.stop();
    // The same directory twice: each signs a history of its own.
    copy(
        &world.home.path("data/countersign"),
        &world.home.path("copy"),
    );
    let mut first = world.serve(&[]);
    let second = [
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--data",
        "copy",
        "--witness-policy",
        "policy",
    ];
    let mut second = Serving::start(world.home.command(&second), world.home.path("second.log"));
    // Whichever goes on first, the other one meets its head at the witnesses.
    let profile = std::fs::read_to_string(world.home.profile()).unwrap();
    for (name, url) in [("p1", &first.url), ("p2", &second.url)] {
        let text = profile.replace(&second.url, url);
        assert!(text.contains(url.as_str()), "{text}");
        let path = world.home.path(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    world.home.ok(&["--profile", "p1", "turn", "One history"]);
    let begun = Instant::now();
    let stopped = loop {
        world.home.run(&["--profile", "p1", "turn", "One history"]);
        world.home.run(&["--profile", "p2", "turn", "And another"]);
        if second.log().contains("the ledger has stopped") {
            break &mut second;
        }
        if first.log().contains("the ledger has stopped") {
            break &mut first;
        }
        assert!(
            begun.elapsed() < PATIENCE,
            "{}\n{}",
            first.log(),
            second.log()
        );
    };
    assert_eq!(stopped.ended(), Some(3), "{}", stopped.log());
    let found = ["copy/evidence", "data/countersign/evidence"].map(|dir| world.home.path(dir));
    let dir = found.iter().find(|dir| dir.exists()).unwrap();
    let kept = std::fs::read_to_string(&files(dir)[0]).unwrap();
    assert!(kept.starts_with("countersign contradiction"), "{kept}");
    assert_eq!(
        kept.matches(&format!("{}\n", world.origin)).count(),
        2,
        "{kept}"
    );
}

/// Answers every request with what it is told, as a witness that lies would.
fn liar(answer: Arc<Mutex<String>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let answer = Arc::clone(&answer);
            std::thread::spawn(move || {
                let mut bytes = [0; 64 * 1024];
                let read = stream.read(&mut bytes).unwrap_or(0);
                let is_post = bytes[..read].starts_with(b"POST");
                let said = answer.lock().unwrap().clone();
                let none =
                    "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
                let said = if is_post { said.as_str() } else { none };
                let _ = stream.write_all(said.as_bytes());
            });
        }
    });
    url
}

fn answer(head: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {head}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
}

#[test]
fn one_witness_that_lies_does_not_stop_the_log() {
    let world = World::new(1);
    let (key, honest) = &world.witnesses[0];
    let said = Arc::new(Mutex::new(answer("404 Not Found", "")));
    let url = liar(Arc::clone(&said));
    let liars_key = world.home.ok(&[
        "witness",
        "init",
        "--data",
        "liar",
        "--name",
        "liar.example",
    ]);
    let policy = world.write_policy(&format!(
        "log {}\nwitness w0 {key} {}\nwitness liar {liars_key} {url}\ngroup some 1 w0 liar\nquorum some\n",
        world.log_key, honest.url
    ));
    let server = world.serve(&["--require-witness"]);
    let honest_line = format!("\u{2014} {} ", key.parse::<VerifierKey>().unwrap().name());
    let size_type = "409 Conflict\r\ncontent-type: text/x.tlog.size";
    // A cosignature line of the liar's name and id that its key never made.
    let forged = {
        let key: VerifierKey = liars_key.parse().unwrap();
        let line = countersign_note::NoteSignature::new(key.name().clone(), key.id(), vec![0; 72]);
        line.unwrap().to_string()
    };
    for (lie, kind) in [
        (answer(size_type, "999999\n"), "unproven"),
        (answer("422 Unprocessable Entity", "no\n"), "unproven"),
        (answer("200 OK", &forged), "bad-signature"),
        (answer("200 OK", "\u{1b}[31mred\n"), "malformed"),
        (answer("403 Forbidden", "no\n"), "untrusted"),
        (answer("500 Internal Server Error", "no\n"), "refused"),
        ("rubbish\r\n\r\n".to_owned(), "unreachable"),
    ] {
        *said.lock().unwrap() = lie.clone();
        let decided = world.decide(&["--witnessed"]);
        assert_eq!(decided["outcome"], "approved", "{lie}");
        let note = world.wait_for(&policy, 1);
        assert!(note.to_string().contains(&honest_line), "{note}");
        assert!(!note.to_string().contains("liar.example"), "{note}");
        let name =
            format!("countersign_witness_failures_total{{witness=\"liar\",kind=\"{kind}\"}}");
        let begun = Instant::now();
        loop {
            let (_, text) = get(&server.url, "/metrics");
            if text.contains(&name) {
                break;
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "no {name} in\n{text}\n{}",
                server.log()
            );
        }
    }
    assert!(!server.log().contains('\u{1b}'), "{}", server.log());
    assert!(!world.home.path("data/countersign/evidence").exists());
    server.stop();
    // At the start the same claim stops it, because an operator is there to look.
    *said.lock().unwrap() = answer(size_type, "999999\n");
    let refused = world.home.run(&[
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--witness-policy",
        "policy",
    ]);
    assert_eq!(refused.code, 3, "{}", refused.err);
    assert!(
        refused.err.contains("`liar` says") && refused.err.contains("999999"),
        "{}",
        refused.err
    );
}

#[test]
fn what_cannot_be_reached_at_the_start_is_a_warning_or_a_refusal() {
    let mut world = World::new(2);
    world.policy("all");
    world.kill_witness(0);
    let server = world.serve(&[]);
    assert!(
        server.log().contains("the witness `w0` does not cosign"),
        "{}",
        server.log()
    );
    assert!(!server.log().contains("no `log` line"), "{}", server.log());
    server.stop();
    // Verifiers are to be given the same file: it should name this log.
    let keys = world
        .home
        .json(0, &["key", "show", "--data", "data/countersign"]);
    let text = std::fs::read_to_string(world.home.path("policy")).unwrap();
    let other = text.replace(&world.log_key, keys["root_key"].as_str().unwrap());
    world.write_policy(&other);
    let server = world.serve(&[]);
    assert!(
        server.log().contains("no `log` line of the policy"),
        "{}",
        server.log()
    );
    server.stop();
    world.write_policy(&text);
    let refused = world.home.run(&[
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--witness-policy",
        "policy",
        "--require-witness",
    ]);
    assert_eq!(refused.code, 2, "{}", refused.err);
    assert!(
        refused.err.contains("`w0`") && refused.err.contains("hint:"),
        "{}",
        refused.err
    );
    let alone = world
        .home
        .run(&["serve", "--listen", "127.0.0.1:0", "--require-witness"]);
    assert_eq!(alone.code, 2);
    assert!(alone.err.contains("--witness-policy"), "{}", alone.err);
}

#[test]
fn a_decision_that_asks_for_witnesses_where_there_are_none_is_refused_before_it_is_made() {
    let home = Home::new();
    let server = home.serve(&[]);
    let intent = home.ok(&["turn", "Send billing@customer.example the refund"]);
    let before = home.json(0, &["entries", "--all"])["entries"]
        .as_array()
        .unwrap()
        .len();
    let refused = home.run(&[
        "decide",
        "email.send",
        MAIL,
        "--intent",
        &intent,
        "--witnessed",
    ]);
    assert_eq!(refused.code, 2, "{}", refused.err);
    assert!(refused.err.contains("not-witnessed"), "{}", refused.err);
    let after = home.json(0, &["entries", "--all"])["entries"]
        .as_array()
        .unwrap()
        .len();
    assert_eq!(before, after);
    server.stop();
}

#[test]
fn a_witness_outlives_a_kill_and_answers_whatever_comes() {
    let mut world = World::new(1);
    let policy = world.policy("all");
    let server = world.serve(&[]);
    let note = world.wait_for(&policy, world.log_size());
    server.stop();
    world.kill_witness(0);
    world.restart_witness(0);
    let url = world.witnesses[0].1.url.clone();
    let name = LogName::of(&world.origin);
    let (status, held) = get(&url, &format!("/{}/checkpoint", name.as_str()));
    assert_eq!(status, 200);
    assert_eq!(Note::parse(held.as_bytes()).unwrap().text(), note.text());
    // It remembers: the same checkpoint from the beginning is a conflict.
    let (status, body) = post(&url, format!("old 0\n\n{note}").as_bytes());
    assert_eq!((status, body), (409, format!("{}\n", size_of(&note))));
    let long = vec![b'x'; 300 * 1024];
    for (body, expected) in [
        (b"".as_slice(), 400),
        (b"old 0\n\n", 400),
        (b"\xff\xfe", 400),
        (long.as_slice(), 413),
    ] {
        assert_eq!(post(&url, body).0, expected);
    }
    for path in ["/", "/x/checkpoint", "/../etc/passwd", "/add-checkpoint/"] {
        assert!(get(&url, path).0 >= 400, "{path}");
    }
    assert_eq!(get(&url, "/add-checkpoint").0, 405);
    // One process for one witness.
    let dir = world.home.path("w0");
    let second = world.home.run(&[
        "witness",
        "serve",
        "--data",
        dir.to_str().unwrap(),
        "--log",
        &world.log_key,
        "--listen",
        "127.0.0.1:0",
    ]);
    assert_eq!(second.code, 2, "{}", second.err);
    assert!(
        second.err.contains("in use by another process"),
        "{}",
        second.err
    );
    // What it did not write itself stops the start.
    world.kill_witness(0);
    let file = dir.join("logs").join(name.as_str());
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(
        &file,
        text.replacen(&format!("\n{}\n", size_of(&note)), "\n1\n", 1),
    )
    .unwrap();
    let refused = world.home.run(&[
        "witness",
        "serve",
        "--data",
        "w0",
        "--log",
        &world.log_key,
        "--listen",
        "127.0.0.1:0",
    ]);
    assert_eq!(refused.code, 3, "{}", refused.err);
    assert!(Path::new(&file).exists());
}

#[test]
fn a_witness_with_two_keys_cosigns_with_both_and_each_counts_for_itself() {
    let mut world = World::new(0);
    let keys = world.home.ok(&[
        "witness",
        "init",
        "--data",
        "w0",
        "--name",
        "witness.example/w0",
        "--ml-dsa",
    ]);
    let (first, second) = keys.split_once('\n').unwrap();
    assert_eq!(world.home.ok(&["witness", "key", "--data", "w0"]), keys);
    let serving = world.start_witness(0, "127.0.0.1:0");
    let url = serving.url.clone();
    world.witnesses.push((first.to_owned(), serving));
    let policy = world.write_policy(&format!(
        "log {}\nwitness one {first} {url}\nwitness two {second} {url}\ngroup both all one two\nquorum both\n",
        world.log_key
    ));
    let server = world.serve(&["--require-witness"]);
    let answer = world.decide(&["--witnessed"]);
    let proof: TlogProof = answer["entry"]["proof"].as_str().unwrap().parse().unwrap();
    let outcome = policy.evaluate(proof.checkpoint()).unwrap();
    assert!(matches!(outcome, PolicyOutcome::Satisfied(it) if it.witnesses().len() == 2));
    let note = world.wait_for(&policy, world.log_size());
    assert_eq!(note.signatures().len(), 3, "{note}");
    server.stop();
    // It outlives a restart with both.
    world.kill_witness(0);
    world.restart_witness(0);
    world.serve(&["--require-witness"]).stop();
}

#[test]
fn a_witness_is_reached_over_tls_if_its_certificate_is_trusted() {
    let world = World::new(0);
    let tls = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/tls");
    let (cert, tls_key) = (format!("{tls}/cert.pem"), format!("{tls}/key.pem"));
    let key = world.home.ok(&[
        "witness",
        "init",
        "--data",
        "w0",
        "--name",
        "witness.example/w0",
    ]);
    let args = [
        "witness",
        "serve",
        "--data",
        "w0",
        "--log",
        &world.log_key,
        "--listen",
        "127.0.0.1:0",
        "--tls-cert",
        &cert,
        "--tls-key",
        &tls_key,
    ];
    let witness = Serving::start(world.home.command(&args), world.home.path("w0.log"));
    assert!(witness.url.starts_with("https://"), "{}", witness.url);
    let policy = world.write_policy(&format!(
        "log {}\nwitness w0 {key} {}\nquorum w0\n",
        world.log_key, witness.url
    ));
    let untrusted = world.home.run(&[
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--witness-policy",
        "policy",
        "--require-witness",
    ]);
    assert_eq!(untrusted.code, 2, "{}", untrusted.out);
    assert!(untrusted.err.contains("tls"), "{}", untrusted.err);
    let server = world.serve(&["--require-witness", "--witness-ca-file", &cert]);
    world.wait_for(&policy, world.log_size());
    server.stop();
    witness.stop();
}

#[test]
fn a_witness_is_made_once_and_asks_for_logs() {
    let home = Home::new();
    let key = home.ok(&[
        "witness",
        "init",
        "--data",
        "w",
        "--name",
        "witness.example/w1",
    ]);
    let parsed: VerifierKey = key.parse().unwrap();
    assert_eq!(
        parsed.signature_type(),
        countersign_note::SignatureType::CosignatureV1
    );
    assert_eq!(home.ok(&["witness", "key", "--data", "w"]), key);
    let again = home.run(&[
        "witness",
        "init",
        "--data",
        "w",
        "--name",
        "witness.example/w1",
    ]);
    assert_eq!(again.code, 2, "{}", again.out);
    let none = home.run(&["witness", "serve", "--data", "w"]);
    assert!(
        none.code == 2 && none.err.contains("no log is named"),
        "{}",
        none.err
    );
    let own = home.run(&["witness", "serve", "--data", "w", "--log", &key]);
    assert!(
        own.code == 2 && own.err.contains("signs no checkpoints"),
        "{}",
        own.err
    );
    let missing = home.run(&["witness", "key", "--data", "nowhere"]);
    assert!(
        missing.code == 2 && missing.err.contains("witness init"),
        "{}",
        missing.err
    );
    let bad = home.run(&["witness", "init", "--data", "v", "--name", "a b+c"]);
    assert_eq!(bad.code, 2, "{}", bad.out);
}
