//! A gate before a tool, and what ran held against what was approved.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use serde_json::{Value, json};

use crate::newcomer::{MAIL, OTHER_MAIL};
use crate::support::{Home, Serving};

const ROUTES: &str = r#"
[[route]]
method = "POST"
path = "/v1/send"
tool = "email.send"
body = "object"
"#;

/// A tool that says `sent` to whatever comes.
fn tool() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = Vec::new();
            let mut buffer = [0; 4096];
            while !request.ends_with(b"}") {
                match stream.read(&mut buffer) {
                    Ok(read) if read > 0 => request.extend_from_slice(&buffer[..read]),
                    _ => break,
                }
            }
            let answer =
                b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 4\r\n\r\nsent";
            let _ = stream.write_all(answer);
        }
    });
    url
}

fn send(gate: &str, permit: &str, mail: &str) -> String {
    let mut stream = TcpStream::connect(gate.strip_prefix("http://").unwrap()).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    let request = format!(
        "POST /v1/send HTTP/1.1\r\nhost: gate\r\ncontent-type: application/json\r\ncountersign-permit: {permit}\r\ncontent-length: {}\r\n\r\n{mail}",
        mail.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn gate(home: &Home, upstream: &str) -> Serving {
    let routes = home.path("routes.toml");
    std::fs::write(&routes, ROUTES).unwrap();
    let routes = routes.to_str().unwrap();
    let command = home.command(&[
        "gate",
        "--listen",
        "127.0.0.1:0",
        "--upstream",
        upstream,
        "--routes",
        routes,
    ]);
    Serving::start(command, home.path("gate.log"))
}

fn kinds(report: &Value) -> Vec<&str> {
    let findings = report["findings"].as_array().unwrap();
    findings
        .iter()
        .map(|it| it["kind"].as_str().unwrap())
        .collect()
}

/// A profile names the server's address, which is free anew at each start.
#[test]
fn a_call_passes_the_gate_once_and_the_books_match() {
    let home = Home::new();
    let _server = home.serve(&[]);
    let tool = tool();
    let gate = gate(&home, &tool);
    let intent = home.ok(&[
        "turn",
        "Send billing@customer.example the refund confirmation",
    ]);
    let http = format!("POST {tool}/v1/send");
    let call = ["decide", "email.send", MAIL, "--intent", &intent];
    let sent = [
        "--http",
        &http,
        "--http-body",
        MAIL,
        "--external-call-id",
        "call_7",
    ];
    let decided = home.json(0, &[&call[..], &sent[..]].concat());
    let permit = decided["permit"].as_str().unwrap();
    let answer = send(&gate.url, permit, OTHER_MAIL);
    assert!(
        answer.starts_with("HTTP/1.1 403") && answer.contains("permit-refused"),
        "{answer}"
    );
    let answer = send(&gate.url, permit, MAIL);
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.ends_with("sent"),
        "{answer}"
    );
    let answer = send(&gate.url, permit, MAIL);
    assert!(answer.contains("`used`"), "{answer}");
    gate.wait_for_log("a call passed");

    let report = home.json(0, &["reconcile"]);
    assert_eq!(report["matches"], true, "{report}");
    assert_eq!(report["looked_at"]["executed"], 1);
    assert_eq!(report["looked_at"]["permits_refused"], 2);
    gate.stop();
    against_records(&home, decided["entry_id"].as_str().unwrap());
}

/// Holds the one call, and another that nobody approved, against records of each format.
fn against_records(home: &Home, entry_id: &str) {
    let write = |name: &str, text: &str| {
        let path = home.path(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    let (seconds, nanos) = (now.as_secs(), now.as_nanos().to_string());
    let args = |mail: &str| serde_json::from_str::<Value>(mail).unwrap();
    let good = json!({"time": seconds, "tool": "email.send", "args": args(MAIL)});
    let bad = json!({"time": seconds, "tool": "email.send", "args": args(OTHER_MAIL)});

    let named = json!({"ts": seconds, "tool": "email.send", "entry_id": entry_id});
    let named = write("named.jsonl", &named.to_string());
    home.ok(&["reconcile", "--outside", &named]);

    let both = write("both.jsonl", &format!("{good}\n\n{bad}\n"));
    let report = home.json(1, &["reconcile", "--outside", &both]);
    assert_eq!(kinds(&report), ["not-joined", "not-joined"]);
    let report = home.json(1, &["reconcile", "--outside", &both, "--open"]);
    assert_eq!(kinds(&report), ["unauthorized"], "{report}");
    assert_eq!(report["findings"][0]["record"], "both.jsonl:3");
    assert_eq!(report["looked_at"]["calls_opened"], 1);
    let text = home.expect(1, &["reconcile", "--outside", &both, "--open"]);
    assert!(text.contains("nobody decided on it"), "{text}");
    home.ok(&[
        "reconcile",
        "--outside",
        &both,
        "--open",
        "--ignore",
        "unauthorized",
    ]);
    // Each opening is an entry.
    let opened = home.json(0, &["entries", "--kind", "vault-access"]);
    assert_eq!(opened["entries"].as_array().unwrap().len(), 3);
    let many = home.run(&[
        "reconcile",
        "--outside",
        &both,
        "--open",
        "--open-limit",
        "0",
    ]);
    assert_eq!(many.code, 2);
    assert!(many.err.contains("--open-limit allows 0"), "{}", many.err);

    let csv = format!("when,what,call\r\n{seconds},email.send,call_7\r\n{seconds},rm,\r\n");
    let csv = write("ran.csv", &csv);
    let columns = [
        "--field",
        "time=when",
        "--field",
        "tool=what",
        "--field",
        "call-id=call",
    ];
    let command = ["reconcile", "--outside", &csv, "--format", "csv", "--open"];
    let report = home.json(1, &[&command[..], &columns[..]].concat());
    assert_eq!(kinds(&report), ["unauthorized"], "{report}");
    assert_eq!(report["findings"][0]["tool"], "rm");

    let attribute = |key: &str, text: &str| json!({"key": key, "value": {"stringValue": text}});
    let span = |mail: &str| {
        json!({"name": "execute_tool email.send", "startTimeUnixNano": nanos, "attributes": [
            attribute("gen_ai.operation.name", "execute_tool"),
            attribute("gen_ai.tool.name", "email.send"),
            attribute("gen_ai.tool.call.arguments", mail),
        ]})
    };
    let spans = json!([span(MAIL), span(MAIL), span(OTHER_MAIL)]);
    let traces = json!({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]});
    let traces = write("traces.json", &traces.to_string());
    let command = [
        "reconcile",
        "--outside",
        &traces,
        "--format",
        "otel",
        "--open",
    ];
    let report = home.json(1, &command);
    assert_eq!(kinds(&report), ["unauthorized", "twice"], "{report}");
    let broken = write("broken.jsonl", "{\"tool\": \"a\"}\n{");
    let ran = home.run(&["reconcile", "--outside", &broken]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("line 2"), "{}", ran.err);
}

#[test]
fn what_was_approved_and_never_ran_or_is_known_from_the_agent_alone_is_shown() {
    let home = Home::new();
    let _server = home.serve(&[]);
    let intent = home.ok(&[
        "turn",
        "Send billing@customer.example the refund confirmation",
    ]);
    let decide = || {
        let decided = home.json(0, &["decide", "email.send", MAIL, "--intent", &intent]);
        decided["entry_id"].as_str().unwrap().to_owned()
    };
    let (begun, _idle) = (decide(), decide());
    home.ok(&["execution", &begun, "--phase", "started"]);
    home.ok(&["reconcile"]);
    let begun = std::time::Instant::now();
    // The ledger's times have milliseconds, and nothing may be older than no time at all.
    let report = loop {
        let report = home.run(&["reconcile", "--grace", "0s", "--json"]);
        let report: Value = serde_json::from_str(&report.out).unwrap();
        if kinds(&report).len() == 2 || begun.elapsed() > Duration::from_secs(60) {
            break report;
        }
    };
    assert_eq!(kinds(&report), ["no-end", "not-run"], "{report}");
    home.expect(1, &["reconcile", "--grace", "0s", "--ignore", "not-run"]);
    let wrong = home.run(&["reconcile", "--ignore", "nothing"]);
    assert_eq!(wrong.code, 2);
    assert!(wrong.err.contains("unauthorized"), "{}", wrong.err);
}

#[test]
fn a_gate_that_could_not_work_does_not_start() {
    let home = Home::new();
    let _server = home.serve(&[]);
    let routes = home.path("routes.toml");
    let routes = routes.to_str().unwrap();
    let starts = |upstream: &str, text: &str| {
        std::fs::write(routes, text).unwrap();
        home.run(&[
            "gate",
            "--listen",
            "127.0.0.1:0",
            "--upstream",
            upstream,
            "--routes",
            routes,
        ])
    };
    for (upstream, text, said) in [
        ("ftp://a", ROUTES, "no address of a server"),
        ("http://127.0.0.1:1", "", "it has 0 routes"),
        (
            "http://127.0.0.1:1",
            &ROUTES.replace("POST", "GET"),
            "no body",
        ),
        (
            "http://127.0.0.1:1",
            &ROUTES.replace("/v1/send", "v1"),
            "begins with `/`",
        ),
    ] {
        let ran = starts(upstream, text);
        assert_eq!(ran.code, 2, "{}", ran.out);
        assert!(ran.err.contains(said), "{said}: {}", ran.err);
    }
    std::fs::remove_file(home.profile()).unwrap();
    let ran = starts("http://127.0.0.1:1", ROUTES);
    assert_eq!(ran.code, 2);
    assert!(
        ran.err.contains("`tool`") || ran.err.contains("no token"),
        "{}",
        ran.err
    );
}
