//! Collecting findings.

use std::collections::BTreeSet;

use countersign_core::entry::Entry;
use countersign_core::ids::EntryId;

use super::{Check, Finding};

/// The longest text of a finding, in characters.
const TEXT_CHARS: usize = 400;

/// What was found so far.
pub(crate) struct Findings {
    list: Vec<Finding>,
    total: u64,
    limit: usize,
    /// Entries with a finding of their own.
    pub(crate) failed: BTreeSet<u64>,
    /// Whether something is wrong with the log as a whole.
    pub(crate) is_whole_log: bool,
}

impl Findings {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            list: Vec::new(),
            total: 0,
            limit,
            failed: BTreeSet::new(),
            is_whole_log: false,
        }
    }

    /// Something is wrong with the log as a whole.
    pub(crate) fn log(&mut self, check: Check, found: impl ToString, expected: impl ToString) {
        self.is_whole_log = true;
        self.beside(check, found, expected);
    }

    /// Something is wrong beside the log, such as with a document that no entry names.
    pub(crate) fn beside(&mut self, check: Check, found: impl ToString, expected: impl ToString) {
        self.add(None, None, check, found.to_string(), expected.to_string());
    }

    /// Something is wrong with one entry.
    pub(crate) fn entry(
        &mut self,
        index: u64,
        entry_id: Option<EntryId>,
        check: Check,
        found: impl ToString,
        expected: impl ToString,
    ) {
        self.failed.insert(index);
        let (found, expected) = (found.to_string(), expected.to_string());
        self.add(Some(index), entry_id, check, found, expected);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.total == 0
    }

    pub(crate) fn into_parts(self) -> (Vec<Finding>, u64) {
        (self.list, self.total)
    }

    fn add(
        &mut self,
        index: Option<u64>,
        entry_id: Option<EntryId>,
        check: Check,
        found: String,
        expected: String,
    ) {
        self.total += 1;
        if self.list.len() < self.limit {
            self.list.push(Finding {
                index,
                entry_id,
                check,
                found: cut(found),
                expected: cut(expected),
            });
        }
    }
}

fn cut(text: String) -> String {
    match text.char_indices().nth(TEXT_CHARS) {
        None => text,
        Some((end, _)) => format!("{}\u{2026}", text.get(..end).unwrap_or_default()),
    }
}

/// The entry that is being looked at, and where findings about it go.
pub(crate) struct At<'a> {
    pub(crate) index: u64,
    pub(crate) entry: &'a Entry,
    pub(crate) findings: &'a mut Findings,
}

impl At<'_> {
    /// A check does not hold for this entry.
    pub(crate) fn fail(&mut self, check: Check, found: impl ToString, expected: impl ToString) {
        let id = Some(self.entry.entry_id);
        self.findings.entry(self.index, id, check, found, expected);
    }

    /// Fails unless `holds`.
    pub(crate) fn require(
        &mut self,
        holds: bool,
        check: Check,
        found: impl ToString,
        expected: impl ToString,
    ) {
        if !holds {
            self.fail(check, found, expected);
        }
    }
}
