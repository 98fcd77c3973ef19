//! Claude Code's hooks: what its settings say, which events were seen, and what the configured
//! command answers to recorded events.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use countersign_core::entry::Surface;
use countersign_core::verdict::Outcome;
use countersign_hooks::claude::NAME;
use countersign_hooks::claude::settings::{Inspection, InstalledHandler, Scope};
use countersign_hooks::{Config, SeenEvent, State};
use serde_json::{Value, json};

use super::Probe;
use super::ledger::{Ledger, entry_in, said};
use super::process::{Ran, run};
use super::report::{Check, Light, Section};
use super::settings::{Installed, credentials};
use crate::profile::Profile;

/// The client that was measured: hooks that fail block there, and where they stand.
const MEASURED: [u64; 3] = [2, 1, 330];
/// How long the client may take to say its version.
const VERSION_LIMIT: Duration = Duration::from_secs(15);
/// How long a handler may take that has no limit of its own: the client's default.
const HANDLER_LIMIT: Duration = Duration::from_secs(60);
/// How long a handler is waited for at most.
const LONGEST: Duration = Duration::from_secs(120);
/// A file of the project that a turn of the trial names.
const HARMLESS: &str = "countersign-doctor.txt";

/// Everything about the hooks.
pub(super) fn examine(
    probe: &Probe,
    installed: &[Installed],
    profile: Option<&Profile>,
) -> Section {
    let mut section = Section::new("Claude Code");
    if installed.is_empty() {
        let says = match credentials() {
            None => "no hook is installed: what it does is not judged here".to_owned(),
            Some(path) => format!(
                "no hook stands in the settings that count here, so what it does is not judged; there are credentials of one in {}, so it was installed, or is elsewhere",
                path.display()
            ),
        };
        section.add(
            Check::yellow(says).hint("`countersign hook install claude-code` puts the hooks in"),
        );
        return section;
    }
    for file in installed {
        for check in file.checks() {
            section.add(check);
        }
    }
    section.add(version());
    let readable = installed.iter().filter_map(|file| {
        let inspection = file.inspection.as_ref().ok()?;
        inspection
            .is_installed()
            .then_some((file.scope, inspection))
    });
    // Each configuration once: hooks of two files may share one.
    let mut seen: Vec<PathBuf> = Vec::new();
    for (scope, inspection) in readable {
        let Some(path) = inspection.config() else {
            continue;
        };
        if seen.contains(&path) {
            continue;
        }
        hooks_of(probe, (scope, inspection), &path, profile, &mut section);
        seen.push(path);
    }
    section
}

fn hooks_of(
    probe: &Probe,
    (scope, inspection): (Scope, &Inspection),
    path: &Path,
    profile: Option<&Profile>,
    section: &mut Section,
) {
    let config = match Config::read(path) {
        Ok(config) => config,
        Err(error) => {
            section.add(
                Check::red(format!(
                    "the hook's own credentials cannot be used: {error}"
                ))
                .hint("`countersign hook install claude-code` grants new ones"),
            );
            return;
        }
    };
    match State::at(&config.state, NAME).last_events() {
        Ok(events) => section.add(last_events(&events)),
        Err(error) => section.add(Check::yellow(format!(
            "what was seen is not known: {error}"
        ))),
    }
    if !probe.is_sending {
        return;
    }
    let of_server = profile.filter(|profile| {
        let address = profile.server.parse::<countersign_client::ServerUrl>();
        address.is_ok_and(|address| address == config.server)
    });
    // What root wrote into the managed settings is as good as the profile.
    let named = || match scope {
        Scope::Managed => inspection.log_key(),
        _ => None,
    };
    let known = of_server
        .map(|profile| profile.log_key.clone())
        .or_else(named);
    let client = config.client().map_err(said);
    let ledger = client.and_then(|client| {
        let agent = client.with_token(config.tokens.agent.clone());
        Ledger::of(agent, known.as_deref(), false)
    });
    let ledger = match ledger {
        Ok(ledger) => ledger,
        Err(error) => {
            section.add(Check::red(format!("its server {}: {error}", config.server)));
            return;
        }
    };
    if !ledger.is_known {
        section.add(Check::yellow(format!(
            "no profile is of the server {}, so proofs are held against the key that it names itself",
            config.server
        )));
    }
    let trial = Trial {
        probe,
        config: path,
        handlers: &inspection.handlers,
        ledger: &ledger,
    };
    trial.hold(scope, section);
}

/// The newest real event of each kind; those of a trial are not noted.
fn last_events(events: &BTreeMap<String, SeenEvent>) -> Check {
    let has = |event: &str| events.contains_key(event);
    if events.is_empty() {
        return Check::yellow("no real event was seen yet")
            .hint("let the assistant read a file, and run this again");
    }
    let listed: Vec<String> = events
        .iter()
        .map(|(event, seen)| format!("{event} {}", ago(seen.at_ms)))
        .collect();
    let listed = listed.join(", ");
    if has("SessionStart") && !has("PreToolUse") {
        return Check::red(format!(
            "sessions have begun, and no call ever came to the hook: last seen {listed}"
        ))
        .hint("let the assistant read a file, and run this again; if that is not seen, its calls go undecided");
    }
    if has("PreToolUse") && !has("UserPromptSubmit") {
        return Check::yellow(format!(
            "calls came to the hook and no prompt ever did, so they name no turn: last seen {listed}"
        ));
    }
    Check::green(format!("last seen: {listed}"))
}

fn ago(at_ms: u64) -> String {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now_ms = since.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    });
    let seconds = now_ms.saturating_sub(at_ms) / 1_000;
    match seconds {
        0..=119 => format!("{seconds} s ago"),
        120..=7_199 => format!("{} min ago", seconds / 60),
        7_200..=172_799 => format!("{} h ago", seconds / 3_600),
        _ => format!("{} days ago", seconds / 86_400),
    }
}

/// The client's version: older ones than the measured may not know `onFailure`.
fn version() -> Check {
    let mut command = Command::new("claude");
    command.arg("--version");
    let ran = match run(command, b"", VERSION_LIMIT) {
        Ok(ran) => ran,
        Err(error) => {
            return Check::yellow(format!(
                "the version of the client is not known: `claude --version`: {error}"
            ));
        }
    };
    let text = ran.stdout.trim();
    let (measured, name) = (MEASURED, MEASURED.map(|part| part.to_string()).join("."));
    match parsed(text) {
        None => Check::yellow(format!("`claude --version` says `{text}`, which is no version")),
        Some(version) if version < measured => Check::yellow(format!(
            "the client is {text}; that a hook that fails blocks (`onFailure`) was measured from {name} on"
        ))
        .hint("update the client"),
        Some(_) => Check::green(format!(
            "the client is {text}, which knows `onFailure` (measured with {name})"
        )),
    }
}

fn parsed(text: &str) -> Option<[u64; 3]> {
    let mut parts = text.split([' ', '-']).next()?.split('.');
    let mut part = || parts.next()?.parse().ok();
    Some([part()?, part()?, part()?])
}

/// Recorded events through the configured command.
struct Trial<'a> {
    probe: &'a Probe,
    config: &'a Path,
    handlers: &'a [InstalledHandler],
    ledger: &'a Ledger,
}

/// What a handler said to a call.
#[derive(Debug, PartialEq)]
struct Said {
    /// `allow`, `deny` or `ask`; `None` where the call would run undecided.
    decision: Option<String>,
    reason: String,
}

impl Trial<'_> {
    fn hold(&self, scope: Scope, section: &mut Section) {
        let prompt = format!("A trial by countersign doctor: read the file {HARMLESS}");
        let unopened = self.told("SessionStart", &json!({"source": "startup"}));
        let is_open = unopened.is_none();
        section.checks.extend(unopened);
        if is_open {
            let prompted = json!({"prompt": prompt});
            section
                .checks
                .extend(self.told("UserPromptSubmit", &prompted));
        }
        let own = json!({"file_path": self.config});
        section.add(self.must_be_denied("toolu_doctor_1", &own));
        if !is_open {
            section.add(Check::yellow(
                "no more was tried, since its session could not begin",
            ));
            return;
        }
        let file = self.probe.project.join(HARMLESS);
        let harmless = json!({"file_path": file});
        let passed = self.must_pass("toolu_doctor_2", &harmless);
        // The end of a call that was asked about would say that the person has answered yes.
        let has_passed = passed.light == Light::Green;
        section.add(passed);
        let ended = json!({
            "tool_name": "Read", "tool_input": harmless, "tool_use_id": "toolu_doctor_2",
            "tool_response": {"type": "text"}, "duration_ms": 1,
        });
        if has_passed {
            section.checks.extend(self.told("PostToolUse", &ended));
        }
        section
            .checks
            .extend(self.told("SessionEnd", &json!({"reason": "other"})));
        section.add(Check::green(format!(
            "tried with the hooks of the {} settings, in the session {NAME}:{}",
            scope.name(),
            self.probe.id
        )));
    }

    /// Reading the hook's own tokens, which no bundle may let a tool do.
    fn must_be_denied(&self, id: &str, input: &Value) -> Check {
        let what = "reading the hook's own tokens";
        let (said, _) = match self.call(id, input) {
            Ok(answered) => answered,
            Err(error) => return Check::red(error),
        };
        let entry = entry_in(&said.reason);
        let check = match (said.decision.as_deref(), &entry) {
            (Some("deny"), Some(entry)) => match self.stands(entry, Outcome::Approved) {
                Err(error) => Check::red(format!(
                    "{what} is denied by an entry that does not bear it out: {error}"
                )),
                Ok(Some(Outcome::Approved)) => Check::red(format!(
                    "{what} is denied, and the entry that it names says `approved`"
                )),
                Ok(_) => Check::green(format!("{what} is denied, and recorded with a proof that holds")),
            },
            (Some("deny"), None) => Check::red(format!(
                "{what} is denied without an entry, so nothing is decided: {}",
                said.reason
            )),
            (Some(other), _) => Check::red(format!("{what} must be denied, and is answered `{other}`"))
                .hint("the bundle in force lets a tool at the credentials: put one in force that does not, such as `coding-agent`"),
            (None, _) => fails_open(&said),
        };
        with_entry(check, entry)
    }

    /// Reading a file of the project that the turn names.
    fn must_pass(&self, id: &str, input: &Value) -> Check {
        let what = "reading a file of the project";
        let (said, took) = match self.call(id, input) {
            Ok(answered) => answered,
            Err(error) => return Check::red(error),
        };
        let entry = entry_in(&said.reason);
        let check = match (said.decision.as_deref(), &entry) {
            (Some("allow"), Some(entry)) => match self.stands(entry, Outcome::Rejected) {
                Ok(Some(Outcome::Approved)) => Check::green(format!(
                    "{what} passes, {} ms from the start of the hook to its answer",
                    took.as_millis()
                )),
                Ok(_) => Check::red(format!(
                    "{what} passes, and the entry that it names does not say `approved`"
                )),
                Err(error) => Check::red(format!(
                    "{what} passes by an entry that does not bear it out: {error}"
                )),
            },
            (Some("allow"), None) => Check::red(format!(
                "{what} passes without an entry: whatever answers there is no ledger"
            )),
            (Some("ask"), _) => Check::yellow(format!("{what} is asked about: {}", said.reason)),
            (Some(_), None) => Check::red(format!("{what} is refused: {}", said.reason)),
            (Some(_), Some(entry)) => Check::red(format!("{what} is refused: {}", said.reason))
                .hint(format!("`countersign explain {entry}` says why; a bundle that knows the assistant's tools comes in place of the one in force by `countersign policy publish --activate coding-agent`")),
            (None, _) => fails_open(&said),
        };
        with_entry(check, entry)
    }

    /// The outcome that an entry says; `unless` saves looking closer where it says that.
    fn stands(&self, entry: &str, unless: Outcome) -> Result<Option<Outcome>, String> {
        let proved = self.ledger.decision(entry)?;
        let outcome = proved.decision.outcome;
        if outcome != unless && proved.decision.surface != Surface::Hook {
            return Err(format!(
                "it is of the surface `{}`, not `hook`",
                proved.decision.surface.name()
            ));
        }
        Ok(Some(outcome))
    }

    fn call(&self, id: &str, input: &Value) -> Result<(Said, Duration), String> {
        let more = json!({"tool_name": "Read", "tool_input": input, "tool_use_id": id});
        let ran = self.event("PreToolUse", &more)?;
        let ran = ran.ok_or("no hook of ours stands before calls: all of them go undecided")?;
        Ok((said_to(&ran), ran.took))
    }

    /// An event that decides nothing. Only what is wrong with it is told.
    fn told(&self, event: &str, more: &Value) -> Option<Check> {
        let ran = match self.event(event, more) {
            Ok(ran) => ran?,
            Err(error) => return Some(Check::red(error)),
        };
        let message = json_of(&ran.stdout);
        let message = message.get("systemMessage").and_then(Value::as_str);
        match (ran.code, message) {
            (Some(0), None) => None,
            (Some(0), Some(message)) => Some(Check::red(format!("{event}: {message}"))),
            _ => Some(Check::red(format!("{event}: {}", ending(&ran)))),
        }
    }

    fn event(&self, event: &str, more: &Value) -> Result<Option<Ran>, String> {
        let mut handlers = self.handlers.iter();
        let Some(handler) = handlers.find(|handler| handler.event == event) else {
            return Ok(None);
        };
        let transcript = self.probe.project.join("countersign-doctor.jsonl");
        let mut input = json!({
            "session_id": self.probe.id,
            "transcript_path": transcript,
            "cwd": self.probe.project,
            "prompt_id": self.probe.id,
            "permission_mode": "default",
            "hook_event_name": event,
        });
        if let (Some(input), Some(more)) = (input.as_object_mut(), more.as_object()) {
            input.extend(more.clone());
        }
        let mut command = Command::new(&handler.command);
        command
            .args(&handler.args)
            .current_dir(&self.probe.project)
            .env("CLAUDE_PROJECT_DIR", &self.probe.project);
        let own = handler.timeout_s.map(Duration::try_from_secs_f64);
        let limit = own.and_then(Result::ok).unwrap_or(HANDLER_LIMIT);
        run(command, input.to_string().as_bytes(), limit.min(LONGEST))
            .map(Some)
            .map_err(|error| format!("{event}: `{}`: {error}", handler.command.display()))
    }
}

fn with_entry(check: Check, entry: Option<String>) -> Check {
    match entry {
        Some(entry) => check.entry(entry),
        None => check,
    }
}

fn fails_open(said: &Said) -> Check {
    Check::red(format!(
        "the hook before calls gives no decision, so the call would run: {}",
        said.reason
    ))
}

/// What the client makes of a handler's output.
fn said_to(ran: &Ran) -> Said {
    if ran.code == Some(2) {
        return Said {
            decision: Some("deny".to_owned()),
            reason: ran.stderr.trim().to_owned(),
        };
    }
    let output = json_of(&ran.stdout);
    let specific = output.get("hookSpecificOutput");
    let text = |name: &str| {
        let member = specific.and_then(|specific| specific.get(name));
        member.and_then(Value::as_str).map(str::to_owned)
    };
    let is_in_place = ran.code == Some(0) && text("hookEventName").as_deref() == Some("PreToolUse");
    let decision = text("permissionDecision").filter(|_| is_in_place);
    let reason = match &decision {
        Some(_) => text("permissionDecisionReason").unwrap_or_default(),
        None => ending(ran),
    };
    Said { decision, reason }
}

fn json_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_default()
}

fn ending(ran: &Ran) -> String {
    let code = match ran.code {
        Some(code) => format!("exit code {code}"),
        None => "ended by a signal".to_owned(),
    };
    let text = [ran.stderr.trim(), ran.stdout.trim()];
    let text = text.into_iter().find(|text| !text.is_empty());
    let text = text.unwrap_or("it printed nothing");
    let text: String = text.chars().take(400).collect();
    format!("{code}: {text}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::doctor::report::Light;

    fn ran(code: i32, stdout: &str, stderr: &str) -> Ran {
        Ran {
            stdout: stdout.to_owned(),
            stderr: stderr.to_owned(),
            code: Some(code),
            took: Duration::ZERO,
        }
    }

    /// What was measured with the real client.
    #[test]
    fn what_the_client_takes_for_no_decision_is_none_here() {
        let decision = |ran: &Ran| said_to(ran).decision;
        let good = r#"{"hookSpecificOutput":{"hookEventName":"PreToolUse","permissionDecision":"deny","permissionDecisionReason":"no"}}"#;
        assert_eq!(decision(&ran(0, good, "")).as_deref(), Some("deny"));
        assert_eq!(decision(&ran(2, "", "no")).as_deref(), Some("deny"));
        for open in [
            ran(0, "", ""),
            ran(1, good, ""),
            ran(0, r#"{"permissionDecision":"deny"}"#, ""),
            ran(0, r#"{"decision":"block"}"#, ""),
            ran(
                0,
                r#"{"hookSpecificOutput":{"permissionDecision":"deny"}}"#,
                "",
            ),
            ran(0, "denied", ""),
        ] {
            assert_eq!(decision(&open), None, "{open:?}");
        }
    }

    #[test]
    fn sessions_without_a_call_are_red() {
        let events = |names: &[&str]| {
            let seen = |name: &&str| {
                let seen = SeenEvent {
                    at_ms: 1_700_000_000_000,
                    session: "s".to_owned(),
                };
                ((*name).to_owned(), seen)
            };
            last_events(&names.iter().map(seen).collect()).light
        };
        assert_eq!(events(&[]), Light::Yellow);
        assert_eq!(events(&["SessionStart"]), Light::Red);
        assert_eq!(events(&["SessionStart", "UserPromptSubmit"]), Light::Red);
        assert_eq!(events(&["SessionStart", "PreToolUse"]), Light::Yellow);
        let all = ["PreToolUse", "SessionStart", "UserPromptSubmit"];
        assert_eq!(events(&all), Light::Green);
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        assert_eq!(parsed("2.1.330 (Claude Code)"), Some([2, 1, 330]));
        assert!(parsed("2.1.99 (Claude Code)").unwrap() < MEASURED);
        assert!(parsed("2.10.0").unwrap() > MEASURED);
        assert_eq!(parsed("Claude"), None);
    }
}
