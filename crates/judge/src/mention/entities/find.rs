//! Where in a text something stands that leads somewhere.

use countersign_core::document::EntityKind;
use linkify::{LinkFinder, LinkKind};

use crate::limits::TARGET_BYTES;
use crate::mention::account;
use crate::mention::scan::{ends_boundary, is_domain, is_local, starts_boundary};
use crate::value::KeyKind;
use crate::value::text::{is_hidden, is_mark};

/// A place in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) kind: EntityKind,
    pub(super) start: usize,
    pub(super) end: usize,
    /// Whether it stands by itself, so that it is a whole value.
    pub(super) is_clean: bool,
    /// Whether what it holds leads nowhere else than it does itself.
    pub(super) reads_whole: bool,
}

/// Everything, in order, without overlaps. What holds another thing counts instead of it: a URL
/// before the address in it.
pub(super) fn places(text: &str) -> Vec<Place> {
    let mut out = Places::default();
    urls(text, &mut out);
    out.settle();
    opaque(text, &mut out);
    out.settle();
    emails(text, &mut out);
    out.settle();
    account::accounts(text, &mut |account| {
        let kind = match account.kind {
            KeyKind::Iban => EntityKind::Iban,
            _ => EntityKind::Phone,
        };
        out.put(place(text, kind, account.start, account.end));
    });
    out.settle();
    paths(text, &mut out);
    out.settle();
    domains(text, &mut out);
    out.settle();
    out.places
}

/// Places that were found before, and those of this kind.
#[derive(Default)]
struct Places {
    places: Vec<Place>,
    new: Vec<Place>,
}

impl Places {
    fn put(&mut self, place: Place) {
        if place.start < place.end && !self.covers(place.start, place.end) {
            self.new.push(place);
        }
    }

    fn covers(&self, start: usize, end: usize) -> bool {
        let next = self.places.partition_point(|known| known.start < end);
        next.checked_sub(1)
            .and_then(|n| self.places.get(n))
            .is_some_and(|known| known.end > start)
    }

    /// From here on the new places are in the way of others.
    fn settle(&mut self) {
        self.new.sort_by_key(|place| place.start);
        self.places.append(&mut self.new);
        self.places.sort_by_key(|place| (place.start, place.end));
        let mut end = 0;
        self.places.retain(|place| {
            let free = place.start >= end;
            if free {
                end = place.end;
            }
            free
        });
    }
}

fn place(text: &str, kind: EntityKind, start: usize, end: usize) -> Place {
    let left = text.get(..start).unwrap_or_default();
    let right = text.get(end..).unwrap_or_default();
    let value = text.get(start..end).unwrap_or_default();
    Place {
        kind,
        start,
        end,
        is_clean: ends_boundary(left) && starts_boundary(right) && !value.chars().any(is_hidden),
        reads_whole: true,
    }
}

/// With a scheme and `//`.
fn urls(text: &str, out: &mut Places) {
    let mut finder = LinkFinder::new();
    finder.kinds(&[LinkKind::Url]);
    for link in finder.links(text) {
        let before = text.get(..link.start()).and_then(|t| t.chars().next_back());
        let after = text.get(link.end()..).and_then(|t| t.chars().next());
        let cut = |c: char| is_hidden(c) && !c.is_whitespace() || is_mark(c) || c == '\\';
        let odd = after.is_some_and(cut)
            || before.is_some_and(|c| cut(c) || c.is_alphanumeric())
            || link.as_str().len() > TARGET_BYTES;
        out.put(Place {
            kind: EntityKind::Url,
            start: link.start(),
            end: link.end(),
            is_clean: !odd,
            reads_whole: !odd && !has_odd_host(link.as_str()),
        });
    }
    out.settle();
    // What no reader of links takes for one may still be one for somebody else.
    let mut next = 0;
    for (at, _) in text.match_indices(':') {
        if at < next || !text.get(at..).is_some_and(|rest| rest.starts_with("://")) {
            continue;
        }
        let before = text.get(..at).unwrap_or_default();
        let scheme: usize = before
            .chars()
            .rev()
            .take(SCHEME)
            .take_while(|c| c.is_alphanumeric() || matches!(c, '+' | '-' | '.'))
            .map(char::len_utf8)
            .sum();
        let start = at - scheme;
        let end = tail_end(text, at + 3);
        next = end;
        if end > at + 3 {
            out.put(Place {
                kind: EntityKind::Url,
                start,
                end,
                is_clean: false,
                reads_whole: false,
            });
        }
    }
}

/// Whether the host of a URL is disguised.
fn has_odd_host(url: &str) -> bool {
    let (_, rest) = url.split_once("://").unwrap_or(("", url));
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    rest.get(..end)
        .is_none_or(|host| !host.is_ascii() || host.contains(['%', '@', '\\']))
}

/// Longest scheme, in characters.
const SCHEME: usize = 32;

/// `javascript:…`, `data:…`; `tel:` and `sms:` lead to a phone. What follows `mailto:` is found as an
/// address.
fn opaque(text: &str, out: &mut Places) {
    const SCHEMES: [(&str, EntityKind); 13] = [
        ("javascript", EntityKind::Url),
        ("vbscript", EntityKind::Url),
        ("data", EntityKind::Url),
        ("blob", EntityKind::Url),
        ("magnet", EntityKind::Url),
        ("skype", EntityKind::Url),
        ("sip", EntityKind::Url),
        ("xmpp", EntityKind::Url),
        ("bitcoin", EntityKind::Url),
        ("ethereum", EntityKind::Url),
        ("tel", EntityKind::Phone),
        ("sms", EntityKind::Phone),
        ("callto", EntityKind::Phone),
    ];
    let mut next = 0;
    for (at, _) in text.match_indices(':') {
        if at < next {
            continue;
        }
        let before = text.get(..at).unwrap_or_default();
        let length = before
            .bytes()
            .rev()
            .take(SCHEME)
            .take_while(u8::is_ascii_alphabetic)
            .count();
        let start = at - length;
        let scheme = text.get(start..at).unwrap_or_default();
        let known = SCHEMES
            .iter()
            .find(|(name, _)| scheme.eq_ignore_ascii_case(name));
        let Some((_, kind)) = known else {
            continue;
        };
        if *kind == EntityKind::Phone {
            let digits = text.get(at + 1..).unwrap_or_default();
            let length: usize = digits
                .bytes()
                .take(SCHEME)
                .take_while(|b| b.is_ascii_digit() || b"+-.()".contains(b))
                .count();
            let number = digits.get(..length).unwrap_or_default();
            if number.bytes().filter(u8::is_ascii_digit).count() >= 3 {
                out.put(place(text, EntityKind::Phone, at + 1, at + 1 + length));
            }
        } else {
            let end = tail_end(text, at + 1);
            next = end;
            if end > at + 1 {
                out.put(place(text, EntityKind::Url, start, end));
            }
        }
    }
}

/// Most characters that an address can have on one side of its `@`.
const REACH: usize = 256;

fn emails(text: &str, out: &mut Places) {
    for (at, _) in text.match_indices('@') {
        let before = text.get(..at).unwrap_or_default();
        let after = text.get(at + 1..).unwrap_or_default();
        let length = |chars: &mut dyn Iterator<Item = char>, belongs: &dyn Fn(char) -> bool| {
            chars
                .take(REACH)
                .take_while(|c| belongs(*c))
                .map(char::len_utf8)
                .sum::<usize>()
        };
        let narrow = length(&mut before.chars().rev(), &|c| is_local(c) || is_mark(c));
        let is_host = |c: char| is_domain(c) || is_mark(c) || c == '_';
        let literal = after.starts_with('[');
        let mut domain = if literal {
            after
                .bytes()
                .take(REACH)
                .position(|b| b == b']')
                .map_or(0, |n| n + 1)
        } else {
            length(&mut after.chars(), &is_host)
        };
        while !literal
            && after
                .get(..domain)
                .is_some_and(|d| d.ends_with(['.', '-', '_']))
        {
            domain -= 1;
        }
        // A quoted local part: `"x y"@a.example`.
        let quoted = before.ends_with('"');
        if domain == 0 || narrow == 0 && !quoted {
            continue;
        }
        let mut start = at - narrow;
        if quoted {
            start = open_quote(before).unwrap_or(at - 1);
        } else if !ends_boundary(before.get(..start).unwrap_or_default())
            || is_apostrophe(before, start)
        {
            // Something odd belongs to it, such as the apostrophe of a name.
            start -= length(
                &mut before.get(..start).unwrap_or_default().chars().rev(),
                &|c| c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.’".contains(c),
            );
        }
        let end = at + 1 + domain;
        let mut found = place(text, EntityKind::Email, start, end);
        let left = text.get(..start).unwrap_or_default();
        let right = text.get(end..).unwrap_or_default();
        found.is_clean |= right.starts_with('?') && left.ends_with("mailto:");
        found.is_clean &= !quoted && !literal;
        out.put(found);
    }
}

/// Where a quotation begins that ends at the end of `before`.
fn open_quote(before: &str) -> Option<usize> {
    before
        .char_indices()
        .rev()
        .skip(1)
        .take(REACH)
        .find_map(|(at, c)| (c == '"').then_some(at))
}

/// Whether the character before a place is an apostrophe within a word.
fn is_apostrophe(before: &str, start: usize) -> bool {
    let mut left = before.get(..start).unwrap_or_default().chars().rev();
    matches!(left.next(), Some('\'' | '’')) && left.next().is_some_and(char::is_alphanumeric)
}

/// Absolute paths, and those from home, from here, and of a drive or a share.
fn paths(text: &str, out: &mut Places) {
    let mut next = 0;
    for (mark, byte) in text.bytes().enumerate() {
        if !matches!(byte, b'/' | b'\\') || mark < next {
            continue;
        }
        let Some(start) = path_start(text, mark).filter(|start| *start >= next) else {
            continue;
        };
        let left = text.get(..start).unwrap_or_default().chars().next_back();
        let begins = left.is_none_or(|c| c.is_whitespace() || "([{\"'`*=:,;>|“‘„«‹".contains(c));
        if begins {
            let end = word_end(text, start);
            next = end;
            out.put(place(text, EntityKind::Path, start, end));
        }
    }
}

/// Where a path begins whose first separator is at `mark`.
fn path_start(text: &str, mark: usize) -> Option<usize> {
    let before = text.get(..mark)?;
    let rest = text.get(mark..)?;
    let named = |skip: usize| {
        rest.get(skip..)
            .and_then(|rest| rest.chars().next())
            .is_some_and(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '~'))
    };
    if let Some(at) = before.len().checked_sub(2)
        && let Some([drive, b':']) = before.as_bytes().get(at..)
        && drive.is_ascii_alphabetic()
        && !rest.starts_with("//")
    {
        return Some(at);
    }
    if before.ends_with("..") {
        return Some(mark - 2);
    }
    if before.ends_with('~') && rest.starts_with('/') || before.ends_with('.') && named(1) {
        return Some(mark - 1);
    }
    let absolute = rest.starts_with('/') && named(1);
    let share = rest.starts_with("\\\\") && named(2);
    (absolute || share).then_some(mark)
}

/// Domains by themselves, and pages written without a scheme.
fn domains(text: &str, out: &mut Places) {
    let belongs = |c: char| is_domain(c) || c == '_' || is_mark(c);
    let width = |chars: &mut dyn Iterator<Item = char>| {
        chars
            .take_while(|c| belongs(*c))
            .map(char::len_utf8)
            .sum::<usize>()
    };
    let mut run_end = 0;
    let mut next = 0;
    for (dot, _) in text.match_indices('.') {
        // Most dots only end a sentence: the first one of a run, behind which nothing belongs to it.
        let after = text.as_bytes().get(dot + 1);
        if dot < run_end || after.is_none_or(u8::is_ascii_whitespace) {
            continue;
        }
        let (before, from_dot) = text.split_at_checked(dot).unwrap_or((text, ""));
        let start = dot - width(&mut before.chars().rev());
        run_end = dot + width(&mut from_dot.chars());
        let run = text.get(start..run_end).unwrap_or_default();
        let after = text.get(run_end..).and_then(|rest| rest.chars().next());
        // Dots in a row end a sentence.
        let mut piece_at = start;
        for piece in run.split("..") {
            let trimmed = piece.trim_start_matches(['.', '-', '_']);
            let from = piece_at + piece.len() - trimmed.len();
            let host = trimmed.trim_end_matches(['.', '-', '_']);
            piece_at += piece.len() + 2;
            let followed = after.filter(|_| from + host.len() == run_end);
            if from >= next
                && let Some(host) = named_host(host, followed)
            {
                let found = domain_or_page(text, from, from + host.len());
                next = found.end;
                out.put(found);
            }
        }
    }
}

fn domain_or_page(text: &str, start: usize, host_end: usize) -> Place {
    let rest = text.get(host_end..).unwrap_or_default();
    let mut next = rest.chars();
    let has_tail = match next.next() {
        Some('/' | '?' | '#') => true,
        Some(':') => next.next().is_some_and(|c| c.is_ascii_digit()),
        _ => false,
    };
    let end = if has_tail {
        word_end(text, start).max(host_end)
    } else {
        host_end
    };
    let kind = if end > host_end {
        EntityKind::Url
    } else {
        EntityKind::Domain
    };
    place(text, kind, start, end)
}

/// Longer than any domain, in bytes: such a run is not looked into.
const LONG_HOST: usize = 1024;

/// What of a run of letters, digits, dots and hyphens is a domain.
fn named_host(run: &str, followed: Option<char>) -> Option<&str> {
    let (rest, last) = run.rsplit_once('.')?;
    if run.len() > LONG_HOST || is_address(run) {
        return Some(run);
    }
    let lower = last.to_lowercase();
    let is_name = lower.chars().count() >= 2
        && (lower.starts_with("xn--") || last.chars().all(|c| c.is_alphabetic() || is_mark(c)));
    if !is_name {
        return None;
    }
    let leads_on = matches!(followed, Some('/' | ':' | '?' | '#'));
    if FILES.contains(&lower.as_str()) && !leads_on {
        return None;
    }
    // `lunch.Please`: a sentence ends there, unless it is a domain that everybody knows.
    let mut chars = last.chars();
    let is_title = chars.next().is_some_and(char::is_uppercase)
        && chars.clone().all(char::is_lowercase)
        && rest.ends_with(char::is_lowercase)
        && last.len() > 2;
    if is_title && !leads_on && !KNOWN.contains(&lower.as_str()) {
        return named_host(rest, Some('.'));
    }
    Some(run)
}

/// `192.0.2.1`
pub(super) fn is_address(run: &str) -> bool {
    run.split('.').count() == 4 && run.split('.').all(|part| part.parse::<u8>().is_ok())
}

/// Endings of files that are no top-level domains.
const FILES: [&str; 63] = [
    "aspx", "avi", "bak", "bat", "bmp", "cfg", "class", "conf", "cpp", "css", "csv", "dll", "doc",
    "docx", "eml", "exe", "gif", "gz", "hpp", "htm", "html", "ics", "ini", "ipynb", "jar", "jpeg",
    "jpg", "js", "json", "jsonl", "jsp", "jsx", "lock", "log", "mkv", "odp", "ods", "odt", "pdf",
    "php", "png", "ppt", "pptx", "psd", "rar", "rb", "rtf", "sql", "svg", "tar", "tgz", "tif",
    "tiff", "tmp", "toml", "ts", "tsv", "tsx", "txt", "wav", "webp", "xls", "xlsx",
];

/// Top-level domains that count with a capital, too.
const KNOWN: [&str; 60] = [
    "agency",
    "app",
    "art",
    "bank",
    "bar",
    "biz",
    "blog",
    "cafe",
    "center",
    "chat",
    "click",
    "cloud",
    "club",
    "com",
    "company",
    "dev",
    "digital",
    "edu",
    "email",
    "example",
    "finance",
    "fun",
    "games",
    "gov",
    "group",
    "guru",
    "help",
    "host",
    "icu",
    "info",
    "int",
    "life",
    "link",
    "live",
    "ltd",
    "media",
    "mil",
    "money",
    "mov",
    "net",
    "network",
    "news",
    "one",
    "online",
    "org",
    "page",
    "press",
    "pro",
    "shop",
    "site",
    "solutions",
    "space",
    "store",
    "support",
    "tech",
    "test",
    "top",
    "website",
    "xyz",
    "zip",
];

/// Where a word ends that begins here: as in what turns mention.
fn word_end(text: &str, start: usize) -> usize {
    let rest = text.get(start..).unwrap_or_default();
    let separates =
        |c: char| c.is_whitespace() || ",;|()[]{}<>\"`“”„«»、，".contains(c) || is_hidden(c);
    let word = rest.split(separates).next().unwrap_or_default();
    let word = word.trim_end_matches(['.', ':', '!', '?', '…', '\'', '’', '*']);
    start + word.len()
}

/// Where a URL ends whose form is not known.
fn tail_end(text: &str, start: usize) -> usize {
    let rest = text.get(start..).unwrap_or_default();
    let ends = |c: char| c.is_whitespace() || "<>\"`".contains(c);
    let tail = rest.split(ends).next().unwrap_or_default();
    let opens = tail.contains('(');
    let closes = |c: char| ".,;:!?']}*".contains(c) || c == ')' && !opens;
    start + tail.trim_end_matches(closes).len()
}
