//! What a check found.

use countersign_merkle::LeafIndex;
use std::collections::BTreeMap;

/// Most findings that are kept; all are counted.
pub const FINDINGS: usize = 1_000;

macro_rules! parts {
    ($($(#[doc = $doc:literal])* $name:ident = $code:literal, $derives:literal, $contradicts:literal;)*) => {
        /// Which part differs. The codes are stable.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Part {
            $($(#[doc = $doc])* $name,)*
        }

        impl Part {
            /// Every part.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The stable code.
            pub fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// Whether it derives from the leaves or from this program, and so can be put right.
            pub fn derives(self) -> bool {
                match self { $(Self::$name => $derives,)* }
            }

            /// Whether a difference means that the log is not the one that was signed or released.
            pub fn contradicts(self) -> bool {
                match self { $(Self::$name => $contradicts,)* }
            }
        }
    };
}

parts! {
    /// The database's own integrity.
    Database = "database", false, false;
    /// Tables that are others than this version makes.
    Table = "table", false, false;
    /// Indexes, triggers and views that are others than this version makes.
    Schema = "schema", true, false;
    /// A leaf that is missing, was changed, or is no entry.
    Leaf = "leaf", false, true;
    /// The root that the leaves give.
    Root = "root", false, true;
    /// A leaf hash.
    LeafHash = "leaf-hash", true, false;
    /// A node of the tree, or a tile of hashes.
    Node = "node", true, false;
    /// The row of the head.
    Head = "head", false, true;
    /// The signed checkpoint.
    Checkpoint = "checkpoint", false, true;
    /// The head file.
    HeadFile = "head-file", false, true;
    /// The id that an entry is found by.
    EntryId = "entry-id", true, false;
    /// The time that an entry is found by.
    Time = "time", true, false;
    /// What else an entry is found by.
    Term = "term", true, false;
    /// A row of state.
    State = "state", false, false;
    /// A sealed record.
    Sealed = "sealed", false, false;
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// Which part.
    pub part: Part,
    /// Which entry it concerns.
    pub index: Option<LeafIndex>,
    /// What was found.
    pub found: String,
    /// What should be there.
    pub expected: String,
}

impl Flaw {
    /// A difference.
    pub fn new(part: Part, found: impl ToString, expected: impl ToString) -> Self {
        Self {
            part,
            index: None,
            found: found.to_string(),
            expected: expected.to_string(),
        }
    }

    /// The same, of an entry.
    #[must_use]
    pub fn at(mut self, index: LeafIndex) -> Self {
        self.index = Some(index);
        self
    }
}

/// What was found in all.
#[derive(Debug, Clone, Default)]
pub struct Findings {
    kept: Vec<Flaw>,
    counts: BTreeMap<Part, u64>,
    repaired: Option<bool>,
}

/// How the whole came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// Nothing differs.
    Clean,
    /// Something differs.
    Differs,
    /// The log is not the one that was signed or released.
    Contradicts,
}

impl Findings {
    /// Adds a difference.
    pub fn add(&mut self, flaw: Flaw) {
        let count = self.counts.entry(flaw.part).or_default();
        *count = count.saturating_add(1);
        if self.kept.len() < FINDINGS {
            self.kept.push(flaw);
        }
    }

    pub(crate) fn count_more(&mut self, part: Part, more: u64) {
        if more > 0 {
            let count = self.counts.entry(part).or_default();
            *count = count.saturating_add(more);
        }
    }

    /// The differences, the first [`FINDINGS`] of them.
    pub fn kept(&self) -> &[Flaw] {
        &self.kept
    }

    /// How many differences there are of a part.
    pub fn counted(&self, part: Part) -> u64 {
        self.counts.get(&part).copied().unwrap_or(0)
    }

    /// How many differences there are.
    pub fn total(&self) -> u64 {
        self.counts.values().sum()
    }

    /// How many of them derive.
    pub fn derived(&self) -> u64 {
        let derived = self.counts.iter().filter(|(part, _)| part.derives());
        derived.map(|(_, count)| count).sum()
    }

    /// How the whole came out.
    pub fn found(&self) -> Found {
        match self.counts.keys().any(|part| part.contradicts()) {
            true => Found::Contradicts,
            false if self.counts.is_empty() => Found::Clean,
            false => Found::Differs,
        }
    }

    /// Whether what derives was put right: `None` if that was not asked, `Some(false)` if the leaves
    /// are not those that were signed.
    pub fn repaired(&self) -> Option<bool> {
        self.repaired
    }

    pub(crate) fn set_repaired(&mut self, repaired: bool) {
        self.repaired = Some(repaired);
    }
}
