//! Which tools an agent needs to be shown.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Mutex, PoisonError};

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

/// Most changed tools of one list that are recorded.
const CHANGED_RECORDED: usize = 16;
/// How many are remembered as recorded.
const CHANGED_KNOWN: usize = 4_096;

impl Service {
    /// Which of these tools some call could be permitted of, for an actor of the caller, under the
    /// bundle in force. It says no more than the policies do, and is no decision; but a tool that is
    /// listed otherwise than it was confirmed is recorded, once while this process runs, as the
    /// rejection that any call of it would be: so a flag is raised before anybody calls it.
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
        for tool in answer.changed.iter().take(CHANGED_RECORDED) {
            if let Some(now) = definitions.get(tool.as_str())
                && self.changed_tools.is_new(&actor, tool, *now)
            {
                self.record_changed_tool(caller, &actor, tool, *now)?;
            }
        }
        Ok(answer)
    }
}

/// The changed tools that were recorded, so that a list that is asked for often is not.
#[derive(Default)]
pub(crate) struct ChangedTools(Mutex<HashSet<Sha256>>);

impl ChangedTools {
    /// Whether this definition of the tool was not met before for this actor; from now on it was.
    fn is_new(&self, actor: &ActorName, tool: &str, definition: Sha256) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= CHANGED_KNOWN {
            known.clear();
        }
        known.insert(Sha256::of(
            format!("{actor}\n{definition}\n{tool}").as_bytes(),
        ))
    }
}
