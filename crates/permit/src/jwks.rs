//! Key sets (RFC 7517) of Ed25519 keys (RFC 8037).

use std::collections::BTreeMap;

use countersign_core::json::{CanonicalError, CanonicalJson, StrictError, parse};
use countersign_core::refs::Sha256;
use ed25519_dalek::VerifyingKey;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::jws::{ALGORITHM, decode32, encode};

/// Most bytes of a key set that is read.
const MAX_JWKS_BYTES: usize = 64 * 1024;
/// Most keys of a key set that is read.
const MAX_KEYS: usize = 64;
/// Longest id of a key, in bytes.
const MAX_KID_BYTES: usize = 256;

/// A public Ed25519 key that signs permits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Jwk {
    kty: &'static str,
    crv: &'static str,
    /// Base64url of the raw key.
    pub x: String,
    /// The key's id: its thumbprint (RFC 7638).
    pub kid: String,
    #[serde(rename = "use")]
    usage: &'static str,
    alg: &'static str,
}

impl Jwk {
    /// The key with these 32 bytes, under its thumbprint.
    pub fn new(public_key: &[u8; 32]) -> Result<Self, CanonicalError> {
        let x = encode(public_key);
        Ok(Self {
            kty: "OKP",
            crv: "Ed25519",
            kid: thumbprint(&x)?,
            x,
            usage: "sig",
            alg: ALGORITHM,
        })
    }
}

/// What `/.well-known/jwks.json` serves.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Jwks {
    /// The keys, the one that signs first.
    pub keys: Vec<Jwk>,
}

/// Why a text is no key set that permits can be checked with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JwksError {
    /// The text is not strict JSON.
    #[error("the key set: {0}")]
    Json(#[from] StrictError),
    /// There is no list of keys.
    #[error("a key set is a json object with a list `keys` of objects")]
    Shape,
    /// There are too many keys.
    #[error("{0} keys are over the limit of {MAX_KEYS}")]
    TooMany(usize),
    /// No key of the set can check a permit.
    #[error("the key set holds no ed25519 key for signatures with a `kid`")]
    NoKey,
    /// Two keys have one id.
    #[error("two keys of the set have the id `{0}`")]
    SameKid(String),
    /// A key is malformed, or one for which anybody can make signatures.
    #[error("key `{0}` is not a valid ed25519 public key")]
    Key(String),
    /// The set has the private half of a key, which must be replaced.
    #[error("key `{0}` holds its private half: whoever published it must replace it")]
    Private(String),
}

/// Reads the keys that can check permits; keys of other kinds are ignored (RFC 7517 section 5).
pub(crate) fn read(json: &[u8]) -> Result<BTreeMap<String, VerifyingKey>, JwksError> {
    let set = parse(json, MAX_JWKS_BYTES)?;
    let listed = set.get("keys").and_then(Value::as_array);
    let listed = listed.ok_or(JwksError::Shape)?;
    if listed.len() > MAX_KEYS {
        return Err(JwksError::TooMany(listed.len()));
    }
    let mut keys = BTreeMap::new();
    for jwk in listed {
        let members = jwk.as_object().ok_or(JwksError::Shape)?;
        let Some(kid) = usable_kid(members) else {
            continue;
        };
        let shown: String = kid.chars().flat_map(char::escape_debug).collect();
        if members.contains_key("d") {
            return Err(JwksError::Private(shown));
        }
        let key = public_key(members).ok_or_else(|| JwksError::Key(shown.clone()))?;
        if keys.insert(kid.to_owned(), key).is_some() {
            return Err(JwksError::SameKid(shown));
        }
    }
    match keys.is_empty() {
        true => Err(JwksError::NoKey),
        false => Ok(keys),
    }
}

/// The id of a key that is for permits.
fn usable_kid(members: &Map<String, Value>) -> Option<&str> {
    let text = |name: &str| members.get(name).and_then(Value::as_str);
    let unset_or = |name: &str, value: &str| {
        members
            .get(name)
            .is_none_or(|found| found.as_str() == Some(value))
    };
    let is_usable = text("kty") == Some("OKP")
        && text("crv") == Some("Ed25519")
        && unset_or("use", "sig")
        && unset_or("alg", ALGORITHM);
    let kid = text("kid")?;
    (is_usable && !kid.is_empty() && kid.len() <= MAX_KID_BYTES).then_some(kid)
}

fn public_key(members: &Map<String, Value>) -> Option<VerifyingKey> {
    let bytes = decode32(members.get("x")?.as_str()?)?;
    let key = VerifyingKey::from_bytes(&bytes).ok()?;
    // RFC 8032 section 5.1.3 refuses a y-coordinate that is not reduced; the library accepts it.
    let is_canonical = key.to_edwards().compress().as_bytes() == &bytes;
    (is_canonical && !key.is_weak()).then_some(key)
}

/// RFC 7638 with the members that RFC 8037 section 2 names.
fn thumbprint(x: &str) -> Result<String, CanonicalError> {
    #[derive(Serialize)]
    struct Required<'a> {
        crv: &'a str,
        kty: &'a str,
        x: &'a str,
    }
    let required = CanonicalJson::of(&Required {
        crv: "Ed25519",
        kty: "OKP",
        x,
    })?;
    Ok(encode(Sha256::of(required.as_bytes()).as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_thumbprint_is_that_of_rfc_8037_appendix_a_3() {
        let x = decode32("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").unwrap();
        let jwk = Jwk::new(&x).unwrap();
        assert_eq!(jwk.kid, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    fn set(keys: &str) -> Result<BTreeMap<String, VerifyingKey>, JwksError> {
        read(format!(r#"{{"keys":[{keys}]}}"#).as_bytes())
    }

    const X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

    #[test]
    fn keys_of_other_kinds_are_passed_over() {
        let good = format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{X}","kid":"a"}}"#);
        let others = [
            r#"{"kty":"RSA","n":"x","e":"AQAB","kid":"r"}"#.to_owned(),
            r#"{"kty":"oct","k":"c2VjcmV0","kid":"h","alg":"HS256"}"#.to_owned(),
            format!(r#"{{"kty":"OKP","crv":"X25519","x":"{X}","kid":"x"}}"#),
            format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{X}"}}"#),
            format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{X}","kid":"e","use":"enc"}}"#),
            format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{X}","kid":"n","alg":"none"}}"#),
        ];
        for other in others {
            assert_eq!(set(&other).unwrap_err(), JwksError::NoKey, "{other}");
            let keys = set(&format!("{other},{good}")).unwrap();
            assert_eq!(keys.keys().collect::<Vec<_>>(), ["a"], "{other}");
        }
    }

    #[test]
    fn sets_that_could_mislead_are_refused() {
        let jwk = |x: &str, more: &str| {
            format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{x}","kid":"a"{more}}}"#)
        };
        let twice = format!("{},{}", jwk(X, ""), jwk(X, ""));
        assert_eq!(set(&twice).unwrap_err(), JwksError::SameKid("a".into()));
        let private = jwk(X, r#","d":"AAAA""#);
        assert_eq!(set(&private).unwrap_err(), JwksError::Private("a".into()));
        // The neutral element, and a y-coordinate of 2^255 - 19 + 1.
        let mut low = [0u8; 32];
        low[0] = 1;
        let mut unreduced = [0xff; 32];
        (unreduced[0], unreduced[31]) = (0xee, 0x7f);
        for bytes in [low, unreduced] {
            let refused = set(&jwk(&encode(&bytes), ""));
            assert_eq!(refused.unwrap_err(), JwksError::Key("a".into()));
        }
        for x in ["", "AAAA", &format!("{X}="), &X.replace('_', "/")] {
            assert_eq!(
                set(&jwk(x, "")).unwrap_err(),
                JwksError::Key("a".into()),
                "{x}"
            );
        }
        let many = vec![jwk(X, ""); MAX_KEYS + 1].join(",");
        assert_eq!(set(&many).unwrap_err(), JwksError::TooMany(MAX_KEYS + 1));
        assert!(matches!(
            read(br#"{"keys":[],"keys":[]}"#),
            Err(JwksError::Json(_))
        ));
        for shape in [&b"[]"[..], b"{}", br#"{"keys":{}}"#, br#"{"keys":[1]}"#] {
            assert_eq!(read(shape).unwrap_err(), JwksError::Shape);
        }
    }
}
