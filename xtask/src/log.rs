//! `cargo xtask log`: a real log with exactly so many entries, for tools that read logs.
//!
//! It is made by the code that serves: the keys, the service's own beginning, the ledger with its
//! sequencer, SQLite, and the publication. After the beginning come rejections of calls that were
//! too malformed to name, which are the entries that need the least around them.

pub(crate) mod seeded;

use std::fs;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use countersign_core::entry::{AnyEntry, Body, Decision, Genesis, Links, Mode, Surface};
use countersign_core::ids::{CredentialId, EntryId};
use countersign_core::names::{
    ActionName, ActorName, BuiltinReason, KeyText, Origin, ReasonId, TenantId,
};
use countersign_core::random::Random;
use countersign_core::refs::PolicyRef;
use countersign_core::time::Clock;
use countersign_core::verdict::Outcome;
use countersign_host::{Beginning, DataDir, Host};
use countersign_judge::judge_version;
use countersign_keys::{KeyRing, RootKey, SystemRandom};
use countersign_ledger::publish::publish;
use countersign_ledger::{Committed, Filter, Ledger, LedgerParts, LogReader, Page, ReadSet};
use countersign_merkle::LeafIndex;
use countersign_service::SystemClock;
use countersign_store_sqlite::SqliteStore;
use countersign_wire::NewCredential;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::bundle_dir;
use crate::error::Error;
use crate::workspace;
use seeded::{SeededRandom, SteppedClock};

/// The tenant whose log it is.
const TENANT: &str = "xtask";
/// The actor whose calls are rejected.
const ACTOR: &str = "agent:xtask/log";
/// The most entries of one unit of work.
const UNIT: u64 = 1024;
/// The first units are an eighth of what stands before them, so that there are commits of many
/// small sizes.
const UNIT_SHARE: u64 = 8;
/// About how many proofs against the published checkpoint are kept.
const PROOFS: u64 = 64;
/// The vkey's file, beside the tiles.
const KEY_FILE: &str = "log.vkey";

/// What log to make.
#[derive(Args)]
pub(crate) struct LogArguments {
    /// How many entries: 1 (the genesis alone), or at least as many as a log begins with.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    size: u64,
    /// Where to publish it, in the layout of C2SP tlog-tiles, with the log's key in `log.vkey`.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Make the same log each time, byte for byte. Its keys are no secret then.
    #[arg(long, value_name = "SEED")]
    seed: Option<u64>,
    /// Keep the data directory, which must not hold a log yet. Without it the keys are thrown away.
    #[arg(long, value_name = "DATADIR")]
    data: Option<PathBuf>,
    /// Keep in OUT/receipts what each commit answered: its checkpoint, as SIZE.checkpoint, and the
    /// proof of its last entry, as INDEX.tlog-proof; and in OUT/proofs proofs against what was
    /// published.
    #[arg(long)]
    receipts: bool,
    /// Have checkpoints signed with ML-DSA-44, too; its key is the second line of `log.vkey`. Such
    /// signatures are never the same twice, so this goes with no seed.
    #[arg(long, conflicts_with = "seed")]
    ml_dsa: bool,
}

/// Makes the log and prints its vkey.
pub(crate) fn run(arguments: &LogArguments) -> Result<bool, Error> {
    let scratch = tempfile::Builder::new()
        .prefix("countersign-log-")
        .tempdir()
        .map_err(Error::io(&std::env::temp_dir()))?;
    let data = arguments
        .data
        .clone()
        .unwrap_or_else(|| scratch.path().join("data"));
    let receipts = arguments.receipts.then(|| arguments.out.join("receipts"));
    if let Some(receipts) = &receipts {
        fs::create_dir_all(receipts).map_err(Error::io(receipts))?;
    }
    let maker = Maker::new(arguments.seed, receipts);
    let keys = match arguments.size {
        1 if !arguments.ml_dsa => {
            let (ledger, key) = maker.genesis_alone(&data)?;
            publish_to(&arguments.out, &ledger.reader(), arguments.receipts)?;
            key
        }
        size => {
            let (host, second) = maker.begin(&data, arguments.ml_dsa)?;
            maker.fill(&host, size)?;
            let log = host.service().ledger().reader();
            publish_to(&arguments.out, &log, arguments.receipts)?;
            let key = &host.service().public_keys().log_key;
            second.map_or_else(|| key.clone(), |second| format!("{key}\n{second}"))
        }
    };
    let path = arguments.out.join(KEY_FILE);
    fs::write(&path, format!("{keys}\n")).map_err(Error::io(&path))?;
    println!("{keys}");
    Ok(true)
}

/// What a log is made with.
struct Maker {
    random: Arc<dyn Random>,
    clock: Arc<dyn Clock>,
    // The clock once more, if it has to be moved.
    stepped: Option<Arc<SteppedClock>>,
    receipts: Option<PathBuf>,
}

impl Maker {
    fn new(seed: Option<u64>, receipts: Option<PathBuf>) -> Self {
        let Some(seed) = seed else {
            return Self {
                random: Arc::new(SystemRandom),
                clock: Arc::new(SystemClock),
                stepped: None,
                receipts,
            };
        };
        let clock = Arc::new(SteppedClock::new());
        Self {
            random: Arc::new(SeededRandom::new(seed)),
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            stepped: Some(clock),
            receipts,
        }
    }

    /// A log as `init` begins it, and the key of its second signatures, if it is to have any.
    fn begin(&self, data: &Path, ml_dsa: bool) -> Result<(Host, Option<String>), Error> {
        let failed = "the data directory";
        let bundle = workspace::root().join("bundles/mail-agent");
        let beginning = Beginning {
            tenant: tenant()?,
            public_name: None,
            bundle: bundle_dir::read(&bundle)?,
            credentials: vec![NewCredential {
                roles: vec!["agent".to_owned()],
                actors: vec![ACTOR.to_owned()],
                ..NewCredential::default()
            }],
        };
        let dir = DataDir::new(data);
        let (host, _) = dir
            .begin_with(beginning, Arc::clone(&self.clock), Arc::clone(&self.random))
            .map_err(Error::server(failed))?;
        if !ml_dsa {
            return Ok((host, None));
        }
        drop(host);
        let root = RootKey::load(&dir.keys()).map_err(Error::server("the root key"))?;
        let changed = dir.set_ml_dsa(true, &root).map_err(Error::server(failed))?;
        let host = dir.open().map_err(Error::server(failed))?;
        Ok((host, changed.granted))
    }

    /// Rejections up to `size` entries.
    fn fill(&self, host: &Host, size: u64) -> Result<(), Error> {
        let ledger = host.service().ledger();
        let begun = ledger.size().get();
        if size < begun {
            let reason = format!("a log begins with {begun} entries, and {size} were asked for");
            return Err(Error::server("the log")(reason));
        }
        let credential = match newest(ledger, "credential")? {
            Body::Credential(credential) => credential.subject,
            other => return Err(unexpected(&other)),
        };
        let policy_ref = match newest(ledger, "policy")? {
            Body::Policy(policy) => policy.policy_ref,
            other => return Err(unexpected(&other)),
        };
        let body = rejection(credential, policy_ref)?;
        let bar = progress(size, "entries");
        let mut at = begun;
        while at < size {
            bar.set_position(at);
            let count = (at / UNIT_SHARE + 1).min(UNIT).min(size - at);
            self.push(ledger, &body, count)?;
            at += count;
        }
        bar.finish_and_clear();
        Ok(())
    }

    fn push(&self, ledger: &Ledger, body: &Decision, count: u64) -> Result<(), Error> {
        if let Some(clock) = &self.stepped {
            clock.advance(1);
        }
        let now = self.clock.now();
        let ids: Vec<EntryId> = (0..count)
            .map(|_| EntryId::fresh(now, &*self.random))
            .collect();
        let body = body.clone();
        let committed = ledger.commit(ReadSet::none(), move |step| {
            ids.iter()
                .try_for_each(|id| step.push(*id, body.clone()).map(drop))
        });
        self.keep(&committed.map_err(Error::server("a commit"))?)
    }

    /// A log whose only entry is its genesis, as it stands if a beginning is interrupted.
    fn genesis_alone(&self, data: &Path) -> Result<(Ledger, String), Error> {
        let failed = Error::server::<String>("the log");
        fs::create_dir_all(data).map_err(Error::io(data))?;
        let dir = DataDir::new(data);
        let id = EntryId::fresh(self.clock.now(), &*self.random);
        let origin: Origin = format!("countersign.invalid/{id}/{TENANT}/1")
            .parse()
            .map_err(Error::server("the origin"))?;
        let (keys, root) = KeyRing::create(&dir.keys(), &origin, &*self.random)
            .map_err(Error::server("the keys"))?;
        let text = |key: &dyn ToString| -> Result<KeyText, Error> {
            key.to_string().parse().map_err(Error::server("a key"))
        };
        let mut genesis = Genesis {
            origin,
            tenant: tenant()?,
            root_key: text(root.verifier_key())?,
            log_key: text(keys.log_key())?,
            permit_key: keys.permit_key().map_err(Error::server("a key"))?,
            predecessor: None,
            signature: text(&"unsigned")?,
        };
        let signature = root.sign_entry(&genesis);
        genesis.signature = signature.map_err(|error| failed(error.to_string()))?;
        let store = SqliteStore::create(&dir.database()).map_err(Error::server("the store"))?;
        let parts = LedgerParts {
            store: Arc::new(store),
            head_file: data.join("head"),
            signer: Arc::new(keys.log_signer()),
            second_signer: None,
            earlier_signer: None,
            clock: Arc::clone(&self.clock),
            reserve: None,
        };
        let (ledger, committed) = Ledger::create(parts, id, genesis, |_| Ok(()))
            .map_err(Error::server("the first commit"))?;
        self.keep(&committed)?;
        Ok((ledger, keys.log_key().to_string()))
    }

    /// Keeps what a commit answered, if that is wanted.
    fn keep<T>(&self, committed: &Committed<T>) -> Result<(), Error> {
        let Some(dir) = &self.receipts else {
            return Ok(());
        };
        let write = |name: String, text: &str| {
            let path = dir.join(name);
            fs::write(&path, text).map_err(Error::io(&path))
        };
        write(
            format!("{}.checkpoint", committed.size),
            &committed.checkpoint,
        )?;
        match committed.entries.last() {
            Some(entry) => write(format!("{}.tlog-proof", entry.index), &entry.proof),
            None => Ok(()),
        }
    }
}

fn publish_to(dir: &Path, log: &LogReader, with_proofs: bool) -> Result<(), Error> {
    let bar = progress(0, "tiles");
    let published = publish(log, dir, &mut |progress| {
        bar.set_length(progress.total);
        bar.set_position(progress.done);
    });
    let published = published.map_err(Error::server("the publication"))?;
    bar.finish_and_clear();
    eprintln!("{} entries are in `{}`", published.size, dir.display());
    if !with_proofs {
        return Ok(());
    }
    let proofs = dir.join("proofs");
    fs::create_dir_all(&proofs).map_err(Error::io(&proofs))?;
    let size = published.size.get();
    let spread = (0..size).step_by(usize::try_from(size.div_ceil(PROOFS)).unwrap_or(1));
    for index in spread.chain([size.saturating_sub(1)]) {
        let proof = log.proof(LeafIndex::new(index));
        let proof = proof.map_err(Error::server("a proof"))?;
        let path = proofs.join(format!("{index}.tlog-proof"));
        fs::write(&path, proof).map_err(Error::io(&path))?;
    }
    Ok(())
}

/// The newest entry of a kind.
fn newest(ledger: &Ledger, kind: &str) -> Result<Body, Error> {
    let failed = "the beginning of the log";
    let filter = Filter {
        kind: Some(kind.to_owned()),
        ..Filter::default()
    };
    let found = ledger
        .query(&filter, &Page::default())
        .map_err(Error::server(failed))?;
    let first = found.entries.first();
    let first = first.ok_or_else(|| Error::server(failed)(format!("no `{kind}`")))?;
    let entry = AnyEntry::from_leaf(&first.bytes).map_err(Error::server(failed))?;
    let body = entry.body().cloned();
    body.ok_or_else(|| Error::server(failed)(format!("a `{kind}` that cannot be read")))
}

fn unexpected(found: &Body) -> Error {
    Error::server("the beginning of the log")(format!("an entry of the kind `{}`", found.kind()))
}

/// What stands in the log for a request that is no call.
fn rejection(credential: CredentialId, policy_ref: PolicyRef) -> Result<Decision, Error> {
    let actor: ActorName = ACTOR.parse().map_err(Error::server("the actor"))?;
    Ok(Decision {
        action: ActionName::unknown(),
        actor,
        intent_ref: None,
        policy_ref,
        outcome: Outcome::Rejected,
        reasons: vec![ReasonId::builtin(BuiltinReason::MalformedCall)],
        call_ref: None,
        facts_ref: None,
        reasoning_ref: None,
        principal: None,
        session: None,
        targets: Vec::new(),
        counts: Vec::new(),
        credential,
        surface: Surface::Api,
        mode: Mode::Enforced,
        links: Links::default(),
        judge: judge_version(),
        claimed_intent_ref: None,
        actions: None,
        effective_call_ref: None,
    })
}

fn tenant() -> Result<TenantId, Error> {
    TENANT.parse().map_err(Error::server("the tenant"))
}

fn progress(length: u64, what: &str) -> ProgressBar {
    let target = match std::io::stderr().is_terminal() {
        true => ProgressDrawTarget::stderr(),
        false => ProgressDrawTarget::hidden(),
    };
    let bar = ProgressBar::with_draw_target(Some(length), target);
    let template = format!("{{bar:40}} {{pos}}/{{len}} {what}, {{per_sec}}, {{eta}} left");
    match ProgressStyle::with_template(&template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
