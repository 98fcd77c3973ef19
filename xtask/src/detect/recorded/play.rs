//! Recorded runs through a real service, each with the entries that came of it.

use std::path::Path;
use std::sync::Arc;

use countersign_core::document::{Bundle, WatchSettings};
use countersign_core::entry::{AnyEntry, Body, Entry, Surface};
use countersign_core::ids::EntryId;
use countersign_core::refs::PolicyRef;
use countersign_core::time::{Clock, Timestamp};
use countersign_core::verdict::Outcome;
use countersign_host::{Beginning, DataDir, Host};
use countersign_judge::CompiledBundle;
use countersign_service::Caller;
use countersign_wire::NewCredential;
use secrecy::ExposeSecret as _;
use serde::Serialize;
use serde_json::value::RawValue;

use super::truth;
use crate::bundle_dir;
use crate::error::Error;
use crate::log::seeded::{SeededRandom, SteppedClock};
use crate::replay::recording::{Run, Step};
use crate::replay::requests;
use crate::server::{ACTORS, TENANT};

/// Between a turn or a result and the next call, from a call to its result, and between runs, in
/// milliseconds.
const THINKS_MS: i64 = 6_000;
const TAKES_MS: i64 = 2_000;
const APART_MS: i64 = 60_000;
/// What keys and salts follow from. None of it is a secret.
const SEED: u64 = 7;

/// A run that was played.
pub(super) struct Played {
    /// Which recording it is of, and whose run it is: the model with the suite.
    pub(super) recording: String,
    /// Its number in the recording.
    pub(super) n: usize,
    pub(super) actor: String,
    /// The attacker's task, if there was an attack.
    pub(super) attack: Option<String>,
    begun: Timestamp,
    ended: Timestamp,
    entries: Vec<Entry>,
    pub(super) calls: Vec<PlayedCall>,
}

/// What was decided of a call.
#[derive(Debug, Clone)]
pub(super) struct PlayedCall {
    pub(super) tool: String,
    pub(super) decision: EntryId,
    pub(super) outcome: Outcome,
    /// Whether it is the attacker's.
    pub(super) is_attack: bool,
}

/// A service in this process, over a log of its own.
pub(super) struct Player {
    host: Host,
    clock: Arc<SteppedClock>,
    bundle: CompiledBundle,
    ingress: Caller,
    agent: Caller,
    tool: Caller,
    _scratch: tempfile::TempDir,
}

#[derive(Serialize)]
struct RecordedCall<'a> {
    tool: &'a str,
    args: &'a RawValue,
    actor: &'a str,
    intent_ref: &'a str,
    session: &'a str,
}

impl Player {
    pub(super) fn begin(bundle: &Path) -> Result<Self, Error> {
        let content = bundle_dir::read(bundle)?;
        let tenant = TENANT.parse().map_err(Error::server("the tenant"))?;
        let compiled = CompiledBundle::compile(Bundle {
            tenant,
            content: content.clone(),
        })
        .map_err(|error| Error::Bundle(bundle_dir::lines(&error.findings)))?;
        let scratch = tempfile::tempdir().map_err(Error::io(&std::env::temp_dir()))?;
        let clock = Arc::new(SteppedClock::new());
        let beginning = Beginning {
            tenant: TENANT.parse().map_err(Error::server("the tenant"))?,
            public_name: None,
            bundle: content,
            credentials: ["ingress", "agent", "tool"].map(credential).to_vec(),
        };
        let (host, first) = DataDir::new(scratch.path().join("data"))
            .begin_with(
                beginning,
                Arc::clone(&clock) as Arc<dyn Clock>,
                Arc::new(SeededRandom::new(SEED)),
            )
            .map_err(Error::server("the data directory"))?;
        let callers = first.iter().map(|first| {
            let caller = host.service().authenticate(first.token.expose_secret());
            caller.map_err(Error::server("the credential"))
        });
        let callers: Vec<Caller> = callers.collect::<Result<_, _>>()?;
        let [ingress, agent, tool] = callers.try_into().map_err(|_| {
            Error::server("the credentials")("there are others than were asked for")
        })?;
        Ok(Self {
            host,
            clock,
            bundle: compiled,
            ingress,
            agent,
            tool,
            _scratch: scratch,
        })
    }

    /// The bundle, and what it says of the detectors.
    pub(super) fn settings(&self) -> (PolicyRef, WatchSettings) {
        let watch = self.bundle.settings().watch.clone();
        (self.bundle.policy_ref(), watch)
    }

    /// Plays the run with number `n` of a recording.
    pub(super) fn play(&self, recording: &str, n: usize, run: &Run) -> Result<Played, Error> {
        self.clock.advance(APART_MS);
        let begun = self.clock.now();
        let actor = actor(run);
        let session = format!("{recording}-{n}");
        let mut read = self.size();
        let turn = requests::turn(run, &session, &actor);
        let turn = serde_json::to_vec(&turn).map_err(Error::server("the turn"))?;
        let turn = self.host.service().register_turn(&self.ingress, &turn);
        let turn = turn.map_err(Error::server("the turn"))?;
        let mut entries = self.read(&mut read)?;
        let mut calls = Vec::with_capacity(run.steps.len());
        for step in &run.steps {
            self.clock.advance(THINKS_MS);
            let call = RecordedCall {
                tool: &step.function,
                args: &step.args,
                actor: &actor,
                intent_ref: &turn.intent_ref,
                session: &session,
            };
            let (decision, outcome) = self.ask(&call, &mut read, &mut entries)?;
            calls.push(PlayedCall {
                tool: step.function.clone(),
                decision,
                outcome,
                is_attack: truth::is_attackers(run, step, &self.bundle),
            });
            if outcome == Outcome::Approved {
                self.clock.advance(TAKES_MS);
                self.report(step, decision)?;
                entries.extend(self.read(&mut read)?);
            }
        }
        Ok(Played {
            recording: format!("{recording}, {}", run.suite),
            n,
            actor,
            attack: run.injection_task.clone(),
            begun,
            ended: self.clock.now(),
            entries,
            calls,
        })
    }

    fn ask(
        &self,
        call: &RecordedCall<'_>,
        read: &mut u64,
        entries: &mut Vec<Entry>,
    ) -> Result<(EntryId, Outcome), Error> {
        let asked = serde_json::to_vec(call).map_err(Error::server("the call"))?;
        let service = self.host.service();
        let answer = service.decide(&self.agent, &asked, Surface::Api, None);
        let new = self.read(read)?;
        // What is no call is an error, and a decision in the log all the same.
        let decided = new.iter().find_map(|entry| match &entry.body {
            Body::Decision(decision) => Some((entry.entry_id, decision.outcome)),
            _ => None,
        });
        entries.extend(new);
        decided.ok_or_else(|| {
            let reason = answer
                .err()
                .map_or_else(String::new, |error| error.to_string());
            Error::server("a call without a decision")(reason)
        })
    }

    fn report(&self, step: &Step, decision: EntryId) -> Result<(), Error> {
        let execution = requests::execution(step, decision.to_string());
        let failed = "the execution";
        let body = serde_json::to_vec(&execution).map_err(Error::server(failed))?;
        let reported = self.host.service().report_execution(&self.tool, &body);
        reported.map(drop).map_err(Error::server(failed))
    }

    fn size(&self) -> u64 {
        self.host.service().ledger().size().get()
    }

    /// What the log has gained.
    fn read(&self, from: &mut u64) -> Result<Vec<Entry>, Error> {
        let failed = "the log";
        let until = self.size();
        let leaves = self.host.service().ledger().leaves(*from..until);
        *from = until;
        let mut entries = Vec::new();
        for leaf in leaves.map_err(Error::server(failed))? {
            match AnyEntry::from_leaf(&leaf.bytes).map_err(Error::server(failed))? {
                AnyEntry::Known(entry) => entries.push(*entry),
                AnyEntry::Unknown(_) => {
                    return Err(Error::server(failed)("an entry of an unknown kind"));
                }
            }
        }
        Ok(entries)
    }
}

impl Played {
    /// The run's entries as if it had begun at another moment.
    pub(super) fn at(&self, begin: Timestamp) -> impl Iterator<Item = Entry> {
        let later = begin.millis_since(self.begun);
        self.entries.iter().cloned().map(move |mut entry| {
            entry.timestamp = entry.timestamp.plus_millis(later);
            entry
        })
    }

    pub(super) fn length_ms(&self) -> i64 {
        self.ended.millis_since(self.begun)
    }

    /// The attacker's calls.
    pub(super) fn attempts(&self) -> impl Iterator<Item = &PlayedCall> {
        self.calls.iter().filter(|call| call.is_attack)
    }
}

fn credential(role: &str) -> NewCredential {
    let speaks = matches!(role, "ingress" | "agent");
    NewCredential {
        roles: vec![role.to_owned()],
        actors: speaks.then(|| ACTORS.to_owned()).into_iter().collect(),
        ..NewCredential::default()
    }
}

/// One agent per model and suite.
fn actor(run: &Run) -> String {
    requests::actor(&format!("{}-{}", run.suite, run.pipeline))
}
