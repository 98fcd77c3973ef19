//! Bundles: their parts, their order, and which one was in force.

use std::collections::{BTreeMap, HashMap, HashSet};

use countersign_core::document::{Bundle, Document, VaultSettings};
use countersign_core::entry::{Decision, Mode, Part, Policy, PolicyPhase};
use countersign_core::names::{BuiltinReason, ReasonId, TenantId};
use countersign_core::refs::{PolicyRef, Sha256};
use countersign_core::verdict::Outcome;

use super::publishing::Publishing;
use crate::report::{At, Check, Findings};

/// Every bundle of the log.
#[derive(Default)]
pub(crate) struct Bundles {
    parts: HashMap<Sha256, Piece>,
    stored: BTreeMap<PolicyRef, Stored>,
    in_force: Option<PolicyRef>,
    publishing: Publishing,
    /// The bundle that was read last. No other is kept: a small entry can name many large parts.
    read: Option<(PolicyRef, Bundle)>,
    /// Reasons that were found in their bundle already.
    reasons: HashSet<(PolicyRef, ReasonId)>,
}

struct Piece {
    index: u64,
    of: Sha256,
    n: u32,
    total: u32,
    bytes: Vec<u8>,
}

struct Stored {
    index: u64,
    parts: Vec<Sha256>,
    is_settled: bool,
    /// Whether the parts are a bundle.
    is_bundle: bool,
    /// How long its escalations stay open, in seconds, if it is a bundle.
    escalation_ttl_s: Option<u32>,
    /// How long its permits are good for at most, in seconds.
    permit_ttl_s: Option<u32>,
    /// What it says of sealed records.
    vault: Option<VaultSettings>,
}

impl Bundles {
    pub(crate) fn part(&mut self, at: &mut At<'_>, body: &Part) {
        let holds = body.n < body.total;
        let found = format_args!("piece {} of {}", body.n, body.total);
        at.require(holds, Check::Bundle, found, "a piece below their number");
        let piece = Piece {
            index: at.index,
            of: body.of,
            n: body.n,
            total: body.total,
            bytes: body.bytes.as_bytes().to_vec(),
        };
        self.parts.entry(body.bytes.digest()).or_insert(piece);
    }

    pub(crate) fn policy(&mut self, at: &mut At<'_>, body: &Policy, tenant: Option<&TenantId>) {
        match body.phase {
            PolicyPhase::Stored => self.store(at, body, tenant),
            PolicyPhase::InForce => self.enforce(at, body, tenant),
            PolicyPhase::Shadow | PolicyPhase::ShadowEnd | PolicyPhase::Replayed => {
                self.named(at, body, tenant);
                match body.phase {
                    PolicyPhase::Shadow => self.publishing.shadow(at, body, self.in_force),
                    PolicyPhase::ShadowEnd => self.publishing.end_shadow(at, body),
                    _ => self.publishing.replayed(at, body, self.in_force),
                }
            }
        }
    }

    /// The bundle in force.
    pub(crate) fn in_force(&self) -> Option<PolicyRef> {
        self.in_force
    }

    /// The decision was made under the bundle in force, or the one in shadow, for reasons that stand
    /// in it.
    pub(crate) fn judged(&mut self, at: &mut At<'_>, body: &Decision) {
        let (bundle, what) = match body.mode {
            Mode::Enforced => (self.in_force, "in force"),
            Mode::Shadow => (self.publishing.in_shadow, "in shadow"),
        };
        let name = bundle.map_or("none".to_owned(), |r| r.to_string());
        let holds = bundle == Some(body.policy_ref);
        let expected = format_args!("{name}, which was {what}");
        at.require(holds, Check::PolicyInForce, body.policy_ref, expected);
        let is_sorted = body.reasons.is_sorted_by(|a, b| a < b) && !body.reasons.is_empty();
        let expected = "at least one, sorted, none twice";
        at.require(
            is_sorted,
            Check::Reasons,
            format_args!("{:?}", body.reasons),
            expected,
        );
        for reason in &body.reasons {
            self.reason(at, body, reason);
        }
    }

    pub(crate) fn was_stored(&self, at: &mut At<'_>, policy: &PolicyRef) {
        let holds = self.stored.contains_key(policy);
        let expected = "a bundle that the log holds";
        at.require(holds, Check::PolicyInForce, policy, expected);
    }

    /// How long escalations stay open under a bundle of the log, in seconds.
    pub(crate) fn escalation_ttl_s(&self, policy: &PolicyRef) -> Option<u32> {
        self.stored.get(policy)?.escalation_ttl_s
    }

    /// How long permits are good for at most under a bundle of the log, in seconds.
    pub(crate) fn permit_ttl_s(&self, policy: &PolicyRef) -> Option<u32> {
        self.stored.get(policy)?.permit_ttl_s
    }

    /// What the bundle in force says of sealed records, if it could be read.
    pub(crate) fn vault_in_force(&self) -> Option<&VaultSettings> {
        self.stored.get(&self.in_force?)?.vault.as_ref()
    }

    /// The bundle, if it was in the log and readable. It is read anew each time.
    pub(crate) fn bundle(&self, policy: &PolicyRef) -> Option<Bundle> {
        let stored = self.stored.get(policy).filter(|stored| stored.is_bundle)?;
        Bundle::from_canonical(&self.joined(&stored.parts)?).ok()
    }

    pub(crate) fn finish(&self, findings: &mut Findings) {
        for stored in self.stored.values().filter(|stored| !stored.is_settled) {
            let expected = "every part that the entry names, in the log";
            findings.entry(
                stored.index,
                None,
                Check::Bundle,
                "a part is missing",
                expected,
            );
        }
        let mut parts: Vec<_> = self.parts.iter().collect();
        parts.sort_unstable_by_key(|(_, piece)| piece.index);
        for (digest, piece) in parts {
            let stored = self.stored.get(&PolicyRef::from(piece.of));
            let fits = stored.is_some_and(|stored| {
                let position = usize::try_from(piece.n).ok();
                let total = u32::try_from(stored.parts.len()).ok();
                total == Some(piece.total)
                    && position.and_then(|n| stored.parts.get(n)) == Some(digest)
            });
            if !fits {
                let found = format_args!("piece {} of {} of {}", piece.n, piece.total, piece.of);
                let expected = "the place that a stored bundle gives it";
                findings.entry(piece.index, None, Check::Bundle, found, expected);
            }
        }
    }

    fn store(&mut self, at: &mut At<'_>, body: &Policy, tenant: Option<&TenantId>) {
        let is_plain = body.previous.is_none() && !body.parts.is_empty();
        let expected = "parts, and no `previous`";
        at.require(is_plain, Check::Members, "a stored bundle", expected);
        self.publishing.stored(body);
        let stored = Stored {
            index: at.index,
            parts: body.parts.clone(),
            is_settled: false,
            is_bundle: false,
            escalation_ttl_s: None,
            permit_ttl_s: None,
            vault: None,
        };
        self.stored.entry(body.policy_ref).or_insert(stored);
        self.settle(at, &body.policy_ref, tenant);
    }

    fn enforce(&mut self, at: &mut At<'_>, body: &Policy, tenant: Option<&TenantId>) {
        let found = format_args!("{:?}", body.previous);
        let expected = format_args!("{:?}, which was in force", self.in_force);
        at.require(
            body.previous == self.in_force,
            Check::PolicyHistory,
            found,
            expected,
        );
        self.named(at, body, tenant);
        let before = self.in_force.and_then(|before| self.bundle(&before));
        let demanded = before.map(|bundle| bundle.content.settings.publishing);
        self.publishing.enforced(at, body, demanded.as_ref());
        self.in_force = Some(body.policy_ref);
    }

    /// An entry that only names a bundle names one that was stored before.
    fn named(&mut self, at: &mut At<'_>, body: &Policy, tenant: Option<&TenantId>) {
        let is_plain = body.parts.is_empty();
        let expected = "none but at a stored bundle";
        at.require(is_plain, Check::Members, "parts", expected);
        self.settle(at, &body.policy_ref, tenant);
        let is_there = self
            .stored
            .get(&body.policy_ref)
            .is_some_and(|stored| stored.is_settled);
        let expected = "a bundle that was stored before, with all its parts";
        at.require(is_there, Check::PolicyHistory, body.policy_ref, expected);
    }

    /// Looks at what the parts are together, once all are there.
    fn settle(&mut self, at: &mut At<'_>, policy: &PolicyRef, tenant: Option<&TenantId>) {
        let stored = self.stored.get(policy).filter(|s| !s.is_settled);
        let Some(content) = stored.and_then(|stored| self.joined(&stored.parts)) else {
            return;
        };
        let digest = Sha256::of(&content);
        let holds = digest == *policy.digest();
        let found = format_args!("parts that hash to {digest}");
        at.require(holds, Check::Bundle, found, policy);
        let bundle = Bundle::from_canonical(&content);
        if let Some(stored) = self.stored.get_mut(policy) {
            stored.is_settled = true;
            stored.is_bundle = bundle.is_ok();
            let settings = bundle.as_ref().ok().map(|bundle| &bundle.content.settings);
            stored.escalation_ttl_s = settings.map(|settings| settings.escalation_ttl_s);
            stored.permit_ttl_s = settings.map(|settings| settings.permit_ttl_s);
            stored.vault = settings.map(|settings| settings.vault.clone());
        }
        match bundle {
            Ok(bundle) => {
                let holds = Some(&bundle.tenant) == tenant;
                let expected = "the tenant of the genesis";
                at.require(holds, Check::Bundle, &bundle.tenant, expected);
                self.read = Some((*policy, bundle));
            }
            Err(error) => at.fail(Check::Bundle, error, "a bundle"),
        }
    }

    /// The parts in their order, if all are there.
    fn joined(&self, parts: &[Sha256]) -> Option<Vec<u8>> {
        let mut content = Vec::new();
        for digest in parts {
            content.extend_from_slice(&self.parts.get(digest)?.bytes);
        }
        Some(content)
    }

    fn reason(&mut self, at: &mut At<'_>, body: &Decision, reason: &ReasonId) {
        if reason.is_builtin() {
            // Every built-in reason is one to reject.
            let is_known = BuiltinReason::of(reason).is_some();
            let fits = is_known && body.outcome == Outcome::Rejected;
            let found = format_args!("`{reason}` for `{}`", body.outcome.name());
            let expected = "a known built-in reason, at a rejection";
            at.require(fits, Check::Reasons, found, expected);
            return;
        }
        let key = (body.policy_ref, reason.clone());
        if self.reasons.contains(&key) {
            return;
        }
        if self
            .read
            .as_ref()
            .is_none_or(|(of, _)| *of != body.policy_ref)
            && let Some(bundle) = self.bundle(&body.policy_ref)
        {
            self.read = Some((body.policy_ref, bundle));
        }
        let read = self.read.as_ref();
        let bundle = read.filter(|(of, _)| *of == body.policy_ref);
        let quoted = format!("\"{reason}\"");
        let stands = bundle.is_none_or(|(_, bundle)| {
            let mut files = bundle.content.policies.iter();
            files.any(|file| file.text.contains(&quoted))
        });
        let expected = "the id of a policy of the bundle";
        at.require(stands, Check::Reasons, format_args!("`{reason}`"), expected);
        self.reasons.insert(key);
    }
}
