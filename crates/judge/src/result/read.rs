//! From what was reported to a tree whose labels hold, or to one that nobody vouches for.

use std::borrow::Cow;

use countersign_core::document::{ResultFormat, ToolResult};
use countersign_core::json;
use serde_json::Value;

use super::yaml;
use crate::limits::PARSED_RESULT_BYTES;

/// How a result could be read.
pub(super) struct Read<'a> {
    pub(super) value: Cow<'a, Value>,
    /// Whether it came in the form that the manifest says, so that labels speak of it.
    pub(super) as_declared: bool,
}

pub(super) fn read(result: &ToolResult, format: ResultFormat) -> Read<'_> {
    let value = &result.result;
    let text = value
        .as_str()
        .filter(|text| text.len() <= PARSED_RESULT_BYTES);
    let parsed = match format {
        ResultFormat::Json | ResultFormat::Text => {
            return Read {
                as_declared: format == ResultFormat::Json,
                value: Cow::Borrowed(value),
            };
        }
        ResultFormat::JsonText => {
            text.and_then(|text| json::parse(text.as_bytes(), PARSED_RESULT_BYTES).ok())
        }
        ResultFormat::Yaml => text.and_then(yaml::read),
    };
    match parsed {
        Some(parsed) => Read {
            value: Cow::Owned(parsed),
            as_declared: true,
        },
        None => Read {
            value: Cow::Borrowed(value),
            as_declared: false,
        },
    }
}
