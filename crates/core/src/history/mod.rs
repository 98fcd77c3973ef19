//! What earlier decisions amount to: declared counters, and what was approved or rejected before.
//!
//! All of it is a fold over the entries of a log: [`apply`] takes one decision, and the rows that it
//! leaves are the same whether they grew with the log or were made from its leaves later. A row is
//! under a text key; where rows are kept is the caller's to say ([`Rows`]).

mod amount;
mod count;
mod counter;
mod fold;
mod memory;
mod tally;

pub use count::{
    Counted, CountedCall, Draft, Uncountable, count, draft, draft_of_entry, is_key, is_new,
};
pub use counter::Counter;
pub use fold::{apply, approved_row, rejected_row};
pub use memory::MemoryRows;
pub use tally::{BUCKETS, Tally};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Largest magnitude of what a call adds to a counter, and of a counter's value: what canonical JSON
/// can write exactly.
pub const COUNTER_MAX: i64 = 9_007_199_254_740_991;
/// Beginnings of all keys of rows, each up to its first `/`.
pub const ROWS: [&str; 4] = ["counter", "counted", "approved", "rejected"];

/// Where rows are read.
pub trait Rows {
    /// Why a row cannot be read.
    type Error;
    /// The row under a key.
    fn read<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, Self::Error>;
}

/// Where rows are written.
pub trait RowsMut: Rows {
    /// Puts a row in the place of what was under the key.
    fn write<T: Serialize>(&mut self, key: String, row: &T) -> Result<(), Self::Error>;
}
