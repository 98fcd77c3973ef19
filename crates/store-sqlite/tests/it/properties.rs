//! What holds whatever is written: what is kept in memory is what the database holds, and a filter
//! finds what looking at every entry finds.

use crate::support::{Fixture, START_MS, credential, database, fresh_id, numbered, random};
use crate::wrapper::{Act, Wrapper};
use countersign_core::entry::{AnyEntry, Body, Revocation, RevocationEffect, RevocationScope};
use countersign_core::entry::{SessionClose, SessionOpen};
use countersign_core::names::ActorName;
use countersign_core::pseudonym::Pseudonym;
use countersign_core::time::Timestamp;
use countersign_ledger::index::{row_of, terms_of};
use countersign_ledger::store::{NotCommitted, StoreError};
use countersign_ledger::{Filter, Order, Page, ReadSet, StateKey, StepError, Store as _};
use countersign_merkle::LeafIndex;
use countersign_store_sqlite::SqliteStore;
use proptest::prelude::*;
use std::fs;

/// What happens to one unit that changes keys.
#[derive(Debug, Clone)]
enum Outcome {
    Commits,
    Refuses,
    IsFull,
    Fails,
    IsUnknownAndDone,
    IsUnknownAndUndone,
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        4 => Just(Outcome::Commits),
        1 => Just(Outcome::Refuses),
        1 => Just(Outcome::IsFull),
        1 => Just(Outcome::Fails),
        1 => Just(Outcome::IsUnknownAndDone),
        1 => Just(Outcome::IsUnknownAndUndone),
    ]
}

type Change = (u8, Option<u8>);

fn changes() -> impl Strategy<Value = Vec<Change>> {
    proptest::collection::vec((0_u8..6, proptest::option::of(any::<u8>())), 0..4)
}

fn key(n: u8) -> StateKey {
    StateKey::new(format!("key/{n}"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_is_kept_in_memory_is_what_the_database_holds(
        units in proptest::collection::vec((outcome(), changes(), 0_u8..8), 1..16),
    ) {
        let (fixture, wrapper) = Wrapper::fixture();
        let other = SqliteStore::open_read_only(&database(fixture.dir.path())).unwrap();
        for (outcome, changes, looked_at) in units {
            // So that some keys are kept from before and some are not.
            wrapper.state(&key(looked_at)).unwrap();
            let refuses = matches!(outcome, Outcome::Refuses);
            match outcome {
                Outcome::Commits | Outcome::Refuses => {}
                Outcome::IsFull => fixture.store.set_max_pages(1).unwrap(),
                Outcome::Fails => wrapper.then(Act::Fail(StoreError::NotCommitted {
                    reason: NotCommitted::Io,
                    detail: "as drawn".to_owned(),
                })),
                Outcome::IsUnknownAndDone => wrapper.then(Act::CommitThenUnknown),
                Outcome::IsUnknownAndUndone => wrapper.then(Act::NothingThenUnknown),
            }
            let id = fresh_id();
            // Large enough to need pages of its own.
            let _ = fixture.ledger.commit(ReadSet::none(), move |step| {
                step.push(id, numbered(1))?;
                for (n, value) in &changes {
                    match value {
                        Some(value) => step.put(key(*n), vec![*value; 9_000])?,
                        None => step.delete(key(*n))?,
                    }
                    step.state(&key(n.wrapping_add(1)))?;
                }
                if refuses {
                    return Err(StepError::refused("drawn"));
                }
                Ok(())
            });
            fixture.store.set_max_pages(1_000_000).unwrap();
            for n in 0..10 {
                let held = other.state(&key(n)).unwrap();
                prop_assert_eq!(fixture.store.state(&key(n)).unwrap(), held, "key {}", n);
            }
        }
    }
}

fn actor(first: bool) -> ActorName {
    let name = if first { "agent:a" } else { "agent:b" };
    name.parse().unwrap()
}

/// What an entry is found by, few values each, so that lists overlap.
fn body(n: u8, sessions: &[Pseudonym; 2]) -> Body {
    let [first, second] = *sessions;
    let session = if n & 1 == 0 { first } else { second };
    let credential = credential();
    match n % 7 {
        0 | 1 => Body::from(SessionOpen {
            session,
            credential,
        }),
        2 => Body::from(SessionClose {
            session,
            turns: 0,
            decisions: 0,
            executions: 0,
            credential: None,
        }),
        3 | 4 => Body::from(Revocation {
            scope: RevocationScope::Actor,
            effect: RevocationEffect::Stop,
            intent_ref: None,
            actor: Some(actor(n & 8 == 0)),
            credential,
        }),
        _ => numbered(u64::from(n)),
    }
}

#[derive(Debug, Clone)]
struct Query {
    kind: Option<u8>,
    session: Option<bool>,
    actor: Option<bool>,
    from: Option<i64>,
    until: Option<i64>,
    oldest_first: bool,
    after: Option<u64>,
    limit: usize,
}

fn a_query() -> impl Strategy<Value = Query> {
    (
        proptest::option::of(0_u8..4),
        proptest::option::weighted(0.4, any::<bool>()),
        proptest::option::weighted(0.2, any::<bool>()),
        proptest::option::weighted(0.3, 0_i64..30),
        proptest::option::weighted(0.3, 0_i64..30),
        any::<bool>(),
        proptest::option::weighted(0.4, 0_u64..1_500),
        prop_oneof![1_usize..8, Just(1_000)],
    )
        .prop_map(
            |(kind, session, actor, from, until, oldest_first, after, limit)| Query {
                kind,
                session,
                actor,
                from,
                until,
                oldest_first,
                after,
                limit,
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn a_filter_finds_what_looking_at_every_entry_finds(
        // Longer ones than a row of a list, or a run of hashes, holds.
        commits in proptest::collection::vec(
            (prop_oneof![4 => 1_usize..4, 1 => 100_usize..400], 0_i64..3, any::<u64>()),
            1..12,
        ),
        queries in proptest::collection::vec(a_query(), 40),
    ) {
        let fixture = Fixture::new();
        let sessions = [Pseudonym::fresh(random()), Pseudonym::fresh(random())];
        let mut now = START_MS;
        for (length, later, mut seed) in commits {
            now += later;
            fixture.clock.set(now);
            let bodies: Vec<Body> = (0..length)
                .map(|_| {
                    seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    body((seed >> 56) as u8, &sessions)
                })
                .collect();
            let ids: Vec<_> = bodies.iter().map(|_| fresh_id()).collect();
            fixture.ledger.commit(ReadSet::none(), move |step| {
                for (id, body) in ids.iter().zip(&bodies) {
                    step.push(*id, body.clone())?;
                }
                Ok(())
            }).unwrap();
        }
        let size = fixture.ledger.size().get();
        let all = fixture.ledger.leaves(0..size).unwrap();
        for query in queries {
            let kinds = ["session-open", "session-close", "revocation", "throttled"];
            let at = |ms: i64| Timestamp::from_millis(START_MS + ms);
            let filter = Filter {
                kind: query.kind.map(|n| kinds[usize::from(n)].to_owned()),
                session: query.session.map(|n| sessions[usize::from(n)]),
                actor: query.actor.map(actor),
                from: query.from.map(at),
                until: query.until.map(at),
                ..Filter::default()
            };
            let page = Page {
                order: if query.oldest_first { Order::OldestFirst } else { Order::NewestFirst },
                after: query.after.map(LeafIndex::new),
                limit: query.limit,
            };
            let terms = terms_of(&filter);
            let mut expected: Vec<_> = all
                .iter()
                .filter(|entry| {
                    let row = row_of(&AnyEntry::from_leaf(&entry.bytes).unwrap());
                    terms.iter().all(|term| row.terms.contains(term))
                        && filter.from.is_none_or(|from| row.time >= from)
                        && filter.until.is_none_or(|until| row.time < until)
                        && page.after.is_none_or(|after| match page.order {
                            Order::OldestFirst => entry.index > after,
                            Order::NewestFirst => entry.index < after,
                        })
                })
                .cloned()
                .collect();
            if page.order == Order::NewestFirst {
                expected.reverse();
            }
            expected.truncate(query.limit);
            let found = fixture.ledger.query(&filter, &page).unwrap();
            prop_assert_eq!(found.entries, expected, "{:?} {:?}", filter, page);
        }
    }
}

#[test]
fn the_log_of_sqlite_does_not_grow_for_ever() {
    const VALUE: usize = 1024 * 1024;
    const LONGEST: u64 = 48 * 1024 * 1024;
    let fixture = Fixture::new();
    let path = database(fixture.dir.path());
    let mut wal = path.into_os_string();
    wal.push("-wal");
    for n in 0..100_u8 {
        let id = fresh_id();
        let committed = fixture.ledger.commit(ReadSet::none(), move |step| {
            step.put(key(n), vec![n; VALUE])?;
            step.push(id, numbered(1)).map(|_| ())
        });
        committed.unwrap();
        let length = fs::metadata(&wal).unwrap().len();
        assert!(length < LONGEST, "{length} bytes after {n} commits");
    }
    for n in 0..100_u8 {
        let found = fixture.store.state(&key(n)).unwrap().unwrap();
        assert_eq!(found.value.unwrap(), vec![n; VALUE]);
    }
}
