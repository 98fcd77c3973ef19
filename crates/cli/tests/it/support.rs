//! A home of its own for each test, and servers in it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// The longest that anything here may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A directory that stands for a user's home.
pub(crate) struct Home {
    dir: TempDir,
}

/// What a command said and how it ended.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// A server that runs; it is killed when dropped.
pub(crate) struct Serving {
    child: Child,
    pub(crate) url: String,
    pub(crate) said: Vec<String>,
    log: PathBuf,
    rest: mpsc::Receiver<String>,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Where the first `serve` writes the profile.
    pub(crate) fn profile(&self) -> PathBuf {
        self.path("config/countersign/profile.toml")
    }

    /// The command with this home, in it, and with nothing of the machine's own settings.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
        let own: Vec<_> = std::env::vars_os()
            .filter(|(name, _)| name.to_string_lossy().starts_with("COUNTERSIGN_"))
            .collect();
        for (name, _) in own {
            command.env_remove(name);
        }
        command
            .args(args)
            .current_dir(self.dir.path())
            .env("HOME", self.dir.path())
            .env("XDG_CONFIG_HOME", self.path("config"))
            .env("XDG_DATA_HOME", self.path("data"))
            .env("USER", "jo")
            .env_remove("NO_COLOR")
            .env_remove("JOURNAL_STREAM");
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        ran(self.command(args))
    }

    /// Runs a command that has to end with this code; its stdout.
    pub(crate) fn expect(&self, code: i32, args: &[&str]) -> String {
        let ran = self.run(args);
        assert_eq!(ran.code, code, "{args:?}\n{}\n{}", ran.out, ran.err);
        ran.out
    }

    /// Runs a command that has to succeed; its stdout without the last line break.
    pub(crate) fn ok(&self, args: &[&str]) -> String {
        self.expect(0, args).trim_end().to_owned()
    }

    /// Runs a command with `--json` that has to end with this code; its document.
    pub(crate) fn json(&self, code: i32, args: &[&str]) -> Value {
        let mut args = args.to_vec();
        args.push("--json");
        let out = self.expect(code, &args);
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{args:?}: {error}\n{out}"))
    }

    /// Starts a server on a free port and waits until it says where it listens.
    pub(crate) fn serve(&self, args: &[&str]) -> Serving {
        let mut command = self.command(&["serve", "--listen", "127.0.0.1:0"]);
        command.args(args);
        Serving::start(command, self.path("serve.log"))
    }
}

impl Ran {
    fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Serving {
    pub(crate) fn start(mut command: Command, log: PathBuf) -> Self {
        let file = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&log)
            .unwrap();
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(file)
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let rest = lines(child.stdout.take().unwrap());
        let mut said = Vec::new();
        let url = loop {
            match rest.recv_timeout(PATIENCE) {
                Ok(line) => {
                    let url = listening(&line);
                    said.push(line);
                    if let Some(url) = url {
                        break url;
                    }
                }
                Err(error) => {
                    let _ = child.kill();
                    panic!(
                        "{error}: {said:?}\n{}",
                        std::fs::read_to_string(&log).unwrap()
                    );
                }
            }
        };
        Self {
            child,
            url,
            said,
            log,
            rest,
        }
    }

    /// What the server has written to stderr.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// Waits until the server has written this to stderr.
    pub(crate) fn wait_for_log(&self, text: &str) {
        let begun = Instant::now();
        while !self.log().contains(text) {
            assert!(
                begun.elapsed() < PATIENCE,
                "`{text}` is not in:\n{}",
                self.log()
            );
            let _ = self.rest.recv_timeout(Duration::from_millis(20));
        }
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill")
            .args([&format!("-{name}"), &id])
            .status()
            .unwrap();
        assert!(sent.success());
    }

    /// Waits for the end; the exit code, or `None` after a signal that ends a process.
    pub(crate) fn ended(&mut self) -> Option<i32> {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "the server does not end\n{}",
                self.log()
            );
            // Waiting for what the process does is all that can be done here.
            let _ = self.rest.recv_timeout(Duration::from_millis(20));
        }
    }

    pub(crate) fn stop(mut self) {
        self.signal("TERM");
        assert_eq!(self.ended(), Some(0), "{}", self.log());
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn ran(mut command: Command) -> Ran {
    Ran::of(command.stdin(Stdio::null()).output().unwrap())
}

/// The same with this on its stdin.
pub(crate) fn fed(mut command: Command, stdin: &[u8]) -> Ran {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that has seen enough may close its end.
    let _ = child.stdin.take().unwrap().write_all(stdin);
    Ran::of(child.wait_with_output().unwrap())
}

/// A copy of a directory with everything in it.
pub(crate) fn copy(from: &Path, to: &Path) {
    let status = Command::new("cp")
        .arg("-a")
        .arg(from)
        .arg(to)
        .status()
        .unwrap();
    assert!(status.success());
}

/// The files below a directory.
pub(crate) fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push(path),
        }
    }
    found.sort();
    found
}

fn lines(out: ChildStdout) -> mpsc::Receiver<String> {
    let (send, lines) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(out).lines().map_while(Result::ok) {
            if send.send(line).is_err() {
                return;
            }
        }
    });
    lines
}

fn listening(line: &str) -> Option<String> {
    if let Some(url) = line.strip_prefix("listening on ") {
        return Some(url.to_owned());
    }
    let event: Value = serde_json::from_str(line).ok()?;
    (event["event"] == "listening").then(|| event["url"].as_str().unwrap().to_owned())
}
