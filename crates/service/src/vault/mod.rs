//! Sealed records: who opens them, and how they end.

pub(crate) mod access;
pub(crate) mod complete;
pub(crate) mod condemned;
pub(crate) mod erase;
pub(crate) mod four_eyes;
pub(crate) mod hold;
pub(crate) mod person;
pub(crate) mod rate;
pub(crate) mod retention;
pub(crate) mod select;
pub(crate) mod subjects;
