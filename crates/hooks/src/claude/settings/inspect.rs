//! What stands in a settings file, and where it lets calls through.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::edit::Container;
use super::merge::is_ours;
use crate::claude::{EVENTS, NAME};
use crate::places;

/// What is found where a file switches all hooks off; but not those of the managed settings, unless
/// it is theirs.
pub const ALL_OFF: &str = "`disableAllHooks` is on: no hook runs";

/// What stands in a settings file.
#[derive(Debug, Clone, PartialEq)]
pub struct Inspection {
    /// The file.
    pub path: PathBuf,
    /// Our handlers, in the order of the file.
    pub handlers: Vec<InstalledHandler>,
    /// What is wrong with it, and what to know.
    pub findings: Vec<Finding>,
}

/// One of our handlers, as it stands in a settings file.
#[derive(Debug, Clone, PartialEq)]
pub struct InstalledHandler {
    /// The event.
    pub event: String,
    /// The group's `matcher`.
    pub matcher: Option<String>,
    /// The command.
    pub command: PathBuf,
    /// Its words.
    pub args: Vec<String>,
    /// How long it may take, in seconds.
    pub timeout_s: Option<f64>,
    /// `onFailure` of the handler.
    pub on_failure: Option<String>,
    /// Whether it runs beside the call, so that it cannot decide, or only for some calls.
    pub is_partial: bool,
}

/// Something about a settings file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Whether calls can run undecided because of it.
    pub fails_open: bool,
    /// What it is.
    pub text: String,
}

impl Inspection {
    /// Whether any hook of ours stands there.
    pub fn is_installed(&self) -> bool {
        !self.handlers.is_empty()
    }

    /// Whether calls can run undecided.
    pub fn fails_open(&self) -> bool {
        self.findings.iter().any(|finding| finding.fails_open)
    }

    /// The server that they are told, where each user has a configuration of it.
    pub fn server(&self) -> Option<String> {
        let mut servers = self.handlers.iter().map(|it| it.after("--server"));
        servers.find_map(|server| server.map(str::to_owned))
    }

    /// The key that the log of their server has, where they are told.
    pub fn log_key(&self) -> Option<String> {
        let mut keys = self.handlers.iter().map(|it| it.after("--log-key"));
        keys.find_map(|key| key.map(str::to_owned))
    }

    /// The configuration that the handlers are told to use.
    pub fn config(&self) -> Option<PathBuf> {
        self.handlers.iter().find_map(InstalledHandler::config)
    }

    fn find(&mut self, fails_open: bool, text: impl Into<String>) {
        self.findings.push(Finding {
            fails_open,
            text: text.into(),
        });
    }
}

impl InstalledHandler {
    /// The configuration that it is told to use; for whoever asks, where each user has one.
    pub fn config(&self) -> Option<PathBuf> {
        match self.is_of_each_user() {
            true => Some(places::config_below(&places::own_home().ok()?, NAME)),
            false => self.after("--config").map(PathBuf::from),
        }
    }

    fn is_of_each_user(&self) -> bool {
        self.args.iter().any(|word| word == "--managed") && self.after("--server").is_some()
    }

    fn after(&self, option: &str) -> Option<&str> {
        let mut words = self.args.iter().skip_while(|word| *word != option);
        words.nth(1).map(String::as_str)
    }
}

pub(super) fn inspect(path: &Path, text: Option<&str>) -> Result<Inspection, String> {
    let mut found = Inspection {
        path: path.to_owned(),
        handlers: Vec::new(),
        findings: Vec::new(),
    };
    let Some(text) = text else {
        return Ok(found);
    };
    // What could be read in two ways is refused here as it is where the file is changed.
    Container::root(text)?;
    let settings: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let hooks = settings.get("hooks").and_then(Value::as_object);
    for (event, groups) in hooks.into_iter().flatten() {
        for group in groups.as_array().into_iter().flatten() {
            read_group(event, group, &mut found);
        }
    }
    if settings.get("disableAllHooks") == Some(&Value::Bool(true)) {
        found.find(true, ALL_OFF);
    }
    let answers = hooks.and_then(|hooks| hooks.get("PermissionRequest"));
    if answers
        .and_then(Value::as_array)
        .is_some_and(|groups| !groups.is_empty())
    {
        found.find(
            false,
            "PermissionRequest: a hook stands there that can answer in the person's place what only they are asked",
        );
    }
    if found.is_installed() {
        judge(&mut found);
    }
    Ok(found)
}

fn read_group(event: &str, group: &Value, found: &mut Inspection) {
    let text = |value: &Value, name: &str| {
        let member = value.get(name).and_then(Value::as_str);
        member.map(str::to_owned)
    };
    let handlers = group.get("hooks").and_then(Value::as_array);
    for handler in handlers.into_iter().flatten().filter(|it| is_ours(it)) {
        let words = handler.get("args").and_then(Value::as_array);
        let words = words.into_iter().flatten().filter_map(Value::as_str);
        found.handlers.push(InstalledHandler {
            event: event.to_owned(),
            matcher: text(group, "matcher"),
            command: text(handler, "command").unwrap_or_default().into(),
            args: words.map(str::to_owned).collect(),
            timeout_s: handler.get("timeout").and_then(Value::as_f64),
            on_failure: text(handler, "onFailure"),
            is_partial: handler.get("async") == Some(&Value::Bool(true))
                || handler.get("if").is_some()
                || handler
                    .get("once")
                    .is_some_and(|once| *once == Value::Bool(true)),
        });
        if group.get("onFailure").is_some() {
            found.find(
                false,
                format!(
                    "{event}: `onFailure` on the matcher is ignored; it belongs on the handler"
                ),
            );
        }
    }
}

fn judge(found: &mut Inspection) {
    for event in EVENTS {
        if !found.handlers.iter().any(|handler| handler.event == *event) {
            let fails_open = matches!(*event, "PreToolUse" | "ConfigChange");
            found.find(fails_open, format!("{event}: no hook of ours stands there"));
        }
    }
    for handler in found.handlers.clone() {
        let event = &handler.event;
        let decides = matches!(
            event.as_str(),
            "PreToolUse" | "UserPromptSubmit" | "ConfigChange"
        );
        if decides && handler.on_failure.as_deref() != Some("block") {
            found.find(
                event != "UserPromptSubmit",
                format!(
                    "{event}: `onFailure` is not `block`, so a handler that fails lets it go on"
                ),
            );
        }
        if event == "PreToolUse" && handler.is_partial {
            found.find(
                true,
                "PreToolUse: the handler runs for some calls only, or beside them",
            );
        }
        let matcher = handler.matcher.as_deref().unwrap_or("*");
        if event == "PreToolUse" && !matches!(matcher, "" | "*" | ".*") {
            found.find(
                true,
                format!(
                    "PreToolUse: the matcher `{}` leaves other tools out",
                    crate::names::shown(matcher)
                ),
            );
        }
        if !is_program(&handler.command) {
            found.find(
                false,
                format!(
                    "{event}: `{}` is no program that can be run",
                    handler.command.display()
                ),
            );
        }
        match handler.after("--config").map(Path::new) {
            _ if handler.is_of_each_user() => {}
            Some(config) if config.is_absolute() => {}
            _ => found.find(
                false,
                format!("{event}: the handler is told no configuration, so variables that a project sets can choose one"),
            ),
        }
    }
}

fn is_program(path: &Path) -> bool {
    let metadata = std::fs::metadata(path);
    path.is_absolute()
        && metadata.is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0)
}
