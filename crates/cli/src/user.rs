//! The users of this machine, and doing what has to be done as one of them.

use std::ffi::OsStr;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::CliError;

/// A user of this machine.
pub(crate) struct User {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) home: PathBuf,
}

impl User {
    /// The user as the system's databases know it (passwd(5)).
    pub(crate) fn find(name: &str) -> Result<Self, CliError> {
        let unknown = || {
            CliError::usage(format!("there is no user `{name}`")).hint(format!(
                "useradd --system --home-dir /var/lib/countersign --shell /usr/sbin/nologin {name}"
            ))
        };
        // A name that begins with `-` would be an option.
        if name.is_empty() || name.starts_with('-') || name.contains([':', '/', '\n']) {
            return Err(unknown());
        }
        let output = Command::new("getent").args(["passwd", name]).output();
        let output = output.map_err(|error| CliError::io(Path::new("getent"), error))?;
        let line = String::from_utf8(output.stdout).map_err(|_| unknown())?;
        let fields: Vec<&str> = line.trim_end().split(':').collect();
        match fields.as_slice() {
            [_, _, uid, gid, _, home, _] if output.status.success() && home.starts_with('/') => {
                Ok(Self {
                    uid: uid.parse().map_err(|_| unknown())?,
                    gid: gid.parse().map_err(|_| unknown())?,
                    home: PathBuf::from(home),
                })
            }
            _ => Err(unknown()),
        }
    }

    /// This program as that user: with the user's home, and nothing else of root's surroundings.
    pub(crate) fn command(&self, program: &Path, args: &[&OsStr]) -> Command {
        let mut command = Command::new(program);
        // The standard library drops root's other groups where the user id is set.
        command
            .args(args)
            .env_clear()
            .env("HOME", &self.home)
            .uid(self.uid)
            .gid(self.gid)
            .current_dir("/");
        command
    }
}
