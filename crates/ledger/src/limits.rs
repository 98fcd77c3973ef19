//! Every limit of the ledger, named. Those of leaves are in `countersign_core::limits`.

/// Most units of work that wait for the sequencer; one more is answered `Busy`.
pub const QUEUE_UNITS: usize = 4096;
/// Most urgent units that wait; they have a queue of their own, which is served first.
pub const URGENT_UNITS: usize = 256;
/// Entries after which a batch takes no further unit.
pub const BATCH_ENTRIES: usize = 4096;
/// Bytes of leaves, state and sealed records after which a batch takes no further unit.
pub const BATCH_BYTES: usize = 8 * 1024 * 1024;
/// Most entries of one unit of work.
pub const UNIT_ENTRIES: usize = 1024;
/// Most bytes of leaves, state and sealed records of one unit of work.
pub const UNIT_BYTES: usize = 64 * 1024 * 1024;
/// Longest state key, in bytes.
pub const STATE_KEY_BYTES: usize = 1024;
/// Longest state value, in bytes.
pub const STATE_VALUE_BYTES: usize = 8 * 1024 * 1024;
/// How far the clock may be behind the head, in milliseconds, before nothing is committed.
pub const CLOCK_BEHIND_MS: i64 = 2_000;
/// How often a batch whose commit had an unknown outcome and turned out not to be there is planned
/// afresh.
pub const REPLANS: usize = 3;
/// How often the head is read again after a commit of unknown outcome before the ledger halts.
pub const HEAD_READS: usize = 5;
/// Most entries, or state keys, on one page of an answer.
pub const PAGE: usize = 1000;
/// Least seconds between two tries to fill the disk reserve up again.
pub const RESERVE_RETRY_S: u64 = 1;
