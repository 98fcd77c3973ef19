//! The life of one request. All of it blocks; it is run to its end whether or not somebody still
//! waits for the answer.

use countersign_client::{Client, ClientError, Execution};
use countersign_core::refs::Sha256;
use countersign_wire::{ConsumeRequest, WireRequest};
use hyper::StatusCode;
use hyper::header::{HeaderMap, HeaderValue};
use serde_json::Value;

use crate::keys::{Keys, Token};
use crate::problem::{Answer, Incoming, Problem};
use crate::routes::{Route, Routes};
use crate::upstream::{SendError, Upstream};
use crate::{args, headers, result, target};

/// What a gate is made of.
pub struct GateOptions {
    /// The ledger's server, with a credential of role `tool`.
    pub client: Client,
    /// Which request is which tool's call.
    pub routes: Routes,
    /// Where calls go.
    pub upstream: Upstream,
}

/// A gate before one tool server.
pub struct Gate {
    client: Client,
    routes: Routes,
    upstream: Upstream,
    keys: Keys,
}

/// Why a gate is not ready.
#[derive(Debug, thiserror::Error)]
#[error("the key set that permits are checked with: {0}")]
pub struct GateError(String);

impl Gate {
    /// A gate. Nothing is connected yet.
    pub fn new(options: GateOptions) -> Self {
        Self {
            client: options.client,
            routes: options.routes,
            upstream: options.upstream,
            keys: Keys::default(),
        }
    }

    /// Fetches the key set beforehand, which shows whether the server can be reached.
    pub fn prepare(&self) -> Result<(), GateError> {
        self.keys.fetch(&self.client).map(drop).map_err(GateError)
    }

    /// Lets a request through, or says why not. Blocks until the call's end is in the ledger.
    pub fn handle(&self, incoming: &Incoming) -> Answer {
        self.pass(incoming).unwrap_or_else(|problem| {
            tracing::info!(
                status = problem.status.as_u16(),
                code = problem.code,
                entry_id = problem.entry_id,
                "a request did not pass"
            );
            problem.answer()
        })
    }

    fn pass(&self, incoming: &Incoming) -> Result<Answer, Problem> {
        let target = target::read(&incoming.path, incoming.query.as_deref())
            .map_err(|error| Problem::bad(error.to_string()))?;
        let route = self.routes.find(&incoming.method, &target).ok_or_else(|| {
            let detail = "no route of this gate has this method and path";
            Problem::new(StatusCode::NOT_FOUND, "no-route", detail)
        })?;
        let permit = permit(&incoming.headers)?;
        let args = args::digest(route, &target, &incoming.headers, &incoming.body)?;
        let request = self.shown(route, incoming, permit, args)?;
        let execution = self.start(&request)?;
        let entry = execution.consumed().entry_id.clone();
        let passed = headers::forwarded(&incoming.headers, &self.routes, !incoming.body.is_empty());
        let sent = self.upstream.send(incoming, passed);
        let mut answer = report(execution, sent).map_err(|it| it.recorded(Some(entry.clone())))?;
        if let Ok(value) = HeaderValue::from_str(&entry) {
            answer.headers.insert(headers::EXECUTION, value);
        }
        tracing::info!(
            tool = route.tool,
            status = answer.status.as_u16(),
            entry_id = entry,
            "a call passed"
        );
        Ok(answer)
    }

    /// What the server is shown of the request.
    fn shown(
        &self,
        route: &Route,
        incoming: &Incoming,
        permit: &str,
        args: Sha256,
    ) -> Result<ConsumeRequest, Problem> {
        let mut is_bound = self.routes.is_wire_required;
        match self.keys.look(&self.client, permit) {
            Token::Known(claims) => is_bound |= claims.wire.is_some(),
            Token::Unknown { is_told: true, .. } => {}
            Token::Unknown {
                why,
                is_told: false,
            } => {
                return Err(Problem::refused(format!(
                    "the permit is none of the server's: {why}"
                )));
            }
            Token::NoKeys(why) => return Err(Problem::no_ledger(why)),
        }
        let base = self.routes.destination.as_deref();
        let wire = WireRequest {
            profile: format!("http:{}", incoming.method),
            destination: destination(base.unwrap_or(self.upstream.address()), incoming),
            sha256: Sha256::of(&incoming.body).to_string(),
        };
        Ok(ConsumeRequest {
            permit: permit.to_owned(),
            audience: route.audience.clone(),
            tool: route.tool.clone(),
            args_sha256: args.to_string(),
            wire: is_bound.then_some(wire),
        })
    }

    /// Uses the permit up. Whatever else the server says, or does not say, nothing leaves.
    fn start(&self, request: &ConsumeRequest) -> Result<Execution, Problem> {
        self.client.start_execution(request).map_err(|error| match &error {
            ClientError::Problem { problem, .. } if problem.code == "permit-refused" => {
                Problem::refused(problem.detail.clone()).recorded(problem.entry_id.clone())
            }
            error => {
                tracing::warn!(%error, "the ledger could not be asked");
                let detail = "the ledger could not be asked, so nothing was sent; the agent needs a new permit if this one was used up";
                Problem::no_ledger(detail)
            }
        })
    }
}

/// Where a request goes: the whole address, as permits name it.
pub(crate) fn destination(base: &str, incoming: &Incoming) -> String {
    match &incoming.query {
        Some(query) => format!("{base}{}?{query}", incoming.path),
        None => format!("{base}{}", incoming.path),
    }
}

/// The one permit of a request.
fn permit(headers: &HeaderMap) -> Result<&str, Problem> {
    let mut fields = headers.get_all(headers::PERMIT).iter();
    match (fields.next(), fields.next()) {
        (Some(field), None) => field
            .to_str()
            .map_err(|_| Problem::bad("the `Countersign-Permit` header is not visible ascii")),
        (Some(_), Some(_)) => Err(Problem::bad(
            "there is more than one `Countersign-Permit` header",
        )),
        (None, _) => Err(Problem::new(
            StatusCode::UNAUTHORIZED,
            "permit-missing",
            "a call needs the permit of its approval in the header `Countersign-Permit`",
        )),
    }
}

/// Reports the end of a call, and only then gives its answer.
fn report(execution: Execution, sent: Result<Answer, SendError>) -> Result<Answer, Problem> {
    let finish = |execution: Execution, result: Option<Value>, is_error| {
        execution.finish(result, is_error).map_err(unreported)
    };
    match sent {
        Ok(answer) => {
            let result = result::of(&answer.headers, &answer.body);
            let is_error = answer.status.as_u16() >= 400;
            finish(execution, result, is_error)?;
            Ok(answer)
        }
        Err(SendError::TooLong(status)) => {
            finish(execution, None, status >= 400)?;
            let detail = format!(
                "the call was made, and its answer (status {status}) is longer than this gate passes on"
            );
            Err(Problem::upstream("answer-too-large", detail))
        }
        Err(SendError::Failed(why) | SendError::Unbuilt(why)) => {
            execution.unknown().map_err(unreported)?;
            tracing::warn!(%why, "the upstream did not answer");
            let detail =
                "the upstream did not answer in full; what became of the call is not known";
            Err(Problem::upstream("upstream-failed", detail))
        }
    }
}

/// Later calls are judged by what this one returned. What the ledger does not have, the agent does
/// not get.
fn unreported(error: ClientError) -> Problem {
    tracing::error!(%error, "the end of a call could not be reported");
    let detail = "the call was made, and its result could not be recorded, so it is withheld";
    Problem::upstream("result-not-recorded", detail)
}
