//! Finding entries.

use crate::support::{Fixture, START_MS, credential, fresh_id, numbered, random};
use countersign_core::entry::{Body, Decision, Links, Mode, Surface};
use countersign_core::pseudonym::Pseudonym;
use countersign_core::refs::{IntentRef, Sha256};
use countersign_core::time::Timestamp;
use countersign_core::verdict::Outcome;
use countersign_ledger::{Filter, Order, Page, ReadSet};
use countersign_merkle::LeafIndex;

fn intent(n: u8) -> IntentRef {
    Sha256::of(&[n]).into()
}

fn decision(actor: &str, action: &str, outcome: Outcome) -> Decision {
    Decision {
        action: action.parse().unwrap(),
        actor: actor.parse().unwrap(),
        intent_ref: None,
        policy_ref: Sha256::of(b"policy").into(),
        outcome,
        reasons: vec!["some-rule".parse().unwrap()],
        call_ref: None,
        facts_ref: None,
        reasoning_ref: None,
        principal: None,
        session: None,
        targets: Vec::new(),
        counts: Vec::new(),
        credential: credential(),
        surface: Surface::Api,
        mode: Mode::Enforced,
        links: Links::default(),
        judge: "countersign 0.1.0".parse().unwrap(),
        claimed_intent_ref: None,
        actions: None,
        effective_call_ref: None,
    }
}

struct Log {
    fixture: Fixture,
    session: Pseudonym,
    target: Pseudonym,
}

/// The genesis, then 100 entries at one second each: decisions at the odd indexes.
fn log() -> Log {
    let fixture = Fixture::new();
    let (session, target) = (Pseudonym::fresh(random()), Pseudonym::fresh(random()));
    for n in 1..=100_u64 {
        fixture.clock.set(START_MS + n as i64 * 1000);
        let body = if n % 2 == 0 {
            numbered(n)
        } else {
            let actor = if n % 3 == 0 { "agent:a" } else { "agent:b" };
            let action = if n % 5 == 0 {
                "email.send"
            } else {
                "crm.lookup"
            };
            let outcome = if n % 7 == 0 {
                Outcome::Rejected
            } else {
                Outcome::Approved
            };
            let mut decision = decision(actor, action, outcome);
            decision.intent_ref = (n % 9 == 0).then(|| intent(1));
            decision.claimed_intent_ref = (n % 11 == 0).then(|| intent(1));
            decision.session = (n < 50).then_some(session);
            decision.targets = if n % 13 == 0 {
                vec![target, target]
            } else {
                Vec::new()
            };
            decision.actions = (n == 51).then(|| vec!["file.write".parse().unwrap()]);
            Body::from(decision)
        };
        let id = fresh_id();
        let push = move |step: &mut countersign_ledger::Step<'_>| step.push(id, body.clone());
        fixture.ledger.commit(ReadSet::none(), push).unwrap();
    }
    Log {
        fixture,
        session,
        target,
    }
}

impl Log {
    fn find(&self, filter: &Filter, order: Order, limit: usize) -> Vec<u64> {
        let mut found = Vec::new();
        let mut page = Page {
            order,
            after: None,
            limit,
        };
        loop {
            let answer = self.fixture.ledger.query(filter, &page).unwrap();
            assert!(answer.entries.len() <= limit);
            found.extend(answer.entries.iter().map(|entry| entry.index.get()));
            if answer.next.is_none() {
                return found;
            }
            assert_eq!(answer.entries.len(), limit, "only the last page is short");
            page.after = answer.next;
        }
    }

    /// Whatever the order and the page, the same entries are found.
    fn check(&self, filter: Filter, expected: impl Fn(u64) -> bool) {
        let expected: Vec<u64> = (0..=100).filter(|n| expected(*n)).collect();
        assert!(!expected.is_empty());
        for limit in [1, 3, 7, 1000] {
            assert_eq!(
                self.find(&filter, Order::OldestFirst, limit),
                expected,
                "{filter:?}"
            );
            let mut newest = self.find(&filter, Order::NewestFirst, limit);
            newest.reverse();
            assert_eq!(newest, expected, "{filter:?}");
        }
    }
}

#[test]
fn every_filter_finds_what_it_names_and_nothing_else() {
    let log = log();
    let time = |seconds: i64| Some(Timestamp::from_millis(START_MS + seconds * 1000));
    let none = Filter::default;
    let is_decision = |n: u64| n % 2 == 1;
    log.check(none(), |_| true);
    log.check(
        Filter {
            from: time(40),
            ..none()
        },
        |n| n >= 40,
    );
    log.check(
        Filter {
            until: time(40),
            ..none()
        },
        |n| n < 40,
    );
    log.check(
        Filter {
            from: time(10),
            until: time(40),
            ..none()
        },
        |n| (10..40).contains(&n),
    );
    log.check(
        Filter {
            kind: Some("decision".into()),
            ..none()
        },
        is_decision,
    );
    log.check(
        Filter {
            kind: Some("genesis".into()),
            ..none()
        },
        |n| n == 0,
    );
    log.check(
        Filter {
            actor: Some("agent:a".parse().unwrap()),
            ..none()
        },
        |n| is_decision(n) && n % 3 == 0,
    );
    log.check(
        Filter {
            action: Some("email.send".parse().unwrap()),
            ..none()
        },
        |n| is_decision(n) && n % 5 == 0,
    );
    log.check(
        Filter {
            action: Some("file.write".parse().unwrap()),
            ..none()
        },
        |n| n == 51,
    );
    log.check(
        Filter {
            outcome: Some(Outcome::Rejected),
            ..none()
        },
        |n| is_decision(n) && n % 7 == 0,
    );
    log.check(
        Filter {
            intent: Some(intent(1)),
            ..none()
        },
        |n| is_decision(n) && (n % 9 == 0 || n % 11 == 0),
    );
    log.check(
        Filter {
            session: Some(log.session),
            ..none()
        },
        |n| is_decision(n) && n < 50,
    );
    log.check(
        Filter {
            target: Some(log.target),
            ..none()
        },
        |n| is_decision(n) && n % 13 == 0,
    );
    log.check(
        Filter {
            from: time(10),
            until: time(90),
            actor: Some("agent:a".parse().unwrap()),
            action: Some("crm.lookup".parse().unwrap()),
            outcome: Some(Outcome::Approved),
            kind: Some("decision".into()),
            ..none()
        },
        |n| (10..90).contains(&n) && is_decision(n) && n % 3 == 0 && n % 5 != 0 && n % 7 != 0,
    );
}

#[test]
fn what_is_not_there_is_not_found() {
    let log = log();
    let never = Filter {
        from: Some(Timestamp::from_millis(START_MS + 1_000_000)),
        ..Filter::default()
    };
    let nobody = Filter {
        actor: Some("agent:c".parse().unwrap()),
        ..Filter::default()
    };
    let injected = Filter {
        kind: Some("decision' OR 1=1 --".into()),
        ..Filter::default()
    };
    for filter in [never, nobody, injected] {
        assert_eq!(log.find(&filter, Order::NewestFirst, 10), [0; 0]);
    }
    let ledger = &log.fixture.ledger;
    for (order, after) in [(Order::OldestFirst, u64::MAX), (Order::NewestFirst, 0)] {
        let page = Page {
            order,
            after: Some(LeafIndex::new(after)),
            limit: 10,
        };
        let found = ledger.query(&Filter::default(), &page).unwrap();
        assert_eq!((found.entries.len(), found.next), (0, None));
    }
    let page = Page {
        limit: usize::MAX,
        ..Page::default()
    };
    assert_eq!(
        ledger
            .query(&Filter::default(), &page)
            .unwrap()
            .entries
            .len(),
        101
    );
}
