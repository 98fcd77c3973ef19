//! The server's process.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child as Process, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::error::Error;

/// How long a process that was killed may take to be gone.
const GONE: Duration = Duration::from_secs(10);

/// A server in a process of its own. It is killed with SIGKILL, and never asked to stop.
pub(super) struct Child {
    process: Process,
    said: BufReader<ChildStdout>,
    log: PathBuf,
    url: String,
}

impl Child {
    /// Starts `countersign serve` over a data directory, with `home` for all else that it may write.
    pub(super) fn spawn(program: &Path, home: &Path, data: &Path) -> Result<Self, Error> {
        Self::spawn_under(&[], program, home, data)
    }

    /// The same, run by another program: one that injects errors, or sets limits.
    pub(super) fn spawn_under(
        runner: &[String],
        program: &Path,
        home: &Path,
        data: &Path,
    ) -> Result<Self, Error> {
        let log = home.join("serve.log");
        let stderr = std::fs::File::create(&log).map_err(Error::io(&log))?;
        let mut command = match runner.split_first() {
            None => Command::new(program),
            Some((first, rest)) => {
                let mut command = Command::new(first);
                command.args(rest).arg(program);
                command
            }
        };
        let mut process = command
            .args(["serve", "--json", "--listen", "127.0.0.1:0"])
            .args(["--rate-per-s", "0", "--log-level", "error", "--data"])
            .arg(data)
            .env("HOME", home)
            .env("XDG_CONFIG_HOME", home.join("config"))
            .env("XDG_DATA_HOME", home.join("share"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .map_err(Error::io(program))?;
        let missing = || Error::server("the server")("it has no output");
        let said = BufReader::new(process.stdout.take().ok_or_else(missing)?);
        Ok(Self {
            process,
            said,
            log,
            url: String::new(),
        })
    }

    /// Waits until it says where it listens; if it ends before, what it said.
    pub(super) fn wait_until_it_listens(&mut self) -> Result<Result<(), String>, Error> {
        let mut line = String::new();
        loop {
            line.clear();
            let read = self
                .said
                .read_line(&mut line)
                .map_err(Error::io(&self.log))?;
            if read == 0 {
                let ended = self.process.wait().map_err(Error::io(&self.log))?;
                let said = std::fs::read_to_string(&self.log).unwrap_or_default();
                return Ok(Err(format!("{ended}: {}", said.trim())));
            }
            let said: Value = serde_json::from_str(&line).unwrap_or_default();
            if said.get("event").and_then(Value::as_str) == Some("listening") {
                self.url = said
                    .get("url")
                    .and_then(Value::as_str)
                    .unwrap_or_default()
                    .to_owned();
                return Ok(Ok(()));
            }
        }
    }

    /// Where it listens.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Waits for a while for it to end by itself; whether it has.
    pub(super) fn ends_within(&mut self, patience: Duration) -> Result<bool, Error> {
        let begun = Instant::now();
        while begun.elapsed() < patience {
            if self.has_ended()? {
                return Ok(true);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        self.has_ended()
    }

    /// Whether it has ended by itself.
    pub(super) fn has_ended(&mut self) -> Result<bool, Error> {
        let ended = self.process.try_wait().map_err(Error::io(&self.log))?;
        Ok(ended.is_some())
    }

    /// Kills it and waits until it is gone. A tracer would only let go of it: what it runs goes first.
    pub(super) fn kill(&mut self) -> Result<(), Error> {
        // The number of one that is gone may be another's by now.
        if self.has_ended()? {
            return Ok(());
        }
        let id = self.process.id();
        let below = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children"));
        let below: Vec<Pid> = below
            .unwrap_or_default()
            .split_whitespace()
            .filter_map(|child| child.parse().ok().and_then(Pid::from_raw))
            .collect();
        for child in &below {
            // It may be gone by now.
            let _ = kill_process(*child, Signal::KILL);
        }
        // A tracer ends when what it traces has; only ours can be waited for by us.
        let begun = Instant::now();
        while below.iter().any(|child| is_there(*child)) && begun.elapsed() < GONE {
            std::thread::sleep(Duration::from_millis(1));
        }
        self.process.kill().map_err(Error::io(&self.log))?;
        self.process.wait().map_err(Error::io(&self.log))?;
        Ok(())
    }

    /// The same for one that may not even listen yet.
    pub(super) fn kill_early(mut self) -> Result<(), Error> {
        self.kill()
    }
}

fn is_there(process: Pid) -> bool {
    Path::new("/proc")
        .join(process.as_raw_nonzero().to_string())
        .exists()
}

/// No server outlives what has started it.
impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}
