//! The one place where the parts of Countersign meet: registering turns, deciding calls, recording
//! executions, publishing bundles, and reading all of it again.
//!
//! Every method takes who asks ([`Caller`], from [`Service::authenticate`]) and checks its role
//! itself, so no surface can forget to. All of them block but [`Service::decide_soon`]; an
//! asynchronous surface calls them on threads that may.
//!
//! It is *not* a surface: HTTP is `countersign-api`. It knows no SQL: the storage comes in through
//! `countersign_ledger::Store`.

mod cache;
mod caller;
mod carry;
mod credentials;
mod decide;
mod delegations;
mod directory;
mod entries;
mod error;
mod escalations;
mod executions;
mod explain;
mod export;
mod flags;
pub mod fsck;
mod health;
mod history;
mod intents;
mod keys;
mod mint;
mod permits;
mod policy;
mod promise;
mod pseudonyms;
mod published;
mod publishing;
mod render;
mod replay;
mod reviews;
mod sessions;
mod setup;
mod shadow;
mod state;
mod throttle;
mod tools;
mod turns;
mod vault;
mod watcher;

pub use caller::Caller;
pub use carry::bundle_in_force;
pub use countersign_judge::limits::RESULTS_SEEN;
pub use countersign_publish::{Board, Status};
pub use decide::{CALL_BODY_BYTES, WAIT_MAX, permit_audience};
pub use delegations::DELEGATIONS_HELD;
pub use directory::{DIRECTORY_BODY_BYTES, DIRECTORY_CHANGES};
pub use entries::{EntryQuery, PAGE_DEFAULT, PAGE_MAX};
pub use error::{ErrorCode, ServiceError};
pub use executions::{AGENT_EXECUTION_BODY_BYTES, EXECUTION_BODY_BYTES};
pub use export::ExportProgress;
pub use flags::FLAGS_LISTED;
pub use health::ServiceHealth;
pub use keys::{GrantedKey, KeyChange, KeyHistory, KeyHistoryError};
pub use permits::CONSUME_BODY_BYTES;
pub use policy::finding_view;
pub use published::{ProofAgainst, Undelivered, WaitLevel};
pub use replay::{REPLAY_BODY_BYTES, REPLAY_PAGE};
pub use reviews::{REVIEW_BODY_BYTES, REVIEWS_LISTED};
pub use sessions::SESSION_IDLE_MS;
pub use setup::{FirstCredential, NewLog, Parts, PublicKeys, SetupError, SystemClock};
pub use tools::{VISIBLE_BODY_BYTES, VISIBLE_TOOLS};
pub use turns::{TURN_BODY_BYTES, TURN_TTL_MAX_S, TURN_TTL_S};
pub use vault::access::OpenAnswer;
pub use vault::hold::{HOLD_RECORDS, HOLDS_LISTED};

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use countersign_core::history::Counter;
use countersign_core::ids::CredentialId;
use countersign_core::names::{Origin, TenantId};
use countersign_core::pseudonym::Pseudonym;
use countersign_core::random::Random;
use countersign_core::refs::{IntentRef, PolicyRef, ResultRef};
use countersign_core::time::Clock;
use countersign_judge::{CompiledBundle, SeenResult};
use countersign_keys::KeyRing;
use countersign_ledger::{Ledger, StateKey};
use countersign_merkle::LeafIndex;
use countersign_permit::PermitVerifier;
use countersign_vault::{BlindIndex, KeyEpochs, TokenHasher, Vault};

use cache::Cache;
use executions::KnownResults;
use history::Rebuilt;
use intents::OpenIntent;
use permits::Refusals;
use policy::InForce;
use published::Publication;
use shadow::InShadow;
use state::{CredentialRow, IntentRow};
use throttle::Throttle;
use vault::complete::Completing;
use vault::retention::Retention;
use watcher::Watcher;

/// How many bytes of intents are kept open.
const INTENTS_OPEN_BYTES: usize = 64 * 1024 * 1024;
/// How many bytes of results are kept open.
const RESULTS_OPEN_BYTES: usize = 256 * 1024 * 1024;
/// How many bytes of sessions' results are kept indexed together.
const RESULTS_SEEN_BYTES: usize = 512 * 1024 * 1024;
/// How many turns' rows are kept read.
const INTENTS_READ: usize = 8_192;
/// How many credentials are kept read.
const CREDENTIALS_READ: usize = 1_024;
/// How many bundles are kept compiled.
const BUNDLES_COMPILED: usize = 16;

/// One tenant's log with all that judges and records on it.
pub struct Service {
    tenant: TenantId,
    origin: Origin,
    ledger: Ledger,
    vault: Arc<Vault>,
    blind: BlindIndex,
    tokens: TokenHasher,
    keys: KeyRing,
    public: PublicKeys,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    /// Credentials as of their last change.
    credentials: Cache<(CredentialId, LeafIndex), CredentialRow>,
    intents: Cache<IntentRef, OpenIntent>,
    /// What is kept of turns, as of the last change.
    intent_rows: Cache<(IntentRef, LeafIndex), IntentRow>,
    /// Results, read as a bundle says.
    results: Cache<(ResultRef, PolicyRef), SeenResult>,
    /// The newest results of a session, as of the last change to them.
    seen: Cache<(Pseudonym, PolicyRef), KnownResults>,
    bundles: Cache<PolicyRef, CompiledBundle>,
    /// The counters of bundles.
    counters: Cache<PolicyRef, Vec<Counter>>,
    /// What of history is not in the state yet.
    rebuilt: Arc<Rebuilt>,
    in_force: Mutex<Option<InForce>>,
    in_shadow: Mutex<Option<InShadow>>,
    watcher: Arc<Watcher>,
    retention: Retention,
    epochs: Arc<dyn KeyEpochs>,
    completing: Completing,
    throttle: Throttle,
    /// The permits of keys that are in force.
    permits: PermitVerifier,
    refusals: Refusals,
    publication: OnceLock<Publication>,
    /// Up to which key idle sessions were looked for.
    sessions_looked_at: Mutex<Option<StateKey>>,
    changed_tools: tools::ChangedTools,
    closing: AtomicBool,
}

impl Service {
    /// The tenant.
    pub fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// The log's origin.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The ledger, for reading what is public of it.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The public halves of the keys.
    pub fn public_keys(&self) -> &PublicKeys {
        &self.public
    }

    /// Ends the background work, commits what was counted, and lets what is queued be committed.
    pub fn close(&self) -> Result<(), ServiceError> {
        self.closing.store(true, Ordering::Release);
        self.watcher.wake();
        self.flush_throttled()?;
        Ok(())
    }

    fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }
}
