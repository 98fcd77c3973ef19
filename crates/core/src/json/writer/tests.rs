use super::*;
use proptest::prelude::*;
use serde_json::{Map, Number, Value, json};

fn text(value: &impl Serialize) -> String {
    String::from_utf8(write(value, false).unwrap()).unwrap()
}

fn any_value() -> impl Strategy<Value = Value> {
    let number = prop_oneof![
        any::<i64>().prop_map(Number::from),
        any::<u64>().prop_map(Number::from),
        any::<f64>().prop_filter_map("finite", Number::from_f64),
        (-20_i64..20).prop_map(Number::from),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        number.prop_map(Value::Number),
        any::<String>().prop_map(Value::String),
        "[\\x00-\\x22\\\\/\u{7f}-\u{85}]{0,8}".prop_map(Value::String),
    ];
    // Keys on both sides of the surrogates, and those that sort alike at first.
    let key = prop_oneof![
        "[ab\"\\\\\n]{0,3}",
        "[\u{e000}\u{fffd}\u{10000}\u{1f600}\u{d7ff}z]{1,3}",
        any::<String>(),
    ];
    leaf.prop_recursive(5, 60, 8, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            proptest::collection::vec((key.clone(), inner), 0..8)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// All keys, in the order in which they stand.
fn keys(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().flat_map(keys).collect(),
        Value::Object(members) => members
            .iter()
            .flat_map(|(key, value)| [vec![key.clone()], keys(value)].concat())
            .collect(),
        _ => Vec::new(),
    }
}

proptest! {
    #[test]
    fn any_value_is_written_as_two_others_write_it(value in any_value()) {
        let ours = text(&value);
        prop_assert_eq!(&ours, &serde_json_canonicalizer::to_string(&value).unwrap());
        let mut sorted = value.clone();
        super::super::sort_members(&mut sorted);
        prop_assert_eq!(&ours, &text(&sorted));
        let in_order: Value = serde_json::from_str(&ours).unwrap();
        prop_assert_eq!(keys(&sorted), keys(&in_order));
        let theirs = String::from_utf8(serde_jcs::to_vec(&value).unwrap()).unwrap();
        prop_assert_eq!(ours, theirs);
    }
}

#[derive(Serialize)]
enum Shape {
    Unit,
    Newtype(i8),
    Tuple(u16, f32),
    Struct { z: (), a: Option<char> },
}

#[derive(Serialize)]
struct Both {
    z: [Shape; 4],
    #[serde(flatten)]
    rest: Map<String, Value>,
    m: &'static [u8],
}

#[test]
fn every_shape_of_serde_is_written_as_the_library_writes_it() {
    let both = Both {
        z: [
            Shape::Unit,
            Shape::Newtype(-7),
            Shape::Tuple(9, 0.5),
            Shape::Struct {
                z: (),
                a: Some('"'),
            },
        ],
        rest: Map::from_iter([("y".to_owned(), json!({"b": [], "a": {}}))]),
        m: &[0, 255],
    };
    assert_eq!(
        text(&both),
        serde_json_canonicalizer::to_string(&both).unwrap()
    );
}

#[test]
fn what_has_no_canonical_json_is_refused() {
    assert!(write(&9_007_199_254_740_993_u64, true).is_err());
    assert!(write(&10_000_000_000_000_000_i64, true).is_ok());
    assert_eq!(text(&9_007_199_254_740_993_u64), "9007199254740992");
    assert!(write(&f64::NAN, false).is_err());
    assert!(write(&std::collections::BTreeMap::from([(1, 2)]), false).is_err());
    let raw = serde_json::value::RawValue::from_string("{ }".to_owned()).unwrap();
    assert!(write(&raw, false).is_err());
    // Two members of one name, of which only one reader's choice would be hashed.
    let twice = Both {
        z: [Shape::Unit, Shape::Unit, Shape::Unit, Shape::Unit],
        rest: Map::from_iter([("z".to_owned(), json!(1))]),
        m: &[],
    };
    assert!(write(&twice, false).is_err());
}
