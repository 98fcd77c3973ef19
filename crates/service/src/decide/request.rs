//! Reading the request for a decision.

use countersign_core::document::{Call, Salt};
use countersign_core::ids::EntryId;
use countersign_core::json;
use countersign_core::limits::{CALL_ARGS_BYTES, REASONING_BYTES, TOOL_NAME_BYTES};
use countersign_core::names::{ActorName, SessionId, TenantId};
use countersign_core::random::Random;
use countersign_core::refs::{IntentRef, Sha256};
use countersign_ledger::StateKey;
use countersign_wire::DecisionRequest;
use serde_json::Value;

use crate::caller::Caller;
use crate::error::{ErrorCode, ServiceError};
use crate::published::WaitLevel;
use crate::render::as_hashed;
use crate::state::key;
use crate::turns::name;

/// Most bytes of a request for a decision.
pub const CALL_BODY_BYTES: usize = 8 * 1024 * 1024;
/// Longest idempotency key, in bytes.
const IDEMPOTENCY_KEY_BYTES: usize = 255;
/// Longest id that a client may give to its call, in bytes.
const EXTERNAL_ID_BYTES: usize = 256;

/// A request whose members are known to be well-formed.
pub(super) struct CallRequest {
    pub(super) tool: String,
    pub(super) args: Value,
    pub(super) args_sha256: Sha256,
    pub(super) actor: ActorName,
    pub(super) intent_ref: Option<IntentRef>,
    pub(super) reasoning: Option<String>,
    pub(super) continues: Option<EntryId>,
    pub(super) session: Option<SessionId>,
    pub(super) external_call_id: Option<String>,
    pub(super) wait: Option<WaitLevel>,
    /// The digest of the whole body, where an idempotency key binds it.
    pub(super) body: Option<Sha256>,
    idempotency_key: Option<String>,
}

impl CallRequest {
    pub(super) fn read(body: &[u8], idempotency_key: Option<&str>) -> Result<Self, ServiceError> {
        let request: DecisionRequest = json::parse_as(body, CALL_BODY_BYTES)?;
        limit("tool", request.tool.len(), TOOL_NAME_BYTES)?;
        limit(
            "reasoning",
            request.reasoning.as_ref().map_or(0, String::len),
            REASONING_BYTES,
        )?;
        limit(
            "external_call_id",
            request.external_call_id.as_ref().map_or(0, String::len),
            EXTERNAL_ID_BYTES,
        )?;
        if request.tool.is_empty() {
            return Err(ServiceError::malformed("`tool` is empty"));
        }
        if !request.args.is_object() {
            return Err(ServiceError::malformed("`args` is not a json object"));
        }
        let (canonical, args) = as_hashed(request.args)?;
        limit("args", canonical.as_bytes().len(), CALL_ARGS_BYTES)?;
        if let Some(key) = idempotency_key
            && (key.is_empty()
                || key.len() > IDEMPOTENCY_KEY_BYTES
                || !key.bytes().all(|b| b.is_ascii_graphic()))
        {
            return Err(ServiceError::malformed(format!(
                "`Idempotency-Key` is 1 to {IDEMPOTENCY_KEY_BYTES} visible ASCII characters"
            )));
        }
        Ok(Self {
            tool: request.tool,
            args_sha256: canonical.digest(),
            args,
            actor: name(&request.actor)?,
            intent_ref: request.intent_ref.as_deref().map(name).transpose()?,
            reasoning: request.reasoning,
            continues: request
                .links
                .and_then(|links| links.continues)
                .as_deref()
                .map(name)
                .transpose()?,
            session: request.session.as_deref().map(name).transpose()?,
            external_call_id: request.external_call_id,
            wait: request.wait.as_deref().map(str::parse).transpose()?,
            body: idempotency_key.map(|_| Sha256::of(body)),
            idempotency_key: idempotency_key.map(str::to_owned),
        })
    }

    /// The key under which this request may be answered once.
    pub(super) fn once(&self, caller: &Caller) -> Option<StateKey> {
        self.idempotency_key
            .as_deref()
            .map(|text| key::idempotency(caller.id(), text))
    }

    /// The call document.
    pub(super) fn call(&self, tenant: &TenantId, random: &dyn Random) -> Call {
        // In the order of the document, which the judge would have to bring about.
        let mut args = self.args.clone();
        args.sort_all_objects();
        Call {
            tenant: tenant.clone(),
            tool: self.tool.clone(),
            args,
            args_sha256: self.args_sha256,
            external_call_id: self.external_call_id.clone(),
            wire: None,
            salt: Salt::fresh(random),
        }
    }
}

fn limit(member: &str, found: usize, allowed: usize) -> Result<(), ServiceError> {
    if found <= allowed {
        return Ok(());
    }
    Err(ServiceError::new(
        ErrorCode::TooLarge,
        format!("`{member}` has {found} bytes; allowed are {allowed}"),
    ))
}
