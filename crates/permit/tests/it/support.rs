//! One permit, and tools to forge others.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_core::document::Wire;
use countersign_core::refs::Sha256;
use countersign_core::time::Timestamp;
pub(crate) use countersign_permit::Claims;
use countersign_permit::{Args, Expect, Jwks, PermitError, PermitSigner, PermitVerifier};
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::{Map, Value};

pub(crate) const SEED: [u8; 32] = [7; 32];
pub(crate) const ARGS: &[u8] = br#"{"amount":10,"to":["billing@customer.example"]}"#;

pub(crate) fn signer() -> PermitSigner {
    PermitSigner::from_seed(&SEED).unwrap()
}

pub(crate) fn jwks() -> Vec<u8> {
    let keys = vec![signer().jwk().clone()];
    serde_json::to_vec(&Jwks { keys }).unwrap()
}

pub(crate) fn verifier() -> PermitVerifier {
    PermitVerifier::from_jwks(&jwks()).unwrap()
}

/// In the year 2099, so that the system's clock, which others look at, has not reached it.
pub(crate) fn now() -> Timestamp {
    "2099-01-01T00:00:00.000Z".parse().unwrap()
}

pub(crate) fn wire(destination: &str) -> Wire {
    Wire {
        profile: "http".to_owned(),
        destination: destination.to_owned(),
        sha256: Sha256::of(b"bytes"),
    }
}

pub(crate) fn claims() -> Claims {
    let (iat, exp) = Claims::lifetime(now(), 60);
    Claims {
        iss: "https://countersign.acme.example".to_owned(),
        sub: "agent:support-v3".parse().unwrap(),
        aud: "mail-gateway".to_owned(),
        jti: "01HYB7K3M4FXQZ9V2N6PTJD8RC".parse().unwrap(),
        iat,
        exp,
        action: "email.send".parse().unwrap(),
        tool: "email.send".to_owned(),
        args_sha256: Sha256::of(ARGS),
        wire: Some(wire("https://mail.acme.example")),
        entry_id: "01HYB7K3M4FXQZ9V2N6PTJD8RD".parse().unwrap(),
        intent_ref: Some(Sha256::of(b"intent").into()),
        policy_ref: Sha256::of(b"policy").into(),
        tenant: "acme".parse().unwrap(),
    }
}

pub(crate) fn expect() -> Expect<'static> {
    Expect {
        issuer: "https://countersign.acme.example",
        audience: "mail-gateway",
        now: now(),
        tool: "email.send",
        args: Args::Canonical(ARGS),
        tenant: None,
        wire: None,
    }
}

pub(crate) fn refusal(token: &str) -> PermitError {
    verifier().verify(token, &expect()).unwrap_err()
}

pub(crate) fn header_members() -> Map<String, Value> {
    let kid = signer().jwk().kid.clone();
    let members = [
        ("alg", "EdDSA"),
        ("kid", &kid),
        ("typ", "countersign-permit+jwt"),
    ];
    let members = members.map(|(name, value)| (name.to_owned(), Value::from(value)));
    members.into_iter().collect()
}

pub(crate) fn payload_members() -> Map<String, Value> {
    match serde_json::to_value(claims()).unwrap() {
        Value::Object(members) => members,
        other => panic!("{other}"),
    }
}

/// The right header, with members replaced or added.
pub(crate) fn header(more: Value) -> Vec<u8> {
    merged(header_members(), more)
}

/// The right claims, with some replaced or added.
pub(crate) fn payload(more: Value) -> Vec<u8> {
    merged(payload_members(), more)
}

fn merged(mut members: Map<String, Value>, more: Value) -> Vec<u8> {
    members.extend(more.as_object().unwrap().clone());
    Value::Object(members).to_string().into_bytes()
}

/// A token with any header and payload, signed by the right key.
pub(crate) fn forge(header: &[u8], payload: &[u8]) -> String {
    forge_with(&SEED, header, payload)
}

pub(crate) fn forge_with(seed: &[u8; 32], header: &[u8], payload: &[u8]) -> String {
    let signed = signed(header, payload);
    let signature = SigningKey::from_bytes(seed).sign(signed.as_bytes());
    encode_parts(header, payload, &signature.to_bytes())
}

/// A token with a MAC, as if the public key were a shared secret.
pub(crate) fn forge_mac(header: &[u8], payload: &[u8], key: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    let tag = hmac::sign(&key, signed(header, payload).as_bytes());
    // Doubled, to have the length of a signature.
    encode_parts(header, payload, &[tag.as_ref(), tag.as_ref()].concat())
}

/// The public key in every form in which a library might take it for a secret.
pub(crate) fn mac_keys() -> Vec<Vec<u8>> {
    let signer = signer();
    vec![
        signer.public_key().to_vec(),
        signer.jwk().x.clone().into_bytes(),
        serde_json::to_vec(signer.jwk()).unwrap(),
        jwks(),
        Vec::new(),
    ]
}

pub(crate) fn encode_parts(header: &[u8], payload: &[u8], signature: &[u8]) -> String {
    let signature = URL_SAFE_NO_PAD.encode(signature);
    format!("{}.{signature}", signed(header, payload))
}

fn signed(header: &[u8], payload: &[u8]) -> String {
    let encode = |bytes| URL_SAFE_NO_PAD.encode(bytes);
    format!("{}.{}", encode(header), encode(payload))
}
