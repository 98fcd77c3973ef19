//! What holds for any bytes that come as a file of sealed records, or as a recipient's key.

use std::sync::OnceLock;

use countersign_note::VerifierKey;
use countersign_seal::{ExportFile, RecipientKey, RecipientSecret, unseal};
use countersign_verify::{Trust, Word};
use serde_json::Value;

/// One record of a log that is made up, sealed to the key of [`secret`].
const SEALED: &[u8] = include_bytes!("sealed.json");
/// The key of that log.
const LOG_KEY: &str = include_str!("log.key.pub");

/// The key that [`SEALED`] is for.
fn secret() -> RecipientSecret {
    RecipientSecret::from_bytes(&[1; 32].into()).unwrap()
}

fn sealed() -> &'static Value {
    static FILE: OnceLock<Value> = OnceLock::new();
    FILE.get_or_init(|| serde_json::from_slice(SEALED).unwrap())
}

/// A file as it is; or lines `PLACE VALUE`, each putting a JSON value in a place of a sound file (a
/// JSON pointer). Whatever was changed of it, nothing opens but what was sealed, under the header
/// under which it was.
pub(crate) fn vault_export(data: &[u8]) {
    export(data);
    if let Ok(lines) = std::str::from_utf8(data) {
        let mut file = sealed().clone();
        for line in lines.lines() {
            let (place, value) = line.split_once(' ').unwrap_or((line, "null"));
            let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
            if let Some(slot) = file.pointer_mut(place) {
                *slot = value;
            }
        }
        export(file.to_string().as_bytes());
    }
}

fn export(bytes: &[u8]) {
    let Ok(file) = ExportFile::parse(bytes) else {
        return;
    };
    let again = ExportFile::parse(&file.to_bytes()).unwrap();
    assert_eq!(again, file);
    let key: VerifierKey = LOG_KEY.trim().parse().unwrap();
    let Ok(found) = unseal(&file, &secret(), &Trust::in_key(key)) else {
        return;
    };
    // Nothing anchors it.
    assert_ne!(found.word, Word::Trusted);
    assert_eq!(found.records.len(), file.records.len());
    let sound: ExportFile = serde_json::from_value(sealed().clone()).unwrap();
    for record in &found.records {
        assert!(record.document.is_none() || file.header == sound.header);
    }
    if found.word != Word::Failed {
        assert!(found.findings.is_empty());
        let leaves = |file: &ExportFile| {
            let all = file.entries.iter().chain(&file.openings);
            all.map(|proven| proven.leaf.clone()).collect::<Vec<_>>()
        };
        assert_eq!(leaves(&file), leaves(&sound));
    }
}

/// A text as a key, and the first 32 bytes as one: what is read is written again as it was, and what
/// is written is read.
pub(crate) fn recipient_key(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data)
        && let Ok(key) = text.parse::<RecipientKey>()
    {
        assert_eq!(key.to_string(), text.trim());
    }
    let Some(bytes) = data.first_chunk::<32>() else {
        return;
    };
    let Ok(key) = RecipientKey::from_bytes(*bytes) else {
        return;
    };
    assert_eq!(key.as_bytes(), bytes);
    let text = key.to_string();
    assert_eq!(text.parse(), Ok(key));
    // One digit is another one: the checksum says so.
    let at = text.len().saturating_sub(usize::from(bytes[0]) % 70).max(1) - 1;
    let mut other = text.clone().into_bytes();
    if other[at].is_ascii_hexdigit() {
        other[at] = if other[at] == b'0' { b'1' } else { b'0' };
        let other = String::from_utf8(other).unwrap();
        assert!(other.parse::<RecipientKey>().is_err());
    }
}
