//! The relay around a server that runs as a child process: one client, on stdin and stdout.
//!
//! The server has its own process group, and ends with the relay; its stderr is the relay's. It
//! gets the relay's environment without the variables that hold tokens.

mod child;
mod framing;

use std::io::{self, Read, Write};
use std::process::ChildStdin;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::relay::{Conversation, FromClient, FromServer, Relay, Waiting};
use child::Running;
pub use child::ServerCommand;
pub use framing::{Incoming, Lines};

/// How long a server may go on after its input was closed.
const GRACE: Duration = Duration::from_secs(5);
/// How long it may go on after it was told to end.
const TERM_GRACE: Duration = Duration::from_secs(2);
/// How long what a server wrote before its end is waited for, where its children hold its output.
const DRAIN: Duration = Duration::from_secs(1);
/// Most answers of the relay to the server that wait to be written.
const REPLIES: usize = 64;

/// Why a server cannot be run.
#[derive(Debug, thiserror::Error)]
#[error("the server `{program}` cannot be started: {reason}")]
pub struct StartError {
    /// Its program.
    pub program: String,
    /// Why.
    pub reason: io::Error,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// The server's exit code, 128 and more if a signal ended it; 0 where the relay ended it,
    /// because its client was done.
    pub code: u8,
    /// How many executions could not be recorded.
    pub lost: usize,
}

/// Runs a server and relays between it and a client until one of them ends, or `stop` says so.
pub fn run(
    relay: &Relay,
    command: &ServerCommand,
    input: impl Read + Send + 'static,
    output: impl Write + Send + 'static,
    stop: Receiver<()>,
) -> Result<Ended, StartError> {
    let (server, to_server, from_server) =
        Running::start(command).map_err(|reason| StartError {
            program: command.program.to_string_lossy().into_owned(),
            reason,
        })?;
    let (events, happened) = channel();
    let (replies, to_reply) = sync_channel(REPLIES);
    let side = Arc::new(Side {
        conversation: relay.conversation(),
        to_client: Mutex::new(Some(Box::new(output))),
        to_server: Mutex::new(Some(to_server)),
        waits: Mutex::default(),
        busy: Mutex::default(),
        events,
        replies: Mutex::new(Some(replies)),
        relay: relay.clone(),
    });
    side.spawn(move |side| side.hear_client(input));
    side.spawn(move |side| side.hear_server(from_server));
    side.spawn(move |side| {
        for reply in to_reply {
            side.send_server(&reply);
        }
    });
    let watch = server.watch();
    side.spawn(move |side| {
        watch();
        side.tell(Event::ServerExited);
    });
    side.spawn(move |side| {
        if stop.recv().is_ok() {
            side.tell(Event::Stop);
        }
    });
    let code = side.supervise(server, &happened);
    // Threads that still wait for input keep nothing open.
    *locked(&side.to_client) = None;
    *locked(&side.replies) = None;
    let lost = relay.close();
    Ok(Ended { code, lost })
}

/// Both sides of the one conversation.
struct Side {
    relay: Relay,
    conversation: Conversation,
    to_client: Mutex<Option<Box<dyn Write + Send>>>,
    to_server: Mutex<Option<ChildStdin>>,
    /// Calls that wait, each on a thread.
    waits: Mutex<Vec<JoinHandle<()>>>,
    /// Held while a message of the client is dealt with.
    busy: Mutex<()>,
    events: Sender<Event>,
    replies: Mutex<Option<SyncSender<Vec<u8>>>>,
}

enum Event {
    /// The client has closed its side, or does not read any more.
    ClientEnded,
    /// Everything that the server wrote is read.
    ServerSilent,
    ServerExited,
    Stop,
}

impl Side {
    fn spawn(self: &Arc<Self>, work: impl FnOnce(&Arc<Self>) + Send + 'static) {
        let side = self.clone();
        thread::spawn(move || work(&side));
    }

    fn hear_client(self: &Arc<Self>, input: impl Read) {
        let mut lines = Lines::new(input);
        loop {
            let next = lines.receive();
            let busy = locked(&self.busy);
            let todo = match next {
                Ok(Incoming::Message(bytes)) => match self.conversation.read(bytes) {
                    Ok(message) => self.conversation.from_client(message),
                    Err(refused) => refused,
                },
                Ok(Incoming::Overlong(seen)) => self.conversation.overlong_from_client(&seen),
                Ok(Incoming::End { begun: 0 }) => break,
                Ok(Incoming::End { begun }) => {
                    let text = format!(
                        "the client ended within a line of {begun} bytes; it is no message"
                    );
                    self.notice(&text);
                    break;
                }
                Err(error) => {
                    self.notice(&format!("the client cannot be read: {error}"));
                    break;
                }
            };
            self.carry_out(todo);
            drop(busy);
        }
        self.conversation.client_ended();
        self.join_waits();
        // The server sees the end of its input.
        *locked(&self.to_server) = None;
        self.tell(Event::ClientEnded);
    }

    fn hear_server(&self, from: impl Read) {
        let mut lines = Lines::new(from);
        loop {
            let todo = match lines.receive() {
                Ok(Incoming::Message(bytes)) => self.conversation.from_server(bytes),
                Ok(Incoming::Overlong(seen)) => self.conversation.overlong_from_server(&seen),
                Ok(Incoming::End { begun }) => {
                    if begun > 0 {
                        let text = format!(
                            "the server ended within a line of {begun} bytes; it is no message"
                        );
                        self.notice(&text);
                    }
                    break;
                }
                Err(error) => {
                    self.notice(&format!("the server cannot be read: {error}"));
                    break;
                }
            };
            match todo {
                FromServer::Forward(bytes) => self.send_client(&bytes),
                // Written elsewhere: a server that writes while it does not read must not stop this.
                FromServer::Reply(bytes) => {
                    let replies = locked(&self.replies).clone();
                    if replies.is_none_or(|replies| replies.try_send(bytes).is_err()) {
                        self.notice("the server does not read; an answer to it was dropped");
                    }
                }
                FromServer::Drop => {}
            }
        }
        self.tell(Event::ServerSilent);
    }

    fn carry_out(self: &Arc<Self>, todo: FromClient) {
        match todo {
            FromClient::Forward(bytes) => self.send_server(&bytes),
            FromClient::Answer(bytes) | FromClient::Refuse(bytes) => self.send_client(&bytes),
            FromClient::Wait(waiting) => self.wait(waiting),
            FromClient::Drop => {}
        }
    }

    fn wait(self: &Arc<Self>, waiting: Waiting) {
        let side = self.clone();
        let thread = thread::spawn(move || {
            let mut todo = FromClient::Wait(waiting);
            // A call may wait for one thing after another: for the list, then for a person.
            while let FromClient::Wait(waiting) = todo {
                if let Some(ask) = waiting.ask() {
                    side.send_client(ask);
                }
                if let Some(ask) = waiting.ask_server() {
                    side.send_server(ask);
                }
                todo = waiting.wait();
            }
            side.carry_out(todo);
        });
        let mut waits = locked(&self.waits);
        waits.retain(|wait| !wait.is_finished());
        waits.push(thread);
    }

    fn join_waits(&self) {
        let waits = std::mem::take(&mut *locked(&self.waits));
        for wait in waits {
            if wait.join().is_err() {
                self.notice("a call that waited was lost");
            }
        }
    }

    /// Waits until it is over, and sees to it that it comes to an end.
    fn supervise(&self, server: Running, happened: &Receiver<Event>) -> u8 {
        let (mut until, mut is_told, mut is_silent, mut has_exited, mut is_done) =
            (None::<Instant>, false, false, false, false);
        while !(is_silent && has_exited) {
            let event = match until {
                None => happened.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(until) => {
                    happened.recv_timeout(until.saturating_duration_since(Instant::now()))
                }
            };
            match event {
                Ok(Event::ClientEnded) => {
                    is_done = true;
                    until.get_or_insert(Instant::now() + GRACE);
                }
                Ok(Event::Stop) => {
                    (is_done, is_told) = (true, true);
                    server.terminate();
                    until = Some(Instant::now() + TERM_GRACE);
                }
                Ok(Event::ServerSilent) => {
                    is_silent = true;
                    until.get_or_insert(Instant::now() + GRACE);
                }
                Ok(Event::ServerExited) => {
                    has_exited = true;
                    until = Some(Instant::now() + DRAIN);
                }
                Err(_) if !has_exited && !is_told => {
                    is_told = true;
                    server.terminate();
                    until = Some(Instant::now() + TERM_GRACE);
                }
                Err(_) => break,
            }
        }
        let was_ended = is_done && !has_exited || is_told;
        let status = server.end();
        let reason = match &status {
            Ok(status) if has_exited => format!("the server ended ({status}) before it answered"),
            _ => "the server was ended before it answered".to_owned(),
        };
        for answer in self.conversation.server_gone(&reason) {
            self.send_client(&answer);
        }
        // What the client sent last is answered, too.
        drop(locked(&self.busy));
        self.join_waits();
        match status {
            Ok(_) if was_ended => 0,
            Ok(status) => child::code(status),
            Err(_) => u8::MAX,
        }
    }

    fn send_client(&self, message: &[u8]) {
        let written = match locked(&self.to_client).as_mut() {
            Some(stream) => framing::write(stream, message),
            None => return,
        };
        if let Err(error) = written {
            self.notice(&format!("the client cannot be written to: {error}"));
            self.conversation.client_gone();
            self.tell(Event::ClientEnded);
        }
    }

    fn send_server(&self, message: &[u8]) {
        let mut to = locked(&self.to_server);
        let Some(stream) = to.as_mut() else { return };
        // What was in flight is answered when its end is seen.
        if let Err(error) = framing::write(stream, message) {
            self.notice(&format!("the server cannot be written to: {error}"));
            *to = None;
        }
    }

    fn tell(&self, event: Event) {
        // Nobody listens any more once it is over.
        let _ = self.events.send(event);
    }

    fn notice(&self, text: &str) {
        (self.relay.options().notices)(text);
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
