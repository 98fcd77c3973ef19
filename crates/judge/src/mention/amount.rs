//! Amounts with a currency: `$1,250.00`, `1.250,00 EUR`, `GBP 20`.

/// Currencies that are recognised by their ISO 4217 code.
const CODES: [&str; 40] = [
    "AED", "ARS", "AUD", "BGN", "BRL", "CAD", "CHF", "CLP", "CNY", "COP", "CZK", "DKK", "EGP",
    "EUR", "GBP", "HKD", "HUF", "IDR", "ILS", "INR", "JPY", "KRW", "MXN", "MYR", "NGN", "NOK",
    "NZD", "PHP", "PKR", "PLN", "RON", "RUB", "SAR", "SEK", "SGD", "THB", "TRY", "UAH", "USD",
    "ZAR",
];

/// Symbols, with the code where a symbol stands for one currency only.
const SYMBOLS: [(char, &str); 8] = [
    ('$', "$"),
    ('€', "EUR"),
    ('£', "GBP"),
    ('¥', "¥"),
    ('₹', "INR"),
    ('₩', "KRW"),
    ('₽', "RUB"),
    ('₺', "TRY"),
];

/// Every amount in the text, as `EUR 1250.5`: the currency, then the number without grouping and
/// without zeros at the end of its fraction.
pub(super) fn amounts(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut from = 0;
    while let Some(at) = text
        .get(from..)
        .and_then(|rest| rest.find(|c: char| c.is_ascii_digit()))
        .map(|found| from + found)
    {
        let length = number_length(text.get(at..).unwrap_or_default());
        let end = at + length;
        let left = text.get(..at).unwrap_or_default();
        let right = text.get(end..).unwrap_or_default();
        let part_of_word = left.ends_with(|c: char| c.is_alphanumeric() && !is_code_end(left))
            || left.ends_with(['-', '#', '/', '_', '.', ',']);
        if !part_of_word
            && let Some(number) = text.get(at..end).and_then(plain)
            && let Some(currency) = before(left).or_else(|| after(right))
        {
            out.push(format!("{currency} {number}"));
        }
        from = end.max(at + 1);
    }
    out
}

/// Currency and number of `$1,250.00`, `1250€`, `EUR20`: written without a space.
pub(super) fn split(word: &str) -> Option<(&'static str, &str)> {
    let mut chars = word.chars();
    if let Some(currency) = chars.next().and_then(symbol) {
        return Some((currency, chars.as_str()));
    }
    let mut chars = word.chars();
    if let Some(currency) = chars.next_back().and_then(symbol) {
        return Some((currency, chars.as_str()));
    }
    CODES.into_iter().find_map(|code| {
        let number = word
            .strip_prefix(code)
            .or_else(|| word.strip_suffix(code))?;
        (!number.is_empty()).then_some((code, number))
    })
}

/// A currency by itself.
pub(super) fn currency(word: &str) -> Option<&'static str> {
    let mut chars = word.chars();
    match (chars.next().and_then(symbol), chars.next()) {
        (Some(currency), None) => Some(currency),
        _ => CODES.into_iter().find(|code| *code == word),
    }
}

/// `USD20`: a code directly before its number.
fn is_code_end(left: &str) -> bool {
    before(left).is_some()
}

/// Digits, and separators that stand between digits.
fn number_length(text: &str) -> usize {
    let mut end = 0;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let next_is_digit = chars.peek().is_some_and(|(_, c)| c.is_ascii_digit());
        if c.is_ascii_digit() || (matches!(c, '.' | ',' | '\'' | '’' | '\u{202f}') && next_is_digit)
        {
            end = at + c.len_utf8();
        } else {
            break;
        }
    }
    end
}

/// The number without grouping; `None` if it cannot be told what it means.
fn plain(written: &str) -> Option<String> {
    let separators: Vec<(usize, char)> = written
        .char_indices()
        .filter(|(_, c)| !c.is_ascii_digit())
        .collect();
    let point = match separators.last() {
        None => None,
        Some((at, c)) => {
            let digits = written.len().checked_sub(at + c.len_utf8())?;
            let same = separators.iter().filter(|(_, other)| other == c).count();
            // Three digits after a single kind of separator are a group: `1,250`, `1.250.000`.
            let groups = digits == 3 && separators.iter().all(|(_, other)| other == c);
            match (groups, same) {
                (true, _) => None,
                (false, 1) if matches!(c, '.' | ',') => Some(*at),
                (false, _) => return None,
            }
        }
    };
    let digits = |text: &str| -> String { text.chars().filter(char::is_ascii_digit).collect() };
    let (whole, fraction) = match point {
        Some(at) => (digits(written.get(..at)?), digits(written.get(at..)?)),
        None => (digits(written), String::new()),
    };
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    let fraction = fraction.trim_end_matches('0');
    Some(if fraction.is_empty() {
        whole.to_owned()
    } else {
        format!("{whole}.{fraction}")
    })
}

fn before(left: &str) -> Option<&'static str> {
    let left = left
        .strip_suffix([' ', '\u{a0}', '\u{202f}'])
        .unwrap_or(left);
    if let Some(symbol) = left.chars().next_back().and_then(symbol) {
        return Some(symbol);
    }
    CODES.into_iter().find(|code| {
        left.strip_suffix(code)
            .is_some_and(|rest| !rest.ends_with(char::is_alphanumeric))
    })
}

fn after(right: &str) -> Option<&'static str> {
    let right = right
        .strip_prefix([' ', '\u{a0}', '\u{202f}'])
        .unwrap_or(right);
    if let Some(symbol) = right.chars().next().and_then(symbol) {
        return Some(symbol);
    }
    CODES.into_iter().find(|code| {
        right
            .strip_prefix(code)
            .is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
    })
}

fn symbol(c: char) -> Option<&'static str> {
    SYMBOLS
        .iter()
        .find(|(symbol, _)| *symbol == c)
        .map(|(_, name)| *name)
}
