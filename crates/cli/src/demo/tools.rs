//! The tools' side: it runs nothing without a permit for exactly that call.

use std::net::SocketAddr;

use countersign_client::{Client, ClientError};
use countersign_core::time::Clock as _;
use countersign_permit::{Args, Expect, JwksError, PermitError, PermitVerifier};
use countersign_service::SystemClock;
use countersign_wire::ExecutionRequest;
use serde_json::{Value, json};

use super::mail::{MailError, Mailer};

/// The tools of the support desk, with what they work on. It has a `tool` credential and the
/// server's public keys, and no other way to learn what was approved than the permit.
pub(super) struct ToolSide {
    client: Client,
    permits: PermitVerifier,
    issuer: String,
    mailer: Mailer,
    inbox: Vec<Value>,
    contacts: Value,
}

/// Why a tool did not run, or not to its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum ToolError {
    /// There is no permit for this call.
    #[error(transparent)]
    Permit(#[from] PermitError),
    /// The server did not take the report.
    #[error(transparent)]
    Report(#[from] ClientError),
    /// The mail was not sent.
    #[error(transparent)]
    Mail(#[from] MailError),
    /// There is no such tool.
    #[error("there is no tool `{0}`")]
    Unknown(String),
}

impl ToolSide {
    /// The tools' side of the server whose log has the origin `issuer` and whose permits `jwks`
    /// checks.
    pub(super) fn new(
        client: Client,
        jwks: &str,
        issuer: String,
        mail_server: SocketAddr,
        contacts: Value,
    ) -> Result<Self, JwksError> {
        Ok(Self {
            client,
            permits: PermitVerifier::from_jwks(jwks.as_bytes())?,
            issuer,
            mailer: Mailer::new(mail_server),
            inbox: Vec::new(),
            contacts,
        })
    }

    /// A message comes in.
    pub(super) fn deliver(&mut self, message: Value) {
        self.inbox.push(message);
    }

    /// Runs a tool, if the permit is for this call. That it begins is in the ledger before it does.
    pub(super) fn run(&self, tool: &str, args: &Value, permit: &str) -> Result<Value, ToolError> {
        let claims = self.permits.verify(
            permit,
            &Expect {
                issuer: &self.issuer,
                audience: &format!("tool:{tool}"),
                now: SystemClock.now(),
                tool,
                args: Args::Json(args.to_string().as_bytes()),
                tenant: None,
                wire: None,
            },
        )?;
        let decision = claims.entry_id.to_string();
        self.report(&decision, "started", None)?;
        let result = self.act(tool, args)?;
        self.report(&decision, "finished", Some(result.clone()))?;
        Ok(result)
    }

    fn act(&self, tool: &str, args: &Value) -> Result<Value, ToolError> {
        match tool {
            "inbox.read" => Ok(json!({"messages": self.inbox})),
            "crm.lookup" => {
                let contact = args
                    .get("contact")
                    .and_then(Value::as_str)
                    .unwrap_or_default();
                Ok(self.contacts.get(contact).cloned().unwrap_or(Value::Null))
            }
            "ticket.update" => {
                Ok(json!({"ticket": args.get("ticket"), "status": args.get("status")}))
            }
            "email.send" => {
                self.mailer.send(args)?;
                Ok(json!({"sent": true}))
            }
            other => Err(ToolError::Unknown(other.to_owned())),
        }
    }

    fn report(
        &self,
        decision: &str,
        phase: &str,
        result: Option<Value>,
    ) -> Result<(), ClientError> {
        let is_error = result.is_some().then_some(false);
        let report = ExecutionRequest {
            decision: decision.to_owned(),
            phase: phase.to_owned(),
            result,
            is_error,
            ..ExecutionRequest::default()
        };
        self.client.report_execution(&report).map(drop)
    }
}
