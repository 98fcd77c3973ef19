//! Texts that the strict reader takes, with their canonical form, and texts that it refuses.

use countersign_core::json::{CanonicalJson, parse};
use serde_json::{Value, json};

use crate::files;

const ROOM: usize = 1 << 20;

fn accepted() -> Vec<(&'static str, String)> {
    vec![
        ("white space", " \t\r\n{ \"a\" : [ 1 , 2 ] }\n".into()),
        (
            "keys by utf-16 code units",
            r#"{"\u20ac":1,"\r":2,"\ufb33":3,"1":4,"\ud83d\ude00":5,"\u0080":6,"\u00f6":7}"#.into(),
        ),
        (
            "escapes",
            r#""\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/\b\f\n\r\t""#.into(),
        ),
        (
            "delete and line separators stand as they are",
            "\"\u{7f}\u{2028}\u{2029}\"".into(),
        ),
        ("surrogate pair", r#""\uD83D\uDE00""#.into()),
        ("zeroes", "[0,-0,0.0,-0.0,0e0,0e999,0.000]".into()),
        (
            "whole numbers with fractions",
            "[1.0,10.50,1e3,1E+2,100e-2,1.50e1]".into(),
        ),
        (
            "integers to 2^53",
            "[9007199254740991,9007199254740992,-9007199254740992]".into(),
        ),
        (
            "large numbers that a double holds",
            "[1e21,1e22,100000000000000000000,1.7976931348623157e308]".into(),
        ),
        (
            "small numbers",
            "[0.1,0.000001,1e-7,5e-324,2.2250738585072014e-308]".into(),
        ),
        ("depth 64", format!("{}{}", "[".repeat(64), "]".repeat(64))),
        ("scalars alone", "null".into()),
        ("empty key", r#"{"":{}}"#.into()),
        ("nul", r#""\u0000""#.into()),
    ]
}

fn refused() -> Vec<(&'static str, String)> {
    vec![
        ("nothing", String::new()),
        ("byte order mark", "\u{feff}1".into()),
        ("duplicate key", r#"{"a":1,"a":1}"#.into()),
        ("duplicate key by escape", r#"{"a":1,"\u0061":2}"#.into()),
        (
            "duplicate key deep inside",
            r#"[{"x":{"a":1,"b":2,"a":3}}]"#.into(),
        ),
        ("lone high surrogate", r#""\ud800""#.into()),
        ("lone low surrogate", r#""\udc00""#.into()),
        ("surrogates in the wrong order", r#""\udc00\ud800""#.into()),
        ("high surrogate before a letter", r#""\ud800\u0041""#.into()),
        ("2^53+1", "9007199254740993".into()),
        ("-2^53-1", "-9007199254740993".into()),
        ("2^64", "18446744073709551616".into()),
        ("overflow", "1e400".into()),
        ("underflow", "1e-400".into()),
        (
            "more digits than a double holds",
            "0.1000000000000000055".into(),
        ),
        ("nearly one", "1.00000000000000000001".into()),
        ("nan", "NaN".into()),
        ("infinity", "-Infinity".into()),
        ("leading zero", "01".into()),
        ("plus sign", "+1".into()),
        ("bare fraction", ".5".into()),
        ("bare point", "1.".into()),
        ("bare exponent", "1e".into()),
        ("hex", "0x10".into()),
        ("trailing comma", "[1,]".into()),
        ("trailing comma in an object", r#"{"a":1,}"#.into()),
        ("two values", "1 2".into()),
        ("single quotes", "'a'".into()),
        ("bare key", "{a:1}".into()),
        ("comment", "/* */1".into()),
        ("control character in a string", "\"a\u{1}\"".into()),
        ("newline in a string", "\"a\n\"".into()),
        ("unknown escape", r#""\x41""#.into()),
        ("short escape", r#""\u41""#.into()),
        ("depth 65", format!("{}{}", "[".repeat(65), "]".repeat(65))),
        (
            "depth 200",
            format!("{}{}", "{\"a\":".repeat(200), "}".repeat(200)),
        ),
        ("no-break space", "\u{a0}1".into()),
        ("unclosed", r#"{"a":[1"#.into()),
    ]
}

fn vectors() -> Value {
    let canonical = |text: &str| {
        let value = parse(text.as_bytes(), ROOM).unwrap_or_else(|e| panic!("{text}: {e}"));
        String::from_utf8(CanonicalJson::of(&value).unwrap().into_bytes()).unwrap()
    };
    let accepted: Vec<Value> = accepted()
        .iter()
        .map(|(name, text)| json!({"name": name, "input": text, "canonical": canonical(text)}))
        .collect();
    let refused: Vec<Value> = refused()
        .iter()
        .map(|(name, text)| json!({"name": name, "input": text}))
        .collect();
    let current = json!({"accepted": accepted, "refused": refused});
    let current = serde_json::to_string_pretty(&current).unwrap() + "\n";
    let path = files::vectors("strict-json.json");
    let text = files::golden(&path, "UPDATE_VECTORS", &current);
    assert_eq!(text, current, "UPDATE_VECTORS=1 writes them anew");
    serde_json::from_str(&text).unwrap()
}

#[test]
fn accepted_texts_have_the_canonical_form_of_the_vectors() {
    let vectors = vectors();
    for vector in vectors["accepted"].as_array().unwrap() {
        let (text, canonical) = (
            vector["input"].as_str().unwrap(),
            vector["canonical"].as_str(),
        );
        let value = parse(text.as_bytes(), ROOM).unwrap();
        let ours = CanonicalJson::of(&value).unwrap();
        assert_eq!(
            Some(std::str::from_utf8(ours.as_bytes()).unwrap()),
            canonical,
            "{text}"
        );
        // The canonical form is a fixed point, and another implementation agrees.
        assert_eq!(parse(ours.as_bytes(), ROOM).unwrap(), value, "{text}");
        let foreign: Value = serde_json::from_str(text).unwrap();
        assert_eq!(
            serde_jcs::to_vec(&foreign).unwrap(),
            ours.as_bytes(),
            "{text}"
        );
    }
}

#[test]
fn refused_texts_are_refused() {
    let vectors = vectors();
    for vector in vectors["refused"].as_array().unwrap() {
        let text = vector["input"].as_str().unwrap();
        assert!(
            parse(text.as_bytes(), ROOM).is_err(),
            "{}: {text}",
            vector["name"]
        );
    }
    for bytes in [
        &b"\"\xff\""[..],
        b"\"\xc0\xaf\"",
        b"\"\xed\xa0\x80\"",
        b"\"\xf4\x90\x80\x80\"",
    ] {
        assert!(parse(bytes, ROOM).is_err(), "{bytes:?}");
    }
}
