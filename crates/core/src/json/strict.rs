//! A JSON reader (RFC 8259) that refuses whatever two readers could read differently: duplicate
//! keys, lone surrogates, numbers that canonical JSON would change, too deep nesting, too many
//! values.

use serde::de::DeserializeOwned;
use serde_json::map::Entry;
use serde_json::{Map, Value};

use super::number;
use crate::limits::{JSON_DEPTH, JSON_VALUES};

/// Why a text was refused, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind} at byte {offset}")]
pub struct StrictError {
    /// What is wrong.
    pub kind: StrictErrorKind,
    /// Where, in bytes from the start.
    pub offset: usize,
}

/// What can be wrong with a JSON text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StrictErrorKind {
    /// A string holds an unescaped control character.
    #[error("control character in a string")]
    ControlCharacter,
    /// One object has a key twice.
    #[error("duplicate key `{0}`")]
    DuplicateKey(String),
    /// The text is no UTF-8.
    #[error("invalid utf-8")]
    InvalidUtf8,
    /// A number would not survive canonical JSON.
    #[error(
        "number `{0}` does not survive canonical json (integers up to 2^53, decimals that a double holds exactly as written)"
    )]
    InexactNumber(String),
    /// An escape names half of a surrogate pair.
    #[error("lone surrogate in a string")]
    LoneSurrogate,
    /// Something else was expected.
    #[error("expected {0}")]
    Syntax(&'static str),
    /// Arrays and objects are nested too deeply.
    #[error("nested deeper than {JSON_DEPTH} levels")]
    TooDeep,
    /// There are more values than a client may send: each takes many times its text in memory.
    #[error("more than {0} values")]
    TooManyValues(usize),
    /// The text is longer than the reader was told to take.
    #[error("longer than {0} bytes")]
    TooLong(usize),
    /// The value does not have the members or types that were asked for.
    #[error("{0}")]
    Shape(String),
}

/// Reads one JSON value of at most `max_bytes` bytes and [`JSON_VALUES`] values.
pub fn parse(bytes: &[u8], max_bytes: usize) -> Result<Value, StrictError> {
    read(bytes, max_bytes, JSON_VALUES)
}

/// Reads a text that was written here, such as a document, which may put more values around those
/// that came from a client: its bytes are its only limit, so that what was written can be read.
pub fn parse_written(bytes: &[u8], max_bytes: usize) -> Result<Value, StrictError> {
    read(bytes, max_bytes, max_bytes)
}

fn read(bytes: &[u8], max_bytes: usize, max_values: usize) -> Result<Value, StrictError> {
    if bytes.len() > max_bytes {
        return Err(StrictError {
            kind: StrictErrorKind::TooLong(max_bytes),
            offset: max_bytes,
        });
    }
    let text = std::str::from_utf8(bytes).map_err(|error| StrictError {
        kind: StrictErrorKind::InvalidUtf8,
        offset: error.valid_up_to(),
    })?;
    let mut reader = Reader {
        text,
        at: 0,
        values: 0,
        max_values,
    };
    let value = reader.value(0)?;
    reader.blank();
    if reader.at != text.len() {
        return reader.syntax("the end of the text");
    }
    Ok(value)
}

/// Reads one JSON value strictly and takes it apart as `T`.
pub fn parse_as<T: DeserializeOwned>(bytes: &[u8], max_bytes: usize) -> Result<T, StrictError> {
    let value = parse(bytes, max_bytes)?;
    serde_json::from_value(value).map_err(|error| StrictError {
        kind: StrictErrorKind::Shape(error.to_string()),
        offset: 0,
    })
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    /// How many values were begun.
    values: usize,
    max_values: usize,
}

impl<'a> Reader<'a> {
    fn value(&mut self, depth: usize) -> Result<Value, StrictError> {
        self.blank();
        self.values += 1;
        if self.values > self.max_values {
            return self.fail(StrictErrorKind::TooManyValues(self.max_values));
        }
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => self.string().map(Value::String),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'n') => self.word("null", Value::Null),
            _ => self.syntax("a json value"),
        }
    }

    fn object(&mut self, depth: usize) -> Result<Value, StrictError> {
        self.deeper(depth)?;
        let mut members = Map::new();
        self.blank();
        if self.eat(b'}') {
            return Ok(Value::Object(members));
        }
        loop {
            self.blank();
            let key_at = self.at;
            if self.peek() != Some(b'"') {
                return self.syntax("a key in double quotes");
            }
            let key = self.string()?;
            self.blank();
            if !self.eat(b':') {
                return self.syntax("`:` after a key");
            }
            let value = self.value(depth + 1)?;
            match members.entry(key) {
                Entry::Vacant(free) => free.insert(value),
                Entry::Occupied(taken) => {
                    let key = taken.key().chars().take(80);
                    return Err(StrictError {
                        kind: StrictErrorKind::DuplicateKey(
                            key.flat_map(char::escape_debug).collect(),
                        ),
                        offset: key_at,
                    });
                }
            };
            self.blank();
            if self.eat(b'}') {
                return Ok(Value::Object(members));
            }
            if !self.eat(b',') {
                return self.syntax("`,` or `}` after a member");
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<Value, StrictError> {
        self.deeper(depth)?;
        let mut items = Vec::new();
        self.blank();
        if self.eat(b']') {
            return Ok(Value::Array(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            self.blank();
            if self.eat(b']') {
                return Ok(Value::Array(items));
            }
            if !self.eat(b',') {
                return self.syntax("`,` or `]` after an item");
            }
        }
    }

    /// Steps over the opening bracket.
    fn deeper(&mut self, depth: usize) -> Result<(), StrictError> {
        if depth >= JSON_DEPTH {
            return self.fail(StrictErrorKind::TooDeep);
        }
        self.at += 1;
        Ok(())
    }

    fn string(&mut self) -> Result<String, StrictError> {
        self.at += 1;
        let mut out = String::new();
        loop {
            let rest = self.rest();
            let plain = rest
                .bytes()
                .position(|b| b == b'"' || b == b'\\' || b < 0x20)
                .unwrap_or(rest.len());
            out.push_str(rest.get(..plain).unwrap_or_default());
            self.at += plain;
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(out);
                }
                Some(b'\\') => out.push(self.escape()?),
                Some(_) => return self.fail(StrictErrorKind::ControlCharacter),
                None => return self.syntax("`\"` at the end of a string"),
            }
        }
    }

    fn escape(&mut self) -> Result<char, StrictError> {
        let start = self.at;
        self.at += 1;
        let simple = match self.peek() {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode_escape(start),
            _ => return self.syntax("an escape of json"),
        };
        self.at += 1;
        Ok(simple)
    }

    fn unicode_escape(&mut self, start: usize) -> Result<char, StrictError> {
        let lone = StrictError {
            kind: StrictErrorKind::LoneSurrogate,
            offset: start,
        };
        let first = self.code_unit()?;
        let code = match first {
            0xD800..=0xDBFF => {
                if !self.rest().starts_with("\\u") {
                    return Err(lone);
                }
                self.at += 1;
                let second = self.code_unit()?;
                if !(0xDC00..=0xDFFF).contains(&second) {
                    return Err(lone);
                }
                0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00)
            }
            other => other,
        };
        char::from_u32(code).ok_or(lone)
    }

    /// `u` and four hex digits.
    fn code_unit(&mut self) -> Result<u32, StrictError> {
        let digits = self
            .rest()
            .get(1..5)
            .filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()));
        let Some(unit) = digits.and_then(|d| u32::from_str_radix(d, 16).ok()) else {
            return self.syntax("four hex digits after `\\u`");
        };
        self.at += 5;
        Ok(unit)
    }

    fn number(&mut self) -> Result<Value, StrictError> {
        let start = self.at;
        self.eat(b'-');
        if !self.eat(b'0') && self.digits() == 0 {
            return self.syntax("a digit");
        }
        if self.eat(b'.') && self.digits() == 0 {
            return self.syntax("a digit after the decimal point");
        }
        if self.eat(b'e') || self.eat(b'E') {
            let _sign = self.eat(b'+') || self.eat(b'-');
            if self.digits() == 0 {
                return self.syntax("a digit in the exponent");
            }
        }
        let text = self.text.get(start..self.at).unwrap_or_default();
        match number::exact(text) {
            Some(number) => Ok(Value::Number(number)),
            None => {
                let shown = text.chars().take(40).collect();
                Err(StrictError {
                    kind: StrictErrorKind::InexactNumber(shown),
                    offset: start,
                })
            }
        }
    }

    fn digits(&mut self) -> usize {
        let count = self.rest().bytes().take_while(u8::is_ascii_digit).count();
        self.at += count;
        count
    }

    fn word(&mut self, word: &'static str, value: Value) -> Result<Value, StrictError> {
        if !self.rest().starts_with(word) {
            return self.syntax("a json value");
        }
        self.at += word.len();
        Ok(value)
    }

    fn blank(&mut self) {
        self.at += self
            .rest()
            .bytes()
            .take_while(|b| matches!(b, b' ' | b'\t' | b'\n' | b'\r'))
            .count();
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        if found {
            self.at += 1;
        }
        found
    }

    fn syntax<T>(&self, expected: &'static str) -> Result<T, StrictError> {
        self.fail(StrictErrorKind::Syntax(expected))
    }

    fn fail<T>(&self, kind: StrictErrorKind) -> Result<T, StrictError> {
        Err(StrictError {
            kind,
            offset: self.at,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn read(text: &str) -> Result<Value, StrictErrorKind> {
        parse(text.as_bytes(), 1 << 20).map_err(|e| e.kind)
    }

    #[test]
    fn plain_values_are_read() {
        assert_eq!(
            read(r#" {"a":[1,2.50,true,null,"x\u00e9\ud83d\ude00\n"]} "#).unwrap(),
            json!({"a":[1,2.5,true,null,"xé😀\n"]})
        );
    }

    #[test]
    fn what_two_readers_could_read_differently_is_refused() {
        use StrictErrorKind as K;
        assert_eq!(read(r#"{"a":1,"a":2}"#), Err(K::DuplicateKey("a".into())));
        assert_eq!(
            read(r#"{"a":1,"\u0061":2}"#),
            Err(K::DuplicateKey("a".into()))
        );
        assert_eq!(read(r#""\ud800""#), Err(K::LoneSurrogate));
        assert_eq!(read(r#""\ud800\u0041""#), Err(K::LoneSurrogate));
        assert_eq!(read(r#""\udc00""#), Err(K::LoneSurrogate));
        assert_eq!(
            read("9007199254740993"),
            Err(K::InexactNumber("9007199254740993".into()))
        );
        assert_eq!(read("1e400"), Err(K::InexactNumber("1e400".into())));
        assert_eq!(read("\"a\u{1}\""), Err(K::ControlCharacter));
        assert_eq!(parse(b"\"\xff\"", 9).unwrap_err().kind, K::InvalidUtf8);
        assert_eq!(parse(b"[1,2,3]", 3).unwrap_err().kind, K::TooLong(3));
        for bad in [
            "NaN",
            "Infinity",
            "01",
            "1.",
            ".5",
            "+1",
            "1e",
            "[1,]",
            "{,}",
            "{\"a\" 1}",
            "\"",
            "[",
            "{",
            "",
            "1 2",
            "'a'",
            "tru",
            "\u{feff}1",
            "\"\\x\"",
            "\"\\u12g4\"",
        ] {
            assert!(
                matches!(read(bad), Err(K::Syntax(_))),
                "{bad:?}: {:?}",
                read(bad)
            );
        }
    }

    #[test]
    fn depth_64_passes_and_65_does_not() {
        let nest = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        assert!(read(&nest(64)).is_ok());
        assert_eq!(read(&nest(65)), Err(StrictErrorKind::TooDeep));
        assert_eq!(read(&nest(200)), Err(StrictErrorKind::TooDeep));
    }

    #[test]
    fn a_million_values_pass_and_one_more_does_not() {
        let list = |items: usize| format!("[{}7]", "7,".repeat(items - 1));
        let limit = JSON_VALUES;
        assert!(parse(list(limit - 1).as_bytes(), 1 << 22).is_ok());
        for text in [list(limit), format!("{{\"a\":{}}}", list(limit - 1))] {
            let error = parse(text.as_bytes(), 1 << 22).unwrap_err();
            assert_eq!(error.kind, StrictErrorKind::TooManyValues(limit));
            assert!(parse_written(text.as_bytes(), 1 << 22).is_ok());
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes, 1000);
        }

        #[test]
        fn what_is_accepted_agrees_with_serde_json(text in r#"[\[\]{}:,"a0-9.eE\\u-]{0,24}"#) {
            if let Ok(value) = parse(text.as_bytes(), 1000) {
                let other: Value = serde_json::from_str(&text).unwrap();
                let ours = super::super::CanonicalJson::of(&value).unwrap();
                let mut sorted = value.clone();
                super::super::sort_members(&mut sorted);
                let again = parse(ours.as_bytes(), 1000).unwrap();
                // As texts, so that the order of members counts.
                prop_assert_eq!(sorted.to_string(), again.to_string());
                let theirs = serde_jcs::to_vec(&other).unwrap();
                prop_assert_eq!(ours.as_bytes(), &theirs[..]);
            }
        }

        #[test]
        fn canonical_json_reads_back_as_itself(double in any::<f64>().prop_filter("finite", |d| d.is_finite()), key in ".{0,8}") {
            let canonical = super::super::CanonicalJson::of(&json!({ key: double })).unwrap();
            let again = parse(canonical.as_bytes(), 1000).unwrap();
            prop_assert_eq!(super::super::CanonicalJson::of(&again).unwrap(), canonical);
        }
    }
}
