//! Amounts: exact, in units of the last decimal place.

use crate::json::pointer::name_of;
use serde_json::Value;

use super::COUNTER_MAX;
use super::count::Uncountable;

/// Most values of one call that a counter looks at.
const VALUES: usize = 10_000;
/// Longest text of an amount, in bytes.
const AMOUNT_BYTES: usize = 64;

/// The values at a JSON Pointer. A list on the way stands for each of its items; what is not there,
/// or `null`, is no value.
pub(super) fn values_at<'a>(args: &'a Value, pointer: &str) -> Result<Vec<&'a Value>, Uncountable> {
    let mut found = Vec::new();
    let steps: Vec<String> = pointer.split('/').skip(1).map(name_of).collect();
    gather(args, &steps, &mut found)?;
    Ok(found)
}

fn gather<'a>(
    value: &'a Value,
    steps: &[String],
    found: &mut Vec<&'a Value>,
) -> Result<(), Uncountable> {
    if found.len() > VALUES {
        return Err(Uncountable::TooMany);
    }
    match (value, steps) {
        (Value::Null, _) => Ok(()),
        (Value::Array(items), [step, rest @ ..]) => match index(step).and_then(|n| items.get(n)) {
            Some(item) => gather(item, rest, found),
            None => items.iter().try_for_each(|item| gather(item, steps, found)),
        },
        (Value::Array(items), []) => items.iter().try_for_each(|item| gather(item, steps, found)),
        (value, []) => {
            found.push(value);
            Ok(())
        }
        (value, [step, rest @ ..]) => match value.get(step) {
            Some(inner) => gather(inner, rest, found),
            None => Ok(()),
        },
    }
}

fn index(step: &str) -> Option<usize> {
    let is_index = !step.is_empty() && step.bytes().all(|b| b.is_ascii_digit());
    is_index.then(|| step.parse().ok()).flatten()
}

/// An amount times ten to the power of `decimals`: a whole number from 0 up, or it does not count.
pub(super) fn amount(value: &Value, decimals: u8) -> Result<i64, Uncountable> {
    let text = match value {
        Value::Number(number) => number.to_string(),
        // Readers of texts part over an exponent: some stop before it.
        Value::String(text) if !text.contains(['e', 'E']) => text.clone(),
        _ => return Err(Uncountable::NoAmount),
    };
    let scaled = scaled(&text, decimals)?;
    match scaled {
        0..=COUNTER_MAX => Ok(scaled),
        _ => Err(Uncountable::TooLarge),
    }
}

fn scaled(text: &str, decimals: u8) -> Result<i64, Uncountable> {
    if text.len() > AMOUNT_BYTES {
        return Err(Uncountable::NoAmount);
    }
    let (is_negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()),
        None => (unsigned, Some(0)),
    };
    let exponent = exponent.ok_or(Uncountable::NoAmount)?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !is_digits(whole) || !is_digits(fraction) {
        return Err(Uncountable::NoAmount);
    }
    let digits = format!("{whole}{fraction}");
    let digits = digits.trim_start_matches('0');
    let significant = digits.trim_end_matches('0');
    if significant.is_empty() {
        return Ok(0);
    }
    if is_negative {
        return Err(Uncountable::Negative);
    }
    let length = |text: &str| i64::try_from(text.len()).unwrap_or(i64::MAX);
    let zeros = exponent
        .saturating_add(i64::from(decimals))
        .saturating_sub(length(fraction))
        .saturating_add(length(digits).saturating_sub(length(significant)));
    let zeros = match u32::try_from(zeros) {
        Ok(zeros) => zeros,
        Err(_) if zeros < 0 => return Err(Uncountable::TooFine),
        Err(_) => return Err(Uncountable::TooLarge),
    };
    let number = significant.parse::<i64>().ok();
    let scaled = number.and_then(|number| number.checked_mul(10_i64.checked_pow(zeros)?));
    scaled.ok_or(Uncountable::TooLarge)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn amounts_are_exact_or_none() {
        let read = |text: &str, decimals| {
            let number: serde_json::Number = text.parse().unwrap();
            amount(&Value::Number(number), decimals)
        };
        assert_eq!(read("12.50", 2), Ok(1_250));
        assert_eq!(read("1e3", 2), Ok(100_000));
        assert_eq!(read("0.1", 2), Ok(10));
        assert_eq!(read("1e-2", 2), Ok(1));
        assert_eq!(read("-0", 0), Ok(0));
        assert_eq!(read("9007199254740991", 0), Ok(COUNTER_MAX));
        assert_eq!(read("0.001", 2), Err(Uncountable::TooFine));
        assert_eq!(read("1e-300", 2), Err(Uncountable::TooFine));
        assert_eq!(read("12.5", 0), Err(Uncountable::TooFine));
        assert_eq!(read("-1", 2), Err(Uncountable::Negative));
        assert_eq!(read("9007199254740992", 0), Err(Uncountable::TooLarge));
        assert_eq!(read("1e300", 2), Err(Uncountable::TooLarge));
        assert_eq!(amount(&json!("12.50"), 2), Ok(1_250));
        for no_amount in [
            json!("12,50"),
            json!(""),
            json!("."),
            json!("1."),
            json!("1000e-3"),
            json!("1e3"),
            json!("1e99999999999999999999"),
            json!(" 5"),
            json!("+5"),
            json!("NaN"),
            json!("inf"),
            json!("0x10"),
            json!("1_000"),
            json!("\u{0661}"),
            json!(true),
            json!({}),
        ] {
            assert_eq!(
                amount(&no_amount, 2),
                Err(Uncountable::NoAmount),
                "{no_amount}"
            );
        }
    }

    #[test]
    fn a_list_on_the_way_stands_for_its_items() {
        let args = json!({"payments": [{"amount": 1}, {"amount": 2}, {}, {"amount": null}], "a/b": [3, [4]]});
        let found = |pointer| values_at(&args, pointer).unwrap();
        assert_eq!(found("/payments/amount"), [&json!(1), &json!(2)]);
        assert_eq!(found("/payments/1/amount"), [&json!(2)]);
        assert_eq!(found("/a~1b"), [&json!(3), &json!(4)]);
        assert!(found("/nothing/here").is_empty());
    }
}
