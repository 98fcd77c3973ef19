//! Our hooks among those of others.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::edit::Container;
use crate::claude::{EVENTS, NAME};

/// Events whose groups are told apart by the tool.
const WITH_MATCHER: &[&str] = &["PreToolUse", "PostToolUse", "PostToolUseFailure"];
/// Events that must not go on where the handler fails.
const BLOCKING: &[&str] = &["PreToolUse", "UserPromptSubmit", "ConfigChange"];
/// How long an event may take that waits for nobody, in seconds.
const TIMEOUT_S: u64 = 30;

/// The hooks as they are to stand in a settings file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The absolute path of this binary.
    pub binary: PathBuf,
    /// What the handlers are told of their configuration.
    pub config: Told,
    /// How long a call may wait for a person, in seconds.
    pub review_wait_s: u64,
}

/// What a handler is told of its configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// The absolute path of the file.
    File(PathBuf),
    /// That each user has one, below the home directory that the system knows, and which server it
    /// has to be of.
    OfUser {
        /// The server's address.
        server: String,
        /// The key of the server's log, for `countersign doctor`.
        log_key: Option<String>,
    },
}

impl<P: Into<PathBuf>> From<P> for Told {
    fn from(path: P) -> Self {
        Self::File(path.into())
    }
}

impl Told {
    fn words(&self) -> Vec<String> {
        let word = str::to_owned;
        match self {
            Self::File(path) => vec![word("--config"), path.to_string_lossy().into_owned()],
            Self::OfUser { server, log_key } => {
                let mut words = vec![word("--managed"), word("--server"), server.clone()];
                if let Some(key) = log_key {
                    words.extend([word("--log-key"), key.clone()]);
                }
                words
            }
        }
    }
}

impl Wanted {
    /// The group of one event.
    pub(super) fn group(&self, event: &str) -> Value {
        // What the server's answers and the rest may take comes on top.
        let timeout = match event {
            "PreToolUse" => self.review_wait_s + TIMEOUT_S,
            _ => TIMEOUT_S,
        };
        let mut args = vec!["hook".to_owned(), NAME.to_owned()];
        args.extend(self.config.words());
        let mut handler = json!({
            "type": "command",
            "command": self.binary.to_string_lossy(),
            "args": args,
            "timeout": timeout,
        });
        if BLOCKING.contains(&event)
            && let Some(handler) = handler.as_object_mut()
        {
            // On the handler: on the group it is ignored, and the call runs.
            handler.insert("onFailure".to_owned(), Value::from("block"));
        }
        match WITH_MATCHER.contains(&event) {
            true => json!({"matcher": "*", "hooks": [handler]}),
            false => json!({"hooks": [handler]}),
        }
    }
}

/// Whether a handler is ours: this command, wherever its binary lies.
pub(super) fn is_ours(handler: &Value) -> bool {
    let words = handler.get("args").and_then(Value::as_array);
    let says = |at: usize, word: &str| {
        let found = words.and_then(|words| words.get(at));
        found.and_then(Value::as_str) == Some(word)
    };
    let command = handler.get("command").and_then(Value::as_str);
    let binary = command.and_then(|command| Path::new(command).file_name());
    let is_named = binary.is_some_and(|name| name.to_string_lossy().starts_with("countersign"));
    is_named && says(0, "hook") && says(1, NAME)
}

/// How many of our handlers stand in a text.
pub(super) fn count(text: &str) -> Result<usize, String> {
    Ok(groups(text)?.iter().filter(|group| group.ours).count())
}

/// The text with the hooks in it; `None` if they are there already.
pub(super) fn install(text: &str, wanted: &Wanted) -> Result<Option<String>, String> {
    let standing: Vec<(String, Value)> = groups(text)?
        .into_iter()
        .filter(|group| group.ours)
        .map(|group| (group.event, group.value))
        .collect();
    let is_there = |event: &&&str| standing.contains(&((**event).to_string(), wanted.group(event)));
    if standing.len() == EVENTS.len() && EVENTS.iter().filter(is_there).count() == EVENTS.len() {
        return Ok(None);
    }
    let mut text = uninstall(text)?.unwrap_or_else(|| text.to_owned());
    for event in EVENTS {
        text = with_group(&text, event, &wanted.group(event))?;
    }
    Ok(Some(text))
}

/// The text without our hooks; `None` if there are none.
pub(super) fn uninstall(text: &str) -> Result<Option<String>, String> {
    let mut changed: Option<String> = None;
    // Each step takes one handler out, and the text is read again.
    while let Some(next) = without_one(changed.as_deref().unwrap_or(text))? {
        changed = Some(next);
    }
    Ok(changed)
}

struct Group {
    event: String,
    value: Value,
    ours: bool,
}

/// Every group of every event. `ours`: one of its handlers is.
fn groups(text: &str) -> Result<Vec<Group>, String> {
    let mut all = Vec::new();
    let root = Container::root(text)?;
    let Some(hooks) = member_object(text, &root, "hooks")? else {
        return Ok(all);
    };
    for event in &hooks.parts {
        let Some(list) = Container::list(text, event.value)? else {
            continue;
        };
        for group in list.parts {
            let value: Value =
                serde_json::from_str(group.value).map_err(|error| error.to_string())?;
            let handlers = value.get("hooks").and_then(Value::as_array);
            let ours = handlers.is_some_and(|handlers| handlers.iter().any(is_ours));
            all.push(Group {
                event: event.name.clone(),
                value,
                ours,
            });
        }
    }
    Ok(all)
}

fn member_object<'a>(
    text: &'a str,
    object: &Container<'a>,
    name: &str,
) -> Result<Option<Container<'a>>, String> {
    match object.member(name) {
        None => Ok(None),
        Some(part) => Container::object(text, part.value)?
            .map(Some)
            .ok_or_else(|| format!("`{name}` is no object")),
    }
}

fn with_group(text: &str, event: &str, group: &Value) -> Result<String, String> {
    let root = Container::root(text)?;
    let Some(hooks) = member_object(text, &root, "hooks")? else {
        return Ok(root.with(text, "hooks", &json!({event: [group]}), 0));
    };
    let Some(list) = hooks.member(event) else {
        return Ok(hooks.with(text, event, &json!([group]), 1));
    };
    let list =
        Container::list(text, list.value)?.ok_or_else(|| format!("`hooks.{event}` is no list"))?;
    Ok(list.with(text, "", group, 2))
}

/// The text without the first of our handlers, and without what then holds nothing.
fn without_one(text: &str) -> Result<Option<String>, String> {
    let root = Container::root(text)?;
    let Some(hooks) = member_object(text, &root, "hooks")? else {
        return Ok(None);
    };
    for (event_at, event) in hooks.parts.iter().enumerate() {
        let Some(groups) = Container::list(text, event.value)? else {
            continue;
        };
        for (group_at, group) in groups.parts.iter().enumerate() {
            let Some(group) = Container::object(text, group.value)? else {
                continue;
            };
            let Some(handlers) = group.member("hooks") else {
                continue;
            };
            let Some(handlers) = Container::list(text, handlers.value)? else {
                continue;
            };
            let found = handlers.parts.iter().position(|handler| {
                serde_json::from_str(handler.value).is_ok_and(|handler| is_ours(&handler))
            });
            let Some(handler_at) = found else {
                continue;
            };
            let root_at = root.parts.iter().position(|part| part.name == "hooks");
            let is_only = |container: &Container<'_>| container.parts.len() == 1;
            return Ok(Some(if !is_only(&handlers) {
                handlers.without(text, handler_at)
            } else if !is_only(&groups) {
                groups.without(text, group_at)
            } else if !is_only(&hooks) {
                hooks.without(text, event_at)
            } else {
                root.without(text, root_at.unwrap_or_default())
            }));
        }
    }
    Ok(None)
}
