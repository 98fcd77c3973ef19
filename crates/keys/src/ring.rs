//! All keys that a running server holds.

use std::io;
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_core::names::{KeyText, NameError, Origin, TenantId};
use countersign_core::random::Random;
use countersign_note::{MlDsaSigner, NoteSigner as _, VerifierKey};
use countersign_permit::PermitSigner;
use countersign_vault::{BlindIndex, KeyEncryptionKey, KeyWrapper, TokenHasher, Vault, VaultError};

use crate::file::{KeyFile, KeyFileError, Purpose};
use crate::ml_dsa::MlDsaLogSigner;
use crate::root::RootKey;
use crate::secure_fs::{StagedDir, loose_mode};
use crate::signer::Ed25519NoteSigner;

/// Most epochs of vault keys in one directory.
const MAX_EPOCHS: u32 = 1024;

/// The keys of one log, without the root key.
pub struct KeyRing {
    origin: Origin,
    log: Ed25519NoteSigner,
    log_ml_dsa: Option<MlDsaLogSigner>,
    permit: PermitSigner,
    /// Oldest first, never empty.
    vault: Vec<KeyFile>,
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
            vec![create(Purpose::Vault(1))?],
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
        let vault: Result<_, _> = epochs(dir)?
            .map(|epoch| of_same_log(Purpose::Vault(epoch)))
            .collect();
        let blind_index = of_same_log(Purpose::BlindIndex)?;
        let token = of_same_log(Purpose::Token)?;
        Self::new(log, ml_dsa.as_ref(), &permit, vault?, blind_index, token)
    }

    /// Makes a vault key that wraps from now on; the older ones still unwrap.
    pub fn add_vault_key(dir: &Path, random: &dyn Random) -> Result<Self, KeyFileError> {
        let ring = Self::load(dir)?;
        let last = epochs(dir)?.last().unwrap_or(0);
        if last >= MAX_EPOCHS {
            return Err(KeyFileError::TooManyEpochs {
                path: dir.to_owned(),
                limit: MAX_EPOCHS,
            });
        }
        KeyFile::create(dir, Purpose::Vault(last + 1), ring.origin(), random)?;
        Self::load(dir)
    }

    fn new(
        log: KeyFile,
        ml_dsa: Option<&KeyFile>,
        permit: &KeyFile,
        vault: Vec<KeyFile>,
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

    /// The keys that wrap records' keys, the newest last.
    pub fn key_wrappers(&self) -> Vec<Box<dyn KeyWrapper>> {
        let mut wrappers: Vec<Box<dyn KeyWrapper>> = Vec::with_capacity(self.vault.len());
        for (epoch, file) in (1u32..).zip(&self.vault) {
            let id = format!("{}-{}", Purpose::Vault(epoch), file.id);
            wrappers.push(Box::new(KeyEncryptionKey::new(id, file.secret.clone())));
        }
        wrappers
    }

    /// The vault of a tenant.
    pub fn vault(&self, tenant: TenantId) -> Result<Vault, VaultError> {
        Vault::new(tenant, self.key_wrappers())
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

/// The numbers of the vault keys in a directory, in order. A gap means that a key is missing.
fn epochs(dir: &Path) -> Result<RangeInclusive<u32>, KeyFileError> {
    let read = |error: io::Error| KeyFileError::reading(dir, error);
    let mut last = 1;
    for file in std::fs::read_dir(dir).map_err(read)? {
        let name = file.map_err(read)?.file_name();
        let epoch = name
            .to_str()
            .and_then(|name| name.strip_prefix("vault-")?.strip_suffix(".kek"))
            .and_then(|epoch| epoch.parse::<u32>().ok());
        last = last.max(epoch.unwrap_or(0));
    }
    match last > MAX_EPOCHS {
        true => Err(KeyFileError::TooManyEpochs {
            path: dir.to_owned(),
            limit: MAX_EPOCHS,
        }),
        false => Ok(1..=last),
    }
}
