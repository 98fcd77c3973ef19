//! The server as a child process, with everything that it starts.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

/// A command that starts a server.
#[derive(Debug, Clone)]
pub struct ServerCommand {
    /// The program.
    pub program: OsString,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Variables of the relay's own environment that the server does not get: those that hold
    /// tokens.
    pub without: Vec<OsString>,
}

/// A server that runs, in a process group of its own.
pub(super) struct Running {
    child: Child,
    group: Option<Pid>,
}

impl Running {
    pub(super) fn start(command: &ServerCommand) -> io::Result<(Self, ChildStdin, ChildStdout)> {
        let mut process = Command::new(&command.program);
        process
            .args(&command.args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .process_group(0);
        for name in &command.without {
            process.env_remove(name);
        }
        let mut child = process.spawn()?;
        let (Some(to), Some(from)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::other("the server's streams are missing"));
        };
        let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        Ok((Self { child, group }, to, from))
    }

    /// Something that waits for the server's end on another thread. The process stays there to be
    /// waited for, so that its number is nobody else's.
    pub(super) fn watch(&self) -> impl FnOnce() + Send + 'static {
        let group = self.group;
        move || {
            if let Some(id) = group {
                let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
                while let Err(rustix::io::Errno::INTR) = waitid(WaitId::Pid(id), options) {}
            }
        }
    }

    /// Asks the server, and what it started, to end.
    pub(super) fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Ends what is left of the server, and what it started; how the server itself ended.
    pub(super) fn end(mut self) -> io::Result<ExitStatus> {
        self.signal(Signal::KILL);
        self.child.wait()
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = self.group {
            // Nothing is left to signal if it fails.
            let _ = kill_process_group(group, signal);
        }
    }
}

/// The exit code by which a relay passes on how its server ended.
pub(super) fn code(status: ExitStatus) -> u8 {
    let code = status.code();
    let by_signal = status.signal().map(|signal| signal.saturating_add(128));
    code.or(by_signal)
        .and_then(|code| u8::try_from(code).ok())
        .unwrap_or(u8::MAX)
}
