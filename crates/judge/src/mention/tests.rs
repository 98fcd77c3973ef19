use super::amount::amounts;

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
