//! Which bundle was in shadow, and what it took to put another one in force.

use std::collections::{HashMap, HashSet};

use countersign_core::document::PublishingSettings;
use countersign_core::entry::Policy;
use countersign_core::ids::CredentialId;
use countersign_core::limits::REPLAY_GOOD_MS;
use countersign_core::refs::PolicyRef;
use countersign_core::time::Timestamp;

use crate::report::{At, Check};

/// What the `policy` entries say beside what is in force.
#[derive(Default)]
pub(crate) struct Publishing {
    pub(crate) in_shadow: Option<PolicyRef>,
    stored_by: HashMap<PolicyRef, CredentialId>,
    shadowed_by: HashSet<(PolicyRef, CredentialId)>,
    replayed: HashMap<PolicyRef, Replay>,
}

struct Replay {
    in_force: Option<PolicyRef>,
    at: Timestamp,
}

impl Publishing {
    /// Only the first entry stores a bundle.
    pub(crate) fn stored(&mut self, body: &Policy) {
        if let Some(credential) = body.credential {
            self.stored_by.entry(body.policy_ref).or_insert(credential);
        }
    }

    /// A bundle judges beside the one in force from here on.
    pub(crate) fn shadow(&mut self, at: &mut At<'_>, body: &Policy, in_force: Option<PolicyRef>) {
        let found = format_args!("{:?}", body.previous);
        let expected = format_args!("{:?}, which was in shadow", self.in_shadow);
        let follows = body.previous == self.in_shadow;
        at.require(follows, Check::PolicyHistory, found, expected);
        let is_other = in_force != Some(body.policy_ref);
        let expected = "a bundle that is not in force";
        at.require(is_other, Check::PolicyHistory, body.policy_ref, expected);
        self.in_shadow = Some(body.policy_ref);
        let by = body.credential.map(|by| (body.policy_ref, by));
        self.shadowed_by.extend(by);
    }

    pub(crate) fn end_shadow(&mut self, at: &mut At<'_>, body: &Policy) {
        let holds = self.in_shadow == Some(body.policy_ref) && body.previous.is_none();
        let expected = format_args!("{:?}, which was in shadow", self.in_shadow);
        at.require(holds, Check::PolicyHistory, body.policy_ref, expected);
        self.in_shadow = None;
    }

    pub(crate) fn replayed(&mut self, at: &mut At<'_>, body: &Policy, in_force: Option<PolicyRef>) {
        let found = format_args!("{:?}", body.previous);
        let expected = format_args!("{in_force:?}, which was in force");
        let holds = body.previous == in_force;
        at.require(holds, Check::PolicyHistory, found, expected);
        let replay = Replay {
            in_force: body.previous,
            at: at.entry.timestamp,
        };
        self.replayed.insert(body.policy_ref, replay);
    }

    /// A bundle comes into force in place of one that demanded this of it.
    pub(crate) fn enforced(
        &self,
        at: &mut At<'_>,
        body: &Policy,
        demanded: Option<&PublishingSettings>,
    ) {
        let is_alone = self.in_shadow != Some(body.policy_ref);
        let expected = "a bundle whose time in shadow was ended before";
        at.require(is_alone, Check::PolicyHistory, body.policy_ref, expected);
        let Some(demanded) = demanded else {
            return;
        };
        if demanded.two_person {
            let by = body.credential;
            let is_second = by.is_some_and(|by| self.is_second(&body.policy_ref, by));
            let found = by.map_or("none".to_owned(), |by| by.to_string());
            let expected = "a credential beside another one that stored the bundle, or had it in shadow where nobody stored it: two persons publish";
            at.require(is_second, Check::PolicyHistory, found, expected);
        }
        if demanded.replay {
            let replay = self.replayed.get(&body.policy_ref);
            let is_fresh = replay.is_some_and(|replay| {
                replay.in_force == body.previous
                    && at.entry.timestamp.millis_since(replay.at) <= REPLAY_GOOD_MS
            });
            let expected = "a replay under the bundle within a day before, since the bundle that demands it is in force";
            at.require(is_fresh, Check::PolicyHistory, body.policy_ref, expected);
        }
    }

    /// Whether it takes this credential and another one.
    fn is_second(&self, policy: &PolicyRef, by: CredentialId) -> bool {
        let had_it = |who: &CredentialId| self.shadowed_by.contains(&(*policy, *who));
        let is_proposed = match self.stored_by.get(policy) {
            Some(who) => *who != by,
            // The log began with it.
            None => self
                .shadowed_by
                .iter()
                .any(|(of, who)| of == policy && *who != by),
        };
        is_proposed && !had_it(&by)
    }
}
