//! What came of all changes, as a table.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use countersign_story::mutate::{Cell, Mutant, Row, Setting, Verdict};
use countersign_verify::Word;
use serde::Serialize;

use crate::table::{Table, grouped};

/// Most holes that are listed.
const HOLES: usize = 50;

/// What came of one log.
#[derive(Serialize)]
pub(super) struct Report {
    pub(super) log: String,
    pub(super) entries: usize,
    pub(super) kinds: Vec<String>,
    pub(super) changes: usize,
    /// How many changes were made out; fewer are tried where a sample was asked for.
    pub(super) possible: usize,
    pub(super) with_key: bool,
    /// Members that some way of changing was not tried on.
    pub(super) uncovered: Vec<String>,
    pub(super) documents: &'static str,
    pub(super) holes: Vec<Hole>,
    /// What is said of an older export of the log, in which nothing was changed.
    pub(super) older: Vec<Older>,
    pub(super) rows: Vec<Line>,
}

/// What is said of an older export.
#[derive(Serialize)]
pub(super) struct Older {
    setting: &'static str,
    word: Option<Word>,
}

/// A change that came out better than it may.
#[derive(Serialize)]
pub(super) struct Hole {
    row: String,
    what: String,
    setting: &'static str,
    word: Option<Word>,
}

/// One row.
#[derive(Serialize)]
pub(super) struct Line {
    part: String,
    place: String,
    how: String,
    changes: u64,
    without_key: Tally,
    with_key: BTreeMap<&'static str, Tally>,
    /// The checks that failed first where nothing anchors.
    caught_by: BTreeMap<&'static str, u64>,
}

/// Words, counted.
#[derive(Default, Clone, Copy, Serialize)]
pub(super) struct Tally {
    failed: u64,
    unanchored: u64,
    trusted: u64,
    no_answer: u64,
}

impl Tally {
    fn count(&mut self, cell: &Cell) {
        let slot = match cell.word {
            Some(Word::Failed) => &mut self.failed,
            Some(Word::Unanchored) => &mut self.unanchored,
            Some(Word::Trusted) => &mut self.trusted,
            None => &mut self.no_answer,
        };
        *slot += 1;
    }

    fn add(&mut self, other: &Self) {
        self.failed += other.failed;
        self.unanchored += other.unanchored;
        self.trusted += other.trusted;
        self.no_answer += other.no_answer;
    }

    fn total(&self) -> u64 {
        self.failed + self.unanchored + self.trusted + self.no_answer
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let words = [
            ("failed", self.failed),
            ("unanchored", self.unanchored),
            ("trusted", self.trusted),
            ("no answer", self.no_answer),
        ];
        let said: Vec<String> = words
            .iter()
            .filter(|(_, count)| *count > 0)
            .map(|(word, count)| match *count == self.total() {
                true => (*word).to_owned(),
                false => format!("{word} {}", grouped(*count)),
            })
            .collect();
        f.write_str(&if said.is_empty() {
            "–".to_owned()
        } else {
            said.join(", ")
        })
    }
}

impl Report {
    /// Counts.
    pub(super) fn count(&mut self, judged: &[(&Mutant, Verdict)]) {
        let mut lines: BTreeMap<&Row, Line> = BTreeMap::new();
        for (mutant, verdict) in judged {
            let line = lines
                .entry(&mutant.row)
                .or_insert_with(|| Line::new(&mutant.row));
            line.count(verdict);
            self.changes += 1;
            let without = ("without the log key", verdict.without);
            let with = verdict
                .with
                .iter()
                .map(|(setting, cell)| (setting.name(), *cell));
            for (setting, cell) in std::iter::once(without).chain(with) {
                if cell.is_hole && self.holes.len() < HOLES {
                    let Row { part, place, how } = &mutant.row;
                    self.holes.push(Hole {
                        row: format!("{part} {place} {how}"),
                        what: mutant.what.clone(),
                        setting,
                        word: cell.word,
                    });
                }
            }
        }
        self.rows = lines.into_values().collect();
    }

    /// Puts down what is said of an older export.
    pub(super) fn older(&mut self, said: Vec<(&'static str, Cell)>) {
        for (setting, cell) in said {
            let word = cell.word;
            if cell.is_hole {
                let (row, what) = ("an older export".to_owned(), "it was served".to_owned());
                self.holes.push(Hole {
                    row,
                    what,
                    setting,
                    word,
                });
            }
            self.older.push(Older { setting, word });
        }
    }

    /// No hole, and nothing forgotten.
    pub(super) fn is_passed(&self) -> bool {
        self.holes.is_empty() && self.uncovered.is_empty()
    }

    /// One line for each kind.
    fn summary(&self) -> String {
        let mut parts: BTreeMap<&str, Line> = BTreeMap::new();
        for line in &self.rows {
            let sum = parts
                .entry(&line.part)
                .or_insert_with(|| Line::new(&Row::new(&line.part, "", "")));
            sum.changes += line.changes;
            sum.without_key.add(&line.without_key);
            for (setting, tally) in &line.with_key {
                sum.with_key.entry(setting).or_default().add(tally);
            }
        }
        let mut table = Table::new(&self.headings(&["what", ">changes"], &[]));
        for (part, line) in &parts {
            let mut cells = vec![(*part).to_owned(), grouped(line.changes)];
            cells.extend(self.words(line));
            table.row(cells);
        }
        table.to_string()
    }

    /// One line for each row.
    pub(super) fn long(&self) -> String {
        let mut table =
            Table::new(&self.headings(&["what", "member", "how", ">changes"], &["caught by"]));
        for line in &self.rows {
            let mut cells = vec![
                line.part.clone(),
                line.place.clone(),
                line.how.clone(),
                grouped(line.changes),
            ];
            cells.extend(self.words(line));
            if self.with_key {
                let checks: Vec<&str> = line.caught_by.keys().copied().collect();
                cells.push(checks.join(", "));
            }
            table.row(cells);
        }
        format!("{}\n\n{table}", self.heading())
    }

    fn headings(&self, first: &[&'static str], last: &[&'static str]) -> Vec<&'static str> {
        let mut headings = first.to_vec();
        headings.push("without the key");
        if self.with_key {
            headings.extend(self.settings().map(Setting::name));
            headings.extend(last);
        }
        headings
    }

    fn words(&self, line: &Line) -> Vec<String> {
        let mut cells = vec![line.without_key.to_string()];
        if self.with_key {
            let settings = self.settings();
            cells.extend(settings.map(|setting| {
                line.with_key
                    .get(setting.name())
                    .map_or("–".to_owned(), ToString::to_string)
            }));
        }
        cells
    }

    fn settings(&self) -> impl Iterator<Item = Setting> + '_ {
        let is_used = |setting: &Setting| {
            self.rows
                .iter()
                .any(|line| line.with_key.contains_key(setting.name()))
        };
        Setting::ALL.into_iter().filter(is_used)
    }

    fn heading(&self) -> String {
        let sampled = match self.changes < self.possible {
            true => format!(" of {} possible ones", grouped(count(self.possible))),
            false => String::new(),
        };
        format!(
            "{}: {} entries of {} kinds, {} changes{sampled}",
            self.log,
            grouped(count(self.entries)),
            self.kinds.len(),
            grouped(count(self.changes)),
        )
    }

    /// What the holder of the key can change unseen where nothing anchors: a line for each kind.
    fn unseen(&self) -> String {
        let mut by_part: BTreeMap<&str, BTreeMap<&str, Vec<&str>>> = BTreeMap::new();
        for line in &self.rows {
            let bare = line.with_key.get(Setting::NoAnchor.name());
            if bare.is_some_and(|tally| tally.unanchored > 0) {
                let ways = by_part.entry(&line.part).or_default();
                ways.entry(&line.how).or_default().push(&line.place);
            }
        }
        let mut out = String::from("With the key and no anchor, `unanchored` at best:\n\n");
        for (part, ways) in by_part {
            let ways = ways
                .into_iter()
                .map(|(how, places)| match places.as_slice() {
                    ["(entry)"] => how.to_owned(),
                    _ => format!("{how}: {}", places.join(", ")),
                });
            let ways: Vec<String> = ways.collect();
            // A string takes whatever is written into it.
            let _ = writeln!(out, "- **{part}**: {}", ways.join("; "));
        }
        out
    }
}

impl Line {
    fn new(row: &Row) -> Self {
        Self {
            part: row.part.clone(),
            place: row.place.clone(),
            how: row.how.clone(),
            changes: 0,
            without_key: Tally::default(),
            with_key: BTreeMap::new(),
            caught_by: BTreeMap::new(),
        }
    }

    fn count(&mut self, verdict: &Verdict) {
        self.changes += 1;
        self.without_key.count(&verdict.without);
        for (setting, cell) in &verdict.with {
            self.with_key.entry(setting.name()).or_default().count(cell);
            if *setting == Setting::NoAnchor
                && let Some(check) = cell.check
            {
                *self.caught_by.entry(check).or_default() += 1;
            }
        }
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{}\n\n{}", self.heading(), self.summary())?;
        if self.with_key {
            writeln!(f, "{}", self.unseen())?;
        } else {
            f.write_str(
                "The log's key was not given: only what can be done without it was tried.\n",
            )?;
        }
        for Older { setting, word } in &self.older {
            let word = word.map_or("no answer", Word::name);
            writeln!(f, "an older export ({setting}): {word}")?;
        }
        writeln!(f, "documents: {}", self.documents)?;
        for gap in &self.uncovered {
            writeln!(f, "NOT COVERED: {gap}")?;
        }
        for hole in &self.holes {
            let word = hole.word.map_or("no answer", Word::name);
            writeln!(
                f,
                "HOLE: {}: `{word}` ({}), {}",
                hole.row, hole.setting, hole.what
            )?;
        }
        let mut end = String::new();
        if self.is_passed() {
            end.push_str("no holes");
        } else {
            write!(
                end,
                "{} holes, {} gaps",
                self.holes.len(),
                self.uncovered.len()
            )?;
        }
        f.write_str(&end)
    }
}

fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}
