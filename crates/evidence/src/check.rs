//! Checking a folder, without a server.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::document::{Bundle, Document as _};
use countersign_core::entry::{AnyEntry, Body, PolicyPhase};
use countersign_core::refs::{PolicyRef, Sha256};
use countersign_verify::{Trust, Word};
use serde::Serialize;

use crate::again::{self, Again};
use crate::build::{records_listed, stand, sums};
use crate::choose::{Chosen, choose};
use crate::format::{self, Files, Manifest};
use crate::members;
use crate::pool::Pool;
use crate::question::Question;
use crate::record::Records;
use crate::standing::{Mismatch, Standing};

/// What a check of a folder says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// How far the entries are proven, and everything that does not hold.
    #[serde(flatten)]
    pub standing: Standing,
    /// What the folder says it is about.
    pub about: Option<serde_json::Value>,
    /// How many opened records hash to refs that its entries name.
    pub documents: u64,
    /// How many bundles hash to refs that its entries name.
    pub bundles: u64,
    /// What came of judging again, if that was asked for.
    pub rejudged: Option<Again>,
    /// What such a check does not show.
    pub not_shown: Vec<&'static str>,
}

/// What no check of a folder shows.
const NOT_SHOWN: &[&str] = &[
    "entries of the log that the folder leaves out",
    "that the report says what the entries say: it is bound to them only by whoever made the folder",
    "calls that an agent made without asking: only what was asked is in the log",
    "the true time of an entry: times are the operator's, only their order is checked",
    "that a turn's words are the person's: that is as sure as the ingress that registered them",
    "that executions happened as reported: the tool's side says so",
];

/// Whether files are a folder of this format, by their manifest.
pub fn is_folder(manifest: &[u8]) -> bool {
    format::manifest_of(manifest).is_some()
}

/// Checks every file of a folder against the others, and the entries against what the reader
/// believes. Nothing in the folder is believed for its own sake.
pub fn check(files: &Files, trust: &Trust, rejudge: bool) -> Checked {
    let mut standing = stand(files, trust);
    let mut mismatches = std::mem::take(&mut standing.mismatches);
    let manifest = manifest(files, &standing, &mut mismatches);
    let entries = entries(files, &mut mismatches);
    if let Some(manifest) = &manifest {
        listed(manifest, files, &entries, &mut mismatches);
    }
    let (bundles, bundles_named) = bundles(files, &entries, &mut mismatches);
    let mut pool = Pool::default();
    for (index, (name, _)) in &entries {
        let added = files.get(name).map(|bytes| pool.add(*index, bytes));
        if let Some(Err(error)) = added {
            mismatches.push(Mismatch::new(name, error, "entries of one log"));
        }
    }
    // What is in the folder belongs to it: all that matters here is what the entries say of records.
    let all = Question::Between(
        countersign_core::time::Timestamp::from_millis(i64::MIN / 2),
        countersign_core::time::Timestamp::from_millis(i64::MAX / 2),
    );
    let chosen = choose(&all, &pool, &BTreeSet::new());
    let opened = documents(files, &members::named(&chosen), &mut mismatches);
    let documents = u64::try_from(opened.len()).unwrap_or(u64::MAX);
    records(files, &chosen, &opened, &mut mismatches);
    let rejudged = rejudge.then(|| {
        let records = Records::of(&chosen, &opened);
        let compiled = again::compiled(&bundles);
        let bodies = entries
            .values()
            .filter_map(|(name, entry)| Some((name.clone(), entry.body()?)));
        again::all(bodies, &records, &compiled, &mut mismatches)
    });
    if !mismatches.is_empty() {
        standing.word = Word::Failed;
    }
    standing.mismatches = mismatches;
    Checked {
        standing,
        about: manifest.map(|manifest| manifest.about),
        documents,
        bundles: bundles_named,
        rejudged,
        not_shown: NOT_SHOWN.to_vec(),
    }
}

fn manifest(
    files: &Files,
    standing: &Standing,
    mismatches: &mut Vec<Mismatch>,
) -> Option<Manifest> {
    let bytes = files.get(format::MANIFEST);
    let manifest = bytes.and_then(|bytes| format::manifest_of(bytes));
    let Some(manifest) = manifest else {
        let expected = "a manifest of such a folder";
        mismatches.push(Mismatch::new(format::MANIFEST, "none", expected));
        return None;
    };
    for (name, digest) in &manifest.files {
        match files.get(name) {
            None => mismatches.push(Mismatch::new(
                name,
                "no such file",
                "what the manifest lists",
            )),
            Some(bytes) if Sha256::of(bytes) != *digest => {
                mismatches.push(Mismatch::new(name, Sha256::of(bytes), digest));
            }
            Some(_) => {}
        }
    }
    let is_own = |name: &str| name == format::MANIFEST || name == format::SUMS;
    for name in files.keys().filter(|name| !format::has_place(name)) {
        let found = "a file that has no place in such a folder";
        mismatches.push(Mismatch::new(name, found, "no such file"));
    }
    let unlisted = files
        .keys()
        .filter(|name| !is_own(name) && !manifest.files.contains_key(*name));
    for name in unlisted {
        let expected = "only files that the manifest lists";
        mismatches.push(Mismatch::new(name, "an unlisted file", expected));
    }
    if files.get(format::SUMS) != Some(&sums(files)) {
        let expected = "the SHA-256 of every file";
        mismatches.push(Mismatch::new(format::SUMS, "others", expected));
    }
    let says = (Some(&manifest.origin), manifest.size);
    if says != (standing.origin.as_ref(), standing.size) {
        let found = format!("{} entries of `{}`", manifest.size, manifest.origin);
        let expected = "what the checkpoint says";
        mismatches.push(Mismatch::new(format::MANIFEST, found, expected));
    }
    Some(manifest)
}

/// What the manifest says of the entries is what is there; no proof is of another one.
fn listed(
    manifest: &Manifest,
    files: &Files,
    entries: &BTreeMap<u64, (String, AnyEntry)>,
    mismatches: &mut Vec<Mismatch>,
) {
    let says = manifest.entries.iter();
    let says = says.map(|it| (it.index, it.entry_id.clone(), it.kind.clone()));
    let found = entries.iter();
    let found = found.map(|(index, (_, entry))| {
        let (id, kind) = (entry.entry_id().to_string(), entry.kind().to_owned());
        (*index, id, kind)
    });
    if !says.eq(found) {
        let expected = "the entries that are there, in order";
        mismatches.push(Mismatch::new(
            format::MANIFEST,
            "another list of entries",
            expected,
        ));
    }
    if manifest.opened != files.keys().any(|name| name.starts_with("documents/")) {
        let found = format!("`opened` is {}", manifest.opened);
        mismatches.push(Mismatch::new(
            format::MANIFEST,
            found,
            "whether records were opened",
        ));
    }
    let proofs: BTreeSet<String> = entries
        .values()
        .filter_map(|(name, _)| format::proof_beside(name))
        .collect();
    let names = files.range("proofs/".to_owned().."proofs0".to_owned());
    for (name, _) in names.filter(|(name, _)| !proofs.contains(*name)) {
        let expected = "a proof of an entry of the folder";
        mismatches.push(Mismatch::new(name, "a proof of nothing", expected));
    }
}

/// The entries by their places; each file has the name that its entry gives it.
fn entries(files: &Files, mismatches: &mut Vec<Mismatch>) -> BTreeMap<u64, (String, AnyEntry)> {
    let mut entries = BTreeMap::new();
    let mut last = None;
    for (name, bytes) in files.range("entries/".to_owned().."entries0".to_owned()) {
        let index = format::index_of_name(name);
        let entry = AnyEntry::from_leaf(bytes);
        let (Some(index), Ok(entry)) = (index, entry) else {
            mismatches.push(Mismatch::new(name, "no leaf of a place", "INDEX-ID.json"));
            continue;
        };
        let expected = format::entry_name(index, entry.entry_id());
        if *name != expected {
            mismatches.push(Mismatch::new(name, "another name", expected));
        }
        let at = entry.timestamp();
        if last.is_some_and(|last| at < last) {
            let expected = "times that never go back";
            mismatches.push(Mismatch::new(name, at, expected));
        }
        last = Some(at);
        entries.insert(index, (name.clone(), entry));
    }
    if entries.is_empty() {
        mismatches.push(Mismatch::new("entries", "none", "the entries"));
    }
    entries
}

/// The bundles: each is what its name says, stands in the log by an entry, and all that decisions
/// name are there.
fn bundles(
    files: &Files,
    entries: &BTreeMap<u64, (String, AnyEntry)>,
    mismatches: &mut Vec<Mismatch>,
) -> (BTreeMap<PolicyRef, Vec<u8>>, u64) {
    let mut bundles = BTreeMap::new();
    for (name, bytes) in files.range("bundles/".to_owned().."bundles0".to_owned()) {
        let named = format::ref_of_name(name, "bundles");
        if named != Some(Sha256::of(bytes)) {
            mismatches.push(Mismatch::new(name, Sha256::of(bytes), "its name"));
        } else if let Err(error) = Bundle::from_canonical(bytes) {
            mismatches.push(Mismatch::new(name, error, "a bundle"));
        } else {
            bundles.insert(PolicyRef::from(Sha256::of(bytes)), bytes.clone());
        }
    }
    let mut stored = BTreeSet::new();
    let mut named: BTreeMap<PolicyRef, &str> = BTreeMap::new();
    for (name, entry) in entries.values() {
        match entry.body() {
            Some(Body::Policy(policy)) if policy.phase == PolicyPhase::Stored => {
                stored.insert(policy.policy_ref);
            }
            Some(Body::Decision(decision)) => {
                named.insert(decision.policy_ref, name);
            }
            _ => {}
        }
    }
    for (policy, name) in &named {
        if !bundles.contains_key(policy) {
            let expected = format!("bundle {policy}, which it names");
            mismatches.push(Mismatch::new(name, "no bundle", expected));
        }
        if !stored.contains(policy) {
            let expected = format!("the entry by which bundle {policy} came into the log");
            mismatches.push(Mismatch::new(name, "none", expected));
        }
    }
    for policy in bundles.keys().filter(|policy| !stored.contains(policy)) {
        let name = format::bundle_name(&(*policy).into());
        let expected = "a bundle that came into the log by an entry of the folder";
        mismatches.push(Mismatch::new(&name, "another one", expected));
    }
    let named = bundles.keys().filter(|policy| named.contains_key(policy));
    let count = u64::try_from(named.count()).unwrap_or(u64::MAX);
    (bundles, count)
}

/// The records: each is what its name says, and what an entry names.
fn documents(
    files: &Files,
    names: &BTreeSet<Sha256>,
    mismatches: &mut Vec<Mismatch>,
) -> BTreeMap<Sha256, Vec<u8>> {
    let mut documents = BTreeMap::new();
    for (name, bytes) in files.range("documents/".to_owned().."documents0".to_owned()) {
        match format::ref_of_name(name, "documents") {
            Some(named) if named == Sha256::of(bytes) && names.contains(&named) => {
                documents.insert(named, bytes.clone());
            }
            Some(named) if named == Sha256::of(bytes) => {
                let expected = "a record that an entry of the folder names";
                mismatches.push(Mismatch::new(name, "another one", expected));
            }
            _ => mismatches.push(Mismatch::new(name, Sha256::of(bytes), "its name")),
        }
    }
    documents
}

/// What the list of records says of them is what the entries say. Why one was left sealed is the
/// maker's word.
fn records(
    files: &Files,
    chosen: &Chosen,
    opened: &BTreeMap<Sha256, Vec<u8>>,
    mismatches: &mut Vec<Mismatch>,
) {
    let bytes = files.get(format::RECORDS);
    let says = bytes.and_then(|bytes| serde_json::from_slice::<Vec<serde_json::Value>>(bytes).ok());
    let says = says.map(|mut says| {
        let records = says.iter_mut().filter_map(serde_json::Value::as_object_mut);
        records.for_each(|record| drop(record.remove("why")));
        says
    });
    let expected = records_listed(chosen, &Records::of(chosen, opened), &BTreeMap::new());
    if says != Some(expected) {
        let expected = "the records that the entries name, and what became of them";
        mismatches.push(Mismatch::new(format::RECORDS, "another list", expected));
    }
}
