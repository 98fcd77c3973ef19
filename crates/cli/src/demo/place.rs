//! The directory that the demo makes, and commands that work on it afterwards.

use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use crate::error::CliError;

/// How many names are tried for the directory.
const NAMES: u32 = 1_000;
/// How wide a command may be before it is folded.
const FOLDED_COLUMNS: usize = 100;

/// Makes the directory that was named, or the first free one of the usual names.
pub(super) fn make_directory(named: Option<&Path>) -> Result<PathBuf, CliError> {
    if let Some(path) = named {
        make(path).map_err(|error| {
            CliError::io(path, error)
                .hint("name a directory that does not exist yet; its parent must")
        })?;
        return Ok(path.to_owned());
    }
    for number in 1..=NAMES {
        let suffix = if number == 1 {
            String::new()
        } else {
            format!("-{number}")
        };
        let path = PathBuf::from(format!("./countersign-demo{suffix}"));
        match make(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            made => {
                return made
                    .map(|()| path.clone())
                    .map_err(|error| CliError::io(&path, error));
            }
        }
    }
    Err(
        CliError::usage("there are too many directories of earlier demos here")
            .hint("remove some, or name one with --dir"),
    )
}

/// Opened documents will lie below: only the owner may look in.
fn make(path: &Path) -> std::io::Result<()> {
    std::fs::DirBuilder::new().mode(0o700).create(path)?;
    // It holds keys and tokens, and is often made in a clone.
    std::fs::write(path.join(".gitignore"), "*\n")
}

/// Commands that work on what the demo leaves behind.
pub(super) fn next_commands(home: &Path, profile: &Path, first: &str) -> Vec<String> {
    let (at, profile) = (
        shell(&home.display().to_string()),
        shell(&profile.display().to_string()),
    );
    let program = shell(&program());
    vec![
        format!("{program} serve --profile {profile} --data {at}/data"),
        format!("{program} explain {first} --purpose curious --profile {profile}"),
        format!("{program} entries --outcome rejected --profile {profile}"),
        format!(
            "{program} verify {at}/export --key @{at}/auditor/log.key --checkpoint {at}/auditor/morning"
        ),
    ]
}

/// This program as it was called: a path, unless it was found by its name.
fn program() -> String {
    let called = std::env::args().next().filter(|name| name.contains('/'));
    called.unwrap_or_else(|| "countersign".to_owned())
}

/// A command in lines that fit, where its options allow it.
pub(super) fn folded(command: &str) -> String {
    if command.chars().count() + 2 <= FOLDED_COLUMNS {
        return format!("  {command}");
    }
    format!("  {}", command.replace(" --", " \\\n      --"))
}

/// A word as a shell reads it.
fn shell(word: &str) -> String {
    let is_plain = word
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte));
    match is_plain {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stays_one_word() {
        assert_eq!(shell("./countersign-demo-2"), "./countersign-demo-2");
        assert_eq!(shell("a b"), "'a b'");
        assert_eq!(folded("a --b c"), "  a --b c");
        let long = format!("a --b {}", "c".repeat(100));
        assert!(folded(&long).starts_with("  a \\\n      --b ccc"));
        assert_eq!(shell("it's; rm"), "'it'\\''s; rm'");
    }
}
