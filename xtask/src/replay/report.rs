//! What a replay comes to.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use super::REACH_PERCENT;
use super::tally::Tally;
use super::whole::Worst;
use crate::error::Error;
use crate::stats::{Summary, shown};
use crate::table::{Table, grouped, percent};

/// What was replayed, and how.
pub(super) struct Setup<'a> {
    pub(super) file: &'a Path,
    /// The bundle's name.
    pub(super) bundle: &'a str,
    pub(super) runs_in_file: usize,
    /// How many runs at a time.
    pub(super) jobs: usize,
}

/// What a replay comes to.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    file: String,
    bundle: String,
    /// Whether everything that was asked for was replayed and the criteria are met.
    passed: bool,
    runs: u64,
    runs_in_file: usize,
    calls: u64,
    reached_judge: u64,
    reached_judge_percent: f64,
    judged_by_policy: u64,
    outcomes: BTreeMap<String, u64>,
    reasons: Vec<ReasonCount>,
    groups: Vec<GroupCount>,
    whole_runs: Vec<WholeCount>,
    not_by_policy: Vec<NotByPolicy>,
    errors: BTreeMap<String, u64>,
    args_not_strict: u64,
    results_reported: u64,
    ended_unknown: u64,
    results_not_reported: u64,
    jobs: usize,
    build: &'static str,
    elapsed_s: f64,
    calls_per_s: f64,
    latency: Option<Summary>,
}

#[derive(Debug, Serialize)]
struct ReasonCount {
    outcome: String,
    reason: String,
    calls: u64,
}

#[derive(Debug, Serialize)]
struct GroupCount {
    group: String,
    outcome: String,
    calls: u64,
}

#[derive(Debug, Serialize)]
struct WholeCount {
    group: String,
    worst: &'static str,
    runs: u64,
}

#[derive(Debug, Serialize)]
struct NotByPolicy {
    reason: String,
    tool: String,
    calls: u64,
    example: Option<String>,
}

impl Report {
    pub(super) fn new(setup: &Setup<'_>, tally: &Tally, elapsed: Duration) -> Self {
        let approved = tally.outcomes.get("approved").copied().unwrap_or(0);
        let reasons = tally
            .reasons
            .iter()
            .map(|((outcome, reason), calls)| ReasonCount {
                outcome: outcome.clone(),
                reason: reason.clone(),
                calls: *calls,
            });
        let groups = tally
            .groups
            .iter()
            .map(|((group, outcome), calls)| GroupCount {
                group: group.clone(),
                outcome: outcome.clone(),
                calls: *calls,
            });
        let whole = tally.whole.iter().map(|((group, worst), runs)| WholeCount {
            group: group.clone(),
            worst: worst.name(),
            runs: *runs,
        });
        let not_by_policy = tally
            .not_by_policy
            .iter()
            .map(|((reason, tool), (calls, example))| {
                let (reason, tool) = (reason.clone(), tool.clone());
                NotByPolicy {
                    reason,
                    tool,
                    calls: *calls,
                    example: example.clone(),
                }
            });
        // In whole numbers: a share just below is below.
        let enough = tally.reached * 100 >= tally.calls * REACH_PERCENT;
        Self {
            file: setup.file.display().to_string(),
            bundle: setup.bundle.to_owned(),
            passed: tally.calls > 0 && enough && tally.failures.is_empty(),
            runs: tally.runs,
            runs_in_file: setup.runs_in_file,
            calls: tally.calls,
            reached_judge: tally.reached,
            reached_judge_percent: tally.reached as f64 / tally.calls.max(1) as f64 * 100.0,
            judged_by_policy: tally.by_policy,
            outcomes: tally.outcomes.clone(),
            reasons: reasons.collect(),
            groups: groups.collect(),
            whole_runs: whole.collect(),
            not_by_policy: not_by_policy.collect(),
            errors: tally.failures.clone(),
            args_not_strict: tally.unstrict,
            results_reported: tally.results_reported,
            ended_unknown: tally.ended_unknown,
            results_not_reported: tally.calls.saturating_sub(approved),
            jobs: setup.jobs,
            build: if cfg!(debug_assertions) {
                "dev"
            } else {
                "release"
            },
            elapsed_s: elapsed.as_secs_f64(),
            calls_per_s: tally.calls as f64 / elapsed.as_secs_f64().max(f64::EPSILON),
            latency: Summary::of(tally.latencies.clone()),
        }
    }

    /// Whether the criteria are met.
    pub(super) fn is_passed(&self) -> bool {
        self.passed
    }

    pub(super) fn json(&self) -> Result<String, Error> {
        serde_json::to_string_pretty(self).map_err(Error::server("the report"))
    }

    fn outcomes(&self) -> Table {
        let mut table = Table::new(&["outcome", ">calls", ">share"]);
        for (outcome, calls) in &self.outcomes {
            table.row(vec![
                outcome.clone(),
                grouped(*calls),
                percent(*calls, self.calls),
            ]);
        }
        table
    }

    fn reasons(&self) -> Table {
        let mut table = Table::new(&["outcome", "reason", ">calls"]);
        for row in &self.reasons {
            table.row(vec![
                row.outcome.clone(),
                row.reason.clone(),
                grouped(row.calls),
            ]);
        }
        table
    }

    fn groups(&self) -> Table {
        let mut headings = vec!["recorded as"];
        let columns: Vec<String> = self
            .outcomes
            .keys()
            .map(|outcome| format!(">{outcome}"))
            .collect();
        headings.extend(columns.iter().map(String::as_str));
        let mut table = Table::new(&headings);
        let mut rows: BTreeMap<&str, BTreeMap<&str, u64>> = BTreeMap::new();
        for row in &self.groups {
            *rows
                .entry(&row.group)
                .or_default()
                .entry(&row.outcome)
                .or_default() += row.calls;
        }
        for (group, counts) in rows {
            let mut cells = vec![group.to_owned()];
            let count = |outcome: &String| counts.get(outcome.as_str()).copied().unwrap_or(0);
            cells.extend(self.outcomes.keys().map(|outcome| grouped(count(outcome))));
            table.row(cells);
        }
        table
    }

    fn whole(&self) -> Table {
        let worsts = [Worst::Approved, Worst::Escalated, Worst::Stopped].map(Worst::name);
        let columns = worsts.map(|name| format!(">{name}"));
        let mut headings = vec!["runs by their worst call", ">runs"];
        headings.extend(columns.iter().map(String::as_str));
        let mut table = Table::new(&headings);
        let mut rows: BTreeMap<&str, BTreeMap<&str, u64>> = BTreeMap::new();
        for row in &self.whole_runs {
            rows.entry(&row.group)
                .or_default()
                .insert(row.worst, row.runs);
        }
        for (group, counts) in rows {
            let total = counts.values().sum();
            let mut cells = vec![group.to_owned(), grouped(total)];
            cells.extend(worsts.map(|name| {
                let runs = counts.get(name).copied().unwrap_or(0);
                format!("{} ({})", grouped(runs), percent(runs, total))
            }));
            table.row(cells);
        }
        table
    }

    fn not_by_policy(&self) -> Table {
        let mut table = Table::new(&["no policy was asked", "tool", ">calls", "for example"]);
        for row in &self.not_by_policy {
            let example = row.example.clone().unwrap_or_default();
            table.row(vec![
                row.reason.clone(),
                row.tool.clone(),
                grouped(row.calls),
                example,
            ]);
        }
        table
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (file, bundle) = (&self.file, &self.bundle);
        writeln!(f, "{file} under the bundle `{bundle}`")?;
        writeln!(
            f,
            "{} of {} runs, {} calls\n",
            grouped(self.runs),
            self.runs_in_file,
            grouped(self.calls)
        )?;
        writeln!(
            f,
            "{}\n{}\n{}",
            self.outcomes(),
            self.reasons(),
            self.groups()
        )?;
        writeln!(f, "A call with two reasons counts under both.\n")?;
        if !self.whole_runs.is_empty() {
            writeln!(f, "{}", self.whole())?;
        }
        if !self.not_by_policy.is_empty() {
            writeln!(f, "{}", self.not_by_policy())?;
        }
        for (error, count) in &self.errors {
            writeln!(f, "error, {count} times: {error}")?;
        }
        let reached = percent(self.reached_judge, self.calls);
        writeln!(
            f,
            "reached the judge: {} ({reached}; wanted are {REACH_PERCENT} %)",
            grouped(self.reached_judge)
        )?;
        let by_policy = percent(self.judged_by_policy, self.calls);
        writeln!(
            f,
            "judged by policy: {} ({by_policy}); the rest of those had a target that could not be read, or none",
            grouped(self.judged_by_policy)
        )?;
        writeln!(
            f,
            "errors that are no verdict: {}",
            self.errors.values().sum::<u64>()
        )?;
        writeln!(
            f,
            "arguments that the strict reader refuses: {}",
            self.args_not_strict
        )?;
        writeln!(
            f,
            "results reported: {}, and {} approved calls whose end the recording does not hold",
            grouped(self.results_reported),
            grouped(self.ended_unknown)
        )?;
        writeln!(
            f,
            "results not reported: {}: only an approved call has an execution; the recorded run went on regardless",
            grouped(self.results_not_reported)
        )?;
        if let Some(latency) = &self.latency {
            let (p50, p99) = (shown(latency.p50_us), shown(latency.p99_us));
            writeln!(
                f,
                "a decision over http, {} runs at a time: p50 {p50}, p99 {p99}",
                self.jobs
            )?;
        }
        writeln!(
            f,
            "{:.1} s in all, turns and executions included: {:.0} calls/s ({} build)",
            self.elapsed_s, self.calls_per_s, self.build
        )?;
        writeln!(f, "\n{}", if self.passed { "passed" } else { "NOT PASSED" })
    }
}
