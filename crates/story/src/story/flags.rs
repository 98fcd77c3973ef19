//! A flag of every detector, with all that each may say, and what became of the first.

use super::*;

/// What follows the story and its sealed records, if somebody watches.
pub fn flags(story: &mut Story) {
    let changed = Decision {
        reasons: vec![x("countersign.tool-changed")],
        policy_ref: bundle("careful").reference().unwrap(),
        ..unmandated(story, 26)
    };
    story.push("changed tool", changed);
    for detector in Detector::ALL {
        let flag = flag_of(story, *detector);
        story.push(name_of(*detector), flag);
    }
    let about = link(|l| l.flag = Some(story.id("flag: burst")));
    let grown = FlagUpdate {
        links: about.clone(),
        change: FlagChange::Grown,
        entries: ["rejected 4", "resolved"].map(|name| story.id(name)).into(),
        count: 5,
        credential: None,
        severity: Some(Severity::Critical),
        stopped: Some(4),
        passed: Some(1),
    };
    story.push("burst grown", grown);
    let close = FlagClose {
        links: about,
        count: 6,
        credential: None,
        stopped: Some(5),
        passed: Some(1),
    };
    story.push("burst closed", close);
}

/// The name of its flag's entry.
fn name_of(detector: Detector) -> &'static str {
    match detector {
        Detector::Burst => "flag: burst",
        Detector::Unmandated => "flag: unmandated",
        Detector::Retry => "flag: retry",
        Detector::NovelTarget => "flag: novel target",
        Detector::OffHours => "flag: off hours",
        Detector::Spread => "flag: spread",
        Detector::ToolChanged => "flag: tool changed",
        Detector::MissingExecution => "flag: missing execution",
        Detector::UnapprovedExecution => "flag: unapproved execution",
        Detector::ReadingAround => "flag: reading around",
        Detector::Loosened => "flag: loosened",
    }
}

/// A flag that says nothing but what is true, and all that its detector can say.
fn flag_of(story: &Story, detector: Detector) -> Flag {
    let turn = turn(1, None).reference().unwrap();
    let rejected = ["rejected 1", "rejected 2", "rejected 3"];
    let of_calls = Flag {
        actor: Some(x("agent:support-v3")),
        turn: Some(turn),
        after: Some(story.id("finished")),
        ..flag(story, detector, &rejected, Some((3, 0)))
    };
    let with_target = |flag| Flag {
        target: Some(stands_for(TARGET)),
        ..flag
    };
    // What stands in no session has no turn and no result before it.
    let alone = |names: &[&str], fates| Flag {
        actor: Some(x("agent:support-v3")),
        ..flag(story, detector, names, fates)
    };
    match detector {
        Detector::Burst | Detector::OffHours => of_calls,
        Detector::Retry => Flag {
            intent_ref: Some(turn),
            ..of_calls
        },
        Detector::NovelTarget | Detector::Spread => with_target(of_calls),
        Detector::ToolChanged => alone(&["changed tool"], Some((1, 0))),
        Detector::Unmandated => alone(&["unmandated", "changed tool"], Some((2, 0))),
        Detector::MissingExecution => alone(&["approved", "resolved"], Some((0, 2))),
        Detector::UnapprovedExecution => Flag {
            stopped: None,
            passed: None,
            ..of_calls_named(story, of_calls, &["permit-refused"])
        },
        Detector::ReadingAround => Flag {
            reader: Some(credential(READER)),
            ..flag(story, detector, &["vault-access", "opened by two"], None)
        },
        Detector::Loosened => Flag {
            policy_ref: bundle("second").reference().unwrap(),
            ..alone(&["rejected 1", "second in force"], Some((1, 0)))
        },
    }
}

/// The same flag over these entries.
fn of_calls_named(story: &Story, flag: Flag, names: &[&str]) -> Flag {
    let Flag {
        onset,
        entries,
        count,
        ..
    } = self::flag(story, flag.detector, names, None);
    Flag {
        onset,
        entries,
        count,
        ..flag
    }
}

/// A flag over these entries, of which so many were stopped and so many passed.
fn flag(story: &Story, detector: Detector, names: &[&str], fates: Option<(u32, u32)>) -> Flag {
    let entries: Vec<EntryId> = names.iter().map(|name| story.id(name)).collect();
    Flag {
        detector,
        severity: Severity::Notice,
        actor: None,
        intent_ref: None,
        onset: entries[0],
        count: entries.len() as u32,
        entries,
        window_s: 600,
        policy_ref: bundle("careful").reference().unwrap(),
        target: None,
        reader: None,
        turn: None,
        after: None,
        stopped: fates.map(|(stopped, _)| stopped),
        passed: fates.map(|(_, passed)| passed),
    }
}
