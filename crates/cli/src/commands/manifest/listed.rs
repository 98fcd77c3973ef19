//! What a server lists, read as far as manifests need it.

use countersign_core::document::ToolManifest;
use countersign_mcp::relay::definition_digest;
use countersign_observe::{Hints, ListedTool};
use countersign_transcripts::ToolDefinition;
use serde_json::{Value, json};

use super::ask::Listing;

/// What is kept of a list, for showing later what has changed.
pub(super) struct Listed {
    /// What the server calls itself.
    pub(super) server: String,
    /// The revision of the protocol.
    pub(super) revision: String,
    /// Its tools, with their definitions.
    pub(super) tools: Vec<(ListedTool, Value)>,
    /// How many definitions could not be read, or take names that are not their own.
    pub(super) unreadable: usize,
    /// Manifests for what is judged beside tools.
    pub(super) beside: Vec<ToolManifest>,
}

impl Listed {
    pub(super) fn read(listing: &Listing, prefix: &str) -> Self {
        let read: Vec<(ListedTool, Value)> = listing
            .tools
            .iter()
            .filter_map(|text| tool(text, prefix))
            .collect();
        let beside = listing
            .capabilities
            .iter()
            .filter_map(|capability| beside(capability, prefix));
        Self {
            server: listing.server.clone(),
            revision: listing.revision.clone(),
            unreadable: listing.tools.len() - read.len(),
            tools: read,
            beside: beside.collect(),
        }
    }
}

/// What begins the names by which the relay has everything judged but calls of tools.
const RESERVED: [&str; 3] = ["mcp.resources.", "mcp.prompts.", "mcp.completion."];

/// A tool, unless its definition could be read in two ways or takes a name that is not its own.
fn tool(text: &str, prefix: &str) -> Option<(ListedTool, Value)> {
    let pinned = definition_digest(text)?;
    let definition: Value = serde_json::from_str(text).ok()?;
    let name = definition.get("name")?.as_str()?;
    if RESERVED.iter().any(|begin| name.starts_with(begin)) {
        return None;
    }
    let said = |name: &str| definition.get(name).and_then(Value::as_str);
    let hint = |name: &str| definition.get("annotations")?.get(name)?.as_bool();
    let tool = ListedTool {
        definition: ToolDefinition {
            name: format!("{prefix}{name}"),
            description: said("description").unwrap_or_default().to_owned(),
            arguments: definition.get("inputSchema").cloned(),
        },
        hints: Hints {
            read_only: hint("readOnlyHint"),
            destructive: hint("destructiveHint"),
        },
        pinned,
    };
    Some((tool, definition))
}

/// What the relay judges beside `tools/call`, by the capability that it comes with.
fn beside(capability: &str, prefix: &str) -> Option<ToolManifest> {
    let (tool, action, verbs, nouns, arguments, at, entity) = match capability {
        "resources" => (
            "mcp.resources.read",
            "mcp.resource.read",
            "read",
            "resource",
            json!({"uri": {"type": "string"}}),
            "/uri",
            "Resource",
        ),
        "prompts" => (
            "mcp.prompts.get",
            "mcp.prompt.get",
            "get",
            "prompt",
            json!({"name": {"type": "string"}, "arguments": {"type": "object"}}),
            "/name",
            "Prompt",
        ),
        "completions" => (
            "mcp.completion.complete",
            "mcp.completion.complete",
            "complete",
            "argument",
            json!({"ref": {"type": "object"}, "argument": {"type": "object"}, "context": {"type": "object"}}),
            "",
            "",
        ),
        _ => return None,
    };
    let targets = match at {
        "" => json!([]),
        at => json!([{"at": at, "type": "id", "entity": entity}]),
    };
    serde_json::from_value(json!({
        "tool": format!("{prefix}{tool}"),
        "action": action,
        "effect": "read",
        "description": "",
        "arguments": {
            "type": "object",
            "properties": arguments,
            "required": at.strip_prefix('/').into_iter().collect::<Vec<_>>(),
            "additionalProperties": false,
        },
        "targets": targets,
        "words": {"en": {"verbs": [verbs], "nouns": [nouns]}},
    }))
    .ok()
}

/// A bundle's name after the server's, without its version.
pub(super) fn slug(server: &str) -> String {
    let name = server.rsplit_once(' ').map_or(server, |(name, _)| name);
    let letters = name.chars().take(60).map(|c| match c {
        c if c.is_ascii_alphanumeric() => c.to_ascii_lowercase(),
        _ => '-',
    });
    let slug: String = letters.collect();
    match slug.trim_matches('-') {
        "" => "mcp-server".to_owned(),
        slug => slug.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_is_named_after_the_server() {
        for (server, name) in [
            ("secure-filesystem-server 0.2.0", "secure-filesystem-server"),
            ("../Etc/passwd 1", "etc-passwd"),
            ("", "mcp-server"),
            ("time", "time"),
        ] {
            assert_eq!(slug(server), name);
        }
    }

    #[test]
    fn a_tool_is_read_with_what_its_server_claims() {
        let text =
            r#"{"name":"a","annotations":{"readOnlyHint":true},"inputSchema":{"type":"object"}}"#;
        let (tool, _) = tool(text, "x.").unwrap();
        assert_eq!(tool.definition.name, "x.a");
        assert_eq!(tool.hints.read_only, Some(true));
        assert!(super::tool(r#"{"name":"a","name":"b"}"#, "").is_none());
        assert!(super::tool(r#"{"name":1}"#, "").is_none());
    }
}
