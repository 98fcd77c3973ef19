//! The part of `docs/wire-format.md` that is written from the declarations.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use countersign_core::entry::{Body, COMMON_MEMBERS, Member};
use serde_json::Value;

use crate::{files, samples};

const BEGIN: &str = "<!-- generated from the declarations in crates/core: begin -->\n";
const END: &str = "<!-- generated: end -->\n";

/// How documentation names what a member holds.
fn describe(rust: &str) -> String {
    let spaceless = rust.replace(' ', "");
    if let Some(inner) = inside(&spaceless, "Option<") {
        return format!("{} or `null`", describe(inner));
    }
    if let Some(inner) = inside(&spaceless, "Vec<") {
        return format!("list of {}", describe(inner));
    }
    let text = match spaceless.as_str() {
        "bool" => "`true` or `false`",
        "u32" | "u64" => "whole number",
        "kind" => "name of a kind",
        "EntryId" | "CredentialId" | "PermitId" => "ULID",
        "Timestamp" => "time",
        "Sha256" | "IntentRef" | "PolicyRef" | "CallRef" | "FactsRef" | "ReasoningRef"
        | "ResultRef" | "ChangesetRef" | "StatementRef" => "ref",
        "Pseudonym" => "pseudonym",
        "ActionName" => "action",
        "ActorName" => "actor",
        "ActorPattern" => "actor pattern",
        "ChannelName" => "channel",
        "ReasonId" => "policy id",
        "TenantId" => "tenant id",
        "Origin" => "origin",
        "JudgeVersion" => "version text",
        "KeyText" => "key text",
        "PartBytes" => "base64",
        "Links" => "[links](#links)",
        "Count" => "[count](#count)",
        "Predecessor" => "[predecessor](#predecessor)",
        "Outcome" | "Author" | "Assurance" | "Surface" | "Mode" | "RevocationScope"
        | "RevocationEffect" | "PolicyPhase" | "GrantChange" | "Role" | "KeyPurpose"
        | "ExecutionPhase" | "ReviewAnswer" | "PermitRefusal" | "AccessPhase" | "ErasurePhase"
        | "HoldChange" | "Detector" | "Severity" | "FlagChange" => return closed_set(&spaceless),
        other => panic!("`{other}` has no description: add one to this test"),
    };
    text.to_owned()
}

fn inside<'a>(text: &'a str, wrapper: &str) -> Option<&'a str> {
    text.strip_prefix(wrapper)?.strip_suffix('>')
}

/// The words of a closed set, found by asking which of them it takes.
fn closed_set(name: &str) -> String {
    use countersign_core::{document as d, entry as e, verdict as v};
    fn of<T: serde::de::DeserializeOwned>() -> Vec<String> {
        // A word that is not in the set makes serde list those that are.
        let refused = serde_json::from_value::<T>(Value::from("?")).err().unwrap();
        let words = refused.to_string();
        words
            .split('`')
            .skip(3)
            .step_by(2)
            .map(str::to_owned)
            .collect()
    }
    let words = match name {
        "Outcome" => of::<v::Outcome>(),
        "Author" => of::<d::Author>(),
        "Assurance" => of::<d::Assurance>(),
        "Surface" => of::<e::Surface>(),
        "Mode" => of::<e::Mode>(),
        "RevocationScope" => of::<e::RevocationScope>(),
        "RevocationEffect" => of::<e::RevocationEffect>(),
        "PolicyPhase" => of::<e::PolicyPhase>(),
        "GrantChange" => of::<e::GrantChange>(),
        "Role" => of::<e::Role>(),
        "KeyPurpose" => of::<e::KeyPurpose>(),
        "ExecutionPhase" => of::<e::ExecutionPhase>(),
        "ReviewAnswer" => of::<e::ReviewAnswer>(),
        "PermitRefusal" => of::<e::PermitRefusal>(),
        "AccessPhase" => of::<e::AccessPhase>(),
        "ErasurePhase" => of::<e::ErasurePhase>(),
        "HoldChange" => of::<e::HoldChange>(),
        "Detector" => of::<e::Detector>(),
        "Severity" => of::<e::Severity>(),
        "FlagChange" => of::<e::FlagChange>(),
        other => panic!("`{other}` is no closed set"),
    };
    assert!(words.len() > 1, "{name}: {words:?}");
    words
        .iter()
        .map(|word| format!("`{word}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

fn table(members: &[Member]) -> String {
    let mut out = String::from("| member | holds | meaning |\n| --- | --- | --- |\n");
    for member in members {
        let optional = if member.is_optional {
            ", or left out"
        } else {
            ""
        };
        let holds = describe(member.holds);
        writeln!(
            out,
            "| `{}` | {holds}{optional} | {} |",
            member.name, member.doc
        )
        .unwrap();
    }
    out
}

fn generated() -> String {
    let mut examples: BTreeMap<String, String> = BTreeMap::new();
    for (_, entry) in samples::entries() {
        let leaf = String::from_utf8(entry.to_leaf().unwrap().into_bytes()).unwrap();
        examples.entry(entry.body.kind().to_owned()).or_insert(leaf);
    }
    let mut out = format!("### Members of every kind\n\n{}", table(COMMON_MEMBERS));
    for (kind, doc, members) in Body::KINDS {
        let example = &examples[*kind];
        write!(
            out,
            "\n### `{kind}`\n\n{doc}\n\n{}\n```json\n{example}\n```\n",
            table(members)
        )
        .unwrap();
    }
    out
}

#[test]
fn the_reference_lists_every_member_of_every_kind() {
    let path = files::repository().join("docs/wire-format.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(BEGIN).expect("the begin marker");
    let (_, after) = rest.split_once(END).expect("the end marker");
    let current = format!("{before}{BEGIN}\n{}\n{END}{after}", generated());
    let text = files::golden(&path, "UPDATE_DOCS", &current);
    assert!(
        text == current,
        "docs/wire-format.md is out of date: UPDATE_DOCS=1 writes it anew"
    );
}

/// Every name of a member of a document in the vectors stands in the hand-written part.
#[test]
fn the_reference_names_every_member_of_every_document() {
    fn names(value: &Value, found: &mut Vec<String>) {
        if let Value::Object(members) = value {
            for (name, value) in members {
                found.push(name.clone());
                // What is inside these is not ours.
                if !matches!(
                    name.as_str(),
                    "args"
                        | "arguments"
                        | "result"
                        | "roles"
                        | "words"
                        | "attributes"
                        | "context"
                        | "links"
                ) {
                    names(value, found);
                }
            }
        } else if let Value::Array(items) = value {
            items.iter().for_each(|item| names(item, found));
        }
    }
    let text = std::fs::read_to_string(files::repository().join("docs/wire-format.md")).unwrap();
    for (name, kind, canonical, _) in samples::documents() {
        let heading = format!("### `{kind}` document\n");
        let section = text
            .split_once(&heading)
            .unwrap_or_else(|| panic!("no section {heading}"))
            .1;
        let section = section
            .split("\n### ")
            .next()
            .unwrap()
            .split("\n## ")
            .next()
            .unwrap();
        let mut found = Vec::new();
        names(&serde_json::from_slice(&canonical).unwrap(), &mut found);
        for member in found
            .iter()
            .filter(|m| !matches!(m.as_str(), "v" | "kind" | "tenant" | "salt"))
        {
            assert!(
                section.contains(&format!("`{member}`")),
                "{name}: `{member}` is not described"
            );
        }
    }
}
