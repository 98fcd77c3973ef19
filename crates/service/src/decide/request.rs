//! Reading the request for a decision.

use countersign_core::document::{Call, Salt, Wire, Workspace};
use countersign_core::ids::EntryId;
use countersign_core::json;
use countersign_core::limits::{CALL_ARGS_BYTES, REASONING_BYTES, TOOL_NAME_BYTES};
use countersign_core::names::{ActorName, SessionId, TenantId};
use countersign_core::random::Random;
use countersign_core::refs::{IntentRef, Sha256};
use countersign_ledger::StateKey;
use countersign_wire::{DecisionRequest, WireRequest, WorkspaceRequest};
use serde_json::Value;

use super::again::Again;
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

/// Longest name of how bytes are framed, in bytes.
const WIRE_PROFILE_BYTES: usize = 64;
/// Longest destination of bytes, in bytes as JSON.
const WIRE_DESTINATION_BYTES: usize = 4 * 1024;
/// Longest path of a workspace, in bytes.
const WORKSPACE_PATH_BYTES: usize = 4 * 1024;
/// Most symbolic links of a workspace.
const WORKSPACE_LINKS: usize = 256;

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
    /// Whether the intent is the newest live turn of the session.
    pub(super) session_turn: bool,
    pub(super) external_call_id: Option<String>,
    pub(super) wire: Option<Wire>,
    pub(super) workspace: Option<Workspace>,
    pub(super) definition: Option<Sha256>,
    pub(super) wait: Option<WaitLevel>,
    /// The digest of the whole body, where an idempotency key binds it.
    pub(super) body: Option<Sha256>,
    /// The call as it was sealed, where it is judged again.
    pub(super) again: Option<Box<Again>>,
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
        if request.session_turn && (request.intent_ref.is_some() || request.session.is_none()) {
            return Err(ServiceError::malformed(
                "`session_turn` comes with a `session` and without an `intent_ref`",
            ));
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
            session_turn: request.session_turn,
            external_call_id: request.external_call_id,
            wire: request.wire.map(wire).transpose()?,
            workspace: request.workspace.map(workspace).transpose()?,
            definition: request.definition.as_deref().map(name).transpose()?,
            wait: request.wait.as_deref().map(str::parse).transpose()?,
            body: idempotency_key.map(|_| Sha256::of(body)),
            again: None,
            idempotency_key: idempotency_key.map(str::to_owned),
        })
    }

    /// A call that was judged before, once more: nobody sends it, so it has no key of its own.
    pub(super) fn again(actor: ActorName, claimed: Option<IntentRef>, again: Again) -> Self {
        Self {
            tool: again.call.tool.clone(),
            args_sha256: again.call.args_sha256,
            // Those of the sealed call are judged.
            args: Value::Null,
            actor,
            intent_ref: claimed,
            reasoning: None,
            continues: None,
            session: None,
            session_turn: false,
            external_call_id: None,
            wire: None,
            workspace: None,
            definition: None,
            wait: None,
            body: None,
            again: Some(Box::new(again)),
            idempotency_key: None,
        }
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
            wire: self.wire.clone(),
            workspace: self.workspace.clone(),
            definition: self.definition,
            salt: Salt::fresh(random),
        }
    }
}

pub(crate) fn wire(request: WireRequest) -> Result<Wire, ServiceError> {
    limit("wire.profile", request.profile.len(), WIRE_PROFILE_BYTES)?;
    // As it will stand in the permit, which must not grow too long for a header.
    let as_json = serde_json::to_vec(&request.destination)?.len();
    limit("wire.destination", as_json, WIRE_DESTINATION_BYTES)?;
    Ok(Wire {
        sha256: name(&request.sha256)?,
        profile: request.profile,
        destination: request.destination,
    })
}

fn workspace(request: WorkspaceRequest) -> Result<Workspace, ServiceError> {
    if request.links.len() > WORKSPACE_LINKS {
        return Err(ServiceError::malformed(format!(
            "`workspace.links` holds {}; allowed are {WORKSPACE_LINKS}",
            request.links.len()
        )));
    }
    let links = request.links.iter().flat_map(|(link, path)| [link, path]);
    for path in [&request.root, &request.cwd].into_iter().chain(links) {
        limit("workspace", path.len(), WORKSPACE_PATH_BYTES)?;
        if !is_plain_path(path) {
            return Err(ServiceError::malformed(
                "paths of `workspace` are absolute, without `.`, `..`, doubled separators and control characters",
            ));
        }
    }
    Ok(Workspace {
        root: request.root,
        cwd: request.cwd,
        links: request.links,
    })
}

fn is_plain_path(path: &str) -> bool {
    let is_plain = |part: &str| !matches!(part, "" | "." | "..");
    path == "/"
        || path.strip_prefix('/').is_some_and(|rest| {
            rest.split('/').all(is_plain) && !rest.chars().any(char::is_control)
        })
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
