//! Openings that need two people: asked for by one, confirmed by another in time, used once.

use std::collections::{HashMap, HashSet};

use countersign_core::document::VaultSettings;
use countersign_core::entry::{AccessPhase, VaultAccess};
use countersign_core::ids::{CredentialId, EntryId};
use countersign_core::refs::{Sha256, StatementRef};
use countersign_core::time::Timestamp;

use super::credentials::Credentials;
use crate::report::{At, Check};

/// Every opening that was asked for.
#[derive(Default)]
pub(crate) struct Openings {
    asked: HashMap<EntryId, Asked>,
}

struct Asked {
    credential: CredentialId,
    refs: HashSet<Sha256>,
    purpose_ref: StatementRef,
    /// Until when it can be confirmed and used, if the bundle in force then could be read.
    until: Option<Timestamp>,
    confirmed_by: Option<CredentialId>,
    is_used: bool,
}

impl Openings {
    /// `is_shown` if it is what a reviewer is shown of a call that waits for an answer: that takes
    /// one person.
    pub(crate) fn access(
        &mut self,
        at: &mut At<'_>,
        body: &VaultAccess,
        settings: Option<&VaultSettings>,
        is_shown: bool,
        credentials: &Credentials,
    ) {
        match (body.phase, body.request) {
            (Some(AccessPhase::Requested), request) => {
                let expected = "none at a request";
                at.require(request.is_none(), Check::Members, "a `request`", expected);
                self.ask(at, body, settings);
            }
            (Some(AccessPhase::Confirmed), request) => {
                self.confirm(at, body, request, credentials);
            }
            (None, Some(request)) => self.open(at, body, request, credentials),
            (None, None) => {
                let is_enough = is_shown || !settings.is_some_and(|settings| settings.four_eyes);
                let expected = "a request that a second person confirmed, as the bundle in force \
                                demands";
                at.require(is_enough, Check::Opening, "no `request`", expected);
            }
        }
    }

    fn ask(&mut self, at: &At<'_>, body: &VaultAccess, settings: Option<&VaultSettings>) {
        let within = settings.map(|settings| i64::from(settings.second_reader_s));
        let asked = Asked {
            credential: body.credential,
            refs: body.refs.iter().copied().collect(),
            purpose_ref: body.purpose_ref,
            until: within.map(|s| at.entry.timestamp.plus_millis(s.saturating_mul(1_000))),
            confirmed_by: None,
            is_used: false,
        };
        self.asked.insert(at.entry.entry_id, asked);
    }

    fn confirm(
        &mut self,
        at: &mut At<'_>,
        body: &VaultAccess,
        request: Option<EntryId>,
        credentials: &Credentials,
    ) {
        let Some(asked) = self.named(at, request) else {
            return;
        };
        asked.check(at, body);
        let confirmed = asked.confirmed_by.replace(body.credential);
        let expected = "a request that nobody has confirmed";
        at.require(
            confirmed.is_none(),
            Check::UsedOnce,
            "a second yes",
            expected,
        );
        let is_first_live = credentials.is_live(&asked.credential);
        let expected = "a request of a credential that was not revoked since";
        at.require(is_first_live, Check::Opening, asked.credential, expected);
        let (first, second) = (asked.credential, body.credential);
        let person = credentials.principal(&first);
        let is_other =
            first != second && (person.is_none() || person != credentials.principal(&second));
        let expected = "another person than who asked";
        at.require(is_other, Check::Opening, second, expected);
    }

    fn open(
        &mut self,
        at: &mut At<'_>,
        body: &VaultAccess,
        request: EntryId,
        credentials: &Credentials,
    ) {
        let Some(asked) = self.named(at, Some(request)) else {
            return;
        };
        asked.check(at, body);
        let is_first = !std::mem::replace(&mut asked.is_used, true);
        at.require(
            is_first,
            Check::UsedOnce,
            "a request again",
            "an unused one",
        );
        let is_own = asked.credential == body.credential;
        let expected = "the credential that asked";
        at.require(is_own, Check::Opening, body.credential, expected);
        let second = asked.confirmed_by;
        let is_confirmed = second.is_some_and(|second| credentials.is_live(&second));
        let expected = "a request that a credential confirmed that was not revoked since";
        at.require(is_confirmed, Check::Opening, request, expected);
    }

    /// The request that an entry names.
    fn named(&mut self, at: &mut At<'_>, request: Option<EntryId>) -> Option<&mut Asked> {
        let asked = request.and_then(|request| self.asked.get_mut(&request));
        if asked.is_none() {
            let found = request.map_or("none".to_owned(), |id| id.to_string());
            at.fail(Check::Opening, found, "an earlier request for an opening");
        }
        asked
    }
}

impl Asked {
    /// What the entry says is what was asked for, and in time.
    fn check(&self, at: &mut At<'_>, body: &VaultAccess) {
        let is_of_it = body.refs.iter().all(|it| self.refs.contains(it));
        let is_same = is_of_it && body.purpose_ref == self.purpose_ref;
        let expected = "records and purpose of the request";
        at.require(is_same, Check::Opening, "something else", expected);
        if let Some(until) = self.until {
            let is_in_time = at.entry.timestamp < until;
            let found = format_args!("a request that ended at {until}");
            at.require(is_in_time, Check::Opening, found, "one that goes on");
        }
    }
}
