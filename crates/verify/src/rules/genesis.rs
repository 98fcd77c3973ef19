//! The first leaf, and the keys that it and later entries grant.

use std::collections::BTreeMap;

use countersign_core::entry::{Genesis, GrantChange, Key, KeyPurpose, Kind};
use countersign_core::names::{KeyText, Origin, TenantId};
use countersign_core::signed::entry_message;
use countersign_note::{Checkpoint, Note, VerifierKey};

use crate::head::Head;
use crate::report::{At, Check, Findings};
use crate::signature::{decode, is_signed, verifier_key};
use crate::trust::Trust;

/// The log's keys through time.
pub(crate) struct Keys {
    /// The origin that the checkpoint names.
    origin: Option<Origin>,
    tenant: Option<TenantId>,
    root: Option<VerifierKey>,
    /// Every key that was ever granted, and whether it still holds.
    granted: BTreeMap<(KeyPurpose, String), bool>,
}

impl Keys {
    pub(crate) fn new(origin: Option<Origin>) -> Self {
        Self {
            origin,
            tenant: None,
            root: None,
            granted: BTreeMap::new(),
        }
    }

    pub(crate) fn tenant(&self) -> Option<&TenantId> {
        self.tenant.as_ref()
    }

    pub(crate) fn origin(&self) -> Option<&Origin> {
        self.origin.as_ref()
    }

    pub(crate) fn genesis(&mut self, at: &mut At<'_>, body: &Genesis, trust: &Trust) {
        if at.index != 0 {
            let expected = "a genesis at leaf 0 only";
            at.fail(Check::Genesis, "another genesis", expected);
            return;
        }
        self.tenant = Some(body.tenant.clone());
        let expected = self.origin.as_ref().map_or("", Origin::as_str);
        let holds = body.origin.as_str() == expected;
        at.require(holds, Check::Origin, &body.origin, expected);
        check_predecessor(at, body);
        self.root = verifier_key(&body.root_key);
        if let Some(pinned) = &trust.root_key {
            let holds = self.root.as_ref() == Some(pinned);
            at.require(holds, Check::RootKey, &body.root_key, pinned);
        }
        self.check_signature(at, body, &body.signature);
        self.grant(at, KeyPurpose::Log, &body.log_key);
        self.grant(at, KeyPurpose::Permit, &body.permit_key);
    }

    pub(crate) fn key(&mut self, at: &mut At<'_>, body: &Key) {
        self.check_signature(at, body, &body.signature);
        match body.change {
            GrantChange::Granted => self.grant(at, body.purpose, &body.key),
            GrantChange::Revoked => {
                let key = (body.purpose, body.key.as_str().to_owned());
                let was_live = self.granted.insert(key, false) == Some(true);
                let found = format!("a revocation of {}", body.key);
                let expected = "a key that was granted and not revoked";
                at.require(was_live, Check::KeyHistory, found, expected);
            }
        }
    }

    pub(crate) fn finish(&self, head: &Head, findings: &mut Findings) {
        if self.tenant.is_none() {
            findings.log(Check::Genesis, "no genesis at leaf 0", "a genesis");
        }
        if head.signers.is_empty() {
            return;
        }
        let is_live = |key: &VerifierKey| {
            let key = (KeyPurpose::Log, key.to_string());
            self.granted.get(&key) == Some(&true)
        };
        if !head.signers.iter().any(is_live) {
            let signers: Vec<String> = head.signers.iter().map(ToString::to_string).collect();
            let expected = "a key that genesis or a key entry grants, and none revokes";
            findings.log(Check::LogKey, signers.join(", "), expected);
        }
    }

    fn grant(&mut self, at: &mut At<'_>, purpose: KeyPurpose, text: &KeyText) {
        let is_readable = match purpose {
            KeyPurpose::Log => verifier_key(text).is_some_and(|key| {
                self.origin
                    .as_ref()
                    .is_some_and(|origin| key.name().as_str() == origin.as_str())
            }),
            KeyPurpose::Permit => decode::<32>(text).is_some(),
        };
        let expected = "a key of its purpose's form";
        at.require(is_readable, Check::KeyHistory, text, expected);
        // A grant that the root key signed once must not be good again after a revocation.
        let key = (purpose, text.as_str().to_owned());
        let is_new = self.granted.insert(key, true).is_none();
        let expected = "a key that was never granted before";
        at.require(is_new, Check::KeyHistory, text, expected);
    }

    fn check_signature<K: Kind>(&self, at: &mut At<'_>, body: &K, signature: &KeyText) {
        let message = self
            .origin
            .as_ref()
            .and_then(|origin| entry_message(origin, body).ok());
        let holds = match (&self.root, message) {
            (Some(root), Some(message)) => is_signed(root.public_key(), &message, signature),
            _ => false,
        };
        let expected = "a signature of the root key over the other members";
        at.require(holds, Check::RootSignature, signature, expected);
    }
}

/// What a log says of the one that it continues is at least a checkpoint of that one.
fn check_predecessor(at: &mut At<'_>, body: &Genesis) {
    let Some(before) = &body.predecessor else {
        return;
    };
    let Some(text) = &before.checkpoint else {
        return;
    };
    let named = Note::parse(text.as_str().as_bytes())
        .ok()
        .and_then(|note| Checkpoint::parse(note.text()).ok())
        .is_some_and(|checkpoint| checkpoint.origin() == before.origin.as_str());
    let expected = format!("a checkpoint of `{}`", before.origin);
    at.require(named, Check::Members, "another text", expected);
}
