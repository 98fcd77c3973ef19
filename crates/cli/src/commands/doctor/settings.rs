//! Claude Code's settings files as far as they bear on whether calls are judged.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use countersign_hooks::claude::NAME;
use countersign_hooks::claude::settings::{self, Finding, Inspection, Scope};
use countersign_hooks::is_of_root;
use countersign_hooks::limits::SETTINGS_BYTES;
use serde_json::Value;

use super::report::Check;

/// A settings file that is there.
pub(super) struct Installed {
    pub(super) scope: Scope,
    pub(super) path: PathBuf,
    /// What stands in it; why not, if it cannot be read.
    pub(super) inspection: Result<Inspection, String>,
    settings: Value,
    /// Whether credentials of a hook are on this machine.
    was_installed: bool,
    /// Whether ours are among the managed hooks, which this file does not switch off.
    stands_apart: bool,
}

/// Where a hook's credentials stand, if there are any: `install` has run.
pub(super) fn credentials() -> Option<PathBuf> {
    countersign_hooks::config_file(NAME).filter(|path| path.exists())
}

/// The settings files, if a hook of ours stands in one of them, or may have stood where one cannot be read; else none.
///
/// `managed`: another file in place of the machine's.
pub(super) fn installed(project: &Path, managed: Option<&Path>) -> Vec<Installed> {
    let was_installed = credentials().is_some();
    let scopes = [Scope::User, Scope::Project, Scope::Local, Scope::Managed];
    let files = scopes.into_iter().filter_map(|scope| {
        let other = managed.filter(|_| scope == Scope::Managed);
        let path = other
            .map(Path::to_owned)
            .or_else(|| settings::path(scope, project))?;
        path.exists().then(|| Installed {
            scope,
            inspection: settings::inspect(&path).map_err(|error| error.to_string()),
            settings: read(&path),
            was_installed,
            path,
            stands_apart: false,
        })
    });
    let mut files: Vec<Installed> = files.collect();
    let holds = |file: &Installed| file.scope == Scope::Managed && file.is_ours();
    if files.iter().any(holds) {
        for file in files.iter_mut().filter(|file| file.scope != Scope::Managed) {
            file.stands_apart = true;
        }
    }
    match files.iter().any(Installed::is_ours) {
        true => files,
        false => Vec::new(),
    }
}

impl Installed {
    /// Whether a hook of ours stands in it, or seems to, where it cannot be read.
    pub(super) fn is_ours(&self) -> bool {
        match &self.inspection {
            Ok(inspection) => inspection.is_installed(),
            Err(_) if self.scope == Scope::User && self.was_installed => true,
            Err(_) => std::fs::read(&self.path).is_ok_and(|bytes| {
                let text = String::from_utf8_lossy(&bytes);
                text.contains("countersign") && text.contains("\"hook\"")
            }),
        }
    }

    /// What stands in the file, and where it lets calls through.
    pub(super) fn checks(&self) -> Vec<Check> {
        let name = self.scope.name();
        let inspection = match &self.inspection {
            Ok(inspection) => inspection,
            Err(error) => {
                let says = format!(
                    "{name} settings: {error}; the client leaves out a file that it cannot read, with every hook in it"
                );
                return vec![match self.is_ours() {
                    true => Check::red(says),
                    false => Check::yellow(says),
                }];
            }
        };
        let mut checks: Vec<Check> = together(&inspection.findings)
            .into_iter()
            .map(|(fails_open, text)| {
                let says = format!("{name} settings: {text}");
                if self.stands_apart && text == settings::ALL_OFF {
                    return Check::yellow(format!("{says} but those of the managed settings"));
                }
                let check = match fails_open {
                    true => Check::red(says),
                    false => Check::yellow(says),
                };
                check.hint(format!(
                    "`countersign hook install claude-code` puts the hooks right; the file is {}",
                    self.path.display()
                ))
            })
            .collect();
        if inspection.is_installed() && checks.is_empty() {
            checks.push(Check::green(format!(
                "{name} settings: {} hooks, and a failure of the one before calls blocks",
                inspection.handlers.len()
            )));
        }
        if self.scope == Scope::Managed && inspection.is_installed() {
            checks.push(self.whose(inspection));
        }
        checks.extend(self.others());
        checks
    }

    /// Whether the settings and what they run are root's alone.
    fn whose(&self, inspection: &Inspection) -> Check {
        let programs = inspection.handlers.iter().map(|it| it.command.as_path());
        let mut places = std::iter::once(self.path.as_path()).chain(programs);
        match places.find_map(|place| is_of_root(place).err()) {
            None => Check::green(
                "managed settings: they and the program of the hooks are root's, so no program of this user switches them off",
            ),
            Some(why) => Check::red(format!(
                "managed settings: others than root can change them, or the program of the hooks: {why}"
            ))
            .hint("install countersign as root, such as into /usr/local/bin, and the hooks again"),
        }
    }

    /// What stands there beside our hooks.
    fn others(&self) -> Vec<Check> {
        let name = self.scope.name();
        let mut checks = Vec::new();
        let others = self.other_hooks();
        if !others.is_empty() {
            checks.push(Check::yellow(format!(
                "{name} settings: another hook before calls ({}) may change a call after it was judged",
                others.join(", ")
            )));
        }
        let mode = self.settings.pointer("/permissions/defaultMode");
        if mode.and_then(Value::as_str) == Some("bypassPermissions") {
            checks.push(Check::yellow(format!(
                "{name} settings: `defaultMode` is `bypassPermissions`: the hook decides all the same, and nothing stands behind it"
            )));
        }
        let managed_only = self.settings.get("allowManagedHooksOnly") == Some(&Value::Bool(true));
        if managed_only && !self.is_ours() {
            checks.push(Check::red(format!(
                "{name} settings: `allowManagedHooksOnly` is on, and ours is not among the managed hooks: it does not run"
            )));
        }
        checks
    }

    fn other_hooks(&self) -> Vec<String> {
        let groups = self.settings.pointer("/hooks/PreToolUse");
        let groups = groups.and_then(Value::as_array).into_iter().flatten();
        let handlers = groups.filter_map(|group| group.get("hooks")?.as_array());
        handlers
            .flatten()
            .filter(|handler| !is_ours(handler))
            .map(|handler| {
                let named = handler.get("command").or_else(|| handler.get("url"));
                let named = named
                    .and_then(Value::as_str)
                    .unwrap_or("one of another type");
                named.chars().take(60).collect()
            })
            .collect()
    }
}

/// What is found of several events in the same words, said once.
fn together(findings: &[Finding]) -> Vec<(bool, String)> {
    let mut said: Vec<(bool, Vec<&str>, &str)> = Vec::new();
    for finding in findings {
        let (event, rest) = finding.text.split_once(": ").unwrap_or(("", &finding.text));
        let same = said
            .iter_mut()
            .find(|(fails_open, _, other)| *fails_open == finding.fails_open && *other == rest);
        match same {
            Some((_, events, _)) => events.push(event),
            None => said.push((finding.fails_open, vec![event], rest)),
        }
    }
    said.into_iter()
        .map(
            |(fails_open, events, rest)| match events.concat().is_empty() {
                true => (fails_open, rest.to_owned()),
                false => (fails_open, format!("{}: {rest}", events.join(", "))),
            },
        )
        .collect()
}

fn is_ours(handler: &Value) -> bool {
    let command = handler.get("command").and_then(Value::as_str);
    let file = command.and_then(|command| Path::new(command).file_name()?.to_str());
    let first = handler.pointer("/args/0").and_then(Value::as_str);
    file.is_some_and(|file| file.starts_with("countersign")) && first == Some("hook")
}

/// A file as JSON; nothing where it is none.
pub(super) fn read(path: &Path) -> Value {
    let mut text = String::new();
    let file = std::fs::File::open(path);
    let read = file.and_then(|file| file.take(SETTINGS_BYTES).read_to_string(&mut text));
    match read {
        Ok(_) => serde_json::from_str(&text).unwrap_or_default(),
        Err(_) => Value::Null,
    }
}
