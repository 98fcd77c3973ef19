//! The stack that a judgement may take, the same wherever it is made.
//!
//! Cedar gives up where little of its thread's stack is left, and says so as an error of the
//! evaluation. So it always gets what the deepest policy can take: no verdict depends on the thread.

use crate::limits::ATTRIBUTE_DEPTH;

/// Most bytes that Cedar takes for one level of an expression or a value. Measured with 4.14.1: at
/// most 54 KiB without optimisation, and 6 KiB with it.
const LEVEL_BYTES: usize = if cfg!(debug_assertions) {
    80 * 1024
} else {
    16 * 1024
};
/// Levels of values, which nest deepest in attributes, and what is around an expression.
const OTHER_LEVELS: usize = ATTRIBUTE_DEPTH + 16;

/// Runs what evaluates or compiles policies that nest so deep.
pub(crate) fn with_room_for<T>(depth: usize, run: impl FnOnce() -> T) -> T {
    let bytes = depth
        .saturating_add(OTHER_LEVELS)
        .saturating_mul(LEVEL_BYTES);
    stacker::maybe_grow(bytes, bytes, run)
}
