//! Running what a surface's settings name, for a bounded time.

use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Most bytes that are read of what a program writes.
const OUTPUT_BYTES: u64 = 1024 * 1024;

/// What a program wrote, and how it ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// The exit code; `None` where a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) took: Duration,
}

/// Runs a program with this on its stdin until it ends, or is ended.
pub(crate) fn run(mut command: Command, stdin: &[u8], limit: Duration) -> Result<Ran, String> {
    let began = Instant::now();
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| error.to_string())?;
    if let Some(mut pipe) = child.stdin.take() {
        // A program that does not want to read it all still has an answer.
        let _ = pipe.write_all(stdin);
    }
    let stdout = reader(child.stdout.take());
    let stderr = reader(child.stderr.take());
    let text = |pipe: &mpsc::Receiver<Vec<u8>>| {
        let left = limit.saturating_sub(began.elapsed());
        pipe.recv_timeout(left)
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    };
    let (Ok(stdout), Ok(stderr)) = (text(&stdout), text(&stderr)) else {
        end(&mut child);
        return Err(format!("it did not end within {} s", limit.as_secs()));
    };
    let status = loop {
        match child.try_wait().map_err(|error| error.to_string())? {
            Some(status) => break status,
            None if began.elapsed() > limit => {
                end(&mut child);
                return Err(format!("it did not end within {} s", limit.as_secs()));
            }
            None => std::thread::sleep(Duration::from_millis(1)),
        }
    };
    Ok(Ran {
        stdout,
        stderr,
        code: status.code(),
        took: began.elapsed(),
    })
}

/// Ends a program that is still running.
pub(crate) fn end(child: &mut Child) {
    // It may have ended by itself meanwhile.
    let _ = child.kill();
    let _ = child.wait();
}

fn reader(pipe: Option<impl std::io::Read + Send + 'static>) -> mpsc::Receiver<Vec<u8>> {
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(pipe) = pipe {
            let _ = pipe.take(OUTPUT_BYTES).read_to_end(&mut bytes);
        }
        let _ = send.send(bytes);
    });
    receive
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn what_a_program_writes_and_how_it_ends_is_known() {
        let ran = run(
            shell("cat; echo no >&2; exit 2"),
            b"yes",
            Duration::from_secs(10),
        )
        .unwrap();
        assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("yes", "no\n"));
        assert_eq!(ran.code, Some(2));
        let gone = Command::new("/nonexistent/program");
        assert!(run(gone, b"", Duration::from_secs(10)).is_err());
    }

    #[test]
    fn a_program_that_does_not_end_is_ended() {
        let error = run(shell("sleep 60"), b"", Duration::from_millis(50)).unwrap_err();
        assert!(error.starts_with("it did not end"), "{error}");
    }
}
