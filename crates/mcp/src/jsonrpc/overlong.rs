//! What can be known of a message that is too long to be kept: it is looked through as it comes,
//! and thrown away.

use super::id::Id;
use crate::limits::{ID_BYTES, METHOD_BYTES};

/// Longest text of a member's name or value that is kept: an id, every character escaped.
const KEPT: usize = 6 * ID_BYTES + 2;

/// A message that was too long: its outermost `id` and `method`, if they stand there once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Overlong {
    /// Its id.
    pub id: Option<Id>,
    /// Its method.
    pub method: Option<String>,
    /// How many bytes it had.
    pub bytes: u64,
}

/// Looks through a message piece by piece.
#[derive(Debug, Default)]
pub(crate) struct Scanner {
    bytes: u64,
    depth: u64,
    in_text: bool,
    escaped: bool,
    /// Whether the next text of the outermost object is a name.
    at_name: bool,
    /// What of the present name or value was kept; `None` once it is too long.
    kept: Option<Vec<u8>>,
    name: Option<String>,
    id: Found<Id>,
    method: Found<String>,
}

/// A member that may stand there once.
#[derive(Debug, Default)]
enum Found<T> {
    #[default]
    Nothing,
    Once(T),
    /// Twice, or as something else.
    Unclear,
}

impl<T> Found<T> {
    fn add(&mut self, value: Option<T>) {
        *self = match (&self, value) {
            (Self::Nothing, Some(value)) => Self::Once(value),
            _ => Self::Unclear,
        };
    }

    fn one(self) -> Option<T> {
        match self {
            Self::Once(value) => Some(value),
            Self::Nothing | Self::Unclear => None,
        }
    }
}

impl Scanner {
    pub(crate) fn feed(&mut self, piece: &[u8]) {
        self.bytes = self.bytes.saturating_add(piece.len() as u64);
        for byte in piece {
            self.step(*byte);
        }
    }

    pub(crate) fn end(self) -> Overlong {
        Overlong {
            id: self.id.one(),
            method: self
                .method
                .one()
                .filter(|method| method.len() <= METHOD_BYTES),
            bytes: self.bytes,
        }
    }

    fn step(&mut self, byte: u8) {
        if self.in_text {
            self.keep(byte);
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => {
                    self.in_text = false;
                    if self.depth == 1 && self.at_name {
                        self.name = self
                            .taken()
                            .and_then(|text| serde_json::from_str(&text).ok());
                        self.at_name = false;
                    }
                }
                _ => {}
            }
            return;
        }
        match byte {
            b'"' => {
                self.in_text = true;
                if self.depth == 1 && self.at_name {
                    self.kept = Some(Vec::new());
                }
                self.keep(byte);
            }
            b'{' | b'[' => {
                self.keep(byte);
                self.depth += 1;
                self.at_name = self.depth == 1;
            }
            b'}' | b']' => {
                if self.depth == 1 {
                    self.value_ends();
                }
                self.depth = self.depth.saturating_sub(1);
                self.keep(byte);
            }
            b',' if self.depth == 1 => {
                self.value_ends();
                self.at_name = true;
            }
            b':' if self.depth == 1 => self.kept = Some(Vec::new()),
            _ => self.keep(byte),
        }
    }

    fn value_ends(&mut self) {
        let value = self.taken();
        let Some(name) = self.name.take() else { return };
        let value = value.as_deref().map(str::trim);
        match name.as_str() {
            "id" => self.id.add(value.and_then(Id::read)),
            "method" => self
                .method
                .add(value.and_then(|text| serde_json::from_str(text).ok())),
            _ => {}
        }
    }

    fn keep(&mut self, byte: u8) {
        if let Some(kept) = &mut self.kept {
            match kept.len() < KEPT {
                true => kept.push(byte),
                false => self.kept = None,
            }
        }
    }

    fn taken(&mut self) -> Option<String> {
        self.kept
            .take()
            .and_then(|kept| String::from_utf8(kept).ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(text: &str, piece: usize) -> Overlong {
        let mut scanner = Scanner::default();
        for piece in text.as_bytes().chunks(piece) {
            scanner.feed(piece);
        }
        scanner.end()
    }

    #[test]
    fn id_and_method_are_found_wherever_they_stand() {
        let big = "x".repeat(10_000);
        let inner = format!(r#"{{"id":99,"method":"no","a":["{big}\"}}",{{"id":98}}]}}"#);
        for text in [
            format!(r#"{{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{inner}}}"#),
            format!(r#" {{"params" : {inner} , "method" : "tools\/call" , "id" : 7 }}"#),
        ] {
            for piece in [1, 7, 4_096] {
                let found = scan(&text, piece);
                assert_eq!(found.id, Some(Id::Number(7)));
                assert_eq!(found.method.as_deref(), Some("tools/call"));
                assert_eq!(found.bytes, text.len() as u64);
            }
        }
    }

    #[test]
    fn what_stands_twice_or_is_too_long_is_not_known() {
        assert_eq!(scan(r#"{"id":1,"id":2,"method":"a"}"#, 9).id, None);
        assert_eq!(scan(r#"{"id":"#, 9).id, None);
        let long = format!(r#"{{"id":"{}","method":"a"}}"#, "x".repeat(5_000));
        let found = scan(&long, 100);
        assert_eq!((found.id, found.method.as_deref()), (None, Some("a")));
        assert_eq!(scan("[[[{\"id\":1}]]]", 3).id, None);
    }

    proptest::proptest! {
        #[test]
        fn what_is_found_is_what_a_reader_finds(text in r#"\{("(id|method|a)":("x\\\\"|"\\"y"|7|\{"id":1\}|\["id",\{\}\]),){0,4}"z":0\}"#, piece in 1_usize..9) {
            let found = scan(&text, piece);
            if let Ok(object) = super::super::raw::RawObject::read(&text) {
                proptest::prop_assert_eq!(found.id, object.value("id").and_then(Id::read));
                let method = object.value("method").and_then(|method| serde_json::from_str::<String>(method).ok());
                proptest::prop_assert_eq!(found.method, method);
            }
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
            let mut scanner = Scanner::default();
            scanner.feed(&bytes);
            let _ = scanner.end();
        }
    }
}
