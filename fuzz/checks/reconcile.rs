//! What holds for any file of records that what ran is reconciled with.

use std::path::Path;

use countersign_core::json::{self, CanonicalJson};
use countersign_core::refs::Sha256;
use serde_json::{Map, Value, json};

use crate::commands::reconcile::csv;
use crate::commands::reconcile::outside::{Format, Names, Record, hash, read_text, time};

/// A line with the format, and the file: its records are those of the same table, lines or spans
/// written otherwise, and no line of it goes missing.
pub(crate) fn reconcile(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let Some((format, text)) = text.split_once('\n') else {
        return;
    };
    match format {
        "csv" => table(text),
        "jsonl" => lines(text),
        "otel" => spans(text),
        "time" => point(text),
        _ => {}
    }
}

fn records(text: &str, format: Format) -> Option<Vec<Record>> {
    let mut records = Vec::new();
    let path = Path::new("records");
    read_text(path, text, format, &Names::new(), &mut records).ok()?;
    let mut before = 0;
    for record in &mut records {
        // They come in the order of the file; where they stand depends on how it is written.
        let (name, line) = record.place.rsplit_once(':').unwrap();
        let line: usize = line.parse().unwrap();
        assert_eq!(name, "records");
        assert!(line >= before && line >= 1 && line <= text.split(['\n', '\r']).count());
        before = line;
        record.place.clear();
    }
    Some(records)
}

fn table(text: &str) {
    let found = records(text, Format::Csv);
    let Ok((names, rows)) = csv::read(text) else {
        assert!(found.is_none());
        return;
    };
    let quoted = |fields: &[String]| {
        let each = fields
            .iter()
            .map(|it| format!("\"{}\"", it.replace('"', "\"\"")));
        format!("{}\r\n", each.collect::<Vec<_>>().join(","))
    };
    let written: String = std::iter::once(quoted(&names))
        .chain(rows.iter().map(|(_, fields)| quoted(fields)))
        .collect();
    let (names_again, rows_again) = csv::read(&written).unwrap();
    let fields = |rows: &[(usize, Vec<String>)]| -> Vec<Vec<String>> {
        rows.iter().map(|(_, fields)| fields.clone()).collect()
    };
    assert_eq!(names_again, names);
    assert_eq!(fields(&rows_again), fields(&rows));
    // The same rows as lines of JSON.
    let line = |fields: &Vec<String>| {
        let row = names
            .iter()
            .zip(fields)
            .filter(|(_, text)| !text.is_empty());
        let row: Map<String, Value> = row
            .map(|(name, text)| (name.clone(), json!(text)))
            .collect();
        format!("{}\n", Value::Object(row))
    };
    let as_lines: String = rows.iter().map(|(_, fields)| line(fields)).collect();
    assert_eq!(found, records(&as_lines, Format::Jsonl));
    if let Some(found) = found {
        assert_eq!(found.len(), rows.len());
        // No field is taken from two columns.
        let mut names = names;
        names.retain(|name| !name.is_empty());
        let mut distinct = names.clone();
        distinct.sort();
        distinct.dedup();
        assert_eq!(distinct.len(), names.len(), "{names:?}");
    }
}

fn lines(text: &str) {
    let Some(found) = records(text, Format::Jsonl) else {
        return;
    };
    let values: Vec<Value> = text
        .split('\n')
        .filter(|line| !line.trim().is_empty())
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(found.len(), values.len());
    let first = |value: &Value, names: &[&str]| {
        let found = names.iter().find_map(|name| value.get(*name));
        found.filter(|value| !value.is_null()).cloned()
    };
    for (record, value) in found.iter().zip(&values) {
        let tool = first(value, &["tool", "tool_name", "name"]);
        let tool = tool.map(|it| it.as_str().map_or_else(|| it.to_string(), str::to_owned));
        assert_eq!(record.tool, tool);
        let args = first(value, &["args", "arguments", "tool_input", "input"]);
        let stated = first(value, &["args_sha256"]);
        match (stated, args) {
            (Some(stated), _) => {
                let stated: Sha256 = stated.as_str().unwrap().parse().unwrap();
                assert_eq!(record.args_sha256, Some(stated));
            }
            (None, Some(args)) => assert_eq!(record.args_sha256, Some(hashed(&args))),
            (None, None) => assert_eq!(record.args_sha256, None),
        }
    }
    // One line more is one record more.
    let more = format!("{text}\n{{\"tool\":\"send\",\"args\":{{}}}}");
    assert_eq!(
        records(&more, Format::Jsonl).unwrap().len(),
        found.len() + 1
    );
}

/// The hash of a call with these arguments; of what no call can have, that of its text.
fn hashed(args: &Value) -> Sha256 {
    let text = match args {
        Value::String(text) => text.clone(),
        value => value.to_string(),
    };
    let digest = match json::parse(text.as_bytes(), text.len()) {
        Ok(value) => CanonicalJson::of(&value).ok().map(|it| it.digest()),
        Err(_) => None,
    };
    // As JSON, or as a text that is JSON.
    if !args.is_string() && digest.is_some() {
        assert_eq!(hash(&json!(format!(" {text}\n"))), hash(args));
    }
    digest.unwrap_or_else(|| Sha256::of(text.as_bytes()))
}

fn spans(text: &str) {
    let found = records(text, Format::Otel);
    let Ok(document) = serde_json::from_str::<Value>(text) else {
        return;
    };
    let compact = document.to_string();
    assert_eq!(records(&compact, Format::Otel), found);
    let pretty = serde_json::to_string_pretty(&document).unwrap();
    assert_eq!(records(&pretty, Format::Otel), found);
    let Some(found) = found else { return };
    let twice = records(&format!("{compact}\n\n{compact}\n"), Format::Otel).unwrap();
    assert_eq!(twice, [found.as_slice(), found.as_slice()].concat());
    // As protobuf's own names have it.
    let mut renamed = document.clone();
    if rename(&mut renamed) {
        assert_eq!(records(&renamed.to_string(), Format::Otel), Some(found));
    }
}

/// Writes `resourceSpans` and `scopeSpans` as `resource_spans` and `scope_spans`; false if one of
/// them stands there in both ways.
fn rename(document: &mut Value) -> bool {
    let moved = |value: &mut Value, from: &str, to: &str| {
        let Some(members) = value.as_object_mut() else {
            return true;
        };
        let (old, has_new) = (members.shift_remove(from), members.contains_key(to));
        let has_old = old.is_some();
        if let Some(old) = old {
            members.insert(to.to_owned(), old);
        }
        !(has_old && has_new)
    };
    let is_one = moved(document, "resourceSpans", "resource_spans");
    let resources = document.get_mut("resource_spans");
    let resources = resources.and_then(Value::as_array_mut);
    is_one
        && resources
            .into_iter()
            .flatten()
            .all(|resource| moved(resource, "scopeSpans", "scope_spans"))
}

/// A time that is read is one that the ledger writes, and reads the same again.
fn point(text: &str) {
    let as_text = time(&json!(text));
    if let Ok(found) = &as_text {
        let again = time(&json!(found.to_string()));
        assert_eq!(again.as_ref(), Ok(found));
    }
    if let Ok(number @ Value::Number(_)) = serde_json::from_str(text)
        && format!("{number}") == text
    {
        assert_eq!(time(&number), as_text);
    }
}
