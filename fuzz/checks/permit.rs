//! What holds for any bytes that come as a permit, or as the keys that it is checked with.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_permit::{Jwk, Jwks, PermitError, PermitVerifier};
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::Value;

/// A header, a line feed and claims, signed by the right key: what is read as a permit is one, and
/// says what another reader of JSON finds in it. The bytes as a token, and as a key set: without the
/// key's signature nothing is a permit.
pub(crate) fn permit(data: &[u8]) {
    let key = SigningKey::from_bytes(&[7; 32]);
    let jwk = Jwk::new(key.verifying_key().as_bytes()).unwrap();
    let kid = jwk.kid.clone();
    let set = serde_json::to_vec(&Jwks { keys: vec![jwk] }).unwrap();
    let verifier = PermitVerifier::from_jwks(&set).unwrap();
    let mut parts = data.splitn(2, |byte| *byte == b'\n');
    let header = parts.next().unwrap_or_default();
    let claims = parts.next().unwrap_or_default();
    let encoded = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let signed = format!("{}.{}", encoded(header), encoded(claims));
    let signature = key.sign(signed.as_bytes()).to_bytes();
    let token = format!("{signed}.{}", encoded(&signature));
    let read = verifier.authentic(&token);
    assert!(!matches!(read, Err(PermitError::Signature)));
    if let Ok(read) = read {
        let header: Value = serde_json::from_slice(header).unwrap();
        let said = ["alg", "kid", "typ"].map(|name| header[name].as_str().unwrap());
        assert_eq!(said, ["EdDSA", kid.as_str(), "countersign-permit+jwt"]);
        assert_eq!(header.as_object().map(serde_json::Map::len), Some(3));
        let mut other: Value = serde_json::from_slice(claims).unwrap();
        let mut own = serde_json::to_value(&read).unwrap();
        for members in [&mut other, &mut own] {
            members
                .as_object_mut()
                .unwrap()
                .retain(|_, value| !value.is_null());
        }
        assert_eq!(own, other);
        // One bit of the signature, and it is none; another key, and it is none.
        let mut broken = signature;
        broken[0] ^= 1;
        let broken = format!("{signed}.{}", encoded(&broken));
        assert_eq!(verifier.authentic(&broken), Err(PermitError::Signature));
        let other = SigningKey::from_bytes(&[8; 32]).sign(signed.as_bytes());
        let other = format!("{signed}.{}", encoded(&other.to_bytes()));
        assert_eq!(verifier.authentic(&other), Err(PermitError::Signature));
    }
    if let Ok(token) = std::str::from_utf8(data) {
        assert!(verifier.authentic(token).is_err());
    }
    if let Ok(others) = PermitVerifier::from_jwks(data) {
        let set: Value = serde_json::from_slice(data).unwrap();
        let listed = set["keys"].as_array().unwrap();
        let known = |jwk: &&Value| jwk["kid"].as_str().is_some_and(|it| others.knows_key(it));
        assert!(listed.iter().any(|jwk| known(&jwk)));
        assert!(!others.knows_key(""));
        let is_ours = listed.iter().any(|jwk| jwk["kid"] == kid.as_str());
        assert!(!others.knows_key(&kid) || is_ours);
    }
}
