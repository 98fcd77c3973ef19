//! Which tools an agent needs to be shown.

use std::collections::BTreeMap;

use countersign_core::entry::Role;
use countersign_core::limits::TOOL_NAME_BYTES;
use countersign_core::names::ActorName;
use countersign_core::refs::Sha256;
use countersign_wire::{VisibleAnswer, VisibleRequest};

use crate::Service;
use crate::caller::Caller;
use crate::error::{ErrorCode, ServiceError};
use crate::turns::name;

/// Most tools that are asked about at once.
pub const VISIBLE_TOOLS: usize = 1_024;
/// Most bytes of a request.
pub const VISIBLE_BODY_BYTES: usize = 512 * 1024;

impl Service {
    /// Which of these tools some call could be permitted of, for an actor of the caller, under the
    /// bundle in force. Nothing is recorded: it says no more than the policies do.
    ///
    /// Role `agent`.
    pub fn visible_tools(
        &self,
        caller: &Caller,
        request: VisibleRequest,
    ) -> Result<VisibleAnswer, ServiceError> {
        caller.require(Role::Agent)?;
        let actor: ActorName = name(&request.actor)?;
        if !caller.covers(&actor) {
            let detail = format!("the credential may not speak for the actor `{actor}`");
            return Err(ServiceError::new(ErrorCode::OutOfBounds, detail));
        }
        if request.tools.len() > VISIBLE_TOOLS {
            let count = request.tools.len();
            return Err(ServiceError::malformed(format!(
                "{count} tools are more than {VISIBLE_TOOLS}"
            )));
        }
        let definitions = request
            .definitions
            .iter()
            .map(|(tool, digest)| Ok((tool.as_str(), name(digest)?)))
            .collect::<Result<BTreeMap<&str, Sha256>, ServiceError>>()?;
        let bundle = self.in_force()?.compiled;
        let names: Vec<&str> = request.tools.iter().map(String::as_str).collect();
        let could = bundle.could_permit(&actor, &names);
        let has_changed = |tool: &str| {
            let pinned = bundle.tool(tool).and_then(|tool| tool.manifest().pinned);
            pinned.is_some_and(|pinned| definitions.get(tool).is_some_and(|now| *now != pinned))
        };
        let mut answer = VisibleAnswer {
            policy_ref: bundle.policy_ref().to_string(),
            ..VisibleAnswer::default()
        };
        for (tool, could) in request.tools.iter().zip(could) {
            let changed = has_changed(tool);
            if changed {
                answer.changed.push(tool.clone());
            }
            // A name that is too long cannot be called.
            let list = match could && !changed && tool.len() <= TOOL_NAME_BYTES {
                true => &mut answer.visible,
                false => &mut answer.hidden,
            };
            list.push(tool.clone());
        }
        Ok(answer)
    }
}
