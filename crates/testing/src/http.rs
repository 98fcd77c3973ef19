//! Any bytes over a connection, and the answer to them.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

use serde_json::Value;

use crate::PATIENCE;

/// The fields of a head, their names in lower case.
pub type Fields = Vec<(String, String)>;

/// An answer.
#[derive(Debug)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// The fields of its head, their names in lower case.
    pub headers: Fields,
    /// The body, without the framing of chunks.
    pub body: Vec<u8>,
}

impl Reply {
    /// The first field of this name, which is in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let found = headers.find(|(found, _)| found == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body's document or, of a stream of events, that of the last.
    pub fn json(&self) -> Value {
        let messages = self.messages();
        let last = messages.last();
        last.unwrap_or_else(|| panic!("no message: {self:?}"))
            .clone()
    }

    /// All documents of a stream of events, or the body's.
    pub fn messages(&self) -> Vec<Value> {
        if self.header("content-type") != Some("text/event-stream") {
            let parsed = serde_json::from_slice(&self.body);
            return vec![parsed.unwrap_or_else(|error| panic!("{error}: {self:?}"))];
        }
        let text = self.text();
        let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
        let data = data.filter(|data| !data.is_empty());
        data.map(|data| serde_json::from_str(data).unwrap())
            .collect()
    }

    /// The document of an answer with this status.
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        self.json()
    }

    /// A well-formed problem document with this status and code.
    pub fn problem(&self, status: u16, code: &str) -> Value {
        let shown = self.text();
        assert_eq!(self.status, status, "{shown}");
        let kind = self.header("content-type");
        assert_eq!(kind, Some("application/problem+json"), "{shown}");
        let problem = self.json();
        assert_eq!(problem["code"], code, "{problem}");
        assert_eq!(problem["status"], status);
        assert_eq!(
            problem["type"],
            format!("https://countersign.dev/errors/{code}")
        );
        assert_eq!(problem["request_id"].as_str(), self.header("x-request-id"));
        assert!(!problem["detail"].as_str().unwrap().is_empty());
        problem
    }
}

/// A connection on which nothing is waited for longer than [`PATIENCE`].
pub fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Sends bytes and reads one answer. That the server stopped reading is no error.
pub fn exchange(stream: &mut (impl Read + Write), bytes: &[u8]) -> Reply {
    let _ = stream.write_all(bytes);
    let _ = stream.flush();
    read_reply(&mut BufReader::new(stream)).expect("a response")
}

/// Reads one answer; `None` if the connection ends before one begins.
pub fn read_reply(reader: &mut impl BufRead) -> Option<Reply> {
    let (status, headers) = read_head(reader)?;
    let find = |name: &str| headers.iter().find(|(found, _)| found == name);
    let mut body = Vec::new();
    if find("transfer-encoding").is_some() {
        while let Some(chunk) = read_chunk(reader) {
            body.extend_from_slice(&chunk);
        }
    } else {
        let length = find("content-length").map_or(0, |(_, value)| value.parse().unwrap());
        body.resize(length, 0);
        reader.read_exact(&mut body).expect("a whole body");
    }
    Some(Reply {
        status,
        headers,
        body,
    })
}

/// The status and the fields of an answer; `None` if the connection ends before they do.
pub fn read_head(reader: &mut impl BufRead) -> Option<(u16, Fields)> {
    let mut line = String::new();
    if reader.read_line(&mut line).ok()? == 0 {
        return None;
    }
    let status = line.split(' ').nth(1)?.parse().ok()?;
    Some((status, read_fields(reader)))
}

/// The fields of a head, after its first line.
pub fn read_fields(reader: &mut impl BufRead) -> Fields {
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let Some((name, value)) = line.trim_end().split_once(':') else {
            return headers;
        };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
}

/// The next chunk of a chunked body; `None` at its end.
pub fn read_chunk(reader: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let size = usize::from_str_radix(line.trim(), 16).ok()?;
    let mut chunk = vec![0; size + 2];
    reader.read_exact(&mut chunk).ok()?;
    chunk.truncate(size);
    (size > 0).then_some(chunk)
}
