//! Where an assistant works: the project, and what the paths of a call really are.
//!
//! The server has no disk. Whoever asks it says, for each path of a call with a symbolic link on its
//! way, where it leads, and follows links as the system does, component by component. What a link is
//! when the tool runs may differ from what it is now; see LIMITATIONS.md.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};

use countersign_shell::limits::PATH_WORDS;
use countersign_wire::WorkspaceRequest;
use serde_json::Value;

use crate::error::HookError;
use crate::limits::{LINKS, LINKS_ON_THE_WAY, PATH_BYTES, PATHS};
use crate::places;

/// Names of arguments that hold a command line of a shell.
const COMMANDS: &[&str] = &["command", "cmd", "script"];

/// The project that a directory is in: the top of its git working tree, or itself. A tree that holds
/// the home directory (a repository of somebody's settings) is no project.
pub(crate) fn project_of(start: &Path) -> Result<PathBuf, HookError> {
    let start = really(start)?;
    let home = places::home().and_then(|home| really(&home).ok());
    let is_project = |dir: &Path| {
        let holds_home = home.as_deref().is_some_and(|home| home.starts_with(dir));
        dir.parent().is_some() && !holds_home && dir.join(".git").exists()
    };
    let top = start.ancestors().find(|dir| is_project(dir));
    Ok(top.unwrap_or(&start).to_owned())
}

/// What the server is told of the place of a call: `texts` are those that may be paths.
pub(crate) fn described<'a>(
    root: &Path,
    cwd: &Path,
    texts: impl IntoIterator<Item = &'a str>,
) -> Result<WorkspaceRequest, HookError> {
    let cwd = really(cwd)?;
    let mut links = BTreeMap::new();
    for (number, text) in texts.into_iter().enumerate() {
        if number >= PATHS {
            return Err(HookError::Call(format!(
                "the call holds more than {PATHS} texts that may be paths, which is the limit"
            )));
        }
        if is_path(text) {
            note_links(&cwd, Path::new(text), &mut links)?;
        }
    }
    if links.len() > LINKS {
        return Err(HookError::Call(format!(
            "more than {LINKS} paths of the call lead through symbolic links, which is the limit"
        )));
    }
    Ok(WorkspaceRequest {
        root: utf8(&really(root)?)?,
        cwd: utf8(&cwd)?,
        links,
    })
}

/// The texts in a call's arguments that may be paths.
pub(crate) fn texts_in(args: &Value) -> Vec<&str> {
    let mut texts = Vec::new();
    let mut open = vec![args];
    while let Some(value) = open.pop() {
        match value {
            Value::String(text) => texts.push(text.as_str()),
            Value::Array(items) => open.extend(items),
            Value::Object(members) => open.extend(members.values()),
            _ => {}
        }
    }
    texts
}

/// The paths that stand in the command lines of a call's arguments.
pub(crate) fn command_paths(args: &Value) -> Result<Vec<String>, HookError> {
    let mut paths = Vec::new();
    let mut open = vec![args];
    while let Some(value) = open.pop() {
        match value {
            Value::Array(items) => open.extend(items),
            Value::Object(members) => {
                for (name, member) in members {
                    match member {
                        Value::String(line) if COMMANDS.contains(&name.as_str()) => {
                            let words = countersign_shell::path_words(line);
                            // What is over the limit is not among them.
                            if words.len() >= PATH_WORDS {
                                return Err(HookError::Call(format!(
                                    "a command line holds {PATH_WORDS} words or more that may be paths, which is the limit"
                                )));
                            }
                            paths.extend(words);
                        }
                        other => open.push(other),
                    }
                }
            }
            _ => {}
        }
    }
    Ok(paths)
}

/// A path without symbolic links. What is not there yet is taken as it is written.
pub(crate) fn really(path: &Path) -> Result<PathBuf, HookError> {
    match path.is_absolute() {
        true => followed(Path::new("/"), path),
        false => Err(HookError::Event(format!(
            "`{}` is no absolute path",
            crate::names::shown(&path.to_string_lossy())
        ))),
    }
}

/// Notes each place on the way of a path where the system goes elsewhere than the text: at its end,
/// and before each `..`, which leaves the directory that a link leads to.
fn note_links(
    cwd: &Path,
    path: &Path,
    links: &mut BTreeMap<String, String>,
) -> Result<(), HookError> {
    let mut at = match path.is_absolute() {
        true => PathBuf::from("/"),
        false => cwd.to_owned(),
    };
    for component in path.components() {
        match component {
            Component::Normal(name) => at.push(name),
            Component::ParentDir => {
                at = note_link(at, links)?;
                at.pop();
            }
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    note_link(at, links)?;
    Ok(())
}

fn note_link(path: PathBuf, links: &mut BTreeMap<String, String>) -> Result<PathBuf, HookError> {
    let real = really(&path)?;
    if real != path {
        links.insert(utf8(&path)?, utf8(&real)?);
    }
    Ok(real)
}

/// Whether a text can be a path.
fn is_path(text: &str) -> bool {
    !text.is_empty() && text.len() <= PATH_BYTES && !text.contains(['\0', '\n'])
}

/// Where a path leads from a directory that holds no links itself, as the system follows it.
fn followed(from: &Path, path: &Path) -> Result<PathBuf, HookError> {
    let mut at = from.to_owned();
    let mut ahead: Vec<OsString> = Vec::new();
    push(&mut ahead, &mut at, path);
    let mut links = 0;
    while let Some(name) = ahead.pop() {
        if name == OsStr::new("..") {
            at.pop();
            continue;
        }
        at.push(&name);
        let target = match std::fs::read_link(&at) {
            Ok(target) => target,
            Err(error) if leads_nowhere(&error) => continue,
            Err(error) => return Err(HookError::file(&at, error)),
        };
        links += 1;
        if links > LINKS_ON_THE_WAY {
            let reason = "too many symbolic links on the way";
            return Err(HookError::file(path, reason));
        }
        at.pop();
        push(&mut ahead, &mut at, &target);
    }
    Ok(at)
}

/// What is no link, is not there, or cannot be looked at, which the tool of the same user cannot either.
fn leads_nowhere(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::InvalidInput
            | ErrorKind::NotFound
            | ErrorKind::NotADirectory
            | ErrorKind::PermissionDenied
            | ErrorKind::InvalidFilename
    )
}

/// Puts a path's components before those that are ahead; the next one is last.
fn push(ahead: &mut Vec<OsString>, at: &mut PathBuf, path: &Path) {
    if path.is_absolute() {
        *at = PathBuf::from("/");
    }
    let names = path
        .components()
        .rev()
        .filter_map(|component| match component {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some(OsString::from("..")),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
        });
    ahead.extend(names);
}

fn utf8(path: &Path) -> Result<String, HookError> {
    let text = path.to_str().filter(|text| text.len() <= PATH_BYTES);
    text.map(str::to_owned).ok_or_else(|| {
        HookError::Call(format!(
            "the path `{}` is not utf-8 of at most {PATH_BYTES} bytes",
            crate::names::shown(&path.to_string_lossy())
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    struct Place {
        _dir: tempfile::TempDir,
        root: PathBuf,
    }

    fn place() -> Place {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        for below in ["project/src", "outside/deep"] {
            std::fs::create_dir_all(root.join(below)).unwrap();
        }
        std::fs::write(root.join("outside/secret"), "s").unwrap();
        symlink(root.join("outside"), root.join("project/out")).unwrap();
        symlink("../outside/deep", root.join("project/deep")).unwrap();
        symlink("nowhere/yet", root.join("project/new")).unwrap();
        symlink("loop", root.join("project/loop")).unwrap();
        Place { _dir: dir, root }
    }

    fn links(place: &Place, texts: &[&str]) -> Result<BTreeMap<String, String>, HookError> {
        let project = place.root.join("project");
        let described = described(&project, &project, texts.iter().copied())?;
        let below = |text: &String| text.replace(place.root.to_str().unwrap(), "");
        Ok(described
            .links
            .iter()
            .map(|(from, to)| (below(from), below(to)))
            .collect())
    }

    #[test]
    fn links_are_followed_as_the_system_does() {
        let place = place();
        let cases = [
            ("out/secret", "/project/out/secret", "/outside/secret"),
            ("./out//secret", "/project/out/secret", "/outside/secret"),
            ("deep/new", "/project/deep/new", "/outside/deep/new"),
            // A file that is made through a link to what is not there yet.
            ("new", "/project/new", "/project/nowhere/yet"),
            ("src/../out/x", "/project/out/x", "/outside/x"),
            // `..` leaves the directory that the link leads to, not the one that it stands in.
            ("deep/../secret", "/project/deep", "/outside/deep"),
            ("deep/../../project/out", "/project/out", "/outside"),
        ];
        for (text, from, to) in cases {
            let found = links(&place, &[text]).unwrap();
            assert_eq!(
                found.get(from).map(String::as_str),
                Some(to),
                "{text}: {found:?}"
            );
            let ways = text.matches("deep/..").count().max(1);
            assert!(found.len() <= ways + 1, "{text}: {found:?}");
        }
        for text in [
            "src/a",
            "a b",
            "",
            "echo hello > out.txt",
            "..",
            "/etc/../etc",
        ] {
            assert!(links(&place, &[text]).unwrap().is_empty(), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_said_is_refused() {
        let place = place();
        assert!(links(&place, &["loop"]).is_err());
        for number in 0..=LINKS {
            let text = format!("out/{number}");
            assert_eq!(links(&place, &[&text]).unwrap().len(), 1);
        }
        let many: Vec<String> = (0..=LINKS).map(|number| format!("out/{number}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(links(&place, &many).is_err());
        let project = place.root.join("project");
        assert!(described(&project, Path::new("relative"), []).is_err());
    }

    #[test]
    fn a_project_is_the_top_of_its_tree() {
        let place = place();
        let project = place.root.join("project");
        let src = project.join("src");
        assert_eq!(project_of(&src).unwrap(), src);
        std::fs::create_dir(project.join(".git")).unwrap();
        assert_eq!(project_of(&src).unwrap(), project);
        symlink(&src, place.root.join("way")).unwrap();
        assert_eq!(project_of(&place.root.join("way")).unwrap(), project);
    }
}
