//! JSON as text: where its parts stand, and changing one without touching another.

use std::ops::Range;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

/// A part of the text: a member of an object with its name, or an item of a list.
#[derive(Debug, Clone)]
pub(super) struct Part<'a> {
    /// The member's name; empty for an item.
    pub(super) name: String,
    /// The value.
    pub(super) value: &'a str,
    /// Where it stands, name included.
    pub(super) span: Range<usize>,
}

/// An object or list, and where its parts stand.
#[derive(Debug, Clone)]
pub(super) struct Container<'a> {
    pub(super) parts: Vec<Part<'a>>,
    /// Where it stands, brackets included.
    pub(super) span: Range<usize>,
    is_object: bool,
}

impl<'a> Container<'a> {
    /// The object that the whole text is.
    pub(super) fn root(text: &'a str) -> Result<Self, String> {
        let raw: &RawValue =
            serde_json::from_str(text).map_err(|error| format!("it is no json: {error}"))?;
        Self::object(text, raw.get())?.ok_or_else(|| "it is no json object".to_owned())
    }

    /// An object within a text; `None` if the value is none.
    pub(super) fn object(text: &'a str, value: &'a str) -> Result<Option<Self>, String> {
        if !value.starts_with('{') {
            return Ok(None);
        }
        let Members(members) = serde_json::from_str(value).map_err(|error| error.to_string())?;
        let mut names: Vec<&String> = members.iter().map(|(name, _)| name).collect();
        names.sort();
        if let Some([twice, _]) = names
            .windows(2)
            .find(|pair| matches!(pair, [a, b] if a == b))
        {
            return Err(format!(
                "the member `{}` stands twice in an object",
                crate::names::shown(twice)
            ));
        }
        let values = members.into_iter().map(|(name, value)| (name, value.get()));
        Self::of(text, value, values.collect(), true).map(Some)
    }

    /// A list within a text; `None` if the value is none.
    pub(super) fn list(text: &'a str, value: &'a str) -> Result<Option<Self>, String> {
        if !value.starts_with('[') {
            return Ok(None);
        }
        let Items(items) = serde_json::from_str(value).map_err(|error| error.to_string())?;
        let values = items.into_iter().map(|item| (String::new(), item.get()));
        Self::of(text, value, values.collect(), false).map(Some)
    }

    fn of(
        text: &'a str,
        value: &'a str,
        values: Vec<(String, &'a str)>,
        is_object: bool,
    ) -> Result<Self, String> {
        let span = place(text, value)?;
        let mut end = span.start + 1;
        let mut parts = Vec::new();
        for (name, value) in values {
            let own = place(text, value)?;
            let between = text.get(end..own.start).unwrap_or_default();
            let space = |c: char| c.is_ascii_whitespace() || c == ',';
            let start = end + (between.len() - between.trim_start_matches(space).len());
            parts.push(Part {
                name,
                value,
                span: start..own.end,
            });
            end = own.end;
        }
        Ok(Self {
            parts,
            span,
            is_object,
        })
    }

    pub(super) fn member(&self, name: &str) -> Option<&Part<'a>> {
        self.parts.iter().find(|part| part.name == name)
    }

    /// The text without a part of this container.
    pub(super) fn without(&self, text: &str, at: usize) -> String {
        let span = |at: usize| self.parts.get(at).map(|part| part.span.clone());
        let own = span(at).unwrap_or_default();
        let before = at.checked_sub(1).and_then(span);
        let cut = match (before, span(at + 1)) {
            (Some(before), _) => before.end..own.end,
            (None, Some(next)) => own.start..next.start,
            (None, None) => self.span.start + 1..self.span.end.saturating_sub(1),
        };
        replaced(text, cut, "")
    }

    /// The text with another part at the end of this container, which stands so deep.
    pub(super) fn with(&self, text: &str, name: &str, value: &Value, depth: usize) -> String {
        let style = Style::of(text);
        let value = style.written(value, depth + 1);
        let name = match self.is_object {
            true => format!("{}: ", Value::from(name)),
            false => String::new(),
        };
        let line = style.line(depth + 1);
        match self.parts.last() {
            Some(last) => {
                let new = format!(",{line}{name}{value}");
                replaced(text, last.span.end..last.span.end, &new)
            }
            None => {
                let inner = self.span.start + 1..self.span.end.saturating_sub(1);
                let end = style.line(depth);
                replaced(text, inner, &format!("{line}{name}{value}{end}"))
            }
        }
    }
}

/// How a text is laid out.
struct Style {
    indent: String,
    is_one_line: bool,
}

impl Style {
    fn of(text: &str) -> Self {
        let inner = text.trim_start().strip_prefix('{').unwrap_or_default();
        let space = inner.len() - inner.trim_start().len();
        let space = inner.get(..space).unwrap_or_default();
        let indent = space.rsplit_once('\n').map(|(_, indent)| indent);
        let is_empty = inner.trim_start().starts_with('}');
        Self {
            indent: indent
                .filter(|indent| !indent.is_empty() && !is_empty)
                .unwrap_or("  ")
                .to_owned(),
            is_one_line: !is_empty && !text.trim_end().contains('\n'),
        }
    }

    /// What stands before a part so deep.
    fn line(&self, depth: usize) -> String {
        match self.is_one_line {
            true => String::new(),
            false => format!("\n{}", self.indent.repeat(depth)),
        }
    }

    fn written(&self, value: &Value, depth: usize) -> String {
        if self.is_one_line {
            return value.to_string();
        }
        let mut out = Vec::new();
        let formatter = serde_json::ser::PrettyFormatter::with_indent(self.indent.as_bytes());
        let mut serializer = serde_json::Serializer::with_formatter(&mut out, formatter);
        // A value that serde_json made is one that it can write.
        let written = serde::Serialize::serialize(value, &mut serializer);
        match (written, String::from_utf8(out)) {
            (Ok(()), Ok(text)) => text.replace('\n', &self.line(depth)),
            _ => value.to_string(),
        }
    }
}

fn replaced(text: &str, span: Range<usize>, new: &str) -> String {
    let before = text.get(..span.start).unwrap_or_default();
    let after = text.get(span.end..).unwrap_or_default();
    format!("{before}{new}{after}")
}

/// Where a part of a text stands in it.
fn place(text: &str, part: &str) -> Result<Range<usize>, String> {
    let start = (part.as_ptr() as usize).checked_sub(text.as_ptr() as usize);
    let found = start.map(|start| start..start + part.len());
    // Held against the text, so that a mistake cannot cut it elsewhere.
    let found = found.filter(|span| text.get(span.clone()) == Some(part));
    found.ok_or_else(|| "a part of the text was not found in it".to_owned())
}

struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(All)
    }
}

struct Items<'a>(Vec<&'a RawValue>);

impl<'de> Deserialize<'de> for Items<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Items<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = list.next_element()? {
                    items.push(item);
                }
                Ok(Items(items))
            }
        }
        deserializer.deserialize_seq(All)
    }
}
