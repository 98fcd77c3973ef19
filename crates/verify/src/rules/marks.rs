//! What flags can name beside decisions: openings, refused permits, what ran without an approval
//! and bundles; and what came last in a session before an entry.

use std::collections::{BTreeSet, HashMap};

use countersign_core::entry::{Body, Entry, PermitRefusal, PolicyPhase};
use countersign_core::ids::{CredentialId, EntryId};
use countersign_core::pseudonym::Pseudonym;
use countersign_core::refs::{IntentRef, PolicyRef};
use countersign_core::verdict::Outcome;

use super::decisions::{Decisions, Seen};

/// Every entry of these kinds.
#[derive(Default)]
pub(crate) struct Marks {
    marks: HashMap<EntryId, Mark>,
    sessions: HashMap<Pseudonym, Course>,
    /// For each bundle, those that it came into force after.
    previous: HashMap<PolicyRef, BTreeSet<PolicyRef>>,
}

/// An entry that is no decision.
pub(crate) struct Mark {
    pub(crate) index: u64,
    pub(crate) what: What,
}

/// What such an entry says.
pub(crate) enum What {
    /// Something ran that was not approved.
    Ran { decision: EntryId },
    /// Sealed records were opened.
    Opened { reader: CredentialId },
    /// A permit was refused.
    Refused {
        reason: PermitRefusal,
        decision: Option<EntryId>,
    },
    /// A bundle came into force.
    InForce { policy_ref: PolicyRef },
}

/// An entry that a flag names.
pub(crate) enum Named<'a> {
    Decision(&'a Seen),
    Mark(&'a Mark),
}

/// The turns and results of a session, in the order of the log.
#[derive(Default)]
struct Course {
    turns: Vec<(u64, IntentRef)>,
    results: Vec<(u64, EntryId)>,
}

impl<'a> Named<'a> {
    pub(crate) fn index(&self) -> u64 {
        match self {
            Self::Decision(seen) => seen.index,
            Self::Mark(mark) => mark.index,
        }
    }

    /// The decision that it is, or is about.
    pub(crate) fn decision(&self, decisions: &'a Decisions) -> Option<&'a Seen> {
        match self {
            Self::Decision(seen) => Some(*seen),
            Self::Mark(mark) => match &mark.what {
                What::Ran { decision } => decisions.get(decision),
                What::Refused { decision, .. } => decisions.get(decision.as_ref()?),
                What::Opened { .. } | What::InForce { .. } => None,
            },
        }
    }
}

impl Marks {
    /// Keeps what a later flag could name.
    pub(crate) fn observe(&mut self, index: u64, entry: &Entry, decisions: &Decisions) {
        let what = match &entry.body {
            Body::Intent(body) => {
                let course = self.sessions.entry(body.session).or_default();
                course.turns.push((index, body.intent_ref));
                return;
            }
            Body::Execution(body) => {
                if let (Some(session), Some(_)) = (body.session, body.result_ref) {
                    let course = self.sessions.entry(session).or_default();
                    course.results.push((index, entry.entry_id));
                }
                let decided = body
                    .links
                    .decision
                    .and_then(|id| Some((id, decisions.get(&id)?)));
                match decided {
                    Some((decision, seen)) if seen.outcome != Outcome::Approved => {
                        What::Ran { decision }
                    }
                    _ => return,
                }
            }
            Body::VaultAccess(body) if body.phase.is_none() => What::Opened {
                reader: body.credential,
            },
            Body::PermitRefused(body) => What::Refused {
                reason: body.reason,
                decision: body.links.decision,
            },
            Body::Policy(body) if body.phase == PolicyPhase::InForce => {
                let previous = self.previous.entry(body.policy_ref).or_default();
                previous.extend(body.previous);
                What::InForce {
                    policy_ref: body.policy_ref,
                }
            }
            _ => return,
        };
        let mark = Mark { index, what };
        self.marks.entry(entry.entry_id).or_insert(mark);
    }

    /// The entry, if it is one that flags can name.
    pub(crate) fn look<'a>(&'a self, id: &EntryId, decisions: &'a Decisions) -> Option<Named<'a>> {
        let mark = || self.marks.get(id).map(Named::Mark);
        decisions.get(id).map(Named::Decision).or_else(mark)
    }

    /// Whether a bundle came into force after that one.
    pub(crate) fn replaced(&self, policy: &PolicyRef, previous: &PolicyRef) -> bool {
        let known = self.previous.get(policy);
        known.is_some_and(|known| known.contains(previous))
    }

    /// The newest turn of a session before an entry.
    pub(crate) fn turn(&self, session: Option<&Pseudonym>, before: u64) -> Option<IntentRef> {
        last_before(&self.sessions.get(session?)?.turns, before)
    }

    /// The execution of a session whose result came in last before an entry.
    pub(crate) fn result(&self, session: Option<&Pseudonym>, before: u64) -> Option<EntryId> {
        last_before(&self.sessions.get(session?)?.results, before)
    }
}

fn last_before<T: Copy>(course: &[(u64, T)], before: u64) -> Option<T> {
    let at = course.partition_point(|(index, _)| *index < before);
    let (_, last) = course.get(at.checked_sub(1)?)?;
    Some(*last)
}
