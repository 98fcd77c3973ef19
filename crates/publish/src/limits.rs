//! Every limit of publishing, named.

use std::time::Duration;

/// Least time between two rounds: what is published, and what witnesses are asked, is at most one
/// size a second.
pub const ROUND: Duration = Duration::from_secs(1);
/// How often it is looked whether the log has grown, or somebody has waited long enough.
pub const STEP: Duration = Duration::from_millis(25);
/// How long one request to a witness may take.
pub const WITNESS_TIMEOUT: Duration = Duration::from_secs(1);
/// How long a round waits for its witnesses; one may need a second request after a conflict.
pub const ROUND_WAIT: Duration = Duration::from_millis(2_500);
/// How long a round waits for the others once the quorum has cosigned.
pub const GRACE: Duration = Duration::from_millis(50);
/// How often one checkpoint is sent to one witness in a round: conflicts name where to begin.
pub const ATTEMPTS: usize = 3;
/// After which time a log that does not grow is cosigned again, so that witnesses' times stay fresh.
pub const REFRESH: Duration = Duration::from_mins(5);
/// How long the newest entries may lack a quorum before that is a failure of the server, where a
/// quorum is required.
pub const LAG_LIMIT: Duration = Duration::from_secs(60);
/// How many published checkpoints are kept in memory for proofs against them.
pub const KEPT: usize = 1_024;
/// Most requests that wait for witnesses at a time.
pub const WAITING: usize = 4_096;
/// How long a request may wait for witnesses.
pub const WITNESSED_WAIT: Duration = Duration::from_secs(5);
/// Most witnesses of one log.
pub const WITNESSES: usize = 32;
/// Longest answer of a witness that is read, in bytes.
pub const ANSWER_BYTES: usize = 256 * 1024;
