//! The directory as it was when a decision was made.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;

use countersign_core::document::{Changeset, EntityUid, Facts};
use countersign_core::entry::{AnyEntry, Body};
use countersign_judge::{Directory, DirectoryError};
use countersign_ledger::{Filter, Order, Page};
use serde_json::Value;

use crate::Service;
use crate::error::ServiceError;
use crate::state::key;

/// Most changes of the directory that are gone through to tell what it held at some time.
const CHANGES: usize = 1_000;

type Attributes = BTreeMap<String, Value>;

/// The directory at any time, as far as it can be told; made once for a page.
pub(super) struct Directories<'a> {
    service: &'a Service,
    /// The leaf index of its last change, if it ever changed.
    revision: Option<u64>,
    changes: OnceCell<Result<Changes, Unknown>>,
}

/// What each entity became, at which leaf index, in the order of the log.
type Changes = BTreeMap<EntityUid, Vec<(u64, Option<Attributes>)>>;

/// Why the directory of some time cannot be told.
#[derive(Debug)]
pub(super) enum Unknown {
    TooManyChanges,
    Erased,
    Failed(ServiceError),
}

/// The directory at one time.
pub(super) struct Then<'a> {
    all: &'a Directories<'a>,
    facts: &'a Facts,
    failure: RefCell<Option<Unknown>>,
}

impl<'a> Directories<'a> {
    pub(super) fn new(service: &'a Service) -> Result<Self, ServiceError> {
        let newest = service.ledger.state(&key::directory())?;
        Ok(Self {
            service,
            revision: newest.map(|found| found.version.get()),
            changes: OnceCell::new(),
        })
    }

    /// The directory that these facts were drawn from.
    pub(super) fn as_of(&'a self, facts: &'a Facts) -> Then<'a> {
        Then {
            all: self,
            facts,
            failure: RefCell::new(None),
        }
    }

    fn read(&self) -> Result<Changes, Unknown> {
        let service = self.service;
        let filter = Filter {
            kind: Some("directory".to_owned()),
            ..Filter::default()
        };
        let page = Page {
            order: Order::OldestFirst,
            after: None,
            limit: CHANGES,
        };
        let failed = |error: ServiceError| Unknown::Failed(error);
        let found = service.ledger.query(&filter, &page);
        let found = found.map_err(|error| failed(error.into()))?;
        if found.next.is_some() {
            return Err(Unknown::TooManyChanges);
        }
        let mut changes = Changes::new();
        for stored in found.entries {
            let entry = AnyEntry::from_leaf(&stored.bytes).map_err(|e| failed(e.into()))?;
            let Some(Body::Directory(body)) = entry.body() else {
                continue;
            };
            let reference = body.changeset_ref.into();
            let record = service.ledger.sealed(&reference);
            let record = record.map_err(|error| failed(error.into()))?;
            let record = record.ok_or(Unknown::Erased)?;
            let opened: Changeset = service
                .vault
                .open(&record)
                .map_err(|error| failed(ServiceError::internal(error)))?;
            for change in opened.changes {
                let of = changes.entry(change.entity).or_default();
                of.push((stored.index.get(), change.attributes));
            }
        }
        Ok(changes)
    }
}

impl Then<'_> {
    /// Why it could not be told, if it was asked for and could not.
    pub(super) fn failure(self) -> Option<Unknown> {
        self.failure.into_inner()
    }

    fn fail(&self, why: Unknown) -> DirectoryError {
        *self.failure.borrow_mut() = Some(why);
        DirectoryError("the directory as it was then cannot be told".to_owned())
    }
}

impl Directory for Then<'_> {
    fn entity(&self, uid: &EntityUid) -> Result<Option<Attributes>, DirectoryError> {
        let then = self.facts.inputs.directory_revision;
        let Some(then) = then else {
            return Ok(None);
        };
        // What was found then stands in the facts.
        let recorded = self.facts.entities.iter();
        if let Some(fact) = recorded.clone().find(|fact| fact.entity == *uid) {
            return Ok(Some(fact.attributes.clone()));
        }
        if self.all.revision == Some(then) {
            return self.all.service.entity(uid);
        }
        match self.all.changes.get_or_init(|| self.all.read()) {
            Ok(changes) => {
                let of = changes.get(uid).map(Vec::as_slice).unwrap_or_default();
                let last = of.iter().rev().find(|(at, _)| *at <= then);
                Ok(last.and_then(|(_, attributes)| attributes.clone()))
            }
            Err(Unknown::TooManyChanges) => Err(self.fail(Unknown::TooManyChanges)),
            Err(Unknown::Erased) => Err(self.fail(Unknown::Erased)),
            Err(Unknown::Failed(error)) => {
                let internal = error
                    .internal
                    .clone()
                    .map_or(error.detail.clone(), String::from);
                Err(self.fail(Unknown::Failed(ServiceError::internal(internal))))
            }
        }
    }
}
