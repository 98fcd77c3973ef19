//! The limits of the relay over HTTP, each with a name.

use std::time::Duration;

pub use crate::limits::MESSAGE_BYTES;

/// Most bytes of request bodies in memory at the same time, over all connections: 256 MiB.
pub(crate) const BODY_MEMORY_BYTES: usize = 256 * 1024 * 1024;
/// Most bytes of one head, a client's or the upstream's; a client's longer one is answered 431.
pub(crate) const HEAD_BYTES: usize = 64 * 1024;
/// Most header fields of one head.
pub(crate) const HEAD_FIELDS: usize = 100;
/// Most connections of clients at a time; more are closed.
pub(crate) const CONNECTIONS: usize = 512;
/// Most messages that are judged at a time; further ones wait their turn.
pub(crate) const JUDGED_AT_ONCE: usize = 128;
/// Most sessions at a time; beyond it the one that was idle longest ends, and if none is idle a new
/// one is refused.
pub(crate) const SESSIONS: usize = 1_024;
/// After which time of nothing a session ends: 24 hours.
pub(crate) const SESSION_IDLE: Duration = Duration::from_secs(24 * 60 * 60);
/// Most streams of one session at a time that a client opened by GET.
pub(crate) const STREAMS_PER_SESSION: usize = 4;
/// Most bytes of an id of an event or a session.
pub(crate) const ID_BYTES: usize = 1_024;
/// Most events of the answer to one request.
pub(crate) const EVENTS_PER_ANSWER: usize = 100_000;
/// Most tools whose mirrored parameters are remembered.
pub(crate) const TOOLS_KNOWN: usize = 4_096;
/// Most mirrored parameters of one tool, and most that one request may carry.
pub(crate) const MIRRORED_PARAMS: usize = 32;
/// Deepest property that a tool may mirror.
pub(crate) const MIRRORED_DEPTH: usize = 16;
/// Longest names of all mirrored arguments of a tool together, in bytes.
pub(crate) const MIRRORED_BYTES: usize = 16 * 1024;
/// How long a request's head may take, idle time before it included.
pub(crate) const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a request's body may take.
pub(crate) const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// How long connecting to the upstream may take, TLS included.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the upstream may take for the head of its answer.
pub const FIRST_BYTE_TIMEOUT: Duration = Duration::from_secs(300);
/// How long the answer to one request may take in all: 1 hour.
pub const TOTAL_TIMEOUT: Duration = Duration::from_secs(60 * 60);
/// How long an upstream may be silent in the middle of an answer.
pub const SILENCE_TIMEOUT: Duration = Duration::from_secs(300);
/// How long a resumable stream that broke may take to be resumed before its call counts as unknown.
pub(crate) const RESUME_WINDOW: Duration = Duration::from_secs(120);
/// For how long it is believed that an upstream speaks only revisions before 2026-07-28.
pub(crate) const ERA_BELIEVED: Duration = Duration::from_secs(300);
/// How often a stream that has nothing to say says so, that no one in between closes it.
pub(crate) const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How long a server that stops waits for requests in work.
pub(crate) const DRAIN: Duration = Duration::from_secs(5);
/// How long it waits after that for the last answers to be written.
pub(crate) const FLUSH: Duration = Duration::from_secs(1);
/// Most requests that are worked on at a time.
pub(crate) const EXCHANGES: usize = 1_024;
/// Most calls that wait for a person at a time, each on a thread.
pub(crate) const WAITING: usize = 256;
/// Most chunks of an answer that wait for a client to read them.
pub(crate) const CHUNKS: usize = 16;
/// How long a client may leave an answer unread before it counts as gone.
pub(crate) const UNREAD_TIMEOUT: Duration = Duration::from_secs(60);
/// How long what a refused client still sends is read and thrown away, at most as much again as a
/// message may have.
pub(crate) const LINGER: Duration = Duration::from_secs(2);
/// For how long an answer of the upstream's that is a stream is not yet one to the client, in case
/// that it has only one message.
pub(crate) const SOON: Duration = Duration::from_millis(100);
/// How long the upstream may take for what the relay asks for itself: its revision, a session.
pub(crate) const OWN_TIMEOUT: Duration = Duration::from_secs(20);
