//! Whatever a test made the service write, the verifier finds nothing wrong with it: every log is
//! audited when its test is done, with its documents opened and every decision judged again, and
//! its database is held against its own entries.

use std::collections::BTreeMap;

use countersign_core::document::{Document, Facts, Source};
use countersign_core::entry::{Body, Role};
use countersign_core::refs::Sha256;
use countersign_keys::KeyRing;
use countersign_ledger::Ledger;
use countersign_ledger::fsck::{self, Subject};
use countersign_merkle::AnyTile;
use countersign_service::ExportProgress;
use countersign_service::fsck::StateCheck;
use countersign_store_sqlite::Inspection;
use countersign_verify::{Audit, Check, LogSource, Report, SourceError, Trust, Word};

use serde_json::json;

use crate::kit::Kit;

/// The log of a kit; `swap` puts one text in the place of another of the same length.
struct OfLedger<'a> {
    ledger: &'a Ledger,
    swap: Option<(String, String)>,
}

impl LogSource for OfLedger<'_> {
    fn checkpoint(&self) -> Result<Vec<u8>, SourceError> {
        Ok(self.ledger.checkpoint().as_bytes().to_vec())
    }

    fn tile(&self, tile: &AnyTile) -> Result<Vec<u8>, SourceError> {
        let found = self.ledger.any_tile(tile);
        let found = found.map_err(|error| SourceError::Io(error.to_string()))?;
        let mut bytes = found.ok_or(SourceError::Missing)?;
        if let Some((from, to)) = &self.swap {
            assert_eq!(from.len(), to.len());
            for at in 0..bytes.len() {
                if bytes[at..].starts_with(from.as_bytes()) {
                    bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
                }
            }
        }
        Ok(bytes)
    }
}

struct Silent;

impl ExportProgress for Silent {
    fn step(&self, _what: &str, _done: u64, _total: u64) {}
}

impl Kit {
    pub(crate) fn documents(&self) -> Option<BTreeMap<Sha256, Vec<u8>>> {
        let mut documents = BTreeMap::new();
        let reader = self.service().authenticate(self.token(Role::VaultReader));
        let opened = reader.and_then(|reader| {
            let take = |reference, bytes| {
                documents.insert(reference, bytes);
                Ok(())
            };
            self.service()
                .open_documents(&reader, "audit", &Silent, take)
        });
        opened.ok().map(|_| documents)
    }

    /// Everything is checked that can be.
    pub(crate) fn audit(
        &self,
        documents: BTreeMap<Sha256, Vec<u8>>,
        swap: Option<(String, String)>,
    ) -> Report {
        let keys = self.service().public_keys();
        let mut audit = Audit::new(Trust {
            root_key: Some(keys.root_key.parse().unwrap()),
            ..Trust::in_key(keys.log_key.parse().unwrap())
        });
        audit.is_complete = !documents.is_empty();
        audit.documents = documents;
        audit.rejudge = true;
        let ledger = self.service().ledger();
        audit.run(&OfLedger { ledger, swap }, &mut |_| {}).unwrap()
    }
}

impl Kit {
    /// Every row of state is one that the entries bear out.
    fn check_state(&self) {
        let findings = self.state_findings();
        assert_eq!(findings.total(), 0, "{:#?}", findings.kept());
    }

    /// What rows and entries disagree about.
    pub(crate) fn state_findings(&self) -> fsck::Findings {
        let store = Inspection::open(&self.dir.path().join("ledger.db"), false).unwrap();
        let keys = KeyRing::load(&self.dir.path().join("keys")).unwrap();
        let subject = Subject {
            store: &store,
            log_keys: std::slice::from_ref(keys.log_key()),
            head_file: &self.dir.path().join("head"),
            repair: false,
        };
        let mut state = StateCheck::new(&store);
        let mut findings = fsck::check(
            &subject,
            &mut |index, entry, findings| state.observe(index, entry, findings),
            &mut |_| {},
        )
        .unwrap();
        state.finish(&mut findings).unwrap();
        findings
    }
}

impl Drop for Kit {
    fn drop(&mut self) {
        if self.service.is_none() || std::thread::panicking() {
            return;
        }
        self.check_state();
        // A test may have left the service unable to write, or without a reader of the vault.
        let report = self.audit(self.documents().unwrap_or_default(), None);
        let said = serde_json::to_string_pretty(&report).unwrap();
        assert_eq!(report.word, Word::Unanchored, "{said}");
    }
}

#[test]
fn a_verdict_that_the_judge_does_not_give_is_found() {
    let kit = Kit::new();
    let turn = kit.turn("s1", "Write to a@b.example").intent_ref;
    kit.mail(&turn, "a@b.example");
    let documents = kit.documents().unwrap();
    let sound = kit.audit(documents.clone(), None);
    assert_eq!(sound.rejudged.as_ref().unwrap().agreed, 1);
    let swap = ("\"approved\"".into(), "\"rejected\"".into());
    let report = kit.audit(documents, Some(swap));
    let checks: Vec<Check> = report
        .findings
        .iter()
        .map(|finding| finding.check)
        .collect();
    assert!(checks.contains(&Check::RejudgeVerdict), "{checks:?}");
}

#[test]
fn facts_that_their_inputs_do_not_give_are_found() {
    let kit = Kit::new();
    let turn = kit.turn("s1", "Write to a@b.example").intent_ref;
    kit.mail(&turn, "other@b.example");
    let mut documents = kit.documents().unwrap();
    let honest = kit.log().iter().find_map(|entry| match entry.body() {
        Some(Body::Decision(decision)) => decision.facts_ref,
        _ => None,
    });
    let honest = Sha256::from(honest.unwrap());
    let mut facts = Facts::from_canonical(&documents[&honest]).unwrap();
    facts.targets[0].sources = [Source::User].into();
    let forged = Sha256::from(facts.reference().unwrap());
    documents.insert(forged, facts.canonical().unwrap().into_bytes());
    let swap = (honest.to_string(), forged.to_string());
    let report = kit.audit(documents, Some(swap));
    let checks: Vec<Check> = report
        .findings
        .iter()
        .map(|finding| finding.check)
        .collect();
    assert!(checks.contains(&Check::RejudgeFacts), "{checks:?}");
}

#[test]
fn facts_with_another_directory_than_the_logs_are_found() {
    let kit = Kit::new();
    let author = kit.caller(Role::Author);
    let churned = br#"{"status":"churned"}"#;
    kit.service()
        .put_entity(&author, "Contact", "a@b.example", churned)
        .unwrap();
    let turn = kit.turn("s1", "Write to a@b.example").intent_ref;
    assert_eq!(kit.mail(&turn, "a@b.example").outcome, "rejected");
    let mut documents = kit.documents().unwrap();
    let honest = kit.log().iter().find_map(|entry| match entry.body() {
        Some(Body::Decision(decision)) => decision.facts_ref,
        _ => None,
    });
    let honest = Sha256::from(honest.unwrap());
    let mut facts = Facts::from_canonical(&documents[&honest]).unwrap();
    let attributes = &mut facts.entities[0].attributes;
    attributes.insert("status".into(), "active".into());
    let forged = Sha256::from(facts.reference().unwrap());
    documents.insert(forged, facts.canonical().unwrap().into_bytes());
    let swap = (honest.to_string(), forged.to_string());
    let report = kit.audit(documents, Some(swap));
    let checks: Vec<Check> = report
        .findings
        .iter()
        .map(|finding| finding.check)
        .collect();
    assert!(checks.contains(&Check::RejudgeFacts), "{checks:?}");
}

/// Judged again at the end of the test, from what was hashed.
#[test]
fn facts_do_not_hang_on_how_a_call_or_result_was_spelt() {
    let kit = Kit::new();
    let turn = kit.turn("s1", "Answer ticket 7").intent_ref;
    let read = json!({"tool": "inbox.read", "actor": "agent:support", "intent_ref": turn, "args": {"limit": 1}});
    let read = kit.decide(&read).unwrap();
    assert_eq!(read.outcome, "approved", "{:?}", read.reasons);
    // Members out of order, and a number that is written otherwise in canonical JSON.
    let body = format!(
        r#"{{"decision": "{}", "phase": "finished", "result": {{"z": "a@b.example", "n": 7.0, "a": "a@b.example"}}}}"#,
        read.entry_id
    );
    let tool = kit.caller(Role::Tool);
    kit.service()
        .report_execution(&tool, body.as_bytes())
        .unwrap();
    kit.mail(&turn, "a@b.example");
    let facts = kit.last_decision().facts_ref.unwrap();
    let facts = Facts::from_canonical(&kit.documents().unwrap()[&facts.into()]).unwrap();
    assert_eq!(facts.targets[0].sources, [Source::AnyOutput].into());
}
