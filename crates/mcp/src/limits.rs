//! Every limit of the relay, named.

use std::time::Duration;

/// Most bytes of one message, either way: 16 MiB.
pub const MESSAGE_BYTES: usize = 16 * 1024 * 1024;
/// Most bytes of what a tool returned that are handed on and recorded: 7 MiB, so that the report of
/// it is one that a Countersign server takes.
pub const RESULT_BYTES: usize = 7 * 1024 * 1024;
/// Longest id of a request, as text.
pub const ID_BYTES: usize = 256;
/// Longest name of a method.
pub const METHOD_BYTES: usize = 128;
/// Most requests of one client that wait for an answer at once, cancelled ones included.
pub const IN_FLIGHT: usize = 1_024;
/// Most calls of one client that wait for a person at once.
pub const WAITING: usize = 64;
/// Most tools in one answer to `tools/list` whose visibility is asked for.
pub const LISTED_TOOLS: usize = 1_024;
/// Most tools whose definitions are remembered.
pub const KNOWN_TOOLS: usize = 4_096;
/// Most tasks that are remembered, until they are done.
pub const KNOWN_TASKS: usize = 1_024;
/// Longest name of a task, in bytes.
pub const TASK_BYTES: usize = 1_024;
/// Most questions to a person that are open at once (`input_required`).
pub const OPEN_QUESTIONS: usize = 1_024;
/// How long a call that is escalated waits for a person, unless told otherwise: a little less than
/// the minute after which usual clients give up.
pub const REVIEW_WAIT: Duration = Duration::from_secs(55);
/// How long the relay goes on trying, at its end, to record what is not recorded yet.
pub const LAST_TRIES: Duration = Duration::from_secs(5);
/// Most escalated calls that are remembered, so that the same call made again asks nobody anew.
pub const OPEN_ESCALATIONS: usize = 1_024;
/// Most bytes of a call that is remembered so; a longer one is escalated anew.
pub const OPEN_CALL_BYTES: usize = 64 * 1024;
/// Most used approvals that are remembered.
pub const APPROVALS_GIVEN: usize = 4_096;
/// Most bytes of results that wait to be recorded, while the Countersign server is away; what is
/// more is withheld.
pub const LATE_BYTES: usize = 64 * 1024 * 1024;
/// Most bytes of a call's arguments that a person is asked about through the client itself; longer
/// ones are for a reviewer, who sees all of them.
pub const ASKED_ARGS_BYTES: usize = 8 * 1024;
/// How often the answer of a person is looked for.
pub const REVIEW_POLL: Duration = Duration::from_millis(500);
/// How long the relay waits for the server's list of tools, where it has to ask for it itself.
pub const LIST_WAIT: Duration = Duration::from_secs(5);
/// Most pages of such a list.
pub const LIST_PAGES: usize = 16;
/// Most results that a client has before they are recorded; further ones are recorded first.
pub const RECORDING: usize = 16;
