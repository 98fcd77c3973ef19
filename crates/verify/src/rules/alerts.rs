//! Flags, and what became of them.

use std::collections::HashMap;

use countersign_core::entry::{
    Detector, Flag, FlagChange, FlagClose, FlagUpdate, Mode, PermitRefusal, Severity,
};
use countersign_core::ids::{CredentialId, EntryId};
use countersign_core::names::ActorName;
use countersign_core::pseudonym::Pseudonym;
use countersign_core::refs::{IntentRef, PolicyRef};
use countersign_core::verdict::Outcome;

use super::decisions::{Decisions, Seen};
use super::marks::{Mark, Marks, Named, What};
use crate::report::{At, Check};

/// Every flag of the log.
#[derive(Default)]
pub(crate) struct Alerts {
    flags: HashMap<EntryId, Raised>,
}

struct Raised {
    subject: Subject,
    tally: Tally,
    severity: Severity,
    is_closed: bool,
}

/// What a flag is about.
#[derive(Clone)]
struct Subject {
    detector: Detector,
    actor: Option<ActorName>,
    intent_ref: Option<IntentRef>,
    target: Option<Pseudonym>,
    reader: Option<CredentialId>,
    policy_ref: PolicyRef,
}

/// How many entries there were, as the log says, and as far as they are named.
#[derive(Clone, Copy, Default)]
struct Tally {
    count: u32,
    fates: Option<(u32, u32)>,
    named: u32,
    named_stopped: u32,
    named_passed: u32,
}

/// The entries that flags are held against.
#[derive(Clone, Copy)]
pub(crate) struct Log<'a> {
    pub(crate) decisions: &'a Decisions,
    pub(crate) marks: &'a Marks,
}

impl<'a> Log<'a> {
    fn look(&self, id: &EntryId) -> Option<Named<'a>> {
        self.marks.look(id, self.decisions)
    }
}

impl Alerts {
    pub(crate) fn flag(&mut self, at: &mut At<'_>, body: &Flag, log: Log<'_>) {
        let subject = Subject {
            detector: body.detector,
            actor: body.actor.clone(),
            intent_ref: body.intent_ref,
            target: body.target,
            reader: body.reader,
            policy_ref: body.policy_ref,
        };
        at.require(
            !body.entries.is_empty(),
            Check::Flag,
            "no entries",
            "at least one",
        );
        subject.check_members(at);
        let mut tally = Tally::default();
        let fates = (body.stopped, body.passed);
        tally.take(
            at,
            &subject,
            (body.entries.as_slice(), body.count, fates),
            log,
        );
        check_onset(at, body, &subject, log);
        let raised = Raised {
            subject,
            tally,
            severity: body.severity,
            is_closed: false,
        };
        self.flags.insert(at.entry.entry_id, raised);
    }

    pub(crate) fn update(&mut self, at: &mut At<'_>, body: &FlagUpdate, log: Log<'_>) {
        let needs_person = body.change == FlagChange::Acknowledged;
        let fits = !needs_person || body.credential.is_some();
        at.require(
            fits,
            Check::Members,
            "`acknowledged` by nobody",
            "a credential",
        );
        let Some(raised) = body.links.flag.and_then(|id| self.flags.get_mut(&id)) else {
            return; // The link itself is a finding then.
        };
        at.require(
            !raised.is_closed,
            Check::Flag,
            "a closed flag",
            "an open one",
        );
        let fates = (body.stopped, body.passed);
        let told = (body.entries.as_slice(), body.count, fates);
        raised.tally.take(at, &raised.subject, told, log);
        if let Some(severity) = body.severity {
            let found = format_args!("`{severity}` after `{}`", raised.severity);
            let expected = "a severity that is graver than before";
            at.require(severity > raised.severity, Check::Flag, found, expected);
            raised.severity = raised.severity.max(severity);
        }
    }

    pub(crate) fn close(&mut self, at: &mut At<'_>, body: &FlagClose, log: Log<'_>) {
        let Some(raised) = body.links.flag.and_then(|id| self.flags.get_mut(&id)) else {
            return; // The link itself is a finding then.
        };
        let was_closed = std::mem::replace(&mut raised.is_closed, true);
        at.require(!was_closed, Check::UsedOnce, "a closed flag", "an open one");
        let fates = (body.stopped, body.passed);
        raised
            .tally
            .take(at, &raised.subject, (&[], body.count, fates), log);
    }
}

/// The onset is one of what the flag is about, and the turn and the result are those that stood in
/// its session.
fn check_onset(at: &mut At<'_>, body: &Flag, subject: &Subject, log: Log<'_>) {
    let onset = log.look(&body.onset);
    let first = body.entries.first().and_then(|id| log.look(id));
    let holds = onset.as_ref().is_some_and(|onset| {
        let is_first = first.is_none_or(|first| onset.index() <= first.index());
        is_first && subject.covers(onset, log) && subject.can_begin(onset)
    });
    let expected = format_args!(
        "an earlier entry that `{}` begins with, not after the first of the entries",
        body.detector
    );
    let found = format_args!("onset {}", body.onset);
    at.require(holds, Check::Flag, found, expected);
    let Some(onset) = onset else {
        return;
    };
    let session = onset.decision(log.decisions).and_then(|seen| seen.session);
    let before = onset.index();
    if let Some(turn) = body.turn {
        let holds = log.marks.turn(session.as_ref(), before) == Some(turn);
        let expected = "the newest turn of the onset's session at the onset";
        at.require(holds, Check::Flag, format_args!("turn {turn}"), expected);
    }
    if let Some(after) = body.after {
        let holds = log.marks.result(session.as_ref(), before) == Some(after);
        let expected = "the execution of the onset's session whose result came in last before it";
        at.require(holds, Check::Flag, format_args!("after {after}"), expected);
    }
}

impl Tally {
    /// Takes in what an entry says that there are by now.
    fn take(
        &mut self,
        at: &mut At<'_>,
        subject: &Subject,
        (entries, count, fates): (&[EntryId], u32, (Option<u32>, Option<u32>)),
        log: Log<'_>,
    ) {
        let found = format_args!("{count} entries");
        let expected = format_args!("at least {}", self.count);
        at.require(count >= self.count, Check::Flag, found, expected);
        self.count = self.count.max(count);
        self.name(at, subject, entries, log);
        let expected = format_args!("at least {}", self.named);
        at.require(count >= self.named, Check::Flag, found, expected);
        let (stopped, passed) = match fates {
            (None, None) => return,
            (stopped, passed) => (stopped.unwrap_or(0), passed.unwrap_or(0)),
        };
        let (least_stopped, least_passed) = self.fates.unwrap_or((0, 0));
        let least = (
            least_stopped.max(self.named_stopped),
            least_passed.max(self.named_passed),
        );
        let is_all_named = self.named == count;
        let holds = fates.0.is_some() == fates.1.is_some()
            && subject.is_about_calls()
            && stopped.checked_add(passed).is_some_and(|sum| sum <= count)
            && stopped >= least.0
            && passed >= least.1
            && (!is_all_named || (stopped, passed) == least);
        let found = format_args!("{stopped} stopped and {passed} passed of {count}");
        let expected = match is_all_named {
            true => format!("{} stopped and {} passed, as named", least.0, least.1),
            false => format!("at least {} stopped and {} passed", least.0, least.1),
        };
        at.require(holds, Check::Flag, found, expected);
        self.fates = Some((stopped.max(least.0), passed.max(least.1)));
    }

    /// The entries are earlier ones that the detector looks for, in the order of the log.
    fn name(&mut self, at: &mut At<'_>, subject: &Subject, entries: &[EntryId], log: Log<'_>) {
        let mut last = None;
        for id in entries {
            self.named = self.named.saturating_add(1);
            let Some(named) = log.look(id) else {
                let expected =
                    format_args!("an earlier entry that `{}` is about", subject.detector);
                at.fail(Check::Flag, id, expected);
                continue;
            };
            let index = named.index();
            let is_next = last.is_none_or(|last| last < index);
            let found = format_args!("entry {index}");
            at.require(is_next, Check::Flag, found, "the order of the log");
            let expected = format_args!("an entry that `{}` is about", subject.detector);
            at.require(subject.covers(&named, log), Check::Flag, found, expected);
            last = Some(index);
            if let Named::Decision(seen) = named {
                match seen.outcome {
                    Outcome::Approved => self.named_passed += 1,
                    _ => self.named_stopped += 1,
                }
            }
        }
    }
}

impl Subject {
    /// It says whom or what it is about.
    fn check_members(&self, at: &mut At<'_>) {
        let about_actor = self.actor.is_some();
        let (holds, expected) = match self.detector {
            Detector::Spread => (self.target.is_some(), "a target"),
            Detector::NovelTarget => (
                about_actor && self.target.is_some(),
                "an actor and a target",
            ),
            Detector::ReadingAround => (self.reader.is_some(), "a reader"),
            Detector::Burst => (
                about_actor || self.intent_ref.is_some(),
                "an actor or a turn",
            ),
            Detector::Retry => (self.intent_ref.is_some(), "a turn"),
            Detector::Loosened | Detector::UnapprovedExecution => (true, ""),
            _ => (about_actor, "an actor"),
        };
        let found = format_args!("`{}` without what it is about", self.detector);
        at.require(holds, Check::Flag, found, expected);
        let fits = self.reader.is_none() || self.detector == Detector::ReadingAround;
        let found = format_args!("a reader of `{}`", self.detector);
        let expected = "a reader only of openings";
        at.require(fits, Check::Flag, found, expected);
        let of_targets = [Detector::NovelTarget, Detector::Spread];
        let fits = self.target.is_none() || of_targets.contains(&self.detector);
        let found = format_args!("a target of `{}`", self.detector);
        let expected = "a target only of calls that reach one";
        at.require(fits, Check::Flag, found, expected);
    }

    fn is_about_calls(&self) -> bool {
        let others = [Detector::ReadingAround, Detector::UnapprovedExecution];
        !others.contains(&self.detector)
    }

    /// Whether an incident can begin with this entry, which the detector is about.
    fn can_begin(&self, onset: &Named<'_>) -> bool {
        let Named::Decision(seen) = onset else {
            return true;
        };
        let is_target = |target: &Pseudonym| seen.targets.contains(target);
        match self.detector {
            Detector::Burst | Detector::Retry | Detector::Loosened => {
                seen.outcome == Outcome::Rejected
            }
            Detector::NovelTarget => self.target.as_ref().is_some_and(is_target),
            _ => true,
        }
    }

    fn covers(&self, named: &Named<'_>, log: Log<'_>) -> bool {
        match named {
            Named::Decision(seen) => self.covers_call(seen, log),
            Named::Mark(mark) => self.covers_mark(mark, named, log),
        }
    }

    fn covers_call(&self, seen: &Seen, log: Log<'_>) -> bool {
        let is_rejected = seen.outcome == Outcome::Rejected;
        let is_approved = seen.outcome == Outcome::Approved;
        let is_target = |target: &Pseudonym| seen.targets.contains(target);
        let is_sought = match self.detector {
            Detector::Burst => is_rejected || is_approved,
            Detector::Unmandated => seen.intent_ref.is_none(),
            Detector::ToolChanged => is_rejected && seen.has_changed_tool,
            Detector::Retry | Detector::OffHours => true,
            Detector::NovelTarget => !seen.targets.is_empty(),
            Detector::Spread => self.target.as_ref().is_some_and(is_target),
            Detector::MissingExecution => is_approved,
            Detector::Loosened if is_approved => seen.policy_ref == self.policy_ref,
            Detector::Loosened => {
                is_rejected && log.marks.replaced(&self.policy_ref, &seen.policy_ref)
            }
            Detector::UnapprovedExecution | Detector::ReadingAround => false,
        };
        is_sought && self.fits(Some(seen)) && seen.mode == Mode::Enforced
    }

    fn covers_mark(&self, mark: &Mark, named: &Named<'_>, log: Log<'_>) -> bool {
        use PermitRefusal::{Arguments, Audience, Signature, Used};
        let decision = named.decision(log.decisions);
        match (self.detector, &mark.what) {
            (Detector::UnapprovedExecution, What::Ran { .. }) => self.fits(decision),
            (Detector::UnapprovedExecution, What::Refused { reason, .. }) => {
                matches!(reason, Used | Audience | Arguments | Signature) && self.fits(decision)
            }
            (Detector::ReadingAround, What::Opened { reader }) => self.reader == Some(*reader),
            (Detector::Loosened, What::InForce { policy_ref }) => *policy_ref == self.policy_ref,
            _ => false,
        }
    }

    /// Whether the decision is of the actor and intent that the flag is about, if it is about any.
    fn fits(&self, seen: Option<&Seen>) -> bool {
        let of_actor = |actor: &ActorName| seen.is_some_and(|seen| seen.actor == *actor);
        let of_intent =
            |intent: &IntentRef| seen.is_some_and(|seen| seen.intent_ref == Some(*intent));
        self.actor.as_ref().is_none_or(of_actor) && self.intent_ref.as_ref().is_none_or(of_intent)
    }
}
