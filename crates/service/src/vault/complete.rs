//! Completing erasures: an erased record's key was destroyed in the database when the erasure was
//! requested, and older copies of the database still hold it. So a new epoch of keys begins, the keys
//! of the records that are left are wrapped anew under it, and the older epochs' keys are destroyed:
//! then no copy opens what was erased, whoever has it.
//!
//! What has to be done follows from what is there, so whoever starts after an interruption goes on:
//!
//! | what is there | what is done |
//! | --- | --- |
//! | several epochs of keys | keys of records are wrapped anew; when none is left, the older epochs are destroyed |
//! | files of epochs that were destroyed | they are destroyed again |
//! | erasures from before the oldest epoch began, without a `complete` entry | the entry is written |
//!
//! An erasure is from before an epoch if its entry was in the log when the epoch's keys were made: what
//! it erased has never been under them. Erasures from after that wait for the next epoch.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use countersign_core::document::SealedRecord;
use countersign_core::entry::{AnyEntry, Body, Erasure, ErasurePhase, Role};
use countersign_core::ids::{CredentialId, EntryId};
use countersign_core::time::Timestamp;
use countersign_ledger::store::StoreError;
use countersign_ledger::{CommitError, NewWrapping, ReadSet, StateKey, limits::PAGE};
use countersign_vault::{EpochMark, OpenError, RewrapError};
use countersign_wire::{BeginEpoch, CompleteRequest, Completion};

use crate::Service;
use crate::caller::Caller;
use crate::error::ServiceError;
use crate::state::{PendingRow, key};

/// Most records whose keys are wrapped anew in one transaction: decisions wait for it.
const BATCH_RECORDS: usize = 256;
/// Most bytes of records whose keys are wrapped anew in one transaction.
const BATCH_BYTES: u64 = 4 * 1024 * 1024;
/// How many of the newest records are looked at when a log is opened.
const LOOKED_AT: u64 = 256;
/// How long the background works at it before it looks at other things.
const SLICE: Duration = Duration::from_millis(200);
/// How long a request works at it before it answers how far it is.
const CALL: Duration = Duration::from_secs(2);
/// Most erasures that are completed in one commit.
const COMPLETED_TOGETHER: usize = 64;
/// Milliseconds of an hour.
const HOUR_MS: i64 = 3_600_000;

/// How far it is. All of it is lost with the process, and found anew.
#[derive(Default)]
pub(crate) struct Completing(Mutex<Progress>);

#[derive(Default)]
struct Progress {
    /// Whether nothing is left to be done but what is requested from now on.
    is_done: bool,
    /// Whose wish it is, if it is somebody's.
    by: Option<CredentialId>,
    pass: Option<Pass>,
    rewrapped: u64,
    unopenable: u64,
    completed: u64,
}

/// One way through all records.
struct Pass {
    epoch: u32,
    key_id: String,
    /// The last record that was looked at.
    reached: u64,
    last: u64,
    /// Whether it has found nothing to be wrapped anew so far.
    is_idle: bool,
    unopenable: u64,
}

/// The epochs whose keys are there.
struct Present {
    oldest: EpochMark,
    newest: EpochMark,
}

impl Service {
    /// Completes erasures at once, or lets a new epoch of keys begin: as far as it gets in two seconds.
    /// It goes on by itself; who wants to know how far it is asks again.
    pub fn complete_erasures(
        &self,
        caller: &Caller,
        request: &CompleteRequest,
    ) -> Result<Completion, ServiceError> {
        caller.require(Role::Admin)?;
        let mut held = self.completing.lock();
        let present = self.present()?;
        let begins = match request.begin {
            BeginEpoch::Always => true,
            BeginEpoch::IfPending => self.is_pending_since(present.newest.began)?,
            BeginEpoch::Never => false,
        };
        if begins && !present.is_under_way() {
            self.begin_epoch(&mut held)?;
            held.by = Some(caller.id());
        }
        self.go_on(&mut held, Instant::now() + CALL)?;
        self.completion(&held)
    }

    /// Lets a new epoch of keys begin, unless one has, and sees it through: for whoever holds the data
    /// directory. Tells now and then how far it is.
    pub fn rotate_vault_keys(
        &self,
        tell: &mut dyn FnMut(&Completion),
    ) -> Result<Completion, ServiceError> {
        let mut held = self.completing.lock();
        if !self.present()?.is_under_way() {
            self.begin_epoch(&mut held)?;
        }
        loop {
            self.go_on(&mut held, Instant::now() + SLICE)?;
            let completion = self.completion(&held)?;
            tell(&completion);
            if completion.done {
                return Ok(completion);
            }
        }
    }

    /// Goes on with what is under way and, if asked to, begins what is due; says how many erasures
    /// were completed.
    pub fn continue_completion(&self, looks: bool) -> Result<usize, ServiceError> {
        // Somebody's request goes on with it.
        let Ok(mut held) = self.completing.0.try_lock() else {
            return Ok(0);
        };
        let before = held.completed;
        if held.is_done {
            if !looks || !self.is_due()? {
                return Ok(0);
            }
            self.begin_epoch(&mut held)?;
        }
        self.go_on(&mut held, Instant::now() + SLICE)?;
        if !held.is_done {
            self.watcher.wake();
        }
        Ok(usize::try_from(held.completed.saturating_sub(before)).unwrap_or(usize::MAX))
    }

    /// An epoch that the newest records name and that comes after the newest one here: the keys are
    /// those of an older copy. To seal under them would be to seal under keys that were destroyed.
    pub(crate) fn later_epoch(&self) -> Result<Option<String>, ServiceError> {
        let (newest, key_id) = self.vault.newest().map_err(ServiceError::internal)?;
        let after = self.ledger.last_sealed()?.saturating_sub(LOOKED_AT);
        let limit = usize::try_from(LOOKED_AT).unwrap_or(usize::MAX);
        let others = self.ledger.wrapped_otherwise(&key_id, after, limit)?;
        let number = |key_id: &str| {
            key_id
                .strip_prefix("vault-")?
                .split('-')
                .next()?
                .parse()
                .ok()
        };
        let later = others
            .into_iter()
            .find(|key| number(&key.key_id).is_some_and(|of: u32| of > newest));
        Ok(later.map(|key| key.key_id))
    }

    /// Opens a record that was read before. If the epoch that it was under has ended meanwhile, its
    /// key is under another one by now.
    pub(crate) fn unseal<T>(
        &self,
        record: &SealedRecord,
        open: impl Fn(&SealedRecord) -> Result<T, OpenError>,
    ) -> Result<T, ServiceError> {
        match open(record) {
            Err(OpenError::UnknownKey { .. }) => {
                let record = self.ledger.sealed(&record.reference)?.ok_or_else(|| {
                    // Erased in the same moment.
                    ServiceError::not_found(format!("sealed record `{}`", record.reference))
                })?;
                open(&record).map_err(ServiceError::internal)
            }
            opened => opened.map_err(ServiceError::internal),
        }
    }

    /// From here on nothing is stored under an older epoch: what was sealed before is admitted under
    /// the new one, or not at all.
    fn begin_epoch(&self, held: &mut Progress) -> Result<(), ServiceError> {
        // Before the keys are made: what is erased after this has perhaps been under them.
        let began = self.ledger.size().get();
        held.is_done = false;
        held.pass = None;
        let epoch = self.epochs.begin(began).map_err(ServiceError::internal)?;
        tracing::info!(
            epoch = epoch.number(),
            began,
            "an epoch of the vault's keys begins"
        );
        self.vault.begin(epoch).map_err(ServiceError::internal)
    }

    fn go_on(&self, held: &mut Progress, until: Instant) -> Result<(), ServiceError> {
        held.is_done = false;
        let present = self.present()?;
        let newest = present.newest;
        if present.is_under_way() {
            if !self.rewrap_all(held, newest, until)? {
                return Ok(());
            }
            // If a reader is in the way, the store goes on trying by itself: the keys that stand there
            // are those of epochs that are gone in a moment.
            self.ledger.truncate_log()?;
        }
        let destroyed = self.epochs.destroy_before(newest.number);
        destroyed.map_err(ServiceError::internal)?;
        self.vault.forget_before(newest.number);
        if present.is_under_way() {
            tracing::info!(
                before = newest.number,
                "epochs of the vault's keys are destroyed"
            );
        }
        held.pass = None;
        self.note_complete(held, newest)?;
        held.by = None;
        held.is_done = true;
        Ok(())
    }

    /// Whether all keys are under the newest epoch; false if the time was over before.
    fn rewrap_all(
        &self,
        held: &mut Progress,
        newest: EpochMark,
        until: Instant,
    ) -> Result<bool, ServiceError> {
        loop {
            let pass = match held.pass.take() {
                Some(pass) if pass.epoch == newest.number => held.pass.insert(pass),
                _ => held.pass.insert(self.first_pass(newest)?),
            };
            loop {
                if Instant::now() >= until {
                    return Ok(false);
                }
                match self.rewrap_some(pass)? {
                    None => break,
                    Some(rewrapped) => {
                        held.rewrapped = held.rewrapped.saturating_add(rewrapped);
                    }
                }
            }
            held.unopenable = pass.unopenable;
            // Only a way through all that finds nothing shows that nothing is left.
            if pass.is_idle {
                return Ok(true);
            }
            *pass = self.pass(newest)?;
        }
    }

    fn first_pass(&self, newest: EpochMark) -> Result<Pass, ServiceError> {
        // What was admitted under an older epoch is stored by then, and found.
        self.ledger.rest()?;
        self.pass(newest)
    }

    fn pass(&self, newest: EpochMark) -> Result<Pass, ServiceError> {
        let (epoch, key_id) = self.vault.newest().map_err(ServiceError::internal)?;
        if epoch != newest.number {
            let detail = format!(
                "the vault seals under epoch {epoch}, and epoch {} has begun: restart the server",
                newest.number
            );
            return Err(ServiceError::internal(detail));
        }
        Ok(Pass {
            epoch,
            key_id,
            reached: 0,
            last: self.ledger.last_sealed()?,
            is_idle: true,
            unopenable: 0,
        })
    }

    /// Wraps the next keys anew; `None` if there are no more.
    fn rewrap_some(&self, pass: &mut Pass) -> Result<Option<u64>, ServiceError> {
        let found = self
            .ledger
            .wrapped_otherwise(&pass.key_id, pass.reached, BATCH_RECORDS)?;
        let (mut batch, mut bytes, mut reached) = (Vec::new(), 0u64, None);
        let mut unopenable = 0u64;
        for old in found {
            bytes = bytes.saturating_add(old.bytes);
            if bytes > BATCH_BYTES && !batch.is_empty() {
                break;
            }
            reached = Some(old.place);
            match self.vault.rewrap(&old.key_id, &old.wrapped_key) {
                Ok((key_id, wrapped_key)) => batch.push(NewWrapping {
                    reference: old.reference,
                    before: old.key_id,
                    key_id,
                    wrapped_key,
                }),
                // No key that is here opens it, so none that goes does.
                Err(RewrapError::Open(error)) => {
                    unopenable = unopenable.saturating_add(1);
                    tracing::warn!(record = %old.reference, %error, "a record cannot be opened");
                }
                Err(error @ RewrapError::Wrap(_)) => return Err(ServiceError::internal(error)),
            }
        }
        let Some(reached) = reached else {
            pass.reached = pass.last;
            return Ok(None);
        };
        let mut rewrapped = 0;
        if !batch.is_empty() {
            rewrapped = self.ledger.rewrap(&batch).map_err(of_store)?;
            pass.is_idle = false;
        }
        pass.reached = reached;
        pass.unopenable = pass.unopenable.saturating_add(unopenable);
        Ok(Some(rewrapped as u64))
    }

    /// Writes the entries of the erasures that are complete, now that every epoch before this one is
    /// destroyed.
    fn note_complete(&self, held: &mut Progress, oldest: EpochMark) -> Result<(), ServiceError> {
        let mut after: Option<StateKey> = None;
        loop {
            let rows =
                self.ledger
                    .scan(key::ERASURES_PENDING, after.as_ref(), COMPLETED_TOGETHER)?;
            let Some((last, _)) = rows.last() else {
                return Ok(());
            };
            after = Some(last.clone());
            let before = rows
                .into_iter()
                .filter(|(_, row)| row.version.get() < oldest.began);
            let mut complete = Vec::new();
            for (state_key, _) in before {
                let erasure = self.requested(&state_key)?;
                let entry = Erasure {
                    phase: ErasurePhase::Complete,
                    credential: held.by,
                    epoch: Some(oldest.number.saturating_sub(1)),
                    ..erasure
                };
                complete.push((state_key, self.entry_id(), entry));
            }
            if complete.is_empty() {
                continue;
            }
            let completed = self.ledger.commit(ReadSet::none(), move |step| {
                let mut completed = 0u64;
                for (state_key, entry_id, entry) in &complete {
                    let row = step.state(state_key)?;
                    if row.is_some_and(|row| row.value.is_some()) {
                        step.push(*entry_id, entry.clone())?;
                        step.delete(state_key.clone())?;
                        completed = completed.saturating_add(1);
                    }
                }
                Ok(completed)
            })?;
            held.completed = held.completed.saturating_add(completed.value);
            self.watcher.wake();
        }
    }

    /// The erasure that a row stands for.
    fn requested(&self, state_key: &StateKey) -> Result<Erasure, ServiceError> {
        let damaged = || ServiceError::internal(format!("`{state_key}` names no erasure"));
        let id = state_key.as_str().strip_prefix(key::ERASURES_PENDING);
        let id: EntryId = id.and_then(|id| id.parse().ok()).ok_or_else(damaged)?;
        let stored = self.ledger.entry(id)?.ok_or_else(damaged)?;
        match AnyEntry::from_leaf(&stored.bytes)?.body() {
            Some(Body::Erasure(erasure)) if erasure.phase == ErasurePhase::Requested => {
                Ok(erasure.clone())
            }
            _ => Err(damaged()),
        }
    }

    /// Whether the oldest erasure that is not complete has waited as long as the bundle in force says.
    fn is_due(&self) -> Result<bool, ServiceError> {
        let rows = self.ledger.scan(key::ERASURES_PENDING, None, 1)?;
        let Some((_, row)) = rows.into_iter().next() else {
            return Ok(false);
        };
        let at: Timestamp = match row.value {
            Some(value) => serde_json::from_slice::<PendingRow>(&value)?.at,
            None => return Ok(false),
        };
        let hours = self.in_force()?.compiled.settings().vault.erasure_window_h;
        let window = i64::from(hours).saturating_mul(HOUR_MS);
        Ok(self.clock.now().millis_since(at) >= window)
    }

    /// Whether an erasure is not complete that was requested when the log had this many entries, or
    /// later.
    fn is_pending_since(&self, size: u64) -> Result<bool, ServiceError> {
        let rows = self.ledger.scan(key::ERASURES_PENDING, None, PAGE)?;
        Ok(rows.iter().any(|(_, row)| row.version.get() >= size))
    }

    fn present(&self) -> Result<Present, ServiceError> {
        let marks = self.epochs.present().map_err(ServiceError::internal)?;
        match (marks.first(), marks.last()) {
            (Some(oldest), Some(newest)) => Ok(Present {
                oldest: *oldest,
                newest: *newest,
            }),
            _ => Err(ServiceError::internal("the vault has no keys")),
        }
    }

    fn completion(&self, held: &Progress) -> Result<Completion, ServiceError> {
        let present = self.present()?;
        let pass = held.pass.as_ref();
        let last = self.ledger.last_sealed()?;
        let pending = self.ledger.scan(key::ERASURES_PENDING, None, PAGE)?.len();
        Ok(Completion {
            done: held.is_done,
            epoch: present.newest.number,
            oldest: present.oldest.number,
            reached: pass.map_or(last, |pass| pass.reached),
            last: pass.map_or(last, |pass| pass.last),
            rewrapped: held.rewrapped,
            unopenable: pass.map_or(held.unopenable, |pass| pass.unopenable),
            completed: held.completed,
            pending: u64::try_from(pending).unwrap_or(u64::MAX),
        })
    }
}

impl Present {
    fn is_under_way(&self) -> bool {
        self.oldest.number < self.newest.number
    }
}

impl Completing {
    fn lock(&self) -> MutexGuard<'_, Progress> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn of_store(error: StoreError) -> ServiceError {
    use countersign_ledger::store::NotCommitted;
    let error = match error {
        StoreError::NotCommitted { reason, detail } => match reason {
            NotCommitted::Full => CommitError::StorageFull,
            NotCommitted::Busy => CommitError::Busy,
            NotCommitted::Io => CommitError::Unavailable { detail },
        },
        // What was written is found the next time.
        StoreError::Unknown { detail } => CommitError::Unavailable { detail },
        StoreError::Fatal { detail } => CommitError::Halted { reason: detail },
    };
    error.into()
}
