//! Flags, and what became of them.

use super::*;

pub(super) fn alerts(story: &mut Story) {
    let flag = Flag {
        detector: Detector::Burst,
        severity: Severity::Warning,
        actor: Some(x("agent:support-v3")),
        intent_ref: Some(turn(1, None).reference().unwrap()),
        onset: story.id("rejected 1"),
        entries: ["rejected 1", "rejected 2", "rejected 3"]
            .map(|n| story.id(n))
            .into(),
        count: 3,
        window_s: 600,
        policy_ref: bundle("first").reference().unwrap(),
        target: None,
        reader: None,
        turn: None,
        after: None,
        stopped: None,
        passed: None,
    };
    story.push("flag", flag);
    let about = link(|l| l.flag = Some(story.id("flag")));
    let grown = FlagUpdate {
        links: about.clone(),
        change: FlagChange::Grown,
        entries: vec![story.id("rejected 4")],
        count: 4,
        credential: None,
        severity: None,
        stopped: None,
        passed: None,
    };
    story.push("flag grown", grown.clone());
    let acknowledged = FlagUpdate {
        change: FlagChange::Acknowledged,
        entries: Vec::new(),
        credential: Some(credential(ADMIN)),
        ..grown
    };
    story.push("flag acknowledged", acknowledged);
    let close = FlagClose {
        links: about,
        count: 4,
        credential: Some(credential(ADMIN)),
        stopped: None,
        passed: None,
    };
    story.push("flag closed", close);
}
