//! Whether any call of a tool could be permitted to an actor: what a list of tools may leave out.
//!
//! The answer errs on the side of showing. A policy is taken to hold where its scope can meet the
//! actor and the tool, unless its conditions are false for every call: what is known of a call
//! beforehand is who makes it, of which tool, and with which effect. So a tool that is left out is
//! one whose every call would be rejected; one that is shown may be so, too.

use cedar_policy::{Effect, EntityUid, Policy, PrincipalConstraint, ResourceConstraint};
use countersign_core::names::ActorName;
use serde_json::Value;

use super::actions::group_of;
use super::reads;
use super::schema::{ACTOR, CALL};
use super::slice::applies;
use super::tool::Part;
use super::{CompiledBundle, policies::ReadPolicy};

/// The action of a tool that no manifest names.
const UNKNOWN: &str = "countersign.unknown";

impl CompiledBundle {
    /// Whether some call of each of these tools could be approved for this actor, or put to a
    /// person. `false` is certain, `true` is not.
    pub fn could_permit(&self, actor: &ActorName, tools: &[&str]) -> Vec<bool> {
        self.evaluating(|| self.could_permit_each(actor, tools))
    }

    fn could_permit_each(&self, actor: &ActorName, tools: &[&str]) -> Vec<bool> {
        let rules: Vec<Rule<'_>> = self
            .policies
            .values()
            // What a person may lift forbids nothing for certain.
            .filter(|read| !read.escalates)
            .filter(|read| reaches(&read.policy.principal_constraint(), actor))
            .map(Rule::of)
            .collect();
        let asked = Asked {
            bundle: self,
            actor,
            rules,
        };
        tools.iter().map(|tool| asked.tool(tool)).collect()
    }
}

/// A policy whose scope reaches the actor.
struct Rule<'a> {
    policy: &'a Policy,
    /// Its conditions, in the JSON form of a Cedar policy.
    json: Option<Value>,
}

struct Asked<'a> {
    bundle: &'a CompiledBundle,
    actor: &'a ActorName,
    rules: Vec<Rule<'a>>,
}

/// What is known of every call that is asked about.
struct Known<'a> {
    actor: &'a str,
    action: &'a str,
    group: Option<&'static str>,
    resource: &'a str,
    tool: &'a str,
    effect: &'a str,
}

impl Asked<'_> {
    fn tool(&self, name: &str) -> bool {
        match self.bundle.tool(name) {
            // What such a call does stands in its command line, and may be any of it.
            Some(tool) if tool.commands().is_some() => {
                tool.parts().any(|part| self.at_all(name, &part))
            }
            Some(tool) => tool.certain_parts().all(|part| self.part(name, &part)),
            None if self.bundle.judges_unknown(name) => self.allows(&Known {
                actor: self.actor.as_str(),
                action: UNKNOWN,
                group: None,
                resource: CALL,
                tool: name,
                effect: "unknown",
            }),
            None => false,
        }
    }

    /// Whether one thing that every call of the tool does could be permitted: to each target that
    /// it cannot do without, or else to nothing, or to any of those that it may have.
    fn part(&self, name: &str, part: &Part<'_>) -> bool {
        let mut needed = part.targets.iter().filter(|t| !t.optional).peekable();
        match needed.peek() {
            Some(_) => needed.all(|target| self.on(name, part, &target.entity)),
            None => self.at_all(name, part),
        }
    }

    /// Whether one thing that a call may do could be permitted, to nothing or to any target.
    fn at_all(&self, name: &str, part: &Part<'_>) -> bool {
        let mut targets = part.targets.iter();
        self.on(name, part, CALL) || targets.any(|target| self.on(name, part, &target.entity))
    }

    fn on(&self, name: &str, part: &Part<'_>, resource: &str) -> bool {
        self.allows(&Known {
            actor: self.actor.as_str(),
            action: part.action.as_str(),
            group: Some(group_of(part.effect)),
            resource,
            tool: name,
            effect: part.effect.name(),
        })
    }

    /// Whether a permit may hold and no forbid does for certain.
    fn allows(&self, known: &Known<'_>) -> bool {
        let applying = || {
            self.rules
                .iter()
                .filter(|rule| applies(rule.policy, known.action, known.group, known.resource))
        };
        let permits = |rule: &Rule<'_>| {
            rule.policy.effect() == Effect::Permit && rule.holds(known) != Some(false)
        };
        let forbids = |rule: &Rule<'_>| {
            rule.policy.effect() == Effect::Forbid
                && is_any_of_its_type(&rule.policy.resource_constraint())
                && rule.holds(known) == Some(true)
        };
        applying().any(permits) && !applying().any(forbids)
    }
}

impl<'a> Rule<'a> {
    fn of(read: &'a ReadPolicy) -> Self {
        Self {
            policy: &read.policy,
            json: read.policy.to_json().ok(),
        }
    }

    /// Whether the conditions hold, if that is certain of every such call.
    fn holds(&self, known: &Known<'_>) -> Option<bool> {
        let conditions = self.json.as_ref()?.get("conditions")?.as_array()?;
        let mut all = Some(true);
        for condition in conditions {
            let body = condition.get("body")?;
            let value = known.truth(body);
            let holds = match condition.get("kind")?.as_str()? {
                "when" => value,
                _ => value.map(|value| !value),
            };
            match holds {
                Some(false) => return Some(false),
                Some(true) => {}
                None => all = None,
            }
        }
        all
    }
}

/// What an expression comes to for every such call.
#[derive(PartialEq)]
enum Constant<'a> {
    Bool(bool),
    Text(&'a str),
    Entity { kind: &'a str, id: &'a str },
}

impl<'a> Known<'a> {
    fn truth(&self, expression: &'a Value) -> Option<bool> {
        match self.constant(expression)? {
            Constant::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// The value of an expression, if it has the same for every such call. One that cannot be
    /// evaluated counts as any: then the call is rejected, and so nothing is shown too little.
    fn constant(&self, expression: &'a Value) -> Option<Constant<'a>> {
        if let Some(place) = reads::path(expression) {
            let place: Vec<&str> = place.iter().map(String::as_str).collect();
            return match place.as_slice() {
                ["tool"] => Some(Constant::Text(self.tool)),
                ["effect"] => Some(Constant::Text(self.effect)),
                _ => None,
            };
        }
        let (name, inner) = expression.as_object()?.iter().next()?;
        let side = |name: &str| inner.get(name);
        match name.as_str() {
            "Value" => literal(inner),
            "Var" => match inner.as_str()? {
                "principal" => Some(Constant::Entity {
                    kind: ACTOR,
                    id: self.actor,
                }),
                "action" => Some(Constant::Entity {
                    kind: "Action",
                    id: self.action,
                }),
                _ => None,
            },
            "!" => Some(Constant::Bool(!self.truth(side("arg")?)?)),
            "&&" => self.joined(side("left")?, side("right")?, false),
            "||" => self.joined(side("left")?, side("right")?, true),
            "==" => self.equal(side("left")?, side("right")?),
            "!=" => match self.equal(side("left")?, side("right")?)? {
                Constant::Bool(equal) => Some(Constant::Bool(!equal)),
                other => Some(other),
            },
            "in" => self.within(side("left")?, side("right")?),
            "is" => self.is(side("left")?, side("entity_type")?.as_str()?),
            "if-then-else" => match self.truth(side("if")?)? {
                true => self.constant(side("then")?),
                false => self.constant(side("else")?),
            },
            _ => None,
        }
    }

    /// `&&` is settled by `false` on either side, `||` by `true`.
    fn joined(&self, left: &'a Value, right: &'a Value, settled: bool) -> Option<Constant<'a>> {
        match (self.truth(left), self.truth(right)) {
            (Some(side), _) if side == settled => Some(Constant::Bool(settled)),
            (_, Some(side)) if side == settled => Some(Constant::Bool(settled)),
            (Some(_), Some(_)) => Some(Constant::Bool(!settled)),
            _ => None,
        }
    }

    fn equal(&self, left: &'a Value, right: &'a Value) -> Option<Constant<'a>> {
        let (left, right) = (self.constant(left)?, self.constant(right)?);
        Some(Constant::Bool(left == right))
    }

    /// Whether an actor is another, or an action is another or in its group.
    fn within(&self, left: &'a Value, right: &'a Value) -> Option<Constant<'a>> {
        let left = self.constant(left)?;
        let is_in = |right: &'a Value| -> Option<bool> {
            let right = self.constant(right)?;
            let is_group = matches!(
                (&left, &right),
                (Constant::Entity { kind: "Action", .. }, Constant::Entity { kind: "Action", id })
                    if self.group == Some(*id)
            );
            Some(left == right || is_group)
        };
        let held: Option<Vec<bool>> = match right.get("Set").and_then(Value::as_array) {
            Some(items) => items.iter().map(is_in).collect(),
            None => Some(vec![is_in(right)?]),
        };
        Some(Constant::Bool(held?.contains(&true)))
    }

    fn is(&self, left: &'a Value, kind: &str) -> Option<Constant<'a>> {
        let found = match left.get("Var").and_then(Value::as_str)? {
            "principal" => ACTOR,
            "resource" => self.resource,
            _ => return None,
        };
        Some(Constant::Bool(found == kind))
    }
}

fn literal(value: &Value) -> Option<Constant<'_>> {
    match value {
        Value::Bool(value) => Some(Constant::Bool(*value)),
        Value::String(text) => Some(Constant::Text(text)),
        Value::Object(_) => {
            let entity = value.get("__entity")?;
            Some(Constant::Entity {
                kind: entity.get("type")?.as_str()?,
                id: entity.get("id")?.as_str()?,
            })
        }
        _ => None,
    }
}

/// Whether a policy's scope reaches the actor; an actor has no parents.
fn reaches(scope: &PrincipalConstraint, actor: &ActorName) -> bool {
    let is = |uid: &EntityUid| {
        let id: &str = uid.id().unescaped();
        uid.type_name().to_string() == ACTOR && id == actor.as_str()
    };
    match scope {
        PrincipalConstraint::Any => true,
        PrincipalConstraint::Eq(uid) | PrincipalConstraint::In(uid) => is(uid),
        PrincipalConstraint::Is(kind) => kind.to_string() == ACTOR,
        PrincipalConstraint::IsIn(kind, uid) => kind.to_string() == ACTOR && is(uid),
    }
}

fn is_any_of_its_type(scope: &ResourceConstraint) -> bool {
    matches!(scope, ResourceConstraint::Any | ResourceConstraint::Is(_))
}

#[cfg(test)]
mod tests {
    use countersign_core::document::{Bundle, BundleContent};
    use serde_json::json;

    use super::*;

    /// What is shown to `agent:a`.
    fn shown(policies: &str, unknown_tools: &str) -> Vec<&'static str> {
        let tool = |name: &str, effect: &str, targets: Value| {
            json!({
                "tool": name,
                "action": format!("{name}.do"),
                "effect": effect,
                "arguments": {
                    "type": "object",
                    "properties": {"to": {"type": "string"}, "cc": {"type": "string"}},
                },
                "targets": targets,
                "roles": {"/to": "identity", "/cc": "identity"},
            })
        };
        let at = |at: &str, entity: &str, optional: bool| json!({"at": at, "type": "id", "entity": entity, "optional": optional});
        let content: BundleContent = serde_json::from_value(json!({
            "name": "shown",
            "description": "",
            "policies": [{"name": "policies/p.cedar", "text": policies}],
            "schema": "",
            "tools": [
                tool("look", "read", json!([])),
                tool("send", "irreversible", json!([at("/to", "To", false)])),
                tool("copy", "write", json!([at("/to", "To", false), at("/cc", "Copy", false)])),
                tool("mark", "write", json!([at("/to", "To", true)])),
            ],
            "counters": [],
            "acknowledged": [],
            "settings": {"unknown_tools": unknown_tools},
        }))
        .unwrap();
        let bundle = CompiledBundle::stored(Bundle {
            tenant: "acme".parse().unwrap(),
            content,
        })
        .unwrap();
        let tools = ["look", "send", "copy", "mark", "other", "LOOK"];
        let could = bundle.could_permit(&"agent:a".parse().unwrap(), &tools);
        let shown = tools.into_iter().zip(could);
        shown
            .filter_map(|(tool, could)| could.then_some(tool))
            .collect()
    }

    #[test]
    fn what_no_rule_permits_is_left_out() {
        for (policies, expected) in [
            ("", &[][..]),
            (
                r#"@id("p") permit (principal, action, resource);"#,
                &["look", "send", "copy", "mark"],
            ),
            (
                r#"@id("p") permit (principal, action in Action::"reads", resource) when { context.intent.live };"#,
                &["look"],
            ),
            (
                r#"@id("p") permit (principal == Actor::"agent:b", action, resource);"#,
                &[],
            ),
            (
                r#"@id("p") permit (principal, action, resource) when { principal == Actor::"agent:b" };"#,
                &[],
            ),
            (
                r#"@id("p") permit (principal, action, resource) when { principal == Actor::"agent:a" && context.intent.live };"#,
                &["look", "send", "copy", "mark"],
            ),
            (
                r#"@id("p") permit (principal, action, resource) when { context.tool == "look" || context.tool == "mark" };"#,
                &["look", "mark"],
            ),
            (
                r#"@id("p") permit (principal, action, resource) unless { context.effect != "read" };"#,
                &["look"],
            ),
            // One of its targets can never be permitted.
            (
                r#"@id("p") permit (principal, action, resource is To);"#,
                &["send", "mark"],
            ),
            (
                r#"@id("p") permit (principal, action, resource is Copy);"#,
                &[],
            ),
            (
                r#"@id("p") permit (principal, action, resource is Call);"#,
                &["look", "mark"],
            ),
            (
                r#"@id("p") permit (principal, action, resource) when { resource is Call };"#,
                &["look", "mark"],
            ),
        ] {
            assert_eq!(shown(policies, "reject"), expected, "{policies}");
        }
    }

    #[test]
    fn only_what_is_forbidden_for_certain_is_left_out() {
        let all = r#"@id("p") permit (principal, action, resource);"#;
        for (forbid, expected) in [
            (r#"@id("f") forbid (principal, action, resource);"#, &[][..]),
            (
                r#"@id("f") @escalate forbid (principal, action, resource);"#,
                &["look", "send", "copy", "mark"],
            ),
            (
                r#"@id("f") forbid (principal, action in Action::"irreversible", resource);"#,
                &["look", "copy", "mark"],
            ),
            (
                r#"@id("f") forbid (principal, action, resource) unless { action in [Action::"reads"] };"#,
                &["look"],
            ),
            (
                r#"@id("f") forbid (principal, action, resource) unless { context.intent.live };"#,
                &["look", "send", "copy", "mark"],
            ),
            (
                r#"@id("f") forbid (principal, action, resource) unless { principal in Actor::"agent:b" };"#,
                &[],
            ),
            (
                r#"@id("f") forbid (principal == Actor::"agent:b", action, resource);"#,
                &["look", "send", "copy", "mark"],
            ),
            (
                r#"@id("f") forbid (principal is Actor, action == Action::"send.do", resource);"#,
                &["look", "copy", "mark"],
            ),
            (
                r#"@id("f") forbid (principal, action, resource == To::"x");"#,
                &["look", "send", "copy", "mark"],
            ),
            (
                r#"@id("f") forbid (principal, action, resource is To);"#,
                &["look", "mark"],
            ),
            (
                r#"@id("f") forbid (principal, action, resource) when { if context.tool == "send" then true else context.intent.live };"#,
                &["look", "copy", "mark"],
            ),
        ] {
            assert_eq!(
                shown(&format!("{all}\n{forbid}"), "reject"),
                expected,
                "{forbid}"
            );
        }
    }

    #[test]
    fn unknown_tools_are_shown_where_they_are_judged_and_hide_nothing() {
        let all = r#"@id("p") permit (principal, action, resource);"#;
        assert_eq!(
            shown(all, "judge"),
            ["look", "send", "copy", "mark", "other"]
        );
        let known = r#"@id("p") permit (principal, action in [Action::"reads", Action::"writes"], resource);"#;
        assert_eq!(shown(known, "judge"), ["look", "copy", "mark"]);
        let none =
            r#"@id("p") permit (principal, action, resource) when { context.tool == "other" };"#;
        assert_eq!(shown(none, "judge"), ["other"]);
    }
}
