//! Requests that mean to pass as something else.

use countersign_core::entry::PermitRefusal;

use crate::tool::Tool;
use crate::world::{MAIL, World, ok};

fn world() -> World {
    World::new(Tool::saying(&ok("text/plain", "sent")))
}

#[test]
fn a_request_of_two_readings_is_refused_and_the_permit_is_still_good() {
    let world = world();
    let permit = world.mail_permit();
    let length = MAIL.len();
    let chunked = format!("{length:x}\r\n{MAIL}\r\n0\r\n\r\n");
    let head = |target: &str, fields: &str| {
        format!(
            "{target} HTTP/1.1\r\nhost: gate\r\ncontent-type: application/json\r\ncountersign-permit: {permit}\r\n{fields}\r\n"
        )
    };
    let whole = format!("content-length: {length}\r\n");
    for (what, bytes) in [
        (
            "two lengths",
            head("POST /v1/send", &format!("{whole}{whole}")) + MAIL,
        ),
        (
            "two lengths after empty lines",
            format!(
                "\r\n\n\r\n{}{MAIL}",
                head("POST /v1/send", &format!("{whole}{whole}"))
            ),
        ),
        (
            "a length and chunks after empty lines",
            format!(
                "\r\n\r\n{}{chunked}",
                head(
                    "POST /v1/send",
                    &format!("{whole}transfer-encoding: chunked\r\n"),
                )
            ),
        ),
        (
            "a length and chunks",
            head(
                "POST /v1/send",
                &format!("{whole}transfer-encoding: chunked\r\n"),
            ) + &chunked,
        ),
        (
            "chunks and a length",
            head(
                "POST /v1/send",
                &format!("transfer-encoding: chunked\r\n{whole}"),
            ) + &chunked,
        ),
        (
            "two codings",
            head(
                "POST /v1/send",
                "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
            ) + &chunked,
        ),
        (
            "an unknown coding",
            head("POST /v1/send", "transfer-encoding: x, chunked\r\n") + &chunked,
        ),
        (
            "an address",
            head("POST http://evil.test/v1/send", &whole) + MAIL,
        ),
        (
            "two types",
            head(
                "POST /v1/send",
                &format!("{whole}content-type: text/plain\r\n"),
            ) + MAIL,
        ),
        (
            "two permits",
            head(
                "POST /v1/send",
                &format!("{whole}countersign-permit: a.b.c\r\n"),
            ) + MAIL,
        ),
        (
            "a coding of the content",
            head(
                "POST /v1/send",
                &format!("{whole}content-encoding: gzip\r\n"),
            ) + MAIL,
        ),
        ("a doubled slash", head("POST //v1/send", &whole) + MAIL),
        ("a dot segment", head("POST /v1/x/../send", &whole) + MAIL),
        ("an encoded slash", head("POST /v1%2fsend", &whole) + MAIL),
        ("an encoded letter", head("POST /v1/sen%64", &whole) + MAIL),
        ("a path parameter", head("POST /v1;x=1/send", &whole) + MAIL),
        (
            "an undeclared query",
            head("POST /v1/send?to=eve@evil.test", &whole) + MAIL,
        ),
    ] {
        let reply = world.exchange(bytes.as_bytes());
        assert!(matches!(reply.status, 400 | 404 | 415), "{what}: {reply:?}");
    }
    let other = world.ask("PUT", "/v1/send", &[("countersign-permit", &permit)], MAIL);
    assert_eq!((other.status, other.code().as_str()), (404, "no-route"));
    assert!(world.tool.sent().is_empty() && world.refusals().is_empty());
    // A body in chunks has one reading, and leaves with a length.
    let reply = world
        .exchange((head("POST /v1/send", "transfer-encoding: chunked\r\n") + &chunked).as_bytes());
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(
        world.tool.sent()[0].fields("content-length"),
        [length.to_string()]
    );
}

#[test]
fn what_comes_after_a_request_is_no_second_one() {
    let world = world();
    let (first, second) = (world.mail_permit(), world.mail_permit());
    let one = |permit: &str| {
        format!(
            "POST /v1/send HTTP/1.1\r\nhost: gate\r\ncontent-type: application/json\r\ncountersign-permit: {permit}\r\ncontent-length: {}\r\n\r\n{MAIL}",
            MAIL.len()
        )
    };
    let reply = world.exchange(format!("{}{}", one(&first), one(&second)).as_bytes());
    assert_eq!(reply.status, 200);
    assert!(!reply.text().contains("HTTP/1.1"));
    assert_eq!(world.tool.sent().len(), 1);
}

#[test]
fn a_changed_body_is_another_call() {
    let world = world();
    let permit = world.mail_permit();
    for body in [
        MAIL.replace("pat@acme.example", "eve@evil.test"),
        // The same arguments, and other bytes.
        MAIL.replace(" , ", ","),
    ] {
        let reply = world.ask(
            "POST",
            "/v1/send",
            &[("countersign-permit", &permit)],
            &body,
        );
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (403, "permit-refused")
        );
        let refused = world.refusals().pop().unwrap();
        assert_eq!(refused.reason, PermitRefusal::Arguments);
        assert!(refused.links.decision.is_some());
    }
    for body in [
        MAIL.replace("\"subject\"", "\"to\": [\"eve@evil.test\"], \"subject\""),
        MAIL.replace('{', "["),
        String::new(),
    ] {
        let reply = world.ask(
            "POST",
            "/v1/send",
            &[
                ("countersign-permit", &permit),
                ("content-type", "application/json"),
            ],
            &body,
        );
        assert_eq!(reply.status, 400, "{reply:?}");
    }
    assert!(world.tool.sent().is_empty());
    assert_eq!(world.send(&permit).status, 200);
}

#[test]
fn a_call_without_a_permit_or_with_one_that_has_ended_does_not_leave() {
    let world = world();
    let reply = world.ask("POST", "/v1/send", &[], MAIL);
    assert_eq!(
        (reply.status, reply.code().as_str()),
        (401, "permit-missing")
    );
    assert!(reply.field("www-authenticate").is_some());
    let permit = world.mail_permit();
    world.turn_clock(61_000);
    let reply = world.send(&permit);
    assert_eq!(
        (reply.status, reply.code().as_str()),
        (403, "permit-refused")
    );
    assert_eq!(world.refusals()[0].reason, PermitRefusal::Expired);
    assert!(world.tool.sent().is_empty());
}

#[test]
fn tokens_that_anybody_can_make_up_do_not_fill_the_ledger() {
    let world = world();
    let permit = world.mail_permit();
    let other = self::world().mail_permit();
    for n in 0..30 {
        let token = match n % 3 {
            0 => format!("a.b.{n}"),
            1 => other.clone(),
            _ => format!("{}{n}", &permit[..permit.len() - 2]),
        };
        let reply = world.send(&token);
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (403, "permit-refused"),
            "{n}"
        );
    }
    let refusals = world.refusals();
    assert_eq!(refusals.len(), 10);
    assert!(
        refusals
            .iter()
            .all(|it| it.reason == PermitRefusal::Signature)
    );
    assert!(refusals.iter().all(|it| it.permit.is_none()));
    assert_eq!(world.send(&permit).status, 200);
}

#[test]
fn what_is_too_long_is_not_read() {
    let world = world();
    let permit = world.mail_permit();
    let long = format!("{{\"to\": \"{}\"}}", "x".repeat(64 * 1024));
    let reply = world.ask(
        "POST",
        "/v1/send",
        &[("countersign-permit", &permit)],
        &long,
    );
    assert_eq!(
        (reply.status, reply.code().as_str()),
        (413, "body-too-large")
    );
    let head = format!(
        "POST /v1/send HTTP/1.1\r\nhost: gate\r\ncontent-type: application/json\r\ncountersign-permit: {permit}\r\ntransfer-encoding: chunked\r\n\r\n"
    );
    let reply = world.exchange(format!("{head}{:x}\r\n{long}\r\n0\r\n\r\n", long.len()).as_bytes());
    assert_eq!(reply.status, 413);
    let path = format!("/v1/{}", "x".repeat(4_000));
    assert_eq!(world.ask("GET", &path, &[], "").status, 400);
    assert!(world.tool.sent().is_empty());
    assert_eq!(world.send(&permit).status, 200);
}
