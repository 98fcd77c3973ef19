//! Text from outside, for people.

use std::fmt::Write as _;

use crate::limits::SHOWN_CHARS;

/// Text with everything that could hide, reorder or steer made visible. Line breaks stay.
pub(crate) fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' => out.push('\n'),
            '\t' => out.push_str("    "),
            _ if is_unsafe(character) => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(character));
            }
            _ => out.push(character),
        }
    }
    out
}

/// The same on one line.
pub(crate) fn line(text: &str) -> String {
    plain(text).replace('\n', "\\n")
}

/// Controls (C0, DEL, C1), bidirectional controls, and characters without width.
fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
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
    fn what_hides_or_reorders_is_made_visible() {
        let hostile = "a\u{1b}[2Jb\u{202e}c\u{200b}d\re\u{9b}f\u{2066}\u{e0041}\u{fe0f}";
        assert_eq!(
            plain(hostile),
            "a\\u{1b}[2Jb\\u{202e}c\\u{200b}d\\u{d}e\\u{9b}f\\u{2066}\\u{e0041}\\u{fe0f}"
        );
        assert_eq!(line("a\nb"), "a\\nb");
    }

    #[test]
    fn a_ref_keeps_its_ends() {
        let reference = format!("sha256:{}e841", "a".repeat(60));
        assert_eq!(short(&reference), "sha256:aaaaaaaa\u{2026}e841");
    }
}
