//! The hooks as the assistant runs them: installed by the command, one process per event, a real server.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::{Home, Ran, Serving, fed};

/// Where the recorded events of the real client are.
const RECORDED: &str = "../shared/data/claude-code-hooks";

/// The file of a tool of the test's bundle. `file_path` is what it acts on.
fn tool(name: &str, action: &str, effect: &str, arguments: &[&str]) -> Value {
    let text = json!({"type": "string", "maxLength": 10_000});
    let properties: serde_json::Map<String, Value> = arguments
        .iter()
        .map(|argument| ((*argument).to_owned(), text.clone()))
        .collect();
    let texts = arguments
        .iter()
        .filter(|argument| **argument != "file_path");
    let roles: serde_json::Map<String, Value> = texts
        .map(|argument| (format!("/{argument}"), json!("text")))
        .collect();
    let mut tool = json!({
        "tool": name, "action": action, "effect": effect, "description": "A tool.",
        "arguments": {"type": "object", "properties": properties, "additionalProperties": false},
        "roles": roles,
    });
    if arguments.contains(&"file_path") {
        tool["targets"] = json!([{"at": "/file_path", "type": "path", "entity": "File"}]);
    }
    tool
}

const POLICIES: &str = r#"
@id("reads-are-free")
@reason("The call only reads.")
permit (principal, action in Action::"reads", resource);

@id("asked-for")
@reason("A person's turn is behind it.")
permit (principal, action, resource) when { context.intent.live };

@id("person-says")
@reason("Commands are put to you.")
@escalate("requester")
forbid (principal, action == Action::"shell.run", resource);

@id("reviewer-says")
@reason("Deleting is put to a reviewer.")
@escalate
forbid (principal, action == Action::"file.delete", resource);

@id("outside")
@reason("It is outside of the project.")
forbid (principal, action == Action::"file.write", resource)
when { context.target has in_project && !context.target.in_project };

@id("no-network")
@reason("Nothing leaves the machine.")
forbid (principal, action == Action::"net.fetch", resource);
"#;

/// A home with a server whose bundle has a rule for each verdict, and the hooks installed.
struct Desk {
    home: Home,
    server: Serving,
    project: PathBuf,
}

impl Desk {
    fn new(install: &[&str]) -> Self {
        let home = Home::new();
        let bundle = home.path("bundle");
        std::fs::create_dir_all(bundle.join("tools")).unwrap();
        std::fs::create_dir_all(bundle.join("policies")).unwrap();
        std::fs::write(
            bundle.join("bundle.toml"),
            "name = \"assistant\"\ndescription = \"For tests.\"\n",
        )
        .unwrap();
        std::fs::write(bundle.join("schema.cedarschema"), "entity File;\n").unwrap();
        std::fs::write(bundle.join("policies/all.cedar"), POLICIES).unwrap();
        for tool in [
            tool("Read", "file.read", "read", &["file_path"]),
            tool("Write", "file.write", "write", &["file_path", "content"]),
            tool("Bash", "shell.run", "write", &["command", "description"]),
            tool("Delete", "file.delete", "irreversible", &["file_path"]),
            tool("Fetch", "net.fetch", "read", &["command"]),
        ] {
            let name = tool["tool"].as_str().unwrap();
            let path = bundle.join(format!("tools/{name}.json"));
            std::fs::write(path, tool.to_string()).unwrap();
        }
        let project = home.path("project");
        std::fs::create_dir_all(project.join(".git")).unwrap();
        let server = home.serve(&["--bundle", bundle.to_str().unwrap()]);
        let mut args = vec!["hook", "install", "claude-code"];
        args.extend(install);
        home.ok(&args);
        Self {
            home,
            server,
            project: project.canonicalize().unwrap(),
        }
    }

    fn settings(&self) -> PathBuf {
        self.home.path(".claude/settings.json")
    }

    /// The command that stands in the settings for an event.
    fn handler(&self, event: &str) -> Command {
        let settings: Value =
            serde_json::from_slice(&std::fs::read(self.settings()).unwrap()).unwrap();
        let handler = &settings["hooks"][event][0]["hooks"][0];
        let args = handler["args"].as_array().unwrap();
        let args: Vec<&str> = args.iter().map(|word| word.as_str().unwrap()).collect();
        let mut command = self.home.command(&args);
        assert_eq!(handler["command"], command.get_program().to_str().unwrap());
        command.current_dir(&self.project);
        command
    }

    /// Runs it, as the assistant does.
    fn raw(&self, event: &str, stdin: &[u8]) -> Ran {
        fed(self.handler(event), stdin)
    }

    fn event(&self, name: &str, more: Value) -> Value {
        let mut event = json!({
            "session_id": "11111111-2222-3333-4444-555555555555",
            "transcript_path": "/tmp/t.jsonl", "cwd": self.project,
            "hook_event_name": name, "permission_mode": "default", "prompt_id": "p1",
        });
        let members = more.as_object().unwrap().clone();
        event.as_object_mut().unwrap().extend(members);
        event
    }

    fn send(&self, name: &str, more: Value) -> Ran {
        self.raw(name, self.event(name, more).to_string().as_bytes())
    }

    /// Sends an event that is to be taken without a word.
    fn quiet(&self, name: &str, more: Value) {
        let ran = self.send(name, more);
        assert_eq!((ran.code, ran.out.as_str()), (0, ""), "{}", ran.err);
    }

    fn begin(&self, prompt: &str) {
        self.quiet("SessionStart", json!({"source": "startup"}));
        self.quiet("UserPromptSubmit", json!({"prompt": prompt}));
    }

    fn call(&self, id: &str, tool: &str, input: Value) -> (String, String) {
        self.call_with(id, tool, input, json!({}))
    }

    fn call_with(&self, id: &str, tool: &str, input: Value, more: Value) -> (String, String) {
        let mut event = json!({"tool_name": tool, "tool_input": input, "tool_use_id": id});
        event
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        decision(&self.send("PreToolUse", event))
    }

    fn finished(&self, id: &str, tool: &str, input: Value, response: Value) -> Ran {
        self.send(
            "PostToolUse",
            json!({"tool_name": tool, "tool_input": input, "tool_use_id": id, "tool_response": response, "duration_ms": 3}),
        )
    }

    /// The entries of a kind, oldest first.
    fn entries(&self, kind: &str) -> Vec<Value> {
        let query = ["entries", "--kind", kind, "--limit", "100", "--oldest"];
        let page = self.home.json(0, &query);
        let entries = page["entries"].as_array().cloned();
        let entries = entries.unwrap_or_else(|| panic!("{page}"));
        entries
            .into_iter()
            .map(|mut it| it["entry"].take())
            .collect()
    }
}

/// The decision and its reason.
fn decision(ran: &Ran) -> (String, String) {
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    let answer: Value = serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{}", ran.out));
    let decision = &answer["hookSpecificOutput"];
    assert_eq!(decision["hookEventName"], "PreToolUse");
    let text = |name: &str| decision[name].as_str().unwrap().to_owned();
    (text("permissionDecision"), text("permissionDecisionReason"))
}

#[test]
fn the_recorded_session_is_judged_and_recorded() {
    let recorded = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(RECORDED);
    if !recorded.exists() {
        eprintln!(
            "SKIPPED: the recorded events are not at {}",
            recorded.display()
        );
        return;
    }
    let desk = Desk::new(&[]);
    let mut files: Vec<PathBuf> = std::fs::read_dir(&recorded)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "json"))
        .collect();
    files.sort();
    assert!(files.len() >= 15);
    let mut decisions = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let event: Value = serde_json::from_str(&text).unwrap();
        let name = event["hook_event_name"].as_str().unwrap();
        let ran = match name {
            "Stop" | "PostToolBatch" => {
                fed(desk.home.command(&["hook", "claude-code"]), text.as_bytes())
            }
            _ => desk.raw(name, text.as_bytes()),
        };
        match name {
            "PreToolUse" => {
                let (decision, _) = decision(&ran);
                decisions.push((event["tool_name"].as_str().unwrap().to_owned(), decision));
            }
            _ => assert_eq!(
                (ran.code, ran.out.as_str()),
                (0, ""),
                "{file:?} {}",
                ran.err
            ),
        }
    }
    let expected = [
        ("Bash", "ask"),
        ("Read", "allow"),
        ("Bash", "ask"),
        ("Write", "allow"),
    ];
    let expected = expected.map(|(tool, decision)| (tool.to_owned(), decision.to_owned()));
    assert_eq!(decisions, expected);
    assert_eq!(desk.entries("intent").len(), 1);
    assert_eq!(desk.entries("session-open").len(), 1);
    // Four calls, and one decision for each answer of the person.
    assert_eq!(desk.entries("decision").len(), 6);
    assert_eq!(desk.entries("review").len(), 2);
    let executions = desk.entries("execution");
    let failed: Vec<&Value> = executions.iter().map(|entry| &entry["is_error"]).collect();
    assert_eq!(failed, [&json!(false), &json!(true), &json!(false)]);
    let closed = desk.entries("session-close");
    assert_eq!(
        (&closed[0]["turns"], &closed[0]["executions"]),
        (&json!(1), &json!(3))
    );
}

#[test]
fn a_call_is_allowed_denied_or_put_to_the_person() {
    let desk = Desk::new(&["--review-wait", "1s"]);
    let path = desk.project.join("a.txt");
    // Before any prompt: nothing is asked for.
    desk.quiet("SessionStart", json!({"source": "startup"}));
    let (said, why) = desk.call("t0", "Write", json!({"file_path": path, "content": "x"}));
    assert_eq!(said, "deny", "{why}");
    desk.quiet("UserPromptSubmit", json!({"prompt": "write a.txt"}));
    let (said, _) = desk.call("t1", "Write", json!({"file_path": path, "content": "x"}));
    assert_eq!(said, "allow");
    let (said, why) = desk.call("t2", "Fetch", json!({"command": "x"}));
    assert_eq!(said, "deny");
    for part in [
        "no-network",
        "Nothing leaves the machine",
        "Entry 01",
        "Do not try",
    ] {
        assert!(why.contains(part), "{part}: {why}");
    }
    let (said, why) = desk.call("t3", "Unknown", json!({}));
    assert_eq!(said, "deny", "{why}");

    // The person is asked; that the call ran is the answer.
    let (said, why) = desk.call("t4", "Bash", json!({"command": "make"}));
    assert_eq!(said, "ask");
    assert!(
        why.contains("Commands are put to you") && why.contains("make"),
        "{why}"
    );
    assert_eq!(desk.entries("review").len(), 0);
    let ran = desk.finished(
        "t4",
        "Bash",
        json!({"command": "make"}),
        json!({"stdout": "ok"}),
    );
    assert_eq!((ran.code, ran.out.as_str()), (0, ""), "{}", ran.err);
    let review = &desk.entries("review")[0];
    assert_eq!(
        (&review["answer"], &review["signature"]),
        (&json!("approve"), &Value::Null)
    );
    let execution = desk.entries("execution").pop().unwrap();
    let decided = desk.entries("decision").pop().unwrap();
    assert_eq!(execution["links"]["decision"], decided["entry_id"]);
    assert_eq!(decided["outcome"], "approved");
    // A yes is for one run: the same event again is none.
    let (said, why) = desk.call("t4", "Bash", json!({"command": "make"}));
    assert!(said == "deny" && why.contains("has run already"), "{why}");
    // Told twice, it is recorded once.
    desk.finished(
        "t4",
        "Bash",
        json!({"command": "make"}),
        json!({"stdout": "ok"}),
    );
    assert_eq!(desk.entries("execution").len(), 1);

    // Where nobody sits, and where the rule wants a reviewer, the assistant is not told to ask.
    for mode in ["bypassPermissions", "dontAsk", "auto"] {
        let more = json!({"permission_mode": mode});
        let (said, _) = desk.call_with(
            &format!("t5-{mode}"),
            "Bash",
            json!({"command": "make"}),
            more,
        );
        assert_eq!(said, "deny", "{mode}");
    }
    let (said, why) = desk.call("t6", "Delete", json!({"file_path": path}));
    assert_eq!(said, "deny");
    assert!(why.contains("countersign reviews approve 01"), "{why}");
    // A call that was never approved and has run is told of.
    let ran = desk.finished("t6", "Delete", json!({"file_path": path}), json!("gone"));
    assert!(ran.out.contains("not approved here"), "{}", ran.out);
}

#[test]
fn a_path_is_where_its_links_lead() {
    let desk = Desk::new(&[]);
    desk.begin("write it all");
    let outside = desk.home.path("outside");
    std::fs::create_dir_all(outside.join("deep")).unwrap();
    std::os::unix::fs::symlink(&outside, desk.project.join("out")).unwrap();
    std::os::unix::fs::symlink(outside.join("deep"), desk.project.join("deep")).unwrap();
    std::os::unix::fs::symlink(&desk.project, desk.home.path("back")).unwrap();
    let project = desk.project.display();
    let back = desk.home.path("back").display().to_string();
    let cases = [
        (format!("{project}/a.txt"), "allow"),
        ("a.txt".to_owned(), "allow"),
        ("src/../a.txt".to_owned(), "allow"),
        (format!("{back}/a.txt"), "allow"),
        (format!("{project}/out/a.txt"), "deny"),
        ("out".to_owned(), "deny"),
        ("deep/../a.txt".to_owned(), "deny"),
        ("src/../deep/x".to_owned(), "deny"),
        ("../a.txt".to_owned(), "deny"),
        (outside.join("a.txt").display().to_string(), "deny"),
        ("~/a.txt".to_owned(), "deny"),
    ];
    for (path, expected) in cases {
        let input = json!({"file_path": path, "content": "x"});
        let (said, why) = desk.call(&format!("t-{path}"), "Write", input);
        assert_eq!(said, expected, "{path}: {why}");
        assert!(
            said == "allow" || why.contains("(outside)"),
            "{path}: {why}"
        );
    }
    // Where the assistant has gone to does not move its project.
    let input = json!({"file_path": "a.txt", "content": "x"});
    let more = json!({"cwd": outside});
    let (said, why) = desk.call_with("elsewhere", "Write", input, more);
    assert_eq!(said, "deny", "{why}");
}

#[test]
fn a_call_that_another_hook_changed_is_not_the_one_that_was_approved() {
    let desk = Desk::new(&[]);
    desk.begin("write a.txt");
    let input = json!({"file_path": desk.project.join("a.txt"), "content": "x"});
    let other = json!({"file_path": "/etc/passwd", "content": "x"});
    assert_eq!(desk.call("t1", "Write", input).0, "allow");
    let ran = desk.finished("t1", "Write", other.clone(), json!("ok"));
    assert!(ran.out.contains("other arguments"), "{}", ran.out);
    let execution = &desk.entries("execution")[0];
    assert_eq!(
        (&execution["phase"], &execution["result_ref"]),
        (&json!("unknown"), &Value::Null)
    );
    // Nobody's yes was about what ran.
    assert_eq!(desk.call("t2", "Bash", json!({"command": "make"})).0, "ask");
    let ran = desk.finished(
        "t2",
        "Bash",
        json!({"command": "make install"}),
        json!("ok"),
    );
    assert!(ran.out.contains("other arguments"), "{}", ran.out);
    assert_eq!(
        (
            desk.entries("review").len(),
            desk.entries("execution").len()
        ),
        (0, 1)
    );
    // Nor about a call that was perhaps kept back.
    assert_eq!(desk.call("t3", "Bash", json!({"command": "make"})).0, "ask");
    let failed = json!({"tool_name": "Bash", "tool_input": {"command": "make"}, "tool_use_id": "t3", "error": "no"});
    let ran = desk.send("PostToolUseFailure", failed);
    assert!(ran.out.contains("expires"), "{}", ran.out);
    assert_eq!(desk.entries("review").len(), 0);
}

#[test]
fn a_call_waits_for_a_reviewer_in_another_terminal() {
    let desk = Desk::new(&["--review-wait", "40s"]);
    desk.begin("delete a.txt");
    // Nobody reviews what is done in their own name, so it is somebody else's.
    let key = desk.home.path("kim.key").display().to_string();
    let public = desk.home.ok(&["reviews", "key", "--new", "--key", &key]);
    let grant = [
        "credential",
        "add",
        "--role",
        "reviewer",
        "--principal",
        "user:kim",
    ];
    let token = desk
        .home
        .ok(&[&grant[..], &["--public-key", &public]].concat());
    let input = json!({"file_path": desk.project.join("a.txt")});
    let review = |verb: &str, id: &str| {
        let call = json!({"tool_name": "Delete", "tool_input": input, "tool_use_id": id});
        let call = desk.event("PreToolUse", call).to_string();
        let handler = desk.handler("PreToolUse");
        let waiting = std::thread::spawn(move || fed(handler, call.as_bytes()));
        let decided = loop {
            let open = desk.home.json(0, &["reviews"]);
            if let Some(first) = open["reviews"].as_array().unwrap().first() {
                break first["decision"].as_str().unwrap().to_owned();
            }
            assert!(!waiting.is_finished(), "it did not wait");
        };
        let answer = [
            "reviews", verb, &decided, "--yes", "--key", &key, "--token", &token,
        ];
        desk.home.ok(&answer);
        decision(&waiting.join().unwrap())
    };
    let (said, why) = review("approve", "t1");
    assert_eq!(said, "allow", "{why}");
    assert_eq!(
        desk.finished("t1", "Delete", input.clone(), json!("gone"))
            .out,
        ""
    );
    let decided = desk.entries("decision").pop().unwrap();
    let executed = desk.entries("execution").pop().unwrap();
    assert_eq!(executed["links"]["decision"], decided["entry_id"]);
    let (said, why) = review("reject", "t2");
    assert_eq!(said, "deny");
    assert!(why.contains("countersign.review-rejected"), "{why}");
}

#[test]
fn the_same_event_again_is_the_same_decision_and_another_call_of_its_id_is_refused() {
    let desk = Desk::new(&[]);
    desk.begin("write a.txt");
    let input = json!({"file_path": desk.project.join("a.txt"), "content": "x"});
    let first = desk.call("t1", "Write", input.clone());
    let again = desk.call("t1", "Write", input);
    assert_eq!(first, again);
    assert_eq!(desk.entries("decision").len(), 1);
    let other = json!({"file_path": desk.project.join("b.txt"), "content": "x"});
    assert_eq!(desk.call("t1", "Write", other).0, "deny");
}

#[test]
fn words_that_are_not_the_persons_give_no_authority() {
    let desk = Desk::new(&[]);
    desk.quiet("SessionStart", json!({"source": "startup"}));
    let input = |name: &str| json!({"file_path": desk.project.join(name), "content": "x"});
    let prompts = [
        ("p-loop", json!("loop_wakeup"), "deny"),
        ("p-poll", json!("poll_event"), "deny"),
        ("p-sdk", json!("sdk"), "deny"),
        ("p-new", json!("something_new"), "deny"),
        ("p-user", json!("user"), "allow"),
        // It goes on with what the person asked for.
        ("p-wake", json!("schedule_wakeup"), "allow"),
    ];
    for (id, source, expected) in prompts {
        desk.quiet(
            "UserPromptSubmit",
            json!({"prompt": "write it", "source": source, "prompt_id": id}),
        );
        let more = json!({"prompt_id": id});
        let (said, why) = desk.call_with(id, "Write", input(id), more);
        assert_eq!(said, expected, "{id}: {why}");
    }
    let turns = desk.entries("intent");
    let authors: Vec<&Value> = turns.iter().map(|turn| &turn["author"]).collect();
    assert_eq!(authors, [&json!("human"), &json!("schedule")]);
    // A prompt that this hook never saw is nobody's turn, however alive the last one is.
    let (said, _) = desk.call_with("late", "Write", input("c"), json!({"prompt_id": "unseen"}));
    assert_eq!(said, "deny");
}

#[test]
fn what_a_program_passes_on_counts_as_the_persons_only_if_the_install_says_so() {
    let desk = Desk::new(&["--trust-sdk-prompts"]);
    desk.quiet("SessionStart", json!({"source": "startup"}));
    desk.quiet(
        "UserPromptSubmit",
        json!({"prompt": "write it", "source": "sdk"}),
    );
    let input = json!({"file_path": desk.project.join("a"), "content": "x"});
    assert_eq!(desk.call("t1", "Write", input).0, "allow");
}

#[test]
fn a_subagent_acts_on_its_parents_turn_as_itself() {
    let desk = Desk::new(&[]);
    desk.begin("write a.txt");
    let agent = json!({"agent_id": "a1", "agent_type": "general purpose"});
    let input = json!({"file_path": desk.project.join("a.txt"), "content": "x"});
    let before = desk.call_with("t1", "Write", input.clone(), agent.clone());
    assert_eq!(before.0, "deny", "{}", before.1);
    desk.quiet("SubagentStart", agent.clone());
    let after = desk.call_with("t2", "Write", input, agent);
    assert_eq!(after.0, "allow", "{}", after.1);
    let decided = desk.entries("decision").pop().unwrap();
    assert_eq!(decided["actor"], "agent:claude-code/general@20purpose");
    assert_eq!(desk.entries("delegation").len(), 1);
}

#[test]
fn a_server_that_is_gone_or_mute_refuses() {
    let desk = Desk::new(&["--review-wait", "1s"]);
    desk.begin("write a.txt");
    let input = json!({"file_path": desk.project.join("a.txt"), "content": "x"});
    assert_eq!(desk.call("t1", "Write", input.clone()).0, "allow");
    desk.server.signal("KILL");
    let (said, why) = desk.call("t2", "Write", input.clone());
    assert_eq!(said, "deny");
    assert!(why.contains("countersign serve"), "{why}");
    // What ran is told to be missing from the ledger; a prompt is not lost, and carries nothing.
    assert!(
        desk.finished("t1", "Write", input.clone(), json!("ok"))
            .out
            .contains("not recorded")
    );
    let prompt = desk.send(
        "UserPromptSubmit",
        json!({"prompt": "more", "prompt_id": "p2"}),
    );
    assert!(
        prompt.code == 0 && prompt.out.contains("not registered"),
        "{}",
        prompt.out
    );

    // Whoever answers in the server's place with something else approves nothing.
    let address = desk.server.url.strip_prefix("http://").unwrap();
    for answer in [
        "",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}",
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 24\r\n\r\n{\"outcome\":\"approved\"}  ",
        "nonsense\r\n\r\n",
    ] {
        let listener = listen(address);
        let served = std::thread::spawn(move || {
            let (mut connection, _) = listener.accept().unwrap();
            let _ = std::io::Read::read(&mut connection, &mut [0; 64 * 1024]);
            let _ = connection.write_all(answer.as_bytes());
        });
        assert_eq!(
            desk.call("t3", "Write", input.clone()).0,
            "deny",
            "{answer}"
        );
        served.join().unwrap();
    }
}

/// The address of a server that is gone; the system may hold it for a moment.
fn listen(address: &str) -> std::net::TcpListener {
    let begun = std::time::Instant::now();
    loop {
        match std::net::TcpListener::bind(address) {
            Ok(listener) => return listener,
            Err(error) => assert!(begun.elapsed().as_secs() < 60, "{error}"),
        }
        std::thread::yield_now();
    }
}

#[test]
fn no_command_line_of_a_handler_fails_open() {
    let home = Home::new();
    let call = json!({"hook_event_name": "PreToolUse", "session_id": "s", "cwd": "/",
        "tool_name": "Bash", "tool_input": {}, "tool_use_id": "t"});
    let call = call.to_string();
    for args in [
        vec!["hook", "claude-code"],
        vec!["hook", "claude-code", "--config"],
        vec!["hook", "claude-code", "--config", "/nowhere"],
        vec!["hook", "claude-code", "--config=/nowhere"],
        vec!["hook", "claude-code", "--config", "/nowhere", "more"],
        vec!["hook", "claude-code", "--bogus"],
        vec!["hook", "claude-code", "PreToolUse"],
        vec!["--json", "hook", "claude-code"],
        vec!["--bogus", "hook", "claude-code"],
        vec!["hook", "claude-kode"],
        vec!["hook", "claude-code", "--managed"],
        vec!["hook", "claude-code", "--managed", "--server"],
        vec!["hook", "claude-code", "--managed", "--server", "no address"],
        vec!["hook", "claude-code", "--managed", "--config", "/tmp/x"],
        vec!["--json", "hook", "claude-code", "--managed"],
    ] {
        let mut command = home.command(&args);
        command.env("COUNTERSIGN_TIMEOUT_S", "no number");
        let ran = fed(command, call.as_bytes());
        let is_denied = ran.code == 0 && ran.out.contains("\"permissionDecision\":\"deny\"");
        assert!(
            is_denied || ran.code == 2,
            "{args:?}: {} {}",
            ran.code,
            ran.out
        );
    }
    // What cannot be said is a refusal.
    let mut command = home.command(&["hook", "claude-code"]);
    let full = std::fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    command
        .stdin(Stdio::null())
        .stdout(full)
        .stderr(Stdio::null());
    assert_eq!(command.status().unwrap().code(), Some(2));
}

#[test]
fn installing_grants_once_and_uninstalling_leaves_nothing_of_ours() {
    let desk = Desk::new(&[]);
    let settings = desk.settings();
    let first = std::fs::read(&settings).unwrap();
    let credentials = |desk: &Desk| {
        let list = desk.home.json(0, &["credential", "list"]);
        let list = list["credentials"].as_array().unwrap().clone();
        let ours = |view: &&Value| {
            view["name"]
                .as_str()
                .is_some_and(|name| name.starts_with("hook "))
        };
        let live = list
            .iter()
            .filter(ours)
            .filter(|view| view["revoked"] == false);
        (list.iter().filter(ours).count(), live.count())
    };
    assert_eq!(credentials(&desk), (3, 3));
    let again = desk.home.json(0, &["hook", "install", "claude-code"]);
    assert_eq!(
        (&again["changed"], &again["granted"]),
        (&json!(false), &json!(false))
    );
    assert_eq!(std::fs::read(&settings).unwrap(), first);
    assert_eq!(credentials(&desk), (3, 3));
    let renewed = desk
        .home
        .json(0, &["hook", "install", "claude-code", "--renew"]);
    assert_eq!(renewed["revoked"], 3);
    assert_eq!(credentials(&desk), (6, 3));
    desk.begin("go on");

    let out = desk
        .home
        .json(0, &["hook", "uninstall", "claude-code", "--revoke"]);
    assert_eq!(
        (&out["changed"], &out["revoked"]),
        (&json!(true), &json!(3))
    );
    assert_eq!(std::fs::read_to_string(&settings).unwrap(), "{}\n");
    assert!(
        !desk
            .home
            .path("config/countersign/hooks/claude-code.toml")
            .exists()
    );
    assert_eq!(credentials(&desk), (6, 0));
    std::fs::write(&settings, "{ not json").unwrap();
    desk.home.expect(2, &["hook", "install", "claude-code"]);
    assert_eq!(
        credentials(&desk),
        (6, 0),
        "nothing is granted for what cannot be installed"
    );
    assert_eq!(std::fs::read_to_string(&settings).unwrap(), "{ not json");
}

#[test]
fn the_projects_settings_are_those_of_the_directory() {
    let desk = Desk::new(&[]);
    let mut command = desk
        .home
        .command(&["hook", "install", "claude-code", "--project"]);
    command.current_dir(&desk.project);
    let ran = fed(command, b"");
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(desk.project.join(".claude/settings.json").exists());
    assert!(ran.err.contains("whoever else has it"), "{}", ran.err);
    desk.home.expect(
        2,
        &["hook", "install", "claude-code", "--project", "--user"],
    );
}

#[test]
fn agent_hooks_speaks_over_stdin_and_http() {
    let desk = Desk::new(&[]);
    desk.home.ok(&["hook", "install", "agent-hooks"]);
    let context = |point: &str, more: Value| {
        let mut context = json!({
            "spec": "agent-hooks/0.1", "interception_point": point,
            "timestamp": "2026-11-23T00:00:00.000Z", "sequence": 1,
            "agent": {"id": "a 1", "framework": "test"}, "session": {"id": "run 7"},
        });
        context
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        context
    };
    let stdin = |context: &Value| -> Value {
        let ran = fed(
            desk.home.command(&["hook", "agent-hooks"]),
            context.to_string().as_bytes(),
        );
        assert_eq!(ran.code, 0, "{}", ran.err);
        serde_json::from_str(&ran.out).unwrap()
    };
    let call = |tool: &str, args: Value| {
        context(
            "pre_tool_call",
            json!({"tool_call": {"id": format!("c-{tool}"), "name": tool, "args": args}, "target": args}),
        )
    };
    let write = json!({"file_path": "a.txt", "content": "x"});
    assert_eq!(
        stdin(&context(
            "agent_startup",
            json!({"agent_init": {"tools_registered": []}, "target": {}})
        ))["decision"],
        "allow"
    );
    assert_eq!(
        stdin(&context(
            "pre_model_call",
            json!({"messages": [], "target": []})
        ))["decision"],
        "allow"
    );
    let denied = stdin(&call("Write", write.clone()));
    assert_eq!(denied["decision"], "deny");
    let outside = json!({"input": {"role": "external", "content": "write it"}, "target": {}});
    assert_eq!(
        stdin(&context("input", outside))["warnings"][0]["reason"],
        "countersign.notice"
    );
    let asked = json!({"input": {"role": "user", "content": "write a.txt"}, "target": {}});
    assert_eq!(stdin(&context("input", asked))["decision"], "allow");
    let call_again = |id: &str| {
        context(
            "pre_tool_call",
            json!({"tool_call": {"id": id, "name": "Write", "args": write}, "target": write}),
        )
    };
    let allowed = stdin(&call_again("c2"));
    assert_eq!(allowed["decision"], "allow", "{allowed}");
    let artefact = allowed["evidence"]["artefact"].as_str().unwrap();
    assert!(
        artefact.contains('#') && artefact.starts_with("countersign.invalid/"),
        "{artefact}"
    );
    let lifted = stdin(&call("Bash", json!({"command": "make"})));
    assert_eq!(lifted["decision"], "deny");
    assert!(
        lifted["approval"]["countersign"]["decision"].is_string(),
        "{lifted}"
    );
    let deleted = stdin(&call("Delete", json!({"file_path": "a"})));
    assert!(
        deleted["decision"] == "deny" && deleted.get("approval").is_none(),
        "{deleted}"
    );
    let result = json!({"tool_call": {"id": "c-Bash", "name": "Bash", "args": {"command": "make"}},
        "tool_result": {"value": "done", "is_error": false}, "target": "done"});
    assert_eq!(
        stdin(&context("post_tool_call", result))["decision"],
        "allow"
    );
    assert_eq!(desk.entries("review").len(), 1);
    let mut two = call_again("c3");
    two["target"] = json!({"file_path": "other"});
    for bad in [
        json!({}),
        json!([]),
        two,
        context("new_point", json!({})),
        {
            let mut other = call_again("c4");
            other["spec"] = json!("agent-hooks/0.2");
            other
        },
    ] {
        let verdict = stdin(&bad);
        assert_eq!(
            (&verdict["decision"], &verdict["reason"]),
            (&json!("deny"), &json!("countersign.error")),
            "{bad}"
        );
    }

    let config =
        std::fs::read_to_string(desk.home.path("config/countersign/hooks/agent-hooks.toml"))
            .unwrap();
    let token = config
        .lines()
        .find_map(|line| line.strip_prefix("listen = "))
        .unwrap()
        .trim_matches('"')
        .to_owned();
    let listening = desk
        .home
        .command(&["hook", "agent-hooks", "--listen", "127.0.0.1:0"]);
    let listener = Serving::start(listening, desk.home.path("listen.log"));
    let host = listener
        .url
        .trim_start_matches("http://")
        .trim_end_matches('/')
        .to_owned();
    let post = |headers: &str, body: &str| -> (u16, String) {
        let mut connection = std::net::TcpStream::connect(&host).unwrap();
        let length = body.len();
        write!(connection, "POST / HTTP/1.1\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}").unwrap();
        let mut answer = String::new();
        std::io::Read::read_to_string(&mut connection, &mut answer).unwrap();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        (status, answer.split_once("\r\n\r\n").unwrap().1.to_owned())
    };
    let good = format!(
        "host: {host}\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\n"
    );
    let (status, verdict) = post(&good, &call_again("c5").to_string());
    assert_eq!(status, 200);
    assert_eq!(
        serde_json::from_str::<Value>(&verdict).unwrap()["decision"],
        "allow"
    );
    assert!(post(&good, "nonsense").1.contains("\"deny\""));
    for (headers, expected) in [
        (good.replace(&token, "csl_other"), 401),
        (good.replace("authorization", "x-authorization"), 401),
        (good.replacen(&host, "evil.example", 1), 421),
        (format!("{good}origin: http://evil.example\r\n"), 403),
        (good.replace("application/json", "text/plain"), 415),
    ] {
        assert_eq!(
            post(&headers, &call_again("c6").to_string()).0,
            expected,
            "{headers}"
        );
    }
    desk.home
        .expect(2, &["hook", "agent-hooks", "--listen", "0.0.0.0:0"]);
}
