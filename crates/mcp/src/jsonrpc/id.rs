//! Ids of requests.

use serde::{Serialize, Serializer};

use crate::limits::ID_BYTES;

/// The id of a request: a text or a whole number (JSON-RPC 2.0 section 4; MCP forbids `null`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Id {
    /// A text.
    Text(String),
    /// A whole number.
    Number(i64),
}

impl Id {
    /// Reads the JSON text of an id. `1.0`, `1e0` and `-0` are refused, since readers differ on them.
    pub(crate) fn read(json: &str) -> Option<Self> {
        if json.starts_with('"') {
            let text: String = serde_json::from_str(json).ok()?;
            return (text.len() <= ID_BYTES).then_some(Self::Text(text));
        }
        let number: i64 = json.parse().ok()?;
        // Beyond 2^53 a reader may round, and two ids become one.
        let is_exact = (-(1_i64 << 53)..=1_i64 << 53).contains(&number);
        (is_exact && number.to_string() == json).then_some(Self::Number(number))
    }
}

impl std::fmt::Display for Id {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Number(number) => write!(f, "{number}"),
        }
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Number(number) => serializer.serialize_i64(*number),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_texts_and_whole_numbers_are_ids() {
        assert_eq!(Id::read("7"), Some(Id::Number(7)));
        assert_eq!(Id::read("-7"), Some(Id::Number(-7)));
        assert_eq!(Id::read(r#""a\u0062""#), Some(Id::Text("ab".into())));
        assert_ne!(Id::read("7"), Id::read("\"7\""));
        let long = format!("\"{}\"", "x".repeat(ID_BYTES + 1));
        for other in [
            "null",
            "1.0",
            "1e3",
            "true",
            "{}",
            "[1]",
            "-",
            "-0",
            "007",
            "+7",
            "",
            "9007199254740993",
            "99999999999999999999",
            &long,
        ] {
            assert_eq!(Id::read(other), None, "{other}");
        }
    }
}
