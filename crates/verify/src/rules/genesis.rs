//! The first leaf, and the keys that it and later entries grant.

use std::collections::BTreeMap;

use countersign_core::entry::{Genesis, GrantChange, Key, KeyPurpose, Kind};
use countersign_core::names::{KeyText, Origin, TenantId};
use countersign_core::signed::entry_message;
use countersign_note::{Checkpoint, Note, SignatureType, VerifierKey};

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
    /// Whether the root key is the one that the caller gave.
    is_pinned: bool,
    /// Log keys that were granted under the caller's own root key.
    vouched: Vec<VerifierKey>,
}

impl Keys {
    pub(crate) fn new(origin: Option<Origin>) -> Self {
        Self {
            origin,
            tenant: None,
            root: None,
            granted: BTreeMap::new(),
            is_pinned: false,
            vouched: Vec::new(),
        }
    }

    pub(crate) fn tenant(&self) -> Option<&TenantId> {
        self.tenant.as_ref()
    }

    pub(crate) fn origin(&self) -> Option<&Origin> {
        self.origin.as_ref()
    }

    /// Log keys that the caller's root key has signed, revoked ones included.
    pub(crate) fn vouched(&self) -> &[VerifierKey] {
        &self.vouched
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
            self.is_pinned = holds;
        }
        let is_signed = self.check_signature(at, body, &body.signature);
        let has_ed25519 = verifier_key(&body.log_key).is_some();
        let expected = "an ed25519 key, which every log has";
        at.require(has_ed25519, Check::KeyHistory, &body.log_key, expected);
        self.grant(at, KeyPurpose::Log, &body.log_key, is_signed);
        self.grant(at, KeyPurpose::Permit, &body.permit_key, is_signed);
    }

    pub(crate) fn key(&mut self, at: &mut At<'_>, body: &Key) {
        let is_signed = self.check_signature(at, body, &body.signature);
        match body.change {
            GrantChange::Granted => self.grant(at, body.purpose, &body.key, is_signed),
            GrantChange::Revoked => {
                let key = (body.purpose, body.key.as_str().to_owned());
                let was_live = self.granted.insert(key, false) == Some(true);
                let found = format_args!("a revocation of {}", body.key);
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

    fn grant(&mut self, at: &mut At<'_>, purpose: KeyPurpose, text: &KeyText, is_signed: bool) {
        let is_readable = match purpose {
            KeyPurpose::Log => {
                let key = self.log_key(text);
                if let Some(key) = key.clone().filter(|_| is_signed && self.is_pinned) {
                    self.vouched.push(key);
                }
                key.is_some()
            }
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

    /// A key that signs checkpoints: Ed25519 or ML-DSA-44, named as the log.
    fn log_key(&self, text: &KeyText) -> Option<VerifierKey> {
        let key = VerifierKey::parse(text.as_str()).ok()?;
        let of_log = self
            .origin
            .as_ref()
            .is_some_and(|origin| key.name().as_str() == origin.as_str());
        let signs = matches!(
            key.signature_type(),
            SignatureType::Ed25519 | SignatureType::MlDsa44
        );
        (of_log && signs).then_some(key)
    }

    fn check_signature<K: Kind>(&self, at: &mut At<'_>, body: &K, signature: &KeyText) -> bool {
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
        holds
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
    let expected = format_args!("a checkpoint of `{}`", before.origin);
    at.require(named, Check::Members, "another text", expected);
}
