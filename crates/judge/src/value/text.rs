//! Characters that deceive.

use unicode_normalization::UnicodeNormalization as _;

/// Whether a character cannot be seen, changes how its neighbours are seen, or becomes ASCII under
/// normalisation form C: controls, `Default_Ignorable_Code_Point` (Unicode 16,
/// `DerivedCoreProperties.txt`), line and paragraph separators, annotations, the blank Braille
/// pattern, the Kelvin sign, the Greek question mark and varia.
pub(crate) fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(u32::from(c),
            0xAD | 0x34F | 0x61C | 0x115F..=0x1160 | 0x17B4..=0x17B5 | 0x180B..=0x180F
            | 0x200B..=0x200F | 0x2028..=0x202E | 0x2060..=0x206F | 0x2800 | 0x3164
            | 0xFE00..=0xFE0F | 0xFEFF | 0xFFA0 | 0xFFF0..=0xFFFB | 0x1BCA0..=0x1BCA3
            | 0x1D173..=0x1D17A | 0xE0000..=0xE0FFF | 0x212A | 0x37E | 0x1FEF)
}

/// Whether text holds a character that cannot be seen, other than plain white space.
pub(crate) fn has_hidden(text: &str) -> bool {
    text.chars().any(is_hidden)
}

/// Whether a character joins the one before it: a mark that would make another letter of it.
pub(crate) fn is_mark(c: char) -> bool {
    unicode_normalization::char::is_combining_mark(c)
}

/// Unicode normalisation form C.
pub(crate) fn nfc(text: &str) -> String {
    if text.is_ascii() {
        return text.to_owned();
    }
    text.nfc().collect()
}

/// The lenient form: compatibility characters folded, lower case, nothing hidden.
pub(crate) fn lenient(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    text.nfkc()
        .flat_map(char::to_lowercase)
        .filter(|c| !is_hidden(*c))
        .nfkc()
        .collect()
}

/// What text looks like to a reader (UTS 39 section 4), whatever its case.
pub(crate) fn skeleton(text: &str) -> String {
    let visible: String = text
        .nfkc()
        .flat_map(char::to_lowercase)
        .filter(|c| !is_hidden(*c))
        .collect();
    unicode_security::confusable_detection::skeleton(&visible).collect()
}
