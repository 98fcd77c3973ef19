//! International bank account numbers (ISO 13616), with the check of ISO 7064 (mod 97-10).

/// Shortest and longest, in letters and digits.
const LENGTHS: std::ops::RangeInclusive<usize> = 15..=34;

/// An IBAN in capitals without spaces, if `text` is one and nothing else.
pub(crate) fn read(text: &str) -> Option<String> {
    let (iban, used) = at_start(text)?;
    (used == text.len()).then_some(iban)
}

/// The IBAN that `text` begins with, in capitals without spaces, and how many bytes it takes. It
/// ends where a word ends; where it could end at several words, the longest counts.
pub(crate) fn at_start(text: &str) -> Option<(String, usize)> {
    let [a, b, c, ..] = text.as_bytes() else {
        return None;
    };
    if !a.is_ascii_alphabetic() || !b.is_ascii_alphabetic() || c.is_ascii_alphabetic() {
        return None;
    }
    // The check digits come next, perhaps after a gap.
    let check = match c {
        b' ' | b'-' => text.as_bytes().get(3).copied(),
        c => Some(*c),
    };
    if check.is_none_or(|c| c.is_ascii() && !c.is_ascii_digit()) {
        return None;
    }
    let mut digits: Vec<u8> = Vec::new();
    let mut found = None;
    let mut gap = false;
    for (at, c) in text.char_indices() {
        if c.is_ascii_alphanumeric() {
            digits.push(u8::try_from(c.to_ascii_uppercase()).ok()?);
            gap = false;
        } else if matches!(c, ' ' | '-' | '\u{a0}' | '\u{202f}') && !gap {
            found = ends(text, at, &digits).or(found);
            gap = true;
        } else {
            break;
        }
        let fits = match digits.as_slice() {
            [a] => a.is_ascii_uppercase(),
            [a, b] => a.is_ascii_uppercase() && b.is_ascii_uppercase(),
            [_, _, c] => c.is_ascii_digit(),
            [_, _, c, d] => c.is_ascii_digit() && d.is_ascii_digit(),
            digits => digits.len() <= *LENGTHS.end(),
        };
        if !fits {
            break;
        }
        let end = at + c.len_utf8();
        if !gap {
            found = ends(text, end, &digits).or(found);
        }
    }
    found
}

fn ends(text: &str, end: usize, digits: &[u8]) -> Option<(String, usize)> {
    let after = text.get(end..)?.chars().next();
    if after.is_some_and(char::is_alphanumeric) || !is_valid(digits) {
        return None;
    }
    Some((String::from_utf8(digits.to_vec()).ok()?, end))
}

fn is_valid(digits: &[u8]) -> bool {
    let Some((head, tail)) = digits.split_at_checked(4) else {
        return false;
    };
    LENGTHS.contains(&digits.len())
        && tail.iter().chain(head).try_fold(0_u32, |rest, digit| {
            let value = char::from(*digit).to_digit(36)?;
            let shift = if value < 10 { 10 } else { 100 };
            Some((rest * shift + value) % 97)
        }) == Some(1)
}
