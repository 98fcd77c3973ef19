//! Lines that end in CR LF (RFC 5321 section 2.3.8), and no others.

use std::io::{self, BufRead, Read as _};

/// A line as it arrived.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A line without its CR LF.
    Text(Vec<u8>),
    /// A line over the limit; its bytes are gone.
    TooLong,
    /// A CR or LF stood alone in it.
    BareEnd,
    /// Nothing more comes.
    End,
}

/// Most bytes that are read of a line over its limit; then the connection counts as ended.
const READ_ON_BYTES: usize = 256 * 1024;

/// Reads one line of at most `limit` bytes, CR LF included.
pub(super) fn read(reader: &mut impl BufRead, limit: usize) -> io::Result<Line> {
    let mut text = Vec::new();
    let (mut length, mut is_bare, mut after_cr) = (0_usize, false, false);
    for byte in reader.by_ref().bytes() {
        let byte = byte?;
        length = length.saturating_add(1);
        if length > READ_ON_BYTES.max(limit) {
            return Ok(Line::End);
        }
        if byte == b'\n' && after_cr {
            text.pop();
            return Ok(match (is_bare, length > limit) {
                (true, _) => Line::BareEnd,
                (false, true) => Line::TooLong,
                (false, false) => Line::Text(text),
            });
        }
        // A dot after a bare LF must not end a message: the LF ends no line.
        is_bare |= after_cr || byte == b'\n';
        after_cr = byte == b'\r';
        if length <= limit {
            text.push(byte);
        }
    }
    Ok(Line::End)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(mut bytes: &[u8], limit: usize) -> Vec<Line> {
        let mut lines = Vec::new();
        loop {
            match read(&mut bytes, limit).unwrap() {
                Line::End => return lines,
                line => lines.push(line),
            }
        }
    }

    #[test]
    fn only_cr_lf_ends_a_line() {
        let text = |text: &str| Line::Text(text.into());
        assert_eq!(all(b"a\r\n\r\nb\r\n", 10), [text("a"), text(""), text("b")]);
        assert_eq!(all(b"a\nb\r\nc\r\n", 10), [Line::BareEnd, text("c")]);
        assert_eq!(all(b"\n\r\n", 10), [Line::BareEnd]);
        assert_eq!(all(b"a\rb\r\n", 10), [Line::BareEnd]);
        assert_eq!(all(b"a\r\r\n", 10), [Line::BareEnd]);
        assert_eq!(all(b"unfinished\n", 10), []);
        assert_eq!(all(b"unfinished\r", 10), []);
    }

    #[test]
    fn a_line_over_the_limit_is_passed_over_as_a_whole() {
        assert_eq!(all(b"12345678\r\n", 10), [Line::Text(b"12345678".into())]);
        let lines = all(b"123456789\r\nb\r\n", 10);
        assert_eq!(lines, [Line::TooLong, Line::Text(b"b".into())]);
        let mut endless: &[u8] = &vec![b'x'; READ_ON_BYTES + 10];
        assert_eq!(read(&mut endless, 10).unwrap(), Line::End);
    }
}
