//! The path and query of a request, read so that nobody after us can read them otherwise.
//!
//! What was matched is what is sent: the text goes on byte for byte. So whatever some server
//! normalises (dot segments, doubled and encoded slashes, backslashes, path parameters, needless or
//! doubled percent-encoding) is refused rather than tidied up.

use percent_encoding::percent_decode_str;

use crate::limits::TARGET_BYTES;

/// A path and a query, each of one reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target<'a> {
    /// The segments of the path as they were sent, and decoded.
    pub(crate) segments: Vec<Segment<'a>>,
    /// The names and values of the query, in order.
    pub(crate) query: Vec<(&'a str, String)>,
}

/// One segment of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Segment<'a> {
    pub(crate) raw: &'a str,
    pub(crate) decoded: String,
}

/// Why a path or query has no single reading.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TargetError {
    #[error("the request's target is no path, such as `/messages`")]
    Form,
    #[error("the path and query have {0} bytes; allowed are {TARGET_BYTES}")]
    TooLong(usize),
    #[error("the path has an empty or a dot segment")]
    Segment,
    #[error("the {0} has a character that must be percent-encoded, or may not stand there")]
    Character(&'static str),
    #[error("the {0} has a percent sign that begins no encoded byte")]
    Percent(&'static str),
    #[error(
        "the path encodes a character that needs no encoding, or one that others take for a separator"
    )]
    Encoded,
    #[error("the {0} is not utf-8")]
    Utf8(&'static str),
    #[error("the query has an empty part, or one without `=`")]
    QueryPart,
}

/// Reads a target as it stood in the request.
pub(crate) fn read<'a>(path: &'a str, query: Option<&'a str>) -> Result<Target<'a>, TargetError> {
    let length = path.len() + query.map_or(0, |query| query.len() + 1);
    if length > TARGET_BYTES {
        return Err(TargetError::TooLong(length));
    }
    let rest = path.strip_prefix('/').ok_or(TargetError::Form)?;
    let mut segments = Vec::new();
    let mut parts = rest.split('/').peekable();
    while let Some(raw) = parts.next() {
        // A slash at the end is part of the path: `/a` and `/a/` are two.
        if raw.is_empty() && parts.peek().is_some() {
            return Err(TargetError::Segment);
        }
        segments.push(Segment {
            decoded: segment(raw)?,
            raw,
        });
    }
    let query = query.map_or_else(|| Ok(Vec::new()), read_query)?;
    Ok(Target { segments, query })
}

fn segment(raw: &str) -> Result<String, TargetError> {
    let what = "path";
    // RFC 3986 section 3.3 allows `;` and gives it no meaning; servers do.
    let may_stand = |byte: u8| {
        is_unreserved(byte)
            || matches!(byte, b'!' | b'$' | b'&' | b'\'' | b'(' | b')')
            || matches!(byte, b'*' | b'+' | b',' | b'=' | b':' | b'@' | b'%')
    };
    if !raw.bytes().all(may_stand) {
        return Err(TargetError::Character(what));
    }
    let needless = |byte: u8| {
        is_unreserved(byte)
            || matches!(byte, b'/' | b'\\' | b'%' | b';')
            || byte < 0x20
            || byte == 0x7f
    };
    if encoded(raw, what)?.any(needless) {
        return Err(TargetError::Encoded);
    }
    let decoded = decode(raw, what)?;
    match decoded.as_str() {
        "." | ".." => Err(TargetError::Segment),
        _ => Ok(decoded),
    }
}

fn read_query(raw: &str) -> Result<Vec<(&str, String)>, TargetError> {
    let what = "query";
    // `+` is a space to some and a plus to others, `;` separates for some.
    let may_stand = |byte: u8| {
        is_unreserved(byte)
            || matches!(byte, b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*')
            || matches!(byte, b',' | b'=' | b':' | b'@' | b'/' | b'?' | b'%')
    };
    if !raw.bytes().all(may_stand) {
        return Err(TargetError::Character(what));
    }
    if encoded(raw, what)?.any(|byte| byte == 0) {
        return Err(TargetError::Character(what));
    }
    raw.split('&')
        .map(|part| {
            let (name, value) = part.split_once('=').ok_or(TargetError::QueryPart)?;
            match name.is_empty() {
                true => Err(TargetError::QueryPart),
                false => Ok((name, decode(value, what)?)),
            }
        })
        .collect()
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// The bytes that a text has percent-encoded.
fn encoded(raw: &str, what: &'static str) -> Result<impl Iterator<Item = u8>, TargetError> {
    let mut bytes = Vec::new();
    for part in raw.split('%').skip(1) {
        let digits = part
            .get(..2)
            .filter(|it| it.bytes().all(|b| b.is_ascii_hexdigit()));
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(byte.ok_or(TargetError::Percent(what))?);
    }
    Ok(bytes.into_iter())
}

fn decode(raw: &str, what: &'static str) -> Result<String, TargetError> {
    let decoded = percent_decode_str(raw).decode_utf8();
    decoded
        .map(std::borrow::Cow::into_owned)
        .map_err(|_| TargetError::Utf8(what))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(path: &str) -> Result<Vec<String>, TargetError> {
        let target = read(path, None)?;
        Ok(target.segments.into_iter().map(|it| it.decoded).collect())
    }

    #[test]
    fn a_path_of_one_reading_is_taken_apart() {
        assert_eq!(decoded("/").unwrap(), [""]);
        assert_eq!(decoded("/a/b").unwrap(), ["a", "b"]);
        assert_eq!(decoded("/a/").unwrap(), ["a", ""]);
        assert_eq!(decoded("/m/jo@acme.example/x%20y").unwrap()[2], "x y");
        assert_eq!(decoded("/%C3%A9").unwrap(), ["é"]);
        assert_eq!(decoded("/...").unwrap(), ["..."]);
    }

    #[test]
    fn paths_that_two_servers_read_differently_are_refused() {
        for path in [
            "",
            "*",
            "a/b",
            "//a",
            "/a//b",
            "/a/./b",
            "/a/../b",
            "/..",
            "/.",
            "/a/%2e%2e/b",
            "/a/.%2E/b",
            "/a%2Fb",
            "/a%2fb",
            "/a%5cb",
            "/a\\b",
            "/a;b=1/c",
            "/..;/a",
            "/a%3Bb",
            "/%61",
            "/%7e",
            "/a%00",
            "/a%0d%0aHost:%20x",
            "/%",
            "/%2",
            "/%zz",
            "/%+1",
            "/%252f",
            "/%ff",
            "/%c0%af",
            "/é",
            "/a b",
            "/a?b",
            "/a#b",
            "/\u{7f}",
        ] {
            assert!(decoded(path).is_err(), "{path:?}");
        }
        let long = format!("/{}", "a".repeat(TARGET_BYTES));
        assert_eq!(
            decoded(&long).unwrap_err(),
            TargetError::TooLong(TARGET_BYTES + 1)
        );
    }

    #[test]
    fn queries_have_names_values_and_nothing_that_separates_twice() {
        let query = |text| read("/", Some(text)).map(|target| target.query);
        let both = query("a=1&b=x%20y%2Bz").unwrap();
        assert_eq!(both, [("a", "1".to_owned()), ("b", "x y+z".to_owned())]);
        assert_eq!(query("a=b=c").unwrap(), [("a", "b=c".to_owned())]);
        for text in [
            "", "a", "&", "a=1&", "&a=1", "=1", "a=1&&b=2", "a=1;b=2", "a=x+y", "a=%", "a=%0",
            "a=%00", "a=%ff", "a=[1]", "a=1#b", "a=\"",
        ] {
            assert!(query(text).is_err(), "{text:?}");
        }
    }

    proptest::proptest! {
        /// A reader that tidies up (WHATWG URL) finds nothing to tidy up in what we take, and the
        /// same parts and pairs.
        #[test]
        fn another_reader_reads_the_same(
            path in "(/([a-z.]|%[0-9a-fA-F]{2}|[;:@&=+$,*'()!~_-]|\\\\|[ \"<>{}|^`é]){0,4}){1,4}",
            query in proptest::option::of("([a-z=&]|%[0-9a-fA-F]{2}|[;:@+$,*'()!~_./?-]|[ \"<>{}|^`é#]){0,12}"),
        ) {
            let Ok(read) = read(&path, query.as_deref()) else {
                return Ok(());
            };
            let mut whole = format!("http://upstream.example{path}");
            if let Some(query) = &query {
                whole = format!("{whole}?{query}");
            }
            let other = url::Url::parse(&whole).unwrap();
            proptest::prop_assert_eq!(other.path(), path.as_str());
            // It encodes `'` in a query, which is one of the characters that may stand there.
            let kept = query.as_ref().map(|query| query.replace('\'', "%27"));
            proptest::prop_assert_eq!(other.query(), kept.as_deref());
            let raw: Vec<&str> = read.segments.iter().map(|segment| segment.raw).collect();
            let parts: Vec<&str> = other.path_segments().unwrap().collect();
            proptest::prop_assert_eq!(parts, raw);
            let pairs: Vec<(String, String)> = other.query_pairs().into_owned().collect();
            let own: Vec<(String, String)> = read
                .query
                .into_iter()
                .filter(|(name, _)| !name.contains('%'))
                .map(|(name, value)| (name.to_owned(), value))
                .collect();
            let pairs: Vec<(String, String)> = pairs
                .into_iter()
                .filter(|(name, _)| own.iter().any(|(known, _)| known == name))
                .collect();
            proptest::prop_assert_eq!(pairs, own);
        }

        #[test]
        fn nothing_makes_the_reader_panic(path in ".{0,200}", query in proptest::option::of(".{0,200}")) {
            let _ = read(&path, query.as_deref());
        }
    }
}
