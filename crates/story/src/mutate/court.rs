//! Two adversaries, and what the verifier says of what each of them leaves.

use std::collections::BTreeMap;

use crate::log::{self, Key, Witness};
use countersign_core::refs::Sha256;
use countersign_merkle::AnyTile;
use countersign_note::{Checkpoint, Note, TlogPolicy};
use countersign_verify::{Audit, MemoryLog, NotShownCode, Report, Trust, Word};

use super::mutant::{Edit, Mutant};

/// What the auditor holds when the log comes from somebody who has its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Setting {
    /// Keys only.
    NoAnchor,
    /// A checkpoint from before the change.
    HeldBelow,
    /// A checkpoint that covers the first changed entry, and not all.
    HeldOver,
    /// A checkpoint of the whole log.
    HeldAll,
    /// A policy with a quorum of witnesses, whose cosignatures the forger copied.
    Copied,
    /// The same policy; the forger left the cosignatures out.
    Uncosigned,
    /// The checkpoint that was given with `--hold`.
    Yours,
}

impl Setting {
    /// Every setting.
    pub const ALL: [Self; 7] = [
        Self::NoAnchor,
        Self::HeldBelow,
        Self::HeldOver,
        Self::HeldAll,
        Self::Copied,
        Self::Uncosigned,
        Self::Yours,
    ];

    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Self::NoAnchor => "no anchor",
            Self::HeldBelow => "held, from before the change",
            Self::HeldOver => "held, over the change",
            Self::HeldAll => "held, of all",
            Self::Copied => "quorum, cosignatures copied",
            Self::Uncosigned => "quorum, cosignatures missing",
            Self::Yours => "held, yours",
        }
    }
}

/// What the verifier said, and whether it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell {
    /// `None`: it gave no answer at all.
    pub word: Option<Word>,
    /// The check that failed first.
    pub check: Option<&'static str>,
    /// Whether this is better than allowed.
    pub is_hole: bool,
}

/// What became of one change.
pub struct Verdict {
    /// The best word over everything that somebody without the key can do about it.
    pub without: Cell,
    /// With the key.
    pub with: Vec<(Setting, Cell)>,
}

/// A log, its keys, and what the auditor believes.
pub struct Court {
    /// The leaves as they are.
    pub leaves: Vec<Vec<u8>>,
    /// The files as they are.
    pub log: MemoryLog,
    /// The checkpoint, with the cosignatures that `policy` asks for.
    pub signed: Note,
    /// Keys only.
    pub trust: Trust,
    /// Who signs anew, if the key was given.
    pub key: Option<Key>,
    /// A policy whose quorum has cosigned the checkpoint.
    pub policy: Option<TlogPolicy>,
    /// A checkpoint that the auditor holds.
    pub hold: Option<Note>,
    /// Opened documents.
    pub documents: Opened,
}

/// Opened documents, and how they are looked at.
#[derive(Default, Clone)]
pub struct Opened {
    /// The documents by their refs.
    pub given: BTreeMap<Sha256, Vec<u8>>,
    /// Whether decisions are judged again.
    pub rejudge: bool,
    /// Whether one that is missing is a failure.
    pub is_complete: bool,
}

/// Why a log cannot be changed for the table: it fails as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the log as it is: {0}")]
pub struct Unsound(String);

/// The most that may be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bound {
    Failed,
    /// `unanchored`, and nothing from this index on is `trusted`.
    Unanchored(usize),
}

impl Court {
    /// A log, and whoever believes in its keys only.
    pub fn new(leaves: Vec<Vec<u8>>, log: MemoryLog, signed: Note, trust: Trust) -> Self {
        Self {
            leaves,
            log,
            signed,
            trust,
            key: None,
            policy: None,
            hold: None,
            documents: Opened::default(),
        }
    }

    /// Makes sure that the log is sound as it is, and gives it a witness where nobody named any.
    pub fn prepare(&mut self) -> Result<(), Unsound> {
        self.expect(self.trust.clone(), Word::Unanchored)?;
        self.expect(
            self.trust.clone().holding(self.signed.clone()),
            Word::Trusted,
        )?;
        if self.key.is_some() && self.policy.is_none() {
            let (witness, policy) = Witness::new();
            witness.cosign(&mut self.signed);
            self.log.checkpoint = self.signed.to_string().into_bytes();
            self.policy = Some(policy);
        }
        match &self.policy {
            None => Ok(()),
            policy => {
                let policy = policy.clone();
                self.expect(
                    Trust {
                        policy,
                        ..self.trust.clone()
                    },
                    Word::Trusted,
                )
            }
        }
    }

    /// Looks at the documents as strictly as they stand it.
    pub fn settle_documents(&mut self) -> &'static str {
        if self.documents.given.is_empty() {
            return "none given";
        }
        let can_rejudge = cfg!(feature = "rejudge");
        for (rejudge, is_complete, said) in [
            (true, true, "all given, every decision judged again"),
            (
                true,
                false,
                "some given, decisions judged again where they can be",
            ),
            (
                false,
                false,
                "held against the entries that name them; nothing judged again",
            ),
        ] {
            if rejudge && !can_rejudge {
                continue;
            }
            self.documents.rejudge = rejudge;
            self.documents.is_complete = is_complete;
            let report = self.say(self.trust.clone(), &self.log, Some(&self.documents));
            if report.is_some_and(|report| report.word != Word::Failed) {
                return said;
            }
        }
        self.documents = Opened::default();
        "left out: they fail as they are"
    }

    fn expect(&self, trust: Trust, word: Word) -> Result<(), Unsound> {
        let report = self.audit(trust, None).run(&self.log, &mut |_| {});
        let report = report.map_err(|error| Unsound(error.to_string()))?;
        if report.word == word {
            return Ok(());
        }
        let finding = report.findings.first();
        let finding = finding.map(|f| format!(": {}, {}", f.check, f.found));
        let finding = finding.unwrap_or_default();
        Err(Unsound(format!(
            "it is `{}`, not `{word}`{finding}",
            report.word
        )))
    }

    /// Tries one change in every way.
    pub fn judge(&self, mutant: &Mutant) -> Verdict {
        let leaves = mutant.edit.leaves(&self.leaves);
        let documents = match &mutant.edit {
            Edit::Documents(changed, _) => Some(self.opened(changed)),
            _ => None,
        };
        let rebuilt = match &mutant.edit {
            Edit::Tile(tile, bytes) => self.with_file(*tile, bytes.as_deref()),
            Edit::Checkpoint(bytes) => MemoryLog {
                checkpoint: bytes.clone(),
                ..self.log.clone()
            },
            _ => log::under(&leaves, &self.signed),
        };
        let is_same_tree = mutant.edit.first().is_none();
        let forged = match is_same_tree {
            true => vec![rebuilt.clone()],
            false => self.without_key(&leaves, &rebuilt),
        };
        let cells = forged.iter().map(|log| {
            let said = self.say(self.trust.clone(), log, documents.as_ref());
            self.cell(said, Bound::Failed)
        });
        let without = cells.max_by_key(|cell| cell.word).unwrap_or(Cell {
            word: None,
            check: None,
            is_hole: true,
        });
        let with = match &self.key {
            Some(key) => self.with_key(key, mutant, &leaves, rebuilt, documents.as_ref()),
            None => Vec::new(),
        };
        Verdict { without, with }
    }

    /// What is said of an older export, which whoever kept one can serve: nothing in it is another
    /// one, and nothing is forged. A checkpoint that the auditor got later is all that shows it.
    pub fn older(&self) -> Vec<(&'static str, Cell)> {
        let size = self.leaves.len() / 2;
        let (Some(key), Some(leaves)) = (&self.key, self.leaves.get(..size)) else {
            return Vec::new();
        };
        let mut signed = log::signed_by(key, self.origin(), leaves);
        let plain = log::under(leaves, &signed);
        let (witness, policy) = Witness::new();
        witness.cosign(&mut signed);
        let cosigned = log::under(leaves, &signed);
        let trust = &self.trust;
        let with_policy = Trust {
            policy: Some(policy),
            ..trust.clone()
        };
        let cell = |trust: Trust, log: &MemoryLog, is_covered: bool| {
            let said = self.say(trust, log, None);
            let is_said = said.as_ref().is_some_and(|report| {
                let mut codes = report.not_shown.iter().map(|not| not.code);
                codes.any(|code| code == NotShownCode::LaterEntries)
            });
            let cell = self.cell(said, Bound::Failed);
            let is_hole = if is_covered { cell.is_hole } else { !is_said };
            Cell { is_hole, ..cell }
        };
        let of_all = trust.clone().holding(self.signed.clone());
        vec![
            ("no anchor", cell(trust.clone(), &plain, false)),
            (
                "held, of its own size",
                cell(trust.clone().holding(signed), &plain, false),
            ),
            (
                "quorum, which cosigned it then",
                cell(with_policy, &cosigned, false),
            ),
            ("held, of all", cell(of_all, &plain, true)),
        ]
    }

    /// What somebody without the key can make of the leaves: the bundles alone, the hash tiles, too,
    /// the checkpoint's text, too, and a signature of a key of the same name.
    fn without_key(&self, leaves: &[Vec<u8>], rebuilt: &MemoryLog) -> Vec<MemoryLog> {
        let mut copied = rebuilt.clone();
        let hashes = self.log.tiles.iter();
        let hashes = hashes.filter(|(tile, _)| matches!(tile, AnyTile::Hashes(_)));
        copied
            .tiles
            .extend(hashes.map(|(tile, bytes)| (*tile, bytes.clone())));
        let stranger = Key::new(self.origin(), 0x5a);
        let signed = log::signed_by(&stranger, self.origin(), leaves);
        let mut edited = rebuilt.clone();
        let signatures = self.signed.to_string();
        let signatures = signatures.split_once("\n\n").map_or("", |(_, lines)| lines);
        edited.checkpoint = format!("{}\n{signatures}", signed.text()).into_bytes();
        let mut renamed = rebuilt.clone();
        renamed.checkpoint = signed.to_string().into_bytes();
        vec![copied, rebuilt.clone(), edited, renamed]
    }

    fn with_key(
        &self,
        key: &Key,
        mutant: &Mutant,
        leaves: &[Vec<u8>],
        rebuilt: MemoryLog,
        documents: Option<&Opened>,
    ) -> Vec<(Setting, Cell)> {
        let first = mutant.edit.first();
        let mut signed = rebuilt;
        let mut copied = signed.clone();
        if first.is_some() {
            let mut note = log::signed_by(key, self.origin(), leaves);
            signed.checkpoint = note.to_string().into_bytes();
            // Only the witnesses' lines are copied: the log's own, the forger makes.
            let cosigned = self.signed.signatures().iter();
            for signature in cosigned.filter(|signature| signature.name().as_str() != self.origin())
            {
                // The same key cannot stand there twice, and does not.
                let _ = note.add_signature(signature.clone());
            }
            copied.checkpoint = note.to_string().into_bytes();
        }
        let mut cells = Vec::new();
        for setting in Setting::ALL {
            let Some((trust, bound)) = self.setting(setting, key, mutant, leaves.len()) else {
                continue;
            };
            let log = if setting == Setting::Copied {
                &copied
            } else {
                &signed
            };
            let said = self.say(trust, log, documents);
            cells.push((setting, self.cell(said, bound)));
        }
        cells
    }

    /// What the auditor believes, and the most that it may then be told; `left` is the size of the
    /// changed log.
    fn setting(
        &self,
        setting: Setting,
        key: &Key,
        mutant: &Mutant,
        left: usize,
    ) -> Option<(Trust, Bound)> {
        let n = self.leaves.len();
        let trust = self.trust.clone();
        // Where no leaf is another one, the files contradict the head or the documents their refs.
        let Some(first) = mutant.edit.first() else {
            return match setting {
                Setting::NoAnchor => Some((trust, Bound::Failed)),
                Setting::HeldAll => Some((trust.holding(self.signed.clone()), Bound::Failed)),
                _ => None,
            };
        };
        // A log that was cut and one that goes on have the same beginning.
        let below = if left == first {
            first.saturating_sub(1)
        } else {
            first
        };
        let covered = |size: usize| match first < size {
            true => Bound::Failed,
            false => Bound::Unanchored(size),
        };
        let prefix = |size: usize| {
            let leaves = self.leaves.get(..size).filter(|_| size > 0)?;
            Some(log::signed_by(key, self.origin(), leaves))
        };
        let with_policy = |bound| {
            let policy = Some(self.policy.clone()?);
            Some((
                Trust {
                    policy,
                    ..self.trust.clone()
                },
                bound,
            ))
        };
        match setting {
            Setting::NoAnchor => Some((trust, Bound::Unanchored(0))),
            Setting::HeldBelow => Some((trust.holding(prefix(below)?), covered(below))),
            Setting::HeldOver if first + 1 < n => {
                Some((trust.holding(prefix(first + 1)?), Bound::Failed))
            }
            Setting::HeldOver => None,
            Setting::HeldAll => Some((trust.holding(self.signed.clone()), covered(n))),
            Setting::Copied => with_policy(Bound::Failed),
            Setting::Uncosigned => with_policy(Bound::Unanchored(0)),
            Setting::Yours => {
                let note = self.hold.clone()?;
                let size = Checkpoint::parse(note.text()).ok()?.size().get();
                let size = usize::try_from(size).unwrap_or(usize::MAX);
                Some((trust.holding(note), covered(size)))
            }
        }
    }

    fn say(&self, trust: Trust, log: &MemoryLog, documents: Option<&Opened>) -> Option<Report> {
        self.audit(trust, documents).run(log, &mut |_| {}).ok()
    }

    fn cell(&self, said: Option<Report>, bound: Bound) -> Cell {
        let Some(report) = said else {
            return Cell {
                word: None,
                check: None,
                is_hole: false,
            };
        };
        let is_trusted_from = |index: usize| {
            let mut ranges = report
                .ranges
                .iter()
                .filter(|range| range.word == Word::Trusted);
            ranges.any(|range| usize::try_from(range.last).is_ok_and(|last| last >= index))
        };
        let is_hole = match bound {
            Bound::Failed => report.word != Word::Failed,
            Bound::Unanchored(from) => report.word == Word::Trusted || is_trusted_from(from),
        };
        Cell {
            word: Some(report.word),
            check: report.findings.first().map(|finding| finding.check.code()),
            is_hole,
        }
    }

    fn audit(&self, trust: Trust, documents: Option<&Opened>) -> Audit {
        let mut audit = Audit::new(trust);
        // Many small logs are read at once.
        audit.threads = 1;
        if let Some(documents) = documents {
            audit.documents.clone_from(&documents.given);
            #[cfg(feature = "rejudge")]
            {
                audit.rejudge = documents.rejudge;
            }
            audit.is_complete = documents.is_complete;
        }
        audit
    }

    fn opened(&self, changed: &[(Sha256, Option<Vec<u8>>)]) -> Opened {
        let mut opened = self.documents.clone();
        for (reference, bytes) in changed {
            match bytes {
                Some(bytes) => opened.given.insert(*reference, bytes.clone()),
                None => opened.given.remove(reference),
            };
        }
        opened
    }

    fn with_file(&self, tile: AnyTile, bytes: Option<&[u8]>) -> MemoryLog {
        let mut log = self.log.clone();
        match bytes {
            Some(bytes) => log.tiles.insert(tile, bytes.to_vec()),
            None => log.tiles.remove(&tile),
        };
        log
    }

    fn origin(&self) -> &str {
        self.signed.text().lines().next().unwrap_or_default()
    }
}
