//! JSON with one meaning: a strict reader, canonical bytes, exact numbers.

mod canonical;
mod number;
mod order;
pub mod pointer;
mod strict;
mod writer;

pub use canonical::{CanonicalError, CanonicalJson};
pub use order::sort_members;
pub use strict::{StrictError, StrictErrorKind, parse, parse_as, parse_written};
