//! All keys that a running server holds.

use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_core::names::{KeyText, NameError, Origin, TenantId};
use countersign_core::random::Random;
use countersign_note::{MlDsaSigner, NoteSigner as _, VerifierKey};
use countersign_permit::PermitSigner;
use countersign_vault::{BlindIndex, Epoch, TokenHasher, Vault, VaultError};

use crate::epochs;
use crate::file::{KeyFile, KeyFileError, Purpose};
use crate::ml_dsa::MlDsaLogSigner;
use crate::root::RootKey;
use crate::secure_fs::{StagedDir, loose_mode};
use crate::signer::Ed25519NoteSigner;

/// The keys of one log, without the root key.
pub struct KeyRing {
    origin: Origin,
    log: Ed25519NoteSigner,
    log_ml_dsa: Option<MlDsaLogSigner>,
    permit: PermitSigner,
    /// Oldest first, never empty.
    vault: Vec<Epoch>,
    blind_index: KeyFile,
    token: KeyFile,
}

impl KeyRing {
    /// Makes all keys of a log in a directory that does not exist yet or is empty, and whose parent
    /// exists. The directory comes to be with all keys or not at all.
    pub fn create(
        dir: &Path,
        origin: &Origin,
        random: &dyn Random,
    ) -> Result<(Self, RootKey), KeyFileError> {
        let staged = StagedDir::new(dir).map_err(|error| KeyFileError::writing(dir, error))?;
        let create = |purpose| KeyFile::create(staged.path(), purpose, origin, random);
        let root = RootKey::new(&create(Purpose::Root)?)?;
        let ring = Self::new(
            create(Purpose::Log)?,
            None,
            &create(Purpose::Permit)?,
            vec![epochs::make_first(staged.path(), origin, random)?],
            create(Purpose::BlindIndex)?,
            create(Purpose::Token)?,
        )?;
        staged
            .publish()
            .map_err(|error| KeyFileError::writing(dir, error))?;
        Ok((ring, root))
    }

    /// Loads the keys of a log; the root key may be absent and is not looked at.
    pub fn load(dir: &Path) -> Result<Self, KeyFileError> {
        let metadata = std::fs::metadata(dir).map_err(|error| KeyFileError::reading(dir, error))?;
        if let Some(mode) = loose_mode(&metadata) {
            return Err(KeyFileError::Permissions {
                path: dir.to_owned(),
                mode,
                wanted: 0o700,
            });
        }
        let log = KeyFile::load(dir, Purpose::Log)?;
        let of_same_log = |purpose: Purpose| match KeyFile::load(dir, purpose)? {
            file if file.origin == log.origin => Ok(file),
            file => Err(KeyFileError::Origin {
                path: dir.join(purpose.file_name()),
                expected: log.origin.clone(),
                found: file.origin.to_string(),
            }),
        };
        let ml_dsa = match of_same_log(Purpose::LogMlDsa) {
            Err(KeyFileError::Missing { .. }) => None,
            file => Some(file?),
        };
        let permit = of_same_log(Purpose::Permit)?;
        let vault = epochs::load(dir, &log.origin)?;
        let blind_index = of_same_log(Purpose::BlindIndex)?;
        let token = of_same_log(Purpose::Token)?;
        Self::new(log, ml_dsa.as_ref(), &permit, vault, blind_index, token)
    }

    fn new(
        log: KeyFile,
        ml_dsa: Option<&KeyFile>,
        permit: &KeyFile,
        vault: Vec<Epoch>,
        blind_index: KeyFile,
        token: KeyFile,
    ) -> Result<Self, KeyFileError> {
        Ok(Self {
            log: Ed25519NoteSigner::new(&log, Purpose::Log, log.origin.as_str())?,
            log_ml_dsa: ml_dsa.map(MlDsaLogSigner::new).transpose()?,
            permit: PermitSigner::from_seed(&permit.secret)
                .map_err(|_| KeyFileError::Setup(Purpose::Permit))?,
            origin: log.origin,
            vault,
            blind_index,
            token,
        })
    }

    /// The log that the keys belong to.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Signs checkpoints; named as the origin.
    pub fn log_signer(&self) -> Ed25519NoteSigner {
        self.log.clone()
    }

    /// The public half of the key that signs checkpoints.
    pub fn log_key(&self) -> &VerifierKey {
        self.log.verifier_key()
    }

    /// Signs checkpoints a second time, if that is switched on.
    pub fn second_signer(&self) -> Option<Arc<dyn MlDsaSigner + Send + Sync>> {
        let signer = self.log_ml_dsa.clone()?;
        Some(Arc::new(signer))
    }

    /// The public half of the key that signs checkpoints a second time.
    pub fn second_key(&self) -> Option<&VerifierKey> {
        self.log_ml_dsa.as_ref().map(MlDsaSigner::verifier_key)
    }

    /// Signs permits.
    pub fn permit_signer(&self) -> &PermitSigner {
        &self.permit
    }

    /// The public half of the key that signs permits, as it stands in entries: base64url.
    pub fn permit_key(&self) -> Result<KeyText, NameError> {
        URL_SAFE_NO_PAD.encode(self.permit.public_key()).parse()
    }

    /// The vault of a tenant, over the epochs of keys that are there.
    pub fn vault(&self, tenant: TenantId) -> Result<Vault, VaultError> {
        Vault::new(tenant, self.vault.clone())
    }

    /// Forgets the vault's keys, so that nobody but the vault holds them.
    pub fn forget_vault_keys(&mut self) {
        self.vault.clear();
    }

    /// The blind index of a tenant.
    pub fn blind_index(&self, tenant: TenantId) -> BlindIndex {
        BlindIndex::new(tenant, &self.blind_index.secret)
    }

    /// Hashes API tokens.
    pub fn token_hasher(&self) -> TokenHasher {
        TokenHasher::new(&self.token.secret)
    }
}
