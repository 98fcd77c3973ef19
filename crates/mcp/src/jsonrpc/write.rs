//! Messages of the relay's own.

use serde::Serialize;
use serde_json::Value;

use super::id::Id;

#[derive(Serialize)]
struct Written<'a> {
    jsonrpc: &'static str,
    id: Option<&'a Id>,
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    params: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Failure<'a>>,
}

#[derive(Serialize)]
struct Failure<'a> {
    code: i64,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a Value>,
}

/// A response with a result.
pub fn result(id: &Id, result: &Value) -> Vec<u8> {
    write(&Written {
        result: Some(result),
        ..empty(Some(id))
    })
}

/// A response with an error; without an id, it answers what could not be read.
pub fn error(id: Option<&Id>, code: i64, message: &str, data: Option<&Value>) -> Vec<u8> {
    write(&Written {
        error: Some(Failure {
            code,
            message,
            data,
        }),
        ..empty(id)
    })
}

/// A request.
pub(crate) fn request(id: &Id, method: &str, params: &Value) -> Vec<u8> {
    write(&Written {
        method: Some(method),
        params: Some(params),
        ..empty(Some(id))
    })
}

/// A notification.
pub(crate) fn notification(method: &str, params: &Value) -> Vec<u8> {
    #[derive(Serialize)]
    struct Told<'a> {
        jsonrpc: &'static str,
        method: &'a str,
        params: &'a Value,
    }
    let told = Told {
        jsonrpc: "2.0",
        method,
        params,
    };
    serde_json::to_vec(&told).unwrap_or_default()
}

fn empty(id: Option<&Id>) -> Written<'_> {
    Written {
        jsonrpc: "2.0",
        id,
        method: None,
        params: None,
        result: None,
        error: None,
    }
}

/// What is written here has no map with keys that are no texts, so writing cannot fail.
fn write(message: &Written<'_>) -> Vec<u8> {
    serde_json::to_vec(message).unwrap_or_default()
}
