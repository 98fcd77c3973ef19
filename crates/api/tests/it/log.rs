//! The log as standard tools read it.

use std::sync::Arc;

use countersign_api::ServerConfig;
use countersign_merkle::tile::decode_bundle;
use countersign_merkle::{EntriesTile, leaf_hash};
use countersign_note::{Note, SignedCheckpoint, VerifierKey};

use crate::world::World;

#[test]
fn checkpoint_and_hash_tiles_are_open_and_agree_with_the_entries() {
    let world = World::new();
    world.turn();
    let head = world.ask("GET", "/v1/head", None, &[], None).expect(200);
    let checkpoint = world.ask("GET", "/log/acme/1/checkpoint", None, &[], None);
    assert_eq!(
        checkpoint.header("content-type"),
        Some("text/plain; charset=utf-8")
    );
    assert_eq!(checkpoint.header("cache-control"), Some("no-cache"));
    let note: Note = checkpoint.text().parse().unwrap();
    let key = VerifierKey::parse(head["log_key"].as_str().unwrap()).unwrap();
    let signed = SignedCheckpoint::open(&note, &[key]).unwrap();
    let size = signed.checkpoint().size().get();
    assert_eq!(size, world.size());
    let hashes = world.ask(
        "GET",
        &format!("/log/acme/1/tile/0/000.p/{size}"),
        None,
        &[],
        None,
    );
    assert_eq!(hashes.status, 200);
    assert_eq!(
        hashes.header("content-type"),
        Some("application/octet-stream")
    );
    assert_eq!(
        hashes.header("cache-control"),
        Some("public, max-age=31536000, immutable")
    );
    let path = format!("/log/acme/1/tile/entries/000.p/{size}");
    world
        .ask("GET", &path, None, &[], None)
        .problem(401, "unauthenticated");
    let entries = world.get("auditor", &path);
    assert_eq!(
        entries.header("cache-control"),
        Some("private, max-age=31536000, immutable")
    );
    let tile = EntriesTile::in_tree(0, signed.checkpoint().size()).unwrap();
    let leaves = decode_bundle(&entries.body, &tile).unwrap();
    let rebuilt: Vec<u8> = leaves
        .iter()
        .flat_map(|leaf| *leaf_hash(leaf).as_bytes())
        .collect();
    assert_eq!(rebuilt, hashes.body);
}

#[test]
fn entries_are_open_only_if_the_operator_says_so() {
    let world = World::with(ServerConfig {
        public_entries: true,
        ..ServerConfig::default()
    });
    let entries = world.ask("GET", "/log/acme/1/tile/entries/000.p/1", None, &[], None);
    assert_eq!(entries.status, 200);
    assert_eq!(
        entries.header("cache-control"),
        Some("public, max-age=31536000, immutable")
    );
}

#[test]
fn a_tile_has_one_name_and_no_path_leads_elsewhere() {
    let world = World::new();
    let size = world.size();
    let good = world.ask("GET", "/log/acme/1/tile/0/000.p/1", None, &[], None);
    assert_eq!(good.status, 200);
    for bad in [
        "0/000".to_owned(),
        format!("0/000.p/{}", size + 1),
        "0/000.p/0".to_owned(),
        "0/000.p/256".to_owned(),
        "0/000.p/01".to_owned(),
        "0/0.p/1".to_owned(),
        "0/0000.p/1".to_owned(),
        "0/x000/000.p/1".to_owned(),
        "00/000.p/1".to_owned(),
        "64/000.p/1".to_owned(),
        "-1/000.p/1".to_owned(),
        "0//000.p/1".to_owned(),
        "0/000.p/1/".to_owned(),
        "0/%30%30%30.p/1".to_owned(),
        "0/000.p%2f1".to_owned(),
        "0/../0/000.p/1".to_owned(),
        "0/..%2f..%2f..%2fetc%2fpasswd".to_owned(),
        "../../../../etc/passwd".to_owned(),
        "%2e%2e/%2e%2e/keys/root.key".to_owned(),
        "entries/../0/000.p/1".to_owned(),
        "0/000.p/1%00".to_owned(),
        "0/\u{ff10}00.p/1".to_owned(),
        "0/x999/x999/x999/x999/x999/x999/x999/x999/999".to_owned(),
    ] {
        let path = format!("/log/acme/1/tile/{bad}");
        let reply = world.ask("GET", &path, None, &[], None);
        assert!([400, 404].contains(&reply.status), "{path}: {reply:?}");
    }
    for elsewhere in [
        "/log/acme/2/checkpoint",
        "/log/other/1/checkpoint",
        "/log/acme/01/checkpoint",
        "/log/acme/1/checkpoint/",
        "/log/acme/1/",
        "/log//1/checkpoint",
    ] {
        assert_eq!(
            world.ask("GET", elsewhere, None, &[], None).status,
            404,
            "{elsewhere}"
        );
    }
}

#[test]
fn the_key_set_is_the_one_that_permits_name() {
    let world = World::new();
    let reply = world.ask("GET", "/.well-known/jwks.json", None, &[], None);
    assert_eq!(
        reply.header("content-type"),
        Some("application/jwk-set+json")
    );
    let jwks = Arc::clone(world.service()).public_keys().jwks.clone();
    assert_eq!(reply.text(), jwks);
    assert!(reply.json()["keys"][0].get("d").is_none());
}
