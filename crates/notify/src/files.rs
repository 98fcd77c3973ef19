//! The files of telling people in a data directory.
//!
//! ```text
//! DIR/notify.toml         the sinks, with their secrets; written by people and `countersign notify`
//! DIR/notify-state.json   how far each sink has come; written by the server alone
//! DIR/notify-retry/       one empty file for each dead letter that is to be sent again
//! ```

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, chown};
use std::path::{Path, PathBuf};

use crate::config::{ConfigFile, SinkName};

/// What stands for all dead letters of a sink.
const ALL: &str = "all";

/// Where the files are.
#[derive(Debug, Clone)]
pub struct NotifyDir {
    root: PathBuf,
}

/// What is to be sent again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The sink.
    pub sink: SinkName,
    /// The message; all dead letters without one.
    pub id: Option<String>,
}

/// Why a request could not be left.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// The system said no.
    #[error("`{path}`: {error}")]
    Io {
        /// Where.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// It is no id of a message.
    #[error("`{0}` is no id of a message")]
    Id(String),
}

impl NotifyDir {
    /// In this data directory.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The settings.
    pub fn config(&self) -> ConfigFile {
        ConfigFile::new(self.root.join("notify.toml"))
    }

    /// The state.
    pub fn state(&self) -> PathBuf {
        self.root.join("notify-state.json")
    }

    /// Asks the server to send something again.
    pub fn ask(&self, asked: &Asked) -> Result<(), RequestError> {
        let path = self.request(asked)?;
        let failed = |error| RequestError::Io {
            path: path.clone(),
            error,
        };
        let dir = self.requests();
        match fs::DirBuilder::new().mode(0o700).create(&dir) {
            Ok(()) => own(&dir, &self.root).map_err(failed)?,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(failed(error)),
        }
        // The server may take a request up as soon as it has its name, so it gets that last.
        let new = dir.join(format!(".{}", asked.sink));
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let made = options.open(&new).and_then(|file| file.sync_all());
        made.and_then(|()| own(&new, &self.root))
            .and_then(|()| fs::rename(&new, &path))
            .map_err(failed)?;
        sync_dir(&dir).map_err(failed)
    }

    /// Whether the server has not yet taken a request up.
    pub fn is_asked(&self, asked: &Asked) -> bool {
        self.request(asked).is_ok_and(|path| path.exists())
    }

    /// What is asked for; files that are no requests are left alone.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        let Ok(entries) = fs::read_dir(self.requests()) else {
            return Vec::new();
        };
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut asked: Vec<Asked> = names.filter_map(|name| read_request(&name)).collect();
        asked.sort_by(|a, b| (&a.sink, &a.id).cmp(&(&b.sink, &b.id)));
        asked
    }

    /// A request was taken up.
    pub(crate) fn done(&self, asked: &Asked) {
        if let Ok(path) = self.request(asked) {
            // What cannot be removed is taken up again, and finds nothing to do.
            let _ = fs::remove_file(path);
        }
    }

    fn requests(&self) -> PathBuf {
        self.root.join("notify-retry")
    }

    fn request(&self, asked: &Asked) -> Result<PathBuf, RequestError> {
        let id = asked.id.as_deref().unwrap_or(ALL);
        match is_id(id) {
            true => Ok(self.requests().join(format!("{}.{id}", asked.sink))),
            false => Err(RequestError::Id(id.to_owned())),
        }
    }
}

fn is_id(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    (1..=64).contains(&text.len()) && text.bytes().all(fits)
}

fn read_request(name: &str) -> Option<Asked> {
    let (sink, id) = name.split_once('.')?;
    let sink = SinkName::parse(sink)?;
    let id = Some(id).filter(|id| is_id(id))?;
    Some(Asked {
        sink,
        id: (id != ALL).then(|| id.to_owned()),
    })
}

/// Writes a file as a whole, for its owner alone; durable on return.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or_else(|| Path::new("."));
    let new = path.with_extension("new");
    // One that an interrupted run left.
    match fs::remove_file(&new) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    own(&new, parent)?;
    // The name changes only once the content is durable, and is durable itself with the directory.
    fs::rename(&new, path)?;
    sync_dir(parent)
}

/// Gives what root made to the directory's owner, whose server has to read it.
fn own(path: &Path, like: &Path) -> io::Result<()> {
    let (wanted, found) = (fs::metadata(like)?, fs::metadata(path)?);
    match wanted.uid() == found.uid() {
        true => Ok(()),
        false => chown(path, Some(wanted.uid()), Some(wanted.gid())),
    }
}

fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}
