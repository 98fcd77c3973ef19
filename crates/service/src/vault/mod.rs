//! Sealed records: who opens them, and how they end.

pub(crate) mod access;
pub(crate) mod hold;
