//! A bundle as a directory of files: `bundle.toml`, `policies/*.cedar`, `schema.cedarschema`,
//! `tools/*.json`. Reading the disk is the caller's.

mod locate;
mod refusal;

use countersign_core::document::{
    BundleContent, CounterDeclaration, PolicyFile, Settings, ToolManifest,
};
use countersign_core::json;
use serde::Deserialize;
use serde_json::Value;

use crate::finding::Finding;
use crate::limits::FILE_BYTES;

pub use locate::locate;

/// The file that names the bundle.
const HEAD: &str = "bundle.toml";
/// The file of the entity types.
const SCHEMA: &str = "schema.cedarschema";

/// What `bundle.toml` holds.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    name: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    counters: Vec<CounterDeclaration>,
    #[serde(default)]
    acknowledged: Vec<String>,
    #[serde(default)]
    settings: Settings,
}

/// Reads a bundle from its files, given by path relative to its directory (with `/`) and text.
/// Files ending in `.md`, hidden files and [cases](crate::cases) are passed over; any other file
/// out of place is an error, so that a misnamed policy is not silently missing.
pub fn read(files: &[(String, String)]) -> Result<BundleContent, Vec<Finding>> {
    let mut findings = Vec::new();
    let mut head = None;
    let mut schema = String::new();
    let mut policies = Vec::new();
    let mut tools = Vec::new();
    let mut sorted: Vec<&(String, String)> = files.iter().collect();
    sorted.sort();
    for (path, text) in sorted {
        let name = path.rsplit('/').next().unwrap_or(path);
        if name.starts_with('.') || has_extension(name, "md") {
            continue;
        }
        if text.len() > FILE_BYTES {
            let message = format!("{} bytes are more than {FILE_BYTES}", text.len());
            findings.push(Finding::error(path, message));
            continue;
        }
        match path.split_once('/') {
            None if path == HEAD => head = read_head(text, &mut findings),
            None if path == SCHEMA => schema.clone_from(text),
            Some(("policies", file)) if is_plain(file, "cedar") => policies.push(PolicyFile {
                name: path.clone(),
                text: text.clone(),
            }),
            Some(("tools", file)) if is_plain(file, "json") => {
                read_tools(path, text, &mut tools, &mut findings);
            }
            _ if crate::cases::is_file_of_cases(path) => {}
            _ => findings.push(
                Finding::error(path, "the file has no place in a bundle").hint(format!(
                    "a bundle holds {HEAD}, {SCHEMA}, policies/*.cedar and tools/*.json, and beside them cases/*.toml"
                )),
            ),
        }
    }
    if head.is_none() && findings.iter().all(|finding| finding.file != HEAD) {
        findings.push(Finding::error(HEAD, "the file is missing"));
    }
    match head {
        Some(head) if findings.is_empty() => Ok(BundleContent {
            name: head.name,
            description: head.description,
            policies,
            schema,
            tools,
            counters: head.counters,
            acknowledged: head.acknowledged,
            settings: head.settings,
        }),
        _ => Err(findings),
    }
}

fn is_plain(file: &str, extension: &str) -> bool {
    !file.contains('/') && has_extension(file, extension)
}

fn has_extension(file: &str, extension: &str) -> bool {
    file.rsplit_once('.')
        .is_some_and(|(_, found)| found == extension)
}

fn read_head(text: &str, findings: &mut Vec<Finding>) -> Option<Head> {
    match toml::from_str(text) {
        Ok(head) => Some(head),
        Err(error) => {
            let finding = refusal::finding(HEAD, error.message());
            findings.push(match error.span() {
                Some(span) => finding.at(text, span.start),
                None => finding,
            });
            None
        }
    }
}

/// A file holds one manifest or a list of them.
fn read_tools(path: &str, text: &str, tools: &mut Vec<ToolManifest>, findings: &mut Vec<Finding>) {
    let value = match json::parse(text.as_bytes(), FILE_BYTES) {
        Ok(value) => value,
        Err(error) => {
            let finding = Finding::error(path, error.kind.to_string());
            findings.push(finding.at(text, error.offset));
            return;
        }
    };
    let manifests = match value {
        Value::Array(manifests) => manifests,
        one => vec![one],
    };
    let places = locate::objects(text);
    for (n, manifest) in manifests.into_iter().enumerate() {
        match serde_json::from_value(manifest) {
            Ok(manifest) => tools.push(manifest),
            Err(error) => {
                let said = error.to_string();
                let finding = refusal::finding(path, &said);
                let place = places.get(n).copied().and_then(|(start, end)| {
                    let of = text.get(start..end)?;
                    Some(start + locate::named(&said, of).unwrap_or(0))
                });
                findings.push(match place {
                    Some(offset) => finding.at(text, offset),
                    None => finding,
                });
            }
        }
    }
}
