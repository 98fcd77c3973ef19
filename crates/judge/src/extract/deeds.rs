//! What a call does, and what each of it acts on.

use countersign_core::document::Effect;
use countersign_core::limits::TARGETS;
use countersign_core::names::{ActionName, BuiltinReason};
use serde_json::Value;

use crate::bundle::{FoundTarget, Targets, Tool, ToolEffect};

/// One thing that the call does, as the manifest declares it.
pub(super) struct Declared<'a> {
    pub(super) action: &'a ActionName,
    pub(super) effect: Effect,
    tool: &'a Tool,
    beside: Option<&'a ToolEffect>,
}

/// What a call with these arguments does: the tool's action first, then the effects beside it.
pub(super) fn of<'a>(tool: &'a Tool, args: &Value, several: bool) -> Vec<Declared<'a>> {
    let first = Declared {
        action: tool.action(),
        effect: tool.manifest().effect,
        tool,
        beside: None,
    };
    let beside = tool
        .effects()
        .iter()
        .filter(|effect| several && effect.applies(args))
        .map(|effect| Declared {
            action: &effect.declaration.action,
            effect: effect.declaration.effect,
            tool,
            beside: Some(effect),
        });
    std::iter::once(first).chain(beside).collect()
}

/// Why there are no targets to judge, and where.
pub(super) type Obstacle = (BuiltinReason, Option<String>);

/// The targets of each, at most [`TARGETS`] in all.
pub(super) fn targets<'a>(
    deeds: &[Declared<'a>],
    args: &'a Value,
) -> Result<Vec<Vec<FoundTarget<'a>>>, Obstacle> {
    let mut all = Vec::with_capacity(deeds.len());
    let mut count = 0;
    for deed in deeds {
        let targets = match deed.beside {
            Some(effect) => effect.targets(args),
            None => deed.tool.targets(args),
        };
        match targets {
            Targets::Found(found) => {
                count += found.len();
                all.push(found);
            }
            Targets::Missing(declaration) => {
                return Err((BuiltinReason::NoTarget, Some(declaration.at.clone())));
            }
            Targets::TooMany => return Err((BuiltinReason::TooManyTargets, None)),
        }
    }
    if count > TARGETS {
        return Err((BuiltinReason::TooManyTargets, None));
    }
    Ok(all)
}
