//! One incident, and what is still to be written of it.

use std::collections::VecDeque;

use countersign_core::entry::{Flag, FlagChange, FlagClose, FlagUpdate, Links, Severity};
use countersign_core::ids::EntryId;
use countersign_core::limits::LEAF_LIST;
use countersign_core::names::ActorName;
use countersign_core::refs::{IntentRef, PolicyRef};
use countersign_core::time::Timestamp;

use crate::draft::FlagDraft;
use crate::subject::{Of, Subject};

/// A decision that counts.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) at: Timestamp,
    pub(crate) entry: EntryId,
    pub(crate) actor: ActorName,
    pub(crate) intent: Option<IntentRef>,
}

/// The settings that an incident began under; it keeps them when another bundle comes into force.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms {
    pub(crate) policy_ref: PolicyRef,
    pub(crate) threshold: u32,
    pub(crate) window_s: u32,
}

impl Terms {
    /// The last moment at which what follows `at` still belongs to it.
    pub(crate) fn deadline(&self, at: Timestamp) -> Timestamp {
        at.plus_millis(i64::from(self.window_s).saturating_mul(1000))
    }
}

/// Entries of one subject, none further than a window from the one before.
#[derive(Debug, Clone)]
pub(crate) struct Incident {
    pub(crate) terms: Terms,
    pub(crate) onset: EntryId,
    /// The first entries, while no flag was drafted; later those that no report named yet.
    unreported: Vec<EntryId>,
    count: u32,
    /// The count at which the next update is due.
    next_report: u32,
    /// The one actor of all entries so far, if there is only one.
    sole_actor: Option<ActorName>,
    /// The intent whose own incident names every entry of this one, which therefore has no flag.
    pub(crate) covered_by: Option<IntentRef>,
    /// The flag's entry, once it stands in the log.
    pub(crate) flag: Option<EntryId>,
    /// What is to be written and does not stand in the log yet, in order.
    due: VecDeque<Due>,
}

#[derive(Debug, Clone)]
enum Due {
    Raise(Box<Flag>),
    Grow { entries: Vec<EntryId>, count: u32 },
    Close { count: u32 },
}

impl Incident {
    /// An incident that begins with these, oldest first.
    pub(crate) fn begin(terms: Terms, recent: &VecDeque<Seen>) -> Option<Self> {
        let first = recent.front()?;
        let mut incident = Self {
            terms,
            onset: first.entry,
            unreported: Vec::new(),
            count: 0,
            next_report: u32::MAX,
            sole_actor: Some(first.actor.clone()),
            covered_by: None,
            flag: None,
            due: VecDeque::new(),
        };
        for seen in recent {
            incident.count_in(seen);
        }
        Some(incident)
    }

    /// An incident whose flag is met in the log, and which was not known of.
    pub(crate) fn adopt(id: EntryId, flag: &Flag) -> Self {
        Self {
            terms: Terms {
                policy_ref: flag.policy_ref,
                threshold: flag.count,
                window_s: flag.window_s,
            },
            onset: flag.onset,
            unreported: Vec::new(),
            count: flag.count,
            next_report: flag.count.saturating_mul(2),
            sole_actor: flag.actor.clone(),
            covered_by: None,
            flag: Some(id),
            due: VecDeque::new(),
        }
    }

    /// Adds one more entry, and an update if one is due.
    pub(crate) fn add(&mut self, seen: &Seen) -> Option<FlagDraft> {
        self.count_in(seen);
        if self.count < self.next_report {
            return None;
        }
        self.next_report = self.count.saturating_mul(2);
        let entries = std::mem::take(&mut self.unreported);
        let count = self.count;
        self.push(Due::Grow { entries, count })
    }

    /// Drafts the flag.
    pub(crate) fn raise(&mut self, subject: &Subject) -> Option<FlagDraft> {
        self.covered_by = None;
        self.next_report = self.count.saturating_mul(2);
        let (actor, intent_ref) = match &subject.of {
            Of::Actor(actor) => (Some(actor.clone()), None),
            Of::Intent(intent) => (self.sole_actor.clone(), Some(*intent)),
        };
        let flag = Flag {
            detector: subject.detector,
            severity: Severity::Warning,
            actor,
            intent_ref,
            onset: self.onset,
            entries: std::mem::take(&mut self.unreported),
            count: self.count,
            window_s: self.terms.window_s,
            policy_ref: self.terms.policy_ref,
            target: None,
            reader: None,
            turn: None,
            after: None,
            stopped: None,
            passed: None,
        };
        self.push(Due::Raise(Box::new(flag)))
    }

    /// Drafts the end.
    pub(crate) fn close(&mut self) -> Option<FlagDraft> {
        let count = self.count;
        self.push(Due::Close { count })
    }

    /// Whether a flag was drafted that the log does not hold yet.
    pub(crate) fn awaits_flag(&self) -> bool {
        self.flag.is_none()
    }

    /// The flag stands in the log now; gives what was waiting for its id.
    pub(crate) fn flagged(&mut self, id: EntryId) -> Vec<FlagDraft> {
        if self.covered_by.take().is_some() {
            // Another version flagged what this one holds to be covered.
            self.next_report = self.count.saturating_mul(2);
            self.unreported.clear();
        }
        self.flag = Some(id);
        self.due.retain(|due| !matches!(due, Due::Raise(_)));
        self.outstanding()
    }

    /// An update stands in the log now.
    pub(crate) fn updated(&mut self, to: u32) {
        self.due
            .retain(|due| !matches!(due, Due::Grow { count, .. } if *count <= to));
    }

    /// What can be written now and is not yet in the log.
    pub(crate) fn outstanding(&self) -> Vec<FlagDraft> {
        self.due.iter().filter_map(|due| self.draft(due)).collect()
    }

    fn count_in(&mut self, seen: &Seen) {
        self.count = self.count.saturating_add(1);
        if self.unreported.len() < LEAF_LIST {
            self.unreported.push(seen.entry);
        }
        if self.sole_actor.as_ref() != Some(&seen.actor) {
            self.sole_actor = None;
        }
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
            (Due::Grow { entries, count }, Some(flag)) => Some(FlagDraft::Grow(FlagUpdate {
                links: links(flag),
                change: FlagChange::Grown,
                entries: entries.clone(),
                count: *count,
                credential: None,
                severity: None,
                stopped: None,
                passed: None,
            })),
            (Due::Close { count }, Some(flag)) => Some(FlagDraft::Close(FlagClose {
                links: links(flag),
                count: *count,
                credential: None,
                stopped: None,
                passed: None,
            })),
            (Due::Raise(_), Some(_)) | (_, None) => None,
        }
    }
}
