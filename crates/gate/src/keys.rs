//! The server's key set, and whether a token is one of its permits at all.
//!
//! What is not signed by the server costs whoever sends it nothing. So it is told from the rest
//! here, and only some of it is passed on to be recorded.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use countersign_client::Client;
use countersign_permit::{Claims, PermitError, PermitVerifier};

use crate::limits::{KEYS_AGE, UNKNOWN_A_MINUTE};

const MINUTE: Duration = Duration::from_secs(60);

/// The key set, fetched when it is needed.
#[derive(Default)]
pub(crate) struct Keys(Mutex<Known>);

#[derive(Default)]
struct Known {
    verifier: Option<Arc<PermitVerifier>>,
    asked: Option<Instant>,
    unknown: Option<(Instant, u32)>,
}

/// What a token is.
pub(crate) enum Token {
    /// A permit of the server.
    Known(Box<Claims>),
    /// Something else.
    Unknown {
        /// What is wrong with it.
        why: PermitError,
        /// Whether the server is to record it.
        is_told: bool,
    },
    /// There is no key set to check it with.
    NoKeys(String),
}

impl Keys {
    /// Fetches the key set.
    pub(crate) fn fetch(&self, client: &Client) -> Result<Arc<PermitVerifier>, String> {
        // Others go on with the set that there is.
        self.lock().asked = Some(Instant::now());
        let jwks = client.jwks().map_err(|error| error.to_string())?;
        let verifier = PermitVerifier::from_jwks(jwks.as_bytes());
        let verifier = Arc::new(verifier.map_err(|error| error.to_string())?);
        self.lock().verifier = Some(Arc::clone(&verifier));
        Ok(verifier)
    }

    /// Looks whether a token is signed by the server. The set is fetched again for a key that is not
    /// in it, but not too often.
    pub(crate) fn look(&self, client: &Client, token: &str) -> Token {
        let (known, is_old) = {
            let state = self.lock();
            let age = state.asked.map(|asked| asked.elapsed());
            (
                state.verifier.clone(),
                age.is_none_or(|age| age >= KEYS_AGE),
            )
        };
        let known = match known {
            Some(known) => Ok(known),
            None => self.fetch(client),
        };
        let verifier = match known {
            Ok(verifier) => verifier,
            Err(error) => return Token::NoKeys(error),
        };
        let mut claims = verifier.authentic(token);
        if is_old
            && matches!(claims, Err(PermitError::UnknownKey(_)))
            && let Ok(newer) = self.fetch(client)
        {
            claims = newer.authentic(token);
        }
        match claims {
            Ok(claims) => Token::Known(Box::new(claims)),
            Err(why) => Token::Unknown {
                why,
                is_told: self.take_place(),
            },
        }
    }

    fn take_place(&self) -> bool {
        let mut state = self.lock();
        let (since, told) = state
            .unknown
            .filter(|(since, _)| since.elapsed() < MINUTE)
            .unwrap_or_else(|| (Instant::now(), 0));
        state.unknown = Some((since, told.saturating_add(1)));
        told < UNKNOWN_A_MINUTE
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
