//! Every route with every role, and without any.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::world::{Reply, World};

const NOBODY: &[&str] = &[];
const READS_BUNDLES: &[&str] = &["author", "auditor", "admin", "reviewer"];
/// In place of roles: open to anybody.
const OPEN: &[&str] = &["-"];

/// Route, media type of its body, and who may.
const ROUTES: &[(&str, &str, Option<&str>, &[&str])] = &[
    ("POST", "/v1/turns", Some("application/json"), &["ingress"]),
    (
        "POST",
        "/v1/turns/{intent_ref}/revoke",
        None,
        &["ingress", "admin", "reviewer"],
    ),
    (
        "POST",
        "/v1/sessions/open",
        Some("application/json"),
        &["ingress"],
    ),
    (
        "POST",
        "/v1/delegations",
        Some("application/json"),
        &["agent"],
    ),
    (
        "POST",
        "/v1/sessions/close",
        Some("application/json"),
        &["ingress", "admin"],
    ),
    (
        "POST",
        "/v1/stop",
        Some("application/json"),
        &["admin", "reviewer"],
    ),
    (
        "POST",
        "/v1/decisions",
        Some("application/json"),
        &["agent"],
    ),
    (
        "GET",
        "/v1/decisions/{id}",
        None,
        &["agent", "auditor", "tool", "reviewer"],
    ),
    (
        "POST",
        "/v1/executions",
        Some("application/json"),
        &["tool", "agent"],
    ),
    (
        "POST",
        "/v1/permits/consume",
        Some("application/json"),
        &["tool"],
    ),
    (
        "POST",
        "/v1/tools/visible",
        Some("application/json"),
        &["agent"],
    ),
    (
        "GET",
        "/v1/reviews",
        None,
        &["reviewer", "auditor", "ingress"],
    ),
    ("POST", "/v1/reviews/{id}/show", None, &["reviewer"]),
    (
        "POST",
        "/v1/reviews",
        Some("application/json"),
        &["reviewer", "ingress"],
    ),
    ("GET", "/v1/entries", None, &["auditor"]),
    ("GET", "/v1/entries/{id}", None, &["auditor"]),
    ("GET", "/v1/entries/{id}/explain", None, &["auditor"]),
    ("GET", "/v1/entries/{id}/proof", None, &["auditor"]),
    ("GET", "/v1/flags", None, &["auditor", "reviewer", "admin"]),
    ("POST", "/v1/bundles", Some("application/json"), &["author"]),
    ("GET", "/v1/bundles/current", None, READS_BUNDLES),
    (
        "PUT",
        "/v1/bundles/current",
        Some("application/json"),
        &["author"],
    ),
    ("GET", "/v1/bundles/shadow", None, READS_BUNDLES),
    (
        "PUT",
        "/v1/bundles/shadow",
        Some("application/json"),
        &["author"],
    ),
    ("DELETE", "/v1/bundles/shadow", None, &["author"]),
    (
        "POST",
        "/v1/bundles/replay",
        Some("application/json"),
        &["vault-reader"],
    ),
    ("GET", "/v1/bundles/{policy_ref}", None, READS_BUNDLES),
    (
        "PUT",
        "/v1/directory/{type}/{id}",
        Some("application/json"),
        &["author"],
    ),
    (
        "POST",
        "/v1/directory",
        Some("application/jsonl"),
        &["author"],
    ),
    (
        "POST",
        "/v1/credentials",
        Some("application/json"),
        &["admin"],
    ),
    ("GET", "/v1/credentials", None, &["admin", "auditor"]),
    ("POST", "/v1/credentials/{id}/revoke", None, &["admin"]),
    (
        "GET",
        "/v1/flags/{id}",
        None,
        &["auditor", "reviewer", "admin"],
    ),
    (
        "POST",
        "/v1/flags/{id}/acknowledge",
        None,
        &["reviewer", "admin"],
    ),
    ("POST", "/v1/flags/{id}/close", None, &["reviewer", "admin"]),
    (
        "POST",
        "/v1/vault/{ref}/open",
        Some("application/json"),
        &["vault-reader"],
    ),
    ("GET", "/v1/vault/openings/{id}", None, &["vault-reader"]),
    (
        "POST",
        "/v1/vault/openings/{id}/confirm",
        None,
        &["vault-reader"],
    ),
    (
        "POST",
        "/v1/vault/erase",
        Some("application/json"),
        &["admin"],
    ),
    (
        "POST",
        "/v1/vault/complete",
        Some("application/json"),
        &["admin"],
    ),
    ("GET", "/v1/vault/holds", None, &["admin", "auditor"]),
    (
        "POST",
        "/v1/vault/holds",
        Some("application/json"),
        &["admin"],
    ),
    (
        "POST",
        "/v1/vault/holds/release",
        Some("application/json"),
        &["admin"],
    ),
    ("GET", "/v1/head", None, OPEN),
    ("GET", "/log/{tenant}/{epoch}/checkpoint", None, OPEN),
    // That of the bundles of entries; hash tiles are open.
    (
        "GET",
        "/log/{tenant}/{epoch}/tile/{tile}",
        None,
        &["auditor"],
    ),
    ("GET", "/.well-known/jwks.json", None, OPEN),
    ("GET", "/healthz", None, OPEN),
    ("GET", "/metrics", None, OPEN),
    ("GET", "/openapi.json", None, OPEN),
];

fn path_of(pattern: &str) -> String {
    let reference = format!("sha256:{}", "0".repeat(64));
    pattern
        .replace("{intent_ref}", &reference)
        .replace("{policy_ref}", &reference)
        .replace("{ref}", &reference)
        .replace("{id}", "01HYB7K3M4FXQZ9V2N6PTJD8RC")
        .replace("{type}", "Contact")
        .replace("{tenant}", "acme")
        .replace("{epoch}", "1")
        .replace("{tile}", "entries/000.p/1")
}

fn ask(
    world: &World,
    method: &str,
    pattern: &str,
    media_type: Option<&str>,
    role: Option<&str>,
) -> Reply {
    let headers: Vec<(&str, &str)> = media_type
        .iter()
        .map(|media_type| ("content-type", *media_type))
        .collect();
    // Nothing that could be carried out: a matrix must not stop the world that it asks.
    let body = media_type.map(|_| b"{}".as_slice());
    world.ask(method, &path_of(pattern), role, &headers, body)
}

#[test]
fn a_role_may_what_it_may_and_nothing_else() {
    let world = World::new();
    let roles = [
        "ingress",
        "agent",
        "tool",
        "reviewer",
        "author",
        "auditor",
        "vault-reader",
        "admin",
    ];
    for (method, pattern, media_type, may) in ROUTES {
        for role in roles {
            let reply = ask(&world, method, pattern, *media_type, Some(role));
            if *may == OPEN || may.contains(&role) {
                assert!(
                    ![401, 403, 405].contains(&reply.status),
                    "{role} {method} {pattern}: {reply:?}"
                );
            } else {
                let size = world.size();
                let problem = reply.problem(403, "wrong-role");
                assert_eq!(problem.get("entry_id"), None, "{role} {method} {pattern}");
                assert_eq!(world.size(), size);
            }
        }
        assert_ne!(*may, NOBODY, "{pattern} is of no use");
    }
}

#[test]
fn without_a_credential_only_what_is_open_is_answered() {
    let world = World::new();
    for (method, pattern, media_type, may) in ROUTES {
        let reply = ask(&world, method, pattern, *media_type, None);
        if *may == OPEN {
            assert_eq!(reply.status, 200, "{method} {pattern}");
        } else {
            reply.problem(401, "unauthenticated");
            assert!(
                reply
                    .header("www-authenticate")
                    .unwrap()
                    .starts_with("Bearer")
            );
        }
    }
}

#[test]
fn the_matrix_and_the_description_name_the_same_routes() {
    let document: Value = serde_json::from_str(&countersign_api::openapi_json().unwrap()).unwrap();
    let mut described = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            described.insert((method.to_uppercase(), path.clone()));
            let is_open = operation["security"]
                .as_array()
                .is_some_and(|ways| ways.contains(&serde_json::json!({})));
            let (.., may) = ROUTES
                .iter()
                .find(|(verb, pattern, ..)| verb.eq_ignore_ascii_case(method) && pattern == path)
                .unwrap();
            assert_eq!(
                is_open,
                *may == OPEN || path.contains("/tile/"),
                "{method} {path}"
            );
        }
    }
    let tested: BTreeSet<_> = ROUTES
        .iter()
        .map(|(method, path, ..)| ((*method).to_owned(), (*path).to_owned()))
        .collect();
    assert_eq!(described, tested);
}

#[test]
fn tokens_that_are_none_are_refused_and_never_shown() {
    let world = World::new();
    let good = world.token("auditor");
    let mut flipped = good.to_owned().into_bytes();
    flipped[40] = if flipped[40] == b'A' { b'B' } else { b'A' };
    let flipped = String::from_utf8(flipped).unwrap();
    let cases = [
        format!("Bearer {flipped}"),
        format!("Bearer {}", good.split_at(good.len() - 1).0),
        format!("Bearer {good}x"),
        format!("Bearer {}", good.to_lowercase()),
        format!("Basic {good}"),
        good.to_owned(),
        "Bearer cs_01HYB7K3M4FXQZ9V2N6PTJD8RC_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA_00000000"
            .to_owned(),
        "Bearer garbage".to_owned(),
        "Bearer".to_owned(),
        String::new(),
    ];
    for header in cases {
        let reply = world.ask(
            "GET",
            "/v1/flags",
            None,
            &[("authorization", &header)],
            None,
        );
        reply.problem(401, "unauthenticated");
        assert!(!reply.text().contains("cs_0"), "{}", reply.text());
    }
    let bearer = format!("Bearer {good}");
    let twice = [
        ("authorization", bearer.as_str()),
        ("authorization", bearer.as_str()),
    ];
    world
        .ask("GET", "/v1/flags", None, &twice, None)
        .problem(401, "unauthenticated");
    let in_query = world.ask(
        "GET",
        &format!("/v1/flags?access_token={good}"),
        None,
        &[],
        None,
    );
    in_query.problem(401, "unauthenticated");
}
