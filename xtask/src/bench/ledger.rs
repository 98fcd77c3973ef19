//! The benches of the ledger alone, as they are asked for and as they are told.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::growth::{self, GrowthReport};
use super::opaque::{self, OpaqueReport};
use super::peers::Peer;
use crate::error::Error;
use crate::stats::shown;
use crate::table::{Table, grouped};

/// What the benches of the ledger take.
#[derive(clap::Args)]
pub(super) struct LedgerArguments {
    /// With `ledger`: the program of `tools/bench-peers/tessera`, to run in turns.
    #[arg(long, value_name = "PROGRAM")]
    tessera: Option<PathBuf>,
    /// With `ledger`: the program of `tools/bench-peers/immudb`, to run in turns.
    #[arg(long, value_name = "PROGRAM")]
    immudb: Option<PathBuf>,
    /// With `ledger`: how many rounds.
    #[arg(long, value_name = "N", default_value_t = ROUNDS)]
    rounds: usize,
    /// With `ledger`: how long each case of a round takes, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = ROUND_MS)]
    round_ms: u64,
    /// With `growth`: the size up to which the log grows. By default a million.
    #[arg(long, value_name = "ENTRIES")]
    up_to: Option<u64>,
}

/// How long each round of each case takes, and how many rounds there are.
const ROUND_MS: u64 = 1_500;
const ROUNDS: usize = 5;
/// How long each lookup is measured, and how large the log grows.
const LOOKUP: Duration = Duration::from_millis(500);
const ENTRIES: u64 = 1_000_000;

/// In a smoke run.
const SMOKE_TIME: Duration = Duration::from_millis(20);
const SMOKE_ENTRIES: u64 = 100_000;

pub(super) fn opaque(
    arguments: &LedgerArguments,
    dir: &Path,
    smoke: bool,
) -> Result<OpaqueReport, Error> {
    let mut peers = Vec::new();
    if let Some(program) = &arguments.tessera {
        peers.push(Peer::tessera(program, dir)?);
    }
    if let Some(program) = &arguments.immudb {
        peers.push(Peer::immudb(program, dir)?);
    }
    match smoke {
        true => opaque::measure(dir, SMOKE_TIME, 1, &peers),
        false => {
            let round = Duration::from_millis(arguments.round_ms);
            opaque::measure(dir, round, arguments.rounds, &peers)
        }
    }
}

pub(super) fn growth(
    arguments: &LedgerArguments,
    dir: &Path,
    smoke: bool,
) -> Result<GrowthReport, Error> {
    match smoke {
        true => growth::measure(dir, arguments.up_to.unwrap_or(SMOKE_ENTRIES), SMOKE_TIME),
        false => growth::measure(dir, arguments.up_to.unwrap_or(ENTRIES), LOOKUP),
    }
}

impl fmt::Display for OpaqueReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "## The ledger alone\n")?;
        writeln!(
            f,
            "Opaque entries (kind `part`) of {} bytes through sequencer and store, appended by closed-loop clients of the \
             same process; {} rounds, in which all cases take turns; medians of rounds. An answer of ours means: durable in \
             the database and recorded in the head file, under a signed checkpoint, with the text of its inclusion proof in \
             hand. `CPU` is the whole process's per entry, clients included. A peer is a process of its own with clients \
             within it; what its answer means stands in the second column. `ours over it` is, with as many clients, our \
             throughput (a thread each) over its, and its median over ours.\n",
            self.leaf_bytes, self.rounds
        )?;
        let mut table = Table::new(&[
            "log",
            "an answer means",
            ">clients",
            ">entries/s",
            ">p50",
            ">p99",
            ">CPU",
            ">p50 / fdatasync",
            ">ours over it",
            ">entries",
        ]);
        let none = || "–".to_owned();
        table.row(vec![
            "bare `fdatasync`".to_owned(),
            "4 KiB overwritten".to_owned(),
            "1".to_owned(),
            none(),
            shown(self.fdatasync.p50_us),
            shown(self.fdatasync.p99_us),
            none(),
            "1.0".to_owned(),
            none(),
            grouped(self.fdatasync.count as u64),
        ]);
        for case in &self.cases {
            let over =
                |(throughput, median): (f64, f64)| format!("{throughput:.1} ×, {median:.1} ×");
            table.row(vec![
                case.name.clone(),
                case.answer.clone(),
                case.clients.to_string(),
                format!("{:.0}", case.per_second),
                shown(case.p50_us),
                shown(case.p99_us),
                shown(case.cpu_us),
                format!("{:.1}", case.over_fdatasync),
                case.ours_over.map_or_else(none, over),
                grouped(case.entries as u64),
            ]);
        }
        writeln!(f, "{table}")
    }
}

impl fmt::Display for GrowthReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "## As the log grows\n")?;
        writeln!(
            f,
            "Medians. `append, CPU` is CPU time of the process per entry in units of 64; `append` the wall time of one entry \
             alone. Lookups are of entries all over the log, each held against its leaf hash: by id; by index; a proof; the \
             newest ten of a session, of a kind and a session, and of a time (from the middle of the log on).\n"
        )?;
        let mut table = Table::new(&[
            ">entries",
            ">append, CPU",
            ">append",
            ">by id",
            ">by index",
            ">proof",
            ">by session",
            ">by kind, session",
            ">by time",
        ]);
        for size in &self.sizes {
            let mut row = vec![grouped(size.size)];
            let times = size.times();
            row.extend(times.map(shown));
            table.row(row);
        }
        if let (Some(first), Some(last)) = (self.sizes.first(), self.sizes.last()) {
            let mut row = vec!["last / first".to_owned()];
            let pairs = first.times().into_iter().zip(last.times());
            row.extend(pairs.map(|(first, last)| format!("{:.2}", last / first)));
            table.row(row);
        }
        writeln!(f, "{table}")?;
        writeln!(
            f,
            "The database holds {:.0} bytes per entry, of which {:.0} are the leaf. By table and index, bytes per entry:\n",
            self.file_bytes, self.leaf_bytes
        )?;
        let mut table = Table::new(&["table or index", ">bytes per entry"]);
        for (name, bytes) in &self.tables {
            table.row(vec![format!("`{name}`"), format!("{bytes:.1}")]);
        }
        writeln!(f, "{table}")
    }
}
