//! Sends one run after the other through the API.

use std::time::Instant;

use countersign_client::{Client, ClientError};
use countersign_core::json;
use countersign_judge::CompiledBundle;
use countersign_wire::DecisionAnswer;
use indicatif::ProgressBar;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::recording::{Run, Step};
use super::requests;
use super::tally::{Judged, Tally};
use super::whole;
use crate::error::Error;
use crate::server::Server;

/// Most bytes of the arguments of a call that is looked into here.
const ARGS_BYTES: usize = 8 * 1024 * 1024;

/// One worker's connections, one per role.
pub(super) struct Driver<'a> {
    bundle: &'a CompiledBundle,
    ingress: Client,
    agent: Client,
    tool: Client,
}

/// A request for a decision that holds the arguments as they were recorded.
#[derive(Serialize)]
struct RecordedCall<'a> {
    tool: &'a str,
    args: &'a RawValue,
    actor: &'a str,
    intent_ref: &'a str,
    session: &'a str,
    external_call_id: String,
}

impl<'a> Driver<'a> {
    pub(super) fn new(server: &Server, bundle: &'a CompiledBundle) -> Result<Self, Error> {
        Ok(Self {
            bundle,
            ingress: server.client("ingress")?,
            agent: server.client("agent")?,
            tool: server.client("tool")?,
        })
    }

    /// Replays the run with number `n`. What goes wrong is counted.
    pub(super) fn replay(
        &mut self,
        n: usize,
        run: &Run,
        tally: &mut Tally,
        progress: &ProgressBar,
    ) {
        let session = format!("replay-{n}");
        let actor = requests::actor(&run.pipeline);
        tally.run();
        let turn = match self
            .ingress
            .register_turn(&requests::turn(run, &session, &actor))
        {
            Ok(turn) => turn,
            Err(error) => {
                tally.error("POST /v1/turns", &error);
                progress.inc(u64::try_from(run.steps.len()).unwrap_or(0));
                return;
            }
        };
        let mut outcomes = Vec::with_capacity(run.steps.len());
        for (k, step) in run.steps.iter().enumerate() {
            let call = RecordedCall {
                tool: &step.function,
                args: &step.args,
                actor: &actor,
                intent_ref: &turn.intent_ref,
                session: &session,
                external_call_id: format!("{n}-{k}"),
            };
            outcomes.push(self.call(run, step, &call, tally));
            progress.inc(1);
        }
        tally.whole(whole::groups(run, &outcomes, self.bundle));
    }

    /// Asks for one call; its outcome, or nothing that is one.
    fn call(&self, run: &Run, step: &Step, call: &RecordedCall<'_>, tally: &mut Tally) -> String {
        let args = json::parse(step.args.get().as_bytes(), ARGS_BYTES);
        if args.is_err() {
            tally.unstrict();
        }
        let body = match serde_json::to_vec(call) {
            Ok(body) => body,
            Err(error) => {
                tally.error("the request", &error);
                return String::new();
            }
        };
        let asked = Instant::now();
        let answer = self.agent.decide_bytes(body, None);
        let elapsed = asked.elapsed();
        match answer {
            Ok(answer) => {
                let reasons = answer
                    .reasons
                    .iter()
                    .map(|reason| reason.id.clone())
                    .collect();
                let judged = Judged {
                    outcome: answer.outcome.clone(),
                    reasons,
                };
                if !judged.by_policy() {
                    tally.example(&judged, &step.function, || {
                        self.why(&step.function, args.ok())
                    });
                }
                tally.judged(run, step, judged, elapsed);
                if answer.outcome == "approved" {
                    self.report(step, &answer, tally);
                }
                answer.outcome
            }
            // A body that is no call is a problem document that names the recorded rejection.
            Err(error)
                if error
                    .problem()
                    .is_some_and(|problem| problem.entry_id.is_some()) =>
            {
                let judged = Judged::malformed();
                tally.example(&judged, &step.function, || Some(error.to_string()));
                let outcome = judged.outcome.clone();
                tally.judged(run, step, judged, elapsed);
                outcome
            }
            Err(error) => {
                tally.error("POST /v1/decisions", &error);
                String::new()
            }
        }
    }

    /// Reports what the recorded call returned.
    fn report(&self, step: &Step, answer: &DecisionAnswer, tally: &mut Tally) {
        let execution = requests::execution(step, answer.entry_id.clone());
        let reported: Result<_, ClientError> = self.tool.report_execution(&execution);
        match reported {
            Ok(_) => tally.reported(step.executed),
            Err(error) => tally.error("POST /v1/executions", &error),
        }
    }

    /// Why the arguments do not fit the manifest.
    fn why(&self, tool: &str, args: Option<Value>) -> Option<String> {
        self.bundle.tool(tool)?.schema_error(&args?)
    }
}
