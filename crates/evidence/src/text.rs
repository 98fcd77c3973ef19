//! Text from outside, for people.

use countersign_core::plain;

use crate::limits::SHOWN_CHARS;

/// Text on one line, with nothing hidden in it.
pub(crate) fn line(text: &str) -> String {
    plain(text).replace('\n', "\\n")
}

/// At most so much as the report shows, and whether that is all.
pub(crate) fn shown(text: &str) -> (&str, bool) {
    match text.char_indices().nth(SHOWN_CHARS) {
        None => (text, true),
        Some((end, _)) => (text.get(..end).unwrap_or_default(), false),
    }
}

/// A ref with its middle left out.
pub(crate) fn short(reference: &impl ToString) -> String {
    let text = reference.to_string();
    let cut = || {
        let (kind, digits) = text.split_once(':')?;
        let head = digits.get(..8)?;
        let tail = digits.get(digits.len().checked_sub(4)?..)?;
        (digits.len() > 16).then(|| format!("{kind}:{head}\u{2026}{tail}"))
    };
    cut().unwrap_or_else(|| line(&text))
}

/// `1 call`, `2 calls`.
pub(crate) fn counted(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_line() {
        assert_eq!(line("a\nb\u{202e}"), "a\\nb\\u{202e}");
    }

    #[test]
    fn a_ref_keeps_its_ends() {
        let reference = format!("sha256:{}e841", "a".repeat(60));
        assert_eq!(short(&reference), "sha256:aaaaaaaa\u{2026}e841");
    }
}
