//! Detectors that hold an actor to its own past.

use countersign_core::document::WatchSettings;
use countersign_core::entry::{Detector, Severity};
use countersign_core::verdict::Outcome;

use crate::support::*;

const DAY_S: i64 = 86_400;

/// Numbers that are anything, and the same every time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

/// Days of 10 hours with `calls` calls each, `percent` of them rejected, each reported.
fn live(server: &mut Server, dice: &mut Dice, days: u32, calls: u32, percent: u64) {
    for _ in 0..days {
        let begun = server.now().as_millis();
        for n in 0..calls {
            let is_rejected = dice.below(100) < percent;
            let call = server.call(Call {
                outcome: if is_rejected {
                    Outcome::Rejected
                } else {
                    Outcome::Approved
                },
                of: Some((n % 200) as u8),
                targets: vec![dice.below(40) as u32],
                session: Some(n % 200),
                after_s: i64::from(36_000 / calls),
                ..Call::default()
            });
            if !is_rejected {
                server.ran(call, Some(n % 200));
            }
        }
        let spent = (server.now().as_millis() - begun) / 1000;
        server.wait(DAY_S - spent);
    }
}

fn of(server: &Server, detector: Detector) -> usize {
    let flags = server.flags();
    flags
        .iter()
        .filter(|flag| flag.detector == detector)
        .count()
}

#[test]
fn who_is_often_rejected_is_held_to_that() {
    let mut server = Server::new(settings(3, 600, 0));
    let mut dice = Dice(7);
    live(&mut server, &mut dice, 10, 600, 10);
    let learning = server.flags().len();
    assert!(learning > 0, "a newcomer is held to the floor");
    live(&mut server, &mut dice, 30, 600, 10);
    // Of 18,000 calls with 1,800 rejections, each of which is within minutes of others.
    let since = server.flags().len() - learning;
    assert!(since <= 3, "{since}");
    // Then something takes it over.
    live(&mut server, &mut dice, 1, 20, 0);
    let before = server.flags().len();
    let attempts: Vec<_> = (0..10).map(|n| server.rejected("a", Some(n), 5)).collect();
    let flags = server.flags();
    assert_eq!(flags.len(), before + 1);
    let flag = flags.last().unwrap();
    assert_eq!(flag.onset, attempts[0], "the first attempt, not the third");
    assert_eq!(flag.count, 7, "as many as it takes of such an actor");
}

#[test]
fn approvals_in_between_part_what_belongs_together_from_what_does_not() {
    let mut server = Server::new(settings(3, 600, 0));
    live(&mut server, &mut Dice(1), 10, 300, 0);
    server.rejected("a", Some(1), 1);
    for _ in 0..20 {
        server.call(Call::default());
    }
    let first = server.rejected("a", Some(1), 1);
    server.call(Call::default());
    server.rejected("a", Some(1), 1);
    server.rejected("a", Some(1), 1);
    assert!(
        server.flags().is_empty(),
        "of who has a past it takes one more"
    );
    server.rejected("a", Some(1), 1);
    let flags = server.flags();
    assert_eq!((flags.len(), flags[0].onset, flags[0].count), (1, first, 4));
}

#[test]
fn a_slow_burst_of_who_is_rarely_rejected_is_one_flag_from_the_first() {
    let mut server = Server::new(settings(3, 600, 0));
    live(&mut server, &mut Dice(2), 10, 40, 0);
    let attempts: Vec<_> = (0..20)
        .map(|n| {
            server.call(Call {
                of: Some(n),
                ..Call::default()
            });
            server.rejected("a", Some(n), 720)
        })
        .collect();
    let flags = server.flags();
    assert_eq!(
        (flags.len(), flags[0].onset, flags[0].count),
        (1, attempts[0], 4)
    );
    assert_eq!(flags[0].window_s, countersign_watch::limits::SLOW_WINDOW_S);
}

#[test]
fn the_same_call_again_counts_little() {
    for (targets, flags) in [(vec![1, 1, 1, 1], 0), (vec![1, 2, 3, 3], 1)] {
        let mut server = Server::new(settings(3, 600, 0));
        for target in &targets {
            server.call(Call {
                outcome: Outcome::Rejected,
                targets: vec![*target],
                ..Call::default()
            });
        }
        assert_eq!(server.flags().len(), flags, "{targets:?}");
    }
    // Yet whoever hammers is seen.
    let mut server = Server::new(settings(3, 600, 0));
    for _ in 0..17 {
        server.call(Call {
            outcome: Outcome::Rejected,
            targets: vec![1],
            ..Call::default()
        });
    }
    assert_eq!((server.flags().len(), server.flags()[0].count), (1, 17));
}

#[test]
fn a_week_without_incidents_raises_nothing() {
    let mut server = Server::new(WatchSettings::default());
    let mut dice = Dice(3);
    live(&mut server, &mut dice, 28, 400, 1);
    let flags: Vec<_> = server.flags().iter().map(|flag| flag.detector).collect();
    assert!(flags.len() <= 2, "{flags:?}");
}

fn with_past() -> Server {
    let mut server = Server::new(WatchSettings::default());
    live(&mut server, &mut Dice(5), 9, 200, 0);
    assert!(server.flags().is_empty(), "{:?}", server.flags());
    server
}

#[test]
fn a_new_target_stands_out_if_there_long_was_none() {
    let mut server = with_past();
    let first = server.call(Call {
        targets: vec![3, 1_000],
        ..Call::default()
    });
    let flag = &server.flags()[0];
    assert_eq!((flag.detector, flag.onset), (Detector::NovelTarget, first));
    assert_eq!(flag.target, Some(pseudonym("target", 1_000)));
    assert_eq!((flag.severity, flag.passed), (Severity::Notice, Some(1)));
    for n in 1_001..1_010 {
        server.call(Call {
            targets: vec![n],
            ..Call::default()
        });
    }
    assert_eq!(server.flags().len(), 1, "one incident that grows");
    // Who reaches new targets all the time is not held to it.
    let mut server = Server::new(WatchSettings::default());
    for n in 0..3_000 {
        server.call(Call {
            targets: vec![if n % 20 == 0 { n } else { 1 }],
            after_s: 900,
            ..Call::default()
        });
    }
    assert_eq!(of(&server, Detector::NovelTarget), 0);
}

#[test]
fn an_hour_at_which_the_actor_never_was_stands_out() {
    let mut server = with_past();
    // The days above begin at 08:00 and end at 18:00.
    let hours = (T0 / 3_600_000).rem_euclid(24);
    assert_eq!(hours, 8);
    server.wait(16 * 3_600);
    let ran = |server: &mut Server, after_s| {
        let call = server.call(Call {
            after_s,
            ..Call::default()
        });
        server.ran(call, None);
        call
    };
    let first = ran(&mut server, 1);
    for _ in 0..2 {
        ran(&mut server, 1);
    }
    assert!(server.flags().is_empty());
    ran(&mut server, 1);
    let flag = &server.flags()[0];
    assert_eq!((flag.detector, flag.onset), (Detector::OffHours, first));
    assert_eq!((flag.severity, flag.count), (Severity::Notice, 4));
    // The next hour belongs to it, and at the usual ones all is quiet.
    ran(&mut server, 3_500);
    live(&mut server, &mut Dice(6), 1, 0, 0);
    server.wait(-16 * 3_600 - 3_504);
    live(&mut server, &mut Dice(6), 2, 200, 0);
    assert_eq!(of(&server, Detector::OffHours), 1);
    assert_eq!(server.flags().len(), 1);
}

#[test]
fn a_burst_at_night_is_a_burst_and_nothing_else() {
    let mut server = with_past();
    server.wait(16 * 3_600);
    let attempts: Vec<_> = (0..8)
        .map(|n| {
            server.call(Call {
                outcome: Outcome::Rejected,
                targets: vec![500 + n],
                ..Call::default()
            })
        })
        .collect();
    let flags = server.flags();
    let burst = flags
        .iter()
        .find(|flag| flag.detector == Detector::Burst)
        .unwrap();
    assert_eq!(burst.onset, attempts[0]);
    // The first of them named a new target, before there was anything else to see.
    let others: Vec<_> = flags
        .iter()
        .filter(|flag| flag.severity > Severity::Notice)
        .collect();
    assert_eq!((flags.len(), others.len()), (2, 1), "{flags:?}");
}

#[test]
fn approved_calls_that_never_ran_stand_out_if_they_usually_do() {
    let mut server = with_past();
    let missing: Vec<_> = (0..4).map(|_| server.call(Call::default())).collect();
    server.tick(800_000);
    assert!(server.flags().is_empty(), "there is time yet");
    server.tick(200_000);
    let flag = &server.flags()[0];
    assert_eq!(flag.detector, Detector::MissingExecution);
    assert_eq!((flag.onset, flag.count), (missing[0], 3));
    assert_eq!(flag.entries, missing[..3]);
    // Where nobody reports anything, nothing is missing.
    let mut server = Server::new(WatchSettings::default());
    for _ in 0..1_000 {
        server.call(Call {
            after_s: 60,
            ..Call::default()
        });
    }
    server.tick(2_000_000);
    assert_eq!(of(&server, Detector::MissingExecution), 0);
}

#[test]
fn a_reader_that_opens_more_than_ever_is_noted() {
    let mut server = Server::new(WatchSettings::default());
    for _ in 0..10 {
        for _ in 0..6 {
            server.opened(1, 10, 200);
        }
        server.wait(DAY_S - 1_200);
    }
    assert!(server.flags().is_empty());
    let first = server.opened(2, 60, 10);
    server.opened(2, 50, 10);
    let flags = server.flags();
    assert_eq!(flags[0].detector, Detector::ReadingAround);
    assert_eq!(
        (flags[0].onset, flags[0].reader),
        (first, Some(credential(2)))
    );
    assert_eq!(
        (flags[0].severity, flags[0].stopped),
        (Severity::Notice, None)
    );
    // The first reader's own most is 60 an hour: 110 are not yet three times as many.
    server.opened(1, 60, 10);
    server.opened(1, 50, 10);
    assert_eq!(server.flags().len(), 1);
    server.opened(1, 60, 10);
    assert_eq!(server.flags().len(), 2);
    for _ in 0..8 {
        server.opened(1, 60, 10);
    }
    let graver = server
        .updates()
        .iter()
        .any(|update| update.severity == Some(Severity::Warning));
    assert!(graver);
}
