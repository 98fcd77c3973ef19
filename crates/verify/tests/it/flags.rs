//! Flags of every detector: what each may say, and lies about it.

use countersign_core::entry::*;
use countersign_core::ids::EntryId;
use countersign_core::names::ActorName;
use countersign_core::refs::{IntentRef, PolicyRef, Sha256};
use countersign_verify::{Check, Word};

use crate::log::{audit, publish, told, trust};
use crate::story::{Story, credential, entry_id, stands_for, story, x};

fn decision(story: &mut Story, name: &str) -> Decision {
    match &story.entry(name).body {
        Body::Decision(body) => body.clone(),
        _ => panic!("`{name}` is no decision"),
    }
}

/// A flag over these entries, as its detector would raise it.
fn flag(
    story: &mut Story,
    detector: Detector,
    entries: &[&str],
    fates: Option<(u32, u32)>,
) -> Flag {
    let entries: Vec<EntryId> = entries.iter().map(|name| story.id(name)).collect();
    Flag {
        detector,
        severity: Severity::Notice,
        actor: None,
        intent_ref: None,
        onset: entries[0],
        count: entries.len() as u32,
        entries,
        window_s: 600,
        policy_ref: decision(story, "approved").policy_ref,
        target: None,
        reader: None,
        turn: None,
        after: None,
        stopped: fates.map(|(stopped, _)| stopped),
        passed: fates.map(|(_, passed)| passed),
    }
}

const REJECTED: [&str; 3] = ["rejected 1", "rejected 2", "rejected 3"];

fn support() -> Option<ActorName> {
    Some(x("agent:support-v3"))
}

/// A true flag of each detector, but for `burst`, `unmandated` and `tool-changed` as well.
fn truth(story: &mut Story, detector: Detector) -> Flag {
    let rejected = decision(story, "rejected 1");
    let turn = rejected.intent_ref;
    let after = Some(story.id("finished"));
    let mut of_calls = |detector| Flag {
        turn,
        after,
        actor: support(),
        ..flag(story, detector, &REJECTED, Some((3, 0)))
    };
    match detector {
        Detector::Burst | Detector::OffHours => of_calls(detector),
        Detector::Retry => Flag {
            intent_ref: turn,
            ..of_calls(detector)
        },
        Detector::NovelTarget | Detector::Spread => Flag {
            target: Some(rejected.targets[0]),
            ..of_calls(detector)
        },
        Detector::ToolChanged => {
            for (name, entry) in &mut story.entries {
                if let Body::Decision(body) = &mut entry.body
                    && REJECTED.contains(name)
                {
                    body.reasons = vec![x("countersign.tool-changed")];
                }
            }
            Flag {
                actor: support(),
                ..flag(story, detector, &REJECTED, Some((3, 0)))
            }
        }
        Detector::Unmandated => Flag {
            actor: Some(decision(story, "unmandated").actor),
            ..flag(story, detector, &["unmandated"], Some((1, 0)))
        },
        Detector::MissingExecution => Flag {
            actor: support(),
            ..flag(story, detector, &["approved", "resolved"], Some((0, 2)))
        },
        Detector::UnapprovedExecution => Flag {
            actor: support(),
            turn,
            after,
            ..flag(story, detector, &["permit-refused"], None)
        },
        Detector::ReadingAround => {
            let reader = match &story.entry("shown").body {
                Body::VaultAccess(body) => Some(body.credential),
                _ => None,
            };
            Flag {
                reader,
                ..flag(story, detector, &["shown"], None)
            }
        }
        Detector::Loosened => Flag {
            actor: support(),
            policy_ref: second(story),
            ..flag(
                story,
                detector,
                &["rejected 1", "second in force"],
                Some((1, 0)),
            )
        },
    }
}

fn second(story: &mut Story) -> PolicyRef {
    match &story.entry("second in force").body {
        Body::Policy(body) => body.policy_ref,
        _ => panic!("no bundle"),
    }
}

/// The story with one more entry at its end.
fn with(story: &mut Story, n: usize, body: impl Into<Body>) -> EntryId {
    let mut entry = story.entries.last().unwrap().1.clone();
    entry.entry_id = entry_id(n);
    entry.body = body.into();
    story.entries.push(("told of", entry));
    entry_id(n)
}

#[test]
fn a_true_flag_of_every_detector_is_no_lie() {
    for detector in Detector::ALL {
        let mut story = story();
        let flag = truth(&mut story, *detector);
        with(&mut story, 910, flag);
        let report = audit(&publish(&story.leaves()), trust());
        assert_eq!(
            report.word,
            Word::Unanchored,
            "{detector}: {}",
            told(&report)
        );
    }
}

type Lie = fn(&mut Flag);

const BY_ALL: &[(&str, Lie)] = &[
    ("an entry that is not there", |f| {
        f.entries[0] = entry_id(999)
    }),
    ("an onset that is not there", |f| f.onset = entry_id(999)),
    ("fewer than are named", |f| {
        f.count = f.entries.len() as u32 - 1
    }),
    ("another turn", |f| f.turn = Some(zero())),
    ("another result", |f| f.after = Some(f.onset)),
    ("more that were stopped than there are", |f| {
        f.stopped = Some(f.count + 1);
        f.passed = Some(0);
    }),
    ("only one of the two numbers", |f| match f.stopped {
        Some(_) => f.passed = None,
        None => f.stopped = Some(0),
    }),
];

fn zero() -> IntentRef {
    Sha256::from_bytes([0; 32]).into()
}

const STRANGER: Lie = |f| f.actor = Some(x("agent:nobody"));
const NO_ACTOR: Lie = |f| f.actor = None;
const NO_TARGET: Lie = |f| f.target = None;
const OTHER_TARGET: Lie = |f| f.target = Some(stands_for(201));

const BY_DETECTOR: &[(Detector, &str, Lie)] = &[
    (Detector::Burst, "another's", STRANGER),
    (Detector::Burst, "nobody's", NO_ACTOR),
    (Detector::Burst, "one that passed", |f| {
        (f.stopped, f.passed) = (Some(2), Some(1))
    }),
    (Detector::Burst, "an opener", |f| {
        f.reader = Some(credential(1))
    }),
    (Detector::Retry, "another turn's", |f| {
        f.intent_ref = Some(zero())
    }),
    (Detector::Retry, "no turn's", |f| f.intent_ref = None),
    (Detector::OffHours, "another's", STRANGER),
    (Detector::OffHours, "nobody's", NO_ACTOR),
    (Detector::NovelTarget, "another's", STRANGER),
    (Detector::NovelTarget, "another target", OTHER_TARGET),
    (Detector::NovelTarget, "no target", NO_TARGET),
    (Detector::Burst, "a target", OTHER_TARGET),
    (Detector::ReadingAround, "a target", OTHER_TARGET),
    (Detector::Spread, "another target", OTHER_TARGET),
    (Detector::Spread, "no target", NO_TARGET),
    (Detector::ToolChanged, "another's", STRANGER),
    (Detector::Unmandated, "another's", STRANGER),
    (Detector::MissingExecution, "another's", STRANGER),
    (Detector::UnapprovedExecution, "another's", STRANGER),
    (
        Detector::UnapprovedExecution,
        "calls that were stopped",
        |f| (f.stopped, f.passed) = (Some(1), Some(0)),
    ),
    (Detector::ReadingAround, "another reader", |f| {
        f.reader = Some(credential(1))
    }),
    (Detector::ReadingAround, "no reader", |f| f.reader = None),
    (Detector::Loosened, "another's", STRANGER),
];

#[test]
fn a_lie_about_any_of_it_is_found() {
    let expect = |detector: Detector, what: &str, lie: Lie| {
        let mut story = story();
        let mut flag = truth(&mut story, detector);
        lie(&mut flag);
        with(&mut story, 910, flag);
        let report = audit(&publish(&story.leaves()), trust());
        let is_found = report
            .findings
            .iter()
            .any(|found| found.check == Check::Flag);
        assert!(is_found, "{detector}, {what}: {}", told(&report));
    };
    for detector in Detector::ALL {
        for (what, lie) in BY_ALL {
            expect(*detector, what, *lie);
        }
    }
    for (detector, what, lie) in BY_DETECTOR {
        expect(*detector, what, *lie);
    }
}

/// The entries of one detector under another one's name.
#[test]
fn what_another_detector_is_about_is_found() {
    use Detector::{
        Burst, Loosened, MissingExecution, ReadingAround, ToolChanged, UnapprovedExecution,
        Unmandated,
    };
    for (theirs, claimed) in [
        (Burst, MissingExecution),
        (Burst, ToolChanged),
        (Burst, Unmandated),
        (Burst, UnapprovedExecution),
        (Burst, Loosened),
        (MissingExecution, Burst),
        (UnapprovedExecution, Burst),
        (UnapprovedExecution, ReadingAround),
        (ReadingAround, UnapprovedExecution),
        (Loosened, Burst),
    ] {
        let mut story = story();
        let mut flag = truth(&mut story, theirs);
        flag.detector = claimed;
        with(&mut story, 910, flag);
        let report = audit(&publish(&story.leaves()), trust());
        let is_found = report
            .findings
            .iter()
            .any(|found| found.check == Check::Flag);
        assert!(is_found, "{theirs} as {claimed}: {}", told(&report));
    }
}

#[test]
fn what_became_of_a_flag_goes_one_way() {
    type Then = fn(&mut FlagUpdate, &mut FlagClose);
    let cases: &[(&str, bool, Then)] = &[
        ("as it is", true, |_, _| ()),
        ("milder than before", false, |up, _| {
            up.severity = Some(Severity::Notice)
        }),
        ("no graver than before", false, |up, _| {
            up.severity = Some(Severity::Warning)
        }),
        ("fewer stopped than before", false, |up, _| {
            up.stopped = Some(2)
        }),
        ("fewer stopped in the end", false, |_, end| {
            end.stopped = Some(2)
        }),
        ("fewer passed in the end", false, |_, end| {
            end.passed = Some(0)
        }),
        ("fewer in the end", false, |_, end| end.count = 3),
        ("more of them than there are", false, |up, _| {
            up.passed = Some(3)
        }),
        ("one passed that was stopped", false, |up, _| {
            (up.stopped, up.passed) = (Some(3), Some(2));
        }),
    ];
    for (what, is_true, then) in cases {
        let mut story = story();
        let mut raised = truth(&mut story, Detector::Burst);
        raised.severity = Severity::Warning;
        let links = Links {
            flag: Some(with(&mut story, 910, raised)),
            ..Links::default()
        };
        let entries = vec![story.id("rejected 4"), story.id("resolved")];
        let mut update = FlagUpdate {
            links: links.clone(),
            change: FlagChange::Grown,
            entries,
            count: 5,
            credential: None,
            severity: Some(Severity::Critical),
            stopped: Some(4),
            passed: Some(1),
        };
        let mut close = FlagClose {
            links,
            count: 6,
            credential: None,
            stopped: Some(5),
            passed: Some(1),
        };
        then(&mut update, &mut close);
        with(&mut story, 911, update);
        with(&mut story, 912, close);
        let report = audit(&publish(&story.leaves()), trust());
        let found = report
            .findings
            .iter()
            .any(|found| found.check == Check::Flag);
        assert_eq!(found, !is_true, "{what}: {}", told(&report));
    }
}
