//! Writes canonical JSON (RFC 8785) straight from a value: no tree in between, and members that
//! stand in order already are not moved.

mod key;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;
use std::ops::Range;

use serde::Serialize;
use serde::ser::{self, Error as _};

use super::number;
use super::order::order;
use key::KeyText;

/// The canonical JSON of a value. With `exact`, an integer that no double holds is refused, where
/// RFC 8785 would write another number.
pub(super) fn write(value: &impl Serialize, exact: bool) -> Result<Vec<u8>, WriteError> {
    let mut writer = Writer {
        out: Vec::with_capacity(CAPACITY),
        keys: String::new(),
        members: Vec::new(),
        scratch: Vec::new(),
        exact,
    };
    value.serialize(&mut writer)?;
    Ok(writer.out)
}

/// Room for an ordinary leaf.
const CAPACITY: usize = 1_024;

/// Why a value has no canonical JSON.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct WriteError(String);

impl ser::Error for WriteError {
    fn custom<T: std::fmt::Display>(reason: T) -> Self {
        Self(reason.to_string())
    }
}

struct Writer {
    out: Vec<u8>,
    /// The unescaped keys of the objects that are open, one after the other.
    keys: String,
    /// Their members, those of the outermost object first.
    members: Vec<Member>,
    /// Where an object is put in order.
    scratch: Vec<u8>,
    exact: bool,
}

struct Member {
    key: Range<usize>,
    /// `"key":value` in `out`.
    text: Range<usize>,
}

impl Writer {
    fn raw(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    fn string(&mut self, text: &str) {
        self.out.push(b'"');
        escape(text, &mut self.out);
        self.out.push(b'"');
    }

    fn integer(&mut self, magnitude: u64, is_negative: bool) -> Result<(), WriteError> {
        let sign = if is_negative { "-" } else { "" };
        if magnitude <= number::SAFE_INTEGER as u64 {
            return write!(Text(&mut self.out), "{sign}{magnitude}").map_err(WriteError::custom);
        }
        let text = format!("{sign}{magnitude}");
        if self.exact && number::exact(&text).is_none() {
            return Err(WriteError(format!("`{text}` would become another number")));
        }
        self.double(text.parse().map_err(WriteError::custom)?)
    }

    fn signed(&mut self, value: i64) -> Result<(), WriteError> {
        self.integer(value.unsigned_abs(), value < 0)
    }

    /// As ECMAScript writes it.
    fn double(&mut self, value: f64) -> Result<(), WriteError> {
        let text = serde_json_canonicalizer::to_string(&value).map_err(WriteError::custom)?;
        self.raw(&text);
        Ok(())
    }

    fn object(&mut self) -> Object<'_> {
        self.out.push(b'{');
        Object {
            start: self.out.len(),
            first_member: self.members.len(),
            first_key: self.keys.len(),
            closes: "}",
            writer: self,
        }
    }

    fn array(&mut self, closes: &'static str) -> Array<'_> {
        self.out.push(b'[');
        Array {
            is_empty: true,
            closes,
            writer: self,
        }
    }

    /// `{"variant":`, to be closed by `}`.
    fn variant(&mut self, variant: &str) {
        self.out.push(b'{');
        self.string(variant);
        self.out.push(b':');
    }

    fn key(&self, member: &Member) -> &str {
        self.keys.get(member.key.clone()).unwrap_or_default()
    }
}

/// Writes the inside of a JSON string (RFC 8785 section 3.2.2.2).
fn escape(text: &str, out: &mut Vec<u8>) {
    let mut rest = text.as_bytes();
    while let Some(at) = special(rest) {
        let (plain, from) = rest.split_at(at);
        out.extend_from_slice(plain);
        let Some((special, after)) = from.split_first() else {
            return;
        };
        match special {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            0x08 => out.extend_from_slice(b"\\b"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'\n' => out.extend_from_slice(b"\\n"),
            0x0c => out.extend_from_slice(b"\\f"),
            b'\r' => out.extend_from_slice(b"\\r"),
            other => {
                let digit = |nibble: u8| match nibble {
                    0..=9 => b'0' + nibble,
                    _ => b'a' + nibble - 10,
                };
                out.extend_from_slice(&[
                    b'\\',
                    b'u',
                    b'0',
                    b'0',
                    digit(other >> 4),
                    digit(other & 15),
                ]);
            }
        }
        rest = after;
    }
    out.extend_from_slice(rest);
}

/// Where the first byte stands that is written as an escape.
fn special(text: &[u8]) -> Option<usize> {
    let is_special = |byte: &u8| *byte < 0x20 || *byte == b'"' || *byte == b'\\';
    // Whole blocks without leaving early: that is done many bytes at once.
    let blocks = text.chunks_exact(BLOCK);
    let plain = blocks.take_while(|block| !block.iter().fold(false, |any, b| any | is_special(b)));
    let skipped = plain.count().saturating_mul(BLOCK);
    let found = text.get(skipped..)?.iter().position(is_special)?;
    Some(skipped.saturating_add(found))
}

/// How many bytes are looked at together.
const BLOCK: usize = 32;

/// Text into bytes as it stands.
struct Text<'a>(&'a mut Vec<u8>);

impl std::fmt::Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

/// Text into bytes as the inside of a JSON string.
struct Escaped<'a>(&'a mut Vec<u8>);

impl std::fmt::Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        escape(text, self.0);
        Ok(())
    }
}

struct Object<'w> {
    start: usize,
    first_member: usize,
    first_key: usize,
    closes: &'static str,
    writer: &'w mut Writer,
}

impl Object<'_> {
    fn begin(&mut self, key: &str) {
        let writer = &mut *self.writer;
        if writer.members.len() > self.first_member {
            writer.out.push(b',');
        }
        let start = writer.out.len();
        writer.string(key);
        writer.out.push(b':');
        let at = writer.keys.len();
        writer.keys.push_str(key);
        writer.members.push(Member {
            key: at..writer.keys.len(),
            text: start..start,
        });
    }

    fn value(&mut self, value: &(impl Serialize + ?Sized)) -> Result<(), WriteError> {
        let at = self.writer.members.len();
        value.serialize(&mut *self.writer)?;
        let end = self.writer.out.len();
        // What the value opened is closed again, so this is its member.
        if let Some(member) = at
            .checked_sub(1)
            .and_then(|at| self.writer.members.get_mut(at))
        {
            member.text.end = end;
        }
        Ok(())
    }

    fn finish(self) -> Result<(), WriteError> {
        let writer = self.writer;
        let mut members = writer.members.split_off(self.first_member);
        let in_order = members.windows(2).all(|pair| match pair {
            [a, b] => order(writer.key(a), writer.key(b)).is_lt(),
            _ => true,
        });
        if !in_order {
            members.sort_by(|a, b| order(writer.key(a), writer.key(b)));
            let twice = members.windows(2).find_map(|pair| match pair {
                [a, b] if writer.key(a) == writer.key(b) => Some(writer.key(a)),
                _ => None,
            });
            if let Some(key) = twice {
                return Err(WriteError(format!(
                    "duplicate key `{}`",
                    key.escape_debug()
                )));
            }
            let mut scratch = std::mem::take(&mut writer.scratch);
            scratch.clear();
            for member in &members {
                if !scratch.is_empty() {
                    scratch.push(b',');
                }
                scratch.extend_from_slice(writer.out.get(member.text.clone()).unwrap_or_default());
            }
            writer.out.truncate(self.start);
            writer.out.extend_from_slice(&scratch);
            writer.scratch = scratch;
        }
        writer.keys.truncate(self.first_key);
        writer.raw(self.closes);
        Ok(())
    }
}

impl ser::SerializeStruct for Object<'_> {
    type Ok = ();
    type Error = WriteError;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        key: &'static str,
        value: &T,
    ) -> Result<(), WriteError> {
        self.begin(key);
        self.value(value)
    }

    fn end(self) -> Result<(), WriteError> {
        self.finish()
    }
}

impl ser::SerializeStructVariant for Object<'_> {
    type Ok = ();
    type Error = WriteError;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        key: &'static str,
        value: &T,
    ) -> Result<(), WriteError> {
        self.begin(key);
        self.value(value)
    }

    fn end(self) -> Result<(), WriteError> {
        self.finish()
    }
}

impl ser::SerializeMap for Object<'_> {
    type Ok = ();
    type Error = WriteError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), WriteError> {
        let key = key.serialize(KeyText)?;
        self.begin(&key);
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), WriteError> {
        self.value(value)
    }

    fn end(self) -> Result<(), WriteError> {
        self.finish()
    }
}

struct Array<'w> {
    is_empty: bool,
    closes: &'static str,
    writer: &'w mut Writer,
}

impl Array<'_> {
    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), WriteError> {
        if !std::mem::take(&mut self.is_empty) {
            self.writer.out.push(b',');
        }
        value.serialize(&mut *self.writer)
    }
}

/// The serde traits of everything that is a list.
macro_rules! list {
    ($($name:ident $item:ident),*) => {$(
        impl ser::$name for Array<'_> {
            type Ok = ();
            type Error = WriteError;

            fn $item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), WriteError> {
                self.item(value)
            }

            fn end(self) -> Result<(), WriteError> {
                self.writer.raw(self.closes);
                Ok(())
            }
        }
    )*};
}

list!(
    SerializeSeq serialize_element,
    SerializeTuple serialize_element,
    SerializeTupleStruct serialize_field,
    SerializeTupleVariant serialize_field
);

/// Numbers of all widths.
macro_rules! numbers {
    ($($method:ident $kind:ty => $write:ident),*) => {$(
        fn $method(self, value: $kind) -> Result<(), WriteError> {
            self.$write(value.into())
        }
    )*};
}

impl<'w> ser::Serializer for &'w mut Writer {
    type Ok = ();
    type Error = WriteError;
    type SerializeSeq = Array<'w>;
    type SerializeTuple = Array<'w>;
    type SerializeTupleStruct = Array<'w>;
    type SerializeTupleVariant = Array<'w>;
    type SerializeMap = Object<'w>;
    type SerializeStruct = Object<'w>;
    type SerializeStructVariant = Object<'w>;

    numbers!(
        serialize_i8 i8 => signed, serialize_i16 i16 => signed,
        serialize_i32 i32 => signed, serialize_i64 i64 => signed,
        serialize_f32 f32 => double, serialize_f64 f64 => double
    );

    fn serialize_u8(self, value: u8) -> Result<(), WriteError> {
        self.integer(value.into(), false)
    }

    fn serialize_u16(self, value: u16) -> Result<(), WriteError> {
        self.integer(value.into(), false)
    }

    fn serialize_u32(self, value: u32) -> Result<(), WriteError> {
        self.integer(value.into(), false)
    }

    fn serialize_u64(self, value: u64) -> Result<(), WriteError> {
        self.integer(value, false)
    }

    fn serialize_bool(self, value: bool) -> Result<(), WriteError> {
        self.raw(if value { "true" } else { "false" });
        Ok(())
    }

    fn serialize_char(self, value: char) -> Result<(), WriteError> {
        self.string(value.encode_utf8(&mut [0; 4]));
        Ok(())
    }

    fn serialize_str(self, value: &str) -> Result<(), WriteError> {
        self.string(value);
        Ok(())
    }

    fn collect_str<T: std::fmt::Display + ?Sized>(self, value: &T) -> Result<(), WriteError> {
        self.out.push(b'"');
        write!(Escaped(&mut self.out), "{value}").map_err(WriteError::custom)?;
        self.out.push(b'"');
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), WriteError> {
        self.collect_seq(value)
    }

    fn serialize_none(self) -> Result<(), WriteError> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), WriteError> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), WriteError> {
        self.raw("null");
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), WriteError> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<(), WriteError> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), WriteError> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), WriteError> {
        self.variant(variant);
        value.serialize(&mut *self)?;
        self.raw("}");
        Ok(())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Array<'w>, WriteError> {
        Ok(self.array("]"))
    }

    fn serialize_tuple(self, _: usize) -> Result<Array<'w>, WriteError> {
        Ok(self.array("]"))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Array<'w>, WriteError> {
        Ok(self.array("]"))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Array<'w>, WriteError> {
        self.variant(variant);
        Ok(self.array("]}"))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Object<'w>, WriteError> {
        Ok(self.object())
    }

    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Object<'w>, WriteError> {
        // How serde_json passes on text that is JSON already, in whatever spelling.
        if name.starts_with("$serde_json") {
            return Err(WriteError("raw json is not canonical".to_owned()));
        }
        Ok(self.object())
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Object<'w>, WriteError> {
        self.variant(variant);
        Ok(Object {
            closes: "}}",
            ..self.object()
        })
    }
}
