//! The whole audit, step by step.

use std::collections::BTreeMap;

use countersign_core::refs::Sha256;
use countersign_merkle::TreeSize;
use serde::Serialize;

use crate::contradiction::Contradiction;
use crate::head::{Head, Held};
use crate::ranges;
use crate::read::{Reading, Tree};
use crate::report::{Anchor, Check, Findings, NotShown, NotShownCode, Rejudged, Report, Word};
use crate::rules::Rules;
use crate::source::{LogSource, SourceError};
use crate::trust::Trust;

/// One audit of one log.
#[derive(Debug, Clone, Default)]
pub struct Audit {
    /// What the caller believes.
    pub trust: Trust,
    /// Opened documents by the ref under which they were given, checked wherever an entry names
    /// them.
    pub documents: BTreeMap<Sha256, Vec<u8>>,
    /// Whether the caller was told that every document is there that was not erased; then one
    /// that is missing is a failure.
    pub is_complete: bool,
    /// Whether to judge every decision again.
    #[cfg(feature = "rejudge")]
    pub rejudge: bool,
    /// How deep to look.
    pub depth: Depth,
    /// How many threads read; 0 for as many as the machine runs at once. The answer is the same.
    pub threads: usize,
    /// Bounds of the work.
    pub limits: Limits,
}

/// How deep an audit looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Depth {
    /// Signatures, every tile, every bundle, the root, held checkpoints. What stands in the entries
    /// is not looked at, and the report says so.
    Tree,
    /// All of that, and what every entry says.
    #[default]
    Entries,
}

/// Bounds of the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most entries of a log; a checkpoint of a larger one ends the audit before it begins.
    pub entries: u64,
    /// Most findings that are kept; all are counted.
    pub findings: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            entries: 1 << 32,
            findings: 1000,
        }
    }
}

/// How far the audit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Entries read.
    pub done: u64,
    /// Entries that the checkpoint speaks of.
    pub total: u64,
}

/// What kept the verifier from an answer. Nothing is said of the log then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// The caller gave no key of the log.
    #[error("no key of the log was given: keys inside what is checked are never trusted")]
    NoLogKey,
    /// A file could not be read.
    #[error("could not read {0}")]
    Source(String),
    /// A checkpoint that the caller holds is not signed by a key that the caller gave.
    #[error("the checkpoint that you hold: {0}")]
    Held(String),
    /// A checkpoint that the caller holds is of another log.
    #[error("the checkpoint that you hold is of `{held}`, the log is `{log}`")]
    HeldOrigin {
        /// The origin of the held checkpoint.
        held: String,
        /// The origin of the log's checkpoint.
        log: String,
    },
    /// The checkpoint speaks of more entries than the limits allow.
    #[error("the checkpoint speaks of {size} entries, over the limit of {limit}")]
    TooLarge {
        /// The checkpoint's size.
        size: u64,
        /// The limit.
        limit: u64,
    },
}

impl Audit {
    /// An audit without documents.
    pub fn new(trust: Trust) -> Self {
        Self {
            trust,
            ..Self::default()
        }
    }

    /// Reads the whole log and answers. `progress` is told of every bundle of entries.
    ///
    /// # Errors
    /// Only what keeps it from an answer: unreadable files, or a mistake in what the caller gave.
    /// Whatever is wrong with the log is a finding of the report.
    pub fn run(
        &self,
        source: &dyn LogSource,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Report, VerifyError> {
        // The root key vouches for log keys by entries: those must be read for it.
        let may_wait = self.depth == Depth::Entries && self.trust.root_key.is_some();
        if self.trust.all_log_keys().is_empty() && !may_wait {
            return Err(VerifyError::NoLogKey);
        }
        let mut findings = Findings::new(self.limits.findings);
        let Some(mut head) = self.head(source, may_wait, &mut findings)? else {
            return Ok(headless(self.depth, findings));
        };
        let mut held = Held::open_all(&self.trust, &head, may_wait)?;
        if head.size() > self.limits.entries {
            if head.signers.is_empty() && !head.is_waiting {
                return Ok(headless(self.depth, findings));
            }
            return Err(VerifyError::TooLarge {
                size: head.size(),
                limit: self.limits.entries,
            });
        }
        let mut rules = Rules::new(self, &head);
        let tree = self.read(source, &head, &held, &mut rules, &mut findings, progress)?;
        if tree.read == head.size() && tree.root != head.checkpoint.root() {
            let root = head.checkpoint.root();
            findings.log(
                Check::Root,
                format!("root {}", tree.root),
                format!("root {root}"),
            );
        }
        if may_wait {
            head.settle(&self.trust, rules.vouched(), &mut findings);
            for held in &mut held {
                held.settle(rules.vouched());
            }
        }
        let between = Held::between(&held, &mut findings);
        let (anchors, contradiction) = anchors(source, &head, &held, &tree, &mut findings)?;
        let contradiction = between.or(contradiction);
        let is_deep = self.depth == Depth::Entries;
        if is_deep {
            rules.finish(&head, &mut findings);
        }
        #[cfg(feature = "rejudge")]
        let rejudged =
            (self.rejudge && is_deep).then(|| crate::rejudge::all(self, &rules, &mut findings));
        #[cfg(not(feature = "rejudge"))]
        let rejudged = None;
        Ok(report(
            self,
            head,
            &rules,
            anchors,
            contradiction,
            rejudged,
            findings,
        ))
    }

    fn head(
        &self,
        source: &dyn LogSource,
        may_wait: bool,
        findings: &mut Findings,
    ) -> Result<Option<Head>, VerifyError> {
        match source.checkpoint() {
            Ok(bytes) => Ok(Head::read(&bytes, &self.trust, may_wait, findings)),
            Err(SourceError::Missing) => Err(VerifyError::Source(
                "`checkpoint`: there is no such file".into(),
            )),
            Err(SourceError::Io(reason)) => {
                Err(VerifyError::Source(format!("`checkpoint`: {reason}")))
            }
        }
    }

    fn read(
        &self,
        source: &dyn LogSource,
        head: &Head,
        held: &[Held],
        rules: &mut Rules<'_>,
        findings: &mut Findings,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Tree, VerifyError> {
        let total = head.size();
        let reading = Reading {
            source,
            size: TreeSize::new(total),
            wanted: held.iter().map(Held::size).collect(),
            is_parsing: self.depth == Depth::Entries,
            threads: self.threads,
        };
        reading.run(findings, &mut |first, end, entries, findings| {
            for (index, entry) in (first..).zip(entries) {
                match entry {
                    Ok(entry) => rules.observe(index, &entry, findings),
                    Err(error) => {
                        let expected = "the canonical json of an entry";
                        findings.entry(index, None, Check::Leaf, error, expected);
                    }
                }
            }
            progress(Progress { done: end, total });
        })
    }
}

fn anchors(
    source: &dyn LogSource,
    head: &Head,
    held: &[Held],
    tree: &Tree,
    findings: &mut Findings,
) -> Result<(Vec<Anchor>, Option<Contradiction>), VerifyError> {
    let is_whole = tree.read == head.size() && tree.root == head.checkpoint.root();
    let (mut anchors, mut contradiction) = (Vec::new(), None);
    for held in held.iter().filter(|held| held.size() > 0) {
        let root = tree.roots.get(&held.size()).copied();
        let (anchor, found) = held.compare(head, root, is_whole, source, findings)?;
        anchors.extend(anchor);
        contradiction = contradiction.or(found);
    }
    if !head.witnesses.is_empty() {
        let names = head.witnesses.clone();
        anchors.push(Anchor::Witnesses { names });
    }
    Ok((anchors, contradiction))
}

/// The report on a log whose checkpoint could not even be read.
fn headless(depth: Depth, findings: Findings) -> Report {
    let (findings, findings_total) = findings.into_parts();
    Report {
        word: Word::Failed,
        depth,
        origin: None,
        size: 0,
        root: None,
        ranges: Vec::new(),
        anchors: Vec::new(),
        findings,
        findings_total,
        contradiction: None,
        not_shown: Vec::new(),
        counts: crate::report::Counts::default(),
        rejudged: None,
    }
}

fn report(
    audit: &Audit,
    head: Head,
    rules: &Rules<'_>,
    anchors: Vec<Anchor>,
    contradiction: Option<Contradiction>,
    rejudged: Option<Rejudged>,
    findings: Findings,
) -> Report {
    let size = head.size();
    let anchored = anchors.iter().map(|anchor| match anchor {
        Anchor::HeldCheckpoint { size } => *size,
        Anchor::Witnesses { .. } => size,
    });
    let ranges = ranges::words(size, anchored.max().unwrap_or(0), &findings);
    let weakest = ranges.iter().map(|range| range.word).min();
    let word = match weakest {
        Some(word) if findings.is_empty() => word,
        // A tree without entries holds nothing that could be covered.
        None if findings.is_empty() => Word::Unanchored,
        _ => Word::Failed,
    };
    let counts = rules.counts();
    let not_shown = not_shown(audit, rules, &anchors, word, rejudged.as_ref());
    let (findings, findings_total) = findings.into_parts();
    Report {
        word,
        depth: audit.depth,
        origin: Some(head.checkpoint.origin().to_owned()),
        size,
        root: Some(head.checkpoint.root().to_string()),
        ranges,
        anchors,
        findings,
        findings_total,
        contradiction,
        not_shown,
        counts,
        rejudged,
    }
}

fn not_shown(
    audit: &Audit,
    rules: &Rules<'_>,
    anchors: &[Anchor],
    word: Word,
    rejudged: Option<&Rejudged>,
) -> Vec<NotShown> {
    use NotShownCode as Code;
    let counts = rules.counts();
    let of_kind = |kind: &str| counts.entries.get(kind).copied().unwrap_or(0);
    let mut list = vec![
        NotShown::of(Code::CallsNotAsked, None),
        NotShown::of(Code::LaterEntries, None),
        NotShown::of(Code::WallClock, None),
    ];
    let mut add = |code, count| list.push(NotShown::of(code, count));
    let is_witnessed = anchors
        .iter()
        .any(|a| matches!(a, Anchor::Witnesses { .. }));
    if !is_witnessed {
        add(Code::OtherHistories, None);
    }
    if word != Word::Trusted {
        add(Code::RewrittenByKeyHolder, None);
    }
    if audit.depth == Depth::Tree {
        add(Code::EntriesNotRead, None);
        return list;
    }
    if audit.trust.root_key.is_none() {
        add(Code::RootKeyNotPinned, None);
    }
    let unopened = counts
        .documents_named
        .saturating_sub(counts.documents_checked);
    if unopened > 0 {
        add(Code::DocumentsNotOpened, Some(unopened));
    }
    let left = of_kind("decision").saturating_sub(rejudged.map_or(0, |r| r.agreed));
    if left > 0 {
        add(Code::NotRejudged, Some(left));
    }
    for (code, count) in [
        (Code::WordsOfThePerson, of_kind("intent")),
        (Code::ExecutionsAsReported, of_kind("execution")),
        (Code::EscalationDeadlines, counts.open_escalations),
        (Code::OpenSessions, rules.open_sessions()),
        (Code::DirectoryAsRecorded, rules.directory.sealed()),
        (Code::UnknownKinds, rules.unknown_kinds()),
    ] {
        if count > 0 {
            add(code, Some(count));
        }
    }
    list
}
