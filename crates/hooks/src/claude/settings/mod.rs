//! Claude Code's settings file: putting our hooks in, taking them out, and looking at what stands there.
//!
//! A file is changed as text, so what is not ours stays as it was written, and in one step. What is
//! no JSON object, or could be read in two ways, is refused and left alone.

mod edit;
mod inspect;
mod merge;

use std::fs::DirBuilder;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

pub use inspect::{ALL_OFF, Finding, Inspection, InstalledHandler};
pub use merge::{Told, Wanted};

use crate::error::HookError;
use crate::files;
use crate::limits::SETTINGS_BYTES;
use crate::places;

/// Which settings a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The user's, for all projects.
    User,
    /// A project's, shared with everybody who has it.
    Project,
    /// A project's, of this user alone.
    Local,
    /// The machine's, by its administrator.
    Managed,
}

/// What became of a settings file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changed {
    /// It was as it should be, and was not written.
    Nothing,
    /// It was written; the text that stood there before is in this file, if there was any.
    Written {
        /// The file with the earlier text.
        backup: Option<PathBuf>,
    },
}

impl Scope {
    /// Its word.
    pub fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Project => "project",
            Self::Local => "local",
            Self::Managed => "managed",
        }
    }
}

/// The settings file of a scope. `project`: the directory that the assistant is started in.
pub fn path(scope: Scope, project: &Path) -> Option<PathBuf> {
    match scope {
        Scope::User => {
            let dir = places::absolute("CLAUDE_CONFIG_DIR");
            let dir = dir.or_else(|| Some(places::home()?.join(".claude")))?;
            Some(dir.join("settings.json"))
        }
        Scope::Project => Some(project.join(".claude/settings.json")),
        Scope::Local => Some(project.join(".claude/settings.local.json")),
        Scope::Managed => Some(PathBuf::from("/etc/claude-code/managed-settings.json")),
    }
}

/// Puts the hooks in, in place of any of ours that stand there in another form.
///
/// A file that is not there yet is made for its owner alone, or for all to read where each user has a
/// configuration.
pub fn install(path: &Path, wanted: &Wanted) -> Result<Changed, HookError> {
    let standing = read(path)?;
    if standing.is_none() && matches!(wanted.config, Told::OfUser { .. }) {
        make_for_all(path)?;
    }
    let before = standing.as_deref().unwrap_or("{}\n");
    let ours = merge::count(before).map_err(|reason| HookError::file(path, reason))?;
    match merge::install(before, wanted).map_err(|reason| HookError::file(path, reason))? {
        None => Ok(Changed::Nothing),
        Some(text) => {
            let old = standing.filter(|_| ours == 0);
            write(path, &text, old.as_deref(), "before-countersign")
        }
    }
}

/// Takes our hooks out, and what held nothing else.
pub fn uninstall(path: &Path) -> Result<Changed, HookError> {
    let Some(before) = read(path)? else {
        return Ok(Changed::Nothing);
    };
    match merge::uninstall(&before).map_err(|reason| HookError::file(path, reason))? {
        None => Ok(Changed::Nothing),
        Some(text) => write(path, &text, Some(&before), "with-countersign"),
    }
}

/// Looks at what stands in a settings file; nothing of ours if there is no such file.
pub fn inspect(path: &Path) -> Result<Inspection, HookError> {
    let text = read(path)?;
    inspect::inspect(path, text.as_deref()).map_err(|reason| HookError::file(path, reason))
}

/// The file, and the directories above it, as everybody can read them.
fn make_for_all(path: &Path) -> Result<(), HookError> {
    let failed = |error: std::io::Error| HookError::file(path, error);
    if let Some(dir) = path.parent() {
        let made = DirBuilder::new().recursive(true).mode(0o755).create(dir);
        made.map_err(failed)?;
    }
    files::write(path, "{}\n", 0o644, true)?;
    // Whatever mask the shell of root has.
    let readable = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(path, readable).map_err(failed)
}

fn read(path: &Path) -> Result<Option<String>, HookError> {
    files::read(path, SETTINGS_BYTES)
}

fn write(path: &Path, text: &str, old: Option<&str>, backup: &str) -> Result<Changed, HookError> {
    // Settings may be kept elsewhere and linked here: the link stays.
    let file = match path.canonicalize() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => path.to_owned(),
        file => file.map_err(|error| HookError::file(path, error))?,
    };
    let mode = std::fs::metadata(&file).map_or(0o600, |metadata| metadata.permissions().mode());
    let mode = mode & 0o777;
    let mut backup_path = None;
    if let Some(old) = old {
        let mut name = file.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{backup}"));
        let beside = file.with_file_name(name);
        files::write(&beside, old, mode, true)?;
        backup_path = Some(beside);
    }
    files::write(&file, text, mode, true)?;
    let permissions = std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(&file, permissions).map_err(|error| HookError::file(&file, error))?;
    Ok(Changed::Written {
        backup: backup_path,
    })
}
