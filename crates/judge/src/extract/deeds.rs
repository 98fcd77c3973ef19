//! What a call does, and what each of it acts on.

use countersign_core::document::Effect;
use countersign_core::limits::TARGETS;
use countersign_core::names::{ActionName, BuiltinReason};
use serde_json::Value;

use super::drawing::Drawing;
use super::{Deed, DirectoryError, Drawn, Obstacle, targets};
use crate::bundle::{FoundTarget, Targets, Tool, ToolEffect};

/// What a call does, with what each of it acts on.
pub(super) fn draw(drawing: &Drawing<'_>, tool: &Tool) -> Result<Drawn, DirectoryError> {
    let args = &drawing.inputs.call.args;
    let effects = of(tool, args, drawing.traces_all());
    let mut drawn = Drawn {
        actions: effects.iter().map(|deed| deed.action.clone()).collect(),
        deeds: Ok(Vec::new()),
        unreadable: None,
    };
    let found = match found(&effects, args) {
        Ok(found) => found,
        Err(obstacle) => {
            drawn.deeds = Err(obstacle);
            return Ok(drawn);
        }
    };
    let mut deeds = Vec::with_capacity(effects.len());
    for (effect, found) in effects.iter().zip(&found) {
        let mut read = Vec::with_capacity(found.len());
        for target in found {
            match targets::read(drawing, target) {
                Some(target) => read.push(targets::draw(drawing, target)?),
                None => drawn.unreadable = drawn.unreadable.or(Some(target.at.clone())),
            }
        }
        deeds.push(Deed {
            action: effect.action.clone(),
            effect: effect.effect.name(),
            targets: read,
        });
    }
    drawn.deeds = Ok(deeds);
    Ok(drawn)
}

/// One thing that the call does, as the manifest declares it.
struct Declared<'a> {
    action: &'a ActionName,
    effect: Effect,
    tool: &'a Tool,
    beside: Option<&'a ToolEffect>,
}

/// What a call with these arguments does: the tool's action first, then the effects beside it.
fn of<'a>(tool: &'a Tool, args: &Value, several: bool) -> Vec<Declared<'a>> {
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

/// The targets of each, at most [`TARGETS`] in all.
fn found<'a>(
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
