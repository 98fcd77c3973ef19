//! Flags, and what became of them.

use std::collections::HashMap;

use countersign_core::entry::{Detector, Flag, FlagChange, FlagClose, FlagUpdate, Mode};
use countersign_core::ids::EntryId;
use countersign_core::names::ActorName;
use countersign_core::refs::IntentRef;
use countersign_core::verdict::Outcome;

use super::decisions::{Decisions, Seen};
use crate::report::{At, Check};

/// Every flag of the log.
#[derive(Default)]
pub(crate) struct Alerts {
    flags: HashMap<EntryId, Raised>,
}

struct Raised {
    subject: Subject,
    count: u32,
    is_closed: bool,
}

/// What a flag is about.
#[derive(Clone)]
struct Subject {
    detector: Detector,
    actor: Option<ActorName>,
    intent_ref: Option<IntentRef>,
}

impl Alerts {
    pub(crate) fn flag(&mut self, at: &mut At<'_>, body: &Flag, decisions: &Decisions) {
        let subject = Subject {
            detector: body.detector,
            actor: body.actor.clone(),
            intent_ref: body.intent_ref,
        };
        at.require(
            !body.entries.is_empty(),
            Check::Flag,
            "no entries",
            "at least one",
        );
        subject.check_entries(at, &body.entries, body.count, decisions);
        let onset = decisions.get(&body.onset).map(|seen| seen.index);
        let first = body.entries.first().and_then(|id| decisions.get(id));
        let holds = onset.is_some_and(|onset| first.is_none_or(|first| onset <= first.index));
        let expected = "an earlier decision, not after the first of the entries";
        at.require(
            holds,
            Check::Flag,
            format_args!("onset {}", body.onset),
            expected,
        );
        let raised = Raised {
            subject,
            count: body.count,
            is_closed: false,
        };
        self.flags.insert(at.entry.entry_id, raised);
    }

    pub(crate) fn update(&mut self, at: &mut At<'_>, body: &FlagUpdate, decisions: &Decisions) {
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
        raised
            .subject
            .check_entries(at, &body.entries, body.count, decisions);
        let found = format_args!("{} entries", body.count);
        let expected = format_args!("at least {}", raised.count);
        at.require(body.count >= raised.count, Check::Flag, found, expected);
        raised.count = raised.count.max(body.count);
    }

    pub(crate) fn close(&mut self, at: &mut At<'_>, body: &FlagClose) {
        let Some(raised) = body.links.flag.and_then(|id| self.flags.get_mut(&id)) else {
            return; // The link itself is a finding then.
        };
        let was_closed = std::mem::replace(&mut raised.is_closed, true);
        at.require(!was_closed, Check::UsedOnce, "a closed flag", "an open one");
        let found = format_args!("{} entries", body.count);
        let expected = format_args!("at least {}", raised.count);
        at.require(body.count >= raised.count, Check::Flag, found, expected);
    }
}

impl Subject {
    /// The entries are earlier decisions that the detector looks for, in the order of the log.
    fn check_entries(
        &self,
        at: &mut At<'_>,
        entries: &[EntryId],
        count: u32,
        decisions: &Decisions,
    ) {
        let mut last = None;
        for id in entries {
            let Some(seen) = decisions.get(id) else {
                at.fail(Check::Flag, id, "an earlier decision");
                continue;
            };
            let is_next = last.is_none_or(|last| last < seen.index);
            let found = format_args!("entry {}", seen.index);
            at.require(is_next, Check::Flag, found, "the order of the log");
            let expected = format_args!("a decision that `{}` is about", self.detector);
            at.require(self.covers(seen), Check::Flag, found, expected);
            last = Some(seen.index);
        }
        let holds = u32::try_from(entries.len()).is_ok_and(|named| count >= named);
        let expected = format_args!("at least {}", entries.len());
        at.require(
            holds,
            Check::Flag,
            format_args!("{count} entries"),
            expected,
        );
    }

    fn covers(&self, seen: &Seen) -> bool {
        let is_sought = match self.detector {
            Detector::Burst => seen.outcome == Outcome::Rejected,
            Detector::Unmandated => seen.intent_ref.is_none(),
            Detector::ToolChanged => seen.outcome == Outcome::Rejected && seen.has_changed_tool,
            _ => true,
        };
        let actor = self.actor.as_ref().is_none_or(|actor| *actor == seen.actor);
        let intent = self.intent_ref.is_none() || self.intent_ref == seen.intent_ref;
        is_sought && actor && intent && seen.mode == Mode::Enforced
    }
}
