//! Numbers that mean the same before and after canonical JSON.
//!
//! RFC 8785 writes every number as ECMAScript writes the nearest IEEE 754 double. Two texts that
//! differ can so become one: `9007199254740993` and `9007199254740992`. A text is accepted only
//! if its exact decimal value is that of its canonical text.

use serde_json::{Number, Value};

/// Longest text of a number: no accepted number needs more, and exact comparison stays cheap.
const NUMBER_BYTES: usize = 400;

/// Largest magnitude up to which every integer is a double.
pub(super) const SAFE_INTEGER: f64 = 9_007_199_254_740_992.0;

/// Most digits of an integer that is read without asking what canonical JSON would make of it: all
/// such are doubles, and ECMAScript writes them as they stand.
const PLAIN_DIGITS: usize = 15;

/// The number that `text` (already known to be JSON syntax) means, if it survives canonical JSON.
pub(super) fn exact(text: &str) -> Option<Number> {
    if let Some(integer) = plain_integer(text) {
        return Some(integer.into());
    }
    if text.len() > NUMBER_BYTES {
        return None;
    }
    let double: f64 = text.parse().ok().filter(|d: &f64| d.is_finite())?;
    let canonical = serde_json_canonicalizer::to_string(&Value::from(double)).ok()?;
    if Decimal::of(text)? != Decimal::of(&canonical)? {
        return None;
    }
    if double.fract() == 0.0 && double.abs() <= SAFE_INTEGER {
        // An integer stays an integer, however it was written: `1.0` and `1e0` are `1`.
        return format!("{double:.0}").parse::<i64>().ok().map(Number::from);
    }
    Number::from_f64(double)
}

/// Digits with at most a minus before them, few enough. Most numbers are such.
fn plain_integer(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = digits.len() <= PLAIN_DIGITS && digits.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| text.parse().ok())?
}

/// An exact decimal: digits without zeros at either end, times ten to the exponent.
#[derive(PartialEq, Eq)]
struct Decimal {
    negative: bool,
    digits: String,
    exponent: i64,
}

impl Decimal {
    fn of(text: &str) -> Option<Self> {
        let (negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
            None => (text, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = format!("{whole}{fraction}");
        let significant = all.trim_start_matches('0').trim_end_matches('0');
        if significant.is_empty() {
            return Some(Self {
                negative: false,
                digits: String::new(),
                exponent: 0,
            });
        }
        let trailing = all.len().checked_sub(all.trim_end_matches('0').len())?;
        let scale = i64::try_from(trailing)
            .ok()?
            .checked_sub(i64::try_from(fraction.len()).ok()?)?;
        Some(Self {
            negative,
            digits: significant.to_owned(),
            exponent: exponent.checked_add(scale)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::exact;

    #[test]
    fn numbers_that_survive_canonical_json_pass() {
        for (text, canonical) in [
            ("0", "0"),
            ("-0", "0"),
            ("1.0", "1"),
            ("10.50", "10.5"),
            ("1e3", "1000"),
            ("1E+2", "100"),
            ("9007199254740992", "9007199254740992"),
            ("-9007199254740991", "-9007199254740991"),
            ("0.1", "0.1"),
            ("1e21", "1e+21"),
            ("1e-7", "1e-7"),
            ("0.000001", "0.000001"),
            ("0e999", "0"),
            ("100000000000000000000", "100000000000000000000"),
            ("5e-324", "5e-324"),
            ("999999999999999", "999999999999999"),
            ("-999999999999999", "-999999999999999"),
            ("1000000000000000", "1000000000000000"),
        ] {
            let number = exact(text).unwrap_or_else(|| panic!("{text} was refused"));
            assert_eq!(
                serde_json_canonicalizer::to_string(&number).unwrap(),
                canonical,
                "{text}"
            );
        }
    }

    #[test]
    fn the_short_way_reads_what_the_long_way_reads() {
        for digits in 1..=16_u32 {
            for near in [-1, 0, 1] {
                for sign in ["", "-"] {
                    let text = format!("{sign}{}", 10_i64.pow(digits - 1) + near);
                    let plain = exact(&text).unwrap();
                    let long = exact(&format!("{text}.0")).unwrap();
                    assert_eq!((&plain, plain.is_i64()), (&long, long.is_i64()), "{text}");
                }
            }
        }
        assert!(super::plain_integer("1e3").is_none());
        assert!(super::plain_integer("1.5").is_none());
        assert!(super::plain_integer("1234567890123456").is_none());
        assert!(super::plain_integer("-").is_none());
    }

    #[test]
    fn numbers_that_would_change_are_refused() {
        let long = format!("0.{}1", "0".repeat(500));
        for text in [
            "9007199254740993",
            "1e400",
            "-1e400",
            "0.1000000000000000055",
            "18446744073709551615",
            "123456789012345678901234567890",
            "1e-400",
            "1.00000000000000000001",
            "1152921504606846976",
            &long,
        ] {
            assert!(exact(text).is_none(), "{text} was accepted");
        }
    }
}
