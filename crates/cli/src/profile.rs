//! The client's profile: which server, which keys to check it with, and a token per role.
//!
//! It holds secrets: mode 0600, and a looser one is refused. One log's profile is never written
//! over another's.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use countersign_client::Token;

use serde::{Deserialize, Serialize};

use crate::error::CliError;
use crate::private;

/// Longest profile that is read, in bytes.
const PROFILE_BYTES: u64 = 64 * 1024;
/// Permission bits of group and others.
const OTHERS: u32 = 0o077;
/// What stands above the members.
const HEADER: &str =
    "# Profile of the countersign command. It holds tokens: keep it to yourself.\n\n";

/// Where a profile is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProfilePath {
    path: PathBuf,
    /// Whether somebody named it, so that it has to be there.
    is_named: bool,
}

/// A profile.
pub(crate) struct Profile {
    /// The server's address.
    pub(crate) server: String,
    /// The key that signs the log's checkpoints, a C2SP verifier key.
    pub(crate) log_key: String,
    /// The log's root key, a C2SP verifier key.
    pub(crate) root_key: String,
    /// PEM certificates that may have signed the server's, in place of those the system trusts.
    pub(crate) ca_file: Option<PathBuf>,
    /// One token per role.
    pub(crate) tokens: BTreeMap<String, Token>,
}

/// What became of the profile that was to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Saved {
    /// It is new.
    Created,
    /// It was of the same log, and was replaced.
    Updated,
    /// Another log's profile stood there; it was moved to this path.
    Moved(PathBuf),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    server: String,
    log_key: String,
    root_key: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ca_file: Option<PathBuf>,
    #[serde(default)]
    tokens: BTreeMap<String, String>,
}

impl ProfilePath {
    /// A path that somebody named.
    pub(crate) fn named(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            is_named: true,
        }
    }

    /// `$XDG_CONFIG_HOME/countersign/profile.toml`, or below `~/.config`; `None` without a home.
    pub(crate) fn usual() -> Option<Self> {
        let path = config_home()?.join("countersign").join("profile.toml");
        Some(Self {
            path,
            is_named: false,
        })
    }

    /// Whether somebody named it.
    pub(crate) fn is_named(&self) -> bool {
        self.is_named
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The profile; `None` if nobody named it and it is not there.
    pub(crate) fn read(&self) -> Result<Option<Profile>, CliError> {
        match Profile::read(&self.path) {
            Err(ReadError::Missing) if !self.is_named => Ok(None),
            Err(ReadError::Missing) => Err(CliError::io(&self.path, "there is no such profile")
                .hint("`countersign serve` writes one on its first start")),
            Err(ReadError::Other(error)) => Err(error),
            Ok(profile) => Ok(Some(profile)),
        }
    }
}

enum ReadError {
    Missing,
    Other(CliError),
}

impl Profile {
    fn read(path: &Path) -> Result<Self, ReadError> {
        let other = |error: CliError| ReadError::Other(error);
        let mut file = match std::fs::File::open(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(ReadError::Missing);
            }
            opened => opened.map_err(|error| other(CliError::io(path, error)))?,
        };
        // Of the open file, not of the path: nobody can swap it in between.
        let metadata = file
            .metadata()
            .map_err(|error| other(CliError::io(path, error)))?;
        let mode = metadata.permissions().mode() & 0o777;
        if mode & OTHERS != 0 {
            let found = format!(
                "the profile has mode {mode:04o}, so others can read its tokens; allowed is 0600"
            );
            let hint = format!(
                "chmod 600 {}; if others may have read it, revoke its credentials",
                path.display()
            );
            return Err(other(CliError::io(path, found).hint(hint)));
        }
        let mut bytes = Vec::new();
        let read = file
            .by_ref()
            .take(PROFILE_BYTES + 1)
            .read_to_end(&mut bytes);
        let read = read.map_err(|error| other(CliError::io(path, error)))?;
        if u64::try_from(read).is_ok_and(|read| read > PROFILE_BYTES) {
            return Err(other(CliError::io(
                path,
                format!("a profile has at most {PROFILE_BYTES} bytes"),
            )));
        }
        let text = String::from_utf8(bytes)
            .map_err(|_| other(CliError::io(path, "the profile is not utf-8")))?;
        Self::parse(&text).map_err(|reason| other(CliError::io(path, reason)))
    }

    fn parse(text: &str) -> Result<Self, String> {
        // The parser's own message may quote a line, and a line may hold a token.
        let file: File = toml::from_str(text).map_err(|error| {
            let line = error
                .span()
                .and_then(|span| text.get(..span.start))
                .map_or(0, |before| before.matches('\n').count() + 1);
            format!("line {line} is no line of a profile: {}", error.message())
        })?;
        Ok(Self {
            server: file.server,
            log_key: file.log_key,
            root_key: file.root_key,
            ca_file: file.ca_file,
            tokens: file
                .tokens
                .into_iter()
                .map(|(role, token)| (role, Token::new(&token)))
                .collect(),
        })
    }

    /// Writes the profile to a path whose directory is made if it is not there. Another log's
    /// profile that stands there is moved aside.
    pub(crate) fn save(&self, path: &Path) -> Result<Saved, CliError> {
        let saved = match Self::read(path) {
            Err(ReadError::Missing) => Saved::Created,
            // The log key may have been rotated; the root key stays.
            Ok(standing) if standing.root_key == self.root_key => Saved::Updated,
            Ok(standing) => Saved::Moved(move_aside(path, &key_id(&standing.log_key))?),
            // What cannot be read may still be worth something to its owner.
            Err(ReadError::Other(_)) => Saved::Moved(move_aside(path, "unread")?),
        };
        self.write(path)?;
        Ok(saved)
    }

    fn write(&self, path: &Path) -> Result<(), CliError> {
        let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
        if let Some(dir) = dir {
            private::make_dir(dir)?;
        }
        let file = File {
            server: self.server.clone(),
            log_key: self.log_key.clone(),
            root_key: self.root_key.clone(),
            ca_file: self.ca_file.clone(),
            tokens: self
                .tokens
                .iter()
                .map(|(role, token)| (role.clone(), token.reveal().to_owned()))
                .collect(),
        };
        let text = toml::to_string(&file).map_err(|error| CliError::io(path, error))?;
        private::write(path, format!("{HEADER}{text}").as_bytes())
    }
}

/// Moves a profile to the first free name beside it that tells which log's it is.
fn move_aside(path: &Path, name: &str) -> Result<PathBuf, CliError> {
    let stem = path
        .file_stem()
        .and_then(|stem| stem.to_str())
        .unwrap_or("profile");
    for number in 1..1_000_u32 {
        let suffix = if number == 1 {
            String::new()
        } else {
            format!("-{number}")
        };
        let aside = path.with_file_name(format!("{stem}-{name}{suffix}.toml"));
        if !aside.exists() {
            std::fs::rename(path, &aside).map_err(|error| CliError::io(&aside, error))?;
            return Ok(aside);
        }
    }
    Err(CliError::io(
        path,
        "there are too many other profiles beside this one",
    ))
}

/// The id in a verifier key: `name+id+base64`.
fn key_id(key: &str) -> String {
    let id = key.split('+').nth(1).unwrap_or_default();
    match !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        true => id.to_owned(),
        false => "other".to_owned(),
    }
}

fn config_home() -> Option<PathBuf> {
    home("XDG_CONFIG_HOME", ".config")
}

/// Where programs keep their data: `$XDG_DATA_HOME`, or `~/.local/share`.
pub(crate) fn data_home() -> Option<PathBuf> {
    home("XDG_DATA_HOME", ".local/share")
}

/// XDG Base Directory: a variable with an absolute path, or a place below the home directory.
fn home(variable: &str, below: &str) -> Option<PathBuf> {
    let named = std::env::var_os(variable)
        .map(PathBuf::from)
        .filter(|path| path.is_absolute());
    named.or_else(|| {
        let home = std::env::var_os("HOME")
            .map(PathBuf::from)
            .filter(|home| home.is_absolute())?;
        Some(home.join(below))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(key: &str) -> Profile {
        Profile {
            server: "http://127.0.0.1:8787".to_owned(),
            log_key: format!("log+{key}+AQ"),
            root_key: format!("log/root+{key}+AQ"),
            ca_file: None,
            tokens: BTreeMap::from([("agent".to_owned(), Token::new("cs_a"))]),
        }
    }

    #[test]
    fn another_logs_profile_is_moved_and_never_lost() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sub/profile.toml");
        assert_eq!(profile("aaaa0001").save(&path).unwrap(), Saved::Created);
        assert_eq!(profile("aaaa0001").save(&path).unwrap(), Saved::Updated);
        let aside = dir.path().join("sub/profile-aaaa0001.toml");
        assert_eq!(
            profile("aaaa0002").save(&path).unwrap(),
            Saved::Moved(aside.clone())
        );
        let moved = ProfilePath::named(&aside).read().unwrap().unwrap();
        assert_eq!(moved.log_key, "log+aaaa0001+AQ");
        assert_eq!(moved.tokens.get("agent").unwrap().reveal(), "cs_a");
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }

    #[test]
    fn a_profile_that_others_can_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("profile.toml");
        profile("aaaa0001").save(&path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let error = ProfilePath::named(&path).read().err().unwrap();
        assert!(error.to_string().contains("0640"), "{error}");
        assert!(error.hints().iter().any(|hint| hint.contains("chmod 600")));
    }

    #[test]
    fn an_error_in_a_profile_does_not_print_its_tokens() {
        let text = "server = \"http://a\"\nlog_key = \"k\"\nroot_key = \"r\"\n[tokens]\nagent = \"cs_secret\" oops\n";
        let error = Profile::parse(text).err().unwrap();
        assert!(error.starts_with("line 5"), "{error}");
        assert!(!error.contains("cs_secret"), "{error}");
        assert!(
            Profile::parse("server = \"a\"\nlog_key = \"k\"\nroot_key = \"r\"\nmore = 1\n")
                .is_err()
        );
    }
}
