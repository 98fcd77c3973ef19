//! Server-sent events, read as the WHATWG HTML standard (section 9.2.6) says and written anew.
//!
//! The data of an event keeps its bytes. Its framing is our own: what a client reads is then what
//! was read here, whatever lines, byte order marks or unknown fields the upstream wrote.

use super::limits::{ID_BYTES, MESSAGE_BYTES};

/// One event, or a comment that keeps a connection alive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// A line that says nothing.
    Comment,
    /// An event that was ended by an empty line.
    Message(Message),
}

/// What one event holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Message {
    /// The kind; empty means `message`.
    pub(crate) kind: String,
    /// The data lines, joined by line feeds; `None` if there was none.
    pub(crate) data: Option<Vec<u8>>,
    /// The id, if this event set one that can be sent back in a header.
    pub(crate) id: Option<String>,
    /// How long a client should wait before it comes back, in milliseconds.
    pub(crate) retry_ms: Option<u64>,
}

impl Message {
    /// Whether its data is meant to be a JSON-RPC message.
    pub(crate) fn is_message(&self) -> bool {
        self.kind.is_empty() || self.kind == "message"
    }
}

/// A stream that is no stream of events as we take them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SseError {
    /// An event is longer than a message may be.
    #[error("an event exceeds {MESSAGE_BYTES} bytes")]
    TooLong,
}

/// Reads a stream of events out of chunks that may end anywhere.
#[derive(Default)]
pub(crate) struct Reader {
    line: Vec<u8>,
    /// The last byte was a CR, so that an LF now belongs to it.
    after_cr: bool,
    /// The first line has been ended.
    begun: bool,
    event: Message,
}

impl Reader {
    /// Takes the next bytes and adds the events that they end.
    pub(crate) fn push(&mut self, bytes: &[u8], events: &mut Vec<Event>) -> Result<(), SseError> {
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
            let (line, tail) = rest.split_at(end);
            let (ending, tail) = tail.split_at(1);
            rest = tail;
            if line.is_empty() && self.after_cr && ending == b"\n" {
                self.after_cr = false;
                continue;
            }
            self.after_cr = ending == b"\r";
            self.extend(line)?;
            let line = std::mem::take(&mut self.line);
            self.line_ended(&line, events)?;
        }
        if !rest.is_empty() {
            self.after_cr = false;
        }
        self.extend(rest)
    }

    fn extend(&mut self, bytes: &[u8]) -> Result<(), SseError> {
        if self.line.len() + bytes.len() > MESSAGE_BYTES + 64 {
            return Err(SseError::TooLong);
        }
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    fn line_ended(&mut self, line: &[u8], events: &mut Vec<Event>) -> Result<(), SseError> {
        let first = !std::mem::replace(&mut self.begun, true);
        let line = match first {
            true => line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line),
            false => line,
        };
        if line.is_empty() {
            let event = std::mem::take(&mut self.event);
            if event.data.is_some() || event.id.is_some() || event.retry_ms.is_some() {
                events.push(Event::Message(event));
            }
            return Ok(());
        }
        let colon = line.iter().position(|byte| *byte == b':');
        let (field, value) = match colon {
            Some(0) => {
                events.push(Event::Comment);
                return Ok(());
            }
            Some(at) => {
                let (field, value) = line.split_at(at);
                let value = value.strip_prefix(b":").unwrap_or(value);
                (field, value.strip_prefix(b" ").unwrap_or(value))
            }
            None => (line, [].as_slice()),
        };
        self.field(field, value)
    }

    fn field(&mut self, field: &[u8], value: &[u8]) -> Result<(), SseError> {
        match field {
            b"data" => {
                let data = match &mut self.event.data {
                    Some(data) => {
                        data.push(b'\n');
                        data
                    }
                    none => none.insert(Vec::new()),
                };
                if data.len() + value.len() > MESSAGE_BYTES {
                    return Err(SseError::TooLong);
                }
                data.extend_from_slice(value);
            }
            // A kind that is no plain word is none that a client of MCP knows.
            b"event" => {
                self.event.kind = match std::str::from_utf8(value) {
                    Ok(kind) if is_plain(kind) => kind.to_owned(),
                    _ => "unknown".to_owned(),
                };
            }
            b"id" => {
                let id = std::str::from_utf8(value).ok().filter(|id| is_plain(id));
                self.event.id = id.map(str::to_owned);
            }
            b"retry" => {
                let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
                let text = std::str::from_utf8(value).ok().filter(|_| digits);
                self.event.retry_ms = text.and_then(|text| text.parse().ok());
            }
            _ => {}
        }
        Ok(())
    }
}

/// Whether a text can stand in a field, and be sent back in a header.
fn is_plain(text: &str) -> bool {
    text.len() <= ID_BYTES && text.bytes().all(|byte| matches!(byte, 0x20..=0x7e))
}

/// The bytes of an event.
pub(crate) fn write(event: &Event) -> Vec<u8> {
    let Event::Message(message) = event else {
        return b":\n\n".to_vec();
    };
    let data = message.data.as_deref();
    let mut out = Vec::with_capacity(data.map_or(0, <[u8]>::len) + 64);
    if !message.kind.is_empty() {
        out.extend_from_slice(format!("event: {}\n", message.kind).as_bytes());
    }
    if let Some(id) = &message.id {
        out.extend_from_slice(format!("id: {id}\n").as_bytes());
    }
    if let Some(retry) = message.retry_ms {
        out.extend_from_slice(format!("retry: {retry}\n").as_bytes());
    }
    if let Some(data) = data {
        // A CR can only stand between the tokens of JSON, where a line feed means the same.
        for line in data.split(|byte| matches!(byte, b'\n' | b'\r')) {
            out.extend_from_slice(b"data: ");
            out.extend_from_slice(line);
            out.push(b'\n');
        }
    }
    out.push(b'\n');
    out
}

/// The bytes of an event that holds one JSON-RPC message.
pub(crate) fn message(data: Vec<u8>) -> Vec<u8> {
    write(&Event::Message(Message {
        data: Some(data),
        ..Message::default()
    }))
}

#[cfg(test)]
mod tests {
    use proptest::strategy::Strategy as _;

    use super::*;

    fn read(chunks: &[&[u8]]) -> Vec<Event> {
        let mut reader = Reader::default();
        let mut events = Vec::new();
        for chunk in chunks {
            reader.push(chunk, &mut events).unwrap();
        }
        events
    }

    fn of(data: &str) -> Event {
        Event::Message(Message {
            data: Some(data.as_bytes().to_vec()),
            ..Message::default()
        })
    }

    #[test]
    fn a_stream_means_the_same_however_it_is_cut() {
        let stream = "\u{feff}event: message\r\nid: 7\rdata: {\"a\":\r\ndata:1}\r\n\r\n:\n\nretry: 5\n\ndata\n\nid: 9\ndata:  x\n\n"
            .as_bytes();
        let whole = read(&[stream]);
        assert_eq!(whole.len(), 5);
        let expected = Message {
            kind: "message".to_owned(),
            data: Some(b"{\"a\":\n1}".to_vec()),
            id: Some("7".to_owned()),
            retry_ms: None,
        };
        assert_eq!(whole[0], Event::Message(expected));
        assert_eq!(whole[1], Event::Comment);
        assert_eq!(whole[3], of(""));
        for size in 1..stream.len() {
            let chunks: Vec<&[u8]> = stream.chunks(size).collect();
            assert_eq!(read(&chunks), whole, "in chunks of {size}");
        }
        for at in 0..stream.len() {
            let (one, two) = stream.split_at(at);
            assert_eq!(read(&[one, b"", two]), whole, "cut at {at}");
        }
    }

    #[test]
    fn what_is_written_reads_as_it_was() {
        let stream =
            b"event: message\nid: 7\nretry: 10\ndata: {}\ndata: \ndata: x\n\n:\n\ndata: y\n\n";
        let events = read(&[stream]);
        let again: Vec<u8> = events.iter().flat_map(write).collect();
        assert_eq!(read(&[&again]), events);
    }

    #[test]
    fn an_event_without_its_empty_line_is_none() {
        assert_eq!(read(&[b"data: {\"jsonrpc\":\"2.0\"}\n"]), []);
        assert_eq!(read(&[b"data: {\"jsonrpc\":\"2.0\"}"]), []);
    }

    #[test]
    fn only_the_first_line_may_begin_with_a_mark() {
        let events = read(&["data: 1\n\n\u{feff}data: 2\n\n".as_bytes()]);
        assert_eq!(events, [of("1")]);
    }

    #[test]
    fn an_id_that_no_header_can_hold_is_none() {
        for id in ["\0", "\u{e4}", "a\tb"] {
            let events = read(&[format!("id: {id}\ndata: 1\n\n").as_bytes()]);
            assert_eq!(events, [of("1")], "{id:?}");
        }
    }

    #[test]
    fn a_cr_in_data_cannot_begin_a_field() {
        let written = message(b"{\r\"id\":1,\nevent: x}".to_vec());
        let events = read(&[&written]);
        assert_eq!(events, [of("{\n\"id\":1,\nevent: x}")]);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_mean_the_same_in_any_chunks(
            stream in "(data|id|event|retry|x)?:? ?[a-z0-9\u{feff}\u{0}]{0,3}(\r|\n|\r\n|:){0,3}".prop_map(String::into_bytes),
            more in proptest::collection::vec("(data|id|event|retry):? ?[a-z0-9]{0,3}(\r|\n|\r\n){1,3}", 0..8),
            size in 1_usize..9,
        ) {
            let mut all = stream;
            all.extend(more.concat().into_bytes());
            let whole = read(&[&all]);
            let chunks: Vec<&[u8]> = all.chunks(size).collect();
            proptest::prop_assert_eq!(read(&chunks), whole.clone());
            let again: Vec<u8> = whole.iter().flat_map(write).collect();
            proptest::prop_assert_eq!(read(&[&again]), whole);
        }
    }

    #[test]
    fn an_event_without_end_is_refused() {
        let mut reader = Reader::default();
        let mut events = Vec::new();
        let chunk = vec![b'x'; 1024 * 1024];
        let mut failed = reader.push(b"data: ", &mut events).is_err();
        for _ in 0..18 {
            failed |= reader.push(&chunk, &mut events).is_err();
        }
        assert!(failed);
        let mut reader = Reader::default();
        let mut line = b"data:".to_vec();
        line.extend_from_slice(&chunk);
        line.push(b'\n');
        assert!((0..18).any(|_| reader.push(&line, &mut events).is_err()));
    }
}
