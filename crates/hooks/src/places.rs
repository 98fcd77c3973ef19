//! Where the handler's files are, by the XDG Base Directory Specification.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::HookError;
use crate::files;
use crate::limits::USERS_BYTES;

/// The users of this machine (passwd(5)).
const USERS: &str = "/etc/passwd";
/// What knows those of a directory service, too.
const GETENT: &str = "/usr/bin/getent";

/// `$XDG_CONFIG_HOME/countersign/hooks/NAME.toml`, or below `~/.config`; `None` without a home.
pub fn config_file(name: &str) -> Option<PathBuf> {
    let home = place("XDG_CONFIG_HOME", ".config")?;
    Some(home.join("countersign/hooks").join(format!("{name}.toml")))
}

/// `$XDG_STATE_HOME/countersign`, or below `~/.local/state`; `None` without a home.
pub fn state_home() -> Option<PathBuf> {
    Some(place("XDG_STATE_HOME", ".local/state")?.join("countersign"))
}

/// The configuration of a user with this home directory, whatever the variables say.
pub fn config_below(home: &Path, name: &str) -> PathBuf {
    home.join(".config/countersign/hooks")
        .join(format!("{name}.toml"))
}

/// The state of a user with this home directory, whatever the variables say.
pub fn state_below(home: &Path) -> PathBuf {
    home.join(".local/state/countersign")
}

/// The home directory that the system's users give for who runs this: no variable chooses it.
pub(crate) fn own_home() -> Result<PathBuf, HookError> {
    let uid = rustix::process::getuid().as_raw();
    let unknown = || {
        HookError::Event(format!(
            "the user {uid} has no home directory in {USERS} that is an absolute path"
        ))
    };
    let users = files::read(Path::new(USERS), USERS_BYTES)?.unwrap_or_default();
    if let Some(home) = home_in(&users, uid) {
        return Ok(home);
    }
    let asked = Command::new(GETENT)
        .args(["passwd", &uid.to_string()])
        .env_clear()
        .output();
    let asked = asked.map_err(|_| unknown())?;
    home_in(&String::from_utf8_lossy(&asked.stdout), uid).ok_or_else(unknown)
}

fn home_in(users: &str, uid: u32) -> Option<PathBuf> {
    users.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        match fields.as_slice() {
            [_, _, of, _, _, home, _] if of.parse() == Ok(uid) && home.starts_with('/') => {
                Some(PathBuf::from(home))
            }
            _ => None,
        }
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_home_is_what_the_users_say() {
        let users = "root:x:0:0:root:/root:/bin/sh\nbroken:x:5\nrel:x:6:6::home:/bin/sh\njo:x:7:7::/home/jo:/bin/sh\n";
        assert_eq!(home_in(users, 7), Some("/home/jo".into()));
        assert_eq!(home_in(users, 0), Some("/root".into()));
        assert_eq!(home_in(users, 5), None);
        assert_eq!(home_in(users, 6), None);
        assert_eq!(home_in(users, 70), None);
    }
}
