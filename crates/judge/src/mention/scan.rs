//! Finds what a text mentions: addresses, domains, URLs, words, quotations.
//!
//! Everything found is a whole value between boundaries. Where a longer value could be meant, or
//! a character is hidden in or beside it, nothing is found: a mention missed asks a person once
//! more, a mention too many lets a call through. Each scan is linear in the text.

use countersign_core::document::TargetType;
use linkify::{LinkFinder, LinkKind};

use super::quoted;
use crate::limits::{QUOTED_BYTES, TARGET_BYTES};
use crate::value::text::{is_hidden, is_mark};
use crate::value::{Key, KeyKind, Parsed, parse, path_key, token_key};

/// One mention.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found<'a> {
    pub(crate) key: Key,
    pub(crate) skeleton: Option<String>,
    pub(crate) offset: usize,
    pub(crate) written: &'a str,
}

impl<'a> Found<'a> {
    pub(crate) fn whole(written: &'a str, key: Key) -> Self {
        Self {
            key,
            skeleton: None,
            offset: 0,
            written,
        }
    }
}

/// What takes the mentions.
pub(super) type Sink<'s, 'a> = &'s mut dyn FnMut(Found<'a>);

/// Most characters that an address can have on one side of its `@`.
const REACH: usize = 256;

/// Everything that `text` mentions.
pub(super) fn scan<'a>(text: &'a str, sink: Sink<'_, 'a>) {
    emails(text, sink);
    urls(text, sink);
    words(text, sink);
    quoted::quotations(text, &mut |offset, written| {
        sink(Found {
            offset,
            ..Found::whole(written, token_key(written))
        });
        path(offset, written, sink);
    });
}

fn emails<'a>(text: &'a str, sink: Sink<'_, 'a>) {
    for (at, _) in text.match_indices('@') {
        let (Some(before), Some(after)) = (text.get(..at), text.get(at + 1..)) else {
            continue;
        };
        let local: usize = before
            .chars()
            .rev()
            .take(REACH)
            .take_while(|c| is_local(*c))
            .map(char::len_utf8)
            .sum();
        let mut domain: usize = after
            .chars()
            .take(REACH)
            .take_while(|c| is_domain(*c))
            .map(char::len_utf8)
            .sum();
        // A full stop ends the sentence, not the domain.
        while after.get(..domain).is_some_and(|d| d.ends_with(['.', '-'])) {
            domain -= 1;
        }
        let start = at - local;
        let end = at + 1 + domain;
        let (Some(left), Some(written), Some(right)) =
            (text.get(..start), text.get(start..end), text.get(end..))
        else {
            continue;
        };
        let in_mailto = right.starts_with('?') && left.ends_with("mailto:");
        if !ends_boundary(left) || !(in_mailto || starts_boundary(right)) {
            continue;
        }
        if let Some(parsed) = parse(TargetType::Email, written) {
            emit(parsed, start, written, sink);
        }
    }
}

/// What a local part may hold in running text: fewer characters than an address may.
pub(super) fn is_local(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '.' | '_' | '+' | '-')
}

pub(super) fn is_domain(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '.' | '-')
}

/// Whether a value can begin where `left` ends.
pub(super) fn ends_boundary(left: &str) -> bool {
    match left.chars().next_back() {
        None => true,
        Some(c) if c.is_ascii() => c.is_ascii_whitespace() || "<>()[]{},;:\"'`*|\\".contains(c),
        Some(c) => c.is_whitespace() || "“”„‘’‚«»‹›–—、，（【「『：；".contains(c),
    }
}

/// Whether a value can end where `right` begins.
pub(super) fn starts_boundary(right: &str) -> bool {
    let mut rest = right.chars();
    let closes = |c: char| ">)]},;\"'`*|\\”’»›、，；）】」』".contains(c);
    match rest.next() {
        None => true,
        Some('"' | '\'' | '>' | ')') => rest.next() != Some('@'),
        Some(c) if closes(c) || "<([{&—–".contains(c) => true,
        Some(c) if c.is_whitespace() => true,
        // Sentence marks, if nothing follows that could belong to the value.
        Some('.' | '!' | '?' | ':' | '…' | '。' | '-') => {
            match rest.find(|c| !matches!(c, '.' | '!' | '?' | '-')) {
                None => true,
                Some(next) => next.is_whitespace() || closes(next) || next == '<',
            }
        }
        Some(_) => false,
    }
}

fn urls<'a>(text: &'a str, sink: Sink<'_, 'a>) {
    let mut finder = LinkFinder::new();
    finder.kinds(&[LinkKind::Url]);
    for link in finder.links(text) {
        let written = link.as_str();
        let after = text.get(link.end()..).and_then(|rest| rest.chars().next());
        let before = text
            .get(..link.start())
            .and_then(|rest| rest.chars().next_back());
        let cut = |c: char| is_hidden(c) && !c.is_whitespace() && !matches!(c, '\n' | '\r' | '\t');
        if written.len() > TARGET_BYTES
            || after.is_some_and(|c| cut(c) || is_mark(c) || c == '\\')
            || before.is_some_and(|c| cut(c) || is_mark(c) || c.is_alphanumeric())
        {
            continue;
        }
        if let Some(parsed) = parse(TargetType::Url, written) {
            emit_url(&parsed, link.start(), written, sink);
        }
    }
}

/// A URL grounds itself and, where it has one, its domain.
fn emit_url<'a>(parsed: &Parsed, offset: usize, written: &'a str, sink: Sink<'_, 'a>) {
    if parsed.keys.is_empty() {
        return;
    }
    let mut found = |key| {
        sink(Found {
            offset,
            ..Found::whole(written, key)
        });
    };
    for key in &parsed.keys {
        let with_scheme = key.kind == KeyKind::Url && !key.text.starts_with("//");
        if with_scheme {
            found(key.clone());
            if let Some(tail) = ["http:", "https:"]
                .iter()
                .find_map(|scheme| key.text.strip_prefix(scheme))
            {
                found(Key::new(KeyKind::UrlOfAnyScheme, tail));
            }
        }
    }
    if !parsed.members.iter().any(|(name, _)| *name == "scheme") {
        for key in parsed.keys.iter().filter(|key| key.kind == KeyKind::Url) {
            found(key.clone());
        }
    }
    let domain = parsed.members.iter().find(|(name, _)| *name == "domain");
    if let Some((_, domain)) = domain.filter(|(_, domain)| !domain.is_empty()) {
        found(Key::new(KeyKind::Domain, domain.clone()));
    }
}

fn emit<'a>(parsed: Parsed, offset: usize, written: &'a str, sink: Sink<'_, 'a>) {
    let mut skeleton = parsed.skeleton;
    for key in parsed.keys {
        sink(Found {
            key,
            skeleton: skeleton.take(),
            offset,
            written,
        });
    }
}

/// Words between white space, commas, brackets and quotation marks.
fn words<'a>(text: &'a str, sink: Sink<'_, 'a>) {
    let separates = |c: char| c.is_whitespace() || ",;|()[]{}<>\"`“”„«»、，".contains(c);
    let mut start = 0;
    for chunk in text.split(separates) {
        word(text, start, chunk, sink);
        let separator = text
            .get(start + chunk.len()..)
            .and_then(|rest| rest.chars().next())
            .map_or(0, char::len_utf8);
        start += chunk.len() + separator;
    }
}

fn word<'a>(text: &'a str, start: usize, chunk: &'a str, sink: Sink<'_, 'a>) {
    if chunk.is_empty() || chunk.chars().any(is_hidden) {
        return;
    }
    let front = chunk.trim_start_matches(['\'', '‘', '’', '*']);
    let offset = start + chunk.len() - front.len();
    let trimmed = front.trim_end_matches(['.', ':', '!', '?', '…', '\'', '’', '*']);
    if trimmed.is_empty() || trimmed.len() > QUOTED_BYTES {
        return;
    }
    // A comma between two digits belongs to a number: neither half is a word of its own.
    let digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
    let end = start + chunk.len();
    let glued = |left: Option<&str>, right: Option<&str>| {
        left.is_some_and(|l| l.ends_with(',') && digit(l.chars().rev().nth(1)))
            && right.is_some_and(|r| digit(r.chars().next()))
    };
    if glued(text.get(..start), text.get(start..))
        || text.get(end..).is_some_and(|r| r.starts_with(','))
            && glued(text.get(..end + 1), text.get(end + 1..))
    {
        return;
    }
    let mut token = |written: &'a str, offset: usize| {
        sink(Found {
            offset,
            ..Found::whole(written, token_key(written))
        });
    };
    token(trimmed, offset);
    if let Some(name) = trimmed.strip_prefix('@').filter(|name| !name.is_empty()) {
        token(name, offset + 1);
    }
    for possessive in ["'s", "’s"] {
        if let Some(name) = trimmed.strip_suffix(possessive).filter(|n| !n.is_empty()) {
            token(name, offset);
        }
    }
    path(offset, trimmed, sink);
    domain_or_page(offset, trimmed, sink);
}

fn path<'a>(offset: usize, written: &'a str, sink: Sink<'_, 'a>) {
    if written.contains(['/', '\\', '.'])
        && !written.contains("://")
        && let Some(key) = path_key(written)
    {
        sink(Found {
            offset,
            ..Found::whole(written, key)
        });
    }
}

/// `example.com` and `example.com/page`, written without a scheme.
fn domain_or_page<'a>(offset: usize, written: &'a str, sink: Sink<'_, 'a>) {
    let host = written.split(['/', '?', '#']).next().unwrap_or_default();
    let last = host.rsplit('.').next().unwrap_or_default();
    let named = host.contains('.')
        && !written.contains(['@', '\\'])
        && last.chars().count() >= 2
        && last.chars().any(char::is_alphabetic);
    if !named {
        return;
    }
    if let Some(parsed) = parse(TargetType::Url, written)
        && parsed.members.iter().all(|(name, _)| *name != "scheme")
    {
        emit_url(&parsed, offset, written, sink);
        if host.len() == written.len()
            && let Some(domain) = parse(TargetType::Domain, host)
            && let Some(skeleton) = domain.skeleton
            && let Some(key) = domain.keys.into_iter().next()
        {
            sink(Found {
                key,
                skeleton: Some(skeleton),
                offset,
                written,
            });
        }
    }
}
