//! Messages on a stream: one per line (MCP, transport stdio).

use std::io::{self, BufRead, BufReader, Read, Write};

use crate::jsonrpc::{Overlong, Scanner};
use crate::limits::MESSAGE_BYTES;

/// Bytes that are read at once.
const PIECE: usize = 64 * 1024;

/// Takes messages off a stream.
pub struct Lines<R> {
    from: BufReader<R>,
    most: usize,
}

/// What came.
#[derive(Debug, PartialEq, Eq)]
pub enum Incoming {
    /// A line, without its end.
    Message(Vec<u8>),
    /// A line that is too long to be kept. It was read to its end.
    Overlong(Overlong),
    /// The end of the stream, with the bytes of a line that was begun: without its end it is no
    /// message.
    End {
        /// How many.
        begun: u64,
    },
}

impl<R: Read> Lines<R> {
    /// Reads from a stream.
    pub fn new(from: R) -> Self {
        Self {
            from: BufReader::with_capacity(PIECE, from),
            most: MESSAGE_BYTES,
        }
    }

    /// The next message. Lines with nothing on them are passed over.
    pub fn receive(&mut self) -> io::Result<Incoming> {
        loop {
            let mut line = Vec::new();
            let mut scanner: Option<Scanner> = None;
            let is_whole = self.line(&mut line, &mut scanner)?;
            if let Some(scanner) = scanner {
                let seen = scanner.end();
                return Ok(match is_whole {
                    true => Incoming::Overlong(seen),
                    false => Incoming::End { begun: seen.bytes },
                });
            }
            let is_blank = line.iter().all(u8::is_ascii_whitespace);
            match is_whole {
                false if is_blank => return Ok(Incoming::End { begun: 0 }),
                false => {
                    let begun = line.len() as u64;
                    return Ok(Incoming::End { begun });
                }
                true if is_blank => {}
                true => return Ok(Incoming::Message(one_line(line))),
            }
        }
    }

    /// Reads up to the end of a line; false if the stream ends before. Of what is too long, only
    /// what a scanner sees is kept.
    fn line(&mut self, line: &mut Vec<u8>, scanner: &mut Option<Scanner>) -> io::Result<bool> {
        loop {
            let piece = match self.from.fill_buf() {
                Ok(piece) => piece,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if piece.is_empty() {
                return Ok(false);
            }
            let end = piece.iter().position(|byte| *byte == b'\n');
            let part = piece.get(..end.unwrap_or(piece.len())).unwrap_or_default();
            match scanner {
                Some(scanner) => scanner.feed(part),
                None if line.len() + part.len() > self.most => {
                    let scanner = scanner.insert(Scanner::default());
                    scanner.feed(line);
                    scanner.feed(part);
                    *line = Vec::new();
                }
                None => line.extend_from_slice(part),
            }
            let used = part.len() + usize::from(end.is_some());
            self.from.consume(used);
            if end.is_some() {
                return Ok(true);
            }
        }
    }
}

/// Puts a message on a stream, in one piece.
pub(super) fn write(to: &mut impl Write, message: &[u8]) -> io::Result<()> {
    let mut line = one_line(message.to_vec());
    line.push(b'\n');
    to.write_all(&line)?;
    to.flush()
}

/// A message that is one line to every reader. Those that read text (Python's, with universal
/// newlines) take a carriage return for the end of a line, too: what stood between two of them would
/// be a message of its own, which nobody has judged. Between the parts of a message a break is as
/// good as a space, and inside of texts JSON has none.
fn one_line(mut line: Vec<u8>) -> Vec<u8> {
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    for byte in &mut line {
        if matches!(byte, b'\n' | b'\r') {
            *byte = b' ';
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jsonrpc::Id;

    /// A stream that gives a few bytes at a time.
    struct Slow<'a>(&'a [u8], usize);

    impl Read for Slow<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let most = self.1.min(into.len()).min(self.0.len());
            into[..most].copy_from_slice(&self.0[..most]);
            self.0 = &self.0[most..];
            Ok(most)
        }
    }

    fn all(text: &[u8], piece: usize, most: usize) -> Vec<Incoming> {
        let mut lines = Lines::new(Slow(text, piece));
        lines.most = most;
        let mut out = Vec::new();
        loop {
            let next = lines.receive().unwrap();
            let is_end = matches!(next, Incoming::End { .. });
            out.push(next);
            if is_end {
                return out;
            }
        }
    }

    #[test]
    fn a_line_is_a_message_however_it_comes() {
        for piece in [1, 3, 1_000] {
            let came = all(b"{\"a\":1}\r\n\n  \n{\"a\":\r{}\r}\n", piece, 100);
            let expected = [
                Incoming::Message(b"{\"a\":1}".to_vec()),
                Incoming::Message(b"{\"a\": {} }".to_vec()),
                Incoming::End { begun: 0 },
            ];
            assert_eq!(came, expected);
        }
    }

    #[test]
    fn a_line_without_its_end_is_none() {
        for piece in [1, 3, 1_000] {
            let came = all(b"{}\n{\"jsonrpc\":\"2.0\"}", piece, 100);
            let expected = [
                Incoming::Message(b"{}".to_vec()),
                Incoming::End { begun: 17 },
            ];
            assert_eq!(came, expected);
        }
    }

    #[test]
    fn what_is_too_long_is_passed_over_and_named() {
        let long = format!(
            "{{\"id\":7,\"params\":\"{}\",\"method\":\"tools/call\"}}",
            "x".repeat(500)
        );
        for piece in [1, 7, 1_000] {
            let came = all(format!("{long}\n{{}}\n").as_bytes(), piece, 100);
            let Some(Incoming::Overlong(seen)) = came.first() else {
                panic!("{came:?}");
            };
            assert_eq!(
                (&seen.id, seen.method.as_deref()),
                (&Some(Id::Number(7)), Some("tools/call"))
            );
            assert_eq!(seen.bytes, long.len() as u64);
            assert_eq!(came.get(1), Some(&Incoming::Message(b"{}".to_vec())));
            let cut = all(long.as_bytes(), piece, 100);
            let begun = long.len() as u64;
            assert_eq!(cut, [Incoming::End { begun }]);
        }
        assert_eq!(all(&[b'x'; 100], 9, 100), [Incoming::End { begun: 100 }]);
        let exact = [b"x".repeat(100), b"\n".to_vec()].concat();
        assert_eq!(
            all(&exact, 9, 100).first(),
            Some(&Incoming::Message(b"x".repeat(100)))
        );
    }
}
