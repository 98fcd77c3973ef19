//! German, in small: regular verbs and the plurals of nouns. What is irregular is listed by the
//! manifest itself.

use std::collections::BTreeSet;

/// `schicken`: `schicke`, `schickst`, `schickt`, `geschickt` …; `verschicken`: `verschickt`.
pub(super) fn verb(base: &str, forms: &mut BTreeSet<String>) {
    let Some(stem) = base.strip_suffix("en").or_else(|| base.strip_suffix('n')) else {
        return;
    };
    // After these an `e` makes the ending speakable: `arbeite`, `arbeitest`.
    let link = if stem.ends_with(['t', 'd']) { "e" } else { "" };
    for end in ["e", "end", "et"] {
        forms.insert(format!("{stem}{end}"));
    }
    for end in ["st", "t", "te", "ten"] {
        forms.insert(format!("{stem}{link}{end}"));
    }
    forms.insert(stem.to_owned());
    let never_ge = ["be", "emp", "ent", "er", "ge", "miss", "ver", "zer"];
    if !never_ge.iter().any(|prefix| stem.starts_with(prefix)) {
        forms.insert(format!("ge{stem}{link}t"));
    }
}

/// `Nachricht`: `Nachrichten`; `Termin`: `Termine`, `Terminen`, `Termins`.
pub(super) fn noun(base: &str, forms: &mut BTreeSet<String>) {
    for end in ["e", "en", "n", "er", "ern", "s", "es"] {
        forms.insert(format!("{base}{end}"));
    }
}
