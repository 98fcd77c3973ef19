//! Signing and checking permits: the library for the tool's side.
//!
//! A permit is a JWT (RFC 7519) that Countersign signs when it approves a call. It is good for one
//! call: this actor, this tool, exactly these arguments, at this tool's side, for a short time.
//! Whoever runs the tool checks it before running anything.
//!
//! This crate is pure: keys, bytes and the time come from the caller. It does *not* fetch key sets
//! or call the server, and it does *not* know whether a permit was used before: an offline check
//! promises expiry and bytes, not once-only. Consuming a permit is an execution reported to the
//! server.
//!
//! # Checking a permit here
//!
//! ```
//! # use countersign_permit::{Args, Expect, PermitError, PermitVerifier};
//! # fn check(jwks: &[u8], token: &str, arguments: &[u8], now: countersign_core::time::Timestamp) -> Result<(), Box<dyn std::error::Error>> {
//! // The key set is `/.well-known/jwks.json`, fetched beforehand and kept.
//! let verifier = PermitVerifier::from_jwks(jwks)?;
//! let claims = verifier.verify(token, &Expect {
//!     issuer: "https://countersign.acme.example",
//!     audience: "mail-gateway",
//!     now,
//!     tool: "email.send",
//!     args: Args::Json(arguments),
//!     tenant: None,
//!     wire: None,
//! })?;
//! println!("decision {}", claims.entry_id);
//! # Ok(())
//! # }
//! ```
//!
//! # Checking a permit with any JWT library
//!
//! 1. Take the keys from `/.well-known/jwks.json` (RFC 7517; `kty` `OKP`, `crv` `Ed25519`), cached.
//!    Fetch again for a `kid` that is not there, but not more than once a minute.
//! 2. Let the library accept the algorithm `EdDSA` only, set by you and never taken from the token.
//! 3. The header's `typ` must be `countersign-permit+jwt`, its `kid` that of the key.
//! 4. Require `exp`, and that it lies ahead; refuse an `iat` that lies more than 5 seconds ahead.
//! 5. `iss` is your server's name, `aud` the name of your tool's side: one string each.
//! 6. `tool` is the tool that you are about to run.
//! 7. `args_sha256` is `sha256:` and the hex SHA-256 of the canonical JSON (RFC 8785) of the
//!    arguments that you are about to run it with. Read the arguments with a reader that refuses
//!    duplicate keys.
//! 8. Have the server use the permit up *before* running the tool (`POST /v1/permits/consume`): it
//!    refuses the second.
//!
//! `tools/check_permit.py` does steps 1 to 7 with PyJWT.
//!
//! # Why the token is not read by a JWT library here
//!
//! `jsonwebtoken` 11 takes the time from the system's clock, and passes over members of the header
//! that it does not know. Here the time comes from the caller, and whatever two readers could read
//! differently is refused. The signature is checked by
//! `ed25519-dalek` (`verify_strict`, RFC 8032); in the tests `jsonwebtoken` checks what we sign.

mod claims;
mod jwks;
mod jws;
#[cfg(feature = "sign")]
mod signer;
mod verifier;

pub use claims::Claims;
pub use jwks::{Jwk, Jwks, JwksError};
pub use jws::{ALGORITHM, MAX_TOKEN_BYTES, TYPE};
#[cfg(feature = "sign")]
pub use signer::{PermitSigner, SignError, SignerKeyError};
pub use verifier::{Args, Expect, PermitError, PermitVerifier};
