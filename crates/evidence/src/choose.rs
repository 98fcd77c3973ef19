//! Which entries belong to an incident, and as what.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::entry::{Body, PolicyPhase, RevocationScope};
use countersign_core::ids::{CredentialId, EntryId};
use countersign_core::names::ActorName;
use countersign_core::refs::{PolicyRef, Sha256};
use countersign_core::time::Timestamp;

use crate::members;
use crate::pool::{Pool, Pooled};
use crate::question::Question;
use crate::seeds::Seeds;

/// Why an entry belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The question names it, or the flag does.
    Asked,
    /// A turn behind it, or one that such a turn rests on.
    Turn,
    /// Its result was the last to come in before.
    Before,
    /// It came of what was asked for: an execution, a review, a refused permit.
    Outcome,
    /// It was decided in the same session, near it in time.
    Beside,
    /// A flag over the same calls.
    Alert,
    /// Its records were opened, held or erased.
    Records,
    /// The rules by which it was judged.
    Rules,
    /// Who may do what, and which keys sign.
    Authority,
}

impl Part {
    /// In words, for a manifest.
    pub fn name(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Turn => "turn",
            Self::Before => "before",
            Self::Outcome => "outcome",
            Self::Beside => "beside",
            Self::Alert => "alert",
            Self::Records => "records",
            Self::Rules => "rules",
            Self::Authority => "authority",
        }
    }
}

/// The entries that belong, with why.
#[derive(Debug, Clone, Default)]
pub struct Chosen {
    parts: BTreeMap<u64, Part>,
    pool: Pool,
    /// The flag that it is about.
    pub(crate) flag: Option<EntryId>,
    /// The first and last of the times of what was asked for.
    pub(crate) times: Option<(Timestamp, Timestamp)>,
}

impl Chosen {
    /// Their places in the log, in order.
    pub fn indices(&self) -> impl Iterator<Item = u64> {
        self.parts.keys().copied()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.parts.len()
    }

    /// Whether nothing belongs.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Whether the question itself is about anything.
    pub fn has_asked(&self) -> bool {
        self.parts.values().any(|part| *part == Part::Asked)
    }

    /// The leaf's bytes.
    pub fn leaf(&self, index: u64) -> Option<&[u8]> {
        self.parts.get(&index).and(self.pool.leaf(index))
    }

    /// The id of an entry.
    pub fn id_at(&self, index: u64) -> Option<EntryId> {
        self.parts.get(&index).and(self.pool.id_at(index))
    }

    /// Every bundle that an entry names.
    pub fn bundles(&self) -> BTreeSet<PolicyRef> {
        let bodies = self.bodies();
        bodies
            .filter_map(|(_, _, body)| members::policy(body))
            .collect()
    }

    pub(crate) fn part(&self, index: u64) -> Option<Part> {
        self.parts.get(&index).copied()
    }

    pub(crate) fn pooled(&self) -> impl Iterator<Item = (u64, &Pooled)> {
        let indices = self.parts.keys();
        indices.filter_map(|index| Some((*index, self.pool.get(*index)?)))
    }

    pub(crate) fn bodies(&self) -> impl Iterator<Item = (u64, Timestamp, &Body)> {
        self.pooled()
            .filter_map(|(index, it)| Some((index, it.entry.timestamp(), it.entry.body()?)))
    }

    pub(crate) fn index_of(&self, id: EntryId) -> Option<u64> {
        let index = self.pool.index_of(id)?;
        self.parts.contains_key(&index).then_some(index)
    }

    pub(crate) fn body_of(&self, id: EntryId) -> Option<&Body> {
        self.pool.body(self.index_of(id)?)
    }

    fn add(&mut self, index: u64, part: Part) {
        self.parts.entry(index).or_insert(part);
    }

    fn decisions(&self) -> BTreeSet<EntryId> {
        let decisions = self
            .bodies()
            .filter(|(_, _, body)| matches!(body, Body::Decision(_)));
        decisions
            .filter_map(|(index, _, _)| self.pool.id_at(index))
            .collect()
    }
}

/// The entries of the pool that belong to what is asked. Openings of the records `opened` belong,
/// too: they were opened for it.
pub fn choose(question: &Question, pool: &Pool, opened: &BTreeSet<Sha256>) -> Chosen {
    let seeds = Seeds::of(question, pool);
    let mut chosen = Chosen {
        parts: BTreeMap::new(),
        pool: pool.clone(),
        flag: seeds.flag,
        times: seeds.times,
    };
    if let Some(before) = seeds.before {
        chosen.add(before, Part::Before);
    }
    for index in &seeds.core {
        chosen.add(*index, Part::Asked);
    }
    let turns = seeds.turns.iter().filter_map(|it| pool.turn(*it));
    turns.for_each(|index| chosen.add(index, Part::Turn));
    beside(&mut chosen, pool, &seeds);
    outcomes(&mut chosen, pool);
    alerts(&mut chosen, pool);
    about_turns(&mut chosen, pool, &seeds);
    records(&mut chosen, pool, opened);
    rules(&mut chosen, pool);
    authority(&mut chosen, pool);
    chosen
}

/// What else was done in the sessions, near in time.
fn beside(chosen: &mut Chosen, pool: &Pool, seeds: &Seeds) {
    let Some((from, to)) = seeds.window else {
        return;
    };
    for (index, at, body) in pool.bodies() {
        let is_in_session = members::session(body).is_some_and(|it| seeds.sessions.contains(&it));
        if !is_in_session {
            continue;
        }
        let is_frame = matches!(body, Body::SessionOpen(_) | Body::SessionClose(_));
        if is_frame || (from <= at && at < to) {
            chosen.add(index, Part::Beside);
        }
    }
}

/// What came of the calls, and what they themselves came of.
fn outcomes(chosen: &mut Chosen, pool: &Pool) {
    let decisions = chosen.decisions();
    for (index, _, body) in pool.bodies() {
        let is_of = |id: Option<EntryId>| id.is_some_and(|id| decisions.contains(&id));
        let belongs = match body {
            Body::Execution(it) => is_of(it.links.decision),
            Body::PermitRefused(it) => is_of(it.links.decision),
            Body::Review(it) => is_of(it.links.review),
            Body::Expired(it) => is_of(it.links.resolves),
            Body::Decision(it) => is_of(it.links.resolves) || is_of(it.links.shadows),
            _ => false,
        };
        if belongs {
            chosen.add(index, Part::Outcome);
        }
    }
    let linked: Vec<u64> = chosen
        .bodies()
        .flat_map(|(_, _, body)| members::linked(body))
        .filter_map(|id| pool.index_of(id))
        .collect();
    linked
        .into_iter()
        .for_each(|index| chosen.add(index, Part::Outcome));
}

/// Other flags over the same calls, and what became of each.
fn alerts(chosen: &mut Chosen, pool: &Pool) {
    let decisions = chosen.decisions();
    let mut flags = BTreeSet::new();
    for (index, _, body) in pool.bodies() {
        if let Body::Flag(flag) = body
            && flag.entries.iter().any(|id| decisions.contains(id))
        {
            flags.extend(pool.id_at(index));
            chosen.add(index, Part::Alert);
        }
    }
    for (index, _, body) in pool.bodies() {
        let about = match body {
            Body::FlagUpdate(update) => update.links.flag,
            Body::FlagClose(close) => close.links.flag,
            _ => None,
        };
        if about.is_some_and(|flag| flags.contains(&flag)) {
            chosen.add(index, Part::Alert);
        }
    }
}

/// Who else was given the turns, and who was stopped while it went on.
fn about_turns(chosen: &mut Chosen, pool: &Pool, seeds: &Seeds) {
    let (Some(since), Some((_, until))) = (seeds.since, seeds.window) else {
        return;
    };
    let actors: BTreeSet<ActorName> = chosen
        .bodies()
        .filter_map(|(_, _, body)| match body {
            Body::Decision(decision) => Some(decision.actor.clone()),
            _ => None,
        })
        .collect();
    for (index, at, body) in pool.bodies() {
        let is_during = since <= at && at < until;
        let belongs = match body {
            Body::Delegation(it) => seeds.turns.contains(&it.intent_ref),
            Body::Revocation(it) => match it.scope {
                RevocationScope::Turn => it.intent_ref.is_some_and(|it| seeds.turns.contains(&it)),
                RevocationScope::Actor => {
                    is_during && it.actor.as_ref().is_some_and(|it| actors.contains(it))
                }
                RevocationScope::Everything => is_during,
            },
            _ => false,
        };
        if belongs {
            chosen.add(index, Part::Outcome);
        }
    }
}

/// Who opened, held or erased the records that the entries name.
fn records(chosen: &mut Chosen, pool: &Pool, opened: &BTreeSet<Sha256>) {
    let mut named: BTreeSet<Sha256> = chosen
        .bodies()
        .flat_map(|(_, _, body)| members::records(body))
        .map(|it| it.reference)
        .collect();
    named.extend(opened);
    let mut found = BTreeSet::new();
    let mut authorities = BTreeSet::new();
    for (index, _, body) in pool.bodies() {
        if members::touched(body).iter().any(|it| named.contains(it)) {
            found.extend(pool.id_at(index));
            chosen.add(index, Part::Records);
            if !matches!(body, Body::VaultAccess(_)) {
                authorities.extend(members::records(body).iter().map(|it| it.reference));
            }
        }
    }
    for (index, _, body) in pool.bodies() {
        // What lifts a hold need not repeat its records, and a request is the reason of an opening.
        let is_record = matches!(body, Body::Hold(_) | Body::VaultAccess(_));
        let is_about = members::linked(body).iter().any(|id| found.contains(id));
        let on_whose_word = members::touched(body)
            .iter()
            .any(|it| authorities.contains(it));
        if is_record && (is_about || on_whose_word) {
            chosen.add(index, Part::Records);
        }
    }
    // What an opening was asked for by.
    let asked: Vec<u64> = chosen
        .bodies()
        .filter(|(_, _, body)| matches!(body, Body::VaultAccess(_) | Body::Hold(_)))
        .flat_map(|(_, _, body)| members::linked(body))
        .filter_map(|id| pool.index_of(id))
        .collect();
    asked
        .into_iter()
        .for_each(|index| chosen.add(index, Part::Records));
}

/// The entries by which the bundles came into the log and into force.
fn rules(chosen: &mut Chosen, pool: &Pool) {
    let named: Vec<(u64, PolicyRef)> = chosen
        .bodies()
        .filter_map(|(index, _, body)| Some((index, members::policy(body)?)))
        .collect();
    let refs: BTreeSet<PolicyRef> = named.iter().map(|(_, policy)| *policy).collect();
    let mut in_force: BTreeMap<PolicyRef, BTreeSet<u64>> = BTreeMap::new();
    for (index, _, body) in pool.bodies() {
        let Body::Policy(policy) = body else { continue };
        if !refs.contains(&policy.policy_ref) {
            continue;
        }
        match policy.phase {
            PolicyPhase::Stored => chosen.add(index, Part::Rules),
            PolicyPhase::InForce | PolicyPhase::Shadow => {
                in_force.entry(policy.policy_ref).or_default().insert(index);
            }
            PolicyPhase::ShadowEnd | PolicyPhase::Replayed => {}
        }
    }
    for (index, policy) in named {
        // The newest that was before it.
        let before = in_force.get(&policy);
        let newest = before.and_then(|all| all.range(..index).next_back());
        if let Some(newest) = newest {
            chosen.add(*newest, Part::Rules);
        }
    }
}

/// The keys of the log, and the credentials behind all of it.
fn authority(chosen: &mut Chosen, pool: &Pool) {
    let mut grants: BTreeMap<CredentialId, Vec<u64>> = BTreeMap::new();
    for (index, _, body) in pool.bodies() {
        match body {
            Body::Genesis(_) | Body::Key(_) => chosen.add(index, Part::Authority),
            Body::Credential(credential) => {
                grants.entry(credential.subject).or_default().push(index);
            }
            _ => {}
        }
    }
    let mut looked_at = BTreeSet::new();
    loop {
        let named: BTreeSet<CredentialId> = chosen
            .bodies()
            .filter_map(|(_, _, body)| members::credential(body))
            .chain(readers(chosen))
            .filter(|it| !looked_at.contains(it))
            .collect();
        if named.is_empty() {
            return;
        }
        for credential in &named {
            let found = grants.get(credential).into_iter().flatten();
            found.for_each(|index| chosen.add(*index, Part::Authority));
        }
        looked_at.extend(named);
    }
}

/// Credentials that flags are about.
fn readers(chosen: &Chosen) -> impl Iterator<Item = CredentialId> {
    chosen.bodies().filter_map(|(_, _, body)| match body {
        Body::Flag(flag) => flag.reader,
        _ => None,
    })
}
