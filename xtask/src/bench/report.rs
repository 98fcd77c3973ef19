//! What was measured, in words and as JSON.

use serde::Serialize;

use super::durable::DurableReport;
use super::growth::GrowthReport;
use super::judge::JudgeReport;
use super::machine::Machine;
use super::opaque::OpaqueReport;
use crate::error::Error;
use crate::stats::{Summary, shown};
use crate::table::{Table, grouped};

/// What was measured.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    machine: Machine,
    /// Whether each case ran only for a moment; then the numbers mean nothing.
    smoke: bool,
    pub(super) judge: Option<JudgeReport>,
    pub(super) durable: Option<DurableReport>,
    pub(super) ledger: Option<OpaqueReport>,
    pub(super) growth: Option<GrowthReport>,
}

impl Report {
    pub(super) fn new(machine: Machine, smoke: bool) -> Self {
        Self {
            machine,
            smoke,
            judge: None,
            durable: None,
            ledger: None,
            growth: None,
        }
    }

    pub(super) fn json(&self) -> Result<String, Error> {
        serde_json::to_string_pretty(self).map_err(Error::server("the report"))
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write_head(&self.machine, self.smoke, f)?;
        if let Some(judge) = &self.judge {
            write_judge(judge, f)?;
        }
        if let Some(durable) = &self.durable {
            write_durable(durable, f)?;
        }
        if let Some(ledger) = &self.ledger {
            writeln!(f, "{ledger}")?;
        }
        if let Some(growth) = &self.growth {
            writeln!(f, "{growth}")?;
        }
        Ok(())
    }
}

/// What a report begins with.
pub(super) fn write_head(
    machine: &Machine,
    is_smoke: bool,
    f: &mut std::fmt::Formatter<'_>,
) -> std::fmt::Result {
    writeln!(f, "{machine}\n")?;
    if is_smoke {
        writeln!(
            f,
            "A smoke run: each case ran, and the numbers mean nothing.\n"
        )?;
    }
    Ok(())
}

/// Cases, one below the other; `counted` heads the column of how often each was measured.
pub(super) fn write_cases(
    counted: &str,
    cases: &[(&str, &Summary)],
    f: &mut std::fmt::Formatter<'_>,
) -> std::fmt::Result {
    let mut table = Table::new(&["", counted, ">p50", ">p99"]);
    for (what, summary) in cases {
        table.row(vec![
            (*what).to_owned(),
            summary.count.to_string(),
            shown(summary.p50_us),
            shown(summary.p99_us),
        ]);
    }
    writeln!(f, "{table}")
}

fn write_judge(judge: &JudgeReport, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
    writeln!(f, "## The judge alone\n")?;
    writeln!(
        f,
        "CPU time of the one thread. Inside the timer: drawing the facts (schema check, targets, sources, Cedar \
         contexts) from a turn and results that are parsed already, as they are once each; the verdict; the entry, its \
         canonical JSON and its leaf hash. Outside: reading the request, sealing, signing, the commit. The turn names what \
         the arguments hold: the targets, a ticket (an identity), a day (a quantity), and the link and the address with \
         which the body (a text) begins. Results are six labelled mails of 2 kB together; of ten results, one holds the \
         address that is written to. Policies are spread over {} actions; `open` forbids name only the group that all \
         actions are in, so that all are evaluated. Each stage holds one reading of the clock, {}, not subtracted. Stages \
         are medians.\n",
        super::setting::ACTIONS,
        shown(judge.clock_us)
    )?;
    let mut table = Table::new(&[
        ">policies",
        "scopes",
        ">targets",
        ">arguments",
        ">results",
        ">p50",
        ">p99",
        ">facts",
        ">verdict",
        ">leaf",
        ">times",
    ]);
    for case in &judge.cases {
        table.row(vec![
            grouped(count(case.policies)),
            if case.sliced { "named" } else { "open" }.to_owned(),
            case.targets.to_string(),
            format!("{} kB", case.args_bytes / 1_000),
            case.results.to_string(),
            shown(case.all.p50_us),
            shown(case.all.p99_us),
            shown(case.facts.p50_us),
            shown(case.verdict.p50_us),
            shown(case.leaf.p50_us),
            grouped(count(case.all.count)),
        ]);
    }
    writeln!(f, "{table}")
}

fn write_durable(durable: &DurableReport, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
    writeln!(f, "## A decision with its durable commit\n")?;
    writeln!(
        f,
        "Wall time, from the request's bytes to the answer with proof and permit: everything is inside the timer. {} \
         policies over {} actions, one target, {} bytes of arguments, each client under a turn of its own; each asks again \
         as soon as it was answered. Over HTTP the clients are kept connections, served by one thread of the same process \
         on the same CPUs that looks at little but the outcome; `CPU` is the whole process's per decision, that thread \
         included, and `of that load` what the thread used. In process each client is a thread. A commit is SQLite's, \
         and then the head file's: two waits for the disk. The bare `fdatasync` overwrites 4 KiB of a file that is there; \
         it takes turns with the cases.\n",
        durable.policies,
        super::setting::ACTIONS,
        grouped(count(durable.args_bytes))
    )?;
    let mut table = Table::new(&[
        "path",
        ">at once",
        ">p50",
        ">p99",
        ">decisions/s",
        ">CPU",
        ">of that load",
        ">p50 / fdatasync",
        ">times",
    ]);
    let sync = &durable.fdatasync;
    table.row(vec![
        "bare `fdatasync`".to_owned(),
        "1".to_owned(),
        shown(sync.p50_us),
        shown(sync.p99_us),
        "–".to_owned(),
        "–".to_owned(),
        "–".to_owned(),
        "1.0".to_owned(),
        grouped(count(sync.count)),
    ]);
    for case in &durable.cases {
        table.row(vec![
            case.path.to_owned(),
            case.clients.to_string(),
            shown(case.wall.p50_us),
            shown(case.wall.p99_us),
            format!("{:.0}", case.per_second),
            shown(case.cpu_us),
            case.cpu_of_load_us.map_or("–".to_owned(), shown),
            format!("{:.1}", case.over_fdatasync),
            grouped(count(case.wall.count)),
        ]);
    }
    writeln!(f, "{table}")
}

fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}
