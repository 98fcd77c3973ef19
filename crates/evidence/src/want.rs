//! What still has to be looked up.

use std::collections::BTreeSet;

use countersign_core::entry::{Body, ExecutionPhase};
use countersign_core::ids::EntryId;
use countersign_core::pseudonym::Pseudonym;
use countersign_core::refs::IntentRef;
use countersign_core::time::Timestamp;
use countersign_core::verdict::Outcome;

use crate::members;
use crate::pool::Pool;
use crate::question::Question;
use crate::seeds::Seeds;

/// Entries of a log that are to be looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Want {
    /// One entry.
    Entry(EntryId),
    /// The entry that registered a turn. It may not be there: an agent can claim any.
    Turn(IntentRef),
    /// All entries that name a turn.
    Intent(IntentRef),
    /// The entries of a session, from a time and up to another.
    Session(Pseudonym, Timestamp, Timestamp),
    /// The entries of a kind, from a time if one is given.
    Kind(&'static str, Option<Timestamp>),
    /// All entries from a time and up to another.
    Between(Timestamp, Timestamp),
}

/// Kinds that are rare and matter from the first leaf on.
const FROM_THE_FIRST: &[&str] = &["genesis", "key", "policy", "credential", "erasure", "hold"];
/// Kinds that matter from the first turn of the incident on, which may be an old instruction.
const FROM_THE_TURN: &[&str] = &["delegation", "revocation"];
/// Kinds that matter from shortly before the incident on. There may be many of each.
const FROM_THE_WINDOW: &[&str] = &[
    "flag",
    "flag-update",
    "flag-close",
    "review",
    "expired",
    "permit-refused",
    "vault-access",
];

/// What is to be looked up for a question beside what the pool holds. To be asked again until it
/// answers with nothing new.
pub fn wants(question: &Question, pool: &Pool) -> BTreeSet<Want> {
    let seeds = Seeds::of(question, pool);
    let mut wants: BTreeSet<Want> = seeds.missing.iter().copied().map(Want::Entry).collect();
    match question {
        Question::Entry(_) => {}
        Question::Intent(intent) => {
            wants.insert(Want::Intent(*intent));
        }
        Question::Between(from, to) => {
            wants.insert(Want::Between(*from, *to));
        }
    }
    let unknown = seeds.turns.iter().filter(|it| pool.turn(**it).is_none());
    wants.extend(unknown.map(|it| Want::Turn(*it)));
    let (Some((from, to)), Some(since)) = (seeds.window, seeds.since) else {
        return wants;
    };
    if !matches!(question, Question::Between(..)) {
        let sessions = seeds.sessions.iter();
        wants.extend(sessions.map(|it| Want::Session(*it, from, to)));
    }
    wants.extend(FROM_THE_FIRST.iter().map(|kind| Want::Kind(kind, None)));
    wants.extend(
        FROM_THE_TURN
            .iter()
            .map(|kind| Want::Kind(kind, Some(since))),
    );
    wants.extend(
        FROM_THE_WINDOW
            .iter()
            .map(|kind| Want::Kind(kind, Some(from))),
    );
    if needs_executions(&seeds, pool) {
        wants.insert(Want::Kind("execution", Some(from)));
    }
    // What is linked to, such as the call that ran or the escalation that was resolved.
    let core = seeds.core.iter().filter_map(|index| pool.body(*index));
    let linked = core.flat_map(members::linked);
    wants.extend(
        linked
            .filter(|id| pool.index_of(*id).is_none())
            .map(Want::Entry),
    );
    wants
}

/// Whether a call passed of which no session says what became of it.
fn needs_executions(seeds: &Seeds, pool: &Pool) -> bool {
    let ended = |id: EntryId| {
        pool.bodies().any(|(_, _, body)| match body {
            Body::Execution(it) => {
                it.links.decision == Some(id) && it.phase != ExecutionPhase::Started
            }
            _ => false,
        })
    };
    seeds.core.iter().any(|index| {
        let Some(Body::Decision(decision)) = pool.body(*index) else {
            return false;
        };
        decision.outcome == Outcome::Approved
            && decision.session.is_none()
            && pool.id_at(*index).is_some_and(|id| !ended(id))
    })
}
