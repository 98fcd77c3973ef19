//! What entries name: records, turns, credentials, other entries.

use std::collections::BTreeSet;

use countersign_core::entry::{Body, Links};
use countersign_core::ids::{CredentialId, EntryId};
use countersign_core::pseudonym::Pseudonym;
use countersign_core::refs::{IntentRef, PolicyRef, Sha256};

use crate::choose::Chosen;

/// A sealed record that an entry names, and what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Named {
    pub(crate) reference: Sha256,
    /// The document's kind.
    pub(crate) kind: &'static str,
}

/// The sealed records that a body's own members commit to.
pub(crate) fn records(body: &Body) -> Vec<Named> {
    let named = |kind: &'static str, reference: Option<Sha256>| {
        reference.map(|reference| Named { reference, kind })
    };
    let found = match body {
        Body::Intent(it) => vec![named("intent", Some(it.intent_ref.into()))],
        Body::Decision(it) => vec![
            named("call", it.call_ref.map(Into::into)),
            named("facts", it.facts_ref.map(Into::into)),
            named("reasoning", it.reasoning_ref.map(Into::into)),
        ],
        Body::Execution(it) => vec![named("result", it.result_ref.map(Into::into))],
        Body::Directory(it) => vec![named("changeset", Some(it.changeset_ref.into()))],
        Body::Review(it) => vec![named("statement", Some(it.shown_ref.into()))],
        Body::VaultAccess(it) => vec![named("statement", Some(it.purpose_ref.into()))],
        Body::Erasure(it) => vec![named("statement", Some(it.authority_ref.into()))],
        Body::Hold(it) => vec![named("statement", Some(it.authority_ref.into()))],
        _ => Vec::new(),
    };
    found.into_iter().flatten().collect()
}

/// Every ref by which the entries name a sealed record of their own, or a turn.
pub(crate) fn named(chosen: &Chosen) -> BTreeSet<Sha256> {
    let bodies = chosen.bodies();
    let of_body = |body| {
        let own = records(body).into_iter().map(|it| it.reference);
        own.chain(turns(body).into_iter().map(Into::into))
    };
    bodies.flat_map(|(_, _, body)| of_body(body)).collect()
}

/// The records that an opening, erasure or hold is about.
pub(crate) fn touched(body: &Body) -> &[Sha256] {
    match body {
        Body::VaultAccess(it) => &it.refs,
        Body::Erasure(it) => &it.refs,
        Body::Hold(it) => &it.refs,
        _ => &[],
    }
}

/// The turns that a body names.
pub(crate) fn turns(body: &Body) -> Vec<IntentRef> {
    let named = match body {
        Body::Decision(it) => vec![it.intent_ref, it.claimed_intent_ref],
        Body::Execution(it) => vec![it.intent_ref],
        Body::Review(it) => vec![it.intent_ref],
        Body::Delegation(it) => vec![Some(it.intent_ref)],
        Body::Revocation(it) => vec![it.intent_ref],
        Body::Flag(it) => vec![it.intent_ref, it.turn],
        Body::Intent(it) => vec![Some(it.intent_ref), it.parent, it.mandate],
        _ => Vec::new(),
    };
    named.into_iter().flatten().collect()
}

/// The session that a body belongs to.
pub(crate) fn session(body: &Body) -> Option<Pseudonym> {
    match body {
        Body::Decision(it) => it.session,
        Body::Execution(it) => it.session,
        Body::Intent(it) => Some(it.session),
        Body::SessionOpen(it) => Some(it.session),
        Body::SessionClose(it) => Some(it.session),
        _ => None,
    }
}

/// The bundle that a body names.
pub(crate) fn policy(body: &Body) -> Option<PolicyRef> {
    match body {
        Body::Decision(it) => Some(it.policy_ref),
        Body::Review(it) => Some(it.policy_ref),
        Body::Flag(it) => Some(it.policy_ref),
        _ => None,
    }
}

/// The credential that stands behind a body.
pub(crate) fn credential(body: &Body) -> Option<CredentialId> {
    match body {
        Body::Decision(it) => Some(it.credential),
        Body::Intent(it) => Some(it.credential),
        Body::Revocation(it) => Some(it.credential),
        Body::Policy(it) => it.credential,
        Body::Directory(it) => Some(it.credential),
        Body::Credential(it) => it.credential,
        Body::Execution(it) => Some(it.credential),
        Body::Review(it) => Some(it.credential),
        Body::PermitRefused(it) => Some(it.credential),
        Body::Delegation(it) => Some(it.credential),
        Body::VaultAccess(it) => Some(it.credential),
        Body::Erasure(it) => it.credential,
        Body::Hold(it) => Some(it.credential),
        Body::FlagUpdate(it) => it.credential,
        Body::FlagClose(it) => it.credential,
        Body::SessionOpen(it) => Some(it.credential),
        Body::SessionClose(it) => it.credential,
        Body::Throttled(it) => Some(it.credential),
        Body::Genesis(_) | Body::Key(_) | Body::Expired(_) | Body::Flag(_) | Body::Part(_) => None,
    }
}

fn links(body: &Body) -> Option<&Links> {
    match body {
        Body::Decision(it) => Some(&it.links),
        Body::Execution(it) => Some(&it.links),
        Body::Review(it) => Some(&it.links),
        Body::Expired(it) => Some(&it.links),
        Body::PermitRefused(it) => Some(&it.links),
        Body::Delegation(it) => Some(&it.links),
        Body::Hold(it) => Some(&it.links),
        Body::FlagUpdate(it) => Some(&it.links),
        Body::FlagClose(it) => Some(&it.links),
        _ => None,
    }
}

/// The entries that a body links to.
pub(crate) fn linked(body: &Body) -> Vec<EntryId> {
    let mut found: Vec<EntryId> = links(body).map_or_else(Vec::new, |links| {
        [
            links.decision,
            links.review,
            links.resolves,
            links.delegation,
            links.modifies,
            links.continues,
            links.shadows,
            links.flag,
            links.hold,
        ]
        .into_iter()
        .flatten()
        .collect()
    });
    if let Body::VaultAccess(access) = body {
        found.extend(access.request);
    }
    found
}

/// What opening the records of an incident takes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Opening {
    /// Decisions whose turn, call, facts and reasoning are opened together.
    pub decisions: Vec<EntryId>,
    /// Records that are opened one by one: results, turns without a decision, statements.
    pub records: BTreeSet<Sha256>,
}

/// What is there to be opened, without what was erased.
pub fn openings(chosen: &Chosen) -> Opening {
    let mut opening = Opening::default();
    let mut with_decisions = BTreeSet::new();
    let erased: BTreeSet<Sha256> = chosen
        .bodies()
        .filter(|(_, _, body)| matches!(body, Body::Erasure(_)))
        .flat_map(|(_, _, body)| touched(body).iter().copied())
        .collect();
    for (index, _, body) in chosen.bodies() {
        match body {
            Body::Decision(decision) => {
                let own: Vec<Sha256> = records(body).iter().map(|it| it.reference).collect();
                if own.iter().any(|reference| !erased.contains(reference))
                    && let Some(id) = chosen.id_at(index)
                {
                    opening.decisions.push(id);
                    with_decisions.extend(decision.intent_ref.map(Sha256::from));
                }
            }
            // What an earlier opening was for is left sealed: opening it would be an opening, whose
            // purpose the next export would find sealed in turn.
            Body::VaultAccess(_) => {}
            _ => opening
                .records
                .extend(records(body).iter().map(|it| it.reference)),
        }
    }
    opening
        .records
        .retain(|it| !erased.contains(it) && !with_decisions.contains(it));
    opening
}
