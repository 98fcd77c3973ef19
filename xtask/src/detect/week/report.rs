//! The tables of the synthetic weeks.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use countersign_core::entry::Detector;
use serde_json::{Value, json};

use super::plant::Kind;
use super::score::{Flags, NEAR, Row, Score};
use crate::table::{Table, grouped, percent};

/// What the weeks of one strength came to, one seed after the other.
pub(in crate::detect) struct Weeks<'s> {
    scores: &'s [Score],
    incidents: BTreeMap<Kind, Row>,
    flags: BTreeMap<Detector, Flags>,
}

impl<'s> Weeks<'s> {
    pub(in crate::detect) fn of(scores: &'s [Score]) -> Self {
        let mut incidents: BTreeMap<Kind, Row> = BTreeMap::new();
        let mut flags: BTreeMap<Detector, Flags> = BTreeMap::new();
        for score in scores {
            for (kind, row) in &score.incidents {
                incidents.entry(*kind).or_default().add(row);
            }
            for (detector, of) in &score.flags {
                let sum = flags.entry(*detector).or_default();
                sum.own += of.own;
                sum.other += of.other;
                sum.nothing += of.nothing;
            }
        }
        Self {
            scores,
            incidents,
            flags,
        }
    }

    /// The share of all planted incidents that were found by their own detector, in percent.
    pub(in crate::detect) fn recall(&self) -> f64 {
        let planted: u64 = self.incidents.values().map(|row| row.planted).sum();
        let found: u64 = self.incidents.values().map(|row| row.found).sum();
        found as f64 / planted.max(1) as f64 * 100.0
    }

    /// Flags on nothing that was planted, in the worst of the weeks.
    pub(in crate::detect) fn worst_false(&self) -> u64 {
        let of = |score: &Score| score.flags.values().map(|flags| flags.nothing).sum();
        self.scores.iter().map(of).max().unwrap_or(0)
    }

    /// The tables, in Markdown.
    pub(in crate::detect) fn tables(&self) -> String {
        let mut out = String::new();
        let seeds: Vec<String> = self
            .scores
            .iter()
            .map(|score| score.seed.to_string())
            .collect();
        let entries = range(self.scores.iter().map(|score| score.entries));
        let decisions = range(self.scores.iter().map(|score| score.decisions));
        let before = range(self.scores.iter().map(|score| score.flags_before));
        let reports = range(self.scores.iter().map(|score| score.reports));
        let _ = writeln!(
            out,
            "Seeds {}. A week has {entries} entries, {decisions} of them decisions; {before} flags were \
             raised in the weeks before it, and {reports} updates and ends of flags were written in it.\n",
            seeds.join(", ")
        );
        let _ = writeln!(out, "{}", self.incident_table());
        let _ = write!(out, "{}", self.flag_table());
        out
    }

    fn incident_table(&self) -> Table {
        let near = format!(">onset within {NEAR}");
        let mut table = Table::new(&[
            "incident",
            "its detector",
            ">planted",
            ">found",
            ">recall",
            ">by another only",
            ">taken in",
            ">onset exact",
            &near,
            ">entries to the flag",
            ">minutes to the flag",
        ]);
        for kind in Kind::ALL {
            let row = self.incidents.get(&kind).cloned().unwrap_or_default();
            let minutes = row.minutes.iter().copied();
            table.row(vec![
                kind.name().to_owned(),
                kind.detector().name().to_owned(),
                row.planted.to_string(),
                row.found.to_string(),
                percent(row.found, row.planted),
                row.by_another.to_string(),
                row.taken_in.to_string(),
                row.exact.to_string(),
                row.near.to_string(),
                middle(row.attempts.iter().map(|n| *n as f64), 0),
                middle(minutes, 1),
            ]);
        }
        table
    }

    fn flag_table(&self) -> Table {
        let mut table = Table::new(&[
            "detector",
            ">flags",
            ">on its incidents",
            ">on other incidents",
            ">on nothing planted",
            ">precision",
            ">false per week",
        ]);
        for detector in Detector::ALL {
            let flags = self.flags.get(detector).cloned().unwrap_or_default();
            let each = self.scores.iter().map(|score| {
                let of = score.flags.get(detector);
                of.map_or(0, |flags| flags.nothing)
            });
            table.row(row(detector.name(), &flags, range(each)));
        }
        let mut all = Flags::default();
        for flags in self.flags.values() {
            all.own += flags.own;
            all.other += flags.other;
            all.nothing += flags.nothing;
        }
        let each = self
            .scores
            .iter()
            .map(|score| score.flags.values().map(|flags| flags.nothing).sum());
        table.row(row("all", &all, range(each)));
        table
    }

    /// Each miss and each false flag, for those who look for the reason.
    pub(in crate::detect) fn details(&self) -> String {
        let mut out = String::new();
        for score in self.scores {
            for line in &score.misses {
                let _ = writeln!(out, "seed {}: miss: {line}", score.seed);
            }
            for line in &score.false_flags {
                let _ = writeln!(out, "seed {}: false: {line}", score.seed);
            }
            for line in &score.agents {
                let _ = writeln!(out, "seed {}: agent: {line}", score.seed);
            }
        }
        out
    }

    pub(in crate::detect) fn json(&self) -> Value {
        let incidents = Kind::ALL.iter().map(|kind| {
            let row = self.incidents.get(kind).cloned().unwrap_or_default();
            json!({
                "incident": kind, "detector": kind.detector(), "planted": row.planted,
                "found": row.found, "by_another": row.by_another, "taken_in": row.taken_in,
                "onset_exact": row.exact, "onset_near": row.near, "entries_to_flag": row.attempts,
                "minutes_to_flag": row.minutes,
            })
        });
        let flags = self.flags.iter().map(|(detector, flags)| {
            json!({
                "detector": detector, "own": flags.own, "other": flags.other,
                "nothing": flags.nothing,
            })
        });
        json!({
            "strength": self.scores.first().map(|score| score.strength),
            "seeds": self.scores.iter().map(|score| score.seed).collect::<Vec<_>>(),
            "recall_percent": self.recall(),
            "worst_false_per_week": self.worst_false(),
            "incidents": incidents.collect::<Vec<_>>(),
            "flags": flags.collect::<Vec<_>>(),
        })
    }
}

impl Row {
    fn add(&mut self, other: &Self) {
        self.planted += other.planted;
        self.found += other.found;
        self.by_another += other.by_another;
        self.taken_in += other.taken_in;
        self.exact += other.exact;
        self.near += other.near;
        self.attempts.extend(&other.attempts);
        self.minutes.extend(&other.minutes);
    }
}

fn row(name: &str, flags: &Flags, false_per_week: String) -> Vec<String> {
    let all = flags.own + flags.other + flags.nothing;
    vec![
        name.to_owned(),
        all.to_string(),
        flags.own.to_string(),
        flags.other.to_string(),
        flags.nothing.to_string(),
        percent(flags.own + flags.other, all),
        false_per_week,
    ]
}

/// The least and the most.
fn range(counts: impl Iterator<Item = u64> + Clone) -> String {
    let (least, most) = (counts.clone().min(), counts.max());
    match (least, most) {
        (Some(least), Some(most)) if least < most => {
            format!("{}–{}", grouped(least), grouped(most))
        }
        (Some(count), _) => grouped(count),
        (None, _) => "–".to_owned(),
    }
}

/// The median, and the most.
pub(in crate::detect) fn middle(numbers: impl Iterator<Item = f64>, digits: usize) -> String {
    let mut sorted: Vec<f64> = numbers.collect();
    sorted.sort_by(f64::total_cmp);
    match (sorted.get(sorted.len() / 2), sorted.last()) {
        (Some(median), Some(most)) => format!("{median:.digits$} (at most {most:.digits$})"),
        _ => "–".to_owned(),
    }
}
