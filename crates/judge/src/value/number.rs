//! Numbers, as JSON has them and as people write them. One number has one form: `1250.5`.
//!
//! A spelling that people of two countries read as two numbers (`1,250`) has none.

use serde_json::Number;

/// Most digits that a number may have.
const DIGITS: usize = 40;

/// A JSON number; its spelling (`1e3`, `1000.0`) does not matter.
pub(crate) fn of_json(number: &Number) -> Option<String> {
    let text = number.to_string();
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
        None => (text.as_str(), 0),
    };
    let (sign, digits) = match mantissa.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", mantissa),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all = format!("{whole}{fraction}");
    // The point moves by the exponent.
    let point = i64::try_from(whole.len()).ok()?.checked_add(exponent)?;
    let (whole, fraction) = if point <= 0 {
        let zeros = usize::try_from(point.checked_neg()?).ok()?;
        if zeros > DIGITS {
            return None;
        }
        (String::new(), format!("{}{all}", "0".repeat(zeros)))
    } else {
        let point = usize::try_from(point).ok()?;
        if point > DIGITS {
            return None;
        }
        match all.split_at_checked(point) {
            Some((whole, fraction)) => (whole.to_owned(), fraction.to_owned()),
            None => {
                let zeros = "0".repeat(point - all.len());
                (format!("{all}{zeros}"), String::new())
            }
        }
    };
    form(sign, &whole, &fraction)
}

/// A number as people write it: `1250`, `1 250 000` with narrow spaces, `1.250,00`, `1'250`. `money`
/// says that a currency stands beside it, so that three digits after a comma are a group.
pub(crate) fn read(written: &str, money: bool) -> Option<String> {
    let (sign, digits) = match written.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", written),
    };
    let is_part = |c: char| c.is_ascii_digit() || is_separator(c);
    let starts = digits.starts_with(|c: char| c.is_ascii_digit());
    let ends = digits.ends_with(|c: char| c.is_ascii_digit());
    if !starts || !ends || digits.len() > 2 * DIGITS || !digits.chars().all(is_part) {
        return None;
    }
    let separators: Vec<char> = digits.chars().filter(|c| is_separator(*c)).collect();
    let groups: Vec<&str> = digits.split(is_separator).collect();
    let (whole, fraction) = halves(&separators, &groups, money)?;
    form(sign, &whole.concat(), fraction)
}

/// What separates groups of digits, or the fraction.
pub(crate) fn is_separator(c: char) -> bool {
    matches!(
        c,
        '.' | ',' | '\'' | '’' | '\u{a0}' | '\u{2009}' | '\u{202f}'
    )
}

/// The groups of the whole part, and the fraction.
fn halves<'a, 'g>(
    separators: &[char],
    groups: &'g [&'a str],
    money: bool,
) -> Option<(&'g [&'a str], &'a str)> {
    let Some((last, earlier)) = separators.split_last() else {
        return Some((groups, ""));
    };
    let (tail, head) = groups.split_last()?;
    if earlier.is_empty() {
        let three = tail.len() == 3 && is_grouped(groups);
        return match last {
            // `1.250` is 1.25 or 1250, `1,250` is 1250 or 1.25; `1.2` and `1.2500` are no groups.
            '.' if !three => Some((head, tail)),
            ',' if three && money => Some((groups, "")),
            ',' if !three && money && tail.len() <= 2 => Some((head, tail)),
            '.' | ',' => None,
            _ => three.then_some((groups, "")),
        };
    }
    let grouping = earlier.first()?;
    if earlier.iter().any(|c| c != grouping) {
        return None;
    }
    if last == grouping {
        return is_grouped(groups).then_some((groups, ""));
    }
    (matches!(last, '.' | ',') && is_grouped(head)).then_some((head, tail))
}

/// One to three digits without a zero in front, then groups of three.
fn is_grouped(groups: &[&str]) -> bool {
    groups.split_first().is_some_and(|(first, rest)| {
        (1..=3).contains(&first.len())
            && !first.starts_with('0')
            && rest.iter().all(|group| group.len() == 3)
    })
}

fn form(sign: &str, whole: &str, fraction: &str) -> Option<String> {
    let whole = whole.trim_start_matches('0');
    let fraction = fraction.trim_end_matches('0');
    if whole.len() + fraction.len() > DIGITS {
        return None;
    }
    let sign = if whole.is_empty() && fraction.is_empty() {
        ""
    } else {
        sign
    };
    let whole = if whole.is_empty() { "0" } else { whole };
    Some(if fraction.is_empty() {
        format!("{sign}{whole}")
    } else {
        format!("{sign}{whole}.{fraction}")
    })
}
