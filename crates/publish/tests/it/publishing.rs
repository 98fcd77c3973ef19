//! Rounds: what is cosigned, what is published, and what stops the log.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use countersign_merkle::TreeSize;
use countersign_note::{Note, NoteSigner as _, PolicyOutcome};
use countersign_publish::{Publisher, RawAnswer, Transport, TransportError};
use countersign_verify::Contradiction;
use countersign_witness::{AddCheckpoint, LogName};

use crate::kit::{Here, Key, Log, PATIENCE, says, until, wait, witnessed};

fn ways(witnesses: &[&Arc<Here>]) -> Vec<Arc<dyn Transport>> {
    witnesses
        .iter()
        .map(|it| Arc::clone(it) as Arc<dyn Transport>)
        .collect()
}

#[test]
fn what_the_quorum_cosigned_is_published_and_kept() {
    let log = Log::new(3);
    let (first, second) = (Here::new(0), Here::new(1));
    let mut parts = log.parts("all", ways(&[&first, &second]));
    parts.is_required = true;
    parts.directory = Some(log.dir.path().join("public"));
    let policy = parts.policy.clone().unwrap();
    let (publisher, started) = Publisher::start(parts.clone()).unwrap();
    assert_eq!(started.silent(), "");
    for grown in [0, 1, 300] {
        log.append(grown);
        let size = log.ledger.size();
        let published = witnessed(publisher.board(), size.get());
        let note = Note::parse(published.note.as_bytes()).unwrap();
        let outcome = policy.evaluate(&note).unwrap();
        assert!(matches!(outcome, PolicyOutcome::Satisfied(it) if it.witnesses().len() == 2));
        assert_eq!(publisher.board().at(size).unwrap(), published);
        let kept = fs::read_to_string(log.kept()).unwrap();
        assert_eq!(kept, *published.note);
        let shown = log.dir.path().join("public/checkpoint");
        assert_eq!(fs::read_to_string(shown).unwrap(), kept);
    }
    let status = publisher.board().status();
    assert!(!status.is_failing() && !status.is_late());
    assert_eq!(status.witnesses[1].size, Some(log.ledger.size()));
    let newest = publisher.board().published().unwrap();
    drop(publisher);
    // After a restart it is what it was, also before any witness was asked again.
    for witness in [&first, &second] {
        witness.set(|mood| mood.is_away = true);
    }
    parts.is_required = false;
    let (publisher, _) = Publisher::start(parts).unwrap();
    assert_eq!(publisher.board().published().unwrap(), newest);
    assert!(publisher.board().witnessed().is_some());
}

#[test]
fn a_log_that_does_not_grow_is_not_sent_again() {
    let log = Log::new(3);
    let witness = Here::new(0);
    let (publisher, _) = Publisher::start(log.parts("1", ways(&[&witness]))).unwrap();
    witnessed(publisher.board(), 3);
    let asked = witness.asked();
    // Two rounds' time.
    assert_eq!(
        wait(publisher.board(), 99, Duration::from_millis(2_200)),
        None
    );
    assert_eq!(witness.asked(), asked);
}

#[test]
fn without_a_quorum_nothing_is_published_where_one_is_required() {
    let log = Log::new(3);
    let (first, second) = (Here::new(0), Here::new(1));
    let mut parts = log.parts("all", ways(&[&first, &second]));
    parts.is_required = true;
    let (publisher, _) = Publisher::start(parts).unwrap();
    let board = publisher.board();
    let before = witnessed(board, 3);
    second.set(|mood| mood.is_away = true);
    log.append(2);
    until("the failure is counted", || {
        let status = board.status();
        status.witnesses[1]
            .failures
            .get("unreachable")
            .is_some_and(|count| *count > 0)
    });
    assert_eq!(board.published().unwrap(), before);
    assert_eq!(board.status().lag, 2);
    assert_eq!(wait(board, 5, Duration::from_millis(100)), None);
    second.set(|mood| mood.is_away = false);
    let after = wait(board, 5, PATIENCE).unwrap();
    assert!(after.is_witnessed && after.size.get() == 5);
    assert_eq!(board.status().lag, 0);
    assert_eq!(board.status().witnesses[1].failing, None);
}

#[test]
fn where_none_is_required_it_is_published_with_what_came() {
    let log = Log::new(3);
    let (first, second) = (Here::new(0), Here::new(1));
    let (publisher, _) = Publisher::start(log.parts("all", ways(&[&first, &second]))).unwrap();
    let board = publisher.board();
    witnessed(board, 3);
    second.set(|mood| mood.is_away = true);
    log.append(1);
    until("it is published", || {
        board
            .published()
            .is_some_and(|it| it.size.get() == 4 && it.note.contains("/w0"))
    });
    assert!(!board.published().unwrap().is_witnessed);
    assert_eq!(board.witnessed().unwrap().size.get(), 3);
    // The cosignature that is missing comes later, to the same checkpoint.
    second.set(|mood| mood.is_away = false);
    let whole = witnessed(board, 4);
    assert!(whole.note.contains("/w0") && whole.note.contains("/w1"));
}

#[test]
fn a_witness_that_does_not_answer_holds_nobody_up() {
    let log = Log::new(3);
    let (first, stuck) = (Here::new(0), Here::new(1));
    let (publisher, _) = Publisher::start(log.parts("1", ways(&[&first, &stuck]))).unwrap();
    witnessed(publisher.board(), 3);
    stuck.set(|mood| mood.is_stuck = true);
    for _ in 0..2 {
        log.append(1);
        let size = log.ledger.size().get();
        let published = wait(publisher.board(), size, PATIENCE).unwrap();
        assert_eq!(published.size.get(), size);
    }
    stuck.set(|mood| mood.is_stuck = false);
}

#[test]
fn a_conflict_leads_to_where_the_witness_is() {
    let log = Log::new(3);
    let (first, second) = (Here::new(0), Here::new(1));
    // As another process with the same log would have left it; and it shows nothing.
    second.witness(&log);
    second.set(|mood| mood.is_hidden = true);
    log.append(40);
    let (publisher, started) =
        Publisher::start(log.parts("all", ways(&[&first, &second]))).unwrap();
    assert_eq!(started.silent(), "");
    log.append(1);
    witnessed(publisher.board(), 44);
}

#[test]
fn another_history_at_a_witness_stops_the_log_and_is_kept_for_strangers() {
    let (log, fork) = (Log::new(3), Log::new(9));
    let (first, second) = (Here::new(0), Here::new(1));
    second.set(|mood| mood.is_away = true);
    let (publisher, _) = Publisher::start(log.parts("1", ways(&[&first, &second]))).unwrap();
    witnessed(publisher.board(), 3);
    let released = log.ledger.size();
    // Meanwhile the second one met the other history, which is the longer one.
    second.witness(&fork);
    second.set(|mood| mood.is_away = false);
    until("the log is halted", || log.ledger.health().halted.is_some());
    let reason = log.ledger.health().halted.unwrap();
    assert!(
        reason.contains("`w1`") && reason.contains("9 entries"),
        "{reason}"
    );
    assert!(publisher.board().status().is_failing());
    let files: Vec<_> = fs::read_dir(log.evidence()).unwrap().collect();
    assert_eq!(files.len(), 1);
    let kept = fs::read(files[0].as_ref().unwrap().path()).unwrap();
    let kept = Contradiction::parse(&kept).unwrap();
    assert_eq!(
        kept.theirs.matches('\n').count(),
        kept.theirs.lines().count()
    );
    assert!(
        kept.theirs.starts_with("example.com/log\n9\n"),
        "{}",
        kept.theirs
    );
    assert_eq!(publisher.board().published().unwrap().size, released);
}

#[test]
fn a_shorter_fork_is_proven_to_whoever_has_the_key() {
    let (log, fork) = (Log::new(20), Log::new(9));
    let (first, second) = (Here::new(0), Here::new(1));
    second.set(|mood| mood.is_away = true);
    let (_publisher, _) = Publisher::start(log.parts("1", ways(&[&first, &second]))).unwrap();
    second.witness(&fork);
    second.set(|mood| mood.is_away = false);
    until("the log is halted", || log.ledger.health().halted.is_some());
    let file = fs::read_dir(log.evidence())
        .unwrap()
        .next()
        .unwrap()
        .unwrap();
    let kept = Contradiction::parse(&fs::read(file.path()).unwrap()).unwrap();
    let proven = kept.prove(&[Key::log().verifier_key().clone()]).unwrap();
    assert_eq!(
        (proven.sizes, proven.origin.as_str()),
        ((9, 20), "example.com/log")
    );
}

#[test]
fn a_claim_without_a_checkpoint_of_ours_does_not_stop_the_log() {
    let log = Log::new(3);
    let (first, liar) = (Here::new(0), Here::new(1));
    let (publisher, _) = Publisher::start(log.parts("1", ways(&[&first, &liar]))).unwrap();
    witnessed(publisher.board(), 3);
    let size = Some("text/x.tlog.size");
    for (lie, kind) in [
        (says(409, size, "1000\n"), "unproven"),
        (says(409, size, "3\n"), "unproven"),
        (says(409, None, "3\n"), "unproven"),
        (says(422, None, ""), "unproven"),
        (
            says(200, None, "\u{2014} witness.example/w1 AAAAAAAA\n"),
            "bad-signature",
        ),
        (says(200, None, "hello"), "malformed"),
        (says(404, None, ""), "unknown-log"),
    ] {
        liar.set(|mood| mood.says = Some(lie.clone()));
        let before = publisher.board().status().witnesses[1]
            .failures
            .get(kind)
            .copied();
        log.append(1);
        let board = publisher.board();
        until(&format!("{kind} for {lie:?}"), || {
            board.status().witnesses[1].failures.get(kind).copied() > before
        });
        assert_eq!(log.ledger.health().halted, None);
        let cosigned = witnessed(board, log.ledger.size().get());
        assert!(!cosigned.note.contains("/w1"), "{}", cosigned.note);
    }
    assert!(!log.evidence().exists());
    assert_eq!(publisher.board().at(TreeSize::new(9_999)), None);
}

#[test]
fn a_witness_that_cosigns_many_times_over_takes_no_room_from_the_others() {
    let log = Log::new(3);
    let (liar, first, second) = (Here::new(0), Here::new(1), Here::new(2));
    liar.set(|mood| mood.is_verbose = true);
    let mut parts = log.parts("3", ways(&[&liar, &first, &second]));
    parts.is_required = true;
    let (publisher, _) = Publisher::start(parts).unwrap();
    let published = witnessed(publisher.board(), 3);
    let note = Note::parse(published.note.as_bytes()).unwrap();
    // One of the log's and one of each witness.
    assert_eq!(note.signatures().len(), 4, "{}", published.note);
    log.append(1);
    assert!(wait(publisher.board(), 4, PATIENCE).is_some());
}

/// A witness to which somebody sends each newest checkpoint before the log does, as whoever has
/// receipts and reaches the witness can.
struct Raced {
    witness: Arc<Here>,
    ledger: Log,
    is_racing: AtomicBool,
    held: Mutex<TreeSize>,
}

impl Raced {
    fn new(n: u8, log: &Log) -> Arc<Self> {
        let ledger = Log {
            dir: tempfile::tempdir().unwrap(),
            ledger: Arc::clone(&log.ledger),
        };
        Arc::new(Self {
            witness: Here::new(n),
            is_racing: AtomicBool::new(false),
            held: Mutex::new(ledger.ledger.size()),
            ledger,
        })
    }
}

impl Transport for Raced {
    fn add_checkpoint(&self, body: &str) -> Result<RawAnswer, TransportError> {
        if self.is_racing.load(Ordering::Relaxed) {
            self.ledger.append(1);
            let mut held = self.held.lock().unwrap();
            let reader = self.ledger.ledger.reader();
            let proof = reader.consistency(*held, reader.size()).unwrap();
            let note = Note::parse(reader.checkpoint().as_bytes()).unwrap();
            let request = AddCheckpoint::new(*held, proof, note).unwrap();
            let answer = self.witness.add_checkpoint(&request.to_string()).unwrap();
            assert_eq!(answer.status, 200);
            *held = reader.size();
        }
        self.witness.add_checkpoint(body)
    }

    fn checkpoint(&self, name: &LogName) -> Result<RawAnswer, TransportError> {
        self.witness.checkpoint(name)
    }
}

#[test]
fn a_witness_that_others_keep_ahead_of_every_round_is_followed() {
    for honest in 0..2_u8 {
        let log = Log::new(3);
        let raced = Raced::new(0, &log);
        let mut ways: Vec<Arc<dyn Transport>> = vec![Arc::clone(&raced) as _];
        ways.extend((0..honest).map(|n| Here::new(n + 1) as Arc<dyn Transport>));
        let (publisher, _) = Publisher::start(log.parts("all", ways)).unwrap();
        witnessed(publisher.board(), 3);
        raced.is_racing.store(true, Ordering::Relaxed);
        log.append(1);
        let published = wait(publisher.board(), 4, PATIENCE).unwrap();
        assert!(published.is_witnessed && published.size.get() > 4);
        raced.is_racing.store(false, Ordering::Relaxed);
        witnessed(publisher.board(), log.ledger.size().get());
        assert_eq!(log.ledger.health().halted, None);
    }
}
