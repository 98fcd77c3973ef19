//! Where the log begins: keys and credentials.

use super::*;

/// The first leaf of a log with this root key.
pub fn genesis(root: TestKey) -> Genesis {
    use countersign_note::NoteSigner as _;
    let mut genesis = Genesis {
        origin: x(ORIGIN),
        tenant: x("acme"),
        root_key: x(&root.verifier_key().to_string()),
        log_key: x(&TestKey::log().verifier_key().to_string()),
        permit_key: x(&base64url(&[3; 32])),
        predecessor: Some(Predecessor {
            origin: x("log.example/acme/0"),
            checkpoint: Some(x(&predecessor())),
        }),
        signature: x("unsigned"),
    };
    genesis.signature = signed(&root, &genesis);
    genesis
}

/// The last checkpoint of a log that this one continues.
fn predecessor() -> String {
    let origin = "log.example/acme/0";
    let key = TestKey::new(origin, 8);
    crate::log::signed_by(&key, origin, &[b"an entry".to_vec()]).to_string()
}

/// The signature of a statement in an entry.
pub fn signed<K: Kind>(key: &TestKey, body: &K) -> countersign_core::names::KeyText {
    let message = entry_message(&x(ORIGIN), body).unwrap();
    x(&base64url(&key.sign_bytes(&message)))
}

/// An entry that grants or revokes a key.
pub fn key_entry(purpose: KeyPurpose, change: GrantChange, key: &str, by: &TestKey) -> Key {
    let mut body = Key {
        purpose,
        change,
        key: x(key),
        signature: x("unsigned"),
    };
    body.signature = signed(by, &body);
    body
}

pub(super) fn granted(n: usize, role: Role) -> Credential {
    let actors = match role {
        Role::Agent => vec!["agent:support-v3".to_owned(), "agent:team/".to_owned()],
        _ => Vec::new(),
    };
    let is_ingress = role == Role::Ingress;
    Credential {
        subject: credential(n),
        change: GrantChange::Granted,
        roles: vec![role],
        actors: actors
            .into_iter()
            .map(|a| ActorPattern::try_from(a).unwrap())
            .collect(),
        authors: if is_ingress {
            vec![Author::Human]
        } else {
            Vec::new()
        },
        channels: if is_ingress {
            vec![x("support-inbox")]
        } else {
            Vec::new()
        },
        session: is_ingress.then(|| stands_for(SESSION)),
        assurance: is_ingress.then_some(Assurance::Separate),
        public_key: (role == Role::Reviewer)
            .then(|| x(&base64url(&TestKey::new("reviewer", 6).public()))),
        credential: None,
        surface: None,
        principal: (role == Role::Reviewer).then(|| stands_for(OTHER_PERSON)),
        own_sessions: None,
    }
}
