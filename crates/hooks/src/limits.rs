//! Every limit of the handler, named.

use std::time::Duration;

/// Most bytes of one event: 16 MiB. A longer one is refused.
pub const EVENT_BYTES: u64 = 16 * 1024 * 1024;
/// Most bytes of a result that go to the server as they are. Of a longer one go its digest, its
/// length and its beginning.
pub const RESULT_BYTES: usize = 1024 * 1024;
/// How much of a longer result goes to the server.
pub const RESULT_HEAD_BYTES: usize = 256 * 1024;
/// Longest path that is followed, in bytes: `PATH_MAX` of Linux.
pub const PATH_BYTES: usize = 4096;
/// Most texts of one call that are looked at as paths. A call with more of them is refused.
pub const PATHS: usize = 4096;
/// Most symbolic links on the way of one path, as Linux has it.
pub const LINKS_ON_THE_WAY: usize = 40;
/// Most paths of one call that lead through symbolic links. A call with more of them is refused.
pub const LINKS: usize = 256;
/// How long connecting to the server may take.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How long one request may take at most, waiting for a person aside, in seconds; also how long
/// unless the configuration says otherwise.
pub const REQUEST_TIMEOUT_S: u64 = 15;
/// How long a call waits for a person unless the configuration says otherwise, in seconds.
pub const REVIEW_WAIT_S: u64 = 50;
/// How long a call may wait for a person at most, in seconds.
pub const REVIEW_WAIT_MAX_S: u64 = 900;
/// How long one question about an open escalation waits, in seconds: what the server allows.
pub const REVIEW_STEP_S: u64 = 60;
/// How long to rest where a question was answered before its time and is still open.
pub const REVIEW_PAUSE: Duration = Duration::from_millis(250);
/// How long a turn counts unless the configuration says otherwise, in seconds: four hours.
pub const TURN_TTL_S: u64 = 14_400;
/// Most bytes of the configuration.
pub const CONFIG_BYTES: u64 = 64 * 1024;
/// Most bytes of one file of the state.
pub const STATE_FILE_BYTES: u64 = 256 * 1024;
/// Most prompts of a session that are remembered: the newest.
pub const PROMPTS: usize = 64;
/// Most calls of a session that are remembered: the newest.
pub const CALLS: usize = 1024;
/// Most sessions that are remembered: the newest.
pub const SESSIONS: usize = 64;
/// Most directories whose newest session is remembered.
pub const DIRECTORIES: usize = 256;
/// Most bytes of the list of the machine's users.
pub const USERS_BYTES: u64 = 4 * 1024 * 1024;
/// Most bytes of a settings file.
pub const SETTINGS_BYTES: u64 = 4 * 1024 * 1024;
/// Most bytes of what is said to the assistant about one call.
pub const REASON_BYTES: usize = 4 * 1024;
/// Most bytes of a call's arguments that a question to the person shows.
pub const SHOWN_ARGS_BYTES: usize = 2 * 1024;
