//! Opening the records that an incident names.

use std::collections::BTreeMap;

use countersign_client::{Client, ClientError};
use countersign_core::document::{Document as _, Facts};
use countersign_core::json::CanonicalJson;
use countersign_core::refs::Sha256;
use countersign_evidence::limits::{OPENED_BESIDE, OPENED_DECISIONS};
use countersign_evidence::{Chosen, openings};
use countersign_wire::{RawJson, Sealable};
use serde_json::Value;

use super::gather::patient;
use crate::error::CliError;
use crate::terminal::Terminal;

/// What was opened.
#[derive(Default)]
pub(super) struct OpenedRecords {
    pub(super) documents: BTreeMap<Sha256, Vec<u8>>,
    pub(super) left_sealed: BTreeMap<Sha256, String>,
    /// The place in the log of the newest entry of an opening.
    pub(super) newest_access: Option<u64>,
}

pub(super) fn open_all(
    opener: &Client,
    chosen: &Chosen,
    purpose: &str,
    terminal: &Terminal,
) -> Result<OpenedRecords, CliError> {
    let opening = openings(chosen);
    let mut opened = OpenedRecords::default();
    let mut accesses = Vec::new();
    let bar = terminal.progress("openings");
    bar.set_length(u64::try_from(opening.decisions.len() + opening.records.len()).unwrap_or(0));
    for id in opening.decisions.iter().take(OPENED_DECISIONS) {
        bar.inc(1);
        let explained = patient(|| opener.explain(&id.to_string(), Some(purpose)))?;
        let parts = [
            &explained.turn,
            &explained.call,
            &explained.reasoning,
            &explained.facts,
        ];
        let is_refused = parts.iter().any(|it| matches!(it, Sealable::Sealed { .. }));
        if explained.vault_access.is_none() && is_refused {
            return Err(CliError::usage(
                "the credential may not open what is sealed: it needs the roles vault-reader and auditor",
            )
            .exiting(crate::exit::Exit::No));
        }
        for part in parts {
            opened.take(part)?;
        }
        accesses.extend(explained.vault_access);
    }
    let over = opening.decisions.len().saturating_sub(OPENED_DECISIONS);
    if over > 0 {
        terminal.warn(format!(
            "the records of {over} decisions were left sealed: one export opens those of {OPENED_DECISIONS}"
        ));
    }
    // What the facts were drawn from: earlier turns, and results.
    let mut wanted = opening.records;
    for bytes in opened.documents.values() {
        if let Ok(facts) = Facts::from_canonical(bytes) {
            let turns = facts.inputs.intents.iter();
            wanted.extend(turns.map(|it| Sha256::from(it.intent_ref)));
            wanted.extend(facts.inputs.results.iter().map(|it| Sha256::from(*it)));
        }
    }
    wanted.retain(|reference| !opened.documents.contains_key(reference));
    bar.inc_length(u64::try_from(wanted.len()).unwrap_or(0));
    for (n, reference) in wanted.iter().enumerate() {
        bar.inc(1);
        if n >= OPENED_BESIDE {
            let why = format!("one export opens {OPENED_BESIDE} records beside those of decisions");
            opened.left_sealed.insert(*reference, why);
            continue;
        }
        accesses.extend(opened.one(opener, reference, purpose)?);
    }
    bar.finish_and_clear();
    // The newest is the one with the greatest place: ids do not order.
    for access in &accesses {
        let answer = patient(|| opener.entry(access))?;
        opened.newest_access = opened.newest_access.max(Some(answer.index));
    }
    Ok(opened)
}

impl OpenedRecords {
    fn take(&mut self, part: &Sealable) -> Result<(), CliError> {
        let Sealable::Open {
            reference,
            document,
        } = part
        else {
            return Ok(());
        };
        let reference = reference
            .parse::<Sha256>()
            .map_err(|error| CliError::usage(error.to_string()))?;
        self.keep(reference, document)
    }

    fn keep(&mut self, reference: Sha256, document: &Value) -> Result<(), CliError> {
        let canonical = CanonicalJson::of(document)
            .map_err(|error| CliError::usage(format!("the document {reference}: {error}")))?;
        if canonical.digest() != reference {
            return Err(CliError::usage(format!(
                "the server opened {reference} to a document that hashes to {}",
                canonical.digest()
            )));
        }
        self.documents.insert(reference, canonical.into_bytes());
        Ok(())
    }

    /// Opens one record; the id of the entry of its opening.
    fn one(
        &mut self,
        opener: &Client,
        reference: &Sha256,
        purpose: &str,
    ) -> Result<Option<String>, CliError> {
        match patient(|| opener.open(&reference.to_string(), purpose)) {
            Ok(opened) => {
                self.keep(*reference, &opened.document)?;
                Ok(entry_id(&opened.entry))
            }
            // What it says of this one record is no reason to leave out the others.
            Err(ClientError::Problem { problem, .. })
                if matches!(problem.status, 404 | 409 | 410 | 429) =>
            {
                self.left_sealed.insert(*reference, problem.detail);
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }
}

fn entry_id(entry: &RawJson) -> Option<String> {
    let entry: Value = serde_json::from_str(entry.get()).ok()?;
    entry.get("entry_id")?.as_str().map(str::to_owned)
}
