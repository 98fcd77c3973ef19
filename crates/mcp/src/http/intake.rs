//! Reading a request's body, within its bounds.

use std::sync::Arc;

use http_body_util::BodyExt as _;
use hyper::StatusCode;
use hyper::body::{Body as _, Incoming};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use super::guard::Turned;
use super::limits::{BODY_TIMEOUT, LINGER, MESSAGE_BYTES};
use crate::jsonrpc::{Overlong, Scanner};

/// A body, with the memory that it takes.
pub(crate) struct Taken {
    pub(crate) bytes: Vec<u8>,
    _memory: OwnedSemaphorePermit,
}

/// What became of a body.
pub(crate) enum Intake {
    /// It is there.
    Whole(Taken),
    /// It is longer than a message may be; this could be known of it.
    TooLong(Overlong),
    /// It did not come.
    Turned(Turned),
}

/// Reads a body.
pub(crate) async fn read(mut body: Incoming, memory: &Arc<Semaphore>) -> Intake {
    let until = Instant::now() + BODY_TIMEOUT;
    let busy = Turned {
        status: StatusCode::SERVICE_UNAVAILABLE,
        text: "the relay has all the bodies in memory that it bears",
    };
    let expected = body.size_hint().lower().min(MESSAGE_BYTES as u64);
    let Some(mut held) = reserve(memory, usize::try_from(expected).unwrap_or(MESSAGE_BYTES)) else {
        return Intake::Turned(busy);
    };
    let mut bytes = Vec::new();
    loop {
        let frame = match timeout_at(until, body.frame()).await {
            Err(_) => {
                return Intake::Turned(Turned {
                    status: StatusCode::REQUEST_TIMEOUT,
                    text: "the body took too long",
                });
            }
            Ok(None) => {
                return Intake::Whole(Taken {
                    bytes,
                    _memory: held,
                });
            }
            Ok(Some(Err(_))) => return Intake::Turned(Turned::bad("the body broke off")),
            Ok(Some(Ok(frame))) => frame,
        };
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if bytes.len() + data.len() > MESSAGE_BYTES {
            let mut scanner = Scanner::default();
            scanner.feed(&bytes);
            scanner.feed(&data);
            drain(body, &mut scanner).await;
            return Intake::TooLong(scanner.end());
        }
        let covered = held.num_permits() * 1024;
        if bytes.len() + data.len() > covered {
            // At least as much again, so that a body in crumbs asks seldom.
            match reserve(memory, data.len().max(covered)) {
                Some(more) => held.merge(more),
                None => return Intake::Turned(busy),
            }
        }
        bytes.extend_from_slice(&data);
    }
}

/// Looks at what is left of a body and throws it away, for a moment: a client that is cut off while
/// it sends meets a reset instead of the answer.
async fn drain(mut body: Incoming, scanner: &mut Scanner) {
    let until = Instant::now() + LINGER;
    let mut left = MESSAGE_BYTES;
    while let Ok(Some(Ok(frame))) = timeout_at(until, body.frame()).await {
        if let Ok(data) = frame.into_data() {
            scanner.feed(&data);
            left = left.saturating_sub(data.len());
        }
        if left == 0 {
            return;
        }
    }
}

fn reserve(memory: &Arc<Semaphore>, bytes: usize) -> Option<OwnedSemaphorePermit> {
    let places = u32::try_from(bytes / 1024 + 1).unwrap_or(u32::MAX);
    Arc::clone(memory).try_acquire_many_owned(places).ok()
}
