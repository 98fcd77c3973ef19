//! `countersign serve --user NAME`: started by root, the server is another user's, so that nothing
//! which runs as the agent's user reads its keys, tokens or vault.

use std::ffi::OsString;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use crate::error::CliError;
use crate::user::User;

/// Starts this program again as that user, with the same arguments but for `--user`, in that user's
/// home. Returns only if that cannot be done.
pub(super) fn become_user(name: &str) -> CliError {
    match start_as(name) {
        Ok(error) | Err(error) => error,
    }
}

fn start_as(name: &str) -> Result<CliError, CliError> {
    if !rustix::process::geteuid().is_root() {
        return Err(
            CliError::usage(format!("to serve as `{name}`, root has to start it"))
                .hint("sudo countersign serve --user NAME"),
        );
    }
    let user = User::find(name)?;
    if user.uid == 0 {
        return Err(CliError::usage(format!(
            "`{name}` is root: name a user who can do less"
        )));
    }
    user.make_home()?;
    let program = std::env::current_exe()
        .map_err(|error| CliError::io(std::path::Path::new("countersign"), error))?;
    // The standard library drops root's other groups where the user id is set.
    let error = Command::new(&program)
        .args(without_user(std::env::args_os().skip(1)))
        .uid(user.uid)
        .gid(user.gid)
        .env("HOME", &user.home)
        .env_remove("XDG_CONFIG_HOME")
        .env_remove("XDG_DATA_HOME")
        .env_remove("XDG_STATE_HOME")
        .current_dir(&user.home)
        .exec();
    Ok(CliError::io(&program, error))
}

impl User {
    /// The home directory: made if it is not there, and refused if it is another user's.
    fn make_home(&self) -> Result<(), CliError> {
        let failed = |path: &Path, error: std::io::Error| CliError::io(path, error);
        match std::fs::DirBuilder::new().mode(0o700).create(&self.home) {
            Ok(()) => chown(&self.home, Some(self.uid), Some(self.gid))
                .map_err(|error| failed(&self.home, error)),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                let found = std::fs::metadata(&self.home);
                let found = found.map_err(|error| failed(&self.home, error))?;
                if found.uid() == self.uid {
                    return Ok(());
                }
                Err(CliError::io(
                    &self.home,
                    "the user's home is another user's",
                ))
            }
            Err(error) => Err(failed(&self.home, error)),
        }
    }
}

/// The arguments but for `--user NAME` or `--user=NAME`.
fn without_user(args: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut kept = Vec::new();
    let mut args = args;
    while let Some(arg) = args.next() {
        if arg == "--user" {
            args.next();
        } else if !arg.to_string_lossy().starts_with("--user=") {
            kept.push(arg);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_user_is_taken_out_of_the_arguments() {
        let args = [
            "serve",
            "--user",
            "countersign",
            "--data",
            "/d",
            "--user=x",
            "--json",
        ];
        let kept = without_user(args.into_iter().map(OsString::from));
        assert_eq!(kept, ["serve", "--data", "/d", "--json"]);
    }

    #[test]
    fn a_name_that_is_no_user_is_refused() {
        for name in ["", "-x", "root:0", "nobody-has-this-name", "a/b"] {
            assert!(User::find(name).is_err(), "{name}");
        }
        assert_eq!(User::find("root").unwrap().uid, 0);
    }
}
