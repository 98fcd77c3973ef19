//! Objects taken apart one level deep: names are read, values stay the text that stands there.

use std::ops::Range;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Most members that are looked at.
const MEMBERS: usize = 4_096;

/// The members of one JSON object. No name stands twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawObject<'a> {
    members: Vec<(String, &'a str)>,
}

/// Why a text is no object that has one meaning.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct RawError(String);

impl<'a> RawObject<'a> {
    /// Takes an object apart.
    pub fn read(text: &'a str) -> Result<Self, RawError> {
        serde_json::from_str(text).map_err(|error| RawError(error.to_string()))
    }

    /// The text of a member's value.
    pub fn value(&self, name: &str) -> Option<&'a str> {
        self.members
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| *value)
    }

    /// Names and texts of values, in their order.
    pub fn members(&self) -> impl Iterator<Item = (&str, &'a str)> {
        self.members
            .iter()
            .map(|(name, value)| (name.as_str(), *value))
    }
}

/// Where a part of a text stands in it.
pub(crate) fn place(text: &str, part: &str) -> Range<usize> {
    let start = (part.as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
    start..start.saturating_add(part.len())
}

impl<'de: 'a, 'a> Deserialize<'de> for RawObject<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Vec<(String, &'de str)>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members: Vec<(String, &str)> = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
                    if members.len() >= MEMBERS {
                        return Err(A::Error::custom(format!("more than {MEMBERS} members")));
                    }
                    if members.iter().any(|(known, _)| *known == name) {
                        let shown: String =
                            name.chars().take(80).flat_map(char::escape_debug).collect();
                        return Err(A::Error::custom(format!("duplicate member `{shown}`")));
                    }
                    members.push((name, value.get()));
                }
                Ok(members)
            }
        }
        let members = deserializer.deserialize_map(Members)?;
        Ok(Self { members })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stay_as_they_are_written() {
        let text = r#" {"a": 1.00, "b":{"c":[1,  2]}, "n":18446744073709551616} "#;
        let object = RawObject::read(text).unwrap();
        assert_eq!(object.value("a"), Some("1.00"));
        assert_eq!(object.value("b"), Some(r#"{"c":[1,  2]}"#));
        assert_eq!(object.value("n"), Some("18446744073709551616"));
        assert_eq!(object.value("c"), None);
        let at = place(text, object.value("b").unwrap());
        assert_eq!(text.get(at), Some(r#"{"c":[1,  2]}"#));
    }

    #[test]
    fn a_name_that_stands_twice_is_refused_however_it_is_written() {
        for text in [r#"{"id":1,"id":2}"#, r#"{"id":1,"\u0069d":2}"#] {
            let error = RawObject::read(text).unwrap_err();
            assert!(
                error.to_string().contains("duplicate member `id`"),
                "{error}"
            );
        }
        for text in ["[]", "1", "{", "{}{}", "", "{\"a\":tru}"] {
            assert!(RawObject::read(text).is_err(), "{text}");
        }
    }
}
