//! What others make of the same entries: programs of `tools/bench-peers/`, built by hand, of which
//! each round is one run on a directory that stays.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde::Deserialize;

use super::opaque::Round;
use crate::error::Error;

/// A peer, and where it keeps its log.
pub(super) struct Peer {
    program: PathBuf,
    dir: PathBuf,
    /// What its clients may wait for.
    waits: &'static [(&'static str, &'static [usize])],
    // Removed at the end.
    _dir: tempfile::TempDir,
}

/// One case of a peer.
pub(super) struct PeerRound {
    pub(super) clients: usize,
    pub(super) wait: &'static str,
}

/// What a peer prints.
#[derive(Debug, Deserialize)]
pub(super) struct PeerMeasured {
    pub(super) name: String,
    pub(super) answer: String,
    entries: usize,
    seconds: f64,
    p50_us: f64,
    p99_us: f64,
    cpu_us: f64,
}

impl Peer {
    /// Tessera, which answers when the index is durable, or when a checkpoint covers it.
    pub(super) fn tessera(program: &Path, dir: &Path) -> Result<Self, Error> {
        Self::new(
            program,
            dir,
            &[("durable", &[1, 64, 256]), ("proof", &[64, 256])],
        )
    }

    /// Immudb, embedded, which answers when the transaction is durable.
    pub(super) fn immudb(program: &Path, dir: &Path) -> Result<Self, Error> {
        Self::new(program, dir, &[("durable", &[1, 64, 256])])
    }

    fn new(
        program: &Path,
        dir: &Path,
        waits: &'static [(&'static str, &'static [usize])],
    ) -> Result<Self, Error> {
        let made = tempfile::Builder::new()
            .prefix("peer-")
            .tempdir_in(dir)
            .map_err(Error::io(dir))?;
        Ok(Self {
            program: program.to_owned(),
            dir: made.path().join("log"),
            waits,
            _dir: made,
        })
    }

    pub(super) fn cases(&self) -> Vec<PeerRound> {
        let cases = self.waits.iter().flat_map(|(wait, clients)| {
            clients.iter().map(|clients| PeerRound {
                clients: *clients,
                wait,
            })
        });
        cases.collect()
    }

    /// Runs it once.
    pub(super) fn round(
        &self,
        wait: &str,
        clients: usize,
        bytes: usize,
        time: Duration,
    ) -> Result<PeerMeasured, Error> {
        let failed = "a peer";
        let ran = Command::new(&self.program)
            .arg("--dir")
            .arg(&self.dir)
            .args(["--wait", wait, "--clients", &clients.to_string()])
            .args(["--bytes", &bytes.to_string()])
            .args(["--seconds", &time.as_secs_f64().to_string()])
            .output()
            .map_err(Error::io(&self.program))?;
        if !ran.status.success() {
            let said = String::from_utf8_lossy(&ran.stderr).into_owned();
            return Err(Error::server(failed)(said));
        }
        serde_json::from_slice(&ran.stdout).map_err(Error::server(failed))
    }
}

impl PeerMeasured {
    pub(super) fn round(&self) -> Round {
        Round {
            entries: self.entries,
            per_second: self.entries as f64 / self.seconds.max(f64::EPSILON),
            p50_us: self.p50_us,
            p99_us: self.p99_us,
            cpu_us: self.cpu_us,
        }
    }
}
