//! Publishing beside serving: witnesses over HTTP, and the static publication.

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use countersign_client::{Client, ClientError, Options, ServerUrl};
use countersign_host::{DataDir, Host};
use countersign_note::policy::PolicyWitness;
use countersign_note::{Note, TlogPolicy, VerifierKey};
use countersign_publish::limits::{ANSWER_BYTES, WITNESS_TIMEOUT};
use countersign_publish::{
    Found, LogKeys, Parts, Publisher, RawAnswer, StartError, Started, Transport, TransportError,
};
use countersign_service::WaitLevel;
use countersign_witness::LogName;
use serde::Deserialize;

use crate::error::CliError;
use crate::exit::Exit;
use crate::input;
use crate::terminal::Terminal;

/// What leaves the log after release.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct PublishingArgs {
    /// A tlog-policy: its witnesses are asked to cosign the log's checkpoints, at most one a second
    #[arg(long, env = "COUNTERSIGN_WITNESS_POLICY", value_name = "FILE")]
    pub(super) witness_policy: Option<PathBuf>,
    /// For witnesses over https: a PEM file of certificates to trust in place of the system's
    #[arg(long, env = "COUNTERSIGN_WITNESS_CA_FILE", value_name = "FILE")]
    pub(super) witness_ca_file: Option<PathBuf>,
    /// Publish no checkpoint without the policy's quorum; answers go on all the same
    #[arg(long, env = "COUNTERSIGN_REQUIRE_WITNESS", value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(super) require_witness: Option<bool>,
    /// Write what is published to a directory too, in tlog-tiles layout, entries included
    #[arg(long, env = "COUNTERSIGN_PUBLISH", value_name = "DIR")]
    pub(super) publish: Option<PathBuf>,
    /// The least that decisions wait for before they are answered [default: durable]
    #[arg(long, env = "COUNTERSIGN_WAIT", value_enum)]
    pub(super) wait: Option<Wait>,
}

/// What decisions wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Wait {
    /// That they are durable
    Durable,
    /// That the quorum of witnesses has cosigned them
    Witnessed,
}

impl PublishingArgs {
    /// These options, and what they leave out from the file.
    pub(super) fn over(&self, file: Self) -> Self {
        Self {
            witness_policy: self.witness_policy.clone().or(file.witness_policy),
            witness_ca_file: self.witness_ca_file.clone().or(file.witness_ca_file),
            require_witness: self.require_witness.or(file.require_witness),
            publish: self.publish.clone().or(file.publish),
            wait: self.wait.or(file.wait),
        }
    }

    /// Refuses what needs witnesses where none are named.
    pub(super) fn check(&self) -> Result<(), CliError> {
        let needs = match (self.require_witness, self.wait) {
            (Some(true), _) => "--require-witness",
            (_, Some(Wait::Witnessed)) => "--wait witnessed",
            _ => return Ok(()),
        };
        match &self.witness_policy {
            Some(_) => Ok(()),
            None => Err(CliError::usage(format!("{needs} needs witnesses"))
                .hint("name them with --witness-policy FILE (docs/witnessing.md)")),
        }
    }

    /// Asks all witnesses what they hold of the log, and begins to publish; `None` if nothing is to
    /// be published.
    pub(super) fn start(
        &self,
        host: &Host,
        data: &DataDir,
        terminal: &Terminal,
    ) -> Result<Option<Publisher>, CliError> {
        if self.witness_policy.is_none() && self.publish.is_none() {
            return Ok(None);
        }
        let service = Arc::clone(host.service());
        let policy = self.policy()?;
        let transports = policy.iter().flat_map(TlogPolicy::witnesses);
        let transports: Vec<_> = transports
            .map(|witness| http(witness, self.witness_ca_file.clone()))
            .collect::<Result<_, _>>()?;
        let parts = Parts {
            log: service.ledger().reader(),
            log_keys: log_keys(&service)?,
            policy,
            transports,
            is_required: self.require_witness.unwrap_or(false),
            kept: data.published(),
            evidence: data.evidence(),
            directory: self.publish.clone(),
            halt: halting(&service),
        };
        warn_of_another_log(&parts, terminal);
        let (publisher, started) = Publisher::start(parts)?;
        tell(&started, terminal);
        let least = match self.wait {
            Some(Wait::Witnessed) => WaitLevel::Witnessed,
            _ => WaitLevel::Durable,
        };
        service.set_publication(Arc::clone(publisher.board()), least);
        Ok(Some(publisher))
    }

    fn policy(&self) -> Result<Option<TlogPolicy>, CliError> {
        let Some(path) = &self.witness_policy else {
            return Ok(None);
        };
        let policy = TlogPolicy::parse(&input::file_bytes(path)?);
        policy.map(Some).map_err(|error| CliError::io(path, error))
    }
}

/// The keys that sign now, and all that ever did.
fn log_keys(service: &countersign_service::Service) -> Result<LogKeys, CliError> {
    let keys = service.public_keys();
    let first: VerifierKey = keys
        .log_key
        .parse()
        .map_err(|error| CliError::usage(format!("the log's key: {error}")))?;
    // A witness may have been told of the ML-DSA-44 key alone: each key that signs now has signed
    // the newest checkpoint.
    let newest = service.ledger().checkpoint();
    let mut live = vec![first];
    if let Ok(note) = Note::parse(newest.as_bytes())
        && let Ok(verified) = note.verify(&keys.log_keys)
    {
        let signers = verified.signatures().iter().map(|it| it.key().clone());
        live.extend(signers.filter(|key| key.to_string() != keys.log_key));
    }
    Ok(LogKeys::new(live, keys.log_keys.clone()))
}

/// A verifier that is given the same file would not accept this log. Nothing here depends on it.
fn warn_of_another_log(parts: &Parts, terminal: &Terminal) {
    let logs = parts.policy.as_ref().map_or(&[][..], TlogPolicy::logs);
    let signs_now = |key| parts.log_keys.live().contains(key);
    if !logs.is_empty() && !logs.iter().any(|log| signs_now(log.key())) {
        terminal.warn(
            "no `log` line of the policy names a key that this log signs with now: whoever verifies with the same file does not accept it",
        );
    }
}

/// Halts the ledger; of a service that is gone there is nothing to halt.
fn halting(service: &Arc<countersign_service::Service>) -> Arc<dyn Fn(&str) + Send + Sync> {
    let service = Arc::downgrade(service);
    Arc::new(move |reason| {
        if let Some(service) = service.upgrade() {
            service.ledger().halt(reason);
        }
    })
}

fn tell(started: &Started, terminal: &Terminal) {
    for (name, found) in &started.witnesses {
        let name = crate::render::plain(name);
        match found {
            Found::Cosigned(size) => {
                terminal.note(format!("the witness `{name}` has cosigned {size} entries"));
            }
            Found::Silent(failure) => terminal.warn(format!(
                "the witness `{name}` does not cosign: {}; whether it knows a newer head of this log is not known",
                crate::render::plain(&failure.to_string())
            )),
            Found::NotAsked => terminal.warn(format!(
                "the witness `{name}` is not asked: the policy names no url"
            )),
        }
    }
}

/// A witness over HTTP.
struct HttpWitness(Client);

fn http(
    witness: &PolicyWitness,
    ca_file: Option<PathBuf>,
) -> Result<Option<Arc<dyn Transport>>, CliError> {
    let Some(url) = witness.url() else {
        return Ok(None);
    };
    let refused = |error: String| {
        let name = crate::render::plain(&witness.name().to_string());
        CliError::usage(format!("the witness `{name}`: {error}"))
    };
    let url: ServerUrl = url
        .to_string()
        .parse()
        .map_err(|error: <ServerUrl as std::str::FromStr>::Err| refused(error.to_string()))?;
    let options = Options {
        connect_timeout: WITNESS_TIMEOUT,
        request_timeout: WITNESS_TIMEOUT,
        ca_file,
    };
    let client = Client::new(url, options).map_err(|error| refused(error.to_string()))?;
    Ok(Some(Arc::new(HttpWitness(client))))
}

impl Transport for HttpWitness {
    fn add_checkpoint(&self, body: &str) -> Result<RawAnswer, TransportError> {
        let body = body.as_bytes().to_vec();
        let answer = self.0.raw_post(
            "/add-checkpoint",
            "text/plain; charset=utf-8",
            body,
            limit(),
        );
        answered(answer)
    }

    fn checkpoint(&self, name: &LogName) -> Result<RawAnswer, TransportError> {
        answered(
            self.0
                .raw_get(&format!("/{}/checkpoint", name.as_str()), limit()),
        )
    }
}

fn limit() -> u64 {
    u64::try_from(ANSWER_BYTES).unwrap_or(u64::MAX)
}

fn answered(
    answer: Result<countersign_client::RawAnswer, ClientError>,
) -> Result<RawAnswer, TransportError> {
    match answer {
        Ok(answer) => Ok(RawAnswer {
            status: answer.status,
            media_type: answer.media_type,
            body: answer.body,
        }),
        Err(error) => Err(TransportError {
            is_timeout: matches!(error, ClientError::Timeout { .. }),
            reason: error.to_string(),
        }),
    }
}

impl From<StartError> for CliError {
    fn from(error: StartError) -> Self {
        let own = Self::usage(crate::render::plain(&error.to_string()));
        let own = match error.is_contradiction() {
            true => own.exiting(Exit::Inconsistent),
            false => own,
        };
        match error.hint() {
            Some(hint) => own.hint(crate::render::plain(&hint)),
            None => own,
        }
    }
}
