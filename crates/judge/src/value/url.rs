//! URLs (RFC 3986, with the host as in UTS 46).

use url::{Host, Url};

use super::{Domain, Key, KeyKind, Parsed, text};

pub(super) fn parse(value: &str) -> Option<Parsed> {
    if text::has_hidden(value) || value.contains(|c: char| c.is_whitespace() || c == '\\') {
        return None;
    }
    match shape(value) {
        Shape::Full => hierarchical(value, value, true),
        Shape::WithoutScheme => {
            let parsed = hierarchical(value, &format!("https://{value}"), false)?;
            let named = parsed.members.iter().any(|(name, host)| {
                *name == "domain" && (host.contains('.') || host == "localhost")
            });
            named.then_some(parsed)
        }
        Shape::Opaque => opaque(value),
        Shape::WithoutSlashes => None,
    }
}

/// The schemes whose `//` a browser puts in where it is missing (URL Standard, "special schemes").
const SPECIAL: [&str; 6] = ["http", "https", "ftp", "ws", "wss", "file"];

enum Shape {
    /// `scheme://…`
    Full,
    /// `example.com/…`
    WithoutScheme,
    /// `mailto:…`
    Opaque,
    /// `https:example.com`
    WithoutSlashes,
}

fn shape(value: &str) -> Shape {
    let Some((before, after)) = value.split_once(':') else {
        return Shape::WithoutScheme;
    };
    let is_scheme = before.starts_with(|c: char| c.is_ascii_alphabetic())
        && before
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
    if is_scheme && after.starts_with("//") {
        Shape::Full
    } else if SPECIAL.iter().any(|s| before.eq_ignore_ascii_case(s)) {
        Shape::WithoutSlashes
    } else if is_scheme && !before.contains('.') && !after.starts_with(|c: char| c.is_ascii_digit())
    {
        Shape::Opaque
    } else {
        Shape::WithoutScheme
    }
}

/// `full` is the value with a scheme; what of it the value itself holds is compared verbatim.
fn hierarchical(value: &str, full: &str, has_scheme: bool) -> Option<Parsed> {
    let (scheme, after) = full.split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    let end = after.find(['/', '?', '#']).unwrap_or(after.len());
    let (authority, rest) = after.split_at_checked(end)?;
    if authority.is_empty() && scheme != "file" {
        return None;
    }
    // What stands before an `@` reads as a host and is none; an encoded host hides which it is.
    if authority.contains(['@', '%']) {
        return None;
    }
    let mut url = Url::parse(full).ok()?;
    let host = host(&mut url)?;
    let port = url.port().map(|p| format!(":{p}")).unwrap_or_default();

    let slash = if rest.starts_with('/') { "" } else { "/" };
    let tail = format!("//{host}{port}{slash}{}", text::nfc(rest));
    let mut keys = Vec::new();
    if is_plain_host(authority, &host, url.port()) {
        if has_scheme {
            keys.push(Key::new(KeyKind::Url, format!("{scheme}:{tail}")));
        }
        if !has_scheme || scheme == "http" || scheme == "https" {
            keys.push(Key::new(KeyKind::Url, tail.clone()));
        }
        if !has_scheme {
            keys.push(Key::new(KeyKind::UrlOfAnyScheme, tail));
        }
    }
    let lookup = decode_unreserved(url.as_str()).to_lowercase();
    let lookup = if has_scheme {
        lookup
    } else {
        lookup.strip_prefix("https:").unwrap_or(&lookup).to_owned()
    };
    let mut members = vec![("domain", host), ("path", decode_unreserved(url.path()))];
    if has_scheme {
        members.push(("scheme", scheme));
    }
    Some(Parsed {
        lookups: vec![lookup],
        keys,
        members,
        skeleton: Some(text::skeleton(value)),
    })
}

/// The host in ASCII and lower case, without the dot of the root, which names the same host; so it
/// then stands in the URL too. Empty where the URL has none.
fn host(url: &mut Url) -> Option<String> {
    let written = url.host_str().unwrap_or_default().to_owned();
    if written.is_empty() {
        return Some(written);
    }
    let host = Host::parse(written.strip_suffix('.').unwrap_or(&written)).ok()?;
    let host = host.to_string();
    if host.is_empty() || host.ends_with('.') {
        return None;
    }
    if host != written {
        url.set_host(Some(&host)).ok()?;
    }
    Some(host)
}

/// Whether the host is spelt as the parser understood it: no octal or hexadecimal addresses, no
/// folded or hidden characters.
fn is_plain_host(written: &str, host: &str, port: Option<u16>) -> bool {
    let name = match written.rsplit_once(':') {
        Some((name, digits)) if digits.is_empty() || digits.bytes().all(|b| b.is_ascii_digit()) => {
            if port.is_some_and(|p| digits != p.to_string()) {
                return false;
            }
            name
        }
        _ => written,
    };
    name.eq_ignore_ascii_case(host)
        || Domain::parse(name).is_some_and(|domain| domain.plain && domain.ascii == host)
}

fn opaque(value: &str) -> Option<Parsed> {
    let (scheme, rest) = value.split_once(':')?;
    let scheme = scheme.to_ascii_lowercase();
    if rest.is_empty() {
        return None;
    }
    let key = format!("{scheme}:{}", text::nfc(rest));
    Some(Parsed {
        lookups: vec![text::lenient(&key)],
        skeleton: Some(text::skeleton(&key)),
        keys: vec![Key::new(KeyKind::Url, key)],
        members: vec![("scheme", scheme)],
    })
}

/// Decodes what never needed encoding (RFC 3986 section 2.3).
fn decode_unreserved(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        let (before, after) = rest.split_at_checked(at).unwrap_or((rest, ""));
        out.push_str(before);
        let decoded = after
            .get(1..3)
            .and_then(|hex| u8::from_str_radix(hex, 16).ok())
            .map(char::from)
            .filter(|c| c.is_ascii_alphanumeric() || "-._~".contains(*c));
        let (piece, skipped) = match decoded {
            Some(c) => (c, 3),
            None => ('%', 1),
        };
        out.push(piece);
        rest = after.get(skipped..).unwrap_or("");
    }
    out.push_str(rest);
    out
}
