//! `countersign doctor`: what it says of a sound installation, and that each way in which calls go
//! undecided is red.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::{Home, Serving};

const POLICIES: &str = r#"
@id("asked-for")
@reason("A person's turn is behind it.")
permit (principal, action == Action::"file.read", resource) when { context.intent.live };

@id("no-credentials")
@reason("Credentials are nobody's to read.")
forbid (principal, action == Action::"file.read", resource)
when { context.args.file_path like "*/countersign/hooks/*" };
"#;

/// A home with a server, the hooks and a project.
struct Desk {
    home: Home,
    server: Serving,
    project: PathBuf,
}

impl Desk {
    fn new() -> Self {
        let home = Home::new();
        let bundle = home.path("bundle");
        for dir in ["tools", "policies"] {
            std::fs::create_dir_all(bundle.join(dir)).unwrap();
        }
        let read = json!({
            "tool": "Read", "action": "file.read", "effect": "read", "description": "Reads.",
            "arguments": {"type": "object", "properties": {"file_path": {"type": "string"}},
                          "required": ["file_path"], "additionalProperties": false},
        });
        for (name, text) in [
            (
                "bundle.toml",
                "name = \"assistant\"\ndescription = \"For tests.\"\n",
            ),
            ("schema.cedarschema", ""),
            ("policies/all.cedar", POLICIES),
            ("tools/Read.json", &read.to_string()),
        ] {
            std::fs::write(bundle.join(name), text).unwrap();
        }
        let server = home.serve(&["--bundle", bundle.to_str().unwrap()]);
        home.ok(&["hook", "install", "claude-code"]);
        let project = home.path("project");
        std::fs::create_dir_all(project.join(".claude")).unwrap();
        Self {
            home,
            server,
            project,
        }
    }

    /// The light, and what is red.
    fn doctor(&self) -> (String, Vec<String>) {
        let project = self.project.to_str().unwrap();
        let mut command = self
            .home
            .command(&["doctor", "--json", "--project", project]);
        let output = command.stdin(Stdio::null()).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let diagnosis: Value =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        let light = diagnosis["light"].as_str().unwrap().to_owned();
        let code = output.status.code().unwrap();
        assert_eq!(code, i32::from(light == "red"), "{text}");
        let sections = diagnosis["sections"].as_array().unwrap().iter();
        let checks = sections.flat_map(|section| section["checks"].as_array().unwrap());
        let red = checks.filter(|check| check["light"] == "red");
        let says = red.map(|check| check["says"].as_str().unwrap().to_owned());
        (light, says.collect())
    }

    fn is_red(&self, about: &str) {
        let (_, red) = self.doctor();
        assert!(
            red.iter().any(|says| says.contains(about)),
            "{about}: {red:?}"
        );
    }

    fn settings(&self) -> PathBuf {
        self.home.path(".claude/settings.json")
    }

    /// With the settings changed so, and back.
    fn with(&self, change: impl FnOnce(&mut Value), then: impl FnOnce(&Self)) {
        let before = std::fs::read(self.settings()).unwrap();
        let mut settings: Value = serde_json::from_slice(&before).unwrap();
        change(&mut settings);
        std::fs::write(self.settings(), settings.to_string()).unwrap();
        then(self);
        std::fs::write(self.settings(), before).unwrap();
    }

    /// A real event, as the assistant would give it.
    fn event(&self, name: &str) {
        let settings: Value =
            serde_json::from_slice(&std::fs::read(self.settings()).unwrap()).unwrap();
        let args = settings["hooks"][name][0]["hooks"][0]["args"].clone();
        let args: Vec<&str> = args
            .as_array()
            .unwrap()
            .iter()
            .map(|word| word.as_str().unwrap())
            .collect();
        let input = json!({
            "session_id": "00ab863a", "cwd": self.project, "hook_event_name": name, "prompt_id": "p",
            "prompt": "Read it", "source": "startup", "tool_name": "Read", "tool_use_id": "t",
            "tool_input": {"file_path": self.project.join("notes.txt")},
        });
        let mut child = self
            .home
            .command(&args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(input.to_string().as_bytes()).unwrap();
        drop(stdin);
        assert!(child.wait_with_output().unwrap().status.success());
    }
}

fn handler<'a>(settings: &'a mut Value, event: &str) -> &'a mut serde_json::Map<String, Value> {
    settings["hooks"][event][0]["hooks"][0]
        .as_object_mut()
        .unwrap()
}

#[test]
fn a_sound_installation_is_not_red_and_its_trial_is_no_real_event() {
    let desk = Desk::new();
    let (light, red) = desk.doctor();
    assert_eq!((light.as_str(), red), ("yellow", vec![]));
    // The trial stands in the ledger, and was not noted as real: it is said again.
    let (light, _) = desk.doctor();
    assert_eq!(light, "yellow");
    let log = desk.home.ok(&["entries", "--json", "--kind", "decision"]);
    assert!(log.matches("\"surface\":\"hook\"").count() >= 4, "{log}");
    // Sessions without a call are what hooks look like that do not run.
    desk.event("SessionStart");
    desk.is_red("no call ever came");
    desk.event("UserPromptSubmit");
    desk.event("PreToolUse");
    let (_, red) = desk.doctor();
    assert_eq!(red, Vec::<String>::new());
    // For people: each line begins with its word, and colours are no part of it.
    let text = desk.home.expect(0, &["doctor"]);
    assert!(
        !text.contains('\u{1b}') && text.contains("  green "),
        "{text}"
    );
}

#[test]
fn settings_that_let_calls_through_are_red() {
    let desk = Desk::new();
    desk.with(
        |settings| {
            handler(settings, "PreToolUse").remove("onFailure");
        },
        |desk| desk.is_red("onFailure"),
    );
    desk.with(
        |settings| {
            let block = handler(settings, "PreToolUse").remove("onFailure").unwrap();
            settings["hooks"]["PreToolUse"][0]["onFailure"] = block;
        },
        |desk| desk.is_red("onFailure"),
    );
    desk.with(
        |settings| settings["hooks"]["PreToolUse"][0]["matcher"] = json!("Bash"),
        |desk| desk.is_red("matcher"),
    );
    for (name, value) in [("async", json!(true)), ("if", json!("Bash(git *)"))] {
        desk.with(
            |settings| {
                handler(settings, "PreToolUse").insert(name.to_owned(), value);
            },
            |desk| desk.is_red("PreToolUse"),
        );
    }
    for event in ["PreToolUse", "ConfigChange"] {
        desk.with(
            |settings| {
                settings["hooks"].as_object_mut().unwrap().remove(event);
            },
            |desk| desk.is_red(event),
        );
    }
    desk.with(
        |settings| settings["disableAllHooks"] = json!(true),
        |desk| desk.is_red("disableAllHooks"),
    );
    // A project's own settings switch the user's hooks off, too.
    for file in [".claude/settings.json", ".claude/settings.local.json"] {
        let path = desk.project.join(file);
        std::fs::write(&path, r#"{"disableAllHooks": true}"#).unwrap();
        desk.is_red("disableAllHooks");
        std::fs::remove_file(path).unwrap();
    }
    // The client leaves out a file that is no JSON, with the hooks in it.
    let before = std::fs::read_to_string(desk.settings()).unwrap();
    std::fs::write(desk.settings(), before.replacen('{', "{,", 1)).unwrap();
    desk.is_red("user settings");
    std::fs::write(desk.settings(), "{").unwrap();
    desk.is_red("user settings");
    std::fs::write(desk.settings(), &before).unwrap();
    let (_, red) = desk.doctor();
    assert_eq!(red, Vec::<String>::new());
    // What holds for each event is said once.
    let moved = before.replace(env!("CARGO_BIN_EXE_countersign"), "/nowhere/countersign");
    std::fs::write(desk.settings(), moved).unwrap();
    let project = desk.project.to_str().unwrap();
    let text = desk.home.expect(1, &["doctor", "--project", project]);
    let said: Vec<&str> = text.split_whitespace().collect();
    let said = said.join(" ");
    assert_eq!(said.matches("is no program that can").count(), 1, "{text}");
}

#[test]
fn a_handler_that_decides_nothing_is_red() {
    let desk = Desk::new();
    let shell = |script: &str| {
        let script = script.to_owned();
        move |settings: &mut Value| {
            let path = desk_path(settings);
            std::fs::write(&path, format!("#!/bin/sh\ncat >/dev/null\n{script}\n")).unwrap();
            let program = handler(settings, "PreToolUse");
            program.insert("command".to_owned(), json!(path));
        }
    };
    for script in [
        "exit 0",
        "exit 1",
        "echo '{\"permissionDecision\":\"deny\"}'",
        "echo denied",
    ] {
        let change = shell(script);
        desk.with(
            |settings| {
                change(settings);
                make_executable(settings);
            },
            |desk| desk.is_red("the call would run"),
        );
    }
    let allow = r#"echo '{"hookSpecificOutput":{"hookEventName":"PreToolUse","permissionDecision":"allow"}}'"#;
    let change = shell(allow);
    desk.with(
        |settings| {
            change(settings);
            make_executable(settings);
        },
        |desk| {
            desk.is_red("must be denied");
            desk.is_red("without an entry");
        },
    );
}

/// A program beside the configuration, named as ours is.
fn desk_path(settings: &Value) -> PathBuf {
    let args = settings["hooks"]["PreToolUse"][0]["hooks"][0]["args"].as_array();
    let config = args.unwrap().last().unwrap().as_str().unwrap().to_owned();
    PathBuf::from(config).with_file_name("countersign-other")
}

fn make_executable(settings: &Value) {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::Permissions::from_mode(0o700);
    std::fs::set_permissions(desk_path(settings), mode).unwrap();
}

#[test]
fn without_its_server_or_its_credentials_it_is_red() {
    let desk = Desk::new();
    let config = desk.home.path("config/countersign/hooks/claude-code.toml");
    let before = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, before.replace("agent = \"cs_", "agent = \"cs_x")).unwrap();
    desk.is_red("without an entry");
    std::fs::write(&config, &before).unwrap();
    let (_, red) = desk.doctor();
    assert_eq!(red, Vec::<String>::new());
    let Desk {
        home,
        server,
        project,
    } = desk;
    server.stop();
    let project = project.to_str().unwrap();
    let diagnosis = home.json(1, &["doctor", "--project", project]);
    let text = diagnosis.to_string();
    assert!(text.contains("could not be reached"), "{text}");
    assert!(text.contains("no more was tried"), "{text}");
    // Looking alone needs no server for the hooks.
    let text = home.expect(1, &["doctor", "--look-only", "--project", project]);
    assert!(text.contains("user settings"), "{text}");
}

#[test]
fn a_bundle_that_does_not_know_the_assistants_tools_is_one_thing_to_put_right() {
    let desk = Desk::new();
    desk.home
        .ok(&["policy", "publish", "--activate", "mail-agent"]);
    let (_, red) = desk.doctor();
    assert_eq!(red.len(), 1, "{red:?}");
    let text = desk.home.expect(1, &["doctor"]);
    let said: Vec<&str> = text.split_whitespace().collect();
    let said = said.join(" ");
    assert!(
        said.contains("countersign policy publish --activate coding-agent"),
        "{text}"
    );
    desk.server.stop();
}

/// Something that speaks the API and keeps no ledger.
fn liar(log_key: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let id = "01KAQ3W9T4XGQZ9V2N6PTJD8RC";
    let digest = format!("sha256:{}", "0".repeat(64));
    let entry = json!({"v": 1, "kind": "decision", "entry_id": id, "proof": "none"});
    let decision = json!({
        "entry_id": id, "outcome": "approved", "policy_ref": digest, "reasons": [], "permit": "x",
        "entry": entry,
    });
    let turn = json!({"intent_ref": digest, "intent": {}, "entry": entry});
    let head = json!({
        "origin": "a/b", "size": 1, "log_key": log_key, "root_key": log_key, "checkpoint": "",
    });
    let health = json!({"status": "ok", "reasons": [], "size": 1, "waiting": 0});
    let answer = move |path: &str| match path {
        "/healthz" => health.to_string(),
        "/v1/head" => head.to_string(),
        "/v1/turns" => turn.to_string(),
        path if path.starts_with("/v1/sessions") => {
            let counts = json!({"turns": 0, "decisions": 0, "executions": 0});
            let mut opened = json!({"is_new": true, "entry": entry});
            opened
                .as_object_mut()
                .unwrap()
                .extend(counts.as_object().unwrap().clone());
            opened.to_string()
        }
        _ => decision.to_string(),
    };
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            serve(stream.unwrap(), &answer);
        }
    });
    url
}

fn serve(stream: TcpStream, answer: &impl Fn(&str) -> String) {
    let mut reader = BufReader::new(&stream);
    let mut first = String::new();
    let _ = reader.read_line(&mut first);
    let mut length = 0_u64;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) <= 2 {
            break;
        }
        let line = line.to_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let _ = std::io::copy(&mut reader.take(length), &mut std::io::sink());
    let body = answer(first.split(' ').nth(1).unwrap_or_default());
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close";
    let text = format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let _ = (&stream).write_all(text.as_bytes());
}

#[test]
fn a_server_that_answers_and_keeps_no_ledger_is_red() {
    let desk = Desk::new();
    let profile = std::fs::read_to_string(desk.home.profile()).unwrap();
    let log_key = profile
        .lines()
        .find_map(|line| line.strip_prefix("log_key = \"")?.strip_suffix('"'))
        .unwrap();
    let liar = liar(log_key);
    let config = desk.home.path("config/countersign/hooks/claude-code.toml");
    for file in [&config, &desk.home.profile()] {
        let text = std::fs::read_to_string(file).unwrap();
        std::fs::write(file, text.replace(&desk.server.url, &liar)).unwrap();
    }
    let (_, red) = desk.doctor();
    for about in [
        "the ledger does not bear that out",
        "must be refused, and came out `approved`",
        "reading the hook's own tokens must be denied",
        "by an entry that does not bear it out",
    ] {
        assert!(
            red.iter().any(|says| says.contains(about)),
            "{about}: {red:?}"
        );
    }
}

#[test]
fn another_logs_key_is_red() {
    let desk = Desk::new();
    let other = Desk::new();
    let key = |desk: &Desk| {
        let profile = std::fs::read_to_string(desk.home.profile()).unwrap();
        let line = profile.lines().find(|line| line.starts_with("log_key"));
        line.unwrap().to_owned()
    };
    let profile = std::fs::read_to_string(desk.home.profile()).unwrap();
    let changed = profile.replace(&key(&desk), &key(&other));
    std::fs::write(desk.home.profile(), changed).unwrap();
    desk.is_red("another key than the profile's");
    desk.is_red("does not bear it out");
}

/// An MCP server of one tool, in the shell.
const MCP_SERVER: &str = r#"
while read -r line; do
    id=$(printf '%s' "$line" | sed -n 's/.*"id": *\("[^"]*"\|[0-9]*\).*/\1/p')
    case $line in
    *'"initialize"'*) result='{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"t","version":"1"}}' ;;
    *'"tools/list"'*) result='{"tools":[{"name":"Read","description":"Reads.","inputSchema":{"type":"object","properties":{"file_path":{"type":"string"}},"required":["file_path"],"additionalProperties":false}}]}' ;;
    *'"tools/call"'*) result='{"content":[{"type":"text","text":"done"}]}' ;;
    *) continue ;;
    esac
    printf '{"jsonrpc":"2.0","id":%s,"result":%s}\n' "$id" "$result"
done
"#;

#[test]
fn a_relay_is_tried_and_one_that_only_looks_like_one_is_red() {
    let desk = Desk::new();
    let script = desk.home.path("server.sh");
    std::fs::write(&script, MCP_SERVER).unwrap();
    let countersign = env!("CARGO_BIN_EXE_countersign");
    let settings = |command: &str, args: Value| {
        let servers = json!({"mcpServers": {"files": {"command": command, "args": args}}});
        std::fs::write(desk.project.join(".mcp.json"), servers.to_string()).unwrap();
    };
    settings(countersign, json!(["mcp", "--", "sh", script]));
    let (_, red) = desk.doctor();
    assert_eq!(red, Vec::<String>::new());
    // The call is in a session of its own, and none that the hook noted.
    let project = desk.project.to_str().unwrap();
    let diagnosis = desk.home.json(0, &["doctor", "--project", project]);
    let text = diagnosis.to_string();
    assert!(
        text.contains("a call of a tool that nobody has is denied"),
        "{text}"
    );
    settings(countersign, json!(["mcp", "--", "sh", "-c", "exit 3"]));
    desk.is_red("it ");
    // A program of that name that passes everything on.
    let other = desk.home.path("countersign-not");
    std::fs::write(&other, format!("#!/bin/sh\n{MCP_SERVER}")).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(&other, mode).unwrap();
    settings(other.to_str().unwrap(), json!(["mcp", "--", "sh", script]));
    desk.is_red("goes through");
}
