//! Every limit of reading, named.

/// Most bytes of one JSON document, or of one line of a JSON Lines file. A longer line is passed
/// over and counted.
pub const RECORD_BYTES: usize = 32 * 1024 * 1024;
/// Most broken lines that are told one by one; all are counted.
pub const BROKEN_SHOWN: usize = 20;
/// How many records are looked at to tell a file's format.
pub const SAMPLED_RECORDS: usize = 64;
/// How deep a list of records may be nested in lists.
pub const LIST_DEPTH: usize = 3;
/// With how many earlier conversations of a file a new one is compared to see whether it goes on
/// with one of them.
pub const GROWING_SESSIONS: usize = 64;
/// Most bytes of the agent's words that are kept for the turn after them.
pub const AGENT_TEXT_BYTES: usize = 64 * 1024;
/// Deepest nesting of an OpenTelemetry attribute.
pub const ATTRIBUTE_DEPTH: usize = 64;
