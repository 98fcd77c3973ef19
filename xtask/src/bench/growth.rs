//! What an append and a lookup cost in a log of a thousand entries and in one of millions, and what
//! of the database each table takes.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use countersign_core::entry::{Body, SessionOpen};
use countersign_core::pseudonym::Pseudonym;
use countersign_core::time::Timestamp;
use countersign_keys::SystemRandom;
use countersign_ledger::{Filter, LogReader, Page};
use countersign_merkle::LeafIndex;
use serde::Serialize;

use super::cpu;
use super::opaque::{OpaqueLog, median};
use crate::error::Error;
use crate::stats::{Summary, micros};

/// The smallest log that is measured, and how much larger each next one is.
const FIRST: u64 = 1_000;
const FACTOR: u64 = 10;
/// Entries of a unit while the log grows.
const UNIT: u64 = 1_024;
/// Entries of a unit of which the cost is measured, and how many such units.
const MEASURED_UNIT: u64 = 64;
/// Every so many-th entry is of a session, and there are so many sessions.
const SESSION_EVERY: u64 = 16;
const SESSIONS: usize = 4;
/// Entries on the page that a filter asks for.
const LIMIT: usize = 10;

/// What was measured.
#[derive(Debug, Serialize)]
pub(super) struct GrowthReport {
    pub(super) sizes: Vec<Sized>,
    /// Bytes that each table and index takes of the database, per entry, at the last size.
    pub(super) tables: Vec<(String, f64)>,
    /// Bytes of the leaves alone, per entry.
    pub(super) leaf_bytes: f64,
    /// Bytes of the file, per entry.
    pub(super) file_bytes: f64,
}

/// What things cost at one size, in microseconds.
#[derive(Debug, Serialize)]
pub(super) struct Sized {
    pub(super) size: u64,
    /// CPU time of an entry, appended with others in one unit.
    pub(super) append_cpu_us: f64,
    /// Wall time of an append alone.
    pub(super) append_us: f64,
    pub(super) by_id_us: f64,
    pub(super) by_index_us: f64,
    pub(super) by_filter_us: f64,
    pub(super) by_two_us: f64,
    pub(super) by_time_us: f64,
    pub(super) proof_us: f64,
}

impl Sized {
    /// In the order of the table.
    pub(super) fn times(&self) -> [f64; 8] {
        [
            self.append_cpu_us,
            self.append_us,
            self.by_id_us,
            self.by_index_us,
            self.proof_us,
            self.by_filter_us,
            self.by_two_us,
            self.by_time_us,
        ]
    }
}

/// Measures up to `last` entries, each case for `time`.
pub(super) fn measure(dir: &Path, last: u64, time: Duration) -> Result<GrowthReport, Error> {
    let log = OpaqueLog::begin(dir)?;
    let sessions: Vec<Pseudonym> = (0..SESSIONS)
        .map(|_| Pseudonym::fresh(&SystemRandom))
        .collect();
    let mut sizes = Vec::new();
    let mut wanted = FIRST;
    while wanted <= last {
        eprintln!("growing to {wanted} entries");
        grow(&log, wanted, &sessions)?;
        sizes.push(at_size(&log, &sessions, time)?);
        wanted = wanted.saturating_mul(FACTOR);
    }
    let entries = log.reader().size().get() as f64;
    let (tables, leaves, file) = tables(log.path())?;
    let tables = tables.into_iter();
    Ok(GrowthReport {
        sizes,
        tables: tables
            .map(|(name, bytes)| (name, bytes / entries))
            .collect(),
        leaf_bytes: leaves / entries,
        file_bytes: file / entries,
    })
}

fn grow(log: &OpaqueLog, wanted: u64, sessions: &[Pseudonym]) -> Result<(), Error> {
    let mut sessions = sessions.iter().copied().cycle();
    loop {
        let lacking = wanted.saturating_sub(log.reader().size().get());
        if lacking == 0 {
            return Ok(());
        }
        let opened: Vec<Body> = (0..lacking.min(UNIT).div_ceil(SESSION_EVERY))
            .filter_map(|_| sessions.next().map(session))
            .collect();
        log.append(lacking.min(UNIT), opened)?;
    }
}

fn session(session: Pseudonym) -> Body {
    Body::from(SessionOpen {
        session,
        credential: super::opaque::credential(),
    })
}

fn at_size(log: &OpaqueLog, sessions: &[Pseudonym], time: Duration) -> Result<Sized, Error> {
    let reader = log.reader();
    let size = reader.size().get();
    let session = sessions.first().copied();
    let middle = entry_at(&reader, size / 2)?;
    let from = Some(middle.1);
    let kind = || Some("session-open".to_owned());
    // Sessions that are asked for by both stand between others of each.
    let by = |filter: Filter| {
        let reader = reader.clone();
        move |_: u64| {
            let page = Page {
                limit: LIMIT,
                ..Page::default()
            };
            let found = reader
                .query(&filter, &page)
                .map_err(Error::server("a query"))?;
            match found.entries.len() {
                LIMIT => Ok(()),
                other => Err(Error::server("a query")(format!("it found {other}"))),
            }
        }
    };
    let ids: Vec<_> = (0..256_u64)
        .map(|n| entry_at(&reader, scattered(n, size)).map(|(id, _)| id))
        .collect::<Result<_, _>>()?;
    let by_id_us = median_of(time, |n| {
        let id = usize::try_from(n).ok().and_then(|n| ids.get(n % ids.len()));
        let found = id.map(|id| reader.entry(*id)).transpose();
        found.map(drop).map_err(Error::server("a lookup"))
    })?;
    let by_index_us = median_of(time, |n| {
        let index = LeafIndex::new(scattered(n, size));
        reader
            .leaf(index)
            .map(drop)
            .map_err(Error::server("a lookup"))
    })?;
    let proof_us = median_of(time, |n| {
        let index = LeafIndex::new(scattered(n, size));
        reader
            .proof(index)
            .map(drop)
            .map_err(Error::server("a proof"))
    })?;
    let session_filter = Filter {
        session,
        ..Filter::default()
    };
    let by_filter_us = median_of(time, by(session_filter.clone()))?;
    let by_two_us = median_of(
        time,
        by(Filter {
            kind: kind(),
            ..session_filter
        }),
    )?;
    let by_time_us = median_of(
        time,
        by(Filter {
            from,
            ..Filter::default()
        }),
    )?;
    let (append_cpu_us, append_us) = appends(log, time)?;
    Ok(Sized {
        size,
        append_cpu_us,
        append_us,
        by_id_us,
        by_index_us,
        by_filter_us,
        by_two_us,
        by_time_us,
        proof_us,
    })
}

/// The median over units of the CPU time of an entry, and of the wall time of one that is alone.
fn appends(log: &OpaqueLog, time: Duration) -> Result<(f64, f64), Error> {
    let mut costs = Vec::new();
    let end = Instant::now() + time;
    while Instant::now() < end {
        let before = cpu::of_process();
        log.append(MEASURED_UNIT, Vec::new())?;
        let used = cpu::of_process().saturating_sub(before);
        costs.push(micros(used) / MEASURED_UNIT as f64);
    }
    let mut times = Vec::new();
    log.append_for(time, &mut times)?;
    let alone = Summary::of(times).map_or(f64::NAN, |summary| summary.p50_us);
    Ok((median(costs.into_iter()), alone))
}

fn median_of(time: Duration, mut ask: impl FnMut(u64) -> Result<(), Error>) -> Result<f64, Error> {
    let mut times = Vec::new();
    // The first time is not one that counts.
    ask(0)?;
    let end = Instant::now() + time;
    while Instant::now() < end {
        let begun = Instant::now();
        ask(times.len() as u64)?;
        times.push(begun.elapsed());
    }
    Ok(Summary::of(times).map_or(f64::NAN, |summary| summary.p50_us))
}

/// Indexes all over the log.
fn scattered(n: u64, size: u64) -> u64 {
    n.wrapping_mul(0x9e37_79b9_7f4a_7c15) % size.max(1)
}

fn entry_at(
    reader: &LogReader,
    index: u64,
) -> Result<(countersign_core::ids::EntryId, Timestamp), Error> {
    let failed = "a lookup";
    let found = reader.leaf(LeafIndex::new(index));
    let found = found.map_err(Error::server(failed))?;
    let found = found.ok_or_else(|| Error::server(failed)("an entry is missing"))?;
    let entry = countersign_core::entry::AnyEntry::from_leaf(&found.bytes);
    let entry = entry.map_err(Error::server(failed))?;
    Ok((found.entry_id, entry.timestamp()))
}

/// Bytes of each table and index, of the leaves' bytes alone, and of the file.
fn tables(path: &Path) -> Result<(BTreeMap<String, f64>, f64, f64), Error> {
    let failed = Error::server("the database");
    let usage = countersign_store_sqlite::usage(path).map_err(failed)?;
    let tables = usage.tables.into_iter();
    let tables = tables.map(|(name, bytes)| (name, bytes as f64)).collect();
    Ok((tables, usage.leaf_bytes as f64, usage.file_bytes as f64))
}
