//! Opened documents against the entries that name them.

use countersign_core::document::{Document, Facts, Intent, ReviewBy, ReviewFact};
use countersign_core::entry::{Body, ReviewAnswer};
use countersign_core::refs::Sha256;
use countersign_verify::{Audit, Check, NotShownCode, Report, Word};
use std::collections::BTreeMap;

use crate::log::{checkpoint, publish, told, trust};
use crate::story::{story, x};

fn with(documents: BTreeMap<Sha256, Vec<u8>>) -> Report {
    let leaves = story().leaves();
    let mut audit = Audit::new(trust().holding(checkpoint(&leaves)));
    audit.documents = documents;
    audit.run(&publish(&leaves), &mut |_| {}).unwrap()
}

#[test]
fn documents_that_agree_are_counted_and_change_nothing() {
    let report = with(story().documents);
    assert_eq!(report.word, Word::Trusted, "{}", told(&report));
    assert!(report.counts.documents_checked > 20);
    let unopened = report
        .not_shown
        .iter()
        .find(|n| n.code == NotShownCode::DocumentsNotOpened);
    let left = report.counts.documents_named - report.counts.documents_checked;
    assert_eq!(unopened.unwrap().count, Some(left));
}

#[test]
fn every_byte_of_a_document_counts() {
    let documents = story().documents;
    for (reference, bytes) in &documents {
        let mut changed = bytes.clone();
        let position = bytes.len() / 2;
        changed[position] ^= 1;
        let report = with([(*reference, changed)].into());
        assert_eq!(report.word, Word::Failed, "{reference}");
        assert_eq!(report.findings[0].check, Check::DocumentHash, "{reference}");
    }
}

#[test]
fn documents_swapped_with_each_other_are_found() {
    let documents: Vec<(Sha256, Vec<u8>)> = story().documents.into_iter().collect();
    for pair in documents.windows(2) {
        let swapped = [
            (pair[0].0, pair[1].1.clone()),
            (pair[1].0, pair[0].1.clone()),
        ];
        assert_eq!(with(swapped.into()).word, Word::Failed, "{}", pair[0].0);
    }
}

#[test]
fn a_document_that_no_entry_names_must_still_be_what_its_name_says() {
    let stray = Sha256::of(b"stray");
    assert_eq!(
        with([(stray, b"stray".to_vec())].into()).word,
        Word::Trusted
    );
    let report = with([(stray, b"other".to_vec())].into());
    assert_eq!(report.word, Word::Failed);
    assert_eq!(report.findings[0].check, Check::DocumentHash);
    assert_eq!(report.ranges.len(), 1, "the entries are as they were");
}

/// An entry that is signed anew around a document which says something else.
#[test]
fn a_document_that_says_other_than_its_entry_is_found() {
    let story = story();
    let bytes = story
        .documents
        .values()
        .find_map(|b| Intent::from_canonical(b).ok())
        .unwrap();
    let mut lying = bytes.clone();
    lying.actors = vec!["agent:other".parse().unwrap()];
    let reference = lying.reference().unwrap();
    let honest = bytes.reference().unwrap().to_string();
    let leaves: Vec<Vec<u8>> = story
        .leaves()
        .into_iter()
        .map(|leaf| {
            let text = String::from_utf8(leaf).unwrap();
            text.replace(&honest, &reference.to_string()).into_bytes()
        })
        .collect();
    let mut audit = Audit::new(trust());
    let canonical = lying.canonical().unwrap().into_bytes();
    audit.documents.insert(reference.into(), canonical);
    let report = audit.run(&publish(&leaves), &mut |_| {}).unwrap();
    let found = report
        .findings
        .iter()
        .any(|f| f.check == Check::DocumentContent);
    assert!(found, "{}", told(&report));
}

#[test]
fn a_document_that_nobody_needs_for_judging_is_missed_too_where_all_were_promised() {
    let story = story();
    let leaves = story.leaves();
    for kind in ["reasoning", "changeset"] {
        let mut audit = Audit::new(trust());
        audit.is_complete = true;
        audit.documents = story.documents.clone();
        audit.documents.retain(|_, bytes| {
            let document: serde_json::Value = serde_json::from_slice(bytes).unwrap();
            document["kind"] != kind
        });
        let report = audit.run(&publish(&leaves), &mut |_| {}).unwrap();
        let is_missed = |f: &countersign_verify::Finding| {
            f.check == Check::DocumentMissing && f.found.contains(kind)
        };
        assert!(report.findings.iter().any(is_missed), "{}", told(&report));
    }
}

#[test]
fn facts_that_tell_an_answer_otherwise_are_found() {
    let lies: [fn(&mut Facts); 6] = [
        |facts| facts.inputs.review = None,
        |facts| review(facts).answer = ReviewAnswer::Reject,
        |facts| review(facts).by = ReviewBy::Requester,
        |facts| review(facts).reasons = [x("named-addresses")].into(),
        |facts| review(facts).policy_ref = Sha256::of(b"another").into(),
        |facts| review(facts).escalation = review(facts).entry,
    ];
    for (n, lie) in lies.into_iter().enumerate() {
        let mut story = story();
        let Body::Decision(decision) = story.entry("resolved").body.clone() else {
            panic!("no decision");
        };
        let honest = Sha256::from(decision.facts_ref.unwrap());
        let mut facts = Facts::from_canonical(&story.documents[&honest]).unwrap();
        lie(&mut facts);
        let lying = facts.reference().unwrap();
        let bytes = facts.canonical().unwrap().into_bytes();
        story.documents.insert(lying.into(), bytes);
        let Body::Decision(decision) = &mut story.entry("resolved").body else {
            panic!("no decision");
        };
        decision.facts_ref = Some(lying);
        let mut audit = Audit::new(trust());
        audit.documents = story.documents.clone();
        let report = audit.run(&publish(&story.leaves()), &mut |_| {}).unwrap();
        let is_found = |f: &countersign_verify::Finding| {
            f.check == Check::DocumentContent && f.found.contains("inputs.review")
        };
        assert!(
            report.findings.iter().any(is_found),
            "{n}: {}",
            told(&report)
        );
    }
}

fn review(facts: &mut Facts) -> &mut ReviewFact {
    facts.inputs.review.as_mut().unwrap()
}
