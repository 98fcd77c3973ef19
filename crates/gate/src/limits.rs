//! Every limit of the gate.

use std::time::Duration;

/// Most bytes of a request's body, unless set otherwise: 8 MiB.
pub const BODY_BYTES: usize = 8 * 1024 * 1024;
/// Most bytes of an answer of the upstream, unless set otherwise: 4 MiB. All of it becomes the
/// result in the ledger, which takes 8 MiB of JSON.
pub const ANSWER_BYTES: usize = 4 * 1024 * 1024;
/// Most bytes of a request's head, its first line included: 32 KiB.
pub const HEAD_BYTES: usize = 32 * 1024;
/// Most header fields of a request.
pub const HEADERS: usize = 64;
/// Most bytes of a request's path and query together: a permit names the whole address.
pub const TARGET_BYTES: usize = 3 * 1024;
/// Most bytes of the head of an answer of the upstream: 64 KiB.
pub const ANSWER_HEAD_BYTES: usize = 64 * 1024;
/// How long a request's head may take.
pub const HEAD_TIME: Duration = Duration::from_secs(10);
/// How long a request's body may take.
pub const BODY_TIME: Duration = Duration::from_secs(60);
/// How long connecting to the upstream may take.
pub const CONNECT_TIME: Duration = Duration::from_secs(5);
/// How long the upstream may take for its whole answer, unless set otherwise.
pub const UPSTREAM_TIME: Duration = Duration::from_secs(60);
/// Most connections at once.
pub const CONNECTIONS: usize = 512;
/// Most calls at once that are being consumed, sent or reported, unless set otherwise. Each takes a
/// thread.
pub const CALLS: usize = 64;
/// Most memory that bodies of requests take together: 256 MiB, counted in KiB.
pub const BODY_MEMORY_KIB: usize = 256 * 1024;
/// How often at most the key set is fetched again for a key that is not in it.
pub const KEYS_AGE: Duration = Duration::from_secs(60);
/// How many permits that are none of the server's are told to the server in a minute; the rest is
/// refused without an entry. They cost whoever sends them nothing.
pub const UNKNOWN_A_MINUTE: u32 = 10;
/// Most routes of a file.
pub const ROUTES: usize = 1_024;
/// Most bytes of a routes file: 1 MiB.
pub const ROUTES_BYTES: usize = 1024 * 1024;
