//! Decisions that end in a durable commit, in process and over HTTP, taking turns with a bare
//! `fdatasync` on the same disk.

use std::path::Path;
use std::time::Duration;

use countersign_core::entry::Surface;
use countersign_service::{Caller, Service};
use countersign_wire::{DecisionAnswer, DecisionRequest, TurnPartRequest, TurnRequest};
use serde::Serialize;

use super::Effort;
use super::disk::Page;
use super::load::{Ask, Measured};
use super::setting::{self, Scopes};
use super::wire::Wire;
use crate::error::Error;
use crate::server::{ACTORS, Log, Server};
use crate::stats::{Summary, micros};

/// How many policies judge.
const POLICIES: usize = 100;
/// How many bytes of arguments each call has.
const ARGS_BYTES: usize = 1_000;
/// How many threads ask in process.
const THREADS: [usize; 3] = [1, 16, 64];
/// How many connections ask over HTTP.
const CLIENTS: [usize; 3] = [1, 16, 64];
/// The bare sync's share of the time that a case has.
const SYNC_SHARE: u32 = 4;

/// What was measured of decisions with their commit.
#[derive(Debug, Serialize)]
pub(super) struct DurableReport {
    pub(super) policies: usize,
    pub(super) args_bytes: usize,
    /// Overwriting one page of a file that is there, and `fdatasync`.
    pub(super) fdatasync: Summary,
    pub(super) cases: Vec<DurableCase>,
}

/// One case.
#[derive(Debug, Serialize)]
pub(super) struct DurableCase {
    /// `in process` or `http`.
    pub(super) path: &'static str,
    pub(super) clients: usize,
    pub(super) wall: Summary,
    pub(super) per_second: f64,
    /// CPU time of the whole process per decision, its clients included, in microseconds.
    pub(super) cpu_us: f64,
    /// What of that the clients used, where that can be told.
    pub(super) cpu_of_load_us: Option<f64>,
    /// The median over that of the bare `fdatasync`.
    pub(super) over_fdatasync: f64,
}

struct Case<'a> {
    path: &'static str,
    load: Load<'a>,
    measured: Measured,
}

enum Load<'a> {
    /// A thread for each client.
    Threads(Vec<Ask<'a>>),
    /// A connection for each client, all on one thread.
    Wire(Wire),
}

impl Load<'_> {
    fn clients(&self) -> usize {
        match self {
            Self::Threads(clients) => clients.len(),
            Self::Wire(wire) => wire.clients(),
        }
    }

    fn round(&mut self, measured: &mut Measured, round: Duration) -> Result<(), Error> {
        match self {
            Self::Threads(clients) => measured.round(clients, round),
            Self::Wire(wire) => wire.round(measured, round),
        }
    }
}

/// Measures in `dir`.
pub(super) fn measure(
    dir: &Path,
    effort: Effort,
    in_process: bool,
    http: bool,
) -> Result<DurableReport, Error> {
    let log = Log::begin(setting::bundle(POLICIES, Scopes::Named)?, None, dir)?;
    let server = Server::over(log)?;
    let mut cases = Vec::new();
    if in_process {
        for threads in THREADS {
            cases.push(Case::in_process(&server, threads)?);
        }
    }
    if http {
        for clients in CLIENTS {
            cases.push(Case::http(&server, clients)?);
        }
    }
    let mut page = Page::new(dir)?;
    let mut syncs = Vec::new();
    for round in 1..=effort.rounds {
        for case in &mut cases {
            eprintln!(
                "round {round} of {}: {}, {} at once",
                effort.rounds,
                case.path,
                case.load.clients()
            );
            case.load.round(&mut case.measured, effort.round)?;
            page.sync_for(effort.round / SYNC_SHARE, &mut syncs)?;
        }
    }
    let nothing = || Error::server("the measurement")("nothing was measured");
    let fdatasync = Summary::of(syncs).ok_or_else(nothing)?;
    let cases = cases
        .into_iter()
        .map(|case| case.result(&fdatasync).ok_or_else(nothing))
        .collect::<Result<_, _>>()?;
    server.stop()?;
    Ok(DurableReport {
        policies: POLICIES,
        args_bytes: ARGS_BYTES,
        fdatasync,
        cases,
    })
}

impl Case<'_> {
    fn in_process(server: &Server, threads: usize) -> Result<Self, Error> {
        let caller = |role| -> Result<Caller, Error> {
            let token = server.log().token(role)?;
            server
                .log()
                .service()
                .authenticate(token)
                .map_err(Error::server("the credential"))
        };
        let (ingress, agent) = (caller("ingress")?, caller("agent")?);
        let clients = (0..threads)
            .map(|n| -> Result<Ask<'_>, Error> {
                let service = std::sync::Arc::clone(server.log().service());
                let body = call(&service, &ingress, &format!("threads-{threads}-{n}"))?;
                let agent = agent.clone();
                Ok(Box::new(move || {
                    let answer = service.decide(&agent, &body, Surface::Api, None);
                    approved(answer.map_err(Error::server("a decision"))?)
                }))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            path: "in process",
            load: Load::Threads(clients),
            measured: Measured::default(),
        })
    }

    fn http(server: &Server, clients: usize) -> Result<Self, Error> {
        let ingress = server.log().token("ingress")?;
        let service = server.log().service();
        let ingress = service
            .authenticate(ingress)
            .map_err(Error::server("the credential"))?;
        let bodies = (0..clients)
            .map(|n| call(service, &ingress, &format!("clients-{clients}-{n}")))
            .collect::<Result<Vec<_>, _>>()?;
        let wire = Wire::new(server.url(), server.log().token("agent")?, &bodies)?;
        Ok(Self {
            path: "http",
            load: Load::Wire(wire),
            measured: Measured::default(),
        })
    }

    fn result(self, fdatasync: &Summary) -> Option<DurableCase> {
        let Measured {
            times,
            elapsed,
            cpu,
            cpu_of_load,
        } = self.measured;
        let wall = Summary::of(times)?;
        let per_decision = |used| micros(used) / wall.count as f64;
        let is_told = matches!(self.load, Load::Wire(_));
        Some(DurableCase {
            path: self.path,
            clients: self.load.clients(),
            cpu_us: per_decision(cpu),
            cpu_of_load_us: is_told.then(|| per_decision(cpu_of_load)),
            wall,
            per_second: wall.count as f64 / elapsed.as_secs_f64().max(f64::EPSILON),
            over_fdatasync: wall.p50_us / fdatasync.p50_us.max(f64::EPSILON),
        })
    }
}

/// A call under a turn of its own, as the body of a request.
fn call(service: &Service, ingress: &Caller, session: &str) -> Result<Vec<u8>, Error> {
    let failed = "the turn";
    let actor = format!("{ACTORS}bench");
    let turn = TurnRequest {
        principal: "user:bench@customer.example".to_owned(),
        author: None,
        channel: "bench".to_owned(),
        session: session.to_owned(),
        actors: vec![actor.clone()],
        parts: vec![TurnPartRequest {
            by: "principal".to_owned(),
            media_type: None,
            text: setting::turn_text(1),
            raw_sha256: None,
        }],
        expires_in_s: None,
        mandate: None,
    };
    let turn = serde_json::to_vec(&turn).map_err(Error::server(failed))?;
    let turn = service
        .register_turn(ingress, &turn)
        .map_err(Error::server(failed))?;
    let call = DecisionRequest {
        tool: setting::TOOL.to_owned(),
        args: setting::args(1, ARGS_BYTES),
        actor,
        intent_ref: Some(turn.intent_ref),
        ..DecisionRequest::default()
    };
    serde_json::to_vec(&call).map_err(Error::server("the call"))
}

fn approved(answer: DecisionAnswer) -> Result<(), Error> {
    match answer.outcome.as_str() {
        "approved" => Ok(()),
        other => Err(Error::server("a decision")(format!("it was {other}"))),
    }
}
