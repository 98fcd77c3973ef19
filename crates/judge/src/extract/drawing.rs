//! What all facts of one call are drawn from, and what is worked out once for all of them.

use std::cell::RefCell;
use std::collections::HashMap;

use countersign_core::document::{ArgumentRole, ToolResult};
use countersign_core::entry::ReviewAnswer;
use countersign_core::json::pointer::push_member;
use countersign_core::limits::JSON_DEPTH;
use countersign_core::refs::ResultRef;
use serde_json::Value;

use super::ExtractInputs;
use super::trail::grounds;
use crate::bundle::{RoleAt, Roles};
use crate::limits::{NAMING_VALUES, VALUES};
use crate::result::{Hit, RecordId};
use crate::value::{Key, plain_keys};

/// The extractor that looked for targets in words and anywhere in results, and knew no labels.
pub(crate) const FIRST: u32 = 1;

/// What all facts of one call are drawn from.
pub(super) struct Drawing<'a> {
    pub(super) inputs: ExtractInputs<'a>,
    extractor: u32,
    /// Whether the turn names a result.
    named: RefCell<HashMap<ResultRef, bool>>,
    /// Whether the turn names a record.
    named_records: RefCell<HashMap<(ResultRef, RecordId), bool>>,
}

impl<'a> Drawing<'a> {
    pub(super) fn new(inputs: ExtractInputs<'a>, extractor: u32) -> Self {
        Self {
            inputs,
            extractor,
            named: RefCell::default(),
            named_records: RefCell::default(),
        }
    }

    pub(super) fn extractor(&self) -> u32 {
        self.extractor
    }

    /// Whether fields, records, documents and all arguments are looked into.
    pub(super) fn traces_all(&self) -> bool {
        self.extractor > FIRST
    }

    /// Whether a person approved this very call, when it was asked about under this very bundle.
    pub(super) fn is_approved(&self) -> bool {
        let bundle = self.inputs.bundle.policy_ref();
        let review = self.inputs.review;
        review.is_some_and(|it| it.answer == ReviewAnswer::Approve && it.policy_ref == bundle)
    }

    /// Whether a value stands in words that ground it.
    pub(super) fn is_named(&self, keys: &[Key]) -> bool {
        self.inputs.chain.iter().enumerate().any(|(n, turn)| {
            turn.mentions.principal().holds(keys) && grounds(self, n, turn).is_some()
        })
    }

    /// Whether a field by which its record is known stands in the principal's words.
    pub(super) fn is_named_record(&self, hit: &Hit<'_>) -> bool {
        let Some(record) = hit.record else {
            return false;
        };
        let record = (hit.result.result_ref, record);
        if let Some(known) = self.named_records.borrow().get(&record) {
            return *known;
        }
        let is_named = self.is_named(hit.record_names());
        self.named_records.borrow_mut().insert(record, is_named);
        is_named
    }

    /// Whether what the result's call asked for, as an identity, stands in the principal's words.
    pub(super) fn is_named_result(&self, hit: &Hit<'_>) -> bool {
        if let Some(known) = self.named.borrow().get(&hit.result.result_ref) {
            return *known;
        }
        let is_named = self.asks_for_what_is_named(&hit.result.result);
        self.named
            .borrow_mut()
            .insert(hit.result.result_ref, is_named);
        is_named
    }

    /// One argument suffices, but of a list of documents each must be named: the agent chose them,
    /// and the result holds them all. What an agent reported itself, or a tool that failed, is no
    /// document.
    fn asks_for_what_is_named(&self, result: &ToolResult) -> bool {
        if result.by_agent || result.is_error {
            return false;
        }
        let (Some(args), Some(tool)) = (&result.args, self.inputs.bundle.tool(&result.tool)) else {
            return false;
        };
        let mut arguments = args.as_object().into_iter().flatten();
        arguments.any(|(name, value)| {
            let mut seen = Seen::default();
            let role = tool.roles().root().member(name);
            self.names_all(value, role, &mut seen) && seen.identities > 0
        })
    }

    /// Whether every identity in an argument stands in the principal's words. Of a large argument
    /// nobody asks.
    fn names_all(&self, value: &Value, role: RoleAt<'_>, seen: &mut Seen) -> bool {
        seen.values += 1;
        if seen.values > VALUES {
            return false;
        }
        let is_identity = |role: RoleAt<'_>| role.role() == Some(ArgumentRole::Identity);
        match value {
            Value::Null => true,
            Value::Array(items) => items.iter().all(|item| self.names_all(item, role, seen)),
            Value::Object(members) => members.iter().all(|(name, item)| {
                let role = role.member(name);
                (role.is_declared() || !is_identity(role)) && self.names_all(item, role, seen)
            }),
            value if is_identity(role) => {
                seen.identities += 1;
                seen.identities <= NAMING_VALUES && self.is_named(&plain_keys(value))
            }
            _ => true,
        }
    }
}

/// What was looked at of an argument.
#[derive(Default)]
struct Seen {
    values: usize,
    identities: usize,
}

/// A part of the arguments that holds no other.
#[derive(Clone, Copy)]
pub(super) enum Leaf<'v> {
    /// A value that is neither a list nor an object.
    Value(&'v Value),
    /// The name of a member that the schema does not declare: an agent may choose it.
    Name(&'v str),
}

/// Every leaf of the arguments with its JSON Pointer and role, in the order of the arguments. `false` if they are nested too deeply
/// to be looked through.
pub(super) fn leaves<'v>(
    args: &'v Value,
    roles: &Roles,
    take: &mut dyn FnMut(&str, Option<ArgumentRole>, Leaf<'v>),
) -> bool {
    walk(args, &mut String::new(), roles.root(), 0, take)
}

fn walk<'v>(
    value: &'v Value,
    at: &mut String,
    role: RoleAt<'_>,
    depth: usize,
    take: &mut dyn FnMut(&str, Option<ArgumentRole>, Leaf<'v>),
) -> bool {
    if depth > JSON_DEPTH {
        return false;
    }
    let before = at.len();
    let mut whole = true;
    match value {
        Value::Array(items) => {
            for (n, item) in items.iter().enumerate() {
                at.push('/');
                at.push_str(&n.to_string());
                whole &= walk(item, at, role, depth + 1, take);
                at.truncate(before);
            }
        }
        Value::Object(members) => {
            for (name, item) in members {
                push_member(at, name);
                let role = role.member(name);
                if !role.is_declared() {
                    take(at, role.role(), Leaf::Name(name));
                }
                whole &= walk(item, at, role, depth + 1, take);
                at.truncate(before);
            }
        }
        leaf => take(at, role.role(), Leaf::Value(leaf)),
    }
    whole
}
