//! Text from outside, made so that a person sees all of it, in its order, and nothing acts on it.

use std::fmt::Write as _;

/// Text with every hidden character written as its escape. Line breaks stay; a tab is four spaces.
pub fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' => out.push('\n'),
            '\t' => out.push_str("    "),
            _ if is_hidden(character) => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(character));
            }
            _ => out.push(character),
        }
    }
    out
}

/// Whether a character could steer a terminal, hide or reorder: controls (C0, DEL, C1, separators of
/// lines and paragraphs), bidirectional controls, and all that is drawn without width (Unicode's
/// `Default_Ignorable_Code_Point`, in which whole texts can be written that nobody sees).
pub fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hides_or_reorders_is_made_visible() {
        let hostile = "a\u{1b}[2Jb\u{202e}c\u{200b}d\re\u{9b}f\u{2066}\u{e0041}\u{fe0f}\u{1d173}";
        assert_eq!(
            plain(hostile),
            "a\\u{1b}[2Jb\\u{202e}c\\u{200b}d\\u{d}e\\u{9b}f\\u{2066}\\u{e0041}\\u{fe0f}\\u{1d173}"
        );
    }

    #[test]
    fn what_can_be_seen_stays() {
        assert_eq!(plain("Grüße, 世界:\n\tمرحبا"), "Grüße, 世界:\n    مرحبا");
    }
}
