//! Every limit of telling people.

use std::time::Duration;

/// Most sinks.
pub const SINKS: usize = 32;
/// Longest `notify.toml`, in bytes.
pub const CONFIG_BYTES: u64 = 256 * 1024;
/// Longest state file, in bytes.
pub const STATE_BYTES: u64 = 64 * 1024 * 1024;
/// Most recipients of a mail.
pub const RECIPIENTS: usize = 20;
/// Longest signing secret, in bytes; the shortest is [`SECRET_BYTES_MIN`].
pub const SECRET_BYTES_MAX: usize = 64;
/// Shortest signing secret, in bytes (Standard Webhooks).
pub const SECRET_BYTES_MIN: usize = 24;
/// Most secrets of one webhook: the one that goes and the one that comes.
pub const SECRETS: usize = 2;

/// The longest that one attempt may take, from connecting to the answer.
pub const ATTEMPT: Duration = Duration::from_secs(20);
/// The longest that looking a name up may take.
pub const LOOKUP: Duration = Duration::from_secs(5);
/// The longest that connecting may take.
pub const CONNECT: Duration = Duration::from_secs(10);
/// Most addresses of a name that are tried.
pub const ADDRESSES: usize = 8;
/// Most bytes of an HTTP answer's header. Its body is never read.
pub const ANSWER_HEADER_BYTES: usize = 16 * 1024;
/// Longest line of an SMTP reply (RFC 5321 section 4.5.3.1.5 asks for 512).
pub const REPLY_LINE_BYTES: usize = 2_048;
/// Most lines of an SMTP reply.
pub const REPLY_LINES: usize = 64;
/// The longest that a `Retry-After` holds a sink back.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(24 * 3_600);

/// Most messages of a sink that wait for the end of its quiet hours by name; more are counted.
pub const GATHERED: usize = 1_000;
/// Most messages that a digest shows; more are counted.
pub const DIGEST_SHOWN: usize = 100;
/// Most dead letters of a sink that are kept; the oldest give way.
pub const DEAD: usize = 1_000;
/// Most entries of a flag that a message names.
pub const ENTRIES_SHOWN: usize = 64;
/// Most messages that are read from the log at once.
pub const READ: usize = 100;
/// So many messages that wait at once are a flood: what of it is not critical is told in digests. No
/// more than [`READ`], and no digest of one shows less than all of it.
pub const FLOOD: usize = 50;
const _: () = assert!(FLOOD <= READ && READ <= DIGEST_SHOWN);
/// Longest text of an opened turn or call that a message shows, in characters.
pub const OPENED_CHARS: usize = 2_000;
/// For how long after its first attempt a message may show what was opened for it. Later attempts
/// show none: it lies in memory no longer than this.
pub const OPENED_KEPT: Duration = Duration::from_secs(15 * 60);
/// Longest text of an error that is kept, in characters.
pub const ERROR_CHARS: usize = 300;
/// How often settings, requests and the log are looked at.
pub const STEP: Duration = Duration::from_millis(200);
/// How long a server that stops waits for attempts in work.
pub const LINGER: Duration = Duration::from_secs(2);
