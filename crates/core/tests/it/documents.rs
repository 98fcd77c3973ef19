//! Every kind of document has one canonical JSON, and its ref is the hash of exactly that.

use std::collections::BTreeMap;

use countersign_core::document::*;
use countersign_core::json::CanonicalJson;
use countersign_core::refs::Sha256;
use serde_json::{Map, Value, json};

use crate::{files, samples};

fn vectors() -> Vec<BTreeMap<String, String>> {
    let lines: Vec<String> = samples::documents()
        .into_iter()
        .map(|(name, kind, canonical, reference)| {
            let canonical = String::from_utf8(canonical).unwrap();
            let reference = reference.to_string();
            json!({"name": name, "kind": kind, "canonical": canonical, "ref": reference})
                .to_string()
        })
        .collect();
    let path = files::vectors("documents.jsonl");
    let text = files::golden(&path, "UPDATE_VECTORS", &(lines.join("\n") + "\n"));
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Reads bytes as the kind, and gives what it is written back as, with its ref.
fn read(kind: &str, bytes: &[u8]) -> Result<(Vec<u8>, Sha256), DocumentError> {
    fn again<D: Document>(bytes: &[u8]) -> Result<(Vec<u8>, Sha256), DocumentError> {
        let document = D::from_canonical(bytes)?;
        let reference = document.reference().unwrap().into();
        Ok((document.canonical().unwrap().into_bytes(), reference))
    }
    match kind {
        Intent::KIND => again::<Intent>(bytes),
        Call::KIND => again::<Call>(bytes),
        Facts::KIND => again::<Facts>(bytes),
        Bundle::KIND => again::<Bundle>(bytes),
        Reasoning::KIND => again::<Reasoning>(bytes),
        ToolResult::KIND => again::<ToolResult>(bytes),
        Changeset::KIND => again::<Changeset>(bytes),
        PseudonymMeaning::KIND => again::<PseudonymMeaning>(bytes),
        Statement::KIND => again::<Statement>(bytes),
        other => panic!("the tests do not know the kind `{other}`"),
    }
}

fn spelt(members: &Map<String, Value>) -> Vec<u8> {
    CanonicalJson::of(members).unwrap().into_bytes()
}

#[test]
fn the_vectors_are_the_canonical_json_of_the_samples() {
    let samples = samples::documents();
    let vectors = vectors();
    assert_eq!(
        vectors.len(),
        samples.len(),
        "UPDATE_VECTORS=1 writes them anew"
    );
    for (vector, (name, kind, canonical, reference)) in vectors.iter().zip(samples) {
        assert_eq!(
            (vector["name"].as_str(), vector["kind"].as_str()),
            (name, kind)
        );
        assert_eq!(vector["canonical"].as_bytes(), canonical, "{name}");
        assert_eq!(vector["ref"], reference.to_string(), "{name}");
    }
}

#[test]
fn every_vector_reads_back_and_its_ref_is_its_hash() {
    for vector in vectors() {
        let bytes = vector["canonical"].as_bytes();
        let (again, reference) = read(&vector["kind"], bytes).unwrap();
        assert_eq!(again, bytes, "{}", vector["name"]);
        assert_eq!(reference, Sha256::of(bytes), "{}", vector["name"]);
        assert_eq!(reference.to_string(), vector["ref"], "{}", vector["name"]);
    }
}

#[test]
fn no_document_passes_for_another_kind() {
    let vectors = vectors();
    for vector in &vectors {
        for other in vectors.iter().filter(|v| v["kind"] != vector["kind"]) {
            let read = read(&other["kind"], vector["canonical"].as_bytes());
            assert!(
                matches!(read, Err(DocumentError::Kind { .. })),
                "{}",
                vector["name"]
            );
        }
    }
}

/// Members that are left out where they say nothing.
const OPTIONAL: [&str; 9] = [
    "duration_ms",
    "wire",
    "workspace",
    "definition",
    "args",
    "by_agent",
    "actions",
    "values",
    "carried",
];

#[test]
fn a_document_with_a_member_removed_or_added_is_refused() {
    for vector in vectors() {
        let whole: Map<String, Value> = serde_json::from_str(&vector["canonical"]).unwrap();
        let kind = &vector["kind"];
        for name in whole.keys() {
            let mut without = whole.clone();
            without.shift_remove(name);
            let is_optional =
                OPTIONAL.contains(&name.as_str()) && !(kind == "call" && name == "args");
            let read = read(kind, &spelt(&without));
            assert_eq!(read.is_ok(), is_optional, "{kind} without `{name}`");
        }
        let mut with = whole.clone();
        with.insert("note".into(), json!(1));
        assert!(read(kind, &spelt(&with)).is_err(), "{kind} with a sibling");
        let loose = serde_json::to_vec_pretty(&whole).unwrap();
        assert!(read(kind, &loose).is_err(), "{kind} with white space");
    }
}

#[test]
fn what_is_not_public_is_salted_and_all_name_their_tenant() {
    for vector in vectors() {
        let members: Map<String, Value> = serde_json::from_str(&vector["canonical"]).unwrap();
        let is_public = vector["kind"] == Bundle::KIND;
        assert_eq!(
            members.contains_key("salt"),
            !is_public,
            "{}",
            vector["name"]
        );
        assert_eq!(members["tenant"], "acme", "{}", vector["name"]);
        assert_eq!(members["v"], 1, "{}", vector["name"]);
    }
}
