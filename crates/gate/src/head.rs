//! The head of a request as it came, before a library has tidied it up.
//!
//! A request whose length could be read in two ways is how requests are smuggled (RFC 9112 section
//! 11.2). The HTTP library resolves such cases and does not tell; here they are refused. Each
//! connection carries one request, so the head that was seen is the request's.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::limits::HEAD_BYTES;

/// A stream that keeps the beginning of what is read from it.
pub(crate) struct Tapped<S> {
    stream: S,
    seen: Seen,
}

/// What was read first.
#[derive(Clone, Default)]
pub(crate) struct Seen(Arc<Mutex<Vec<u8>>>);

impl<S> Tapped<S> {
    pub(crate) fn new(stream: S, seen: Seen) -> Self {
        Self { stream, seen }
    }
}

impl Seen {
    fn take(&self, bytes: &[u8]) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let room = HEAD_BYTES.saturating_sub(kept.len());
        let more = bytes.get(..bytes.len().min(room)).unwrap_or_default();
        kept.extend_from_slice(more);
    }

    /// Why the length of the body could be read in two ways, if it could.
    pub(crate) fn ambiguity(&self) -> Option<&'static str> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ambiguity(&kept)
    }
}

fn ambiguity(head: &[u8]) -> Option<&'static str> {
    let mut lengths = 0usize;
    let mut codings: Vec<&[u8]> = Vec::new();
    let lines = head.split(|byte| *byte == b'\n');
    let lines = lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    // Empty lines before the request are passed over (RFC 9112 section 2.2).
    let lines = lines.skip_while(|line| line.is_empty()).skip(1);
    for line in lines {
        if line.is_empty() {
            break;
        }
        let mut parts = line.splitn(2, |byte| *byte == b':');
        let name = parts.next().unwrap_or_default().trim_ascii();
        let value = parts.next().unwrap_or_default().trim_ascii();
        if name.eq_ignore_ascii_case(b"content-length") {
            lengths += 1;
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            codings.push(value);
        }
    }
    match (lengths, codings.as_slice()) {
        (0 | 1, []) => None,
        (0, [only]) if only.eq_ignore_ascii_case(b"chunked") => None,
        (0, _) => Some("the request's `Transfer-Encoding` is not `chunked` alone"),
        (_, []) => Some("the request has more than one `Content-Length`"),
        (_, _) => Some("the request has both `Content-Length` and `Transfer-Encoding`"),
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Tapped<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if let Poll::Ready(Ok(())) = polled {
            self.seen
                .take(buffer.filled().get(before..).unwrap_or_default());
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Tapped<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::ambiguity;

    #[test]
    fn a_length_of_two_readings_is_noticed() {
        let head = |fields: &str| {
            ambiguity(
                format!("POST / HTTP/1.1\r\nhost: a\r\n{fields}\r\ncontent-length: 9").as_bytes(),
            )
        };
        assert_eq!(head(""), None);
        assert_eq!(head("content-length: 3\r\n"), None);
        assert_eq!(head("Transfer-Encoding: Chunked\r\n"), None);
        for fields in [
            "content-length: 3\r\nContent-Length: 3\r\n",
            "content-length: 3\r\ntransfer-encoding: chunked\r\n",
            "transfer-encoding: chunked\r\nCONTENT-LENGTH: 3\r\n",
            "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
            "transfer-encoding: gzip, chunked\r\n",
            "transfer-encoding: identity\r\n",
            "content-length : 3\r\ncontent-length: 3\r\n",
        ] {
            assert!(head(fields).is_some(), "{fields:?}");
        }
    }
}
