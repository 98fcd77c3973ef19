//! Recorded decisions judged again under another bundle, a page at a time.
//!
//! What a call was and where its values came from is sealed, and verdicts tell of it: so this is
//! access to the vault, by a `vault-reader`, for a purpose, and an entry. The facts are drawn anew
//! from what the recorded facts were drawn from; counters and history are taken as recorded.

mod past;
mod records;

use std::collections::BTreeMap;
use std::sync::Arc;

use countersign_core::document::{Bundle, BundleContent};
use countersign_core::entry::{self, AnyEntry, Decision, PolicyPhase, Role};
use countersign_core::ids::EntryId;
use countersign_core::limits::{BUNDLE_BYTES, LEAF_LIST};
use countersign_core::names::{BuiltinReason, ReasonId};
use countersign_core::refs::{PolicyRef, Sha256};
use countersign_core::time::Timestamp;
use countersign_core::verdict::Outcome;
use countersign_judge::CompiledBundle;
use countersign_ledger::{Filter, Order, Page, Step, StepError};
use countersign_merkle::LeafIndex;
use countersign_wire::{ReplayChange, ReplayPage, ReplayRequest};
use serde_json::json;

use crate::Service;
use crate::caller::Caller;
use crate::decide::{enforced, reasons};
use crate::error::ServiceError;
use crate::policy::CheckedBundle;
use crate::state::{self, InForceRow, ReplayedRow, key};
use crate::turns::name;
use crate::vault::access::check_kept;
use crate::vault::rate;
use past::Directories;
use records::{Again, LeftOut};

/// Most bytes of a request for a replay: a bundle and a little more.
pub const REPLAY_BODY_BYTES: usize = BUNDLE_BYTES + 64 * 1024;
/// Most decisions that are judged again for one request.
pub const REPLAY_PAGE: usize = 2 * LEAF_LIST;
/// Most entries that are looked through for one request.
const LOOKED_THROUGH: usize = 1_024;
/// Most bytes of calls on one page; further ones are left to `explain`.
const SHOWN_BYTES: usize = 16 * 1024 * 1024;
/// Bytes of sealed records after which a page ends.
const PAGE_BYTES: usize = 256 * 1024 * 1024;
/// Entries that are read at once.
const READ: usize = 128;

/// Reasons that no bundle gives: the call was refused before it was judged, or at the commit.
const BESIDE: [BuiltinReason; 4] = [
    BuiltinReason::Stopped,
    BuiltinReason::Contended,
    BuiltinReason::ForeignActor,
    BuiltinReason::MalformedCall,
];

/// A bundle that decisions are judged under again.
struct Candidate {
    compiled: Arc<CompiledBundle>,
    is_stored: bool,
}

/// What a page has come to so far.
#[derive(Default)]
struct Tally {
    judged: u32,
    unchanged: u32,
    changes: Vec<ReplayChange>,
    left_out: BTreeMap<&'static str, u32>,
    opened: Vec<Sha256>,
    calls: Vec<Sha256>,
    looked_at: usize,
    shown_bytes: usize,
    opened_bytes: usize,
}

/// Which decisions are meant.
struct Range {
    from: Option<Timestamp>,
    first: Option<LeafIndex>,
    after: Option<LeafIndex>,
    limit: usize,
    /// Whether the page begins with the newest decision and is as long as a page can be.
    is_newest: bool,
}

impl Service {
    /// Judges a page of recorded decisions again under another bundle, the newest first.
    ///
    /// In: a caller with the role `vault-reader`, who may read all that the verdicts tell of. Out:
    /// what comes out otherwise. The access is in the ledger before anything is told.
    pub fn replay_decisions(
        &self,
        caller: &Caller,
        request: &ReplayRequest,
    ) -> Result<ReplayPage, ServiceError> {
        caller.require(Role::VaultReader)?;
        let range = self.range(request)?;
        let purpose = self.sealed_purpose(&request.purpose)?;
        let terms = self.terms(caller)?;
        terms.one_is_enough()?;
        let candidate = self.candidate(request)?;
        self.check_forms(&candidate.compiled)?;
        let mut tally = Tally::default();
        let directories = Directories::new(self)?;
        let next = self.judge_page(&candidate, &range, request.calls, &directories, &mut tally)?;
        let policy_ref = candidate.compiled.policy_ref();
        let is_record = candidate.is_stored && range.is_newest;
        let replayed = is_record.then(|| self.entry_id());
        let accesses = tally.opened.iter().chain(&tally.calls).copied();
        let accesses: Vec<Sha256> = accesses.collect();
        let accesses: Vec<(EntryId, Vec<Sha256>)> = accesses
            .chunks(LEAF_LIST)
            .map(|refs| (self.entry_id(), refs.to_vec()))
            .collect();
        let vault_access = accesses.iter().map(|(id, _)| id.to_string()).collect();
        let (by, allowed) = (caller.id(), terms.settings.opened_per_hour);
        let opened = accesses.iter().map(|(_, refs)| refs.len()).sum();
        let committed = self.ledger.commit(terms.reads, move |step| {
            rate::note_opening(step, by, opened, allowed)?;
            for (entry_id, refs) in &accesses {
                // Verdicts tell of what was read before.
                check_kept(step, refs)?;
                let access = entry::VaultAccess {
                    refs: refs.clone(),
                    purpose_ref: purpose.0,
                    credential: by,
                    phase: None,
                    request: None,
                };
                step.push(*entry_id, access)?;
            }
            if !accesses.is_empty() {
                step.seal(purpose.1.clone())?;
            }
            match replayed {
                Some(entry_id) => note_replay(step, entry_id, policy_ref, by),
                None => Ok(false),
            }
        })?;
        self.watcher.wake();
        let entry = replayed.filter(|_| committed.value);
        Ok(ReplayPage {
            policy_ref: policy_ref.to_string(),
            judged: tally.judged,
            unchanged: tally.unchanged,
            changes: tally.changes,
            left_out: tally
                .left_out
                .into_iter()
                .map(|(why, count)| (why.to_owned(), count))
                .collect(),
            vault_access,
            entry: entry.map(|id| self.entry_json(id)).transpose()?,
            next: next.map(|index| index.get().to_string()),
        })
    }

    fn range(&self, request: &ReplayRequest) -> Result<Range, ServiceError> {
        let limit = request.limit.map_or(Ok(REPLAY_PAGE), usize::try_from);
        let limit = limit.ok().filter(|limit| (1..=REPLAY_PAGE).contains(limit));
        let limit = limit.ok_or_else(|| {
            let detail = format!("`limit` is 1 to {REPLAY_PAGE}");
            ServiceError::malformed(detail)
        })?;
        let cursor = request.cursor.as_deref().map(str::parse).transpose();
        let after = cursor
            .map_err(|_| ServiceError::malformed("`cursor` is not one that was given out"))?
            .map(LeafIndex::new);
        let (mut from, mut first) = (None, None);
        if let Some(since) = &request.since {
            match since.parse::<EntryId>() {
                Ok(id) => {
                    let known = self.known_entry(id)?;
                    let known =
                        known.ok_or_else(|| ServiceError::not_found(format!("entry `{id}`")))?;
                    first = Some(known.0);
                }
                Err(_) => from = Some(name(since)?),
            }
        }
        Ok(Range {
            is_newest: after.is_none() && request.since.is_none() && limit == REPLAY_PAGE,
            from,
            first,
            after,
            limit,
        })
    }

    fn candidate(&self, request: &ReplayRequest) -> Result<Candidate, ServiceError> {
        match (&request.policy_ref, &request.bundle) {
            (Some(policy_ref), None) => Ok(Candidate {
                compiled: self.compiled(&name(policy_ref)?)?,
                is_stored: true,
            }),
            (None, Some(content)) => {
                let content: BundleContent = serde_json::from_value(content.clone())
                    .map_err(|error| ServiceError::malformed(format!("`bundle`: {error}")))?;
                let checked = CheckedBundle::compile(Bundle {
                    tenant: self.tenant.clone(),
                    content,
                })?;
                Ok(Candidate {
                    is_stored: self.stored_bundle(&checked.policy_ref())?.is_some(),
                    compiled: checked.compiled(),
                })
            }
            _ => Err(ServiceError::malformed(
                "give either `policy_ref` or `bundle`",
            )),
        }
    }

    /// Where the page ended, if there is more.
    fn judge_page(
        &self,
        candidate: &Candidate,
        range: &Range,
        shows_calls: bool,
        directories: &Directories<'_>,
        tally: &mut Tally,
    ) -> Result<Option<LeafIndex>, ServiceError> {
        let filter = Filter {
            kind: Some("decision".to_owned()),
            from: range.from,
            ..Filter::default()
        };
        let mut after = range.after;
        loop {
            let page = Page {
                order: Order::NewestFirst,
                after,
                limit: READ,
            };
            let found = self.ledger.query(&filter, &page)?;
            for stored in &found.entries {
                if range.first.is_some_and(|first| stored.index < first) {
                    return Ok(None);
                }
                if tally.is_full(range.limit) {
                    return Ok(after);
                }
                after = Some(stored.index);
                tally.looked_at = tally.looked_at.saturating_add(1);
                let entry = AnyEntry::from_leaf(&stored.bytes)?;
                let Some(decision) = entry.body().and_then(enforced).filter(|d| was_judged(d))
                else {
                    continue;
                };
                let opened = &mut tally.opened_bytes;
                let again = self.judge_again(&candidate.compiled, decision, directories, opened)?;
                let at = At {
                    index: stored.index,
                    entry: &entry,
                    decision,
                };
                tally.add(&candidate.compiled, &at, again, shows_calls);
            }
            match found.next {
                Some(next) => after = Some(next),
                None => return Ok(None),
            }
        }
    }
}

/// A recorded decision and where it stands.
struct At<'a> {
    index: LeafIndex,
    entry: &'a AnyEntry,
    decision: &'a Decision,
}

impl Tally {
    /// Whether the page ends here.
    fn is_full(&self, limit: usize) -> bool {
        self.decisions() >= limit
            || self.looked_at >= LOOKED_THROUGH
            || self.opened_bytes >= PAGE_BYTES
    }

    fn decisions(&self) -> usize {
        let left_out: u32 = self.left_out.values().sum();
        usize::try_from(self.judged.saturating_add(left_out)).unwrap_or(usize::MAX)
    }

    fn add(
        &mut self,
        bundle: &CompiledBundle,
        at: &At<'_>,
        again: Result<Again, LeftOut>,
        shows_calls: bool,
    ) {
        if !matches!(again, Err(LeftOut::NoFacts)) {
            self.opened.extend(at.decision.facts_ref.map(Sha256::from));
        }
        let again = match again {
            Ok(again) => again,
            Err(why) => {
                let count = self.left_out.entry(why.name()).or_default();
                *count = count.saturating_add(1);
                return;
            }
        };
        self.judged = self.judged.saturating_add(1);
        let Some(change) = change(at.decision.outcome, again.verdict.outcome) else {
            self.unchanged = self.unchanged.saturating_add(1);
            return;
        };
        let ids: Vec<ReasonId> = again.verdict.reasons.into_iter().collect();
        let call = json!({"tool": again.call.tool, "args": again.call.args});
        let bytes = call.to_string().len();
        let is_shown = shows_calls && self.shown_bytes.saturating_add(bytes) <= SHOWN_BYTES;
        if is_shown {
            self.shown_bytes = self.shown_bytes.saturating_add(bytes);
            self.calls.extend(at.decision.call_ref.map(Sha256::from));
        }
        self.changes.push(ReplayChange {
            change: change.to_owned(),
            entry_id: at.entry.entry_id().to_string(),
            index: at.index.get(),
            timestamp: at.entry.timestamp().to_string(),
            actor: at.decision.actor.to_string(),
            action: again.action.to_string(),
            was: at.decision.outcome.name().to_owned(),
            was_reasons: at
                .decision
                .reasons
                .iter()
                .map(ToString::to_string)
                .collect(),
            becomes: again.verdict.outcome.name().to_owned(),
            reasons: reasons(bundle, &ids),
            call: is_shown.then_some(call),
        });
    }
}

/// What the other verdict changes, if it does.
fn change(was: Outcome, becomes: Outcome) -> Option<&'static str> {
    match becomes {
        _ if was == becomes => None,
        Outcome::Approved => Some("newly-permitted"),
        Outcome::Escalated => Some("newly-escalated"),
        Outcome::Rejected | Outcome::Modified | Outcome::Deferred => Some("newly-stopped"),
    }
}

/// Whether a bundle judged the call.
fn was_judged(decision: &Decision) -> bool {
    let is_beside = |reason: &ReasonId| {
        BuiltinReason::of(reason).is_some_and(|reason| BESIDE.contains(&reason))
    };
    decision.facts_ref.is_some()
        && decision.call_ref.is_some()
        && !decision.reasons.iter().any(is_beside)
}

/// Says in the log that the newest decisions were replayed; not of the bundle in force itself.
fn note_replay(
    step: &mut Step<'_>,
    entry_id: EntryId,
    policy_ref: PolicyRef,
    by: countersign_core::ids::CredentialId,
) -> Result<bool, StepError> {
    let in_force = state::read_in::<InForceRow>(step, &key::policy_in_force())?;
    let Some(in_force) = in_force.filter(|row| row.policy_ref != policy_ref) else {
        return Ok(false);
    };
    let replayed = entry::Policy {
        policy_ref,
        phase: PolicyPhase::Replayed,
        parts: Vec::new(),
        previous: Some(in_force.policy_ref),
        credential: Some(by),
    };
    step.push(entry_id, replayed)?;
    let row = ReplayedRow {
        entry: entry_id,
        in_force: in_force.policy_ref,
        at: step.now(),
    };
    state::put(step, key::policy_replayed(&policy_ref), &row)?;
    Ok(true)
}
