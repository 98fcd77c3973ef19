//! Paths, normalised as text: no disk is asked, so links are not followed.

use super::{Key, KeyKind, Parsed, text, token_key};

pub(super) fn parse(value: &str) -> Option<Parsed> {
    let normal = normalise(value)?;
    let keys = if text::has_hidden(value) {
        Vec::new()
    } else {
        vec![
            Key::new(KeyKind::Path, text::nfc(&normal)),
            token_key(value),
        ]
    };
    let skeleton = Some(text::skeleton(&normal));
    Some(Parsed {
        lookups: vec![text::lenient(&normal)],
        keys,
        members: vec![("path", normal)],
        skeleton,
    })
}

/// The path without `.`, `..` and doubled separators; `None` if it leaves where it starts, or
/// holds a control character.
pub(crate) fn normalise(value: &str) -> Option<String> {
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
