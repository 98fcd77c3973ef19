//! Where the handler's files are, by the XDG Base Directory Specification.

use std::path::{Path, PathBuf};

/// `$XDG_CONFIG_HOME/countersign/hooks/NAME.toml`, or below `~/.config`; `None` without a home.
pub fn config_file(name: &str) -> Option<PathBuf> {
    let home = place("XDG_CONFIG_HOME", ".config")?;
    Some(home.join("countersign/hooks").join(format!("{name}.toml")))
}

/// `$XDG_STATE_HOME/countersign`, or below `~/.local/state`; `None` without a home.
pub fn state_home() -> Option<PathBuf> {
    Some(place("XDG_STATE_HOME", ".local/state")?.join("countersign"))
}

/// The user's home directory.
pub(crate) fn home() -> Option<PathBuf> {
    absolute("HOME")
}

fn place(variable: &str, below: &str) -> Option<PathBuf> {
    absolute(variable).or_else(|| Some(home()?.join(below)))
}

/// A path in a variable; a relative one counts as none.
pub(crate) fn absolute(variable: &str) -> Option<PathBuf> {
    let path = PathBuf::from(std::env::var_os(variable)?);
    Path::is_absolute(&path).then_some(path)
}
