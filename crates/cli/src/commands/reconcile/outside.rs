//! Records of what ran, kept by somebody else.

use std::collections::BTreeMap;
use std::path::Path;

use clap::ValueEnum;
use countersign_core::json::{self, CanonicalJson};
use countersign_core::limits::CALL_ARGS_BYTES;
use countersign_core::refs::Sha256;
use countersign_core::time::Timestamp;
use serde_json::Value;

use super::{csv, otel};
use crate::error::CliError;

/// Most bytes of a file of records.
const FILE_BYTES: u64 = 256 * 1024 * 1024;
/// Most records of all files.
const RECORDS: usize = 500_000;

/// How records are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// One JSON object a line
    Jsonl,
    /// Comma-separated values, names in the first line
    Csv,
    /// OpenTelemetry spans `execute_tool`, as OTLP JSON: one document, or one a line
    Otel,
}

/// One thing that ran.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Record {
    /// Where it stands.
    pub(super) place: String,
    /// When it began.
    pub(super) time: Option<Timestamp>,
    pub(super) tool: Option<String>,
    /// The entry of its decision or execution, where whoever recorded it knew one.
    pub(super) entry_id: Option<String>,
    /// The client's own id of the call.
    pub(super) call_id: Option<String>,
    /// Of arguments that have no canonical JSON: the hash of their text, which no call has.
    pub(super) args_sha256: Option<Sha256>,
}

/// What can be known of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Field {
    Time,
    Tool,
    EntryId,
    CallId,
    Args,
    ArgsSha256,
}

impl Field {
    const ALL: [Self; 6] = [
        Self::Time,
        Self::Tool,
        Self::EntryId,
        Self::CallId,
        Self::Args,
        Self::ArgsSha256,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::Tool => "tool",
            Self::EntryId => "entry-id",
            Self::CallId => "call-id",
            Self::Args => "args",
            Self::ArgsSha256 => "args-sha256",
        }
    }

    /// The members and columns that are looked for, the first that is there.
    fn usual(self) -> &'static [&'static str] {
        match self {
            Self::Time => &[
                "time",
                "timestamp",
                "@timestamp",
                "ts",
                "started_at",
                "start_time",
            ],
            Self::Tool => &["tool", "tool_name", "name"],
            Self::EntryId => &["entry_id", "countersign_entry_id", "decision"],
            Self::CallId => &["external_call_id", "call_id", "tool_call_id", "tool_use_id"],
            Self::Args => &["args", "arguments", "tool_input", "input"],
            Self::ArgsSha256 => &["args_sha256"],
        }
    }
}

/// Where fields stand in place of the usual names, as `--field NAME=COLUMN` says.
pub(super) type Names = BTreeMap<Field, String>;

/// Reads one `NAME=COLUMN`.
pub(super) fn field(text: &str) -> Result<(Field, String), String> {
    let known = || Field::ALL.map(Field::name).join(", ");
    let (name, column) = text
        .split_once('=')
        .ok_or_else(|| format!("write NAME=COLUMN, with a NAME of {}", known()))?;
    let field = Field::ALL.into_iter().find(|field| field.name() == name);
    let field = field.ok_or_else(|| format!("`{name}` is none of {}", known()))?;
    Ok((field, column.to_owned()))
}

/// Reads a file of records.
pub(super) fn read(
    path: &Path,
    format: Format,
    names: &Names,
    records: &mut Vec<Record>,
) -> Result<(), CliError> {
    let bytes = bytes(path)?;
    let text = String::from_utf8(bytes).map_err(|_| CliError::io(path, "it is not utf-8"))?;
    read_text(path, &text, format, names, records)
}

/// Reads the text of a file of records.
pub(super) fn read_text(
    path: &Path,
    text: &str,
    format: Format,
    names: &Names,
    records: &mut Vec<Record>,
) -> Result<(), CliError> {
    let name = path.file_name().map_or_else(
        || path.display().to_string(),
        |name| name.to_string_lossy().into_owned(),
    );
    let mut add = |line: usize, record: Record| {
        if records.len() >= RECORDS {
            let found =
                format!("there are more than {RECORDS} records; give --since and fewer files");
            return Err(CliError::io(path, found));
        }
        records.push(Record {
            place: format!("{name}:{line}"),
            ..record
        });
        Ok(())
    };
    let wrong = |line: usize, error: String| CliError::io(path, format!("line {line}: {error}"));
    match format {
        Format::Csv => {
            let (columns, rows) = csv::read(text).map_err(|error| CliError::io(path, error))?;
            for (line, fields) in rows {
                let row = columns.iter().zip(fields);
                let row = row.filter(|(_, text)| !text.is_empty());
                let row = row.map(|(name, text)| (name.clone(), Value::String(text)));
                let row = Value::Object(row.collect());
                add(line, of(&row, names).map_err(|error| wrong(line, error))?)?;
            }
        }
        Format::Jsonl => {
            for (line, value) in lines(text).map_err(|(line, error)| wrong(line, error))? {
                if !value.is_object() {
                    return Err(wrong(line, "this is no json object".to_owned()));
                }
                add(line, of(&value, names).map_err(|error| wrong(line, error))?)?;
            }
        }
        Format::Otel => {
            // One document may take many lines.
            let documents = match serde_json::from_str(text) {
                Ok(document) => vec![(1, document)],
                Err(_) => lines(text).map_err(|(line, error)| wrong(line, error))?,
            };
            for (line, document) in documents {
                for record in otel::records(&document).map_err(|error| wrong(line, error))? {
                    add(line, record)?;
                }
            }
        }
    }
    Ok(())
}

fn bytes(path: &Path) -> Result<Vec<u8>, CliError> {
    use std::io::Read as _;
    let failed = |error: std::io::Error| CliError::io(path, error);
    let file = crate::input::open_regular(path).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(FILE_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    match u64::try_from(bytes.len()).is_ok_and(|length| length <= FILE_BYTES) {
        true => Ok(bytes),
        false => Err(CliError::io(
            path,
            format!("it has more than {FILE_BYTES} bytes"),
        )),
    }
}

/// The lines of a text that are not empty, as JSON, with their numbers.
fn lines(text: &str) -> Result<Vec<(usize, Value)>, (usize, String)> {
    text.lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(at, line)| {
            let value = serde_json::from_str(line);
            Ok((at + 1, value.map_err(|error| (at + 1, error.to_string()))?))
        })
        .collect()
}

fn of(row: &Value, names: &Names) -> Result<Record, String> {
    let find = |field: Field| -> Option<&Value> {
        let found = match names.get(&field) {
            Some(name) if name.starts_with('/') => row.pointer(name),
            Some(name) => row.get(name),
            None => field.usual().iter().find_map(|name| row.get(*name)),
        };
        found.filter(|value| !value.is_null())
    };
    let text = |field: Field| -> Result<Option<String>, String> {
        match find(field) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            Some(_) => Err(format!("`{}` is no text", field.name())),
        }
    };
    let stated = text(Field::ArgsSha256)?;
    let stated = stated.map(|text| {
        let digest = text.parse::<Sha256>();
        digest.map_err(|error| format!("`args-sha256`: {error}"))
    });
    let args_sha256 = match stated.transpose()? {
        Some(digest) => Some(digest),
        None => find(Field::Args).map(hash),
    };
    Ok(Record {
        place: String::new(),
        time: find(Field::Time).map(time).transpose()?,
        tool: text(Field::Tool)?,
        entry_id: text(Field::EntryId)?,
        call_id: text(Field::CallId)?,
        args_sha256,
    })
}

/// The hash of arguments: JSON, or a text that is JSON.
pub(super) fn hash(args: &Value) -> Sha256 {
    let text = match args {
        Value::String(text) => text.clone(),
        value => value.to_string(),
    };
    let strict = json::parse(text.as_bytes(), CALL_ARGS_BYTES).ok();
    let canonical = strict.and_then(|value| CanonicalJson::of(&value).ok());
    canonical.map_or_else(|| Sha256::of(text.as_bytes()), |it| it.digest())
}

/// A time: RFC 3339, or seconds, milli-, micro- or nanoseconds since 1970, told by how many they are.
pub(super) fn time(value: &Value) -> Result<Timestamp, String> {
    let text = match value {
        Value::String(text) => text.clone(),
        value => value.to_string(),
    };
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        return Ok(Timestamp::from_millis(time.as_millisecond()));
    }
    let number: i64 = text
        .parse()
        .map_err(|_| format!("`{}` is no time", text.chars().take(40).collect::<String>()))?;
    let millis = match number.unsigned_abs() {
        0..=99_999_999_999 => number.saturating_mul(1_000),
        100_000_000_000..=99_999_999_999_999 => number,
        100_000_000_000_000..=99_999_999_999_999_999 => number / 1_000,
        _ => number / 1_000_000,
    };
    Ok(Timestamp::from_millis(millis))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_are_found_by_their_usual_names_or_where_somebody_says() {
        let row = json!({
            "ts": 1_776_470_000, "tool_name": "send", "tool_use_id": "toolu_1",
            "arguments": "{\"to\": [\"a\"], \"n\": 1.0}", "deep": {"entry": "01HYA"},
        });
        let names = [field("entry-id=/deep/entry").unwrap()].into();
        let record = of(&row, &names).unwrap();
        assert_eq!(record.time.unwrap().to_string(), "2026-04-17T23:53:20.000Z");
        assert_eq!(record.tool.as_deref(), Some("send"));
        assert_eq!(record.call_id.as_deref(), Some("toolu_1"));
        assert_eq!(record.entry_id.as_deref(), Some("01HYA"));
        let args = CanonicalJson::of(&json!({"n": 1, "to": ["a"]})).unwrap();
        assert_eq!(record.args_sha256, Some(args.digest()));
        // What no call can have matches none.
        assert_eq!(
            hash(&json!("{\"a\":1,\"a\":2}")),
            Sha256::of(b"{\"a\":1,\"a\":2}")
        );
        assert!(field("who=x").is_err() && field("tool").is_err());
        assert!(of(&json!({"tool": {}}), &Names::new()).is_err());
        assert!(of(&json!({"args_sha256": "md5:1"}), &Names::new()).is_err());
    }

    #[test]
    fn times_in_any_unit_are_the_same_time() {
        for value in [
            json!("2026-04-18T01:53:20+02:00"),
            json!("2026-04-17T23:53:20.000000001Z"),
            json!(1_776_470_000),
            json!("1776470000000"),
            json!(1_776_470_000_000_000_i64),
            json!("1776470000000000321"),
        ] {
            let found = time(&value).unwrap().to_string();
            assert_eq!(found, "2026-04-17T23:53:20.000Z", "{value}");
        }
        assert!(time(&json!("yesterday")).is_err() && time(&json!(1.5)).is_err());
    }
}
