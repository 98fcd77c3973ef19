//! Legal holds: what is under one cannot be erased and does not expire.
//!
//! A record may be under several holds. Its row names the entries that placed them; lifting takes
//! one away. Erasing reads the row under the lock, so there is no moment between the two. A hold
//! covers the records that are there when it is placed, and none that come later.

use std::collections::BTreeSet;

use countersign_core::document::SealedRecord;
use countersign_core::entry::{Hold, HoldChange, Links, Role};
use countersign_core::ids::{CredentialId, EntryId};
use countersign_core::limits::LEAF_LIST;
use countersign_core::refs::{Sha256, StatementRef};
use countersign_ledger::{Committed, StateKey, Step, StepError};
use countersign_wire::{
    HoldList, HoldPlaced, HoldReleased, HoldRequest, HoldView, RawJson, ReleaseRequest,
};

use crate::Service;
use crate::caller::Caller;
use crate::error::{ErrorCode, ServiceError};
use crate::state::{self, ErasedRow, HoldPlacedRow, HoldRow, key};
use crate::turns::name;

/// Most records that one request puts under hold.
pub const HOLD_RECORDS: usize = 65_536;
/// Most holds on one page.
pub const HOLDS_LISTED: usize = 100;
/// Most holds that one record is under.
const PER_RECORD: usize = 64;
/// Most entries in one commit, each for [`LEAF_LIST`] records at most.
const TOGETHER: usize = 16;
/// Rows that are read at once.
const READ: usize = 256;

/// Which of these records are under hold, as the plan sees it.
pub(crate) fn held(step: &Step<'_>, refs: &[Sha256]) -> Result<Vec<Sha256>, StepError> {
    let mut held = Vec::new();
    for reference in refs {
        let row = state::read_in::<HoldRow>(step, &key::hold(reference))?;
        if row.is_some_and(|row| !row.holds.is_empty()) {
            held.push(*reference);
        }
    }
    Ok(held)
}

/// A part of a hold that is placed or lifted: one entry.
#[derive(Clone)]
struct Part {
    entry: EntryId,
    refs: Vec<Sha256>,
    /// The entry that placed it, where it is lifted.
    lifts: Option<EntryId>,
}

/// On whose authority, and by whom.
#[derive(Clone)]
struct Authority {
    authority_ref: StatementRef,
    record: SealedRecord,
    credential: CredentialId,
}

impl Service {
    /// Puts records under hold: those that are there now. More than one commit holds are placed by
    /// several entries of the same authority.
    pub fn place_hold(
        &self,
        caller: &Caller,
        request: &HoldRequest,
    ) -> Result<HoldPlaced, ServiceError> {
        caller.require(Role::Admin)?;
        let authority = self.authority(caller, &request.authority)?;
        let selected = self.selected(&request.selection)?;
        let refs: Vec<Sha256> = selected.refs().into_iter().collect();
        if refs.len() > HOLD_RECORDS {
            let detail = format!(
                "{} records are selected; one request holds {HOLD_RECORDS} at most",
                refs.len()
            );
            return Err(ServiceError::new(ErrorCode::TooLarge, detail));
        }
        if refs.is_empty() {
            return Err(ServiceError::not_found("record to hold among the selected"));
        }
        let parts: Vec<Part> = refs
            .chunks(LEAF_LIST)
            .map(|refs| self.part_of_hold(refs.to_vec(), None))
            .collect();
        let (_, last) = self.change_holds(caller, &authority, &parts)?;
        Ok(HoldPlaced {
            authority_ref: authority.authority_ref.to_string(),
            holds: parts.iter().map(|part| part.entry.to_string()).collect(),
            records: count(refs.len()),
            erased: selected.already,
            entry: last,
        })
    }

    /// Lifts a hold, or all that one request placed, from all of its records or some.
    pub fn release_hold(
        &self,
        caller: &Caller,
        request: &ReleaseRequest,
    ) -> Result<HoldReleased, ServiceError> {
        caller.require(Role::Admin)?;
        let authority = self.authority(caller, &request.authority)?;
        let only = request.refs.iter().map(|text| name::<Sha256>(text));
        let only = only.collect::<Result<BTreeSet<_>, _>>()?;
        let mut parts = Vec::new();
        for row in self.placed(request)? {
            let mut refs = row.refs;
            refs.retain(|reference| only.is_empty() || only.contains(reference));
            if !refs.is_empty() {
                parts.push(self.part_of_hold(refs, Some(row.entry)));
            }
        }
        let records: usize = parts.iter().map(|part| part.refs.len()).sum();
        if records < only.len().max(1) {
            let detail = "the hold is not on all of these records";
            return Err(ServiceError::new(ErrorCode::Conflict, detail));
        }
        let (still_held, last) = self.change_holds(caller, &authority, &parts)?;
        self.retention.look_again();
        Ok(HoldReleased {
            authority_ref: authority.authority_ref.to_string(),
            lifted: parts.iter().map(|part| part.entry.to_string()).collect(),
            records: count(records),
            still_held: count(still_held),
            entry: last,
        })
    }

    /// The holds that are in force, the oldest first, after the one that is named.
    pub fn holds(&self, caller: &Caller, after: Option<&str>) -> Result<HoldList, ServiceError> {
        caller.require_any(&[Role::Admin, Role::Auditor])?;
        let after = after.map(name::<EntryId>).transpose()?;
        let mut holds = Vec::new();
        let mut next = None;
        self.each_placed(after.map(key::hold_placed), |row| {
            if holds.len() == HOLDS_LISTED {
                next = holds.last().map(|view: &HoldView| view.hold.clone());
                return false;
            }
            holds.push(HoldView {
                hold: row.entry.to_string(),
                authority_ref: row.authority_ref.to_string(),
                credential: row.credential.to_string(),
                placed_at: row.at.to_string(),
                refs: row.refs.iter().map(Sha256::to_string).collect(),
            });
            true
        })?;
        Ok(HoldList { holds, next })
    }

    fn authority(&self, caller: &Caller, words: &str) -> Result<Authority, ServiceError> {
        let (authority_ref, record) = self.sealed_words("an authority", words)?;
        Ok(Authority {
            authority_ref,
            record,
            credential: caller.id(),
        })
    }

    fn part_of_hold(&self, refs: Vec<Sha256>, lifts: Option<EntryId>) -> Part {
        Part {
            entry: self.entry_id(),
            refs,
            lifts,
        }
    }

    /// What a request to lift is about.
    fn placed(&self, request: &ReleaseRequest) -> Result<Vec<HoldPlacedRow>, ServiceError> {
        match (&request.hold, &request.authority_ref) {
            (Some(hold), None) => {
                let hold: EntryId = name(hold)?;
                let row = state::read::<HoldPlacedRow>(&self.ledger, &key::hold_placed(hold))?;
                let none = || ServiceError::not_found(format!("hold `{hold}` in force"));
                Ok(vec![row.ok_or_else(none)?])
            }
            (None, Some(authority)) => {
                let authority: StatementRef = name(authority)?;
                let mut rows = Vec::new();
                self.each_placed(None, |row| {
                    if row.authority_ref == authority {
                        rows.push(row);
                    }
                    true
                })?;
                if rows.is_empty() {
                    let what = format!("hold of the authority `{authority}` in force");
                    return Err(ServiceError::not_found(what));
                }
                Ok(rows)
            }
            _ => Err(ServiceError::malformed(
                "give either `hold` or `authority_ref`",
            )),
        }
    }

    /// Goes through the holds in force for as long as it is told to.
    fn each_placed(
        &self,
        mut after: Option<StateKey>,
        mut take: impl FnMut(HoldPlacedRow) -> bool,
    ) -> Result<(), ServiceError> {
        loop {
            let page = self.ledger.scan(key::HOLDS_PLACED, after.as_ref(), READ)?;
            let is_last = page.len() < READ;
            for (state_key, found) in page {
                if let Some(bytes) = &found.value
                    && !take(serde_json::from_slice(bytes)?)
                {
                    return Ok(());
                }
                after = Some(state_key);
            }
            if is_last {
                return Ok(());
            }
        }
    }

    /// Commits parts of a hold, some at a time; how many of the records are still under a hold, and
    /// the last entry.
    fn change_holds(
        &self,
        caller: &Caller,
        authority: &Authority,
        parts: &[Part],
    ) -> Result<(usize, RawJson), ServiceError> {
        let mut still_held = 0usize;
        let mut last: Option<Committed<usize>> = None;
        for parts in parts.chunks(TOGETHER) {
            let (parts, authority) = (parts.to_vec(), authority.clone());
            let committed = self.ledger.commit(caller.reads(), move |step| {
                let mut held = 0usize;
                for part in &parts {
                    held = held.saturating_add(match part.lifts {
                        None => place(step, part, &authority)?,
                        Some(placed) => lift(step, part, placed, &authority)?,
                    });
                }
                step.seal(authority.record.clone())?;
                Ok(held)
            })?;
            still_held = still_held.saturating_add(committed.value);
            last = Some(committed);
        }
        self.watcher.wake();
        let last = last.ok_or_else(|| ServiceError::internal("a hold of nothing"))?;
        Ok((still_held, self.only_entry(&last)?))
    }
}

/// Places one part within the plan; how many records are under a hold then.
fn place(step: &mut Step<'_>, part: &Part, authority: &Authority) -> Result<usize, StepError> {
    step.push(part.entry, part.body(authority))?;
    for reference in &part.refs {
        if state::read_in::<ErasedRow>(step, &key::erased(reference))?.is_some() {
            return Err(conflict(format!(
                "`{reference}` was erased meanwhile: ask again"
            )));
        }
        let state_key = key::hold(reference);
        let mut row = state::read_in::<HoldRow>(step, &state_key)?.unwrap_or_default();
        if row.holds.len() >= PER_RECORD {
            let detail = format!("`{reference}` is under {PER_RECORD} holds; no more are kept");
            return Err(conflict(detail));
        }
        row.holds.push(part.entry);
        state::put(step, state_key, &row)?;
    }
    let row = HoldPlacedRow {
        entry: part.entry,
        authority_ref: authority.authority_ref,
        credential: authority.credential,
        at: step.now(),
        refs: part.refs.clone(),
    };
    state::put(step, key::hold_placed(part.entry), &row)?;
    Ok(part.refs.len())
}

/// Lifts one part within the plan; how many of its records are under another hold.
fn lift(
    step: &mut Step<'_>,
    part: &Part,
    placed: EntryId,
    authority: &Authority,
) -> Result<usize, StepError> {
    let placed_key = key::hold_placed(placed);
    let row = state::read_in::<HoldPlacedRow>(step, &placed_key)?;
    let mut row = row
        .filter(|row| part.refs.iter().all(|it| row.refs.contains(it)))
        .ok_or_else(|| conflict(format!("the hold `{placed}` was lifted meanwhile")))?;
    step.push(part.entry, part.body(authority))?;
    row.refs.retain(|it| !part.refs.contains(it));
    match row.refs.is_empty() {
        true => step.delete(placed_key)?,
        false => state::put(step, placed_key, &row)?,
    }
    let mut still_held = 0usize;
    for reference in &part.refs {
        let state_key = key::hold(reference);
        let mut row = state::read_in::<HoldRow>(step, &state_key)?.unwrap_or_default();
        row.holds.retain(|hold| *hold != placed);
        if row.holds.is_empty() {
            step.delete(state_key)?;
        } else {
            still_held = still_held.saturating_add(1);
            state::put(step, state_key, &row)?;
        }
    }
    Ok(still_held)
}

impl Part {
    fn body(&self, authority: &Authority) -> Hold {
        Hold {
            change: match self.lifts {
                None => HoldChange::Placed,
                Some(_) => HoldChange::Lifted,
            },
            links: Links {
                hold: self.lifts,
                ..Links::default()
            },
            refs: self.refs.clone(),
            authority_ref: authority.authority_ref,
            credential: authority.credential,
        }
    }
}

fn conflict(detail: String) -> StepError {
    StepError::refused(ServiceError::new(ErrorCode::Conflict, detail))
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
