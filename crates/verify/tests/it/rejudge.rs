//! What can be said of decisions whose inputs are missing or made up.

use countersign_verify::{Audit, Check, NotRejudged, Report};

use crate::log::{publish, told, trust};
use crate::story::story;

fn again(is_complete: bool, keep: fn(&str) -> bool) -> Report {
    let story = story();
    let mut audit = Audit::new(trust());
    audit.documents = story.documents.clone();
    audit.documents.retain(|_, bytes| {
        let document: serde_json::Value = serde_json::from_slice(bytes).unwrap();
        keep(document["kind"].as_str().unwrap())
    });
    audit.is_complete = is_complete;
    audit.rejudge = true;
    audit.run(&publish(&story.leaves()), &mut |_| {}).unwrap()
}

fn has(report: &Report, check: Check) -> bool {
    report.findings.iter().any(|finding| finding.check == check)
}

#[test]
fn without_documents_nothing_is_judged_again_and_each_decision_says_why() {
    let report = again(false, |_| false);
    assert!(report.findings.is_empty(), "{}", told(&report));
    let rejudged = report.rejudged.unwrap();
    let count = |reason| rejudged.not_rejudged.get(&reason).copied();
    assert_eq!(rejudged.agreed, 0);
    assert_eq!(count(NotRejudged::NoFacts), Some(1), "the malformed call");
    assert_eq!(
        count(NotRejudged::OutsideTheJudge),
        Some(1),
        "the stopped call"
    );
    assert_eq!(
        count(NotRejudged::Erased),
        Some(1),
        "the facts of the helper"
    );
    assert_eq!(count(NotRejudged::Sealed), Some(12));
}

#[test]
fn a_missing_document_that_no_entry_erased_is_a_failure_where_all_were_promised() {
    let report = again(true, |kind| kind != "call");
    assert!(has(&report, Check::DocumentMissing), "{}", told(&report));
    let report = again(true, |kind| kind != "facts");
    assert!(has(&report, Check::DocumentMissing), "{}", told(&report));
}

#[test]
fn facts_that_were_made_up_are_found() {
    let report = again(false, |_| true);
    let is_found = has(&report, Check::RejudgeFacts) || has(&report, Check::RejudgeVerdict);
    assert!(is_found, "{}", told(&report));
}
