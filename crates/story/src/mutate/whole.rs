//! Changes of whole entries, of the log, of bundles, of files and of documents.

use std::collections::{BTreeMap, BTreeSet};

use crate::story;
use countersign_core::document::{Document as _, Statement};
use countersign_core::entry::{AnyEntry, Body, Kind as _, Part, PolicyPhase, split};
use countersign_core::json::CanonicalJson;
use countersign_core::refs::Sha256;
use countersign_merkle::AnyTile;
use countersign_verify::MemoryLog;
use serde_json::{Map, Value, json};

use super::mutant::{Edit, Mutant, Row};

/// An id that no log holds.
const FRESH_ID: &str = "01HZZZZZZZZZZZZZZZZZZZZZZ0";
/// Most instances of one kind that are dropped and repeated.
const INSTANCES: usize = 3;
/// Most files of one sort that are changed.
const FILES: usize = 6;

/// All of them, but those of documents.
pub(super) fn of(leaves: &[Vec<u8>], log: &MemoryLog) -> Vec<Mutant> {
    let mut found = Vec::new();
    entries(leaves, &mut found);
    lengths(leaves, &mut found);
    strangers(leaves, &mut found);
    bundles(leaves, &mut found);
    files(log, &mut found);
    checkpoint(log, &mut found);
    found
}

fn push(found: &mut Vec<Mutant>, row: Row, what: String, edit: Edit) {
    found.push(Mutant { row, what, edit });
}

fn members(leaf: &[u8]) -> Map<String, Value> {
    serde_json::from_slice(leaf).unwrap_or_default()
}

fn canonical(members: Map<String, Value>) -> Vec<u8> {
    CanonicalJson::of(&Value::Object(members)).map_or(Vec::new(), CanonicalJson::into_bytes)
}

fn text_of<'a>(members: &'a Map<String, Value>, name: &str) -> &'a str {
    members
        .get(name)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// The leaf with a fresh id and the time of the last entry: as if it came now.
fn as_new(leaf: &[u8], last: &[u8]) -> Vec<u8> {
    let mut members = members(leaf);
    let now = self::members(last);
    members.insert("entry_id".to_owned(), json!(FRESH_ID));
    members.insert("timestamp".to_owned(), json!(text_of(&now, "timestamp")));
    canonical(members)
}

/// Each kind's entries swapped, dropped and repeated.
fn entries(leaves: &[Vec<u8>], found: &mut Vec<Mutant>) {
    let Some(last) = leaves.last() else {
        return;
    };
    let mut by_kind: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (index, leaf) in leaves.iter().enumerate() {
        let kind = text_of(&members(leaf), "kind").to_owned();
        by_kind.entry(kind).or_default().push(index);
    }
    for (kind, indexes) in &by_kind {
        let row = |how: &str| Row::new(kind, "(entry)", how);
        let step = indexes.len().div_ceil(INSTANCES).max(1);
        for &index in indexes.iter().step_by(step) {
            for (how, other) in [
                ("swapped with the next", index + 1),
                (
                    "swapped with a distant one",
                    (index + leaves.len() / 2) % leaves.len(),
                ),
            ] {
                if other < leaves.len() && leaves.get(other) != leaves.get(index) {
                    let what = format!("entries {index} and {other} swapped");
                    push(found, row(how), what, Edit::Swap(index, other));
                }
            }
            let what = format!("entry {index} dropped");
            push(
                found,
                row("dropped, the rest closed up"),
                what,
                Edit::Remove(vec![index]),
            );
            let with = naming(leaves, index);
            if with.len() > 1 {
                let what = format!("entry {index} and {} that name it dropped", with.len() - 1);
                push(
                    found,
                    row("dropped with all that names it"),
                    what,
                    Edit::Remove(with),
                );
            }
            let Some(leaf) = leaves.get(index) else {
                continue;
            };
            let what = format!("entry {index} repeated at once");
            push(
                found,
                row("repeated at once"),
                what,
                Edit::Insert(index + 1, leaf.clone()),
            );
            let end = leaves.len();
            let what = format!("entry {index} repeated at the end");
            push(
                found,
                row("repeated at the end"),
                what,
                Edit::Insert(end, leaf.clone()),
            );
            let what = format!("entry {index} repeated at the end under a new id");
            let again = as_new(leaf, last);
            push(
                found,
                row("used again under a new id"),
                what,
                Edit::Insert(end, again),
            );
        }
    }
}

/// The entry and all later ones that name it, or name one that does.
fn naming(leaves: &[Vec<u8>], index: usize) -> Vec<usize> {
    let mut names: BTreeSet<String> = BTreeSet::new();
    let mut dropped = Vec::new();
    for (n, leaf) in leaves.iter().enumerate().skip(index) {
        let text = String::from_utf8_lossy(leaf);
        if n != index && !names.iter().any(|name| text.contains(name.as_str())) {
            continue;
        }
        dropped.push(n);
        let members = members(leaf);
        let own = match text_of(&members, "kind") {
            "intent" => text_of(&members, "intent_ref"),
            "credential" => text_of(&members, "subject"),
            "policy" => text_of(&members, "policy_ref"),
            _ => "",
        };
        for name in [text_of(&members, "entry_id"), own] {
            if !name.is_empty() {
                names.insert(name.to_owned());
            }
        }
    }
    dropped
}

/// The tail and the middle.
fn lengths(leaves: &[Vec<u8>], found: &mut Vec<Mutant>) {
    let n = leaves.len();
    for size in BTreeSet::from([n.saturating_sub(1), n * 3 / 4, n / 2, n / 4, 1]) {
        if size > 0 && size < n {
            let what = format!("only the first {size} of {n} entries are left");
            push(
                found,
                Row::new("log", "tail", "dropped"),
                what,
                Edit::Truncate(size),
            );
        }
    }
    push(
        found,
        Row::new("log", "tail", "dropped"),
        "no entry is left".to_owned(),
        Edit::Truncate(0),
    );
    for (from, to) in [(n / 3, n / 2), (n / 2, n * 3 / 4), (1, n / 2)] {
        if from < to {
            let what = format!("entries {from} to {} dropped, the rest closed up", to - 1);
            let row = Row::new("log", "middle", "dropped and relinked");
            push(found, row, what, Edit::Remove((from..to).collect()));
        }
    }
}

/// Entries of another log, and of a kind that nobody knows.
fn strangers(leaves: &[Vec<u8>], found: &mut Vec<Mutant>) {
    let Some(last) = leaves.last() else {
        return;
    };
    let middle = leaves.len() / 2;
    let mut seen = BTreeSet::new();
    for leaf in story::whole().leaves() {
        let kind = text_of(&members(&leaf), "kind").to_owned();
        // Credentials of that log are not credentials of this one.
        let text = String::from_utf8_lossy(&leaf).replace("01HYA", "01HYF");
        if !seen.insert(kind.clone()) {
            continue;
        }
        for (index, before) in [(middle, leaves.get(middle)), (leaves.len(), Some(last))] {
            let leaf = as_new(text.as_bytes(), before.unwrap_or(last));
            let row = Row::new(&kind, "(entry)", "one of another log put in");
            push(
                found,
                row,
                format!("put in before {index}"),
                Edit::Insert(index, leaf),
            );
        }
    }
    for (index, before) in [(middle, leaves.get(middle)), (leaves.len(), Some(last))] {
        let mut members = members(before.unwrap_or(last));
        let time = members.shift_remove("timestamp").unwrap_or_default();
        let unknown =
            json!({"entry_id": FRESH_ID, "kind": "from-the-future", "timestamp": time, "v": 1});
        let leaf = CanonicalJson::of(&unknown).map_or(Vec::new(), CanonicalJson::into_bytes);
        let row = Row::new("(unknown kind)", "(entry)", "one put in");
        push(
            found,
            row,
            format!("put in before {index}"),
            Edit::Insert(index, leaf),
        );
    }
}

/// A stored bundle's text is another one.
fn bundles(leaves: &[Vec<u8>], found: &mut Vec<Mutant>) {
    let mut parts: BTreeMap<Sha256, (usize, Part)> = BTreeMap::new();
    let mut stored = Vec::new();
    for (index, leaf) in leaves.iter().enumerate() {
        let Ok(AnyEntry::Known(entry)) = AnyEntry::from_leaf(leaf) else {
            continue;
        };
        match entry.body {
            Body::Part(part) => {
                parts.entry(part.bytes.digest()).or_insert((index, part));
            }
            Body::Policy(policy) if policy.phase == PolicyPhase::Stored => stored.push(policy),
            _ => {}
        }
    }
    for policy in &stored {
        let pieces: Vec<&(usize, Part)> = policy
            .parts
            .iter()
            .filter_map(|digest| parts.get(digest))
            .collect();
        let content: Vec<u8> = pieces
            .iter()
            .flat_map(|(_, part)| part.bytes.as_bytes().to_vec())
            .collect();
        for (how, text) in texts(&content, &stored, policy, &parts) {
            let Some(replaced) = rewritten(leaves, &content, &pieces, policy.policy_ref, &text)
            else {
                continue;
            };
            let what = format!("the text of {}", policy.policy_ref);
            let bare: Vec<(usize, Vec<u8>)> = replaced
                .iter()
                .filter(|(index, _)| pieces.iter().any(|(piece, _)| piece == index))
                .cloned()
                .collect();
            let row =
                |follows: &str| Row::new("part", "(bundle's text)", &format!("{how}{follows}"));
            push(found, row(""), what.clone(), Edit::Replace(bare));
            push(
                found,
                row(", and every ref with it"),
                what,
                Edit::Replace(replaced),
            );
        }
    }
}

/// Other texts for a bundle: one that permits what it forbade, and that of another bundle.
fn texts(
    content: &[u8],
    stored: &[countersign_core::entry::Policy],
    own: &countersign_core::entry::Policy,
    parts: &BTreeMap<Sha256, (usize, Part)>,
) -> Vec<(&'static str, Vec<u8>)> {
    let mut found = Vec::new();
    let text = String::from_utf8_lossy(content);
    let edited = text.replacen("forbid", "permit", 1);
    if edited.as_bytes() != content {
        found.push(("`forbid` made `permit`", edited.into_bytes()));
    }
    let other = stored
        .iter()
        .find(|other| other.policy_ref != own.policy_ref);
    if let Some(other) = other {
        let pieces = other.parts.iter().filter_map(|digest| parts.get(digest));
        let text = pieces
            .flat_map(|(_, part)| part.bytes.as_bytes().to_vec())
            .collect();
        found.push(("swapped with another bundle's", text));
    }
    found
}

/// The leaves that change if a bundle's text does and everything follows.
fn rewritten(
    leaves: &[Vec<u8>],
    content: &[u8],
    pieces: &[&(usize, Part)],
    policy_ref: countersign_core::refs::PolicyRef,
    text: &[u8],
) -> Option<Vec<(usize, Vec<u8>)>> {
    let new = split(text);
    if new.len() != pieces.len() || content == text {
        return None;
    }
    let mut names = vec![(policy_ref.to_string(), Sha256::of(text).to_string())];
    for ((_, old), new) in pieces.iter().zip(&new) {
        names.push((
            old.bytes.digest().to_string(),
            new.bytes.digest().to_string(),
        ));
    }
    let mut replaced = renamed(leaves, &names);
    for ((index, _), part) in pieces.iter().zip(&new) {
        let mut leaf = members(leaves.get(*index)?);
        let Ok(Value::Object(part)) = serde_json::to_value(part) else {
            return None;
        };
        leaf.extend(part);
        leaf.insert("kind".to_owned(), json!(Part::KIND));
        replaced.retain(|(other, _)| other != index);
        replaced.push((*index, canonical(leaf)));
    }
    Some(replaced)
}

/// Leaves in which names are replaced.
fn renamed(leaves: &[Vec<u8>], names: &[(String, String)]) -> Vec<(usize, Vec<u8>)> {
    let mut replaced = Vec::new();
    for (index, leaf) in leaves.iter().enumerate() {
        let text = String::from_utf8_lossy(leaf);
        let mut new = text.clone().into_owned();
        for (old, name) in names {
            new = new.replace(old, name);
        }
        if new != text {
            replaced.push((index, new.into_bytes()));
        }
    }
    replaced
}

/// Tiles and bundles of entries as files.
fn files(log: &MemoryLog, found: &mut Vec<Mutant>) {
    for is_entries in [false, true] {
        let of_sort = log
            .tiles
            .iter()
            .filter(|(tile, _)| matches!(tile, AnyTile::Entries(_)) == is_entries);
        let of_sort: Vec<_> = of_sort.collect();
        let step = of_sort.len().div_ceil(FILES).max(1);
        for (tile, bytes) in of_sort.into_iter().step_by(step) {
            let place = if is_entries {
                "a bundle of entries"
            } else {
                "a hash tile"
            };
            let mut push = |how: &str, bytes| {
                let row = Row::new("files", place, how);
                push(found, row, tile.to_string(), Edit::Tile(*tile, bytes));
            };
            push("removed", None);
            push(
                "cut short",
                bytes.split_last().map(|(_, front)| front.to_vec()),
            );
            push("made longer", Some([bytes.as_slice(), &[0]].concat()));
            push("emptied", Some(Vec::new()));
            for position in [0, bytes.len() / 2, bytes.len().saturating_sub(1)] {
                let mut changed = bytes.clone();
                if let Some(byte) = changed.get_mut(position) {
                    *byte ^= 1;
                    push("a bit changed", Some(changed));
                }
            }
        }
    }
}

/// The checkpoint's text, with the signatures as they were.
fn checkpoint(log: &MemoryLog, found: &mut Vec<Mutant>) {
    let text = String::from_utf8_lossy(&log.checkpoint).into_owned();
    let lines: Vec<&str> = text.lines().collect();
    let [origin, size, root, ..] = lines.as_slice() else {
        return;
    };
    let number: u64 = size.parse().unwrap_or(0);
    let with = |n: usize, line: &str| {
        let mut lines: Vec<String> = lines.iter().map(|l| (*l).to_owned()).collect();
        if let Some(slot) = lines.get_mut(n) {
            line.clone_into(slot);
        }
        lines.join("\n") + "\n"
    };
    let mut other_root: Vec<char> = root.chars().collect();
    if let Some(first) = other_root.first_mut() {
        *first = if *first == 'A' { 'B' } else { 'A' };
    }
    let unsigned = text
        .split_inclusive('\n')
        .filter(|line| !line.starts_with('\u{2014}'));
    for (place, how, text) in [
        ("its origin", "changed", with(0, &format!("{origin}x"))),
        ("its size", "changed", with(1, &(number + 1).to_string())),
        (
            "its size",
            "changed",
            with(1, &number.saturating_sub(1).to_string()),
        ),
        ("its size", "changed", with(1, "0")),
        (
            "its root",
            "changed",
            with(2, &other_root.into_iter().collect::<String>()),
        ),
        (
            "its text",
            "joined by a line",
            with(2, &format!("{root}\nmore")),
        ),
        ("its signatures", "removed", unsigned.collect()),
        ("all of it", "removed", String::new()),
    ] {
        let row = Row::new("checkpoint", place, how);
        push(
            found,
            row,
            how.to_owned(),
            Edit::Checkpoint(text.into_bytes()),
        );
    }
}

/// Opened documents, each kind of them.
pub(super) fn of_documents(
    leaves: &[Vec<u8>],
    documents: &BTreeMap<Sha256, Vec<u8>>,
    is_complete: bool,
) -> Vec<Mutant> {
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    for (reference, bytes) in documents {
        let kind = text_of(&members(bytes), "kind").to_owned();
        let name = reference.to_string();
        let is_named = leaves
            .iter()
            .any(|leaf| String::from_utf8_lossy(leaf).contains(&name));
        if !is_named || !seen.insert(kind.clone()) {
            continue;
        }
        let row = |how: &str| Row::new("vault record", &format!("`{kind}`"), how);
        let edited = edited(bytes);
        let other = documents.iter().find(|(other, _)| *other != reference);
        let only = |bytes| Edit::Documents(vec![(*reference, bytes)], Vec::new());
        push(
            &mut found,
            row("changed"),
            name.clone(),
            only(Some(edited.clone())),
        );
        if let Some((other, content)) = other {
            let both = vec![
                (*reference, Some(content.clone())),
                (*other, Some(bytes.clone())),
            ];
            let edit = Edit::Documents(both, Vec::new());
            push(&mut found, row("swapped with another"), name.clone(), edit);
        }
        // Statements of purpose are not among the documents that a complete export promises.
        if is_complete && kind != Statement::KIND {
            push(&mut found, row("removed"), name.clone(), only(None));
        }
        let new = Sha256::of(&edited);
        let follow = renamed(leaves, &[(name.clone(), new.to_string())]);
        let both = vec![(*reference, None), (new, Some(edited))];
        let row = row("changed, and every ref with it");
        push(&mut found, row, name, Edit::Documents(both, follow));
    }
    found
}

/// The document with another salt: the least that can be changed without a contradiction.
fn edited(bytes: &[u8]) -> Vec<u8> {
    let mut members = members(bytes);
    let salt = text_of(&members, "salt").to_owned();
    let other: String = match salt.strip_prefix('A') {
        Some(rest) => format!("B{rest}"),
        None => format!("A{}", salt.get(1..).unwrap_or_default()),
    };
    members.insert("salt".to_owned(), json!(other));
    canonical(members)
}
