//! Canonical JSON straight from a typed value, without a tree of values in between.
//!
//! It knows the common shapes only and gives up on the others, which the general way
//! ([`super::CanonicalJson::of`]) then writes: what comes out is the same, only sooner.

use std::fmt::{self, Write as _};
use std::ops::Range;

use serde::ser::{self, Impossible, Serialize};

/// Largest integer below which every integer is a double, so that its digits are canonical.
const SAFE_INTEGER: u64 = 9_007_199_254_740_992;
/// What an entry needs at least; it saves growing.
const CAPACITY: usize = 1024;

/// The canonical JSON of a value, if it is of a common shape.
pub(super) fn value(value: &impl Serialize) -> Option<Vec<u8>> {
    let mut writer = Writer::default();
    value.serialize(&mut writer).ok()?;
    Some(writer.out)
}

/// The canonical JSON of an object with further members, if it is of a common shape, and no list
/// among its members holds more than `longest` items.
pub(super) fn object(
    value: &impl Serialize,
    more: &[(&str, &dyn fmt::Display)],
    version: (&str, u64),
    longest: usize,
) -> Option<Vec<u8>> {
    let mut writer = Writer {
        more: Some(More {
            texts: more,
            version,
        }),
        longest: Some(longest),
        ..Writer::default()
    };
    value.serialize(&mut writer).ok()?;
    // Whatever was no object has left them.
    writer.more.is_none().then_some(writer.out)
}

/// Members that the outermost object has beside those of its type.
#[derive(Clone, Copy)]
struct More<'m> {
    texts: &'m [(&'m str, &'m dyn fmt::Display)],
    version: (&'m str, u64),
}

struct Writer<'m> {
    out: Vec<u8>,
    // Of all objects that are not complete yet.
    members: Vec<Member>,
    scratch: Vec<u8>,
    depth: usize,
    more: Option<More<'m>>,
    longest: Option<usize>,
}

impl Default for Writer<'_> {
    fn default() -> Self {
        Self {
            out: Vec::with_capacity(CAPACITY),
            members: Vec::new(),
            scratch: Vec::new(),
            depth: 0,
            more: None,
            longest: None,
        }
    }
}

/// Where a member stands in the text, and its key within.
struct Member {
    key: Range<usize>,
    end: usize,
}

/// A shape that is left to the general way.
#[derive(Debug)]
struct Uncommon;

impl fmt::Display for Uncommon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not of a common shape")
    }
}

impl std::error::Error for Uncommon {}

impl ser::Error for Uncommon {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

type Written = Result<(), Uncommon>;

impl<'m> Writer<'m> {
    fn text(&mut self, text: &str) {
        self.out.push(b'"');
        escape(text, &mut self.out);
        self.out.push(b'"');
    }

    fn shown(&mut self, value: &(impl fmt::Display + ?Sized)) -> Written {
        self.out.push(b'"');
        write!(Escaping(&mut self.out), "{value}").map_err(|_| Uncommon)?;
        self.out.push(b'"');
        Ok(())
    }

    fn number(&mut self, negative: bool, magnitude: u64) -> Written {
        if magnitude > SAFE_INTEGER {
            return Err(Uncommon);
        }
        let sign = if negative { "-" } else { "" };
        write!(Escaping(&mut self.out), "{sign}{magnitude}").map_err(|_| Uncommon)
    }

    fn begin_object(&mut self) -> Result<Object<'_, 'm>, Uncommon> {
        let more = match self.depth {
            0 => self.more.take(),
            _ => None,
        };
        self.out.push(b'{');
        self.depth = self.depth.saturating_add(1);
        let mut object = Object {
            start: self.out.len(),
            first: self.members.len(),
            writer: self,
        };
        if let Some(More { texts, version }) = more {
            for (key, text) in texts {
                object.member(key, |writer| writer.shown(text))?;
            }
            object.member(version.0, |writer| writer.number(false, version.1))?;
        }
        Ok(object)
    }

    fn begin_list(&mut self) -> List<'_, 'm> {
        self.out.push(b'[');
        self.depth = self.depth.saturating_add(1);
        List {
            writer: self,
            items: 0,
        }
    }
}

/// Writes text with what JSON must have escaped (RFC 8785 section 3.2.2.2).
fn escape(text: &str, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let hex = |nibble: u8| HEX.get(usize::from(nibble)).copied().unwrap_or(b'0');
    let mut rest = text.as_bytes();
    while let Some(at) = rest.iter().position(|b| must_be_escaped(*b)) {
        let (plain, after) = rest.split_at(at);
        out.extend_from_slice(plain);
        let Some((special, after)) = after.split_first() else {
            return;
        };
        match special {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0c => out.extend_from_slice(b"\\f"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            other => {
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&[hex(other >> 4), hex(other & 0x0f)]);
            }
        }
        rest = after;
    }
    out.extend_from_slice(rest);
}

fn must_be_escaped(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

struct Escaping<'o>(&'o mut Vec<u8>);

impl fmt::Write for Escaping<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        escape(text, self.0);
        Ok(())
    }
}

/// An object whose members are written as they come, and sorted at its end.
struct Object<'w, 'm> {
    writer: &'w mut Writer<'m>,
    start: usize,
    first: usize,
}

impl<'m> Object<'_, 'm> {
    fn member(&mut self, key: &str, value: impl FnOnce(&mut Writer<'m>) -> Written) -> Written {
        // Such keys sort by what they mean, in UTF-16 code units, and not as they are written.
        if !key.is_ascii() || key.bytes().any(must_be_escaped) {
            return Err(Uncommon);
        }
        let writer = &mut *self.writer;
        if writer.members.len() > self.first {
            writer.out.push(b',');
        }
        writer.text(key);
        let end = writer.out.len().saturating_sub(1);
        let start = end.saturating_sub(key.len());
        writer.out.push(b':');
        value(writer)?;
        let member = Member {
            key: start..end,
            end: writer.out.len(),
        };
        writer.members.push(member);
        Ok(())
    }

    fn close(self) -> Written {
        let Writer {
            out,
            members,
            scratch,
            depth,
            ..
        } = self.writer;
        let own = members.get_mut(self.first..).unwrap_or_default();
        let key = |member: &Member| out.get(member.key.clone()).unwrap_or_default();
        if !own.is_sorted_by(|a, b| key(a) < key(b)) {
            own.sort_unstable_by(|a, b| key(a).cmp(key(b)));
            // A key that stands twice: which counts is not decided here.
            if !own.is_sorted_by(|a, b| key(a) < key(b)) {
                return Err(Uncommon);
            }
            scratch.clear();
            for (n, member) in own.iter().enumerate() {
                if n > 0 {
                    scratch.push(b',');
                }
                // With the quotation mark before the key.
                let whole = member.key.start.saturating_sub(1)..member.end;
                scratch.extend_from_slice(out.get(whole).unwrap_or_default());
            }
            out.truncate(self.start);
            out.extend_from_slice(scratch);
        }
        out.push(b'}');
        members.truncate(self.first);
        *depth = depth.saturating_sub(1);
        Ok(())
    }
}

struct List<'w, 'm> {
    writer: &'w mut Writer<'m>,
    items: usize,
}

impl List<'_, '_> {
    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        if self.items > 0 {
            self.writer.out.push(b',');
        }
        self.items = self.items.saturating_add(1);
        value.serialize(&mut *self.writer)
    }

    fn close(self) -> Written {
        let writer = self.writer;
        writer.out.push(b']');
        writer.depth = writer.depth.saturating_sub(1);
        let is_member = writer.depth == 1;
        match writer.longest {
            Some(longest) if is_member && self.items > longest => Err(Uncommon),
            _ => Ok(()),
        }
    }
}

macro_rules! numbers {
    ($($signed:ident: $signed_type:ty, $unsigned:ident: $unsigned_type:ty;)*) => {
        $(
            fn $signed(self, n: $signed_type) -> Written {
                self.number(n < 0, u64::from(n.unsigned_abs()))
            }

            fn $unsigned(self, n: $unsigned_type) -> Written {
                self.number(false, u64::from(n))
            }
        )*
    };
}

impl<'w, 'm> ser::Serializer for &'w mut Writer<'m> {
    type Ok = ();
    type Error = Uncommon;
    type SerializeSeq = List<'w, 'm>;
    type SerializeTuple = List<'w, 'm>;
    type SerializeTupleStruct = List<'w, 'm>;
    type SerializeTupleVariant = Impossible<(), Uncommon>;
    type SerializeMap = ObjectOfMap<'w, 'm>;
    type SerializeStruct = Object<'w, 'm>;
    type SerializeStructVariant = Impossible<(), Uncommon>;

    numbers! {
        serialize_i8: i8, serialize_u8: u8;
        serialize_i16: i16, serialize_u16: u16;
        serialize_i32: i32, serialize_u32: u32;
        serialize_i64: i64, serialize_u64: u64;
    }

    fn serialize_bool(self, value: bool) -> Written {
        let text: &[u8] = if value { b"true" } else { b"false" };
        self.out.extend_from_slice(text);
        Ok(())
    }

    fn serialize_f32(self, _: f32) -> Written {
        Err(Uncommon)
    }

    fn serialize_f64(self, number: f64) -> Written {
        let text = serde_json_canonicalizer::to_vec(&number).map_err(|_| Uncommon)?;
        // `null` is what some writers make of numbers that JSON does not have.
        if !number.is_finite() {
            return Err(Uncommon);
        }
        self.out.extend_from_slice(&text);
        Ok(())
    }

    fn serialize_char(self, character: char) -> Written {
        self.text(character.encode_utf8(&mut [0; 4]));
        Ok(())
    }

    fn serialize_str(self, text: &str) -> Written {
        self.text(text);
        Ok(())
    }

    fn collect_str<T: fmt::Display + ?Sized>(self, value: &T) -> Written {
        self.shown(value)
    }

    fn serialize_bytes(self, _: &[u8]) -> Written {
        Err(Uncommon)
    }

    fn serialize_none(self) -> Written {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Written {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Written {
        self.out.extend_from_slice(b"null");
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Written {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Written {
        self.text(variant);
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Written {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Written {
        let mut object = self.begin_object()?;
        object.member(variant, |writer| value.serialize(writer))?;
        object.close()
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<List<'w, 'm>, Uncommon> {
        Ok(self.begin_list())
    }

    fn serialize_tuple(self, _: usize) -> Result<List<'w, 'm>, Uncommon> {
        Ok(self.begin_list())
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<List<'w, 'm>, Uncommon> {
        Ok(self.begin_list())
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, Uncommon> {
        Err(Uncommon)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<ObjectOfMap<'w, 'm>, Uncommon> {
        Ok(ObjectOfMap {
            object: self.begin_object()?,
            key: String::new(),
        })
    }

    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Object<'w, 'm>, Uncommon> {
        // serde_json passes raw text and numbers of its own in structs of such names.
        if name.starts_with('$') {
            return Err(Uncommon);
        }
        self.begin_object()
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, Uncommon> {
        Err(Uncommon)
    }
}

impl ser::SerializeStruct for Object<'_, '_> {
    type Ok = ();
    type Error = Uncommon;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Written {
        self.member(key, |writer| value.serialize(writer))
    }

    fn end(self) -> Written {
        self.close()
    }
}

struct ObjectOfMap<'w, 'm> {
    object: Object<'w, 'm>,
    key: String,
}

impl ser::SerializeMap for ObjectOfMap<'_, '_> {
    type Ok = ();
    type Error = Uncommon;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Written {
        self.key.clear();
        key.serialize(Key(&mut self.key))
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        let key = std::mem::take(&mut self.key);
        let written = self.object.member(&key, |writer| value.serialize(writer));
        self.key = key;
        written
    }

    fn end(self) -> Written {
        self.object.close()
    }
}

impl ser::SerializeSeq for List<'_, '_> {
    type Ok = ();
    type Error = Uncommon;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        self.item(value)
    }

    fn end(self) -> Written {
        self.close()
    }
}

impl ser::SerializeTuple for List<'_, '_> {
    type Ok = ();
    type Error = Uncommon;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        self.item(value)
    }

    fn end(self) -> Written {
        self.close()
    }
}

impl ser::SerializeTupleStruct for List<'_, '_> {
    type Ok = ();
    type Error = Uncommon;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        self.item(value)
    }

    fn end(self) -> Written {
        self.close()
    }
}

/// Takes the text of a key; a key that is no text is not common.
struct Key<'k>(&'k mut String);

macro_rules! no_key {
    ($($name:ident($($argument:ty),*);)*) => {
        $(fn $name(self, $(_: $argument),*) -> Written { Err(Uncommon) })*
    };
}

impl ser::Serializer for Key<'_> {
    type Ok = ();
    type Error = Uncommon;
    type SerializeSeq = Impossible<(), Uncommon>;
    type SerializeTuple = Impossible<(), Uncommon>;
    type SerializeTupleStruct = Impossible<(), Uncommon>;
    type SerializeTupleVariant = Impossible<(), Uncommon>;
    type SerializeMap = Impossible<(), Uncommon>;
    type SerializeStruct = Impossible<(), Uncommon>;
    type SerializeStructVariant = Impossible<(), Uncommon>;

    no_key! {
        serialize_bool(bool);
        serialize_i8(i8); serialize_i16(i16); serialize_i32(i32); serialize_i64(i64);
        serialize_u8(u8); serialize_u16(u16); serialize_u32(u32); serialize_u64(u64);
        serialize_f32(f32); serialize_f64(f64);
        serialize_char(char); serialize_bytes(&[u8]);
        serialize_none(); serialize_unit(); serialize_unit_struct(&'static str);
    }

    fn serialize_str(self, text: &str) -> Written {
        self.0.push_str(text);
        Ok(())
    }

    fn collect_str<T: fmt::Display + ?Sized>(self, value: &T) -> Written {
        write!(self.0, "{value}").map_err(|_| Uncommon)
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Written {
        self.0.push_str(variant);
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Written {
        value.serialize(self)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, _: &T) -> Written {
        Err(Uncommon)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Written {
        Err(Uncommon)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Self::SerializeSeq, Uncommon> {
        Err(Uncommon)
    }

    fn serialize_tuple(self, _: usize) -> Result<Self::SerializeTuple, Uncommon> {
        Err(Uncommon)
    }

    fn serialize_tuple_struct(
        self,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleStruct, Uncommon> {
        Err(Uncommon)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, Uncommon> {
        Err(Uncommon)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, Uncommon> {
        Err(Uncommon)
    }

    fn serialize_struct(
        self,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStruct, Uncommon> {
        Err(Uncommon)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, Uncommon> {
        Err(Uncommon)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Map, Number, Value, json};
    use std::collections::BTreeMap;

    fn general(value: &impl Serialize) -> Vec<u8> {
        serde_json_canonicalizer::to_vec(value).unwrap()
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            (-1_000_000_i64..1_000_000).prop_map(Value::from),
            any::<f64>()
                .prop_filter_map("finite", Number::from_f64)
                .prop_map(Value::from),
            ".*".prop_map(Value::from),
            "[\\x00-\\x7f]{0,9}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 60, 6, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                proptest::collection::vec(
                    ("[a-e_\"\\\\\\x01é\u{10000}\u{ffee}]{0,3}", inner),
                    0..6
                )
                .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_what_the_general_way_writes(drawn in any_value()) {
            if let Some(written) = value(&drawn) {
                prop_assert_eq!(String::from_utf8(written), String::from_utf8(general(&drawn)));
            }
        }
    }

    #[test]
    fn common_shapes_are_not_given_up() {
        for common in [
            json!({"b": [1, -2, 0.5, null, true], "a": {"z": "\u{1}\n\"é\\", "y": {}}, "": []}),
            json!([]),
            json!("x"),
            json!(9_007_199_254_740_992_u64),
            json!(-9_007_199_254_740_992_i64),
        ] {
            assert_eq!(value(&common), Some(general(&common)));
        }
        for uncommon in [
            json!(9_007_199_254_740_993_u64),
            json!({"é": 1}),
            json!({"\n": 1}),
        ] {
            assert_eq!(value(&uncommon), None);
        }
        assert_eq!(value(&f64::NAN), None);
        let keys = BTreeMap::from([(1, 2)]);
        assert_eq!(value(&keys), None);
    }

    #[test]
    fn further_members_are_sorted_in() {
        let id = "x\"y";
        let object = |value: &Value| object(value, &[("m", &id)], ("v", 1), 2);
        let written = object(&json!({"z": [1, 2], "a": {"v": 2}})).unwrap();
        assert_eq!(written, br#"{"a":{"v":2},"m":"x\"y","v":1,"z":[1,2]}"#);
        // A list within a list is not a member.
        assert!(object(&json!({"z": [[1, 2, 3]]})).is_some());
        assert_eq!(object(&json!({"z": [1, 2, 3]})), None);
        assert_eq!(object(&json!({"v": 2})), None);
        assert_eq!(object(&json!([1])), None);
    }
}
