//! Clients that ask until the server is gone.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use countersign_client::{Client, ClientError, Options, Token};
use countersign_wire::{DecisionAnswer, TurnPartRequest, TurnRequest};
use secrecy::ExposeSecret as _;
use secrecy::SecretString;
use serde_json::json;

use super::acknowledged::{Acknowledged, Request};
use super::child::Child;
use crate::error::Error;
use crate::server::{ACTORS, Log};

/// The longest that a request may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// One token for each role that takes part.
pub(super) struct Tokens {
    ingress: SecretString,
    agent: SecretString,
}

/// What came of one round.
pub(super) struct Done {
    pub(super) acknowledged: u64,
    pub(super) unanswered: u64,
}

/// What one client was told.
#[derive(Default)]
struct Told {
    answers: Vec<(Request, DecisionAnswer)>,
    unanswered: Vec<Request>,
    findings: Vec<String>,
}

impl Tokens {
    pub(super) fn of(log: &Log) -> Result<Self, Error> {
        Ok(Self {
            ingress: log.token("ingress")?.to_owned().into(),
            agent: log.token("agent")?.to_owned().into(),
        })
    }
}

/// Lets clients ask, each again as soon as it was answered, kills the server after a time, and
/// notes what was answered and what was not.
pub(super) fn until_killed(
    child: &mut Child,
    tokens: &Tokens,
    clients: usize,
    after: Duration,
    known: &mut Acknowledged,
) -> Result<Done, Error> {
    static NUMBERS: AtomicU64 = AtomicU64::new(0);
    let url = child.url().to_owned();
    let told = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..clients)
            .map(|_| {
                let url = &url;
                scope.spawn(move || ask(url, tokens, NUMBERS.fetch_add(1, Ordering::Relaxed)))
            })
            .collect();
        std::thread::sleep(after);
        let ended = child.has_ended();
        let killed = child.kill();
        let told: Vec<_> = workers.into_iter().map(|worker| worker.join()).collect();
        killed?;
        match ended? {
            true => Err(Error::server("the server")("it ended by itself")),
            false => Ok(told),
        }
    })?;
    let mut done = Done {
        acknowledged: 0,
        unanswered: 0,
    };
    for told in told {
        let told = told.map_err(|_| Error::server("a client")("it panicked"))?;
        let told = told.map_err(Error::server("a client"))?;
        for (request, answer) in told.answers {
            done.acknowledged += 1;
            known.acknowledge(request, &answer);
        }
        done.unanswered += told.unanswered.len() as u64;
        known.unanswered(told.unanswered);
        known.findings(told.findings);
    }
    Ok(done)
}

/// Sends every request that got no answer again, under its idempotency key, and as many of those
/// that got one: then the answer must be the same entry.
pub(super) fn ask_again(
    url: &str,
    tokens: &Tokens,
    known: &mut Acknowledged,
) -> Result<u64, ClientError> {
    let agent = client(url, &tokens.agent)?;
    let requests = known.take_requests();
    let asked = requests.len() as u64;
    for request in requests {
        let answer = agent.decide_bytes(request.body.clone(), Some(&request.key))?;
        known.acknowledge(request, &answer);
    }
    Ok(asked)
}

/// Asks for so many decisions, one after the other, until one is refused.
pub(super) fn in_turn(
    url: &str,
    tokens: &Tokens,
    count: u64,
    known: &mut Acknowledged,
) -> Result<(), ClientError> {
    let agent = client(url, &tokens.agent)?;
    let mandate = Mandate::register(url, tokens, 0)?;
    for n in 0..count {
        let request = mandate.request(n);
        match agent.decide_bytes(request.body.clone(), Some(&request.key)) {
            Ok(answer) => known.acknowledge(request, &answer),
            Err(error) => {
                known.unanswered(vec![request]);
                return Err(error);
            }
        }
    }
    Ok(())
}

/// A turn of a session of its own, and what is asked for under it.
struct Mandate {
    number: u64,
    actor: String,
    session: String,
    intent_ref: String,
}

impl Mandate {
    fn register(url: &str, tokens: &Tokens, number: u64) -> Result<Self, ClientError> {
        let actor = format!("{ACTORS}{number}");
        let session = format!("crash-{number}");
        let ingress = client(url, &tokens.ingress)?;
        let turn = ingress.register_turn(&turn(&session, &actor))?;
        Ok(Self {
            number,
            actor,
            session,
            intent_ref: turn.intent_ref,
        })
    }

    fn request(&self, n: u64) -> Request {
        let body = json!({
            "tool": "mail.send",
            "args": {"to": "billing@customer.example", "n": n},
            "actor": self.actor,
            "intent_ref": self.intent_ref,
            "session": self.session,
        });
        Request {
            key: format!("crash-{}-{n}", self.number),
            body: body.to_string().into_bytes(),
        }
    }
}

/// One client. The first thing is a turn; without one it has nothing to ask.
fn ask(url: &str, tokens: &Tokens, number: u64) -> Result<Told, ClientError> {
    let mut told = Told::default();
    let agent = client(url, &tokens.agent)?;
    let mandate = match Mandate::register(url, tokens, number) {
        Ok(mandate) => mandate,
        Err(error) => {
            told.failed(&error);
            return Ok(told);
        }
    };
    for n in 0_u64.. {
        let request = mandate.request(n);
        match agent.decide_bytes(request.body.clone(), Some(&request.key)) {
            Ok(answer) => told.answers.push((request, answer)),
            Err(error) => {
                told.failed(&error);
                told.unanswered.push(request);
                return Ok(told);
            }
        }
    }
    Ok(told)
}

impl Told {
    /// A server that was killed breaks the connection, or is not there; it does not answer with an error.
    fn failed(&mut self, error: &ClientError) {
        match error {
            ClientError::Broken { .. } | ClientError::Unreachable { .. } => {}
            other => self.findings.push(format!("a request failed: {other}")),
        }
    }
}

fn client(url: &str, token: &SecretString) -> Result<Client, ClientError> {
    let bad = |error: countersign_client::ServerUrlError| ClientError::Request(error.to_string());
    let options = Options {
        request_timeout: PATIENCE,
        ..Options::default()
    };
    let client = Client::new(url.parse().map_err(bad)?, options)?;
    Ok(client.with_token(Token::new(token.expose_secret())))
}

fn turn(session: &str, actor: &str) -> TurnRequest {
    TurnRequest {
        principal: "user:crash@countersign.invalid".to_owned(),
        author: None,
        channel: "crash".to_owned(),
        session: session.to_owned(),
        actors: vec![actor.to_owned()],
        parts: vec![TurnPartRequest {
            by: "principal".to_owned(),
            media_type: None,
            text: "Send billing@customer.example the confirmation".to_owned(),
            raw_sha256: None,
        }],
        expires_in_s: None,
        mandate: None,
    }
}
