//! Other values for a member, by the type that its declaration names.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_core::entry::{Body, COMMON_MEMBERS, Member};
use countersign_core::time::Timestamp;
use countersign_core::{document as d, entry as e, verdict as v};
use serde_json::{Map, Value, json};

/// Most values of one type that are kept to be put elsewhere.
const POOL: usize = 6;
/// An hour.
const HOUR_MS: i64 = 3_600_000;

/// In which way a member was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum How {
    /// It holds something else.
    Changed,
    /// It is gone.
    Removed,
    /// It has a sibling of an unknown name.
    Joined,
    /// One more stands in the list.
    Added,
    /// One of the list, or all, are gone.
    Dropped,
}

impl How {
    /// In words.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Removed => "removed",
            Self::Joined => "joined by a sibling",
            Self::Added => "one added",
            Self::Dropped => "dropped",
        }
    }
}

/// A member's new value.
pub(super) struct Change {
    /// Where inside the member: empty for the whole of it, `.decision`, `[]`.
    pub(super) inside: String,
    pub(super) how: How,
    /// What was done, for people.
    pub(super) what: String,
    pub(super) value: Value,
}

/// A type that a declaration names and that nobody taught this module.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no other values are known for members of the type `{0}`")]
pub struct UnknownType(String);

/// Values that stand in the log, by type: what is put elsewhere should be plausible.
#[derive(Default)]
pub(super) struct Pool(BTreeMap<String, BTreeSet<String>>);

impl Pool {
    /// Collects from leaves.
    pub(super) fn of(leaves: &[Vec<u8>]) -> Self {
        let mut pool = Self::default();
        for leaf in leaves {
            let Ok(Value::Object(members)) = serde_json::from_slice(leaf) else {
                continue;
            };
            for member in members_of(&members) {
                if let Some(value) = members.get(member.name) {
                    pool.keep(member.holds, value);
                }
            }
        }
        pool
    }

    fn keep(&mut self, holds: &str, value: &Value) {
        let holds = holds.replace(' ', "");
        let inner = inside(&holds, "Option<").unwrap_or(&holds);
        match (inside(inner, "Vec<"), value) {
            (Some(inner), Value::Array(items)) => {
                items.iter().for_each(|item| self.keep(inner, item));
            }
            (None, Value::String(text)) => {
                let kept = self.0.entry(inner.to_owned()).or_default();
                if kept.len() < POOL {
                    kept.insert(text.clone());
                }
            }
            _ => {}
        }
    }

    /// Two others of this type, if the log has them.
    fn others(&self, base: &str, than: &Value) -> Vec<Value> {
        let kept = self.0.get(base).into_iter().flatten();
        let others = kept.filter(|text| than.as_str() != Some(text));
        others.take(2).map(|text| json!(text)).collect()
    }
}

/// The declared members of a leaf's kind, those of every kind first.
pub(super) fn members_of(
    leaf: &Map<String, Value>,
) -> impl Iterator<Item = &'static Member> + use<> {
    let kind = leaf.get("kind").and_then(Value::as_str).unwrap_or_default();
    let own = Body::KINDS.iter().find(|(known, _, _)| *known == kind);
    let own = own.map_or(&[] as &[Member], |(_, _, members)| members);
    COMMON_MEMBERS.iter().chain(own)
}

/// Whether the type is a closed set of words, which tells apart the shapes of a kind.
pub(super) fn is_closed_set(holds: &str) -> bool {
    words(&holds.replace(' ', "")).is_some()
}

/// Values for a member that is not there.
pub(super) fn samples(holds: &str, pool: &Pool) -> Result<Vec<Value>, UnknownType> {
    let holds = holds.replace(' ', "");
    let base = inside(&holds, "Option<").unwrap_or(&holds);
    if let Some(item) = inside(base, "Vec<") {
        let items = samples(item, pool)?;
        return Ok(items.into_iter().map(|item| json!([item])).collect());
    }
    if let Some(words) = words(base) {
        return Ok(words.into_iter().map(Value::from).collect());
    }
    let mut found = pool.others(base, &Value::Null);
    found.push(made_up(base)?);
    Ok(found)
}

/// Other values for a member of this type.
pub(super) fn changes(holds: &str, value: &Value, pool: &Pool) -> Result<Vec<Change>, UnknownType> {
    let holds = holds.replace(' ', "");
    if let Some(inner) = inside(&holds, "Option<") {
        if value.is_null() {
            let samples = samples(inner, pool)?;
            return Ok(samples.into_iter().map(|s| set("null to", s)).collect());
        }
        let mut found = changes(inner, value, pool)?;
        found.push(set("to", Value::Null));
        return Ok(found);
    }
    match (inside(&holds, "Vec<"), value) {
        (Some(item), Value::Array(items)) => list(item, items, pool),
        _ => match (record(&holds), value) {
            (Some(fields), Value::Object(members)) => nested(fields, members, pool),
            _ => plain(&holds, value, pool),
        },
    }
}

/// A value that is no list and no record.
fn plain(base: &str, value: &Value, pool: &Pool) -> Result<Vec<Change>, UnknownType> {
    let mut found: Vec<Value> = pool.others(base, value);
    if let Some(words) = words(base) {
        found.extend(words.into_iter().map(Value::from));
        found.push(json!("no-such-word"));
    } else {
        match value {
            Value::Bool(is) => found.push(json!(!is)),
            Value::Number(number) => found.extend(numbers(base, number)),
            Value::String(text) => found.extend(texts(base, text)?),
            _ => found.push(made_up(base)?),
        }
        found.push(made_up(base)?);
    }
    // Another type of JSON is never the member's.
    found.push(match value {
        Value::String(_) => json!(0),
        _ => json!("0"),
    });
    found.push(Value::Null);
    found.retain(|other| other != value);
    found.dedup();
    Ok(found.into_iter().map(|other| set("to", other)).collect())
}

fn numbers(base: &str, number: &serde_json::Number) -> Vec<Value> {
    let n = number.as_i64().unwrap_or(0);
    let mut found = vec![json!(n.saturating_add(1)), json!(0)];
    if n > 0 || base == "i64" {
        found.push(json!(n.saturating_sub(1)));
    }
    if base == "u32" {
        found.push(json!(u32::MAX));
    }
    found
}

fn texts(base: &str, text: &str) -> Result<Vec<Value>, UnknownType> {
    let mut found = Vec::new();
    match base {
        "Timestamp" => {
            let time: Timestamp = text.parse().unwrap_or_default();
            for step in [1, -1, HOUR_MS, -HOUR_MS] {
                found.push(json!(time.plus_millis(step).to_string()));
            }
            // The same moment, in a spelling that is not the one of the format.
            found.push(json!(text.replace('Z', "+00:00")));
        }
        "PartBytes" => {
            let mut bytes = STANDARD.decode(text).unwrap_or_default();
            if let Some(byte) = bytes.last_mut() {
                *byte ^= 1;
            }
            found.push(json!(STANDARD.encode(&bytes)));
            bytes.push(b' ');
            found.push(json!(STANDARD.encode(&bytes)));
        }
        "kind" => {
            found.extend(["decision", "part", "flag-close", "from-the-future"].map(Value::from))
        }
        _ => {
            let mut chars: Vec<char> = text.chars().collect();
            let last = chars.pop();
            chars.push(if last == Some('A') { 'E' } else { 'A' });
            found.push(json!(chars.iter().collect::<String>()));
            chars.pop();
            chars.push(if last == Some('1') { '2' } else { '1' });
            found.push(json!(chars.into_iter().collect::<String>()));
            found.push(json!(format!("{text}x")));
            found.push(json!(text.to_uppercase()));
        }
    }
    found.push(json!(""));
    Ok(found)
}

fn list(item: &str, items: &[Value], pool: &Pool) -> Result<Vec<Change>, UnknownType> {
    let mut found = Vec::new();
    let mut push = |how, what: &str, items: Vec<Value>| {
        found.push(Change {
            inside: "[]".to_owned(),
            how,
            what: what.to_owned(),
            value: Value::Array(items),
        });
    };
    if let [first, rest @ ..] = items {
        push(How::Dropped, "the first dropped", rest.to_vec());
        if let [front @ .., _] = items {
            push(How::Dropped, "the last dropped", front.to_vec());
        }
        let mut twice = items.to_vec();
        twice.push(first.clone());
        push(How::Added, "the first again", twice);
        let mut reversed = items.to_vec();
        reversed.reverse();
        push(How::Changed, "the order reversed", reversed);
        push(How::Dropped, "all dropped", Vec::new());
        for change in changes(item, first, pool)? {
            let mut items = items.to_vec();
            if let Some(slot) = items.first_mut() {
                *slot = change.value;
            }
            found.push(Change {
                inside: format!("[]{}", change.inside),
                value: Value::Array(items),
                ..change
            });
        }
    }
    for sample in samples(item, pool)? {
        let mut items = items.to_vec();
        items.push(sample);
        found.push(Change {
            inside: "[]".to_owned(),
            how: How::Added,
            what: "one added".to_owned(),
            value: Value::Array(items),
        });
    }
    found.retain(|change| change.value.as_array().map(Vec::as_slice) != Some(items));
    Ok(found)
}

fn nested(
    fields: &[(&str, &str)],
    members: &Map<String, Value>,
    pool: &Pool,
) -> Result<Vec<Change>, UnknownType> {
    let mut found = Vec::new();
    for (name, holds) in fields {
        let Some(value) = members.get(*name) else {
            for sample in samples(holds, pool)? {
                let mut with = members.clone();
                let what = format!("added as {sample}");
                with.insert((*name).to_owned(), sample);
                found.push(inner(name, How::Changed, what, with));
            }
            continue;
        };
        for change in changes(holds, value, pool)? {
            let mut with = members.clone();
            with.insert((*name).to_owned(), change.value);
            let mut change = Change {
                value: Value::Object(with),
                ..change
            };
            change.inside = format!(".{name}{}", change.inside);
            found.push(change);
        }
        let mut without = members.clone();
        without.shift_remove(*name);
        found.push(inner(name, How::Removed, "removed".to_owned(), without));
    }
    let mut with = members.clone();
    with.insert("other".to_owned(), Value::Null);
    found.push(inner(
        "other",
        How::Joined,
        "an unknown member".to_owned(),
        with,
    ));
    Ok(found)
}

fn inner(name: &str, how: How, what: String, members: Map<String, Value>) -> Change {
    Change {
        inside: format!(".{name}"),
        how,
        what,
        value: Value::Object(members),
    }
}

fn set(what: &str, value: Value) -> Change {
    let mut shown = value.to_string();
    if shown.chars().count() > 80 {
        shown = shown.chars().take(79).chain(['\u{2026}']).collect();
    }
    Change {
        inside: String::new(),
        how: How::Changed,
        what: format!("{what} {shown}"),
        value,
    }
}

/// A value of this type that is well-formed and stands nowhere.
fn made_up(base: &str) -> Result<Value, UnknownType> {
    let zeros = format!("sha256:{}", "0".repeat(64));
    Ok(match base {
        "bool" => json!(true),
        "u32" | "u64" | "i64" => json!(7),
        "kind" => json!("from-the-future"),
        "EntryId" | "CredentialId" | "PermitId" => json!("01HZZZZZZZZZZZZZZZZZZZZZZZ"),
        "Timestamp" => json!("2026-04-18T02:13:44.000Z"),
        "Sha256" | "IntentRef" | "PolicyRef" | "CallRef" | "FactsRef" | "ReasoningRef"
        | "ResultRef" | "ChangesetRef" | "StatementRef" => json!(zeros),
        "Pseudonym" => json!(format!("ref:{}", "A".repeat(43))),
        "ActionName" => json!("made.up"),
        "ActorName" => json!("agent:made-up"),
        "ActorPattern" => json!("agent:made-up/"),
        "ChannelName" | "ReasonId" | "TenantId" => json!("made-up"),
        "Origin" => json!("log.example/made-up/1"),
        "JudgeVersion" => json!("made up 1.0.0"),
        "KeyText" => json!("A".repeat(43)),
        "CheckpointText" => json!("log.example/made-up/1\n1\nAAAA\n"),
        "PartBytes" => json!("AAAA"),
        "Links" => json!({}),
        "Count" => json!({"counter": "made-up", "delta": 1, "key": made_up("Pseudonym")?}),
        "Predecessor" => json!({"checkpoint": null, "origin": "log.example/made-up/0"}),
        other => return Err(UnknownType(other.to_owned())),
    })
}

/// The fields of a small record in a member.
fn record(base: &str) -> Option<&'static [(&'static str, &'static str)]> {
    match base {
        "Links" => Some(&[
            ("decision", "EntryId"),
            ("review", "EntryId"),
            ("resolves", "EntryId"),
            ("delegation", "EntryId"),
            ("modifies", "EntryId"),
            ("continues", "EntryId"),
            ("shadows", "EntryId"),
            ("flag", "EntryId"),
            ("hold", "EntryId"),
        ]),
        "Count" => Some(&[
            ("counter", "ReasonId"),
            ("key", "Pseudonym"),
            ("delta", "i64"),
            ("value", "Option<Pseudonym>"),
        ]),
        "Predecessor" => Some(&[
            ("origin", "Origin"),
            ("checkpoint", "Option<CheckpointText>"),
        ]),
        _ => None,
    }
}

/// The words of a closed set.
fn words(base: &str) -> Option<Vec<String>> {
    fn of<T: serde::de::DeserializeOwned>() -> Vec<String> {
        // A word that is not in the set makes serde list those that are.
        let refused = serde_json::from_value::<T>(Value::from("?")).err();
        let refused = refused.map(|error| error.to_string()).unwrap_or_default();
        let words = refused.split('`').skip(3).step_by(2);
        words.map(str::to_owned).collect()
    }
    Some(match base {
        "Outcome" => of::<v::Outcome>(),
        "Author" => of::<d::Author>(),
        "Assurance" => of::<d::Assurance>(),
        "Surface" => of::<e::Surface>(),
        "Mode" => of::<e::Mode>(),
        "RevocationScope" => of::<e::RevocationScope>(),
        "RevocationEffect" => of::<e::RevocationEffect>(),
        "PolicyPhase" => of::<e::PolicyPhase>(),
        "GrantChange" => of::<e::GrantChange>(),
        "Role" => of::<e::Role>(),
        "KeyPurpose" => of::<e::KeyPurpose>(),
        "ExecutionPhase" => of::<e::ExecutionPhase>(),
        "ReviewAnswer" => of::<e::ReviewAnswer>(),
        "PermitRefusal" => of::<e::PermitRefusal>(),
        "AccessPhase" => of::<e::AccessPhase>(),
        "ErasurePhase" => of::<e::ErasurePhase>(),
        "HoldChange" => of::<e::HoldChange>(),
        "Detector" => of::<e::Detector>(),
        "Severity" => of::<e::Severity>(),
        "FlagChange" => of::<e::FlagChange>(),
        _ => return None,
    })
}

fn inside<'a>(text: &'a str, wrapper: &str) -> Option<&'a str> {
    text.strip_prefix(wrapper)?.strip_suffix('>')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_of_every_member_has_other_values() {
        let pool = Pool::default();
        for (kind, _, members) in Body::KINDS {
            for member in COMMON_MEMBERS.iter().chain(*members) {
                let samples = samples(member.holds, &pool)
                    .unwrap_or_else(|UnknownType(name)| panic!("{kind}.{}: `{name}`", member.name));
                assert!(!samples.is_empty(), "{kind}.{}", member.name);
                for sample in samples {
                    let others = changes(member.holds, &sample, &pool).unwrap();
                    assert!(
                        others.iter().any(|c| c.value != sample),
                        "{kind}.{}",
                        member.name
                    );
                }
            }
        }
    }

    #[test]
    fn the_words_of_a_closed_set_are_its_own() {
        assert_eq!(words("Mode").unwrap(), ["enforced", "shadow"]);
        assert_eq!(words("Sha256"), None);
    }

    /// The fields that are named here are those that the types have.
    #[test]
    fn the_fields_of_records_are_their_own() {
        for (name, text) in [
            (
                "Links",
                serde_json::from_value::<e::Links>(json!({"?": 1})).unwrap_err(),
            ),
            (
                "Count",
                serde_json::from_value::<e::Count>(json!({"?": 1})).unwrap_err(),
            ),
            (
                "Predecessor",
                serde_json::from_value::<e::Predecessor>(json!({"?": 1})).unwrap_err(),
            ),
        ]
        .map(|(name, error)| (name, error.to_string()))
        {
            let named: BTreeSet<&str> = text.split('`').skip(3).step_by(2).collect();
            let ours: BTreeSet<&str> = record(name).unwrap().iter().map(|(n, _)| *n).collect();
            assert_eq!(named, ours, "{text}");
        }
    }
}
