//! A log's files on a server, and a copy of them as they are read.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use countersign_client::{Client, ClientError, ServerUrl};
use countersign_merkle::AnyTile;
use countersign_verify::{LogSource, SourceError};

use super::longest;
use crate::connection::ConnectionArgs;
use crate::error::CliError;
use crate::terminal::Terminal;

/// How many connections read a log at once, at least: they wait for the server most of the time.
pub(crate) const CONNECTIONS: usize = 8;

/// A log in tlog-tiles layout below an address, of any server.
pub(crate) struct LogUrl {
    public: Client,
    /// Sent only where entries are read.
    with_token: Option<Client>,
    /// All that is checked has to be of one checkpoint.
    checkpoint: OnceLock<Vec<u8>>,
}

impl LogUrl {
    /// Whether this names a server and no directory.
    pub(crate) fn is_one(text: &str) -> bool {
        text.starts_with("http://") || text.starts_with("https://")
    }

    /// The log at this address. Nothing is asked for yet.
    pub(crate) fn open(
        text: &str,
        connection: &ConnectionArgs,
        terminal: &Terminal,
    ) -> Result<Self, CliError> {
        // What `checkpoint` lies below is meant, however it was copied.
        let trimmed = text.trim_end_matches('/');
        let trimmed = trimmed.strip_suffix("/checkpoint").unwrap_or(trimmed);
        let url: ServerUrl = trimmed
            .parse()
            .map_err(|error| CliError::usage(format!("{error}")))?;
        let (public, with_token) = connection.clients_at(&url, &["auditor"], terminal)?;
        Ok(Self {
            public,
            with_token,
            checkpoint: OnceLock::new(),
        })
    }

    /// The log's address.
    pub(crate) fn address(&self) -> &ServerUrl {
        self.public.server()
    }

    /// Whether there is a token for entries.
    pub(crate) fn has_token(&self) -> bool {
        self.with_token.is_some()
    }

    /// The newest checkpoint. Asked for once, without waiting for a server that is not there.
    pub(crate) fn newest(&self) -> Result<Option<Vec<u8>>, ClientError> {
        self.public.file("checkpoint", longest::CHECKPOINT)
    }

    /// Reads the checkpoint that all else is to be held against.
    pub(crate) fn begin(&self) -> Result<(), CliError> {
        let none = || {
            CliError::usage(format!("`{}` has no checkpoint", self.address()))
                .hint(format!(
                    "give the address of the log itself: on a countersign server it ends in /log/TENANT/EPOCH, as in {}/log/local/1",
                    self.address()
                ))
        };
        let checkpoint = self.newest()?.ok_or_else(none)?;
        let _ = self.checkpoint.set(checkpoint);
        Ok(())
    }
}

impl LogSource for LogUrl {
    fn checkpoint(&self) -> Result<Vec<u8>, SourceError> {
        if let Some(checkpoint) = self.checkpoint.get() {
            return Ok(checkpoint.clone());
        }
        match self.newest() {
            Ok(file) => file.ok_or(SourceError::Missing),
            Err(error) => Err(SourceError::Io(error.to_string())),
        }
    }

    fn tile(&self, tile: &AnyTile) -> Result<Vec<u8>, SourceError> {
        let client = match (tile, &self.with_token) {
            (AnyTile::Entries(_), Some(client)) => client,
            _ => &self.public,
        };
        match client.file_patiently(&tile.to_string(), longest::tile(tile)) {
            Ok(file) => file.ok_or(SourceError::Missing),
            Err(error) => Err(SourceError::Io(refused(tile, &error))),
        }
    }
}

fn refused(tile: &AnyTile, error: &ClientError) -> String {
    let status = match error {
        ClientError::Problem { problem, .. } => problem.status,
        ClientError::Status { status, .. } => *status,
        _ => 0,
    };
    match (tile, status) {
        (AnyTile::Entries(_), 401 | 403) => format!(
            "{error}: entries need the token of a credential with the role `auditor` (COUNTERSIGN_TOKEN), unless the log's are public"
        ),
        _ => error.to_string(),
    }
}

/// A source that keeps what it read in a directory, as `countersign export` would write it.
pub(crate) struct Saving<'s> {
    source: &'s dyn LogSource,
    dir: PathBuf,
}

impl<'s> Saving<'s> {
    /// Keeps files in `dir`, which must be new or empty.
    pub(crate) fn new(source: &'s dyn LogSource, dir: &Path) -> Result<Self, CliError> {
        let io = |error: std::io::Error| CliError::io(dir, error);
        std::fs::create_dir_all(dir).map_err(io)?;
        if std::fs::read_dir(dir).map_err(io)?.next().is_some() {
            return Err(CliError::io(dir, "it is not empty")
                .hint("save each copy in a directory of its own"));
        }
        Ok(Self {
            source,
            dir: dir.to_owned(),
        })
    }

    fn keep(&self, name: &str, bytes: Vec<u8>) -> Result<Vec<u8>, SourceError> {
        let path = self.dir.join(name);
        let dir = path.parent().unwrap_or(&self.dir);
        let written = std::fs::create_dir_all(dir).and_then(|()| write_new(&path, &bytes));
        match written {
            Ok(()) => Ok(bytes),
            // What was read first was checked; a server may show something else when asked again.
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(bytes),
            Err(error) => Err(SourceError::Io(format!("`{}`: {error}", path.display()))),
        }
    }
}

impl LogSource for Saving<'_> {
    fn checkpoint(&self) -> Result<Vec<u8>, SourceError> {
        self.keep("checkpoint", self.source.checkpoint()?)
    }

    fn tile(&self, tile: &AnyTile) -> Result<Vec<u8>, SourceError> {
        self.keep(&tile.to_string(), self.source.tile(tile)?)
    }
}

fn write_new(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::io::Write as _;
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create_new(true).open(path)?;
    file.write_all(bytes)
}
