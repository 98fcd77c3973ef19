//! Reading and writing `notify.toml`.

use std::fs::{self, File};
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::{Config, ConfigError, RawConfig, RawSink};
use crate::files::replace;
use crate::limits::CONFIG_BYTES;

/// What a new file begins with.
const HEADER: &str = "# Whom `countersign serve` tells of flags: docs/notify.md. It holds secrets: keep the mode 600.\n";

/// The settings file of a data directory.
#[derive(Debug, Clone)]
pub struct ConfigFile {
    path: PathBuf,
}

/// Tells apart two states of a file.
pub(crate) type Stamp = (u64, i64, i64, u64, u32);

impl ConfigFile {
    /// The file at `path`, whether or not it exists.
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads it; one that is not there names no sinks.
    pub fn read(&self) -> Result<Config, ConfigError> {
        self.parse(&self.text()?)?.check()
    }

    /// Adds a sink. What else stands in the file stays as it is.
    pub fn add(&self, sink: &RawSink) -> Result<(), ConfigError> {
        let mut text = self.text()?;
        let mut all = self.parse(&text)?;
        let one = RawConfig {
            link: None,
            sinks: vec![sink.clone()],
        };
        let block = self.write_out(&one)?;
        all.sinks.push(sink.clone());
        all.check()?;
        if text.is_empty() {
            HEADER.clone_into(&mut text);
        }
        if !text.ends_with('\n') {
            text.push('\n');
        }
        text.push('\n');
        text.push_str(&block);
        // A table that stood open at the end must not swallow the new one.
        let text = match self.parse(&text) {
            Ok(again) if again.sinks.len() == all.sinks.len() => text,
            _ => self.write_out(&all)?,
        };
        self.write(&text)
    }

    /// Takes a sink out.
    pub fn remove(&self, name: &str) -> Result<(), ConfigError> {
        let text = self.text()?;
        let mut all = self.parse(&text)?;
        let found = all.sinks.iter().position(|sink| sink.name == name);
        let found = found.ok_or_else(|| ConfigError::Unknown(name.to_owned()))?;
        all.sinks.remove(found);
        all.check()?;
        let whole = self.write_out(&all)?;
        // Comments stay if the sink can be cut out as it stands.
        let cut = cut(&text, found).filter(|cut| {
            let read = self.parse(cut).and_then(|read| self.write_out(&read));
            read.is_ok_and(|read| read == whole)
        });
        self.write(&cut.unwrap_or_else(|| format!("{HEADER}{whole}")))
    }

    pub(crate) fn stamp(&self) -> Option<Stamp> {
        let found = fs::metadata(&self.path).ok()?;
        Some((
            found.ino(),
            found.mtime(),
            found.mtime_nsec(),
            found.size(),
            found.mode(),
        ))
    }

    fn text(&self) -> Result<String, ConfigError> {
        let failed = |error| ConfigError::Io {
            path: self.path.clone(),
            error,
        };
        let file = match File::open(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(String::new()),
            opened => opened.map_err(failed)?,
        };
        let found = file.metadata().map_err(failed)?;
        let mode = found.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(ConfigError::Loose {
                path: self.path.clone(),
                mode,
            });
        }
        let mut text = String::new();
        let mut limited = file.take(CONFIG_BYTES.saturating_add(1));
        let read = limited.read_to_string(&mut text).map_err(failed)?;
        match u64::try_from(read).is_ok_and(|read| read <= CONFIG_BYTES) {
            true => Ok(text),
            false => Err(ConfigError::Long(self.path.clone())),
        }
    }

    fn parse(&self, text: &str) -> Result<RawConfig, ConfigError> {
        toml::from_str(text).map_err(|error| {
            // The error's own rendering shows the line, which may hold a secret.
            let before = error.span().and_then(|span| text.get(..span.start));
            let line = before.map(|before| before.matches('\n').count().saturating_add(1));
            let line = line
                .map(|line| format!("line {line}: "))
                .unwrap_or_default();
            ConfigError::Form {
                path: self.path.clone(),
                error: format!("{line}{}", without_values(error.message())),
            }
        })
    }

    fn write_out(&self, config: &RawConfig) -> Result<String, ConfigError> {
        toml::to_string(config).map_err(|error| ConfigError::Form {
            path: self.path.clone(),
            error: error.to_string(),
        })
    }

    fn write(&self, text: &str) -> Result<(), ConfigError> {
        replace(&self.path, text.as_bytes()).map_err(|error| ConfigError::Io {
            path: self.path.clone(),
            error,
        })
    }
}

/// What is wrong, without the value that is: TOML's own words for a value of another type, and for
/// one that is none of those allowed, quote it.
fn without_values(message: &str) -> String {
    let message = message.lines().next().unwrap_or_default();
    for what in ["invalid type", "invalid value", "unknown variant"] {
        if message.starts_with(what) {
            let expected = message
                .rsplit_once(", expected ")
                .map(|(_, expected)| expected);
            let expected = expected.map(|expected| format!(", expected {expected}"));
            return format!("{what}{}", expected.unwrap_or_default());
        }
    }
    message.to_owned()
}

/// The text without its `nth` block `[[sink]]`, with the tables below it.
fn cut(text: &str, nth: usize) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut seen = 0_usize;
    let mut is_in = false;
    for line in text.split_inclusive('\n') {
        let start = line.trim_start();
        if start.starts_with("[[sink]]") {
            is_in = seen == nth;
            seen = seen.checked_add(1)?;
        } else if start.starts_with('[') && !start.starts_with("[sink.") {
            is_in = false;
        }
        if !is_in {
            out.push_str(line);
        }
    }
    Some(out)
}
