//! Files below an address, of any server: a log in tlog-tiles layout, a witness.

use std::io::Read as _;
use std::time::Duration;

use crate::error::{ClientError, Unreachable};
use crate::transport::{Client, Request};

/// How often a file is asked for at most.
const TRIES: u32 = 5;
/// How long to wait before asking a second time; doubled each time.
const FIRST_WAIT: Duration = Duration::from_millis(200);
/// The longest wait that a server may ask for between two tries.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

impl Client {
    /// The file of this name below the server's address; `None` if there is none. What is longer
    /// than `limit` is cut off there. Redirects are not followed.
    pub fn file(&self, name: &str, limit: u64) -> Result<Option<Vec<u8>>, ClientError> {
        let path = format!("/{name}");
        let allowed = self.request_timeout();
        let mut answer = self.exchange(Request::get(&path), allowed)?;
        match answer.status().as_u16() {
            200 => {}
            404 | 410 => {
                // Read to its end, so that the connection can be used again.
                let _ = self.refusal(&mut answer, allowed);
                return Ok(None);
            }
            _ => return Err(self.refusal(&mut answer, allowed)),
        }
        let mut bytes = Vec::new();
        let body = answer.body_mut().as_reader();
        let read = body.take(limit).read_to_end(&mut bytes);
        read.map_err(|error| self.failed(error.into(), allowed))?;
        Ok(Some(bytes))
    }

    /// The same, asked for again a few times where the server is busy or the connection breaks.
    pub fn file_patiently(&self, name: &str, limit: u64) -> Result<Option<Vec<u8>>, ClientError> {
        let mut wait = FIRST_WAIT;
        for _ in 1..TRIES {
            let error = match self.file(name, limit) {
                Ok(file) => return Ok(file),
                Err(error) => error,
            };
            let Some(asked) = may_pass(&error) else {
                return Err(error);
            };
            std::thread::sleep(wait.max(asked).min(LONGEST_WAIT));
            wait = wait.saturating_mul(2);
        }
        self.file(name, limit)
    }
}

/// How long to wait at least before reading the same thing once more, if that can help.
fn may_pass(error: &ClientError) -> Option<Duration> {
    match error {
        ClientError::Broken { .. }
        | ClientError::Timeout { .. }
        | ClientError::Unreachable {
            cause: Unreachable::Refused | Unreachable::TooSlow(_) | Unreachable::Other(_),
            ..
        }
        | ClientError::Status {
            status: 429 | 500..=599,
            ..
        } => Some(Duration::ZERO),
        ClientError::Problem {
            problem,
            retry_after,
        } if problem.status == 429 || problem.status >= 500 => {
            Some(retry_after.unwrap_or_default())
        }
        _ => None,
    }
}
