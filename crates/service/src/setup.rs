//! Beginning a log, and opening one.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, OnceLock};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_core::document::{Bundle, BundleContent};
use countersign_core::entry::{Genesis, KeyPurpose, Predecessor, Role};
use countersign_core::ids::CredentialId;
use countersign_core::names::TenantId;
use countersign_core::random::Random;
use countersign_core::time::{Clock, Timestamp};
use countersign_judge::SeenResult;
use countersign_keys::{KeyRing, RootKey};
use countersign_ledger::{
    CreateError, Ledger, LedgerParts, NotAdmitted, OpenError, ReadSet, Reserve, Store,
};
use countersign_note::VerifierKey;
use countersign_permit::{Jwk, Jwks, PermitVerifier};
use countersign_vault::{KeyEpochs, VaultError};
use countersign_wire::NewCredential;
use secrecy::SecretString;

use crate::cache::Cache;
use crate::credentials::Grant;
use crate::error::ServiceError;
use crate::executions::KnownResults;
use crate::history::Rebuilt;
use crate::intents::OpenIntent;
use crate::keys::{KeyHistory, KeyHistoryError};
use crate::mint::Mint;
use crate::permits::Refusals;
use crate::policy::{CheckedBundle, StoreBundle, put_in_force};
use crate::state::{self, HistoryRow, key};
use crate::throttle::Throttle;
use crate::turns::name;
use crate::vault::complete::Completing;
use crate::vault::retention::Retention;
use crate::watcher::Watcher;
use crate::{
    BUNDLES_COMPILED, CREDENTIALS_READ, INTENTS_OPEN_BYTES, INTENTS_READ, RESULTS_OPEN_BYTES,
    RESULTS_SEEN_BYTES, Service,
};

/// What a service is made of.
pub struct Parts {
    /// Where the log is kept.
    pub store: Arc<dyn Store>,
    /// The head file, outside the database and its backups.
    pub head_file: PathBuf,
    /// The keys.
    pub keys: KeyRing,
    /// Where the epochs of the vault's keys are kept.
    pub epochs: Arc<dyn KeyEpochs>,
    /// The present time.
    pub clock: Arc<dyn Clock>,
    /// Random bytes.
    pub random: Arc<dyn Random>,
    /// Room for urgent entries on a full disk.
    pub reserve: Option<Box<dyn Reserve>>,
}

/// What a new log begins with.
pub struct NewLog<'a> {
    /// The tenant whose log it is.
    pub tenant: TenantId,
    /// The root key, which signs the first entry and can be taken away then.
    pub root: &'a RootKey,
    /// The bundle that is in force from the start.
    pub bundle: BundleContent,
    /// The first credentials.
    pub credentials: Vec<NewCredential>,
    /// The log that this one continues, if there is one.
    pub predecessor: Option<Predecessor>,
}

/// A credential that a log began with. Its token is shown once.
pub struct FirstCredential {
    /// The credential.
    pub id: CredentialId,
    /// A name for people.
    pub name: Option<String>,
    /// What it may do.
    pub roles: Vec<Role>,
    /// Its token.
    pub token: SecretString,
}

/// The public halves of a log's keys.
#[derive(Debug, Clone)]
pub struct PublicKeys {
    /// Checks checkpoints: a C2SP verifier key.
    pub log_key: String,
    /// Every key that checked checkpoints at any time, the oldest first; revoked ones included.
    pub log_keys: Vec<VerifierKey>,
    /// Checks the other keys: a C2SP verifier key.
    pub root_key: String,
    /// Checks permits: a JWK set.
    pub jwks: String,
}

/// Why a service could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The log could not be begun.
    #[error(transparent)]
    Create(#[from] CreateError),
    /// The log could not be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The keys in the files are not those that the log has in force, or what the log says of keys
    /// is not what its root key signed.
    #[error(transparent)]
    Keys(#[from] KeyHistoryError),
    /// The vault's keys do not serve.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// Records are sealed under an epoch of keys that comes after the newest one here.
    #[error(
        "records are sealed under the epoch of keys `{key_id}`, which comes after the newest one \
         that is here: the keys are older than the database"
    )]
    OldKeys {
        /// The epoch, as the record names it.
        key_id: String,
    },
    /// What the log is to begin with is wrong, or what it begins with cannot be read.
    #[error("{0}")]
    Service(ServiceError),
}

impl From<ServiceError> for SetupError {
    fn from(error: ServiceError) -> Self {
        Self::Service(error)
    }
}

/// The machine's clock.
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let millis = since.map_or(0, |since| since.as_millis());
        Timestamp::from_millis(i64::try_from(millis).unwrap_or(i64::MAX))
    }
}

impl Service {
    /// Begins a new log: the first entry, the first bundle and the first credentials, in one
    /// commit.
    pub fn create(
        parts: Parts,
        new: NewLog<'_>,
    ) -> Result<(Self, Vec<FirstCredential>), SetupError> {
        let tokens = parts.keys.token_hasher();
        let mint = Mint {
            clock: &*parts.clock,
            random: &*parts.random,
            tokens: &tokens,
        };
        let genesis = genesis(&parts.keys, &new)?;
        let checked = CheckedBundle::compile(Bundle {
            tenant: new.tenant.clone(),
            content: new.bundle,
        })?;
        // Whom a credential is of or bound to is sealed, which takes the service.
        let (bound, free): (Vec<_>, Vec<_>) = new
            .credentials
            .iter()
            .partition(|request| request.session.is_some() || request.principal.is_some());
        let grants = free
            .into_iter()
            .map(|request| Grant::new(&mint, request, None))
            .collect::<Result<Vec<_>, _>>()?;
        let root_key = genesis.root_key.to_string();
        let (genesis_id, in_force_id) = (mint.entry_id(), mint.entry_id());
        let bundle = StoreBundle::new(&mint, &checked, None);
        let policy_ref = checked.policy_ref();
        let units: Vec<_> = grants.iter().map(|grant| grant.unit.clone()).collect();
        let mut first: Vec<_> = grants.into_iter().map(Grant::into_first).collect();
        let (rest, ledger_parts) = split(parts);
        let (ledger, _) = Ledger::create(ledger_parts, genesis_id, genesis, move |step| {
            bundle.run(step)?;
            put_in_force(step, in_force_id, policy_ref, None, None)?;
            state::put(step, key::history(), &HistoryRow { carried: None })?;
            units.iter().try_for_each(|unit| unit.run(step))
        })?;
        let log_keys = vec![rest.keys.log_key().clone()];
        let service = Self::assemble(ledger, rest, new.tenant, root_key, (log_keys, &[]))?;
        service.bundles.insert(policy_ref, checked.compiled());
        for request in bound {
            let grant = service.grant(request, None)?;
            let unit = grant.unit.clone();
            let granted = service
                .ledger
                .commit(ReadSet::none(), move |step| unit.run(step));
            granted.map_err(ServiceError::from)?;
            first.push(grant.into_first());
        }
        Ok((service, first))
    }

    /// Opens a log that was begun before.
    pub fn open(parts: Parts) -> Result<Self, SetupError> {
        let (rest, ledger_parts) = split(parts);
        let ledger = Ledger::open(ledger_parts)?;
        let history = KeyHistory::read(&ledger, std::slice::from_ref(rest.keys.log_key()))?;
        history.check(&rest.keys)?;
        let (tenant, root_key) = (history.tenant().clone(), history.root_key().to_string());
        let keys = (history.log_keys(), permit_keys(&history));
        let service = Self::assemble(ledger, rest, tenant, root_key, (keys.0, &keys.1))?;
        if let Some(key_id) = service.later_epoch()? {
            return Err(SetupError::OldKeys { key_id });
        }
        // A bundle that no longer compiles must be met here and not at the first call.
        service.in_force()?;
        Ok(service)
    }

    fn assemble(
        ledger: Ledger,
        rest: Rest,
        tenant: TenantId,
        root_key: String,
        (log_keys, permit_keys): (Vec<VerifierKey>, &[Jwk]),
    ) -> Result<Self, SetupError> {
        let mut keys = rest.keys;
        let vault = Arc::new(keys.vault(tenant.clone())?);
        // Keys that are destroyed are to be in nobody's memory any more.
        keys.forget_vault_keys();
        let admitting = Arc::clone(&vault);
        ledger.admit_by(Box::new(move |record| {
            admitting.admit(record).map_err(|_| NotAdmitted)
        }));
        // Permits of an earlier key are good until they end, or the key is revoked.
        let present = keys.permit_signer().jwk();
        let earlier = permit_keys.iter().filter(|key| key.kid != present.kid);
        let jwks = Jwks {
            keys: std::iter::once(present).chain(earlier).cloned().collect(),
        };
        let public = PublicKeys {
            log_key: keys.log_key().to_string(),
            log_keys,
            root_key,
            jwks: serde_json::to_string(&jwks).map_err(ServiceError::from)?,
        };
        let permits = PermitVerifier::from_jwks(public.jwks.as_bytes());
        let permits = permits.map_err(ServiceError::internal)?;
        let rebuilt = Rebuilt::of(&ledger)?;
        Ok(Self {
            origin: keys.origin().clone(),
            vault,
            blind: keys.blind_index(tenant.clone()),
            tokens: keys.token_hasher(),
            keys,
            public,
            tenant,
            ledger,
            clock: rest.clock,
            random: rest.random,
            credentials: Cache::of_count(CREDENTIALS_READ),
            intents: Cache::of_weight(INTENTS_OPEN_BYTES, OpenIntent::weight),
            intent_rows: Cache::of_count(INTENTS_READ),
            results: Cache::of_weight(RESULTS_OPEN_BYTES, SeenResult::weight),
            seen: Cache::of_weight(RESULTS_SEEN_BYTES, KnownResults::weight),
            bundles: Cache::of_count(BUNDLES_COMPILED),
            counters: Cache::of_count(BUNDLES_COMPILED),
            rebuilt: Arc::new(rebuilt),
            in_force: Mutex::default(),
            in_shadow: Mutex::default(),
            watcher: Arc::new(Watcher::new()),
            retention: Retention::new(),
            epochs: rest.epochs,
            completing: Completing::default(),
            throttle: Throttle::default(),
            permits,
            refusals: Refusals::default(),
            sessions_looked_at: Mutex::default(),
            changed_tools: crate::tools::ChangedTools::default(),
            publication: OnceLock::new(),
            closing: AtomicBool::new(false),
        })
    }
}

/// What of the parts the ledger does not take.
struct Rest {
    keys: KeyRing,
    epochs: Arc<dyn KeyEpochs>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

fn split(parts: Parts) -> (Rest, LedgerParts) {
    let ledger = LedgerParts {
        store: parts.store,
        head_file: parts.head_file,
        signer: Arc::new(parts.keys.log_signer()),
        second_signer: parts.keys.second_signer(),
        earlier_signer: None,
        clock: Arc::clone(&parts.clock),
        reserve: parts.reserve,
    };
    (
        Rest {
            keys: parts.keys,
            epochs: parts.epochs,
            clock: parts.clock,
            random: parts.random,
        },
        ledger,
    )
}

/// The permit keys that hold, as the tool's side fetches them.
fn permit_keys(history: &KeyHistory) -> Vec<Jwk> {
    let keys = history.live(KeyPurpose::Permit);
    keys.filter_map(|key| {
        let bytes = URL_SAFE_NO_PAD.decode(key.key.as_str()).ok()?;
        Jwk::new(&bytes.try_into().ok()?).ok()
    })
    .collect()
}

fn genesis(keys: &KeyRing, new: &NewLog<'_>) -> Result<Genesis, ServiceError> {
    let root = new.root;
    let mut genesis = Genesis {
        origin: keys.origin().clone(),
        tenant: new.tenant.clone(),
        root_key: name(&root.verifier_key().to_string())?,
        log_key: name(&keys.log_key().to_string())?,
        permit_key: keys.permit_key().map_err(ServiceError::internal)?,
        predecessor: new.predecessor.clone(),
        // Not covered by the signature that replaces it.
        signature: name("unsigned")?,
    };
    genesis.signature = root.sign_entry(&genesis).map_err(ServiceError::internal)?;
    Ok(genesis)
}
