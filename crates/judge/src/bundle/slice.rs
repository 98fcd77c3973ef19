//! Policies by the action and the resource type that they can apply to.
//!
//! Cedar evaluates every policy it is given. A policy whose scope cannot match is left out when
//! the bundle is compiled; that this changes neither verdict nor reasons is held by a property
//! test.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use cedar_policy::{ActionConstraint, EntityUid, Policy, PolicySet, ResourceConstraint};
use countersign_core::document;
use countersign_core::names::ReasonId;

use super::actions::ActionShape;
use super::literals;
use super::policies::ReadPolicy;
use super::reads::{self, Reads, Shown};
use crate::limits::{SLICED_BYTES, SLICED_POLICIES};

/// The policies for one action and one resource type.
pub(crate) struct Slice {
    /// All but the forbids that escalate.
    pub(crate) base: PolicySet,
    /// The forbids that escalate, where there are any.
    pub(crate) escalations: Option<PolicySet>,
    /// Entities of the directory that these policies name, and may ask for more than their name.
    pub(crate) literals: BTreeSet<document::EntityUid>,
    /// What of the context they can read.
    pub(crate) shown: Shown,
    /// Whether they can ask what was decided before.
    pub(crate) reads_history: bool,
}

/// Slices by action and resource type.
pub(crate) type Slices = BTreeMap<String, BTreeMap<String, Arc<Slice>>>;

/// How many pairs of a policy and a kind of request can meet.
pub(crate) fn pairs(
    policies: &BTreeMap<ReasonId, ReadPolicy>,
    actions: &BTreeMap<String, ActionShape>,
) -> usize {
    let open = |read: &ReadPolicy, action: &str, shape: &ActionShape| {
        shape
            .resources()
            .filter(|resource| applies(&read.policy, action, shape.group, resource))
            .count()
    };
    actions
        .iter()
        .map(|(action, shape)| {
            policies
                .values()
                .map(|read| open(read, action, shape))
                .sum::<usize>()
        })
        .sum()
}

/// Slices the set. `whole` keeps every slice whole.
pub(crate) fn slice(
    policies: &BTreeMap<ReasonId, ReadPolicy>,
    actions: &BTreeMap<String, ActionShape>,
    whole: bool,
) -> Slices {
    let all: Vec<&ReadPolicy> = policies.values().collect();
    let mut chosen: Vec<(&str, &str, Vec<usize>)> = Vec::new();
    let (mut count, mut bytes) = (0, 0);
    for (action, shape) in actions {
        for resource in shape.resources() {
            let fits: Vec<usize> = all
                .iter()
                .enumerate()
                .filter(|(_, read)| applies(&read.policy, action, shape.group, resource))
                .map(|(n, _)| n)
                .collect();
            count += fits.len();
            bytes += fits
                .iter()
                .filter_map(|n| all.get(*n))
                .map(|read| read.text.text.len())
                .sum::<usize>();
            chosen.push((action, resource, fits));
        }
    }
    let oracle = whole;
    let whole = whole || count > SLICED_POLICIES || bytes > SLICED_BYTES;
    let seen: Vec<Seen<'_>> = all
        .iter()
        .map(|read| Seen {
            read,
            literals: literals::of(&read.policy),
            reads: (!oracle)
                .then(|| reads::of(&read.policy.to_json().ok()?))
                .flatten(),
        })
        .collect();
    let mut made: HashMap<Vec<usize>, Arc<Slice>> = HashMap::new();
    let mut out = Slices::new();
    for (action, resource, fits) in chosen {
        let fits = if whole {
            (0..all.len()).collect()
        } else {
            fits
        };
        let slice = made
            .entry(fits)
            .or_insert_with_key(|fits| Arc::new(build(fits.iter().filter_map(|n| seen.get(*n)))));
        out.entry(action.to_owned())
            .or_default()
            .insert(resource.to_owned(), Arc::clone(slice));
    }
    out
}

/// A policy with what it looks at.
struct Seen<'a> {
    read: &'a ReadPolicy,
    literals: BTreeSet<document::EntityUid>,
    reads: Option<Reads>,
}

/// The places of the context that hold what was decided before.
const HISTORY: [&[&str]; 2] = [&["rejected_before"], &["target", "approved_before"]];

fn build<'a>(policies: impl Iterator<Item = &'a Seen<'a>>) -> Slice {
    let mut base = PolicySet::new();
    let mut escalations = PolicySet::new();
    let mut literals = BTreeSet::new();
    let mut shown = Shown::NOTHING;
    let mut reads_history = false;
    for seen in policies {
        let read = seen.read;
        let set = if read.escalates {
            &mut escalations
        } else {
            &mut base
        };
        // Ids are the keys of a map, so none is there twice.
        let _unique = set.add(read.policy.clone());
        literals.extend(seen.literals.iter().cloned());
        reads_history |= seen
            .reads
            .as_ref()
            .is_none_or(|own| HISTORY.iter().any(|place| own.uses(place)));
        match &seen.reads {
            Some(own) => shown.add(own),
            None => shown = Shown::All,
        }
    }
    Slice {
        base,
        escalations: (!escalations.is_empty()).then_some(escalations),
        literals,
        shown,
        reads_history,
    }
}

/// Whether the scope can match a request of this action with a resource of this type.
pub(super) fn applies(policy: &Policy, action: &str, group: Option<&str>, resource: &str) -> bool {
    let is_action = |uid: &EntityUid| {
        let id: &str = uid.id().unescaped();
        id == action
    };
    let in_action = |uid: &EntityUid| {
        let id: &str = uid.id().unescaped();
        id == action || group == Some(id)
    };
    let action_fits = match policy.action_constraint() {
        ActionConstraint::Any => true,
        ActionConstraint::Eq(uid) => is_action(&uid),
        ActionConstraint::In(uids) => uids.iter().any(in_action),
    };
    let resource_fits = match policy.resource_constraint() {
        ResourceConstraint::Any | ResourceConstraint::In(_) => true,
        ResourceConstraint::Eq(uid) => uid.type_name().to_string() == resource,
        ResourceConstraint::Is(kind) | ResourceConstraint::IsIn(kind, _) => {
            kind.to_string() == resource
        }
    };
    action_fits && resource_fits
}
