use countersign_core::document::TargetType as T;

use super::{KeyKind, lookup_form, parse, plain_keys};

#[test]
fn lookup_forms_bring_odd_spellings_together() {
    for (kind, value, form) in [
        (
            T::Email,
            "Jane+News@Customer.Example",
            "jane+news@customer.example",
        ),
        (
            T::Email,
            "jane@CUSTOMER\u{3002}example",
            "jane@customer.example",
        ),
        (T::Email, "o'brien@a.example", "o'brien@a.example"),
        (T::Domain, "Bücher.Example.", "xn--bcher-kva.example"),
        (
            T::Url,
            "HTTP://A.Example:80/x/../%41?q#f",
            "http://a.example/a?q#f",
        ),
        (T::Url, "a.example/X", "//a.example/x"),
        (T::Url, "a.example:8080", "//a.example:8080/"),
        (T::Url, "MAILTO:a@b.example", "mailto:a@b.example"),
        (T::Url, "https://Evil.Test./x", "https://evil.test/x"),
        (T::Url, "evil.test.:80/", "//evil.test:80/"),
        (T::Url, "gopher://Evil.Test./X", "gopher://evil.test/x"),
        (T::Id, " #INV-2041 ", "inv-2041"),
        (T::Id, "ca\u{301}fe\u{200b}", "c\u{e1}fe"),
        (T::Path, "/a//b/../C/", "/a/c"),
        (T::Path, ".\\a\\b", "a/b"),
        (T::Path, "/", "/"),
        (T::Path, ".", "."),
    ] {
        assert_eq!(lookup_form(kind, value).as_deref(), Some(form), "{value:?}");
    }
}

#[test]
fn what_is_no_value_of_its_type_is_refused() {
    let long_local = format!("{}@a.example", "x".repeat(65));
    let long_address = format!("x@{}.example", "a.".repeat(130));
    for (kind, value) in [
        (T::Email, "a..b@c.example"),
        (T::Email, ".a@c.example"),
        (T::Email, "a.@c.example"),
        (T::Email, "a@-c.example"),
        (T::Email, "a@c_d.example"),
        (T::Email, "a@c..example"),
        (T::Email, "a\u{1f600}@c.example"),
        (T::Email, &long_local),
        (T::Email, &long_address),
        (T::Domain, "a b.example"),
        (T::Domain, "*.example"),
        (T::Domain, "a/b"),
        (T::Domain, ".."),
        (T::Url, "not a url"),
        (T::Url, "word"),
        (T::Url, "http://"),
        (T::Url, "http:///x"),
        (T::Url, "mailto:"),
        (T::Url, "https://a\\@b.example/"),
        (T::Url, "https:evil.test"),
        (T::Url, "https:/evil.test"),
        (T::Url, "https:///evil.test"),
        (T::Url, "HTTPS:evil.test"),
        (T::Url, "https:a@evil.test"),
        (T::Url, "https:443@evil.test"),
        (T::Url, "http:80"),
        (T::Url, "Wss:evil.test"),
        (T::Url, "file:/etc/passwd"),
        (T::Url, "https://a.example@evil.test/"),
        (T::Url, "https://a:b@evil.test/"),
        (T::Url, "a.example@evil.test"),
        (T::Url, "gopher://a@evil.test/"),
        (T::Url, "https://evil.test../"),
        (T::Url, "https://./"),
        (T::Url, "gopher://evil%2etest/"),
        (T::Url, "//evil.test/x"),
        (T::Id, "\u{200b}"),
        (T::Id, " "),
        (T::Id, "a\nb"),
        (T::Path, "a/../.."),
    ] {
        assert_eq!(lookup_form(kind, value), None, "{value:?}");
    }
}

/// So the keys of a plain word leave URLs out.
#[test]
fn a_plain_word_is_no_url_that_something_could_ground() {
    for word in [
        "4821",
        "folder-3",
        "0x7f",
        "a",
        "-",
        "a-b",
        "xn--a",
        "localhost1",
        "127",
    ] {
        let keys = parse(T::Url, word).map_or_else(Vec::new, |parsed| parsed.keys);
        assert_eq!(keys, [], "{word}");
    }
    let keys = plain_keys(&serde_json::json!("localhost"));
    assert!(keys.iter().any(|key| key.kind == KeyKind::Url), "{keys:?}");
}
