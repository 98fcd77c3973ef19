//! Permits, as an attacker would like them to be.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::string_slice,
    reason = "helpers of tests fail as tests do"
)]

#[cfg(test)]
mod corpus;
mod foreign;
mod support;

use countersign_permit::{Args, Expect, PermitError, PermitSigner, SignError};
use serde_json::{Value, json};
use support::*;

#[test]
fn a_permit_is_good_for_the_call_that_it_names() {
    let claims = claims();
    let token = signer().sign(&claims).unwrap();
    let verified = verifier().verify(&token, &expect()).unwrap();
    assert_eq!(verified, claims);
}

#[test]
fn the_same_claims_give_the_same_permit() {
    let again = PermitSigner::from_seed(&SEED).unwrap();
    assert_eq!(
        signer().sign(&claims()).unwrap(),
        again.sign(&claims()).unwrap()
    );
}

#[test]
fn arguments_match_in_whichever_form_they_are_given() {
    let token = signer().sign(&claims()).unwrap();
    let digest = claims().args_sha256;
    let spelled = br#" { "to":["billing@customer.example"], "amount":1.0e1 } "#;
    for args in [
        Args::Canonical(ARGS),
        Args::Json(ARGS),
        Args::Json(spelled),
        Args::Sha256(digest),
    ] {
        let expect = Expect { args, ..expect() };
        assert!(verifier().verify(&token, &expect).is_ok(), "{args:?}");
    }
}

#[test]
fn a_permit_for_anything_else_is_refused() {
    let token = signer().sign(&claims()).unwrap();
    let refused = |expect: &Expect<'_>| verifier().verify(&token, expect).unwrap_err();
    let other_tenant = "other".parse().unwrap();
    let other_wire = wire("https://evil.example");

    let found = refused(&Expect {
        issuer: "https://countersign.acme.example/",
        ..expect()
    });
    assert!(matches!(found, PermitError::Issuer { .. }), "{found}");
    let found = refused(&Expect {
        audience: "mail",
        ..expect()
    });
    assert!(matches!(found, PermitError::Audience { .. }), "{found}");
    let found = refused(&Expect {
        tool: "email.send ",
        ..expect()
    });
    assert!(matches!(found, PermitError::Tool { .. }), "{found}");
    let found = refused(&Expect {
        tenant: Some(&other_tenant),
        ..expect()
    });
    assert!(matches!(found, PermitError::Tenant { .. }), "{found}");
    let found = refused(&Expect {
        wire: Some(&other_wire),
        ..expect()
    });
    assert_eq!(found, PermitError::Wire);
    let found = refused(&Expect {
        args: Args::Json(br#"{"to":["x@y"],"amount":10}"#),
        ..expect()
    });
    assert!(matches!(found, PermitError::Arguments { .. }), "{found}");
    let spelled = br#"{"to":["billing@customer.example"],"amount":10}"#;
    let found = refused(&Expect {
        args: Args::Canonical(spelled),
        ..expect()
    });
    assert!(matches!(found, PermitError::Arguments { .. }), "{found}");
    for unreadable in [&br#"{"amount":10,"amount":10}"#[..], b"", b"{} {}", b"\xff"] {
        let found = refused(&Expect {
            args: Args::Json(unreadable),
            ..expect()
        });
        assert!(
            matches!(found, PermitError::UnreadableArguments(_)),
            "{found}"
        );
    }
}

#[test]
fn a_permit_without_wire_is_no_permit_for_certain_bytes() {
    let token = signer()
        .sign(&Claims {
            wire: None,
            ..claims()
        })
        .unwrap();
    assert!(verifier().verify(&token, &expect()).is_ok());
    let bytes = wire("https://mail.acme.example");
    let expect = Expect {
        wire: Some(&bytes),
        ..expect()
    };
    assert_eq!(verifier().verify(&token, &expect), Err(PermitError::Wire));
}

#[test]
fn a_permit_begins_and_ends_to_the_millisecond() {
    let token = signer().sign(&claims()).unwrap();
    let at = |millis: i64| {
        let expect = Expect {
            now: now().plus_millis(millis),
            ..expect()
        };
        verifier().verify(&token, &expect)
    };
    assert!(at(59_999).is_ok());
    assert!(matches!(at(60_000), Err(PermitError::Expired { .. })));
    assert!(matches!(at(i64::MAX), Err(PermitError::Expired { .. })));
    assert!(at(-5_000).is_ok());
    assert!(matches!(at(-5_001), Err(PermitError::NotYetValid { .. })));
}

#[test]
fn absurd_times_are_refused_and_do_not_overflow() {
    for (iat, exp) in [(0, 0), (u64::MAX, u64::MAX), (u64::MAX, 0)] {
        let token = signer().sign(&Claims {
            iat,
            exp,
            ..claims()
        });
        // Canonical JSON has no integer over 2^53, so some cannot even be signed.
        if let Ok(token) = token {
            assert!(verifier().verify(&token, &expect()).is_err());
        }
    }
    assert_eq!(
        Claims::lifetime(now(), u32::MAX).1 - Claims::lifetime(now(), 0).1,
        u64::from(u32::MAX)
    );
}

#[test]
fn the_algorithm_is_ours_to_say() {
    for alg in [
        "none", "None", "", "HS256", "ES256", "RS256", "Ed25519", "eddsa", "EdDSA ",
    ] {
        let token = forge(&header(json!({"alg": alg})), &payload(json!({})));
        let found = verifier().verify(&token, &expect()).unwrap_err();
        assert_eq!(found, PermitError::Algorithm(alg.to_owned()));
    }
}

#[test]
fn a_permit_of_none_or_of_a_mac_with_the_public_key_is_refused() {
    let payload = payload(json!({}));
    let none = encode_parts(&header(json!({"alg": "none"})), &payload, b"");
    assert!(matches!(refusal(&none), PermitError::Malformed(_)));
    for key in mac_keys() {
        for alg in ["HS256", "EdDSA"] {
            let token = forge_mac(&header(json!({"alg": alg})), &payload, &key);
            assert!(verifier().verify(&token, &expect()).is_err(), "{alg}");
        }
    }
}

#[test]
fn another_kind_of_token_by_the_same_key_is_refused() {
    for typ in [
        "JWT",
        "countersign-permit",
        "COUNTERSIGN-PERMIT+JWT",
        "application/countersign-permit+jwt",
        "",
    ] {
        let token = forge(&header(json!({"typ": typ})), &payload(json!({})));
        assert_eq!(refusal(&token), PermitError::Type(typ.to_owned()));
    }
}

#[test]
fn only_a_key_of_the_set_counts() {
    let kid = signer().jwk().kid.clone();
    for other in [
        "",
        "../jwks.json",
        "' or 1=1",
        &kid.to_lowercase(),
        &kid[1..],
    ] {
        let token = forge(&header(json!({"kid": other})), &payload(json!({})));
        assert!(
            matches!(refusal(&token), PermitError::UnknownKey(_)),
            "{other}"
        );
    }
    let stranger = PermitSigner::from_seed(&[9; 32]).unwrap();
    let token = stranger.sign(&claims()).unwrap();
    assert!(matches!(refusal(&token), PermitError::UnknownKey(_)));
    // Naming the known key does not help.
    let token = forge_with(&[9; 32], &header(json!({})), &payload(json!({})));
    assert_eq!(refusal(&token), PermitError::Signature);
}

#[test]
fn a_header_that_brings_its_own_key_or_conditions_is_refused() {
    let jwk = serde_json::to_value(signer().jwk()).unwrap();
    for more in [
        json!({"jwk": jwk}),
        json!({"jku": "https://evil.example/jwks.json"}),
        json!({"x5c": []}),
        json!({"crit": ["b64"], "b64": false}),
        json!({"cty": "JWT"}),
        json!({"zip": "DEF"}),
    ] {
        let token = forge(&header(more.clone()), &payload(json!({})));
        assert!(
            matches!(refusal(&token), PermitError::Malformed(_)),
            "{more}"
        );
    }
    for name in ["alg", "kid", "typ"] {
        let mut members = header_members();
        members.remove(name);
        let token = forge(
            Value::Object(members).to_string().as_bytes(),
            &payload(json!({})),
        );
        assert!(
            matches!(refusal(&token), PermitError::Malformed(_)),
            "{name}"
        );
    }
}

#[test]
fn duplicate_missing_unknown_and_mistyped_claims_are_refused_though_signed() {
    let plain = String::from_utf8(payload(json!({}))).unwrap();
    let twice = plain.replacen('{', r#"{"aud":"mail-gateway","#, 1);
    assert!(matches!(
        refusal(&forge(&header(json!({})), twice.as_bytes())),
        PermitError::Malformed(_)
    ));
    let escaped = plain.replacen('{', r#"{"au\u0064":"mail-gateway","#, 1);
    assert!(matches!(
        refusal(&forge(&header(json!({})), escaped.as_bytes())),
        PermitError::Malformed(_)
    ));

    let members = payload_members();
    for name in members.keys() {
        let mut without = members.clone();
        without.remove(name);
        let token = forge(
            &header(json!({})),
            Value::Object(without).to_string().as_bytes(),
        );
        // `wire` may be left out, and `intent_ref: null` may too.
        if name != "wire" && name != "intent_ref" {
            assert!(
                matches!(refusal(&token), PermitError::Malformed(_)),
                "{name}"
            );
        }
        for wrong in [json!(true), json!([members[name]]), json!({}), json!(-1)] {
            let token = forge(&header(json!({})), &payload(json!({name: wrong})));
            assert!(
                matches!(refusal(&token), PermitError::Malformed(_)),
                "{name}: {wrong}"
            );
        }
    }
    for more in [
        json!({"nbf": 0}),
        json!({"exp": 1.5}),
        json!({"exp": "4070908860"}),
        json!({"iat": null}),
        json!({"aud": ["mail-gateway", "other"]}),
        json!({"sub": "agent:a\nb"}),
        json!({"args_sha256": "sha256:00"}),
    ] {
        let token = forge(&header(json!({})), &payload(more.clone()));
        assert!(
            matches!(refusal(&token), PermitError::Malformed(_)),
            "{more}"
        );
    }
}

#[test]
fn a_token_has_one_spelling() {
    let token = signer().sign(&claims()).unwrap();
    let [header, payload, signature] = token.split('.').collect::<Vec<_>>()[..] else {
        panic!("three segments");
    };
    for changed in [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        format!("{header}.{payload}"),
        format!("{header}.{payload}."),
        format!("{token}."),
        format!(".{token}"),
        format!("{token}.{signature}"),
        format!("{header}.{payload}..{signature}"),
        format!("{header}.{payload}.{signature}=="),
        format!("{header}=.{payload}.{signature}"),
        format!("{token} "),
        format!(" {token}"),
        format!("{token}\n"),
        format!("Bearer {token}"),
        format!("{header}.{payload}.{}", &signature[1..]),
        format!("{header}.{payload}.{signature}AAAA"),
    ] {
        assert!(
            matches!(refusal(&changed), PermitError::Malformed(_)),
            "{changed}"
        );
    }
    // The last character of a 64-byte signature has four bits to spare.
    let mut last = signature.to_owned();
    let end = last.pop().unwrap();
    let spare = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        .chars()
        .filter(|other| *other != end);
    for other in spare {
        assert!(
            verifier()
                .verify(&format!("{header}.{payload}.{last}{other}"), &expect())
                .is_err()
        );
    }
}

#[test]
fn no_character_of_a_token_can_be_changed() {
    let token = signer().sign(&claims()).unwrap();
    for at in 0..token.len() {
        for to in ["A", "B", ".", "=", "+"] {
            let mut changed = token.clone();
            changed.replace_range(at..=at, to);
            if changed != token {
                assert!(verifier().verify(&changed, &expect()).is_err(), "{at} {to}");
            }
        }
    }
}

#[test]
fn huge_tokens_are_refused_before_they_are_read() {
    let long = "A".repeat(10_000_000);
    assert!(matches!(refusal(&long), PermitError::Malformed(_)));
    let tool = "x".repeat(20_000);
    let found = signer().sign(&Claims { tool, ..claims() });
    assert!(matches!(found, Err(SignError::TooLong(_))));
    let deep = format!("{}{}", "[".repeat(3000), "]".repeat(3000));
    assert!(matches!(
        refusal(&forge(deep.as_bytes(), b"{}")),
        PermitError::Malformed(_)
    ));
}

#[test]
fn a_refusal_shows_no_control_characters() {
    let token = forge(&header(json!({"typ": "\u{1b}[2Jx\n"})), &payload(json!({})));
    assert!(!refusal(&token).to_string().contains(char::is_control));
}

proptest::proptest! {
    #[test]
    fn nothing_makes_the_check_panic(token in "[A-Za-z0-9_.=-]{0,400}", bytes in ".{0,200}") {
        proptest::prop_assert!(verifier().verify(&token, &expect()).is_err());
        proptest::prop_assert!(verifier().verify(&bytes, &expect()).is_err());
        let forged = forge(&header(json!({})), bytes.as_bytes());
        proptest::prop_assert!(verifier().verify(&forged, &expect()).is_err());
    }
}
