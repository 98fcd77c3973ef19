//! Paths, normalised as text: no disk is asked, so links are not followed.

use super::{Key, KeyKind, Parsed, text, token_key};

pub(super) fn parse(value: &str) -> Option<Parsed> {
    let normal = normalise(value)?;
    let keys = match strict_key(value) {
        Some(key) if !text::has_hidden(value) => vec![key, token_key(value)],
        _ => Vec::new(),
    };
    let skeleton = Some(text::skeleton(&normal));
    Some(Parsed {
        lookups: vec![text::lenient(&normal)],
        keys,
        members: vec![("path", normal)],
        skeleton,
    })
}

/// The strict key of a path. A spelling whose file depends on more than its text has none: where
/// `link` leads elsewhere, `link/../x` is not `x`, a `\` may separate or be a letter, and `//` may
/// begin a host's name.
pub(crate) fn strict_key(value: &str) -> Option<Key> {
    if value.contains('\\') || value.contains("//") || value.split('/').any(|part| part == "..") {
        return None;
    }
    Some(Key::new(KeyKind::Path, text::nfc(&normalise(value)?)))
}

/// The path without `.`, `..` and doubled separators; `None` if it leaves where it starts, or
/// holds a control character.
fn normalise(value: &str) -> Option<String> {
    if value.is_empty() || value.chars().any(char::is_control) {
        return None;
    }
    // A backslash separates on one system and is a letter on another: taken as a separator, it
    // cannot hide a `..`.
    let value = value.replace('\\', "/");
    let rooted = value.starts_with('/');
    let mut kept: Vec<&str> = Vec::new();
    for segment in value.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                // What `~` or a drive stands for has a parent that the text does not show.
                let parent = kept.pop()?;
                if kept.is_empty() && !rooted && (parent.starts_with('~') || parent.ends_with(':'))
                {
                    return None;
                }
            }
            other => kept.push(other),
        }
    }
    let joined = kept.join("/");
    Some(match (rooted, joined.is_empty()) {
        (true, _) => format!("/{joined}"),
        (false, true) => ".".to_owned(),
        (false, false) => joined,
    })
}
