//! The keys that a log has granted, read from its entries, and the entries that change them.
//!
//! The root key signs every change, and is not at hand while a log is served: so changes are made on
//! a ledger that no service is over.

use countersign_core::entry::{AnyEntry, Body, Genesis, GrantChange, Key, KeyPurpose, LeafError};
use countersign_core::ids::EntryId;
use countersign_core::names::{KeyText, NameError, Origin, TenantId};
use countersign_core::random::Random;
use countersign_core::time::Clock;
use countersign_keys::{KeyRing, RootKey, StatementError, is_signed_by_root};
use countersign_ledger::store::StoredEntry;
use countersign_ledger::{
    CommitError, Filter, Ledger, LogReader, Order, Page, ReadError, ReadSet, limits,
};
use countersign_merkle::{LeafIndex, leaf_hash};
use countersign_note::{TlogProof, VerifierKey};

/// A key that the log has granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantedKey {
    /// What it is for.
    pub purpose: KeyPurpose,
    /// The public key: a vkey, or base64url of a permit key.
    pub key: KeyText,
    /// The entry that granted it.
    pub granted: LeafIndex,
    /// The entry that revoked it, if one did.
    pub revoked: Option<LeafIndex>,
}

/// The keys of a log through time, each signed by the root key of its first entry.
#[derive(Debug, Clone)]
pub struct KeyHistory {
    origin: Origin,
    tenant: TenantId,
    root: VerifierKey,
    keys: Vec<GrantedKey>,
}

/// A change of a log's keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyChange {
    /// What the key is for.
    pub purpose: KeyPurpose,
    /// Whether it is granted or revoked.
    pub change: GrantChange,
    /// The public key, as it stands in entries.
    pub key: String,
}

/// Why the keys of a log were not read or not changed.
#[derive(Debug, thiserror::Error)]
pub enum KeyHistoryError {
    /// The log could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// An entry could not be read.
    #[error(transparent)]
    Leaf(#[from] LeafError),
    /// The log does not begin as logs do.
    #[error("the first entry of the log is no genesis with a root key")]
    NoGenesis,
    /// A change of keys that the root key has not signed.
    #[error("entry {index} changes a key, and the root key of the log has not signed it")]
    Unsigned {
        /// Where it stands.
        index: LeafIndex,
    },
    /// An entry that no checkpoint of the log's own key covers.
    #[error(
        "entry {index} is not proven by a checkpoint that a key in the key files has signed: {reason}"
    )]
    Unproven {
        /// Where it stands.
        index: LeafIndex,
        /// What does not hold.
        reason: String,
    },
    /// The root key is not that of the log.
    #[error("the root key `{given}` is not that of the log, `{expected}`")]
    OtherRoot {
        /// The key that was given.
        given: String,
        /// The log's.
        expected: String,
    },
    /// A key that was granted before cannot be granted again.
    #[error("the key `{key}` was granted before: a key is granted once")]
    GrantedBefore {
        /// The key.
        key: String,
    },
    /// A key that is not in force cannot be revoked.
    #[error("the key `{key}` is not in force, so it cannot be revoked")]
    NotLive {
        /// The key.
        key: String,
    },
    /// A key in a file is not one that the log granted and did not revoke.
    #[error(
        "the key `{key}` for `{purpose}` in the key files is not one that the log has in force"
    )]
    NotGranted {
        /// What it is for.
        purpose: &'static str,
        /// The key.
        key: String,
    },
    /// A text is not what it must be.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The change could not be signed.
    #[error(transparent)]
    Sign(#[from] StatementError),
    /// The change was not committed.
    #[error(transparent)]
    Commit(#[from] CommitError),
}

impl KeyHistory {
    /// Reads the keys of a log, and checks each change against the root key.
    ///
    /// Whoever can write the database can write entries into it. So each entry has to be proven
    /// against a checkpoint that one of `signers` has signed, which the caller knows from key files.
    pub fn read(log: &LogReader, signers: &[VerifierKey]) -> Result<Self, KeyHistoryError> {
        let first = log.leaf(LeafIndex::new(0))?;
        let first = first.ok_or(KeyHistoryError::NoGenesis)?;
        check_proof(log, &first, signers)?;
        let entry = AnyEntry::from_leaf(&first.bytes)?;
        let Some(Body::Genesis(genesis)) = entry.body() else {
            return Err(KeyHistoryError::NoGenesis);
        };
        let mut history = Self::begin(genesis)?;
        let filter = Filter {
            kind: Some("key".to_owned()),
            ..Filter::default()
        };
        let mut page = Page {
            order: Order::OldestFirst,
            after: None,
            limit: limits::PAGE,
        };
        loop {
            let found = log.query(&filter, &page)?;
            for stored in &found.entries {
                check_proof(log, stored, signers)?;
                if let Some(Body::Key(body)) = AnyEntry::from_leaf(&stored.bytes)?.body() {
                    history.follow(stored.index, body)?;
                }
            }
            match found.next {
                None => return Ok(history),
                next => page.after = next,
            }
        }
    }

    fn begin(genesis: &Genesis) -> Result<Self, KeyHistoryError> {
        let root = VerifierKey::parse(genesis.root_key.as_str());
        let root = root.map_err(|_| KeyHistoryError::NoGenesis)?;
        let index = LeafIndex::new(0);
        if !is_signed_by_root(&root, &genesis.origin, genesis, &genesis.signature) {
            return Err(KeyHistoryError::Unsigned { index });
        }
        let granted = |purpose, key: &KeyText| GrantedKey {
            purpose,
            key: key.clone(),
            granted: index,
            revoked: None,
        };
        Ok(Self {
            origin: genesis.origin.clone(),
            tenant: genesis.tenant.clone(),
            root,
            keys: vec![
                granted(KeyPurpose::Log, &genesis.log_key),
                granted(KeyPurpose::Permit, &genesis.permit_key),
            ],
        })
    }

    fn follow(&mut self, index: LeafIndex, body: &Key) -> Result<(), KeyHistoryError> {
        if !is_signed_by_root(&self.root, &self.origin, body, &body.signature) {
            return Err(KeyHistoryError::Unsigned { index });
        }
        match body.change {
            GrantChange::Granted => self.keys.push(GrantedKey {
                purpose: body.purpose,
                key: body.key.clone(),
                granted: index,
                revoked: None,
            }),
            GrantChange::Revoked => {
                let mut keys = self.keys.iter_mut();
                let key = keys.find(|key| key.is(body.purpose, body.key.as_str()));
                if let Some(key) = key {
                    key.revoked.get_or_insert(index);
                }
            }
        }
        Ok(())
    }

    /// The log's origin.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The tenant whose log it is.
    pub fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// The key that signs every change.
    pub fn root_key(&self) -> &VerifierKey {
        &self.root
    }

    /// Every key that was ever granted, the oldest first.
    pub fn keys(&self) -> &[GrantedKey] {
        &self.keys
    }

    /// The key as the log knows it.
    pub fn find(&self, purpose: KeyPurpose, key: &str) -> Option<&GrantedKey> {
        self.keys.iter().find(|granted| granted.is(purpose, key))
    }

    /// The keys of a purpose that hold.
    pub fn live(&self, purpose: KeyPurpose) -> impl Iterator<Item = &GrantedKey> {
        let keys = self.keys.iter();
        keys.filter(move |key| key.purpose == purpose && key.revoked.is_none())
    }

    /// Whether the log has granted the key and not revoked it.
    pub fn is_live(&self, purpose: KeyPurpose, key: &str) -> bool {
        self.find(purpose, key)
            .is_some_and(|granted| granted.revoked.is_none())
    }

    /// Whether the entry at this index granted or revoked one of the keys.
    pub fn is_change(&self, index: LeafIndex) -> bool {
        let mut keys = self.keys.iter();
        keys.any(|key| key.granted == index || key.revoked == Some(index))
    }

    /// The keys that signed checkpoints at any time, the oldest first.
    pub fn log_keys(&self) -> Vec<VerifierKey> {
        let keys = self.keys.iter();
        keys.filter(|key| key.purpose == KeyPurpose::Log)
            .filter_map(|key| VerifierKey::parse(key.key.as_str()).ok())
            .collect()
    }

    /// Looks whether the keys in the files are ones that the log has in force.
    pub fn check(&self, keys: &KeyRing) -> Result<(), KeyHistoryError> {
        let log = Some(keys.log_key().to_string());
        let second = keys.second_key().map(ToString::to_string);
        let permit = Some(keys.permit_key()?.to_string());
        for (purpose, name, key) in [
            (KeyPurpose::Log, "log", log),
            (KeyPurpose::Log, "log-mldsa", second),
            (KeyPurpose::Permit, "permit", permit),
        ] {
            if let Some(key) = key.filter(|key| !self.is_live(purpose, key)) {
                let purpose = name;
                return Err(KeyHistoryError::NotGranted { purpose, key });
            }
        }
        Ok(())
    }

    /// Commits changes of keys, all or none, each signed by the root key; their entries' indexes.
    pub fn change(
        &self,
        ledger: &Ledger,
        root: &RootKey,
        changes: &[KeyChange],
        (clock, random): (&dyn Clock, &dyn Random),
    ) -> Result<Vec<LeafIndex>, KeyHistoryError> {
        let other_root = || KeyHistoryError::OtherRoot {
            given: root.verifier_key().to_string(),
            expected: self.root.to_string(),
        };
        if root.verifier_key() != &self.root {
            return Err(other_root());
        }
        let mut entries = Vec::with_capacity(changes.len());
        for change in changes {
            let key = change.key.clone();
            match (change.change, self.find(change.purpose, &key)) {
                (GrantChange::Granted, Some(_)) => {
                    return Err(KeyHistoryError::GrantedBefore { key });
                }
                (GrantChange::Revoked, _) if !self.is_live(change.purpose, &key) => {
                    return Err(KeyHistoryError::NotLive { key });
                }
                _ => {}
            }
            let body = signed_entry(root, change)?;
            if !is_signed_by_root(&self.root, &self.origin, &body, &body.signature) {
                return Err(other_root());
            }
            entries.push((EntryId::fresh(clock.now(), random), body));
        }
        let committed = ledger.commit_urgent(ReadSet::none(), move |step| {
            entries
                .iter()
                .try_for_each(|(id, body)| step.push(*id, body.clone()).map(|_| ()))
        })?;
        Ok(committed.entries.iter().map(|entry| entry.index).collect())
    }
}

impl GrantedKey {
    fn is(&self, purpose: KeyPurpose, key: &str) -> bool {
        self.purpose == purpose && self.key.as_str() == key
    }
}

fn check_proof(
    log: &LogReader,
    entry: &StoredEntry,
    signers: &[VerifierKey],
) -> Result<(), KeyHistoryError> {
    let index = entry.index;
    let unproven = |reason: String| KeyHistoryError::Unproven { index, reason };
    let proof =
        TlogProof::parse(&log.proof(index)?).map_err(|error| unproven(error.to_string()))?;
    let proven = proof.verify(&leaf_hash(&entry.bytes), signers);
    proven.map_err(|error| unproven(error.to_string()))?;
    Ok(())
}

/// The entry of a change, with the root key's signature.
pub(crate) fn signed_entry(root: &RootKey, change: &KeyChange) -> Result<Key, KeyHistoryError> {
    let mut body = Key {
        purpose: change.purpose,
        change: change.change,
        key: change.key.parse()?,
        // Not covered by the signature that replaces it.
        signature: "unsigned".parse()?,
    };
    body.signature = root.sign_entry(&body)?;
    Ok(body)
}
