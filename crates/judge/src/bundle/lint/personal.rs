//! Literals that look like a person's address or account. A bundle stands in the log for ever, and
//! nothing in it can be erased.

use std::collections::BTreeSet;

use countersign_core::document::{BundleContent, ToolManifest};
use serde_json::Value;

use crate::finding::Finding;
use crate::limits::ACKNOWLEDGED;

/// Where the author says which of them may stand.
const HEAD: &str = "bundle.toml";

/// A literal that looks like a person's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Literal<'a> {
    /// Where it begins, in bytes.
    start: usize,
    text: &'a str,
    what: &'static str,
}

/// Finds the literals that the author has not acknowledged, and what was acknowledged in vain.
pub(super) fn check(content: &BundleContent, findings: &mut Vec<Finding>) {
    let known = &content.acknowledged;
    if known.len() > ACKNOWLEDGED {
        let text = format!(
            "{} acknowledged literals are more than {ACKNOWLEDGED}",
            known.len()
        );
        findings.push(Finding::error(HEAD, text));
        return;
    }
    let mut found = Found {
        known: known.iter().map(|text| text.to_lowercase()).collect(),
        met: BTreeSet::new(),
        findings,
    };
    for file in &content.policies {
        found.text(&file.name, &file.text, true);
    }
    found.text("schema.cedarschema", &content.schema, true);
    found.text(HEAD, &content.name, false);
    found.text(HEAD, &content.description, false);
    for tool in &content.tools {
        manifest(tool, &mut found);
    }
    let met = std::mem::take(&mut found.met);
    for text in known {
        if !met.contains(&text.to_lowercase()) {
            let text = format!("the acknowledged literal `{text}` stands nowhere in the bundle");
            findings.push(Finding::warning(HEAD, text).hint("take it out of `acknowledged`"));
        }
    }
}

struct Found<'a> {
    known: BTreeSet<String>,
    /// The acknowledged literals that were met.
    met: BTreeSet<String>,
    findings: &'a mut Vec<Finding>,
}

impl Found<'_> {
    fn text(&mut self, file: &str, text: &str, is_placed: bool) {
        for literal in literals(text) {
            let lower = literal.text.to_lowercase();
            if self.known.contains(&lower) {
                self.met.insert(lower);
                continue;
            }
            let finding = Finding::error(
                file,
                format!("`{}` looks like {}", literal.text, literal.what),
            );
            let finding = if is_placed {
                finding.at(text, literal.start)
            } else {
                finding
            };
            self.findings.push(finding.hint(format!(
                "a bundle stands in the log for ever: keep it in the directory, or write `acknowledged = [\"{}\"]` in {HEAD}",
                literal.text
            )));
        }
    }
}

/// All texts of a manifest, names of members too.
fn manifest(tool: &ToolManifest, found: &mut Found<'_>) {
    let file = format!("tools/{}.json", tool.tool);
    let Ok(manifest) = serde_json::to_value(tool) else {
        return;
    };
    let mut open = vec![&manifest];
    while let Some(value) = open.pop() {
        match value {
            Value::String(text) => found.text(&file, text, false),
            Value::Number(number) => found.text(&file, &number.to_string(), false),
            Value::Array(items) => open.extend(items),
            Value::Object(members) => {
                for (name, inner) in members {
                    found.text(&file, name, false);
                    open.push(inner);
                }
            }
            _ => {}
        }
    }
}

/// The literals of a text, in order; none within another.
fn literals(text: &str) -> Vec<Literal<'_>> {
    let mut out: Vec<Literal<'_>> = Vec::new();
    let mut end = 0;
    let mut all: Vec<Literal<'_>> = principals(text)
        .chain(addresses(text))
        .chain(accounts(text))
        .chain(numbers(text))
        .collect();
    all.sort_by_key(|literal| (literal.start, std::cmp::Reverse(literal.text.len())));
    for literal in all {
        if literal.start >= end {
            end = literal.start + literal.text.len();
            out.push(literal);
        }
    }
    out
}

/// The longest run of characters of a kind around a byte offset.
fn run(text: &str, at: usize, is: impl Fn(char) -> bool + Copy) -> (usize, usize) {
    let before = text.get(..at).unwrap_or_default();
    let after = text.get(at..).unwrap_or_default();
    let start = before.trim_end_matches(is).len();
    let end = at + after.find(|c| !is(c)).unwrap_or(after.len());
    (start, end)
}

/// A part of a text as a literal.
fn literal<'a>(
    text: &'a str,
    (start, end): (usize, usize),
    what: &'static str,
) -> Option<Literal<'a>> {
    let text = text.get(start..end)?;
    Some(Literal { start, text, what })
}

/// `user:` and what follows it: the name that an ingress gives a person.
fn principals(text: &str) -> impl Iterator<Item = Literal<'_>> {
    const KINDS: [&str; 3] = ["user:", "person:", "human:"];
    KINDS.iter().flat_map(move |kind| {
        text.match_indices(kind).filter_map(move |(start, _)| {
            let before = text.get(..start)?.chars().next_back();
            let name = start + kind.len();
            let is_name = |c: char| c.is_alphanumeric() || "._-+@".contains(c);
            let (_, end) = run(text, name, is_name);
            let end = text.get(..end)?.trim_end_matches(['.', '-']).len();
            let is_whole = !before.is_some_and(|c| c.is_alphanumeric() || "_/:.".contains(c));
            (is_whole && end > name)
                .then(|| literal(text, (start, end), "a person's name in an intent"))?
        })
    })
}

/// E-mail addresses.
fn addresses(text: &str) -> impl Iterator<Item = Literal<'_>> {
    text.match_indices('@').filter_map(|(at, _)| {
        let is_local = |c: char| c.is_alphanumeric() || "._%+-".contains(c);
        let is_domain = |c: char| c.is_alphanumeric() || ".-".contains(c);
        let (start, _) = run(text, at, is_local);
        let (_, end) = run(text, at + 1, is_domain);
        let domain = text.get(at + 1..end)?.trim_end_matches(['.', '-']);
        let labels = domain.split('.').count();
        let last = domain.rsplit('.').next()?;
        let is_address = start < at
            && labels >= 2
            && domain.split('.').all(|label| !label.is_empty())
            && last.chars().count() >= 2
            && last.chars().any(char::is_alphabetic);
        is_address.then(|| literal(text, (start, at + 1 + domain.len()), "an e-mail address"))?
    })
}

/// International bank account numbers (ISO 13616), with blanks or without.
fn accounts(text: &str) -> impl Iterator<Item = Literal<'_>> {
    let starts = text.char_indices().filter(|(at, c)| {
        let before = text
            .get(..*at)
            .and_then(|before| before.chars().next_back());
        c.is_ascii_uppercase() && !before.is_some_and(char::is_alphanumeric)
    });
    starts.filter_map(|(start, _)| {
        const LONGEST: usize = 34;
        let mut compact = String::new();
        let mut best = None;
        for (offset, c) in text.get(start..)?.char_indices() {
            match c {
                ' ' => continue,
                c if c.is_ascii_uppercase() || c.is_ascii_digit() => compact.push(c),
                _ => break,
            }
            let end = start + offset + 1;
            let next = text.get(end..).and_then(|rest| rest.chars().next());
            if !next.is_some_and(char::is_alphanumeric) && is_account(&compact) {
                best = Some(end);
            }
            if compact.len() >= LONGEST {
                break;
            }
        }
        literal(text, (start, best?), "a bank account")
    })
}

fn is_account(compact: &str) -> bool {
    let country = compact
        .get(..2)
        .is_some_and(|c| c.bytes().all(|b| b.is_ascii_uppercase()));
    let check = compact
        .get(2..4)
        .is_some_and(|c| c.bytes().all(|b| b.is_ascii_digit()));
    if !country || !check || compact.len() < 15 {
        return false;
    }
    let turned = compact.bytes().skip(4).chain(compact.bytes().take(4));
    let remainder = turned.fold(0_u32, |remainder, byte| match byte {
        b'0'..=b'9' => (remainder * 10 + u32::from(byte - b'0')) % 97,
        letter => (remainder * 100 + u32::from(letter - b'A') + 10) % 97,
    });
    remainder == 1
}

/// Card numbers and phone numbers: digits in groups.
fn numbers(text: &str) -> impl Iterator<Item = Literal<'_>> {
    let mut from = 0;
    std::iter::from_fn(move || {
        loop {
            let rest = text.get(from..)?;
            let offset = rest.find(|c: char| c.is_ascii_digit() || c == '+' || c == '(')?;
            let start = from + offset;
            let is_part = |c: char| c.is_ascii_digit() || "+() -.".contains(c);
            let (_, end) = run(text, start, is_part);
            let before = text
                .get(..start)
                .and_then(|before| before.chars().next_back());
            from = end.max(start + 1);
            let part = text
                .get(start..end)?
                .trim_end_matches(|c: char| !c.is_ascii_digit());
            let next = text.get(start + part.len()..)?.chars().next();
            let is_word =
                |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || "_\\/:{[".contains(c));
            if !is_word(before)
                && !is_word(next)
                && let Some(what) = number(part)
            {
                return literal(text, (start, start + part.len()), what);
            }
        }
    })
}

fn number(part: &str) -> Option<&'static str> {
    let digits: String = part.chars().filter(char::is_ascii_digit).collect();
    if is_card(&digits) && part.chars().all(|c| c.is_ascii_digit() || " -".contains(c)) {
        return Some("a card number");
    }
    let is_international = part.starts_with('+')
        && (8..=15).contains(&digits.len())
        && !part.get(1..).is_some_and(|rest| rest.contains('+'));
    let groups: Vec<usize> = part
        .split(|c: char| !c.is_ascii_digit())
        .filter(|group| !group.is_empty())
        .map(str::len)
        .collect();
    let is_national = groups == [3, 3, 4] && !part.contains('+');
    (is_international || is_national).then_some("a phone number")
}

/// The prefixes and lengths that issuers use (ISO/IEC 7812), and the Luhn check digit.
fn is_card(digits: &str) -> bool {
    let two: u32 = digits
        .get(..2)
        .and_then(|two| two.parse().ok())
        .unwrap_or(0);
    let is_issued = matches!(
        (digits.len(), two),
        (13 | 16 | 19, 40..=49)
            | (16, 22..=27 | 51..=55)
            | (16..=19, 60..=69)
            | (15, 34 | 37)
            | (14, 30 | 36 | 38 | 39)
    );
    let sum: u32 = digits
        .bytes()
        .rev()
        .zip([1_u32, 2].into_iter().cycle())
        .map(|(digit, weight)| {
            let product = u32::from(digit.wrapping_sub(b'0')) * weight;
            product / 10 + product % 10
        })
        .sum();
    is_issued && sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(&str, &str)> {
        let all = literals(text);
        all.iter().map(|found| (found.text, found.what)).collect()
    }

    #[test]
    fn what_looks_like_a_persons_is_found() {
        const ADDRESS: &str = "an e-mail address";
        const PHONE: &str = "a phone number";
        const CARD: &str = "a card number";
        const ACCOUNT: &str = "a bank account";
        const NAME: &str = "a person's name in an intent";
        for (text, literal, what) in [
            ("to \"jane@acme.example\".", "jane@acme.example", ADDRESS),
            (
                "mailto:jane.doe+x@mail.acme.example>",
                "jane.doe+x@mail.acme.example",
                ADDRESS,
            ),
            ("jürgen@müller.example.", "jürgen@müller.example", ADDRESS),
            ("call +49 171 2345678 now", "+49 171 2345678", PHONE),
            ("(555) 123-4567", "(555) 123-4567", PHONE),
            ("555-123-4567", "555-123-4567", PHONE),
            ("+15551234567", "+15551234567", PHONE),
            ("card 4111 1111 1111 1111.", "4111 1111 1111 1111", CARD),
            ("378282246310005", "378282246310005", CARD),
            (
                "IBAN DE89 3704 0044 0532 0130 00 is",
                "DE89 3704 0044 0532 0130 00",
                ACCOUNT,
            ),
            ("GB82WEST12345698765432", "GB82WEST12345698765432", ACCOUNT),
            ("== \"user:jo@acme.example\"", "user:jo@acme.example", NAME),
            ("user:4821", "user:4821", NAME),
        ] {
            assert_eq!(found(text), [(literal, what)], "{text}");
        }
    }

    #[test]
    fn what_only_resembles_it_is_not() {
        for text in [
            "acme.example",
            "@id(\"a.b\") @reason(\"x\")",
            "^[^@]+@[^@]+$",
            "a@b",
            "2026-04-18T02:13:44.000Z",
            "2026-04-18",
            "9223372036854775807",
            "1,250.00",
            "4111 1111 1111 1112",
            "DE00 3704 0044 0532 0130 00",
            "User::\"alice\"",
            "the user: a person",
            "https://json-schema.org/draft/2020-12/schema",
            "1 2 3 4 5 6 7 8",
            "superuser:x",
            "agent:support-v3",
            "\\d{3}-\\d{3}-\\d{4}",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }
}
