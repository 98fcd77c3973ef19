//! Amounts of time as people write them.

/// Reads seconds, or a number with `s`, `m`, `h` or `d`.
pub(crate) fn seconds(text: &str) -> Result<u64, String> {
    let refused = || {
        format!(
            "`{text}` is no length of time: allowed are numbers with s, m, h or d, such as 90s or 12h"
        )
    };
    let (number, factor) = match text.as_bytes().last() {
        Some(b's') => (text.strip_suffix('s'), 1),
        Some(b'm') => (text.strip_suffix('m'), 60),
        Some(b'h') => (text.strip_suffix('h'), 3_600),
        Some(b'd') => (text.strip_suffix('d'), 86_400),
        _ => (Some(text), 1),
    };
    let number: u64 = number
        .and_then(|number| number.parse().ok())
        .ok_or_else(refused)?;
    number.checked_mul(factor).ok_or_else(refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time() {
        assert_eq!(seconds("90"), Ok(90));
        assert_eq!(seconds("12h"), Ok(43_200));
        assert_eq!(seconds("30d"), Ok(2_592_000));
        for text in ["", "h", "1.5h", "-1", "1 h", "99999999999999999999d", "1w"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }
}
