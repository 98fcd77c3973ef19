//! A request as people read it.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::{Authorizer, Decision, Entities, PolicySet, Request};
use cedar_policy_symcc::Env;
use countersign_core::verdict::Outcome;
use countersign_judge::CompiledBundle;
use serde::Serialize;
use serde_json::Value;

/// A request that shows an answer: a call with what the policies look at.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Example {
    /// Who calls.
    pub actor: String,
    /// What is done.
    pub action: String,
    /// The type of the target.
    pub target_type: String,
    /// The target, or the call itself.
    pub target: String,
    /// What the policies read of the target's own attributes in the directory.
    pub attributes: Value,
    /// What the policies read of the context, by its path (`context.target.sources`).
    pub context: BTreeMap<String, Value>,
    /// How each bundle that was asked about decides it, evaluated and not taken from the solver.
    pub outcomes: Vec<&'static str>,
}

impl Example {
    pub(crate) fn of(env: &Env, bundles: &[&CompiledBundle]) -> Self {
        let Env { request, entities } = env;
        let id = |uid: Option<&cedar_policy::EntityUid>| -> String {
            uid.map_or_else(String::new, |uid| {
                let id: &str = uid.id().unescaped();
                id.to_owned()
            })
        };
        let mut paths = BTreeSet::new();
        for bundle in bundles {
            for policy in bundle.policy_set(true).policies() {
                if let Ok(json) = policy.to_json() {
                    collect(&json, &mut paths);
                }
            }
        }
        let whole = request
            .context()
            .and_then(|context| context.to_json_value().ok())
            .unwrap_or_default();
        let context = paths
            .into_iter()
            .filter_map(|path| {
                let found = path
                    .split('.')
                    .skip(1)
                    .try_fold(&whole, |value, name| value.get(name))?;
                Some((path, found.clone()))
            })
            .collect();
        Self {
            actor: id(request.principal()),
            action: id(request.action()),
            target_type: request
                .resource()
                .map_or_else(String::new, |uid| uid.type_name().to_string()),
            target: id(request.resource()),
            attributes: attributes(request, entities),
            context,
            outcomes: bundles
                .iter()
                .map(|bundle| outcome(bundle, request, entities).name())
                .collect(),
        }
    }
}

/// As the judge combines them: first without the forbids that escalate.
fn outcome(bundle: &CompiledBundle, request: &Request, entities: &Entities) -> Outcome {
    let allows = |set: &PolicySet| {
        let response = Authorizer::new().is_authorized(request, set, entities);
        response.decision() == Decision::Allow && response.diagnostics().errors().next().is_none()
    };
    if !allows(&bundle.policy_set(false)) {
        Outcome::Rejected
    } else if !allows(&bundle.policy_set(true)) {
        Outcome::Escalated
    } else {
        Outcome::Approved
    }
}

fn attributes(request: &Request, entities: &Entities) -> Value {
    let entity = request.resource().and_then(|uid| entities.get(uid));
    entity
        .and_then(|entity| entity.to_json_value().ok())
        .and_then(|mut json| json.get_mut("attrs").map(Value::take))
        .unwrap_or_default()
}

/// The longest paths below `context` that an expression names.
fn collect(expression: &Value, paths: &mut BTreeSet<String>) {
    if let Some(path) = path(expression) {
        paths.insert(path);
        return;
    }
    match expression {
        Value::Array(items) => items.iter().for_each(|item| collect(item, paths)),
        Value::Object(members) => members.values().for_each(|item| collect(item, paths)),
        _ => {}
    }
}

fn path(expression: &Value) -> Option<String> {
    if expression.get("Var").and_then(Value::as_str) == Some("context") {
        return Some("context".to_owned());
    }
    let access = expression.get(".").or_else(|| expression.get("has"))?;
    let attribute = access.get("attr")?.as_str()?;
    Some(format!("{}.{attribute}", path(access.get("left")?)?))
}
