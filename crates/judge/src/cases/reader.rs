//! TOML with the place of every value, so that each mistake has a line.

use std::fmt::Display;
use std::ops::Range;
use std::str::FromStr;

use countersign_core::json;
use countersign_core::time::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::{Map, Number, Value};
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use crate::bundle::nearest;
use crate::finding::Finding;
use crate::limits::FILE_BYTES;

/// A value with its place.
pub(super) type Placed<'t> = Spanned<DeValue<'t>>;

/// Reads one file, and keeps what is wrong with it.
pub(super) struct Reader<'t> {
    pub(super) file: &'t str,
    pub(super) text: &'t str,
    pub(super) findings: Vec<Finding>,
}

impl Reader<'_> {
    /// Something is wrong at this place.
    pub(super) fn fault(&mut self, span: Range<usize>, message: impl Into<String>) {
        let finding = Finding::error(self.file, message).at(self.text, span.start);
        self.findings.push(finding);
    }

    /// The same with a hint.
    pub(super) fn fault_hint(
        &mut self,
        span: Range<usize>,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.fault(span, message);
        if let Some(finding) = self.findings.pop() {
            self.findings.push(finding.hint(hint));
        }
    }

    /// A member that is none.
    pub(super) fn unknown(&mut self, span: Range<usize>, what: &str, name: &str, allowed: &[&str]) {
        let hint = match nearest(name, allowed.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("allowed are {}", allowed.join(", ")),
        };
        self.fault_hint(span, format!("`{name}` is no member of {what}"), hint);
    }

    /// The line of a place, from 1.
    pub(super) fn line(&self, span: &Range<usize>) -> u32 {
        Finding::error("", "").at(self.text, span.start).line
    }

    fn not_a(&mut self, what: &str, wanted: &str, value: &Placed<'_>) {
        let found = kind(value.get_ref());
        self.fault(value.span(), format!("`{what}` is {found}, not {wanted}"));
    }

    pub(super) fn string<'v>(&mut self, what: &str, value: &'v Placed<'_>) -> Option<&'v str> {
        let text = value.get_ref().as_str();
        if text.is_none() {
            self.not_a(what, "a string", value);
        }
        text
    }

    /// A string that is a name of some kind.
    pub(super) fn parsed<T: FromStr>(&mut self, what: &str, value: &Placed<'_>) -> Option<T>
    where
        T::Err: Display,
    {
        match self.string(what, value)?.parse() {
            Ok(parsed) => Some(parsed),
            Err(error) => {
                self.fault(value.span(), format!("`{what}`: {error}"));
                None
            }
        }
    }

    /// A string of a closed set.
    pub(super) fn one_of<T: DeserializeOwned>(
        &mut self,
        what: &str,
        value: &Placed<'_>,
        allowed: &[&str],
    ) -> Option<T> {
        let text = self.string(what, value)?;
        let found = allowed
            .contains(&text)
            .then(|| Value::String(text.to_owned()));
        let found = found.and_then(|value| serde_json::from_value(value).ok());
        if found.is_none() {
            let near = nearest(text, allowed.iter().copied());
            let message = format!(
                "`{text}` is no `{what}`: allowed are {}",
                allowed.join(", ")
            );
            match near {
                Some(near) => {
                    self.fault_hint(value.span(), message, format!("did you mean `{near}`?"));
                }
                None => self.fault(value.span(), message),
            }
        }
        found
    }

    pub(super) fn boolean(&mut self, what: &str, value: &Placed<'_>) -> Option<bool> {
        let found = value.get_ref().as_bool();
        if found.is_none() {
            self.not_a(what, "true or false", value);
        }
        found
    }

    pub(super) fn integer(&mut self, what: &str, value: &Placed<'_>) -> Option<i64> {
        let found = integer(value.get_ref());
        if found.is_none() {
            self.not_a(what, "an integer of 64 bits", value);
        }
        found
    }

    pub(super) fn table<'v, 't>(
        &mut self,
        what: &str,
        value: &'v Placed<'t>,
    ) -> Option<&'v DeTable<'t>> {
        let found = value.get_ref().as_table();
        if found.is_none() {
            self.not_a(what, "a table", value);
        }
        found
    }

    pub(super) fn array<'v, 't>(
        &mut self,
        what: &str,
        value: &'v Placed<'t>,
    ) -> Option<&'v DeArray<'t>> {
        let found = value.get_ref().as_array();
        if found.is_none() {
            self.not_a(what, "a list", value);
        }
        found
    }

    /// A time with its distance from UTC, as TOML has it.
    pub(super) fn time(&mut self, what: &str, value: &Placed<'_>) -> Option<Timestamp> {
        let found = value.get_ref().as_datetime().and_then(timestamp);
        if found.is_none() {
            let message = format!("`{what}` is {}, not a time", kind(value.get_ref()));
            self.fault_hint(
                value.span(),
                message,
                "write it without quotation marks and with `Z`: 2026-04-18T09:30:00Z",
            );
        }
        found
    }

    /// Any TOML value as JSON.
    pub(super) fn json(&mut self, what: &str, value: &Placed<'_>) -> Option<Value> {
        Some(match value.get_ref() {
            DeValue::String(text) => Value::String(text.to_string()),
            DeValue::Boolean(truth) => Value::Bool(*truth),
            DeValue::Integer(_) => Value::from(self.integer(what, value)?),
            DeValue::Float(float) => {
                let number = float.as_str().parse().ok().and_then(Number::from_f64);
                if number.is_none() {
                    self.fault(
                        value.span(),
                        format!("`{what}` holds a number that JSON lacks"),
                    );
                }
                Value::Number(number?)
            }
            DeValue::Datetime(_) => {
                let message = format!("`{what}` holds a time, which JSON lacks");
                self.fault_hint(value.span(), message, "put quotation marks around it");
                return None;
            }
            DeValue::Array(items) => {
                let items = items.iter().map(|item| self.json(what, item));
                Value::Array(items.collect::<Option<_>>()?)
            }
            DeValue::Table(members) => Value::Object(self.object(what, members)?),
        })
    }

    /// A table as a JSON object.
    pub(super) fn object(
        &mut self,
        what: &str,
        members: &DeTable<'_>,
    ) -> Option<Map<String, Value>> {
        let members = members.iter().map(|(name, value)| {
            let value = self.json(what, value)?;
            Some((name.get_ref().to_string(), value))
        });
        members.collect()
    }

    /// A string that is a JSON text.
    pub(super) fn json_text(&mut self, what: &str, value: &Placed<'_>) -> Option<Value> {
        let text = self.string(what, value)?;
        match json::parse(text.as_bytes(), FILE_BYTES) {
            Ok(value) => Some(value),
            Err(error) => {
                let line = text
                    .get(..error.offset)
                    .unwrap_or(text)
                    .matches('\n')
                    .count()
                    + 1;
                let message = format!("`{what}`, line {line} of the text: {}", error.kind);
                self.fault(value.span(), message);
                None
            }
        }
    }
}

fn integer(value: &DeValue<'_>) -> Option<i64> {
    let value = value.as_integer()?;
    i64::from_str_radix(value.as_str(), value.radix()).ok()
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "a truth value",
        DeValue::Datetime(_) => "a time without its distance from UTC",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

fn timestamp(at: &toml::value::Datetime) -> Option<Timestamp> {
    use toml::value::Offset;
    let (date, time) = (at.date?, at.time?);
    let ahead_min = match at.offset? {
        Offset::Z => 0,
        Offset::Custom { minutes } => i64::from(minutes),
    };
    let local: Timestamp = format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
        date.year,
        date.month,
        date.day,
        time.hour,
        time.minute,
        time.second.unwrap_or(0),
        time.nanosecond.unwrap_or(0) / 1_000_000
    )
    .parse()
    .ok()?;
    Some(local.plus_millis(-ahead_min * 60_000))
}
