use serde_json::{Value, json};

use super::amount::amounts;
use super::quantity::{self, Issued};
use super::{Index, account};
use crate::value::{plain_keys, quantity_keys};

#[test]
fn amounts_are_read_as_people_write_them() {
    for (text, expected) in [
        ("$1,250.00", "$ 1250"),
        ("$ 20", "$ 20"),
        ("1.250,00 EUR", "EUR 1250"),
        ("1 EUR", "EUR 1"),
        ("EUR20", "EUR 20"),
        ("€7,5", "EUR 7.5"),
        ("7.50€", "EUR 7.5"),
        ("GBP 1,250", "GBP 1250"),
        ("CHF 1'250.05", "CHF 1250.05"),
        ("¥1.250.000", "¥ 1250000"),
        ("USD 0.05", "USD 0.05"),
        ("USD 1,234,567.89.", "USD 1234567.89"),
    ] {
        assert_eq!(amounts(text), [expected], "{text}");
    }
    for none in [
        "20",
        "20 USDT",
        "XEUR 20",
        "INV-20 EUR",
        "#20 EUR",
        "1.2.3 EUR",
        "v1.20 EUR",
        "EUR",
        "٢٠ EUR",
    ] {
        assert!(amounts(none).is_empty(), "{none}: {:?}", amounts(none));
    }
}

/// Whether the words, said on 2024-05-20, hold the quantity.
fn says(text: &str, value: &Value) -> bool {
    let mut index = Index::default();
    let issued = Issued::at("2024-05-20T08:00:00.000Z".parse().unwrap());
    quantity::scan(text, issued, &mut |found| index.add(0, found));
    !index.find(&quantity_keys(value)).is_empty()
}

#[track_caller]
fn check(cases: &[(&str, Value)], expected: bool) {
    let wrong: Vec<_> = cases
        .iter()
        .filter(|(text, value)| says(text, value) != expected)
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_number_is_the_same_however_it_is_spelt() {
    check(
        &[
            ("pay 1250 now", json!(1250)),
            ("pay 1250.", json!(1250.0)),
            ("pay 1250", json!(1.25e3)),
            ("pay 1250", json!("1250")),
            ("pay 1250", json!("1250.00")),
            ("pay 1250.50", json!(1250.5)),
            ("pay 1,250,000", json!(1_250_000)),
            ("pay 1,250.00", json!(1250)),
            ("pay 1.250,00", json!(1250)),
            ("pay 1'250", json!(1250)),
            ("pay 1\u{202f}250", json!(1250)),
            ("pay $1,250", json!(1250)),
            ("pay $1,250", json!("$1,250.00")),
            ("pay $1,250", json!("$ 1250")),
            ("pay 1,250 dollars", json!(1250)),
            ("pay EUR 1250.5", json!(1250.5)),
            ("pay EUR 1250.5", json!("1250.50 EUR")),
            ("pay EUR1250", json!("EUR 1250")),
            ("pay 12,50\u{20ac}", json!(12.5)),
            ("(1250)", json!(1250)),
            ("**1250**", json!(1250)),
            ("20% off", json!(20)),
            ("a 1-hour call", json!(1)),
            ("a 1.5-hour call", json!(1.5)),
            ("minus -5 degrees", json!(-5)),
            ("0.5", json!(0.5)),
            ("0", json!(-0.0)),
            ("fifty people", json!(50)),
            ("Twenty-five people", json!(25)),
            ("twenty five people", json!(25)),
            ("for one hour", json!(1)),
            (
                "12345678901234567890",
                json!(12_345_678_901_234_567_890_u64),
            ),
        ],
        true,
    );
}

#[test]
fn what_could_be_another_number_is_none() {
    check(
        &[
            ("pay 1,250 now", json!(1250)),
            ("pay 1,250 now", json!(1.25)),
            ("pay 1.250 now", json!(1250)),
            ("pay 1.250 now", json!(1.25)),
            ("pay 1,250 now", json!(1)),
            ("pay 1,250 now", json!(250)),
            ("pay 1 250 now", json!(1)),
            ("pay 1 250 now", json!(250)),
            ("pay 1 250 now", json!(1250)),
            ("rows 1,2", json!(1.2)),
            ("pay 1250", json!("1,250")),
            ("pay 1250", json!("1e3")),
            ("pay 1000", json!("1e3")),
            ("pay 1e3", json!(1000)),
            ("pay EUR 1250", json!("USD 1250")),
            ("pay EUR 1250", json!("$1250")),
            ("pay 1250", json!("EUR 1250")),
            ("pay 12500", json!(1250)),
            ("pay 1250x", json!(1250)),
            ("INV-1250", json!(1250)),
            ("#1250", json!(1250)),
            ("v1.2", json!(1.2)),
            ("1.2.3", json!(1.2)),
            ("10-20", json!(10)),
            ("10/20", json!(10)),
            ("at 10:00", json!(10)),
            ("on 2024-05-24", json!(2024)),
            ("on May 24th", json!(24)),
            ("on 24 May 2024", json!(2024)),
            ("5 thousand", json!(5)),
            ("five thousand", json!(5)),
            ("two hundred and fifty", json!(50)),
            ("two hundred and fifty", json!(2)),
            ("twenty five", json!(20)),
            ("twenty five", json!(5)),
            ("the one there", json!(1)),
            ("one of them", json!(1)),
            ("no one came", json!(1)),
            ("the 5th", json!(5)),
            ("12\u{200b}50", json!(12)),
            ("12\u{200b}50", json!(1250)),
            ("\u{661}\u{662}", json!(12)),
            ("\u{ff11}\u{ff12}", json!(12)),
            ("1250", json!(1e300)),
            ("1250", json!(true)),
            ("1250", json!(["1250"])),
            ("", json!("")),
        ],
        false,
    );
}

#[test]
fn a_date_is_the_same_however_it_is_spelt() {
    check(
        &[
            ("on 2024-05-24.", json!("2024-05-24")),
            ("on May 24th, 2024", json!("2024-05-24")),
            ("on May 24 2024", json!("2024-05-24")),
            ("on 24 May 2024", json!("2024-05-24")),
            ("the 24th of May, 2024", json!("2024-05-24")),
            ("on 5/24/2024", json!("2024-05-24")),
            ("on 24/5/2024", json!("2024-05-24")),
            ("on 24.05.2024", json!("2024-05-24")),
            ("on 2024/05/24", json!("2024-05-24")),
            ("on 2024-05-24", json!("May 24th, 2024")),
            ("on 2024-05-24", json!("24 May 2024")),
            ("on 5/5/2024", json!("2024-05-05")),
            // the last and the next such day
            ("on May 24th", json!("2024-05-24")),
            ("on May 24th", json!("2023-05-24")),
            ("on 18 May", json!("2024-05-18")),
            ("on 18 May", json!("2025-05-18")),
            ("on May 20", json!("2024-05-20")),
            ("on Sept. 3", json!("2024-09-03")),
            ("on May 24th", json!("24 May")),
            ("at 10:00", json!("10:00")),
            ("at 10:00", json!("10:00:00")),
            ("at 9:05", json!("09:05")),
            ("at 10am", json!("10:00")),
            ("at 10 am", json!("10:00")),
            ("at 10:30 p.m.", json!("22:30")),
            ("at 12am, at 12 pm", json!("00:00")),
            ("at noon", json!("12:00")),
            ("10:00-11:30", json!("11:30")),
            ("2pm\u{2013}3pm", json!("15:00")),
            ("on 2024-05-19 at 12:00", json!("2024-05-19 12:00")),
            ("at noon on May 19th, 2024", json!("2024-05-19T12:00")),
            (
                "at noon on May 19th, 2024",
                json!("2024-05-19T12:00:00.000"),
            ),
            ("by 2024-05-19T12:00Z", json!("2024-05-19T12:00:00Z")),
            ("by 2024-05-19T12:00", json!("2024-05-19 12:00")),
            ("by 2024-05-19T12:00", json!("2024-05-19")),
        ],
        true,
    );
}

#[test]
fn what_could_be_another_date_is_none() {
    check(
        &[
            ("on 5/6/2024", json!("2024-05-06")),
            ("on 5/6/2024", json!("2024-06-05")),
            ("on 2024-06-05", json!("5/6/2024")),
            ("on 5/24/24", json!("2024-05-24")),
            ("on 2024-05-24", json!("2024-05-25")),
            ("on 2024-02-30", json!("2024-02-30T10:00")),
            ("on May 24th", json!("2025-05-24")),
            ("on May 24th", json!("2022-05-24")),
            ("on May 24th, 2023", json!("2024-05-24")),
            ("on May 24th, 2024", json!("24 May")),
            ("in May 2024", json!("2024-05-01")),
            ("May. 24 of them", json!("2025-05-24")),
            ("on Friday", json!("2024-05-24")),
            ("at 10:00", json!("22:00")),
            ("at 10:00", json!("10:30")),
            ("at 10:00", json!("10:00:01")),
            ("at 10", json!("10:00")),
            ("at 13pm", json!("13:00")),
            ("at 24:00", json!("24:00:01")),
            ("at 25:00", json!("01:00")),
            ("on 2024-05-19", json!("2024-05-19 12:00")),
            ("at 12:00", json!("2024-05-19 12:00")),
            ("on 2024-05-19 at 12:00", json!("2024-05-19T12:00Z")),
            ("on 2024-05-19 at 12:00", json!("2024-05-19T12:00+02:00")),
            ("by 2024-05-19T12:00Z", json!("2024-05-19 12:00")),
            ("by 2024-05-19T12:00Z", json!("2024-05-19T14:00+02:00")),
            ("on 2024-05-19 at 12:00", json!("2024-05-19T12:00\r\nX: y")),
            ("on 2024\u{2010}05\u{2010}19", json!("2024-05-19")),
            ("2024-05-19", json!("\u{200b}2024-05-19")),
        ],
        false,
    );
}

#[test]
fn accounts_are_found_whole() {
    let says = |text: &str, value: &str| {
        let mut index = Index::default();
        account::scan(text, &mut |found| index.add(0, found));
        !index.find(&plain_keys(&json!(value))).is_empty()
    };
    let iban = "GB29NWBK60161331926819";
    for (text, value) in [
        ("to GB29 NWBK 6016 1331 9268 19, please", iban),
        ("to gb29nwbk60161331926819.", iban),
        ("IBAN: GB29-NWBK-6016-1331-9268-19", iban),
        (iban, "GB29 NWBK 6016 1331 9268 19"),
        ("call +1 (202) 555-0143!", "+12025550143"),
        ("call +12025550143", "+1 202 555 0143"),
        ("call 202-555-0143", "202 555 0143"),
    ] {
        assert!(says(text, value), "{value:?} in {text:?}");
    }
    for (text, value) in [
        (
            "to GB29 NWBK 6016 1331 9268 19 7",
            "GB29NWBK601613319268197",
        ),
        ("to XGB29NWBK60161331926819", iban),
        ("to GB29NWBK60161331926819X", iban),
        ("to GB29NWBK60161331926819\u{200b}", iban),
        ("to GB29NWBK60161331926818", "GB29NWBK60161331926818"),
        ("call 202-555-0143", "+12025550143"),
        ("call +1 202 555 0143", "202 555 0143"),
        ("call +1 202 555 01430", "+12025550143"),
        ("call 1202-555-0143", "202-555-0143"),
        ("\u{202e}+12025550143", "+12025550143"),
    ] {
        assert!(!says(text, value), "{value:?} in {text:?}");
    }
}
