//! What people read: each document of the API and of the verifier as text.

mod entries;
mod explanation;
mod flags;
mod report;
mod review;
mod text;
mod trace;

pub(crate) use entries::{entries, entry};
pub(crate) use explanation::explanation;
pub(crate) use flags::flags;
pub(crate) use report::report;
pub(crate) use review::review;
pub(crate) use text::{
    finding, indented, outcome_tone, plain, reasons, short_ref, trimmed, wrapped,
};
pub(crate) use trace::{policy as policy_trace, shortened};
