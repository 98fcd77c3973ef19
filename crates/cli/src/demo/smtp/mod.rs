//! A mail server that keeps what it is given: the mail side's other end in the demo.
//!
//! It speaks the part of RFC 5321 that a client needs to hand over a message, with `PIPELINING`
//! (RFC 2920) and `SIZE` (RFC 1870), on a loopback port that the system picks. Whatever is not
//! clearly right is refused: bare line ends (the way by which messages are smuggled), lines and
//! messages over their limits, paths that are not plain addresses.
//!
//! It is *not* a mail server for anything else: it delivers nothing and knows no TLS.

mod command;
mod line;
mod session;

use std::io::{self, BufReader, BufWriter};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use session::Session;

/// Most bytes of a message, line ends included: 1 MiB.
const MESSAGE_BYTES: usize = 1024 * 1024;
/// Most recipients of a message.
const RECIPIENTS: usize = 100;
/// Most messages that are kept; later ones are refused.
const MESSAGES: usize = 64;
/// Most connections at a time; further ones are turned away.
const CONNECTIONS: usize = 8;
/// Most errors of one connection; then it is closed.
const ERRORS: usize = 10;
/// How long one connection may be silent.
const SILENCE_MAX: Duration = Duration::from_secs(10);
/// How long one connection may last.
const CONNECTION_MAX: Duration = Duration::from_secs(60);

/// A message that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    /// The reverse-path; empty for the null path.
    pub(super) from: String,
    /// The forward-paths: whom it would have reached.
    pub(super) to: Vec<String>,
    /// Header and text, lines ended by CR LF, dots unstuffed.
    pub(super) data: Vec<u8>,
}

/// What the sink holds, shared by its connections.
#[derive(Debug, Default)]
struct Mailbox {
    messages: Mutex<Vec<Message>>,
}

impl Mailbox {
    /// Keeps a message, unless there is no more room.
    fn keep(&self, message: Message) -> bool {
        let mut messages = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
        let has_room = messages.len() < MESSAGES;
        if has_room {
            messages.push(message);
        }
        has_room
    }
}

/// A running mail server. Dropping it ends it.
pub(super) struct Sink {
    address: SocketAddr,
    mailbox: Arc<Mailbox>,
    is_closing: Arc<AtomicBool>,
    listening: Option<JoinHandle<()>>,
}

impl Sink {
    /// Listens on a free loopback port.
    pub(super) fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let mailbox = Arc::new(Mailbox::default());
        let is_closing = Arc::new(AtomicBool::new(false));
        let (shared, closing) = (Arc::clone(&mailbox), Arc::clone(&is_closing));
        let listening = std::thread::Builder::new()
            .name("smtp-sink".to_owned())
            .spawn(move || listen(&listener, &shared, &closing))?;
        Ok(Self {
            address,
            mailbox,
            is_closing,
            listening: Some(listening),
        })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Every message that was taken so far, in the order of arrival.
    pub(super) fn messages(&self) -> Vec<Message> {
        let messages = self.mailbox.messages.lock();
        messages.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.is_closing.store(true, Ordering::Release);
        // Accepting blocks: a connection wakes it.
        let woken = TcpStream::connect_timeout(&self.address, Duration::from_secs(1)).is_ok();
        if let Some(listening) = self.listening.take()
            && woken
        {
            let _ = listening.join();
        }
    }
}

fn listen(listener: &TcpListener, mailbox: &Arc<Mailbox>, is_closing: &AtomicBool) {
    let open = Arc::new(AtomicUsize::new(0));
    for stream in listener.incoming() {
        if is_closing.load(Ordering::Acquire) {
            return;
        }
        let Ok(stream) = stream else { continue };
        let place = Place::take(&open);
        let mailbox = Arc::clone(mailbox);
        // A thread that cannot be made closes the connection: its stream is dropped.
        let _ = std::thread::Builder::new()
            .name("smtp-connection".to_owned())
            .spawn(move || serve(&stream, &mailbox, place));
    }
}

/// One of the places for connections, given back when it is dropped.
struct Place(Arc<AtomicUsize>);

impl Place {
    /// Takes a place; `None` when all are taken.
    fn take(open: &Arc<AtomicUsize>) -> Option<Self> {
        let place = Self(Arc::clone(open));
        (open.fetch_add(1, Ordering::AcqRel) < CONNECTIONS).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

fn serve(stream: &TcpStream, mailbox: &Mailbox, place: Option<Place>) {
    let is_timed = stream.set_read_timeout(Some(SILENCE_MAX)).is_ok()
        && stream.set_write_timeout(Some(SILENCE_MAX)).is_ok();
    if !is_timed {
        return;
    }
    let (reader, writer) = (BufReader::new(stream), BufWriter::new(stream));
    let mut session = Session::new(reader, writer, mailbox);
    // Whoever goes away in the middle of a command has handed over nothing.
    let _ = match place {
        Some(_) => session.run(),
        None => session.turn_away(),
    };
}

#[cfg(test)]
mod tests;
