//! What a scene, a case or a column can state: turn, results, directory, call, and what is expected.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use countersign_core::document::{
    Assurance, Author, EntityUid, PartBy, Source, TurnPart, Workspace,
};
use countersign_core::names::{ActorName, ChannelName, PrincipalName, ReasonId};
use countersign_core::time::Timestamp;
use countersign_core::verdict::Outcome;
use serde_json::{Map, Value};
use toml::de::{DeTable, DeValue};

use super::reader::{Placed, Reader};

/// What surrounds a call.
pub(super) const OF_A_SCENE: &[&str] = &[
    "turn",
    "earlier",
    "results",
    "directory",
    "counters",
    "history",
    "now",
    "actor",
    "workspace",
    "tool",
    "args",
    "args_json",
];
/// What a case expects.
pub(super) const OF_AN_EXPECTATION: &[&str] = &["expect", "reasons", "sources"];

/// What was stated; what was not is someone else's to state.
#[derive(Clone, Default)]
pub(super) struct Members {
    /// `Some(None)`: there is no turn.
    pub(super) turn: Option<Option<Said>>,
    /// Oldest first.
    pub(super) earlier: Option<Vec<Said>>,
    pub(super) results: Option<Vec<Returned>>,
    pub(super) directory: BTreeMap<EntityUid, Entity>,
    pub(super) counters: BTreeMap<String, Counted>,
    pub(super) approved_before: Option<Approved>,
    pub(super) rejected_before: Option<bool>,
    pub(super) now: Option<Timestamp>,
    pub(super) actor: Option<ActorName>,
    pub(super) workspace: Option<Workspace>,
    pub(super) tool: Option<String>,
    pub(super) args: Map<String, Value>,
    pub(super) outcome: Option<Outcome>,
    pub(super) reasons: Option<BTreeSet<ReasonId>>,
    pub(super) sources: BTreeMap<String, BTreeSet<Source>>,
}

/// A turn.
#[derive(Clone)]
pub(super) struct Said {
    pub(super) author: Author,
    pub(super) channel: Option<ChannelName>,
    pub(super) principal: Option<PrincipalName>,
    pub(super) assurance: Assurance,
    pub(super) parts: Vec<TurnPart>,
}

/// The result of an earlier call.
#[derive(Clone)]
pub(super) struct Returned {
    pub(super) tool: String,
    pub(super) args: Option<Value>,
    pub(super) result: Value,
    pub(super) by_agent: bool,
    pub(super) is_error: bool,
}

/// An entity of the directory, and where it is stated.
#[derive(Clone)]
pub(super) struct Entity {
    pub(super) attributes: BTreeMap<String, Value>,
    pub(super) line: u32,
}

/// What a counter came to before the call, and where that is stated.
#[derive(Clone)]
pub(super) struct Counted {
    /// For every target that `of` does not name, or for the call.
    pub(super) value: i64,
    /// By the target's value as the call holds it.
    pub(super) of: BTreeMap<String, i64>,
    pub(super) line: u32,
}

/// Of which targets a call of the action was approved before.
#[derive(Clone)]
pub(super) enum Approved {
    All(bool),
    /// By the target's value as the call holds it.
    These(BTreeSet<String>),
}

impl Members {
    /// Reads a member by its name. The name is one of [`OF_A_SCENE`] or [`OF_AN_EXPECTATION`].
    pub(super) fn read(&mut self, reader: &mut Reader<'_>, name: &str, value: &Placed<'_>) {
        match name {
            "turn" => self.turn = turn(reader, value),
            "earlier" => self.earlier = earlier(reader, value),
            "results" => self.results = results(reader, value),
            "directory" => self.directory = directory(reader, value).unwrap_or_default(),
            "counters" => self.counters = counters(reader, value).unwrap_or_default(),
            "history" => self.history(reader, value),
            "now" => self.now = reader.time("now", value),
            "workspace" => self.workspace = workspace(reader, value),
            "actor" => self.actor = reader.parsed("actor", value),
            "tool" => self.tool = reader.string("tool", value).map(str::to_owned),
            "args" => {
                if let Some(table) = reader.table("args", value) {
                    self.args
                        .extend(reader.object("args", table).unwrap_or_default());
                }
            }
            "args_json" => match reader.json_text("args_json", value) {
                Some(Value::Object(members)) => self.args.extend(members),
                Some(_) => reader.fault(value.span(), "`args_json` holds no JSON object"),
                None => {}
            },
            "expect" => {
                let allowed = ["approved", "rejected", "escalated"];
                self.outcome = reader.one_of("expect", value, &allowed);
            }
            "reasons" => self.reasons = reasons(reader, value),
            "sources" => self.sources = sources(reader, value).unwrap_or_default(),
            _ => {}
        }
    }

    fn history(&mut self, reader: &mut Reader<'_>, value: &Placed<'_>) {
        let Some(table) = reader.table("history", value) else {
            return;
        };
        for (name, value) in table {
            match name.get_ref().as_ref() {
                "approved_before" => self.approved_before = approved_before(reader, value),
                "rejected_before" => {
                    self.rejected_before = reader.boolean("rejected_before", value);
                }
                other => reader.unknown(
                    name.span(),
                    "`history`",
                    other,
                    &["approved_before", "rejected_before"],
                ),
            }
        }
    }

    /// These over others: of lists the whole, of the directory, the counters and the arguments
    /// each member.
    pub(super) fn over(mut self, base: &Self) -> Self {
        fn joined<K: Ord + Clone, V: Clone>(
            base: &BTreeMap<K, V>,
            own: BTreeMap<K, V>,
        ) -> BTreeMap<K, V> {
            let mut joined = base.clone();
            joined.extend(own);
            joined
        }
        let mut args = base.args.clone();
        args.extend(std::mem::take(&mut self.args));
        Self {
            turn: self.turn.or_else(|| base.turn.clone()),
            earlier: self.earlier.or_else(|| base.earlier.clone()),
            results: self.results.or_else(|| base.results.clone()),
            directory: joined(&base.directory, self.directory),
            counters: joined(&base.counters, self.counters),
            approved_before: self
                .approved_before
                .or_else(|| base.approved_before.clone()),
            rejected_before: self.rejected_before.or(base.rejected_before),
            now: self.now.or(base.now),
            actor: self.actor.or_else(|| base.actor.clone()),
            workspace: self.workspace.or_else(|| base.workspace.clone()),
            tool: self.tool.or_else(|| base.tool.clone()),
            args,
            outcome: self.outcome.or(base.outcome),
            reasons: self.reasons.or_else(|| base.reasons.clone()),
            sources: joined(&base.sources, self.sources),
        }
    }
}

/// Where the caller works; without a `cwd`, in the directory of the project.
fn workspace(reader: &mut Reader<'_>, value: &Placed<'_>) -> Option<Workspace> {
    let Value::Object(mut members) = reader.json("workspace", value)? else {
        reader.fault(value.span(), "`workspace` is no table");
        return None;
    };
    if let (false, Some(root)) = (members.contains_key("cwd"), members.get("root").cloned()) {
        members.insert("cwd".to_owned(), root);
    }
    match serde_json::from_value(Value::Object(members)) {
        Ok(workspace) => Some(workspace),
        Err(error) => {
            let hint = "it is `{ root, cwd, links }`, all absolute paths";
            reader.fault_hint(value.span(), format!("`workspace`: {error}"), hint);
            None
        }
    }
}

fn approved_before(reader: &mut Reader<'_>, value: &Placed<'_>) -> Option<Approved> {
    if let DeValue::Boolean(all) = value.get_ref() {
        return Some(Approved::All(*all));
    }
    let items = reader.array("approved_before", value)?.iter();
    let these = items.map(|item| Some(reader.string("approved_before", item)?.to_owned()));
    Some(Approved::These(these.collect::<Option<_>>()?))
}

/// `false` is no turn.
fn turn(reader: &mut Reader<'_>, value: &Placed<'_>) -> Option<Option<Said>> {
    match value.get_ref() {
        DeValue::Boolean(false) => Some(None),
        _ => said(reader, value).map(Some),
    }
}

fn earlier(reader: &mut Reader<'_>, value: &Placed<'_>) -> Option<Vec<Said>> {
    let items = reader.array("earlier", value)?.iter();
    items.map(|item| said(reader, item)).collect()
}

/// A string, a list of parts, or a table with `text` or `parts`.
fn said(reader: &mut Reader<'_>, value: &Placed<'_>) -> Option<Said> {
    let mut said = Said {
        author: Author::Human,
        channel: None,
        principal: None,
        assurance: Assurance::Separate,
        parts: Vec::new(),
    };
    let before = reader.findings.len();
    match value.get_ref() {
        DeValue::String(text) => said.parts.push(part(PartBy::Principal, text)),
        DeValue::Array(_) => said.parts = parts(reader, value)?,
        _ => {
            for (name, value) in reader.table("turn", value)? {
                turn_member(reader, &mut said, (name.get_ref(), name.span()), value);
            }
        }
    }
    if said.parts.is_empty() && reader.findings.len() == before {
        reader.fault_hint(
            value.span(),
            "the turn has no text",
            "a turn is a string, a list of parts, a table with `text` or `parts`, or `false`",
        );
    }
    (reader.findings.len() == before).then_some(said)
}

fn turn_member(
    reader: &mut Reader<'_>,
    said: &mut Said,
    (name, span): (&str, Range<usize>),
    value: &Placed<'_>,
) {
    match name {
        "text" => {
            let text = reader.string(name, value);
            said.parts
                .extend(text.map(|text| part(PartBy::Principal, text)));
        }
        "parts" => said.parts.extend(parts(reader, value).unwrap_or_default()),
        "author" => {
            let found = reader.one_of(name, value, &["human", "schedule", "system"]);
            said.author = found.unwrap_or(said.author);
        }
        "channel" => said.channel = reader.parsed(name, value),
        "principal" => said.principal = reader.parsed(name, value),
        "assurance" => {
            let found = reader.one_of(name, value, &["same-uid", "separate", "signed"]);
            said.assurance = found.unwrap_or(said.assurance);
        }
        other => {
            let allowed = [
                "text",
                "parts",
                "author",
                "channel",
                "principal",
                "assurance",
            ];
            reader.unknown(span, "a turn", other, &allowed);
        }
    }
}

fn parts(reader: &mut Reader<'_>, value: &Placed<'_>) -> Option<Vec<TurnPart>> {
    let items = reader.array("parts", value)?.iter();
    items.map(|item| one_part(reader, item)).collect()
}

fn one_part(reader: &mut Reader<'_>, value: &Placed<'_>) -> Option<TurnPart> {
    if let DeValue::String(text) = value.get_ref() {
        return Some(part(PartBy::Principal, text));
    }
    let mut out = part(PartBy::Principal, "");
    for (name, value) in reader.table("a part of the turn", value)? {
        match name.get_ref().as_ref() {
            "by" => {
                let allowed = ["principal", "correspondent", "system", "agent"];
                out.by = reader.one_of("by", value, &allowed)?;
            }
            "text" => reader.string("text", value)?.clone_into(&mut out.text),
            "media_type" => reader
                .string("media_type", value)?
                .clone_into(&mut out.media_type),
            other => reader.unknown(
                name.span(),
                "a part of a turn",
                other,
                &["by", "text", "media_type"],
            ),
        }
    }
    Some(out)
}

fn part(by: PartBy, text: &str) -> TurnPart {
    TurnPart {
        by,
        media_type: "text/plain".to_owned(),
        text: text.to_owned(),
        raw_sha256: None,
    }
}

fn results(reader: &mut Reader<'_>, value: &Placed<'_>) -> Option<Vec<Returned>> {
    let items = reader.array("results", value)?.iter();
    items.map(|item| returned(reader, item)).collect()
}

fn returned(reader: &mut Reader<'_>, value: &Placed<'_>) -> Option<Returned> {
    let (mut tool, mut result, mut args) = (None, None, None);
    let (mut by_agent, mut is_error) = (false, false);
    for (name, value) in reader.table("a result", value)? {
        match name.get_ref().as_ref() {
            "tool" => tool = Some(reader.string("tool", value)?.to_owned()),
            "args" => args = Some(reader.json("args", value)?),
            "result" => result = Some(reader.json("result", value)?),
            "json" => result = Some(reader.json_text("json", value)?),
            "by_agent" => by_agent = reader.boolean("by_agent", value)?,
            "is_error" => is_error = reader.boolean("is_error", value)?,
            other => reader.unknown(
                name.span(),
                "a result",
                other,
                &["tool", "args", "result", "json", "by_agent", "is_error"],
            ),
        }
    }
    let (Some(tool), Some(result)) = (tool, result) else {
        reader.fault_hint(
            value.span(),
            "a result needs `tool`, and `result` or `json`",
            "`result` is a value or a text as the tool returned it, `json` a text block of JSON",
        );
        return None;
    };
    Some(Returned {
        tool,
        args,
        result,
        by_agent,
        is_error,
    })
}

/// By entity type and id.
fn directory(reader: &mut Reader<'_>, value: &Placed<'_>) -> Option<BTreeMap<EntityUid, Entity>> {
    let mut out = BTreeMap::new();
    for (kind, entities) in reader.table("directory", value)? {
        let what = format!("directory.{}", kind.get_ref());
        let Some(entities) = reader.table(&what, entities) else {
            continue;
        };
        for (id, attributes) in entities {
            let uid = EntityUid {
                kind: kind.get_ref().to_string(),
                id: id.get_ref().to_string(),
            };
            let line = reader.line(&id.span());
            if let Some(attributes) = attributes_of(reader, &what, attributes) {
                out.insert(uid, Entity { attributes, line });
            }
        }
    }
    Some(out)
}

fn attributes_of(
    reader: &mut Reader<'_>,
    what: &str,
    value: &Placed<'_>,
) -> Option<BTreeMap<String, Value>> {
    let table: &DeTable<'_> = reader.table(what, value)?;
    Some(reader.object(what, table)?.into_iter().collect())
}

/// By name: a number, or a number by target.
fn counters(reader: &mut Reader<'_>, value: &Placed<'_>) -> Option<BTreeMap<String, Counted>> {
    let mut out = BTreeMap::new();
    for (name, value) in reader.table("counters", value)? {
        let mut counted = Counted {
            value: 0,
            of: BTreeMap::new(),
            line: reader.line(&name.span()),
        };
        if let DeValue::Table(targets) = value.get_ref() {
            for (target, value) in targets {
                let number = reader.integer(name.get_ref(), value)?;
                counted.of.insert(target.get_ref().to_string(), number);
            }
        } else {
            counted.value = reader.integer(name.get_ref(), value)?;
        }
        out.insert(name.get_ref().to_string(), counted);
    }
    Some(out)
}

fn reasons(reader: &mut Reader<'_>, value: &Placed<'_>) -> Option<BTreeSet<ReasonId>> {
    if let DeValue::String(_) = value.get_ref() {
        return Some(BTreeSet::from([reader.parsed("reasons", value)?]));
    }
    let items = reader.array("reasons", value)?.iter();
    items.map(|item| reader.parsed("reasons", item)).collect()
}

/// By the JSON Pointer of the argument.
fn sources(
    reader: &mut Reader<'_>,
    value: &Placed<'_>,
) -> Option<BTreeMap<String, BTreeSet<Source>>> {
    let allowed = Source::BY_AUTHORITY.map(Source::name);
    let mut out = BTreeMap::new();
    for (at, value) in reader.table("sources", value)? {
        let items = reader.array("sources", value)?.iter();
        let found = items.map(|item| reader.one_of("source", item, &allowed));
        out.insert(at.get_ref().to_string(), found.collect::<Option<_>>()?);
    }
    Some(out)
}
