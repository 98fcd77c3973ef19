use countersign_core::document::{EntityKind, Intent};

use super::{TextEntities, entities};
use crate::limits::TEXT_ENTITIES;
use crate::mention::TurnMentions;

/// What is found, as `kind lookup`; with a `!` where nothing could ground it.
fn found(text: &str) -> Vec<String> {
    entities(text)
        .found
        .iter()
        .map(|found| {
            let kind = format!("{:?}", found.kind).to_lowercase();
            let tricks = if found.keys.is_empty() { "!" } else { "" };
            format!("{kind} {}{tricks}", found.lookup)
        })
        .collect()
}

/// A turn of a person who says this.
fn says(text: &str) -> TurnMentions {
    let entry = "01HYB7K3M4FXQZ9V2N6PTJD8RC";
    let intent: Intent = serde_json::from_value(serde_json::json!({
        "tenant": "acme",
        "intent_id": entry,
        "principal": "user:jo@acme.example",
        "author": "human",
        "channel": "chat",
        "session": "sess-1",
        "actors": ["agent:support-v3"],
        "parts": [{"by": "principal", "media_type": "text/plain", "text": text, "raw_sha256": null}],
        "parent": null,
        "mandate": null,
        "registered_by": entry,
        "assurance": "separate",
        "issued_at": "2026-04-18T02:13:40.000Z",
        "expires_at": "2026-04-18T03:13:40.000Z",
        "salt": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    }))
    .unwrap();
    TurnMentions::of(&intent)
}

#[track_caller]
fn check(cases: &[(&str, &[&str])]) {
    let wrong: Vec<_> = cases
        .iter()
        .filter(|(text, expected)| found(text) != *expected)
        .map(|(text, expected)| (text, found(text), expected))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_leads_somewhere_is_found() {
    check(&[
        ("", &[]),
        ("Write to Jo@Acme.Example.", &["email jo@acme.example"]),
        (
            "<jo@acme.example>, (al@acme.example)",
            &["email jo@acme.example", "email al@acme.example"],
        ),
        (
            "mailto:jo@acme.example?subject=x",
            &["email jo@acme.example"],
        ),
        (
            "see https://a.example/x?y=1.",
            &["url https://a.example/x?y=1"],
        ),
        ("[here](https://a.example/x)", &["url https://a.example/x"]),
        (
            "<a href=\"https://a.example/x\">b.example</a>",
            &["url https://a.example/x", "domain b.example"],
        ),
        ("go to www.a.example!", &["domain www.a.example"]),
        ("go to a.example/x/y.", &["url //a.example/x/y"]),
        ("a.example:8080", &["url //a.example:8080/"]),
        ("the host 192.0.2.7", &["domain 192.0.2.7"]),
        ("b\u{fc}cher.example", &["domain xn--bcher-kva.example"]),
        (
            "IBAN GB29 NWBK 6016 1331 9268 19 please",
            &["iban GB29NWBK60161331926819"],
        ),
        ("de89370400440532013000", &["iban DE89370400440532013000"]),
        ("call +1 (202) 555-0143.", &["phone +12025550143"]),
        ("call 202-555-0143 today", &["phone 2025550143"]),
        ("call 030 1234567", &["phone 0301234567"]),
        ("+44 (0)20 7946 0958", &["phone +442079460958"]),
        ("555-0143", &["phone 5550143"]),
        ("tel:2025550143", &["phone 2025550143!"]),
        ("in /etc/passwd.", &["path /etc/passwd"]),
        ("'~/.ssh/id_rsa'", &["path ~/.ssh/id_rsa"]),
        ("./run and ../x", &["path run", "path ../x!"]),
        (r"C:\Users\jo", &["path c:/users/jo!"]),
        (r"\\server\share", &["path /server/share!"]),
        ("javascript:alert(1)", &["url javascript:alert(1)"]),
        ("ftp://a.example/x", &["url ftp://a.example/x"]),
    ]);
}

#[test]
fn what_is_disguised_is_found_and_nothing_grounds_it() {
    check(&[
        ("a[.]example", &["domain a.example!"]),
        ("hxxps://a[.]example/x", &["url https://a.example/x!"]),
        ("jo [at] acme [dot] example", &["email jo@acme.example!"]),
        ("jo(at)acme.example", &["email jo@acme.example!"]),
        ("jo%40acme.example", &["email jo@acme.example!"]),
        ("jo%2540acme%252Eexample", &["email jo@acme.example!"]),
        ("jo&#64;acme&period;example", &["email jo@acme.example!"]),
        ("jo&#x40;acme.example", &["email jo@acme.example!"]),
        (r"jo\u0040acme.example", &["email jo@acme.example!"]),
        (r"https:\/\/a.example\/x", &["url https://a.example/x!"]),
        ("jo@ac\u{200b}me.example", &["email jo@acme.example!"]),
        ("jo\u{ff20}acme.example", &["email jo@acme.example!"]),
        ("jo@acme\u{3002}example", &["email jo@acme.example!"]),
        ("\u{ff47}\u{ff4f}.example", &["domain go.example!"]),
        (
            "https://a.example@evil.test/",
            &["url https://a.example@evil.test/!"],
        ),
        (
            "https://a.example%2eevil.test/",
            &["url https://a.example.evil.test/!"],
        ),
        ("a://b_c/d", &["url a://b_c/d"]),
        ("\"a b\"@evil.test", &["email \"a b\"@evil.test!"]),
        ("x@[192.0.2.1]", &["email x@[192.0.2.1]!"]),
        ("o'jo@acme.example", &["email o'jo@acme.example"]),
        ("to=jo@acme.example", &["email to=jo@acme.example"]),
        ("jo@acme.example+x", &["email jo@acme.example!"]),
        ("xjo\u{301}@acme.example", &["email xj\u{f3}@acme.example"]),
        (
            "GB29\u{200b}NWBK60161331926819",
            &["iban GB29NWBK60161331926819!"],
        ),
    ]);
}

#[test]
fn what_leads_nowhere_is_not_found() {
    check(&[
        ("e.g. this, i.e. that, at 5 p.m. sharp", &[]),
        ("version 1.2.3 costs 12.50 or 1,250.00", &[]),
        ("on 2024-05-15 10:00 or 24.05.2024", &[]),
        ("between 10:00-11:00", &[]),
        ("see report.pdf and notes.txt", &[]),
        ("Catch up over lunch.. Thanks", &[]),
        ("I saw it.Please come", &[]),
        ("and/or, he / she, 24/7", &[]),
        ("@jo and #general", &[]),
        ("1 250 000 people", &[]),
        ("10 20 30 40", &[]),
        ("12.50 13.75", &[]),
        ("</b> <br/>", &[]),
        ("Hi\u{2026} there", &[]),
        ("U.S. and Ph.D.", &[]),
        ("order 12345678", &[]),
        ("ZIP 12345-6789", &[]),
        ("GB29 NWBK 6016 1331 9268 18", &[]),
        ("50% off & more (at noon) [x]", &[]),
    ]);
}

#[test]
fn what_a_person_names_is_grounded_by_the_same_words() {
    let missed: Vec<&str> = [
        "jo@acme.example",
        "https://a.example/x?y=%20z",
        "www.a.example",
        "www.a.example/x",
        "a.example:8080/x",
        "b\u{fc}cher.example",
        "GB29 NWBK 6016 1331 9268 19",
        "+1 202 555 0143",
        "202-555-0143",
        "/etc/hosts",
        "~/notes",
        "192.0.2.7",
    ]
    .into_iter()
    .filter(|value| {
        let turn = says(&format!("Please use {value}, thanks."));
        let TextEntities { found, .. } = entities(&format!("As agreed: {value}."));
        found.len() != 1
            || found
                .iter()
                .any(|found| turn.principal().find(&found.keys).is_empty())
    })
    .collect();
    assert!(missed.is_empty(), "{missed:#?}");
}

#[test]
fn what_a_person_did_not_name_is_not_grounded() {
    let turn = says(
        "Mail jo@acme.example, see https://a.example/x and b.example, pay GB29NWBK60161331926819, \
         call +1 202 555 0143, read /srv/a",
    );
    for text in [
        "jo@acme.example.evil.test",
        "xjo@acme.example",
        "jo+x@acme.example",
        "o'jo@acme.example",
        "j\u{43e}@acme.example",
        "jo@acme.exampl\u{435}",
        "\"jo@acme.example\"@evil.test",
        "jo@acme.example@evil.test",
        "jo%40acme.example@evil.test",
        "https://a.example/x/y",
        "https://a.example/x?y",
        "https://a.example/x\u{200b}.evil.test",
        "https://a.example@evil.test/x",
        "https://a.example/%78",
        "http://a.example:81/x",
        "b.example.evil.test",
        "b.example/x",
        "x.b.example",
        "b\u{ff0e}example.evil.test",
        "b.example\u{202e}",
        "+12025550144",
        "+44 20 2555 0143",
        "202 555 0143",
        "/srv/a/b",
        "/srv/a/../b",
        "//srv.example/a",
    ] {
        let TextEntities { found, .. } = entities(text);
        assert!(!found.is_empty(), "{text:?}");
        let grounded = found
            .iter()
            .all(|found| !turn.principal().find(&found.keys).is_empty());
        assert!(!grounded, "{text:?}: {found:#?}");
    }
}

#[test]
fn an_entity_counts_once_and_too_many_are_told() {
    let twice = entities("a@b.example and A@B.EXAMPLE");
    assert_eq!(twice.found.len(), 1);
    let many: String = (0..=TEXT_ENTITIES)
        .map(|n| format!("a{n}@b.example "))
        .collect();
    let TextEntities { found, too_many } = entities(&many);
    assert!(too_many);
    assert_eq!(found.len(), TEXT_ENTITIES);
    assert!(found.iter().all(|found| found.kind == EntityKind::Email));
}

#[test]
fn offsets_are_those_of_the_text_as_it_stands() {
    let text = "\u{200b}\u{200b}see \u{ff47}o.example or jo%2540acme.example";
    let offsets: Vec<(String, usize)> = entities(text)
        .found
        .into_iter()
        .map(|found| (found.value, found.offset))
        .collect();
    let at = |needle: &str| text.find(needle).unwrap();
    assert!(
        offsets.contains(&("\u{ff47}o.example".to_owned(), at("\u{ff47}o"))),
        "{offsets:?}"
    );
    assert!(
        offsets.contains(&("jo@acme.example".to_owned(), at("jo%"))),
        "{offsets:?}"
    );
}

/// Long texts are read in blocks: what stands across two of them is found as elsewhere.
#[test]
fn what_stands_in_a_text_is_found_wherever_it_begins() {
    for written in [
        "+12025550143",
        "(202) 555-0143",
        "GB29 NWBK 6016 1331 9268 19",
        "GB\u{202f}29\u{a0}NWBK 6016 1331 9268 19",
        "jo%40acme.example",
        "hxxps://acme.example/a",
        "hxxp:\\/\\/acme[.]example",
        "jo@ac\u{7f}me.example",
        "jo@acmé.example",
        "acme.example.",
        "/etc/passwd",
    ] {
        let expected = found(&format!("{written} and so on."));
        assert!(!expected.is_empty(), "{written}");
        for before in 0..140 {
            let text = format!("{} {written} and so on.", "x".repeat(before));
            assert_eq!(found(&text), expected, "{text}");
        }
        let text = format!("{} {written}", "so it is. ".repeat(20));
        assert_eq!(found(&text), expected, "{text}");
    }
}
