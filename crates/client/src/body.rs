//! What goes into requests and comes out of answers.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Everything but the unreserved characters of RFC 3986 section 2.3.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Text as it stands in one segment of a path or one value of a query.
pub(crate) fn encode(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// The limits of answers, in bytes.
pub(crate) mod limit {
    /// An answer with one document: an intent document may hold 1 MiB of text, escaped.
    pub(crate) const DOCUMENT: u64 = 32 * 1024 * 1024;
    /// A page of entries: 500 leaves of 60 KiB.
    pub(crate) const PAGE: u64 = 64 * 1024 * 1024;
    /// A tile: 256 leaves of 64 KiB.
    pub(crate) const TILE: u64 = 17 * 1024 * 1024;
    /// A problem document.
    pub(crate) const PROBLEM: u64 = 1024 * 1024;
}
