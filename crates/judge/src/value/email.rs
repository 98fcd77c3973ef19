//! E-mail addresses: the `Mailbox` of RFC 5321 section 4.1.2 with a `Dot-string` as its local
//! part and a domain name, and letters beyond ASCII as in RFC 6531.
//!
//! Quoted local parts, address literals, display names, comments and lists are refused: nobody
//! needs them in a tool call, and each has carried a second address past a check.

use super::{Domain, Key, KeyKind, Parsed, text};

/// Longest local part (RFC 5321 section 4.5.3.1.1).
const LOCAL_BYTES: usize = 64;
/// Longest address: the longest path of RFC 5321 section 4.5.3.1.3 without its brackets.
const ADDRESS_BYTES: usize = 254;

pub(super) fn parse(value: &str) -> Option<Parsed> {
    if value.len() > ADDRESS_BYTES || text::has_hidden(value) {
        return None;
    }
    let (local, domain) = value.split_once('@')?;
    let local = text::nfc(local);
    if !is_dot_string(&local) || local.len() > LOCAL_BYTES {
        return None;
    }
    let domain = Domain::parse(domain)?;
    let ascii = &domain.ascii;
    let lenient = text::lenient(&local);
    let mut lookups = vec![format!("{lenient}@{ascii}")];
    if let Some((name, _tag)) = lenient.split_once('+')
        && !name.is_empty()
    {
        lookups.push(format!("{name}@{ascii}"));
    }
    let keys = if domain.plain {
        vec![Key::new(
            KeyKind::Email,
            format!("{}@{ascii}", local.to_ascii_lowercase()),
        )]
    } else {
        Vec::new()
    };
    let seen = format!("{local}@{}", domain.unicode());
    Some(Parsed {
        lookups,
        keys,
        skeleton: Some(text::skeleton(&seen)),
        members: vec![("local", lenient), ("domain", domain.ascii)],
    })
}

fn is_dot_string(local: &str) -> bool {
    local
        .split('.')
        .all(|atom| !atom.is_empty() && atom.chars().all(is_atext))
}

/// `atext` (RFC 5322 section 3.2.3), with letters and digits beyond ASCII.
fn is_atext(c: char) -> bool {
    if c.is_ascii() {
        c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c)
    } else {
        c.is_alphanumeric()
    }
}
