//! What the log says of what a test did.

use std::time::{Duration, Instant};

use countersign_client::EntriesQuery;
use serde_json::Value;

use crate::{PATIENCE, TestServer};

/// Entries that are asked for at once, which is more than a test makes.
const MOST: usize = 100;

impl TestServer {
    /// The entries of a kind, oldest first.
    pub fn entries(&self, kind: &str) -> Vec<Value> {
        self.entries_of(Some(kind))
    }

    /// The kinds of the newest entries, oldest first.
    pub fn kinds(&self, most: usize) -> Vec<String> {
        let kinds = texts(&self.entries_of(None), "kind");
        kinds[kinds.len().saturating_sub(most)..].to_vec()
    }

    /// What was decided, oldest first.
    pub fn outcomes(&self) -> Vec<String> {
        texts(&self.entries("decision"), "outcome")
    }

    /// How far the executions are, oldest first.
    pub fn phases(&self) -> Vec<String> {
        texts(&self.entries("execution"), "phase")
    }

    /// Waits until the executions have these phases.
    pub fn await_phases(&self, phases: &[&str]) {
        let begun = Instant::now();
        while self.phases() != phases {
            assert!(begun.elapsed() < PATIENCE, "{:?}", self.phases());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The call document of the newest decision.
    pub fn newest_call(&self) -> Value {
        let decision = self.entries("decision").pop().unwrap();
        let reference = decision["call_ref"].as_str().unwrap();
        let opened = self.client("vault-reader").open(reference, "test").unwrap();
        serde_json::to_value(opened).unwrap()["document"].take()
    }

    fn entries_of(&self, kind: Option<&str>) -> Vec<Value> {
        let query = EntriesQuery {
            kind: kind.map(str::to_owned),
            order: Some("oldest".to_owned()),
            limit: Some(MOST),
            ..EntriesQuery::default()
        };
        let page = self.client("auditor").entries(&query).unwrap();
        let entries = page.entries.iter();
        entries
            .map(|entry| serde_json::to_value(&entry.entry).unwrap())
            .collect()
    }
}

fn texts(entries: &[Value], member: &str) -> Vec<String> {
    let texts = entries.iter().map(|entry| entry[member].as_str());
    texts
        .map(|text| text.unwrap_or_default().to_owned())
        .collect()
}
