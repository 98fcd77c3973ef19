//! Checking permits.

use std::collections::BTreeMap;

use countersign_core::document::Wire;
use countersign_core::json::{CanonicalJson, parse, parse_as};
use countersign_core::limits::CALL_ARGS_BYTES;
use countersign_core::names::TenantId;
use countersign_core::refs::Sha256;
use countersign_core::time::Timestamp;
use ed25519_dalek::{Signature, VerifyingKey};

use crate::claims::Claims;
use crate::jwks::{self, JwksError};
use crate::jws::{self, ALGORITHM, MAX_TOKEN_BYTES, TYPE};

/// How far the signer's clock may be ahead of the checker's, in milliseconds. A permit's end has
/// no such slack.
const CLOCK_AHEAD_MS: i64 = 5_000;

/// Checks permits against the keys of one server.
#[derive(Debug, Clone)]
pub struct PermitVerifier {
    keys: BTreeMap<String, VerifyingKey>,
}

/// What the tool's side is about to do, which the permit must be for.
#[derive(Debug, Clone, Copy)]
pub struct Expect<'a> {
    /// The server's name.
    pub issuer: &'a str,
    /// The name of this tool's side.
    pub audience: &'a str,
    /// The present time.
    pub now: Timestamp,
    /// The tool that is about to run.
    pub tool: &'a str,
    /// What it is about to run with.
    pub args: Args<'a>,
    /// The tenant, where one server serves several.
    pub tenant: Option<&'a TenantId>,
    /// The very bytes that are about to be sent, where they are known here: a permit for other
    /// bytes, or for none in particular, is then refused.
    pub wire: Option<&'a Wire>,
}

/// The arguments of a call, in whichever form is at hand.
#[derive(Debug, Clone, Copy)]
pub enum Args<'a> {
    /// JSON in any spelling. It is read strictly and brought to its canonical form.
    Json(&'a [u8]),
    /// Canonical JSON (RFC 8785); any other spelling will not match.
    Canonical(&'a [u8]),
    /// The SHA-256 of the canonical JSON.
    Sha256(Sha256),
}

/// Why a permit was refused. The first check that fails gives the reason; nothing but the form of
/// the token is told of one whose signature was not found good.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PermitError {
    /// The token, its header or its claims cannot be read.
    #[error("malformed permit: {0}")]
    Malformed(String),
    /// The token is of another type.
    #[error("the token's type is `{0}`, not `{TYPE}`")]
    Type(String),
    /// The token names another algorithm.
    #[error("the token's algorithm is `{0}`, allowed is `{ALGORITHM}` only")]
    Algorithm(String),
    /// The key set does not hold the key.
    #[error("the key set holds no key `{0}`")]
    UnknownKey(String),
    /// The signature is not the key's.
    #[error("the signature is not good")]
    Signature,
    /// The permit has ended.
    #[error("the permit ended at {ended}, now it is {now}")]
    Expired {
        /// When it ended.
        ended: Timestamp,
        /// The present time.
        now: Timestamp,
    },
    /// The permit is from the future.
    #[error("the permit begins at {begins}, now it is only {now}; compare the clocks")]
    NotYetValid {
        /// When it was signed.
        begins: Timestamp,
        /// The present time.
        now: Timestamp,
    },
    /// The permit is from another server.
    #[error("the permit is from `{found}`, not `{expected}`")]
    Issuer {
        /// Who signed it.
        found: String,
        /// Who should have.
        expected: String,
    },
    /// The permit is for another tool's side.
    #[error("the permit is for `{found}`, not `{expected}`")]
    Audience {
        /// Whom it is for.
        found: String,
        /// Who checks it.
        expected: String,
    },
    /// The permit is another tenant's.
    #[error("the permit is tenant `{found}`'s, not `{expected}`'s")]
    Tenant {
        /// Whose it is.
        found: TenantId,
        /// Whose it should be.
        expected: TenantId,
    },
    /// The permit is for another tool.
    #[error("the permit is for the tool `{found}`, not `{expected}`")]
    Tool {
        /// The tool that it is for.
        found: String,
        /// The tool that is about to run.
        expected: String,
    },
    /// The permit is for other arguments.
    #[error("the permit is for other arguments: {found} hashes otherwise than {expected}")]
    Arguments {
        /// The hash that the permit names.
        found: Sha256,
        /// The hash of the arguments at hand.
        expected: Sha256,
    },
    /// The arguments at hand are no JSON with one meaning.
    #[error("the arguments are not strict json: {0}")]
    UnreadableArguments(String),
    /// The permit is for other bytes, or for none in particular.
    #[error("the permit is not for the bytes that are about to be sent")]
    Wire,
}

impl PermitVerifier {
    /// A verifier with the keys of a key set, as `/.well-known/jwks.json` serves it.
    pub fn from_jwks(json: &[u8]) -> Result<Self, JwksError> {
        Ok(Self {
            keys: jwks::read(json)?,
        })
    }

    /// Whether the key set holds a key: if not, the set may be out of date.
    pub fn knows_key(&self, kid: &str) -> bool {
        self.keys.contains_key(kid)
    }

    /// Checks a permit for what is about to be done, and gives its claims.
    pub fn verify(&self, token: &str, expect: &Expect<'_>) -> Result<Claims, PermitError> {
        let claims = self.authentic(token)?;
        check_time(&claims, expect.now)?;
        check_parties(&claims, expect)?;
        check_call(&claims, expect)?;
        Ok(claims)
    }

    /// The claims of a token that one of the keys signed as a permit. That is no check of a permit:
    /// for which call it is, and until when, is not looked at. For those who hold it against more
    /// than [`Expect`] says, as the server does.
    pub fn authentic(&self, token: &str) -> Result<Claims, PermitError> {
        let parts = jws::split(token).map_err(PermitError::Malformed)?;
        if parts.header.typ != TYPE {
            return Err(PermitError::Type(shown(&parts.header.typ)));
        }
        if parts.header.alg != ALGORITHM {
            return Err(PermitError::Algorithm(shown(&parts.header.alg)));
        }
        let key = self.keys.get(&parts.header.kid);
        let key = key.ok_or_else(|| PermitError::UnknownKey(shown(&parts.header.kid)))?;
        let signature = Signature::from_bytes(&parts.signature);
        key.verify_strict(parts.signed.as_bytes(), &signature)
            .map_err(|_| PermitError::Signature)?;
        parse_as(&parts.payload, MAX_TOKEN_BYTES)
            .map_err(|error| PermitError::Malformed(format!("the claims: {error}")))
    }
}

impl Args<'_> {
    /// The SHA-256 of the canonical JSON, as permits name it.
    pub fn sha256(&self) -> Result<Sha256, PermitError> {
        match self {
            Self::Sha256(digest) => Ok(*digest),
            Self::Canonical(bytes) => Ok(Sha256::of(bytes)),
            Self::Json(bytes) => {
                let args = parse(bytes, CALL_ARGS_BYTES)
                    .map_err(|error| PermitError::UnreadableArguments(error.to_string()))?;
                let canonical = CanonicalJson::of(&args)
                    .map_err(|error| PermitError::UnreadableArguments(error.to_string()))?;
                Ok(canonical.digest())
            }
        }
    }
}

fn check_time(claims: &Claims, now: Timestamp) -> Result<(), PermitError> {
    let (begins, ended) = (claims.issued_at(), claims.expires_at());
    if now >= ended {
        return Err(PermitError::Expired { ended, now });
    }
    if begins > now.plus_millis(CLOCK_AHEAD_MS) {
        return Err(PermitError::NotYetValid { begins, now });
    }
    Ok(())
}

fn check_parties(claims: &Claims, expect: &Expect<'_>) -> Result<(), PermitError> {
    if claims.iss != expect.issuer {
        return Err(PermitError::Issuer {
            found: claims.iss.clone(),
            expected: expect.issuer.to_owned(),
        });
    }
    if claims.aud != expect.audience {
        return Err(PermitError::Audience {
            found: claims.aud.clone(),
            expected: expect.audience.to_owned(),
        });
    }
    match expect.tenant {
        Some(tenant) if *tenant != claims.tenant => Err(PermitError::Tenant {
            found: claims.tenant.clone(),
            expected: tenant.clone(),
        }),
        _ => Ok(()),
    }
}

fn check_call(claims: &Claims, expect: &Expect<'_>) -> Result<(), PermitError> {
    if claims.tool != expect.tool {
        return Err(PermitError::Tool {
            found: claims.tool.clone(),
            expected: expect.tool.to_owned(),
        });
    }
    let expected = expect.args.sha256()?;
    if claims.args_sha256 != expected {
        return Err(PermitError::Arguments {
            found: claims.args_sha256,
            expected,
        });
    }
    if expect.wire.is_some() && expect.wire != claims.wire.as_ref() {
        return Err(PermitError::Wire);
    }
    Ok(())
}

/// The beginning of what a token that nobody vouches for said, safe to print.
fn shown(text: &str) -> String {
    text.chars().take(40).flat_map(char::escape_debug).collect()
}
