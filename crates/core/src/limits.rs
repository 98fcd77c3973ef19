//! Every limit of the formats, named. Limits of a surface (bodies, queues, rates) live with it.

/// Deepest nesting of arrays and objects that the strict reader accepts.
pub const JSON_DEPTH: usize = 64;
/// Most values (objects, lists, and what is neither) in one JSON text that a client sends.
pub const JSON_VALUES: usize = 1_000_000;
/// Most bytes that the canonical JSON of one leaf may have (tlog-tiles allows 65,535).
pub const LEAF_BYTES: usize = 60 * 1024;
/// Most items that a list in a leaf may hold.
pub const LEAF_LIST: usize = 64;
/// Longest name of a kind of entry, known or not: a-z, 0-9 and -.
pub const KIND_NAME_BYTES: usize = 64;
/// Most bytes of content in one `part` entry; base64 of it fits a leaf with room to spare.
pub const PART_BYTES: usize = 42 * 1024;
/// Most bytes of a bundle's canonical JSON: [`LEAF_LIST`] parts of [`PART_BYTES`], rounded down.
pub const BUNDLE_BYTES: usize = 2 * 1024 * 1024;
/// Most targets of one call; each is judged and stands in the leaf.
pub const TARGETS: usize = LEAF_LIST;
/// Most bytes of text in all parts of one turn.
pub const TURN_TEXT_BYTES: usize = 1024 * 1024;
/// Most parts of one turn.
pub const TURN_PARTS: usize = 64;
/// Most turns of a session that facts are drawn from, the named one included.
pub const TURN_CHAIN: usize = 20;
/// Most delegations between the actor that a turn names and the one that makes a call.
pub const DELEGATION_DEPTH: usize = 8;
/// Most results of a session that facts are drawn from: the newest.
pub const RESULTS_SEEN: usize = 256;
/// Most bytes of a call's canonical arguments.
pub const CALL_ARGS_BYTES: usize = 4 * 1024 * 1024;
/// Most bytes of the reasoning that an agent may give with a call.
pub const REASONING_BYTES: usize = 64 * 1024;
/// Longest tool name, in bytes.
pub const TOOL_NAME_BYTES: usize = 256;
/// How long a replay is good for putting its bundle in force, in milliseconds: a day.
pub const REPLAY_GOOD_MS: i64 = 24 * 60 * 60 * 1_000;
