//! Characters that deceive.

use std::sync::LazyLock;

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
    match text.is_ascii() {
        true => text.bytes().any(|byte| byte.is_ascii_control()),
        false => text.chars().any(is_hidden),
    }
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
    if !text.is_ascii() {
        return skeleton_of_any(text);
    }
    let looks = |byte: u8| ASCII_SKELETONS.get(usize::from(byte)).map(String::as_str);
    text.bytes().filter_map(looks).collect()
}

/// The skeletons of the ASCII characters. None holds a mark that would join its neighbours, so that
/// each stands for itself.
static ASCII_SKELETONS: LazyLock<[String; 128]> = LazyLock::new(|| {
    std::array::from_fn(|n| {
        let c = u8::try_from(n).map_or('\0', char::from);
        skeleton_of_any(c.encode_utf8(&mut [0; 4]))
    })
});

fn skeleton_of_any(text: &str) -> String {
    let visible: String = text
        .nfkc()
        .flat_map(char::to_lowercase)
        .filter(|c| !is_hidden(*c))
        .collect();
    unicode_security::confusable_detection::skeleton(&visible).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_skeleton_of_ascii_is_that_of_its_characters() {
        let ascii = || (0..128_u8).map(char::from);
        for (one, other) in ascii().flat_map(|one| ascii().map(move |other| (one, other))) {
            let text = format!("{one}{other}");
            assert_eq!(skeleton(&text), skeleton_of_any(&text), "{text:?}");
        }
    }

    #[test]
    fn what_is_hidden_in_ascii_is_a_control() {
        for c in (0..128_u8).map(char::from) {
            assert_eq!(has_hidden(&c.to_string()), is_hidden(c), "{c:?}");
        }
    }
}
