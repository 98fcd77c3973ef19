//! Limits, each with its reason.

/// Most entries of one folder: more than that nobody reads, and each has a proof.
pub const ENTRIES: usize = 2_000;

/// Most entries that are looked at to choose from.
pub const LOOKED_AT: usize = 50_000;

/// Most turns that one turn rests on, as in the facts of a call.
pub const CHAIN: usize = 20;

/// Most decisions whose records one export opens. Each is an entry of the log.
pub const OPENED_DECISIONS: usize = 256;

/// Most results and earlier turns that one export opens beside those decisions.
pub const OPENED_BESIDE: usize = 256;

/// What belongs to the same session this long before and after an incident belongs to it, in
/// seconds, unless the flag counted over a longer time.
pub const BESIDE_S: u32 = 3_600;

/// Most characters of one text that the report shows. The file holds the whole.
pub const SHOWN_CHARS: usize = 4_000;

/// Most files of a folder that are read.
pub const FILES: usize = 20_000;

/// Longest file of a folder that is read, in bytes.
pub const FILE_BYTES: usize = 32 * 1024 * 1024;

/// Most bytes of a folder that are read.
pub const FOLDER_BYTES: usize = 512 * 1024 * 1024;
