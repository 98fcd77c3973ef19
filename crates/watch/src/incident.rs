//! One incident, and what is still to be written of it.

use std::collections::VecDeque;

use countersign_core::entry::{Flag, FlagChange, FlagClose, FlagUpdate, Links, Severity};
use countersign_core::ids::EntryId;
use countersign_core::limits::LEAF_LIST;
use countersign_core::names::ActorName;
use countersign_core::pseudonym::Pseudonym;

use crate::draft::FlagDraft;
use crate::limits;
use crate::seen::{Before, Place, Seen, Terms};
use crate::subject::{Of, Subject};
use crate::tally::Tally;

/// Entries of one subject, none further than a window from the one before.
#[derive(Debug, Clone)]
pub(crate) struct Incident {
    pub(crate) terms: Terms,
    pub(crate) onset: EntryId,
    before: Before,
    target: Option<Pseudonym>,
    /// The first entries, while no flag was drafted; later those that no report named yet.
    unreported: Vec<EntryId>,
    /// Where its newest entries stand in the log, ascending.
    members: VecDeque<u64>,
    /// Where the flag stands that was met in the log: what came before it may be its own.
    adopted_at: Option<u64>,
    tally: Tally,
    severity: Severity,
    /// The count at which the next update is due.
    next_report: u32,
    /// The one actor of all entries so far, if there is only one.
    sole_actor: Option<ActorName>,
    /// The incident that names every entry of this one, which therefore has no flag.
    pub(crate) covered_by: Option<Subject>,
    /// The flag's entry, once it stands in the log.
    pub(crate) flag: Option<EntryId>,
    /// What is to be written and does not stand in the log yet, in order.
    due: VecDeque<Due>,
}

#[derive(Debug, Clone)]
enum Due {
    Raise(Box<Flag>),
    Grow(Box<Growth>),
    Close(Tally),
}

#[derive(Debug, Clone)]
struct Growth {
    entries: Vec<EntryId>,
    tally: Tally,
    severity: Option<Severity>,
}

impl Incident {
    /// An incident that begins with these, oldest first.
    pub(crate) fn begin(terms: Terms, chain: &[Seen]) -> Option<Self> {
        let first = chain.first()?;
        let mut incident = Self {
            terms,
            onset: first.place.entry,
            before: first.before,
            target: first.target,
            unreported: Vec::new(),
            members: VecDeque::new(),
            adopted_at: None,
            tally: Tally::new(),
            severity: Severity::Notice,
            next_report: u32::MAX,
            sole_actor: first.actor.clone(),
            covered_by: None,
            flag: None,
            due: VecDeque::new(),
        };
        for seen in chain {
            incident.count_in(seen);
        }
        Some(incident)
    }

    /// An incident whose flag is met in the log, and which was not known of.
    pub(crate) fn adopt(place: Place, flag: &Flag) -> Self {
        Self {
            terms: Terms {
                policy_ref: flag.policy_ref,
                threshold: flag.count,
                window_s: flag.window_s,
            },
            onset: flag.onset,
            before: Before::default(),
            target: flag.target,
            unreported: Vec::new(),
            members: VecDeque::new(),
            adopted_at: Some(place.index),
            tally: Tally::of_flag(flag),
            severity: flag.severity,
            next_report: flag.count.saturating_mul(2),
            sole_actor: flag.actor.clone(),
            covered_by: None,
            flag: Some(place.entry),
            due: VecDeque::new(),
        }
    }

    /// Adds one more entry, and an update if one is due: because there are twice as many, or because
    /// it has become graver.
    pub(crate) fn add(&mut self, subject: &Subject, seen: &Seen) -> Option<FlagDraft> {
        self.count_in(seen);
        let severity = self.severity_of(subject);
        let is_graver = severity > self.severity;
        if self.covered_by.is_some() || (self.tally.count < self.next_report && !is_graver) {
            return None;
        }
        self.severity = self.severity.max(severity);
        self.next_report = self.tally.count.saturating_mul(2);
        let growth = Growth {
            entries: std::mem::take(&mut self.unreported),
            tally: self.tally_of(subject),
            severity: is_graver.then_some(severity),
        };
        self.push(Due::Grow(Box::new(growth)))
    }

    /// Drafts the flag.
    pub(crate) fn raise(&mut self, subject: &Subject) -> Option<FlagDraft> {
        self.covered_by = None;
        self.next_report = self.tally.count.saturating_mul(2);
        self.severity = self.severity_of(subject);
        let tally = self.tally_of(subject);
        let (mut actor, mut intent_ref, mut target, mut reader) = (None, None, self.target, None);
        match &subject.of {
            Of::Actor(of) => actor = Some(of.clone()),
            Of::Intent(of) => (actor, intent_ref) = (self.sole_actor.clone(), Some(*of)),
            Of::Target(of) => (actor, target) = (self.sole_actor.clone(), Some(*of)),
            Of::Bundle(_) => actor = self.sole_actor.clone(),
            Of::Reader(of) => reader = Some(*of),
            Of::Nobody | Of::Any => {}
        }
        let flag = Flag {
            detector: subject.detector,
            severity: self.severity,
            actor,
            intent_ref,
            onset: self.onset,
            entries: std::mem::take(&mut self.unreported),
            count: tally.count,
            window_s: self.terms.window_s,
            policy_ref: self.terms.policy_ref,
            target,
            reader,
            turn: self.before.turn,
            after: self.before.after,
            stopped: tally.fates.map(|(stopped, _)| stopped),
            passed: tally.fates.map(|(_, passed)| passed),
        };
        self.push(Due::Raise(Box::new(flag)))
    }

    /// Drafts the end.
    pub(crate) fn close(&mut self, subject: &Subject) -> Option<FlagDraft> {
        let tally = self.tally_of(subject);
        self.push(Due::Close(tally))
    }

    /// Whether all of these are among its newest entries.
    pub(crate) fn holds(&self, chain: &[Seen]) -> bool {
        let has = |index: u64| {
            self.adopted_at.is_some_and(|at| index < at)
                || self.members.binary_search(&index).is_ok()
        };
        chain.iter().all(|seen| has(seen.place.index))
    }

    /// Whether a flag was drafted that the log does not hold yet.
    pub(crate) fn awaits_flag(&self) -> bool {
        self.flag.is_none()
    }

    /// The flag stands in the log now; gives what was waiting for its id.
    pub(crate) fn flagged(&mut self, id: EntryId, flag: &Flag) -> Vec<FlagDraft> {
        if self.covered_by.take().is_some() {
            // Another version flagged what this one holds to be covered.
            self.next_report = self.tally.count.saturating_mul(2);
            self.severity = flag.severity;
            self.unreported.clear();
        }
        self.flag = Some(id);
        self.due.retain(|due| !matches!(due, Due::Raise(_)));
        self.outstanding()
    }

    /// An update stands in the log now.
    pub(crate) fn updated(&mut self, to: u32) {
        self.due
            .retain(|due| !matches!(due, Due::Grow(growth) if growth.tally.count <= to));
    }

    /// What can be written now and is not yet in the log.
    pub(crate) fn outstanding(&self) -> Vec<FlagDraft> {
        self.due.iter().filter_map(|due| self.draft(due)).collect()
    }

    fn count_in(&mut self, seen: &Seen) {
        self.tally.count_in(seen);
        if self.unreported.len() < LEAF_LIST {
            self.unreported.push(seen.place.entry);
        }
        self.members.push_back(seen.place.index);
        if self.members.len() > limits::MEMBERS {
            self.members.pop_front();
        }
        if self.sole_actor != seen.actor {
            self.sole_actor = None;
        }
    }

    fn severity_of(&self, subject: &Subject) -> Severity {
        self.tally.severity(subject.detector, self.terms.threshold)
    }

    fn tally_of(&self, subject: &Subject) -> Tally {
        let fates = self.tally.fates.filter(|_| subject.is_about_calls());
        let mut tally = self.tally;
        tally.fates = fates;
        tally
    }

    fn push(&mut self, due: Due) -> Option<FlagDraft> {
        let draft = self.draft(&due);
        self.due.push_back(due);
        draft
    }

    /// The draft, unless it must name a flag whose id is not known yet.
    fn draft(&self, due: &Due) -> Option<FlagDraft> {
        let links = |flag| Links {
            flag: Some(flag),
            ..Links::default()
        };
        match (due, self.flag) {
            (Due::Raise(flag), None) => Some(FlagDraft::Raise(flag.as_ref().clone())),
            (Due::Grow(growth), Some(flag)) => Some(FlagDraft::Grow(FlagUpdate {
                links: links(flag),
                change: FlagChange::Grown,
                entries: growth.entries.clone(),
                count: growth.tally.count,
                credential: None,
                severity: growth.severity,
                stopped: growth.tally.fates.map(|(stopped, _)| stopped),
                passed: growth.tally.fates.map(|(_, passed)| passed),
            })),
            (Due::Close(tally), Some(flag)) => Some(FlagDraft::Close(FlagClose {
                links: links(flag),
                count: tally.count,
                credential: None,
                stopped: tally.fates.map(|(stopped, _)| stopped),
                passed: tally.fates.map(|(_, passed)| passed),
            })),
            (Due::Raise(_), Some(_)) | (_, None) => None,
        }
    }
}
