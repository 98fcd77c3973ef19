//! A server as a child process that speaks over its standard input and output.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use countersign_mcp::limits::MESSAGE_BYTES;
use rustix::process::{Pid, Signal, kill_process_group};

use super::ask::Transport;
use crate::error::CliError;
use crate::render::plain;

/// How long the child may take to end once nobody speaks to it any more.
const GRACE: Duration = Duration::from_secs(2);
/// How long its last words are waited for.
const LAST_WORDS: Duration = Duration::from_millis(500);
/// Most bytes of what the child wrote to its standard error that are shown.
const SAID: usize = 2_048;
/// What variables of this command begin with; some hold tokens.
const OWN: &str = "COUNTERSIGN_";
/// How many messages wait to be read.
const WAITING: usize = 64;

/// A running child.
pub(super) struct Process {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<Result<Vec<u8>, String>>,
    /// The end of what it wrote to its standard error.
    said: Arc<Mutex<Vec<u8>>>,
    /// Nothing comes by it; it is cut when the standard error has been read to its end.
    silent: Receiver<()>,
}

impl Process {
    /// Starts it, in a process group of its own.
    pub(super) fn start(command: &[String]) -> Result<Self, CliError> {
        let Some((program, args)) = command.split_first() else {
            return Err(CliError::usage("a command is needed"));
        };
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os() {
            if name.as_encoded_bytes().starts_with(OWN.as_bytes()) {
                command.env_remove(name);
            }
        }
        let mut child = command
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .map_err(|error| CliError::usage(format!("`{}`: {error}", plain(program))))?;
        let (to, lines) = sync_channel(WAITING);
        let said = Arc::new(Mutex::new(Vec::new()));
        if let Some(stdout) = child.stdout.take() {
            std::thread::spawn(move || read_lines(BufReader::new(stdout), &to));
        }
        let (talking, silent) = sync_channel(0);
        if let Some(mut stderr) = child.stderr.take() {
            let said = Arc::clone(&said);
            std::thread::spawn(move || {
                let _talking = talking;
                let mut buffer = [0_u8; 4096];
                while let Ok(n @ 1..) = stderr.read(&mut buffer) {
                    let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
                    said.extend_from_slice(buffer.get(..n).unwrap_or_default());
                    let over = said.len().saturating_sub(SAID);
                    said.drain(..over);
                }
            });
        }
        Ok(Self {
            stdin: child.stdin.take(),
            child,
            lines,
            said,
            silent,
        })
    }

    fn gone(&self, what: &str) -> CliError {
        // What it wrote last helps most; where it goes on running, nobody waits for more.
        let _ = self.silent.recv_timeout(LAST_WORDS);
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let said = String::from_utf8_lossy(&said);
        let error = CliError::usage(format!("the server {what}"));
        match said.trim() {
            "" => error,
            said => error.hint(format!("it wrote: {}", plain(said))),
        }
    }
}

/// One message per line, none longer than what is relayed.
fn read_lines(mut from: impl std::io::BufRead, to: &SyncSender<Result<Vec<u8>, String>>) {
    loop {
        let mut line = Vec::new();
        let most = u64::try_from(MESSAGE_BYTES).unwrap_or(u64::MAX) + 1;
        let read = from.by_ref().take(most).read_until(b'\n', &mut line);
        let next = match read {
            Ok(0) => return,
            Ok(_) if line.len() > MESSAGE_BYTES => Err(format!(
                "sends a message of more than {MESSAGE_BYTES} bytes"
            )),
            Ok(_) => Ok(line.trim_ascii().to_vec()),
            Err(error) => Err(format!("cannot be read: {error}")),
        };
        let is_over = next.is_err();
        if next.as_ref().is_ok_and(Vec::is_empty) {
            continue;
        }
        if to.send(next).is_err() || is_over {
            return;
        }
    }
}

impl Transport for Process {
    fn send(&mut self, message: &str, _method: Option<&str>) -> Result<(), CliError> {
        let sent = match &mut self.stdin {
            Some(stdin) => stdin
                .write_all(format!("{message}\n").as_bytes())
                .and_then(|()| stdin.flush()),
            None => Ok(()),
        };
        sent.map_err(|_| self.gone("ended before it was asked"))
    }

    fn next(&mut self, until: Instant) -> Result<Vec<u8>, CliError> {
        let left = until.saturating_duration_since(Instant::now());
        match self.lines.recv_timeout(left) {
            Ok(Ok(line)) => Ok(line),
            Ok(Err(what)) => Err(self.gone(&what)),
            Err(RecvTimeoutError::Timeout) => Err(self
                .gone("does not answer in time")
                .hint("--timeout gives it longer")),
            Err(RecvTimeoutError::Disconnected) => Err(self.gone("ended without an answer")),
        }
    }

    fn speaks(&mut self, _revision: &str) {}
}

impl Drop for Process {
    /// Closes its input and gives it time to end; then it is ended with all that it has started.
    fn drop(&mut self) {
        self.stdin = None;
        let until = Instant::now() + GRACE;
        while Instant::now() < until {
            if let Ok(Some(_)) = self.child.try_wait() {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        if let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            // The group is gone where all in it have ended.
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.child.wait();
    }
}
