//! Which arguments of which tool are mirrored in headers, as the upstream's own list of tools says.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use countersign_core::limits::TOOL_NAME_BYTES;
use hyper::header::HeaderName;
use serde_json::Value;

use super::limits::{MIRRORED_BYTES, MIRRORED_DEPTH, MIRRORED_PARAMS, TOOLS_KNOWN};

/// One argument that a header repeats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Param {
    /// The header's name after `mcp-param-`, in lower case.
    pub(crate) header: String,
    /// The members on the way from the arguments to the value.
    path: Vec<String>,
    name: HeaderName,
}

impl Param {
    /// The header's name.
    pub(crate) fn name(&self) -> HeaderName {
        self.name.clone()
    }

    /// How long its names are.
    fn bytes(&self) -> usize {
        let path: usize = self.path.iter().map(String::len).sum();
        path.saturating_add(self.header.len())
    }

    /// The value in a call's arguments.
    pub(crate) fn value<'a>(&self, arguments: &'a Value) -> Option<&'a Value> {
        let mut path = self.path.iter();
        path.try_fold(arguments, |value, member| value.as_object()?.get(member))
    }
}

/// The mirrored arguments of the tools that the upstream has listed.
#[derive(Default)]
pub(crate) struct Tools {
    known: RwLock<HashMap<String, Arc<[Param]>>>,
}

impl Tools {
    /// What a tool mirrors; nothing where it has not been listed.
    pub(crate) fn of(&self, tool: &str) -> Vec<Param> {
        let known = self.known.read().unwrap_or_else(|held| held.into_inner());
        known
            .get(tool)
            .map(|params| params.to_vec())
            .unwrap_or_default()
    }

    /// Learns from a result of `tools/list`.
    pub(crate) fn learn_list(&self, result: &Value) {
        let tools = result.get("tools").and_then(Value::as_array);
        for tool in tools.into_iter().flatten() {
            if let (Some(name), Some(schema)) = (
                tool.get("name").and_then(Value::as_str),
                tool.get("inputSchema"),
            ) {
                self.learn(name, schema);
            }
        }
    }

    /// Learns what one tool mirrors. A tool that breaks the rules of `x-mcp-header` mirrors nothing.
    pub(crate) fn learn(&self, tool: &str, schema: &Value) {
        let mut params = Vec::new();
        let sound = tool.len() <= TOOL_NAME_BYTES
            && collect(schema, &mut Vec::new(), &mut params)
            && distinct(&params)
            && params.iter().map(Param::bytes).sum::<usize>() <= MIRRORED_BYTES;
        let mut known = self.known.write().unwrap_or_else(|held| held.into_inner());
        if !sound || params.is_empty() {
            known.remove(tool);
        } else if known.len() < TOOLS_KNOWN || known.contains_key(tool) {
            known.insert(tool.to_owned(), params.into());
        }
    }
}

/// Follows the `properties` of a schema; false if something breaks the rules.
fn collect(schema: &Value, path: &mut Vec<String>, params: &mut Vec<Param>) -> bool {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        return true;
    };
    if path.len() >= MIRRORED_DEPTH {
        return true;
    }
    properties.iter().all(|(member, schema)| {
        path.push(member.clone());
        let sound = annotated(schema, path, params) && collect(schema, path, params);
        path.pop();
        sound
    })
}

fn annotated(schema: &Value, path: &[String], params: &mut Vec<Param>) -> bool {
    let Some(annotation) = schema.get("x-mcp-header") else {
        return true;
    };
    let primitive = matches!(
        schema.get("type").and_then(Value::as_str),
        Some("string" | "integer" | "boolean")
    );
    let text = annotation.as_str().filter(|text| !text.is_empty());
    let header = text.map(str::to_ascii_lowercase).unwrap_or_default();
    // A header's name is a token (RFC 9110 section 5.1), which is what this type admits.
    let name = HeaderName::from_bytes(format!("mcp-param-{header}").as_bytes());
    match name {
        Ok(name) if primitive && !header.is_empty() && params.len() < MIRRORED_PARAMS => {
            params.push(Param {
                header,
                path: path.to_vec(),
                name,
            });
            true
        }
        _ => false,
    }
}

fn distinct(params: &[Param]) -> bool {
    let mut names: Vec<&str> = params.iter().map(|param| param.header.as_str()).collect();
    names.sort_unstable();
    names.windows(2).all(|pair| pair.first() != pair.last())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_tool_that_breaks_the_rules_mirrors_nothing() {
        let tools = Tools::default();
        let of = |header: Value, kind: &str| json!({"properties": {"a": {"type": kind, "x-mcp-header": header}}});
        tools.learn("t", &of(json!("A"), "string"));
        assert_eq!(tools.of("t").len(), 1);
        for schema in [
            of(json!(""), "string"),
            of(json!("a b"), "string"),
            of(json!("a\r\nx"), "string"),
            of(json!(1), "string"),
            of(json!("A"), "number"),
            of(json!("A"), "object"),
            of(json!("A".repeat(MIRRORED_BYTES)), "string"),
            json!({"properties": {"a": {"type": "string", "x-mcp-header": "A"},
                "b": {"type": "string", "x-mcp-header": "a"}}}),
        ] {
            tools.learn("t", &schema);
            assert_eq!(tools.of("t"), [], "{schema}");
        }
        let name = "t".repeat(TOOL_NAME_BYTES + 1);
        tools.learn(&name, &of(json!("A"), "string"));
        assert_eq!(tools.of(&name), []);
    }
}
