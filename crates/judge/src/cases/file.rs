//! A file of cases: `[defaults]`, `[[scene]]`, `[[case]]` and `[[table]]`.

use std::collections::BTreeMap;
use std::ops::Range;

use countersign_core::json::pointer::name_of;
use serde_json::{Map, Value};
use toml::de::{DeTable, DeValue};

use super::members::{Members, OF_A_SCENE, OF_AN_EXPECTATION};
use super::reader::{Placed, Reader};
use crate::finding::Finding;
use crate::limits::{CASES, FILE_BYTES};

/// A case as it is written, with all that it takes over.
pub(super) struct Written {
    pub(super) file: String,
    pub(super) line: u32,
    pub(super) name: String,
    pub(super) members: Members,
}

/// Reads one file.
pub(super) fn read(file: &str, text: &str, findings: &mut Vec<Finding>) -> Vec<Written> {
    let mut reader = Reader {
        file,
        text,
        findings: Vec::new(),
    };
    let cases = match DeTable::parse(text) {
        _ if text.len() > FILE_BYTES => {
            let message = format!("{} bytes are more than {FILE_BYTES}", text.len());
            reader.findings.push(Finding::error(file, message));
            Vec::new()
        }
        Ok(document) => of_document(&mut reader, document.get_ref()),
        Err(error) => {
            let finding = Finding::error(file, error.message());
            reader.findings.push(match error.span() {
                Some(span) => finding.at(text, span.start),
                None => finding,
            });
            Vec::new()
        }
    };
    findings.append(&mut reader.findings);
    cases
}

fn of_document(reader: &mut Reader<'_>, document: &DeTable<'_>) -> Vec<Written> {
    let mut defaults = Members::default();
    let mut scenes = BTreeMap::new();
    for (name, value) in document {
        match name.get_ref().as_ref() {
            "defaults" => {
                if let Some(table) = reader.table("defaults", value) {
                    defaults = scene_members(reader, "`defaults`", table, &[]);
                }
            }
            "scene" | "case" | "table" => {}
            other => reader.unknown(
                name.span(),
                "a file of cases",
                other,
                &["defaults", "scene", "case", "table"],
            ),
        }
    }
    for value in items(reader, document, "scene") {
        scene(reader, value, &defaults, &mut scenes);
    }
    let mut out = Vec::new();
    for value in items(reader, document, "case") {
        case(reader, value, &defaults, &scenes, &mut out);
    }
    for value in items(reader, document, "table") {
        table(reader, value, &defaults, &scenes, &mut out);
    }
    out.sort_by_key(|case| case.line);
    if out.len() > CASES {
        let message = format!("{} cases are more than {CASES}", out.len());
        reader.findings.push(Finding::error(reader.file, message));
    }
    out
}

fn items<'v, 't>(
    reader: &mut Reader<'_>,
    document: &'v DeTable<'t>,
    name: &str,
) -> Vec<&'v Placed<'t>> {
    let Some(value) = document.get(name) else {
        return Vec::new();
    };
    match reader.array(name, value) {
        Some(items) => items.iter().collect(),
        None => {
            if let Some(finding) = reader.findings.pop() {
                let hint = format!("write `[[{name}]]`, with two brackets");
                reader.findings.push(finding.hint(hint));
            }
            Vec::new()
        }
    }
}

/// All members that a scene can have; `beside` are the reader's of this table.
fn scene_members(
    reader: &mut Reader<'_>,
    what: &str,
    table: &DeTable<'_>,
    beside: &[&str],
) -> Members {
    let mut members = Members::default();
    for (name, value) in table {
        let name_text = name.get_ref().as_ref();
        if OF_A_SCENE.contains(&name_text) {
            members.read(reader, name_text, value);
        } else if !beside.contains(&name_text) {
            let allowed: Vec<&str> = beside.iter().chain(OF_A_SCENE).copied().collect();
            reader.unknown(name.span(), what, name_text, &allowed);
        }
    }
    members
}

fn scene(
    reader: &mut Reader<'_>,
    value: &Placed<'_>,
    defaults: &Members,
    scenes: &mut BTreeMap<String, Members>,
) {
    let Some(table) = reader.table("scene", value) else {
        return;
    };
    let members = scene_members(reader, "a scene", table, &["name"]).over(defaults);
    let Some(name) = name(reader, table, value.span(), "scene") else {
        return;
    };
    if scenes.insert(name.clone(), members).is_some() {
        reader.fault(value.span(), format!("two scenes have the name `{name}`"));
    }
}

fn name(
    reader: &mut Reader<'_>,
    table: &DeTable<'_>,
    span: Range<usize>,
    what: &str,
) -> Option<String> {
    let Some(value) = table.get("name") else {
        reader.fault(span, format!("the {what} has no `name`"));
        return None;
    };
    Some(reader.string("name", value)?.to_owned())
}

/// What a case or a table begins with: its scene, or the defaults.
fn base(
    reader: &mut Reader<'_>,
    table: &DeTable<'_>,
    defaults: &Members,
    scenes: &BTreeMap<String, Members>,
) -> Option<Members> {
    let Some(value) = table.get("scene") else {
        return Some(defaults.clone());
    };
    let name = reader.string("scene", value)?;
    let found = scenes.get(name);
    if found.is_none() {
        let names: Vec<&str> = scenes.keys().map(String::as_str).collect();
        let message = format!("there is no scene `{name}` in this file");
        let hint = match names.as_slice() {
            [] => "a scene is written as `[[scene]]` with a `name`".to_owned(),
            names => format!("there are {}", names.join(", ")),
        };
        reader.fault_hint(value.span(), message, hint);
    }
    found.cloned()
}

/// The members of a scene and an expectation that a case or table states itself.
fn own_members(
    reader: &mut Reader<'_>,
    what: &str,
    table: &DeTable<'_>,
    beside: &[&str],
) -> Members {
    let beside: Vec<&str> = beside.iter().chain(OF_AN_EXPECTATION).copied().collect();
    let mut members = scene_members(reader, what, table, &beside);
    for name in OF_AN_EXPECTATION {
        if let Some(value) = table.get(*name) {
            members.read(reader, name, value);
        }
    }
    members
}

fn case(
    reader: &mut Reader<'_>,
    value: &Placed<'_>,
    defaults: &Members,
    scenes: &BTreeMap<String, Members>,
    out: &mut Vec<Written>,
) {
    let Some(table) = reader.table("case", value) else {
        return;
    };
    let before = reader.findings.len();
    let own = own_members(reader, "a case", table, &["name", "scene"]);
    let name = name(reader, table, value.span(), "case");
    let base = base(reader, table, defaults, scenes);
    let (Some(name), Some(base)) = (name, base) else {
        return;
    };
    add(reader, before, value.span(), name, own.over(&base), out);
}

/// Keeps a case that is whole. One with mistakes of its own is not said to lack anything else.
fn add(
    reader: &mut Reader<'_>,
    before: usize,
    span: Range<usize>,
    name: String,
    members: Members,
    out: &mut Vec<Written>,
) {
    if reader.findings.len() > before {
        return;
    }
    if members.tool.is_none() {
        reader.fault(span.clone(), format!("the case `{name}` has no `tool`"));
    }
    if members.outcome.is_none() {
        let message = format!("the case `{name}` has no `expect`");
        reader.fault_hint(
            span.clone(),
            message,
            "allowed are \"approved\", \"rejected\" and \"escalated\"",
        );
    }
    out.push(Written {
        file: reader.file.to_owned(),
        line: reader.line(&span),
        name,
        members,
    });
}

/// Many cases that differ in a few members: one per row.
fn table(
    reader: &mut Reader<'_>,
    value: &Placed<'_>,
    defaults: &Members,
    scenes: &BTreeMap<String, Members>,
    out: &mut Vec<Written>,
) {
    let Some(table) = reader.table("table", value) else {
        return;
    };
    let before = reader.findings.len();
    let own = own_members(
        reader,
        "a table",
        table,
        &["name", "scene", "columns", "rows"],
    );
    let name = name(reader, table, value.span(), "table");
    let base = base(reader, table, defaults, scenes);
    let columns = columns(reader, table, value.span());
    let rows = table.get("rows").map(|rows| reader.array("rows", rows));
    if rows.is_none() {
        reader.fault(value.span(), "the table has no `rows`");
    }
    let (Some(name), Some(base), Some(columns), Some(Some(rows))) = (name, base, columns, rows)
    else {
        return;
    };
    if reader.findings.len() > before {
        return;
    }
    let base = own.over(&base);
    for (n, row) in rows.iter().enumerate() {
        let before = reader.findings.len();
        if let Some((own_name, members)) = cells(reader, &columns, row, &base) {
            let name = match own_name {
                Some(own) => format!("{name}: {own}"),
                None => format!("{name}: row {}", n + 1),
            };
            add(reader, before, row.span(), name, members, out);
        }
    }
}

fn columns(
    reader: &mut Reader<'_>,
    table: &DeTable<'_>,
    span: Range<usize>,
) -> Option<Vec<String>> {
    let Some(value) = table.get("columns") else {
        reader.fault(span, "the table has no `columns`");
        return None;
    };
    let mut out: Vec<String> = Vec::new();
    for item in reader.array("columns", value)?.iter() {
        let column = reader.string("columns", item)?;
        let members = || OF_A_SCENE.iter().chain(OF_AN_EXPECTATION);
        let is_known = column == "name" || column.starts_with('/');
        if !is_known && !members().any(|name| *name == column) {
            let allowed: Vec<&str> = ["name", "/argument"]
                .iter()
                .chain(members())
                .copied()
                .collect();
            reader.unknown(item.span(), "a row", column, &allowed);
            return None;
        }
        if out.iter().any(|other| other == column) {
            reader.fault(
                item.span(),
                format!("the column `{column}` stands there twice"),
            );
            return None;
        }
        out.push(column.to_owned());
    }
    Some(out)
}

/// The name that a row states, and its members over those of the table.
fn cells(
    reader: &mut Reader<'_>,
    columns: &[String],
    row: &Placed<'_>,
    base: &Members,
) -> Option<(Option<String>, Members)> {
    let cells = reader.array("a row", row)?;
    if cells.len() != columns.len() {
        let (found, wanted) = (cells.len(), columns.len());
        let message = format!("the row has {found} cells, and the table {wanted} columns");
        reader.fault(row.span(), message);
        return None;
    }
    let (mut name, mut own, mut pointers) = (None, Members::default(), Vec::new());
    for (column, cell) in columns.iter().zip(cells.iter()) {
        if column == "name" {
            name = Some(reader.string("name", cell)?.to_owned());
        } else if column.starts_with('/') {
            pointers.push((column, cell, reader.json(column, cell)?));
        } else if !is_blank(cell) {
            own.read(reader, column, cell);
        }
    }
    let mut members = own.over(base);
    for (pointer, cell, value) in pointers {
        if !set(&mut members.args, pointer, value) {
            let message = format!("`{pointer}` leads through an argument that is no table");
            reader.fault(cell.span(), message);
        }
    }
    Some((name, members))
}

/// `""` in a column that is no argument: what the table states holds.
fn is_blank(cell: &Placed<'_>) -> bool {
    matches!(cell.get_ref(), DeValue::String(text) if text.is_empty())
}

/// Sets a member of the arguments by its JSON Pointer; `false` if something else is in the way.
fn set(args: &mut Map<String, Value>, pointer: &str, value: Value) -> bool {
    let steps = pointer.split('/').skip(1);
    let mut steps: Vec<String> = steps.map(name_of).collect();
    let Some(last) = steps.pop() else {
        return false;
    };
    let mut members = args;
    for step in steps {
        let next = members
            .entry(step)
            .or_insert_with(|| Value::Object(Map::new()));
        let Value::Object(next) = next else {
            return false;
        };
        members = next;
    }
    members.insert(last, value);
    true
}
