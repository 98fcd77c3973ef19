//! A JWT library that we did not write, on either side.

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};

use crate::support::*;

fn validation() -> Validation {
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.set_audience(&["mail-gateway"]);
    validation.set_issuer(&["https://countersign.acme.example"]);
    validation.set_required_spec_claims(&["exp", "aud", "iss"]);
    validation
}

#[test]
fn a_foreign_library_accepts_our_permits_by_our_key_set() {
    let token = signer().sign(&claims()).unwrap();
    let header = jsonwebtoken::decode_header(&token).unwrap();
    assert_eq!(header.typ.as_deref(), Some("countersign-permit+jwt"));
    let set: JwkSet = serde_json::from_slice(&jwks()).unwrap();
    let jwk = set.find(&header.kid.unwrap()).unwrap();
    let key = DecodingKey::from_jwk(jwk).unwrap();
    let decoded = decode::<Claims>(&token, &key, &validation()).unwrap();
    assert_eq!(decoded.claims, claims());

    let mut other = validation();
    other.set_audience(&["elsewhere"]);
    assert!(decode::<Claims>(&token, &key, &other).is_err());
    let mut changed = token.clone();
    changed.replace_range(token.len() - 10..token.len() - 9, "!");
    assert!(decode::<Claims>(&changed, &key, &validation()).is_err());
}

#[test]
fn we_accept_a_permit_that_a_foreign_library_signed_with_the_key() {
    // RFC 8410 section 7: a PKCS#8 document around the seed.
    let prefix = [
        0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20,
    ];
    let document = [&prefix[..], &SEED].concat();
    let mut header = Header::new(Algorithm::EdDSA);
    header.typ = Some("countersign-permit+jwt".to_owned());
    header.kid = Some(signer().jwk().kid.clone());
    let token = encode(&header, &claims(), &EncodingKey::from_ed_der(&document)).unwrap();
    assert_eq!(verifier().verify(&token, &expect()).unwrap(), claims());

    let ours = countersign_permit::PermitSigner::from_pkcs8(&document).unwrap();
    assert_eq!(ours.public_key(), signer().public_key());
    assert!(countersign_permit::PermitSigner::from_pkcs8(&document[1..]).is_err());
}
