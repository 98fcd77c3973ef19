//! The ledger alone: opaque entries of 512 bytes through sequencer and store, each durable, signed,
//! and with its proof in hand. Beside it, in turns, a bare `fdatasync` and what peers make of the
//! same entries.

use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use countersign_core::entry::{Body, Genesis, Part, split};
use countersign_core::ids::{CredentialId, EntryId};
use countersign_core::random::Random;
use countersign_core::time::Clock;
use countersign_keys::{KeyRing, SystemRandom};
use countersign_ledger::{
    CommitError, Committed, Ledger, LedgerParts, LogReader, ReadSet, StepError, Work,
};
use countersign_merkle::leaf_hash;
use countersign_note::{TlogProof, VerifierKey};
use countersign_service::SystemClock;
use countersign_store_sqlite::SqliteStore;
use serde::Serialize;

use super::cpu;
use super::disk::Page;
use super::peers::{Peer, PeerRound};
use crate::error::Error;
use crate::stats::{Summary, micros};

/// Bytes of an entry's leaf.
pub(super) const LEAF_BYTES: usize = 512;
/// How many clients ask at once.
const CLIENTS: [usize; 4] = [1, 16, 64, 256];
/// How long clients ask before they are measured: until the files no longer grow from nothing.
const WARM: u32 = 4;
/// The bare sync's share of the time that a case has.
const SYNC_SHARE: u32 = 2;
const ORIGIN: &str = "bench.example/opaque";

/// What was measured.
#[derive(Debug, Serialize)]
pub(super) struct OpaqueReport {
    pub(super) leaf_bytes: usize,
    pub(super) rounds: usize,
    pub(super) fdatasync: Summary,
    pub(super) cases: Vec<OpaqueCase>,
}

/// One case: medians over its rounds.
#[derive(Debug, Serialize)]
pub(super) struct OpaqueCase {
    pub(super) name: String,
    /// What a client knows when it was answered.
    pub(super) answer: String,
    pub(super) clients: usize,
    pub(super) entries: usize,
    pub(super) per_second: f64,
    pub(super) p50_us: f64,
    pub(super) p99_us: f64,
    /// CPU time of the whole process per entry, its clients included.
    pub(super) cpu_us: f64,
    pub(super) over_fdatasync: f64,
    /// Throughput of ours with as many clients over this, and this one's median over ours; of the
    /// rounds the medians.
    pub(super) ours_over: Option<(f64, f64)>,
}

/// How the clients of a case wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Waiting {
    /// Each is a thread.
    Threads,
    /// One thread is told of all answers, as a server that waits for none of them.
    Told,
}

impl Waiting {
    fn name(self) -> &'static str {
        match self {
            Self::Threads => "ours, a thread each",
            Self::Told => "ours, one thread for all",
        }
    }
}

/// What one round of a case came to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Round {
    pub(super) entries: usize,
    pub(super) per_second: f64,
    pub(super) p50_us: f64,
    pub(super) p99_us: f64,
    pub(super) cpu_us: f64,
}

struct Case {
    name: String,
    answer: String,
    clients: usize,
    rounds: Vec<Round>,
}

/// Measures in `dir`, with the peers that are given.
pub(super) fn measure(
    dir: &Path,
    round: Duration,
    rounds: usize,
    peers: &[Peer],
) -> Result<OpaqueReport, Error> {
    let mut ours = Vec::new();
    for clients in CLIENTS {
        for waiting in [Waiting::Threads, Waiting::Told] {
            let case = Case {
                name: waiting.name().to_owned(),
                answer: "durable, signed, proof".to_owned(),
                clients,
                rounds: Vec::new(),
            };
            ours.push((waiting, case));
        }
    }
    let log = OpaqueLog::begin(dir)?;
    let mut theirs = Vec::new();
    for peer in peers {
        for PeerRound { clients, wait } in peer.cases() {
            theirs.push((peer, wait, clients, Vec::new()));
        }
    }
    let mut page = Page::new(dir)?;
    let mut syncs = Vec::new();
    for number in 1..=rounds {
        eprintln!("round {number} of {rounds}");
        for (waiting, case) in &mut ours {
            page.sync_for(round / SYNC_SHARE, &mut syncs)?;
            let clients = case.clients;
            case.rounds.push(log.round(*waiting, clients, round)?);
        }
        for (peer, wait, clients, measured) in &mut theirs {
            measured.push(peer.round(wait, *clients, LEAF_BYTES, round)?);
        }
    }
    let fdatasync = Summary::of(syncs).ok_or_else(nothing)?;
    let mut cases: Vec<Case> = ours.into_iter().map(|(_, case)| case).collect();
    for (_, _, clients, measured) in theirs {
        let Some(first) = measured.first() else {
            return Err(nothing());
        };
        cases.push(Case {
            name: first.name.clone(),
            answer: first.answer.clone(),
            clients,
            rounds: measured.iter().map(|measured| measured.round()).collect(),
        });
    }
    let results = cases.iter().map(|case| case.result(&fdatasync, &cases));
    Ok(OpaqueReport {
        leaf_bytes: LEAF_BYTES,
        rounds,
        fdatasync,
        cases: results.collect(),
    })
}

impl Case {
    fn result(&self, fdatasync: &Summary, all: &[Self]) -> OpaqueCase {
        let ours = Waiting::Threads.name();
        let is_theirs = self.name != ours && self.name != Waiting::Told.name();
        let reference = all
            .iter()
            .find(|case| is_theirs && case.name == ours && case.clients == self.clients);
        let ratio = |of: fn(&Round, &Round) -> f64| {
            let pairs = reference.map_or(&[][..], |case| &case.rounds);
            median(pairs.iter().zip(&self.rounds).map(|(a, b)| of(a, b)))
        };
        let of = |part: fn(&Round) -> f64| median(self.rounds.iter().map(part));
        let p50_us = of(|round| round.p50_us);
        OpaqueCase {
            name: self.name.clone(),
            answer: self.answer.clone(),
            clients: self.clients,
            entries: self.rounds.iter().map(|round| round.entries).sum(),
            per_second: of(|round| round.per_second),
            p50_us,
            p99_us: of(|round| round.p99_us),
            cpu_us: of(|round| round.cpu_us),
            over_fdatasync: p50_us / fdatasync.p50_us.max(f64::EPSILON),
            ours_over: reference.map(|_| {
                (
                    ratio(|ours, theirs| ours.per_second / theirs.per_second),
                    ratio(|ours, theirs| theirs.p50_us / ours.p50_us),
                )
            }),
        }
    }
}

/// The median; of nothing, nothing.
pub(super) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match (values.get(middle), values.len() % 2) {
        (Some(value), 1) => *value,
        (Some(value), _) => {
            f64::midpoint(*value, values.get(middle - 1).copied().unwrap_or(*value))
        }
        (None, _) => f64::NAN,
    }
}

fn nothing() -> Error {
    Error::server("the measurement")("nothing was measured")
}

/// A log of opaque entries, in a directory of its own.
pub(super) struct OpaqueLog {
    ledger: Ledger,
    entry: Opaque,
    key: VerifierKey,
    path: PathBuf,
    // Removed at the end.
    _dir: tempfile::TempDir,
}

/// What an entry holds: a `part`, the one kind of entry that holds bytes which mean nothing to a log.
#[derive(Clone)]
pub(super) struct Opaque(Part);

impl OpaqueLog {
    pub(super) fn begin(dir: &Path) -> Result<Self, Error> {
        let failed = "the log";
        let made = tempfile::Builder::new()
            .prefix("opaque-")
            .tempdir_in(dir)
            .map_err(Error::io(dir))?;
        let origin = ORIGIN.parse().map_err(Error::server(failed))?;
        let keys = made.path().join("keys");
        let (keys, root) =
            KeyRing::create(&keys, &origin, &SystemRandom).map_err(Error::server(failed))?;
        let signer = keys.log_signer();
        let key = keys.log_key().clone();
        let text = |key: &VerifierKey| key.to_string().parse().map_err(Error::server(failed));
        let genesis = Genesis {
            origin,
            tenant: "bench".parse().map_err(Error::server(failed))?,
            root_key: text(root.verifier_key())?,
            log_key: text(&key)?,
            permit_key: keys.permit_key().map_err(Error::server(failed))?,
            predecessor: None,
            signature: "unsigned".parse().map_err(Error::server(failed))?,
        };
        let path = made.path().join("ledger.sqlite");
        let parts = LedgerParts {
            store: Arc::new(SqliteStore::create(&path).map_err(Error::server(failed))?),
            head_file: made.path().join("head"),
            signer: Arc::new(signer),
            second_signer: None,
            earlier_signer: None,
            clock: Arc::new(SystemClock),
            reserve: None,
        };
        let (ledger, _) = Ledger::create(parts, fresh_id(), genesis, |_| Ok(()))
            .map_err(Error::server(failed))?;
        let entry = Opaque::of_length(&ledger)?;
        Ok(Self {
            ledger,
            entry,
            key,
            path,
            _dir: made,
        })
    }

    pub(super) fn reader(&self) -> LogReader {
        self.ledger.reader()
    }

    /// The database.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Appends so many entries in one unit, the `others` among them.
    pub(super) fn append(&self, count: u64, others: Vec<Body>) -> Result<(), Error> {
        let entry = Body::from(self.entry.0.clone());
        let every = count / (others.len() as u64).saturating_add(1);
        let committed = self.ledger.commit(ReadSet::none(), move |step| {
            let mut others = others.iter();
            for n in 1..=count {
                let other = (n % every.max(1) == 0).then(|| others.next()).flatten();
                step.push(fresh_id(), other.unwrap_or(&entry).clone())?;
            }
            Ok(())
        });
        committed.map(drop).map_err(Error::server("an append"))
    }

    /// Appends one entry after the other for a while.
    pub(super) fn append_for(
        &self,
        time: Duration,
        times: &mut Vec<Duration>,
    ) -> Result<(), Error> {
        let end = Instant::now() + time;
        while Instant::now() < end {
            let begun = Instant::now();
            let answer = self.ledger.commit(ReadSet::none(), self.entry.work());
            checked(answer).map_err(Error::server("an append"))?;
            times.push(begun.elapsed());
        }
        Ok(())
    }

    fn round(&self, waiting: Waiting, clients: usize, time: Duration) -> Result<Round, Error> {
        let ask = |time| match waiting {
            Waiting::Threads => self.threads(clients, time),
            Waiting::Told => self.told(clients, time),
        };
        ask(time / WARM).map_err(Error::server("an append"))?;
        let (begun, before) = (Instant::now(), cpu::of_process());
        let times = ask(time).map_err(Error::server("an append"))?;
        let (elapsed, used) = (begun.elapsed(), cpu::of_process().saturating_sub(before));
        self.check_last()?;
        let summary = Summary::of(times).ok_or_else(nothing)?;
        Ok(Round {
            entries: summary.count,
            per_second: summary.count as f64 / elapsed.as_secs_f64().max(f64::EPSILON),
            p50_us: summary.p50_us,
            p99_us: summary.p99_us,
            cpu_us: micros(used) / summary.count as f64,
        })
    }

    fn threads(&self, clients: usize, time: Duration) -> Result<Vec<Duration>, CommitError> {
        let end = Instant::now() + time;
        std::thread::scope(|scope| {
            let clients: Vec<_> = (0..clients)
                .map(|_| {
                    scope.spawn(move || {
                        let mut times = Vec::new();
                        while Instant::now() < end {
                            let asked = Instant::now();
                            let answer = self.ledger.commit(ReadSet::none(), self.entry.work());
                            checked(answer)?;
                            times.push(asked.elapsed());
                        }
                        Ok(times)
                    })
                })
                .collect();
            let mut times = Vec::new();
            for client in clients {
                let halted = |_| {
                    let reason = "a client panicked".to_owned();
                    Err(CommitError::Halted { reason })
                };
                times.extend(client.join().unwrap_or_else(halted)?);
            }
            Ok(times)
        })
    }

    fn told(&self, clients: usize, time: Duration) -> Result<Vec<Duration>, CommitError> {
        let end = Instant::now() + time;
        let (told, answers) = mpsc::channel();
        let ask = || {
            let (asked, told) = (Instant::now(), told.clone());
            let done = Box::new(move |answer| {
                // Nobody listens any more only after an error.
                let _ = told.send((asked, answer));
            });
            let work: Work<()> = Box::new(self.entry.work());
            self.ledger.submit(ReadSet::none(), work, done);
        };
        (0..clients).for_each(|_| ask());
        let (mut times, mut waiting) = (Vec::new(), clients);
        for (asked, answer) in &answers {
            checked(answer)?;
            times.push(asked.elapsed());
            if Instant::now() < end {
                ask();
            } else {
                waiting -= 1;
            }
            if waiting == 0 {
                break;
            }
        }
        Ok(times)
    }

    /// Checks one proof as a stranger would, so that what is measured is known to be one.
    fn check_last(&self) -> Result<(), Error> {
        let failed = "a proof";
        let answer = self.ledger.commit(ReadSet::none(), self.entry.work());
        let answer = answer.map_err(Error::server(failed))?;
        for entry in &answer.entries {
            let proof = TlogProof::parse(&entry.proof).map_err(Error::server(failed))?;
            let keys = std::slice::from_ref(&self.key);
            let checked = proof.verify(&leaf_hash(&entry.leaf), keys);
            checked.map_err(Error::server(failed))?;
            if entry.leaf.len() != LEAF_BYTES {
                let found = format!("a leaf has {} bytes", entry.leaf.len());
                return Err(Error::server(failed)(found));
            }
        }
        Ok(())
    }
}

/// Takes the proof into the hand: its text is there when this returns.
fn checked(answer: Result<Committed<()>, CommitError>) -> Result<(), CommitError> {
    let answer = answer?;
    let length: usize = answer.entries.iter().map(|entry| entry.proof.len()).sum();
    std::hint::black_box(length);
    Ok(())
}

impl Opaque {
    /// One whose leaf has [`LEAF_BYTES`].
    fn of_length(ledger: &Ledger) -> Result<Self, Error> {
        let failed = "an entry";
        for bytes in 1..LEAF_BYTES {
            let Some(part) = split(&vec![0x5a; bytes]).pop() else {
                continue;
            };
            // Digits make up for what base64 rounds.
            for n in [0, 10, 100, 1_000] {
                let entry = Self(Part { n, ..part.clone() });
                let entry_for = entry.clone();
                let answer = ledger.commit(ReadSet::none(), move |step| {
                    let leaf = countersign_core::entry::Entry {
                        entry_id: fresh_id(),
                        timestamp: step.now(),
                        body: Body::from(entry_for.0.clone()),
                    };
                    leaf.to_leaf()
                        .map(|leaf| leaf.as_bytes().len())
                        .map_err(StepError::from)
                });
                if answer.map_err(Error::server(failed))?.value == LEAF_BYTES {
                    return Ok(entry);
                }
            }
        }
        Err(Error::server(failed)("none has the length"))
    }

    fn work(
        &self,
    ) -> impl Fn(&mut countersign_ledger::Step<'_>) -> Result<(), StepError> + Send + 'static {
        let (id, part) = (fresh_id(), self.0.clone());
        move |step| step.push(id, part.clone()).map(|_| ())
    }
}

/// A credential that nobody has.
pub(super) fn credential() -> CredentialId {
    CredentialId::fresh(SystemClock.now(), &SystemRandom)
}

fn fresh_id() -> EntryId {
    let random: &dyn Random = &SystemRandom;
    EntryId::fresh(SystemClock.now(), random)
}
