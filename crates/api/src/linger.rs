//! A connection that closes softly: what a refused client still sends is read and thrown away for
//! a moment. Closed at once, it would be reset, and its client would meet that instead of the answer.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use crate::config::{LINGER, LINGER_BYTES};

/// A stream that is drained after its sending side was closed, if there is something unread.
pub(crate) struct Lingering<S> {
    io: S,
    unread: Arc<AtomicBool>,
    state: State,
}

enum State {
    Open,
    Draining { until: Pin<Box<Sleep>>, left: usize },
    Closed,
}

impl<S> Lingering<S> {
    pub(crate) fn new(io: S, unread: Arc<AtomicBool>) -> Self {
        Self {
            io,
            unread,
            state: State::Open,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Lingering<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Lingering<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            match &mut this.state {
                State::Open => {
                    ready!(Pin::new(&mut this.io).poll_shutdown(cx))?;
                    this.state = match this.unread.load(Ordering::Relaxed) {
                        true => State::Draining {
                            until: Box::pin(sleep(LINGER)),
                            left: LINGER_BYTES,
                        },
                        false => State::Closed,
                    };
                }
                State::Draining { until, left } => {
                    if until.as_mut().poll(cx).is_ready() {
                        this.state = State::Closed;
                        continue;
                    }
                    match ready!(discard(&mut this.io, cx)) {
                        0 => this.state = State::Closed,
                        read => *left = left.saturating_sub(read),
                    }
                    if matches!(this.state, State::Draining { left: 0, .. }) {
                        this.state = State::Closed;
                    }
                }
                State::Closed => return Poll::Ready(Ok(())),
            }
        }
    }
}

/// Reads and forgets; 0 at the end, or when the connection has failed.
fn discard<S: AsyncRead + Unpin>(io: &mut S, cx: &mut Context<'_>) -> Poll<usize> {
    let mut bytes = [0; 8 * 1024];
    let mut buf = ReadBuf::new(&mut bytes);
    match ready!(Pin::new(io).poll_read(cx, &mut buf)) {
        Ok(()) => Poll::Ready(buf.filled().len()),
        Err(_) => Poll::Ready(0),
    }
}
