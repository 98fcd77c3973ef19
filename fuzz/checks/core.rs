//! What holds for any bytes that are read as JSON or as an entry.

use countersign_core::entry::AnyEntry;
use countersign_core::json::{self, CanonicalJson};
use serde_json::Value;

/// The longest text that is read here.
const LONGEST: usize = 1 << 16;

/// What is read strictly is JSON to others, too, and its canonical form is its only one.
pub(crate) fn strict_json(data: &[u8]) {
    let Ok(value) = json::parse(data, LONGEST) else {
        return;
    };
    assert!(serde_json::from_slice::<Value>(data).is_ok());
    let canonical = CanonicalJson::of(&value).unwrap();
    let again = json::parse(canonical.as_bytes(), canonical.as_bytes().len()).unwrap();
    assert_eq!(
        CanonicalJson::of(&again).unwrap().as_bytes(),
        canonical.as_bytes()
    );
    if let Ok(exact) = CanonicalJson::of_exact(&value) {
        assert_eq!(exact.as_bytes(), canonical.as_bytes());
    }
}

/// An entry that is read has the very bytes as its leaf.
pub(crate) fn entry(data: &[u8]) {
    let Ok(entry) = AnyEntry::from_leaf(data) else {
        return;
    };
    // A leaf is canonical, whatever its kind.
    let value = json::parse(data, LONGEST).unwrap();
    assert_eq!(CanonicalJson::of(&value).unwrap().as_bytes(), data);
    if let AnyEntry::Known(entry) = entry {
        assert_eq!(entry.to_leaf().unwrap().as_bytes(), data);
    }
}
