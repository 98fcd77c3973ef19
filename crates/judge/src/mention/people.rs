//! Whom a text speaks of: addresses, phone numbers and accounts, in the form by which two are the
//! same.
//!
//! Here the safe side is to find too much: what is missed is not found again when the person asks
//! for what is held about them.

use std::collections::BTreeSet;

use countersign_core::document::{EntityKind, TargetType};

use super::entities;
use crate::value::parse;
use crate::value::text::lenient;

/// Most characters of an address on one side of its `@`.
const REACH: usize = 256;
/// Fewest digits that a phone number or an account has.
const DIGITS: usize = 6;
/// Longest tag of a page that is taken out, in characters.
const TAG: usize = 1_024;

/// Whom a text speaks of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct People {
    /// Such as `email:jo@acme.example`.
    pub forms: BTreeSet<String>,
    /// Whether there may be more than was looked for.
    pub too_many: bool,
}

/// Whom `text` speaks of.
pub fn people(text: &str) -> People {
    let mut people = People::default();
    if !may_speak_of_anybody(text) {
        return people;
    }
    let found = entities(text);
    people.too_many = found.too_many;
    for entity in found.found {
        let kind = match entity.kind {
            EntityKind::Email => "email",
            EntityKind::Phone => "phone",
            EntityKind::Iban => "iban",
            EntityKind::Domain | EntityKind::Url | EntityKind::Path => continue,
        };
        people.forms.insert(format!("{kind}:{}", entity.lookup));
    }
    addresses(text, &mut people.forms);
    if let Some(plain) = unwrapped(text) {
        addresses(&plain, &mut people.forms);
    }
    let tagged: Vec<String> = people.forms.iter().filter_map(|it| untagged(it)).collect();
    people.forms.extend(tagged);
    people
}

/// The form of something that is known by its whole text alone, such as a name or a number.
pub fn whole_form(text: &str) -> String {
    format!("id:{}", lenient(text.trim()))
}

/// The mailbox of an address with a tag: `jo@acme.example` of `jo+news@acme.example`.
fn untagged(form: &str) -> Option<String> {
    let address = form.strip_prefix("email:")?;
    let (local, domain) = address.rsplit_once('@')?;
    let (mailbox, _) = local.split_once('+')?;
    (!mailbox.is_empty()).then(|| format!("email:{mailbox}@{domain}"))
}

/// A text without the tags of a page and the quoting of a mail (RFC 2045, section 6.7), which may
/// stand within an address.
fn unwrapped(text: &str) -> Option<String> {
    if !text.contains(['<', '=']) {
        return None;
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['<', '=']) {
        let (before, from) = rest.split_at(at);
        plain.push_str(before);
        let taken = match from.starts_with('<') {
            true => tag(from).map(|end| (None, end)),
            false => quoted(from),
        };
        let (stands_for, end) = taken.unwrap_or_else(|| (from.chars().next(), 1));
        plain.extend(stands_for);
        rest = from.get(end..).unwrap_or_default();
    }
    plain.push_str(rest);
    Some(plain)
}

/// Where a tag ends that a text begins with.
fn tag(text: &str) -> Option<usize> {
    let mut chars = text.char_indices().skip(1).take(TAG).peekable();
    let (_, first) = chars.peek()?;
    if !first.is_ascii_alphabetic() && !matches!(first, '/' | '!') {
        return None;
    }
    chars.find(|(_, c)| *c == '>').map(|(end, _)| end + 1)
}

/// What a quoted character that a text begins with stands for, and where it ends; a line that goes
/// on stands for nothing.
fn quoted(text: &str) -> Option<(Option<char>, usize)> {
    for line in ["=\r\n", "=\n"] {
        if text.starts_with(line) {
            return Some((None, line.len()));
        }
    }
    let byte = u8::from_str_radix(text.get(1..3)?, 16).ok()?;
    byte.is_ascii_graphic().then(|| (Some(char::from(byte)), 3))
}

fn may_speak_of_anybody(text: &str) -> bool {
    let mut digits = 0usize;
    if text.contains("=40") {
        return true;
    }
    text.bytes().any(|byte| {
        digits = digits.saturating_add(usize::from(byte.is_ascii_digit()));
        digits >= DIGITS
            || !byte.is_ascii()
            || matches!(byte, b'@' | b'%' | b'&' | b'[' | b'(' | b'{')
    })
}

/// Addresses wherever they stand, also within links, and as percent-encoding writes them.
fn addresses(text: &str, forms: &mut BTreeSet<String>) {
    let decoded = text.replace("%40", "@");
    let text = lenient(&decoded);
    let is_local = |c: &char| c.is_alphanumeric() || "!#$'*+-/^_`{|}~.".contains(*c);
    let is_domain = |c: &char| c.is_alphanumeric() || matches!(c, '.' | '-');
    for (at, _) in text.match_indices('@') {
        let (Some(before), Some(after)) = (text.get(..at), text.get(at + 1..)) else {
            continue;
        };
        let local = before.chars().rev().take(REACH).take_while(is_local);
        let local: String = local.collect::<Vec<_>>().into_iter().rev().collect();
        let domain: String = after.chars().take(REACH).take_while(is_domain).collect();
        let domain = domain.trim_end_matches(['.', '-']);
        // In a link the address may come after a path.
        let shortest = local.rsplit('/').next().unwrap_or_default();
        for local in [local.as_str(), shortest] {
            let address = format!("{}@{domain}", local.trim_matches('.'));
            if let Some(parsed) = parse(TargetType::Email, &address) {
                forms.insert(format!("email:{}", parsed.lookup()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forms(text: &str) -> Vec<String> {
        people(text).forms.into_iter().collect()
    }

    #[test]
    fn a_person_is_found_however_it_is_written() {
        let jo = ["email:jo@acme.example"];
        for text in [
            "write to Jo@Acme.Example, please.",
            "<jo@acme.example>",
            "see https://acme.example/p/jo@acme.example?x=1",
            "https://acme.example/?to=jo%40acme.example",
            "mailto:jo@acme.example",
            "jo%40acme.example",
            "user:jo@acme.example",
            "jo+news@acme.example",
            "to=3Djo=40acme.example",
            "jo@acme.exam=\r\nple",
            "jo@acme.exam=\nple",
            "<p class='x'><b>jo</b>@acme.example</p>",
        ] {
            assert!(
                forms(text).iter().any(|form| form == jo[0]),
                "{text}: {:?}",
                forms(text)
            );
        }
        assert_eq!(forms("GB29 NWBK 6016 1331 9268 19").len(), 1);
        assert_eq!(forms("call +49 30 901820"), forms("tel. +4930901820 today"),);
        assert!(!forms("call +49 30 901820").is_empty());
    }

    #[test]
    fn a_text_about_nobody_speaks_of_nobody() {
        for text in ["", "delete the largest file", "ticket 4821"] {
            assert_eq!(forms(text), Vec::<String>::new(), "{text}");
        }
    }
}
