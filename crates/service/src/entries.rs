//! Reading the ledger: entries, proofs, the head.

use countersign_core::entry::{AnyEntry, Role};
use countersign_core::ids::EntryId;
use countersign_core::pseudonym::{Pseudonym, PseudonymKind};
use countersign_ledger::{Filter, Order, Page};
use countersign_merkle::LeafIndex;
use countersign_wire::{EntryAnswer, EntryPage, Head, RawJson};

use crate::Service;
use crate::caller::Caller;
use crate::error::{ErrorCode, ServiceError};
use crate::render;
use crate::turns::name;

/// Most entries on one page.
pub const PAGE_MAX: usize = 500;
/// Entries on a page unless the request says otherwise.
pub const PAGE_DEFAULT: usize = 50;

/// Which entries are looked for, as a request says it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EntryQuery {
    /// Committed at or after this time.
    pub since: Option<String>,
    /// Committed before this time.
    pub until: Option<String>,
    /// The kind of entry.
    pub kind: Option<String>,
    /// The actor.
    pub actor: Option<String>,
    /// The action.
    pub action: Option<String>,
    /// The outcome.
    pub outcome: Option<String>,
    /// The `intent_ref`.
    pub intent: Option<String>,
    /// A session: its pseudonym or, for a `vault-reader`, its id.
    pub session: Option<String>,
    /// A target: its pseudonym or, for a `vault-reader`, `Type::id`.
    pub target: Option<String>,
    /// Whether the oldest come first.
    pub oldest_first: bool,
    /// Where the last page ended.
    pub cursor: Option<String>,
    /// Most entries on the page.
    pub limit: Option<usize>,
}

impl Service {
    /// A page of entries.
    pub fn entries(&self, caller: &Caller, query: &EntryQuery) -> Result<EntryPage, ServiceError> {
        caller.require(Role::Auditor)?;
        let limit = query.limit.unwrap_or(PAGE_DEFAULT);
        if !(1..=PAGE_MAX).contains(&limit) {
            return Err(ServiceError::malformed(format!(
                "`limit` is {limit}; allowed is 1 to {PAGE_MAX}"
            )));
        }
        let Some(filter) = self.filter(caller, query)? else {
            return Ok(EntryPage {
                entries: Vec::new(),
                next: None,
            });
        };
        let after = match &query.cursor {
            Some(text) => Some(LeafIndex::new(text.parse().map_err(|_| {
                ServiceError::malformed("`cursor` is not one that was given out")
            })?)),
            None => None,
        };
        let order = if query.oldest_first {
            Order::OldestFirst
        } else {
            Order::NewestFirst
        };
        let found = self.ledger.query(
            &filter,
            &Page {
                order,
                after,
                limit,
            },
        )?;
        let next = found.next.map(|index| index.get().to_string());
        let entries = found
            .entries
            .iter()
            .map(|entry| {
                Ok(EntryAnswer {
                    index: entry.index.get(),
                    entry: render::leaf(&entry.bytes)?,
                })
            })
            .collect::<Result<_, ServiceError>>()?;
        Ok(EntryPage { entries, next })
    }

    /// One entry, with its proof against the present checkpoint.
    pub fn entry(&self, caller: &Caller, entry_id: EntryId) -> Result<EntryAnswer, ServiceError> {
        caller.require(Role::Auditor)?;
        let (index, _) = self
            .known_entry(entry_id)?
            .ok_or_else(|| ServiceError::not_found(format!("entry `{entry_id}`")))?;
        Ok(EntryAnswer {
            index: index.get(),
            entry: self.entry_json(entry_id)?,
        })
    }

    /// The head of the log and the keys to check it with.
    pub fn head(&self) -> Result<Head, ServiceError> {
        Ok(Head {
            origin: self.origin.to_string(),
            size: self.ledger.size().get(),
            log_key: self.public.log_key.clone(),
            root_key: self.public.root_key.clone(),
            checkpoint: self.ledger.checkpoint().to_string(),
        })
    }

    /// An entry by its id, with its place.
    pub(crate) fn known_entry(
        &self,
        entry_id: EntryId,
    ) -> Result<Option<(LeafIndex, AnyEntry)>, ServiceError> {
        let Some(stored) = self.ledger.entry(entry_id)? else {
            return Ok(None);
        };
        Ok(Some((stored.index, AnyEntry::from_leaf(&stored.bytes)?)))
    }

    /// An entry as readers see it, with its proof.
    pub(crate) fn entry_json(&self, entry_id: EntryId) -> Result<RawJson, ServiceError> {
        let stored = self
            .ledger
            .entry(entry_id)?
            .ok_or_else(|| ServiceError::not_found(format!("entry `{entry_id}`")))?;
        render::with_proof(&stored.bytes, &self.ledger.proof(stored.index)?)
    }

    /// The filter of a query; `None` when it names something that the log has never met.
    fn filter(&self, caller: &Caller, query: &EntryQuery) -> Result<Option<Filter>, ServiceError> {
        let session =
            self.pseudonym_filter(caller, PseudonymKind::Session, query.session.as_deref())?;
        let target =
            self.pseudonym_filter(caller, PseudonymKind::Target, query.target.as_deref())?;
        if matches!(session, Some(None)) || matches!(target, Some(None)) {
            return Ok(None);
        }
        Ok(Some(Filter {
            from: query.since.as_deref().map(name).transpose()?,
            until: query.until.as_deref().map(name).transpose()?,
            kind: query.kind.clone(),
            actor: query.actor.as_deref().map(name).transpose()?,
            action: query.action.as_deref().map(name).transpose()?,
            outcome: query.outcome.as_deref().map(name).transpose()?,
            intent: query.intent.as_deref().map(name).transpose()?,
            session: session.flatten(),
            target: target.flatten(),
        }))
    }

    /// A pseudonym is taken from anybody; a value only from whoever may open records alone, since its
    /// being in the log is itself sealed.
    fn pseudonym_filter(
        &self,
        caller: &Caller,
        kind: PseudonymKind,
        text: Option<&str>,
    ) -> Result<Option<Option<Pseudonym>>, ServiceError> {
        let Some(text) = text else { return Ok(None) };
        if let Ok(pseudonym) = text.parse() {
            return Ok(Some(Some(pseudonym)));
        }
        caller.require(Role::VaultReader)?;
        if self.in_force()?.compiled.settings().vault.four_eyes {
            return Err(ServiceError::new(
                ErrorCode::SecondReader,
                "two people are needed to learn whom a pseudonym stands for, and this filter knows \
                 only one: filter by the pseudonym",
            ));
        }
        Ok(Some(self.known_pseudonym(kind, text)?))
    }
}
