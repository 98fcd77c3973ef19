//! What tools returned, as executions.

use std::time::Duration;

use countersign_core::json::{self, StrictErrorKind};
use countersign_wire::ExecutionRequest;
use serde_json::Value;

use crate::jsonrpc::RawObject;
use crate::limits::RESULT_BYTES;

/// Most bytes of a report, as a Countersign server takes them.
const REPORT_BYTES: usize = 8 * 1024 * 1024;

/// An execution of which nothing is known.
pub(super) fn unknown(decision: &str) -> ExecutionRequest {
    of_phase(decision, "unknown")
}

/// An execution that goes on.
pub(super) fn started(decision: &str) -> ExecutionRequest {
    of_phase(decision, "started")
}

fn of_phase(decision: &str, phase: &str) -> ExecutionRequest {
    ExecutionRequest {
        decision: decision.to_owned(),
        phase: phase.to_owned(),
        ..ExecutionRequest::default()
    }
}

/// An execution that is over. What was returned cannot always be taken: it is too long, or two
/// readers could read it differently.
pub(super) fn finished(
    decision: &str,
    returned: &str,
    is_failure: bool,
    took: Option<Duration>,
) -> Result<ExecutionRequest, String> {
    if returned.len() > RESULT_BYTES {
        return Err(format!(
            "what it returned has {} bytes; allowed are {RESULT_BYTES}",
            returned.len()
        ));
    }
    let (result, is_error) = match json::parse(returned.as_bytes(), RESULT_BYTES) {
        Ok(value) => {
            let is_error = value.get("isError") == Some(&Value::Bool(true));
            (observed(value), is_error)
        }
        // Readers agree on what it says, up to a number or a limit: it is taken as the text that it is.
        Err(error)
            if matches!(
                error.kind,
                StrictErrorKind::InexactNumber(_)
                    | StrictErrorKind::TooDeep
                    | StrictErrorKind::TooManyValues(_)
            ) =>
        {
            let is_error = RawObject::read(returned)
                .is_ok_and(|object| object.value("isError") == Some("true"));
            (Value::String(returned.to_owned()), is_error)
        }
        Err(error) => {
            return Err(format!(
                "what it returned is not readable in one way: {error}"
            ));
        }
    };
    let report = ExecutionRequest {
        decision: decision.to_owned(),
        phase: "finished".to_owned(),
        result: Some(result),
        is_error: Some(is_failure || is_error),
        duration_ms: took.map(|took| u64::try_from(took.as_millis()).unwrap_or(u64::MAX)),
    };
    // Escapes can make a text many times as long.
    let written = serde_json::to_vec(&report).map_or(usize::MAX, |body| body.len());
    match written <= REPORT_BYTES {
        true => Ok(report),
        false => Err(format!(
            "what it returned takes {written} bytes in a report; allowed are {REPORT_BYTES}"
        )),
    }
}

/// What a tool returned, without the frame that MCP puts around it, where nothing else stands in
/// the frame: structured content that its one text repeats, or the one text. Manifests label that.
fn observed(result: Value) -> Value {
    let Some(object) = result.as_object() else {
        return result;
    };
    let content = object.get("content").or_else(|| object.get("contents"));
    let items = content.and_then(Value::as_array);
    let text = match items.map(Vec::as_slice) {
        Some([one]) => one.get("text").and_then(Value::as_str),
        _ => None,
    };
    let is_bare = items.is_none_or(Vec::is_empty);
    match (object.get("structuredContent"), text) {
        (Some(structured), None) if is_bare => structured.clone(),
        (Some(structured), Some(text)) if repeats(text, structured) => structured.clone(),
        (None, Some(text)) => Value::String(text.to_owned()),
        _ => result,
    }
}

fn repeats(text: &str, structured: &Value) -> bool {
    json::parse(text.as_bytes(), RESULT_BYTES).is_ok_and(|value| value == *structured)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn result_of(returned: &str) -> Value {
        finished("d", returned, false, None)
            .unwrap()
            .result
            .unwrap()
    }

    #[test]
    fn the_frame_is_taken_off_where_nothing_else_stands_in_it() {
        let text = r#"{"content":[{"type":"text","text":"hello"}],"isError":false}"#;
        assert_eq!(result_of(text), json!("hello"));
        let both =
            r#"{"content":[{"type":"text","text":"{\"a\": [1]}"}],"structuredContent":{"a":[1]}}"#;
        assert_eq!(result_of(both), json!({"a": [1]}));
        let bare = r#"{"content":[],"structuredContent":{"a":1}}"#;
        assert_eq!(result_of(bare), json!({"a": 1}));
        let read = r#"{"contents":[{"uri":"file:///a","text":"hello"}]}"#;
        assert_eq!(result_of(read), json!("hello"));
    }

    #[test]
    fn what_a_model_could_see_is_never_left_out() {
        for kept in [
            r#"{"content":[{"type":"text","text":"other"}],"structuredContent":{"a":1}}"#,
            r#"{"content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}"#,
            r#"{"content":[{"type":"image","data":"aa","mimeType":"image/png"}]}"#,
            r#"{"resultType":"input_required","inputRequests":{}}"#,
        ] {
            let value: Value = serde_json::from_str(kept).unwrap();
            assert_eq!(result_of(kept), value, "{kept}");
        }
    }

    #[test]
    fn numbers_that_json_cannot_hold_leave_the_text_as_it_is() {
        let big =
            r#"{"content":[{"type":"text","text":"x"}],"n":18446744073709551616,"isError":true}"#;
        let report = finished("d", big, false, None).unwrap();
        assert_eq!(report.result, Some(json!(big)));
        assert_eq!(report.is_error, Some(true));
    }

    #[test]
    fn what_readers_differ_on_or_what_is_too_long_is_not_taken() {
        assert!(finished("d", r#"{"content":[],"content":[1]}"#, false, None).is_err());
        assert!(finished("d", r#"{"content":[{"text":"\ud800"}]}"#, false, None).is_err());
        let long = format!(
            r#"{{"content":[{{"text":"{}"}}]}}"#,
            "x".repeat(RESULT_BYTES)
        );
        assert!(finished("d", &long, false, None).is_err());
        let escaped = format!(
            r#"{{"n":1e400,"content":[{{"text":"{}"}}]}}"#,
            "\\\\".repeat(RESULT_BYTES / 2 - 64)
        );
        assert!(
            finished("d", &escaped, false, None).is_err(),
            "it doubles when it is written"
        );
    }
}
