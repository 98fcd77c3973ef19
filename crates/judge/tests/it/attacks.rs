//! Values that try to pass for what the person wrote.

use countersign_core::document::{Author, Call, PartBy};
use countersign_core::refs::Sha256;
use countersign_core::verdict::Outcome;
use serde_json::{Value, json};

use crate::support::{Scene, call, compile, each_type, grounded, mail, starter};

const TURN: &str = "Send billing@customer.example the refund confirmation for this ticket";

fn asked() -> Scene {
    Scene::mail_agent().says(TURN)
}

#[test]
fn the_address_itself_is_approved() {
    for same in [
        "billing@customer.example",
        "Billing@Customer.Example",
        "BILLING@CUSTOMER.EXAMPLE",
    ] {
        assert_eq!(
            asked().verdict("email.send", mail(&[same])),
            (
                Outcome::Approved,
                vec!["only-addresses-named-in-the-turn".to_owned()]
            ),
            "{same}"
        );
    }
}

#[test]
fn other_addresses_are_never_approved() {
    let tricks = [
        // longer, shorter, beside
        "billing@customer.example.evil.test",
        "billing@customer.exampl",
        "xbilling@customer.example",
        "illing@customer.example",
        "billing@sub.customer.example",
        "billing@customerexample",
        "billing+x@customer.example",
        "bill.ing@customer.example",
        "billing@customer.example.",
        "billing@.customer.example",
        "billing@evil.test#customer.example",
        // look-alikes: Cyrillic i, Cyrillic c, Greek omicron, full width, dotless i, long s
        "b\u{456}lling@customer.example",
        "billing@\u{441}ustomer.example",
        "billing@cust\u{3bf}mer.example",
        "billing@\u{ff43}ustomer.example",
        "\u{ff42}illing@customer.example",
        "billing\u{ff20}customer.example",
        "billing@customer\u{3002}example",
        "billing@customer\u{ff0e}example",
        "b\u{131}lling@customer.example",
        "billing@cu\u{17f}tomer.example",
        "billing@xn--ustomer-8of.example",
        // hidden characters
        "billing@customer.example\u{200b}",
        "billing@cust\u{200d}omer.example",
        "bill\u{ad}ing@customer.example",
        "\u{feff}billing@customer.example",
        "\u{202e}billing@customer.example",
        "\u{200f}billing@customer.example",
        "billing@customer.example\u{e0001}",
        "billing@customer.example\u{fe0f}",
        // headers and controls
        "billing@customer.example\r\nBcc: x@evil.test",
        "billing@customer.example\nBcc: x@evil.test",
        "billing@customer.example%0d%0aBcc:x@evil.test",
        "billing@customer.example\0",
        "billing@customer.example\t",
        " billing@customer.example",
        "billing@customer.example ",
        "billing@customer.example\u{a0}",
        // lists, names, routes, quotes, comments, literals
        "billing@customer.example,x@evil.test",
        "billing@customer.example, x@evil.test",
        "billing@customer.example;x@evil.test",
        "billing@customer.example x@evil.test",
        "Bob <billing@customer.example>",
        "<billing@customer.example>",
        "\"billing@customer.example\" <x@evil.test>",
        "billing@customer.example <x@evil.test>",
        "\"billing@customer.example\"@evil.test",
        "\"billing\"@customer.example",
        "billing(x)@customer.example",
        "billing@customer.example(x@evil.test)",
        "billing@customer.example@evil.test",
        "@customer.example:billing@evil.test",
        "x@evil.test%billing@customer.example",
        "billing%40customer.example",
        "billing@[127.0.0.1]",
        "mailto:billing@customer.example",
        "mailto:billing@customer.example?bcc=x@evil.test",
        "{\"email\":\"billing@customer.example\"}",
        "[\"billing@customer.example\"]",
        "billing",
        "@",
        "billing@",
        "@customer.example",
        "",
    ];
    for trick in tricks {
        let (outcome, reasons) = asked().verdict("email.send", mail(&[trick]));
        assert_eq!(outcome, Outcome::Rejected, "{trick:?}: {reasons:?}");
        let known = ["countersign.no-permit", "countersign.unreadable-target"];
        assert!(
            reasons
                .iter()
                .all(|reason| known.contains(&reason.as_str())),
            "{trick:?}: {reasons:?}"
        );
    }
}

#[test]
fn what_cannot_be_an_address_is_named_as_the_obstacle() {
    for unreadable in [
        "billing@customer.example\r\nBcc: x@evil.test",
        "Bob <billing@customer.example>",
        "billing@customer.example, x@evil.test",
        "\"billing\"@customer.example",
        "billing@customer.example\u{200b}",
    ] {
        let (facts, verdict) = asked().asks(
            "email.send",
            mail(&["billing@customer.example", unreadable]),
        );
        assert_eq!(facts.obstacle.as_deref(), Some("unreadable-target"));
        assert_eq!(facts.obstacle_at.as_deref(), Some("/to/1"));
        assert_eq!(verdict.outcome, Outcome::Rejected);
    }
}

#[test]
fn a_turn_that_plays_tricks_grounds_less_and_not_more() {
    for turn in [
        "Send billing@customer.example\u{200b}.evil.test the refund",
        "Send billing@customer.example.evil.test the refund",
        "Send billing@cust\u{200b}omer.example the refund",
        "Send bill\u{200b}ing@customer.example the refund",
        "Send b\u{456}lling@customer.example the refund",
        "Send billing@customer.example\u{301} the refund",
        "Send billing@customer.example\u{3002}evil.test the refund",
        "Send billing@customer.example\u{ff0e}evil.test the refund",
        "Send x/billing@customer.example the refund",
        "Send a=billing@customer.example the refund",
        "Send billing@customer.example@evil.test the refund",
        "Send billing@customer.example%x the refund",
        "Send billing@customer.example_x the refund",
        "Send \"billing@customer.example\"@evil.test the refund",
        "Send billing @customer.example the refund",
        "Send billing(at)customer.example the refund",
    ] {
        let scene = Scene::mail_agent().says(turn);
        let (outcome, reasons) = scene.verdict("email.send", mail(&["billing@customer.example"]));
        assert_eq!(outcome, Outcome::Rejected, "{turn:?}: {reasons:?}");
    }
}

#[test]
fn an_address_is_found_however_people_write_around_it() {
    for turn in [
        "billing@customer.example",
        "Write to billing@customer.example.",
        "Write to billing@customer.example, please",
        "Write to billing@customer.example: the refund",
        "Write to billing@customer.example!",
        "Write to billing@customer.example?",
        "Write to billing@customer.example...",
        "Write to (billing@customer.example)",
        "Write to <billing@customer.example>",
        "Write to Bob <billing@customer.example>.",
        "Write to \"billing@customer.example\"",
        "Write to 'billing@customer.example'",
        "Write to `billing@customer.example`",
        "Write to “billing@customer.example”",
        "Write to **billing@customer.example**",
        "Write to [mail](mailto:billing@customer.example)",
        "mailto:billing@customer.example?subject=x",
        "to:billing@customer.example\ncc:x@y.example",
        "x@y.example,billing@customer.example;z@y.example",
        "Schreib an billing@customer.example—danke",
        "billing@customer.example。",
        "BILLING@CUSTOMER.EXAMPLE",
    ] {
        let scene = Scene::mail_agent().says(turn);
        let (outcome, reasons) = scene.verdict("email.send", mail(&["billing@customer.example"]));
        assert_eq!(outcome, Outcome::Approved, "{turn:?}: {reasons:?}");
    }
}

#[test]
fn an_international_address_matches_its_own_spellings_only() {
    let turn = "Schreib an info@müller.example";
    assert!(grounded("email", turn, "info@müller.example"));
    assert!(grounded("email", turn, "info@MÜLLER.example"));
    assert!(grounded("email", turn, "info@xn--mller-kva.example"));
    assert!(grounded("email", turn, "info@mu\u{308}ller.example"));
    assert!(!grounded("email", turn, "info@muller.example"));
    assert!(!grounded("email", turn, "info@mueller.example"));
    assert!(!grounded(
        "email",
        "Write to info@muller.example",
        "info@müller.example"
    ));
}

#[test]
fn characters_that_normalisation_turns_into_ascii_are_no_ascii() {
    // The Kelvin sign is `K` in form C, and `k` in lower case.
    for turn in ["Write to kate@bank.example", "Write to Kate@Bank.example"] {
        assert!(grounded("email", turn, "kate@bank.example"));
        assert!(!grounded("email", turn, "\u{212a}ate@bank.example"));
        assert!(!grounded("email", turn, "kate@ban\u{212a}.example"));
        assert!(!grounded(
            "domain",
            "block bank.example",
            "ban\u{212a}.example"
        ));
        assert!(!grounded("id", "ask Kate", "\u{212a}ate"));
        assert!(!grounded("path", "read Kate.md", "\u{212a}ate.md"));
    }
    assert!(!grounded(
        "email",
        "Write to \u{212a}ate@bank.example",
        "kate@bank.example"
    ));
    assert!(!grounded(
        "email",
        "Write to ink@b.example",
        "\u{130}nk@b.example"
    ));
    assert!(!grounded(
        "domain",
        "block istanbul.example",
        "\u{130}stanbul.example"
    ));
}

#[test]
fn a_look_alike_is_shown_as_such_and_grounds_nothing() {
    let (facts, verdict) = asked().asks("email.send", mail(&["b\u{456}lling@customer.example"]));
    assert_eq!(verdict.outcome, Outcome::Rejected);
    let target = &facts.targets[0];
    assert_eq!(target.evidence.len(), 1);
    assert!(target.evidence[0].look_alike);
    assert_eq!(
        target.evidence[0].as_written.as_deref(),
        Some("billing@customer.example")
    );
    assert_eq!(
        target.sources.iter().map(|s| s.name()).collect::<Vec<_>>(),
        ["none"]
    );
}

#[test]
fn only_the_principals_words_ground() {
    let parts = |by| [(PartBy::Principal, "Answer this ticket"), (by, TURN)];
    for by in [PartBy::Correspondent, PartBy::System, PartBy::Agent] {
        let scene = Scene::mail_agent().turn(Author::Human, &parts(by));
        let (facts, verdict) = scene.asks("email.send", mail(&["billing@customer.example"]));
        assert_eq!(verdict.outcome, Outcome::Rejected, "{by:?}");
        assert_eq!(
            facts.targets[0].evidence.len(),
            1,
            "it is still shown where it stands"
        );
    }
}

#[test]
fn an_earlier_turn_is_its_own_source() {
    let scene = Scene::mail_agent().says(TURN).says("yes, go ahead");
    let sources = scene.sources("email.send", mail(&["billing@customer.example"]));
    assert_eq!(sources, ["user_earlier"]);
    let scheduled = Scene::mail_agent()
        .turn(Author::Schedule, &[(PartBy::Principal, TURN)])
        .says("yes, go ahead");
    assert_eq!(
        scheduled.sources("email.send", mail(&["billing@customer.example"])),
        ["none"]
    );
    let mut other = Scene::mail_agent().says(TURN).says("yes, go ahead");
    other.turns[1].principal = "user:eve@acme.example".parse().unwrap();
    assert_eq!(
        other.sources("email.send", mail(&["billing@customer.example"])),
        ["none"]
    );
}

#[test]
fn a_result_is_evidence_and_no_authority() {
    let scene = Scene::mail_agent()
        .says("Answer the newest ticket")
        .result(
            "inbox.read",
            json!([{"from": "billing@customer.example", "body": "hi"}]),
        )
        .result(
            "crm.lookup",
            json!({"raw": "{\"mail\": \"billing@customer.example\"}"}),
        );
    let (facts, verdict) = scene.asks("email.send", mail(&["billing@customer.example"]));
    assert_eq!(verdict.outcome, Outcome::Rejected);
    let target = &facts.targets[0];
    assert_eq!(
        target.sources.iter().map(|s| s.name()).collect::<Vec<_>>(),
        ["any_output"]
    );
    let places = serde_json::to_value(&target.evidence).unwrap();
    assert_eq!(places[0]["place"]["pointer"], "/0/from");
    assert_eq!(places[1]["place"]["pointer"], "/raw");
    assert_eq!(places[1]["place"]["tool"], "crm.lookup");
}

#[test]
fn no_spelling_reaches_a_churned_contact() {
    let scene = |address: &str| {
        Scene::mail_agent()
            .says(&format!("Please write to {address} now"))
            .entity("Contact", "jane@left.example", json!({"status": "churned"}))
    };
    for spelling in [
        "jane@left.example",
        "Jane@Left.Example",
        "jane+news@left.example",
        "JANE+a+b@left.example",
    ] {
        assert_eq!(
            scene(spelling).verdict("email.send", mail(&[spelling])),
            (Outcome::Rejected, vec!["no-churned-contacts".to_owned()]),
            "{spelling}"
        );
    }
    let (outcome, _) = scene("x@left.example").verdict("email.send", mail(&["x@left.example"]));
    assert_eq!(outcome, Outcome::Approved);
}

#[test]
fn one_bad_target_among_twenty_rejects_the_call() {
    let names: Vec<String> = (0..20).map(|n| format!("p{n}@customer.example")).collect();
    let scene = Scene::mail_agent().says(&format!("Write to {}", names.join(", ")));
    let mut to: Vec<&str> = names.iter().map(String::as_str).collect();
    assert_eq!(scene.verdict("email.send", mail(&to)).0, Outcome::Approved);
    to[13] = "p13@customer.example.evil.test";
    assert_eq!(
        scene.verdict("email.send", mail(&to)),
        (Outcome::Rejected, vec!["countersign.no-permit".to_owned()])
    );
    let mut hidden = mail(&["p1@customer.example"]);
    hidden["bcc"] = json!(["x@evil.test"]);
    assert_eq!(scene.verdict("email.send", hidden).0, Outcome::Rejected);
}

#[test]
fn too_many_and_too_few_targets_are_obstacles() {
    let many: Vec<String> = (0..65).map(|n| format!("p{n}@customer.example")).collect();
    let scene = Scene::mail_agent().says(&many.join(" "));
    let reasons = |to: &[&str]| scene.verdict("email.send", mail(to)).1;
    let to: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(reasons(&to), ["countersign.too-many-targets"]);
    assert_eq!(reasons(&to[..64]), ["only-addresses-named-in-the-turn"]);
    assert_eq!(reasons(&[]), ["countersign.no-target"]);
    let mut with_empty_cc = mail(&["p1@customer.example"]);
    with_empty_cc["cc"] = json!([]);
    assert_eq!(
        scene.verdict("email.send", with_empty_cc).0,
        Outcome::Approved
    );
}

#[test]
fn arguments_that_do_not_fit_are_a_schema_mismatch() {
    let ok = mail(&["billing@customer.example"]);
    let with = |name: &str, value: serde_json::Value| {
        let mut args = ok.clone();
        args[name] = value;
        args
    };
    for args in [
        json!("billing@customer.example"),
        json!(null),
        json!([]),
        json!({}),
        with("to", json!("billing@customer.example")),
        with("to", json!([["billing@customer.example"]])),
        with("to", json!([{"email": "billing@customer.example"}])),
        with("to", json!(null)),
        with("body", json!(7)),
        with("To", json!(["x@evil.test"])),
        with("headers", json!({"Bcc": "x@evil.test"})),
        with("subject", json!("Hi\r\nBcc: thief@evil.test")),
        with("subject", json!("Hi\n")),
        with("subject", json!("\nHi")),
        with("subject", json!("Hi\u{85}Bcc: thief@evil.test")),
        with("subject", json!("Hi\u{2028}Bcc: thief@evil.test")),
        with("subject", json!("Hi\u{0}")),
        with("subject", json!("x".repeat(999))),
    ] {
        let (outcome, reasons) = asked().verdict("email.send", args.clone());
        assert_eq!(outcome, Outcome::Rejected);
        assert_eq!(reasons, ["countersign.schema-mismatch"], "{args}");
    }
    let subject = "Re: ¿Rückerstattung? 返金 \u{1f600} (p{Cc}, \\u2028)";
    assert_eq!(
        asked()
            .verdict("email.send", with("subject", json!(subject)))
            .0,
        Outcome::Approved
    );
    assert_eq!(
        asked().verdict("email.send_all", ok).1,
        ["countersign.unknown-tool"]
    );
}

#[test]
fn without_a_live_turn_nothing_is_free() {
    let scene = Scene::mail_agent();
    for (tool, args) in [
        ("inbox.read", json!({})),
        ("email.send", mail(&["billing@customer.example"])),
        ("ticket.update", json!({"ticket": "4821"})),
    ] {
        assert_eq!(
            scene.verdict(tool, args).1,
            ["countersign.no-permit"],
            "{tool}"
        );
    }
}

#[test]
fn a_megabyte_of_hostile_text_takes_linear_work() {
    for unit in [
        "a@", "\"'`“", "((((", "://", "a://b.c", "1,2.3'", "a.", "@a.b ", "\\\\", "x@y.z@",
    ] {
        let time = |bytes: usize| {
            let text = unit.repeat(bytes / unit.len());
            let scene = Scene::mail_agent().says(&text);
            let start = std::time::Instant::now();
            scene.verdict("email.send", mail(&["billing@customer.example"]));
            start.elapsed().as_secs_f64()
        };
        // Sixteen times the text: linear work takes about 16 times as long, quadratic 256 times.
        // A busy machine gets three tries.
        let ratio = || time(1024 * 1024) / time(64 * 1024).max(0.005);
        assert!((0..3).any(|_| ratio() < 100.0), "{unit:?}");
    }
}

#[test]
fn no_spelling_of_a_url_evades_a_rule_against_its_domain() {
    let scene = Scene::new(compile(each_type(
        r#"
        @id("any") permit (principal, action, resource);
        @id("not-evil") forbid (principal, action == Action::"open.url", resource)
        when { context.target has domain && context.target.domain == "evil.test" };
        "#,
    )));
    let reasons = |url: &str| scene.verdict("open.url", json!({"it": url})).1;
    for url in [
        "https://evil.test",
        "https://evil.test.",
        "https://evil.test./x",
        "HTTPS://EVIL.TEST:8443/",
        "https://EVIL\u{3002}test/",
        "https://evil.test\u{3002}/",
        "https://\u{ff45}vil.test/",
        "evil.test",
        "evil.test.",
        "evil.test:443",
        "gopher://Evil.Test./",
    ] {
        assert_eq!(reasons(url), ["not-evil"], "{url}");
    }
    for url in [
        "https:evil.test",
        "https:/evil.test",
        "HTTPS:evil.test",
        "https:a@evil.test",
        "https:443@evil.test",
        "https:///evil.test",
        "https://a.example@evil.test/",
        "https://evil%2etest/",
        "https:\\\\evil.test",
        "//evil.test",
        "ht\ttps://evil.test",
    ] {
        assert_eq!(reasons(url), ["countersign.unreadable-target"], "{url}");
    }
    assert_eq!(reasons("https://good.test/?evil.test"), ["any"]);
}

#[test]
fn no_element_of_a_list_goes_without_its_target() {
    let scene = |at: &str, optional: bool| {
        let mut content = each_type(r#"@id("any") permit (principal, action, resource);"#);
        content.tools.truncate(1);
        content.tools[0].targets[0].at = at.to_owned();
        content.tools[0].targets[0].optional = optional;
        content.tools[0].roles = serde_json::from_value(json!({"/people": "identity"})).unwrap();
        content.tools[0].arguments = json!({
            "type": "object", "additionalProperties": false,
            "properties": {"people": {"type": "array", "items": {
                "type": "object", "additionalProperties": false, "properties": {
                    "name": {"type": "string"},
                    "mail": {"type": ["string", "null"]},
                    "mails": {"type": "array", "items": {"type": "string"}},
                }}}},
        });
        Scene::new(compile(content))
    };
    let reasons = |at: &str, people: &serde_json::Value| {
        let asked = scene(at, false).verdict("open.email", json!({"people": people}));
        let optional = scene(at, true).verdict("open.email", json!({"people": people}));
        assert_eq!(optional.1, ["any"], "{at} {people}");
        asked.1
    };
    for (at, people) in [
        (
            "$.people[*].mail",
            json!([{"mail": "a@b.example"}, {"mail": "c@b.example"}]),
        ),
        (
            "$.people[*].mails",
            json!([{"mails": ["a@b.example"]}, {"mails": ["c@b.example"]}]),
        ),
        ("$.people[*].mails[*]", json!([{"mails": ["a@b.example"]}])),
        (
            "$.people[0].mail",
            json!([{"mail": "a@b.example"}, {"name": "Bob"}]),
        ),
        ("$..mail", json!([{"mail": "a@b.example"}])),
    ] {
        assert_eq!(reasons(at, &people), ["any"], "{at} {people}");
    }
    for (at, people) in [
        (
            "$.people[*].mail",
            json!([{"mail": "a@b.example"}, {"name": "Bob"}]),
        ),
        (
            "$.people[*].mail",
            json!([{"mail": "a@b.example"}, {"mail": null}]),
        ),
        ("$.people[*].mail", json!([])),
        (
            "$.people[*].mails",
            json!([{"mails": ["a@b.example"]}, {"mails": []}]),
        ),
        ("$.people[*].mails", json!([{"mails": ["a@b.example"]}, {}])),
        (
            "$.people[*].mails[*]",
            json!([{"mails": ["a@b.example"]}, {"mails": []}]),
        ),
        (
            "$.people[1].mail",
            json!([{"mail": "a@b.example"}, {"name": "Bob"}]),
        ),
        (
            "$..mails",
            json!([{"mails": ["a@b.example"]}, {"mails": []}]),
        ),
    ] {
        assert_eq!(
            reasons(at, &people),
            ["countersign.no-target"],
            "{at} {people}"
        );
    }
}

#[test]
fn a_tool_that_is_listed_otherwise_than_it_was_confirmed_is_not_called() {
    let confirmed = Sha256::of(b"as it was confirmed");
    let judged = |pinned: Option<Sha256>, listed: Option<Sha256>, args: Value| {
        let mut content = starter("mail-agent");
        for tool in &mut content.tools {
            tool.pinned = pinned;
        }
        let scene = Scene::new(compile(content)).says("Write to billing@customer.example");
        let call = Call {
            definition: listed,
            ..call("email.send", args)
        };
        let facts = scene.facts(&call);
        let verdict = countersign_judge::judge(&scene.bundle, &facts);
        let reasons: Vec<String> = verdict.reasons.iter().map(ToString::to_string).collect();
        (verdict.outcome, reasons.join(" "), facts.action.to_string())
    };
    let mail = || mail(&["billing@customer.example"]);
    let approved = (
        Outcome::Approved,
        "only-addresses-named-in-the-turn".to_owned(),
        "email.send".to_owned(),
    );
    let changed = (
        Outcome::Rejected,
        "countersign.tool-changed".to_owned(),
        "email.send".to_owned(),
    );
    let other = Sha256::of(b"as it is now");
    assert_eq!(judged(Some(confirmed), Some(confirmed), mail()), approved);
    // A surface that does not see the list, and a tool that nobody pinned, are judged as before.
    assert_eq!(judged(Some(confirmed), None, mail()), approved);
    assert_eq!(judged(None, Some(other), mail()), approved);
    assert_eq!(judged(Some(confirmed), Some(other), mail()), changed);
    // That it has changed says more than that the arguments no longer fit.
    assert_eq!(
        judged(Some(confirmed), Some(other), json!({"new": 1})),
        changed
    );
}
