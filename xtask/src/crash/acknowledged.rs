//! What one log has acknowledged, and whether it keeps to it.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use countersign_core::json::{self, CanonicalJson};
use countersign_ledger::LogReader;
use countersign_ledger::publish::publish;
use countersign_merkle::{AnyTile, Hash, LeafIndex, TreeSize, leaf_hash};
use countersign_note::{Note, TlogProof, VerifierKey};
use countersign_store_sqlite::SqliteStore;
use countersign_verify::{Audit, LogSource, SourceError, Trust, Word};
use countersign_wire::DecisionAnswer;
use serde_json::Value;

use crate::error::Error;

/// The longest entry with its proof, in bytes.
const ENTRY_BYTES: usize = 1 << 20;
/// How many answered requests are asked for again.
const REPEATED: usize = 200;

/// A request for a decision, as it can be sent again.
#[derive(Clone)]
pub(super) struct Request {
    pub(super) key: String,
    pub(super) body: Vec<u8>,
}

/// All that is known of one log by what it answered.
pub(super) struct Acknowledged {
    key: VerifierKey,
    /// The leaf hash at each index.
    leaves: BTreeMap<u64, Hash>,
    /// The entry of each idempotency key.
    entries: HashMap<String, String>,
    answered: Vec<Request>,
    unanswered: Vec<Request>,
    /// Signed checkpoints by size.
    checkpoints: BTreeMap<TreeSize, Note>,
    pub(super) found: Vec<String>,
    /// Entries of the log at its end.
    pub(super) size: u64,
}

impl Acknowledged {
    pub(super) fn new(key: VerifierKey) -> Self {
        Self {
            key,
            leaves: BTreeMap::new(),
            entries: HashMap::new(),
            answered: Vec::new(),
            unanswered: Vec::new(),
            checkpoints: BTreeMap::new(),
            found: Vec::new(),
            size: 0,
        }
    }

    /// Takes an answer, checks its proof, and holds it against all that was answered before.
    pub(super) fn acknowledge(&mut self, request: Request, answer: &DecisionAnswer) {
        let id = answer.entry_id.clone();
        if let Err(reason) = self.check_proof(answer) {
            self.found.push(format!("entry {id}: {reason}"));
        }
        let before = self.entries.insert(request.key.clone(), id.clone());
        match before {
            None => self.answered.push(request),
            Some(before) if before == id => {}
            Some(before) => self.found.push(format!(
                "`{}` was answered with the entry {before}, and then with {id}",
                request.key
            )),
        }
    }

    /// How many requests were answered.
    pub(super) fn answered(&self) -> u64 {
        self.answered.len() as u64
    }

    pub(super) fn unanswered(&mut self, requests: Vec<Request>) {
        self.unanswered.extend(requests);
    }

    pub(super) fn findings(&mut self, found: Vec<String>) {
        self.found.extend(found);
    }

    /// All that was not answered, and some of what was.
    pub(super) fn take_requests(&mut self) -> Vec<Request> {
        let mut requests = std::mem::take(&mut self.unanswered);
        let newest = self.answered.len().saturating_sub(REPEATED);
        requests.extend(self.answered.iter().skip(newest).cloned());
        requests
    }

    fn check_proof(&mut self, answer: &DecisionAnswer) -> Result<(), String> {
        let text = answer.entry.get().as_bytes();
        let entry = json::parse_written(text, ENTRY_BYTES).map_err(|error| error.to_string())?;
        let Value::Object(mut members) = entry else {
            return Err("it is no object".to_owned());
        };
        let proof = members.remove("proof");
        let proof = proof.as_ref().and_then(Value::as_str).unwrap_or_default();
        let proof = TlogProof::parse(proof).map_err(|error| error.to_string())?;
        let leaf = CanonicalJson::of_exact(&Value::Object(members));
        let hash = leaf_hash(leaf.map_err(|error| error.to_string())?.as_bytes());
        let signed = proof
            .verify(&hash, std::slice::from_ref(&self.key))
            .map_err(|error| error.to_string())?;
        let size = signed.checkpoint().size();
        let note = proof.checkpoint().clone();
        if let Some(before) = self.checkpoints.insert(size, note.clone())
            && before.text() != note.text()
        {
            return Err(format!("two checkpoints of {size} entries were signed"));
        }
        let index = proof.index().get();
        match self.leaves.insert(index, hash) {
            Some(before) if before != hash => Err(format!("index {index} was given twice")),
            _ => Ok(()),
        }
    }

    /// Exports the log as it lies there, audits it against every checkpoint that was acknowledged,
    /// and looks for every acknowledged entry in it.
    pub(super) fn audit(&mut self, data: &Path, export: &Path) -> Result<(), Error> {
        let failed = "the database";
        let store = SqliteStore::open_read_only(&data.join("ledger.db"));
        let store = Arc::new(store.map_err(Error::server(failed))?);
        let log = LogReader::open(store).map_err(Error::server(failed))?;
        let log = log.ok_or_else(|| Error::server(failed)("it holds no log"))?;
        self.size = log.size().get();
        self.look_up(&log).map_err(Error::server(failed))?;
        std::fs::create_dir_all(export).map_err(Error::io(export))?;
        publish(&log, export, &mut |_| {}).map_err(Error::server("the export"))?;
        let mut trust = Trust::in_key(self.key.clone());
        trust.held = self.checkpoints.values().cloned().collect();
        let files = Files(export.to_owned());
        let report = Audit::new(trust).run(&files, &mut |_| {});
        let report = report.map_err(Error::server("the audit"))?;
        for finding in &report.findings {
            self.found.push(format!("the audit: {finding:?}"));
        }
        if report.word == Word::Failed && report.findings.is_empty() {
            self.found.push("the audit failed".to_owned());
        }
        Ok(())
    }

    fn look_up(&mut self, log: &LogReader) -> Result<(), countersign_ledger::ReadError> {
        for (index, hash) in &self.leaves {
            let found = log.leaf(LeafIndex::new(*index))?;
            match found.map(|entry| leaf_hash(&entry.bytes)) {
                Some(found) if found == *hash => {}
                Some(_) => self.found.push(format!("entry {index} was altered")),
                None => self.found.push(format!("entry {index} is lost")),
            }
        }
        Ok(())
    }
}

/// The files of an export.
struct Files(std::path::PathBuf);

impl LogSource for Files {
    fn checkpoint(&self) -> Result<Vec<u8>, SourceError> {
        read(&self.0.join("checkpoint"))
    }

    fn tile(&self, tile: &AnyTile) -> Result<Vec<u8>, SourceError> {
        read(&self.0.join(tile.to_string()))
    }
}

fn read(path: &Path) -> Result<Vec<u8>, SourceError> {
    std::fs::read(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => SourceError::Missing,
        _ => SourceError::Io(error.to_string()),
    })
}
