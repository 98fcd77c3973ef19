//! What is asked before a log goes on.

use std::fs;
use std::sync::Arc;

use countersign_publish::{Found, KeptError, Publisher, SetupError, StartError, Transport};

use crate::kit::{Here, Log, says, witnessed};

fn way(witness: &Arc<Here>) -> Arc<dyn Transport> {
    Arc::clone(witness) as Arc<dyn Transport>
}

fn refused(parts: countersign_publish::Parts) -> StartError {
    match Publisher::start(parts) {
        Ok(_) => panic!("it started"),
        Err(error) => error,
    }
}

#[test]
fn a_log_that_has_forgotten_what_was_cosigned_does_not_start() {
    for (held, ours) in [(9, 4), (4, 4), (4, 9)] {
        let (log, other) = (Log::new(ours), Log::new(held));
        let witness = Here::new(0);
        witness.witness(&other);
        let error = refused(log.parts("1", vec![way(&witness)]));
        assert!(error.is_contradiction(), "{error}");
        let text = error.to_string();
        assert!(
            text.contains(&log.ledger.checkpoint().to_string()),
            "{text}"
        );
        assert!(
            text.contains(&other.ledger.checkpoint().to_string()),
            "{text}"
        );
        assert!(matches!(
            error,
            StartError::Contradiction {
                evidence: Some(_),
                ..
            }
        ));
        assert_eq!(fs::read_dir(log.evidence()).unwrap().count(), 1);
        // The same from one that does not show what it holds.
        witness.set(|mood| mood.is_hidden = true);
        let error = refused(log.parts("1", vec![way(&witness)]));
        assert!(matches!(error, StartError::Claim { .. }), "{error}");
        assert!(error.is_contradiction() && error.hint().is_some());
    }
}

#[test]
fn witnesses_that_say_nothing_are_a_warning_or_a_refusal() {
    let log = Log::new(4);
    let (first, second) = (Here::new(0), Here::new(1));
    second.set(|mood| mood.is_away = true);
    let mut parts = log.parts("all", vec![way(&first), way(&second)]);
    let (publisher, started) = Publisher::start(parts.clone()).unwrap();
    assert!(matches!(started.witnesses[0].1, Found::Cosigned(size) if size.get() == 4));
    assert!(started.silent().contains("`w1`"), "{}", started.silent());
    drop(publisher);
    parts.is_required = true;
    assert!(matches!(refused(parts), StartError::Silent { silent } if silent.contains("`w1`")));
    // One that was not told of the log says nothing either.
    let mut parts = log.parts("1", vec![way(&first), way(&second)]);
    parts.is_required = true;
    first.set(|mood| mood.says = Some(says(404, None, "")));
    let error = refused(parts.clone());
    assert!(error.to_string().contains("knows no log"), "{error}");
    first.set(|mood| mood.says = None);
    let (publisher, _) = Publisher::start(parts).unwrap();
    witnessed(publisher.board(), 4);
}

#[test]
fn what_was_published_must_still_be_in_the_log() {
    let log = Log::new(4);
    let other = Log::new(9);
    let witness = Here::new(0);
    fs::write(log.kept(), other.ledger.checkpoint().as_bytes()).unwrap();
    let error = refused(log.parts("1", vec![way(&witness)]));
    assert!(
        matches!(error, StartError::Kept(KeptError::Contradiction { .. })),
        "{error}"
    );
    assert!(error.is_contradiction());
    fs::write(log.kept(), "rubbish").unwrap();
    let error = refused(log.parts("1", vec![way(&witness)]));
    assert!(
        matches!(error, StartError::Kept(KeptError::Foreign { .. })),
        "{error}"
    );
}

#[test]
fn a_policy_that_can_never_be_met_is_refused() {
    let log = Log::new(4);
    let witness = Here::new(0);
    let mut parts = log.parts("1", vec![way(&witness)]);
    parts.transports = vec![None];
    assert!(matches!(
        refused(parts.clone()),
        StartError::Setup(SetupError::OutOfReach)
    ));
    parts.transports = Vec::new();
    assert!(matches!(
        refused(parts.clone()),
        StartError::Setup(SetupError::Transports { .. })
    ));
    parts.policy = Some("quorum none\n".parse().unwrap());
    assert!(matches!(
        refused(parts),
        StartError::Setup(SetupError::NoQuorum)
    ));
    let mut none = log.parts("1", vec![way(&witness)]);
    none.policy = None;
    none.transports = Vec::new();
    none.directory = Some(log.dir.path().join("public"));
    let (publisher, _) = Publisher::start(none).unwrap();
    crate::kit::until("the directory is written", || {
        log.dir.path().join("public/checkpoint").exists()
    });
    assert!(publisher.board().witnessed().is_none());
    let status = publisher.board().status();
    assert!(!status.is_late() && status.lag == 0 && status.lag_time.is_zero());
}
