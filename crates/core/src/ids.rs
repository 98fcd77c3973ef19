//! ULIDs, one newtype for each thing that has one. They identify; they never order: order is
//! the leaf index.

use crate::text::serde_as_text;
use crate::{random::Random, time::Timestamp};

/// Text that is no ULID.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is no ULID: allowed are 26 characters of Crockford's base 32 in upper case")]
pub struct IdError {
    found: String,
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(ulid::Ulid);

        impl $name {
            /// A fresh id: 48 bits of `now`, 80 bits of randomness.
            pub fn fresh(now: Timestamp, random: &dyn Random) -> Self {
                let mut bits = [0u8; 16];
                random.fill(&mut bits);
                let millis = u64::try_from(now.as_millis()).unwrap_or(0);
                Self(ulid::Ulid::from_parts(millis, u128::from_be_bytes(bits)))
            }

            /// The id's 128 bits, big-endian: they sort as the text does.
            pub const fn to_bytes(self) -> [u8; 16] {
                self.0.0.to_be_bytes()
            }

            /// The id of these bits; each has one.
            pub const fn from_bytes(bits: [u8; 16]) -> Self {
                Self(ulid::Ulid(u128::from_be_bytes(bits)))
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(&self.0, f)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(&self.0, f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                // Only the one spelling that Display gives: an id must not have two texts.
                match ulid::Ulid::from_string(text) {
                    Ok(id) if id.to_string() == text => Ok(Self(id)),
                    _ => Err(IdError { found: text.chars().take(40).flat_map(char::escape_debug).collect() }),
                }
            }
        }

        serde_as_text!($name);
    };
}

id! {
    /// The id of one ledger entry.
    EntryId
}
id! {
    /// The id of one registered turn.
    IntentId
}
id! {
    /// The id of one credential.
    CredentialId
}
id! {
    /// The id of one permit (`jti`).
    PermitId
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_form_of_bits() {
        for text in [
            "00000000000000000000000000",
            "7ZZZZZZZZZZZZZZZZZZZZZZZZZ",
            "01HYB7K3M4FXQZ9V2N6PTJD8RC",
        ] {
            let id: EntryId = text.parse().unwrap();
            assert_eq!(EntryId::from_bytes(id.to_bytes()).to_string(), text);
        }
        assert_eq!(
            EntryId::from_bytes([255; 16]).to_string(),
            "7ZZZZZZZZZZZZZZZZZZZZZZZZZ"
        );
    }

    #[test]
    fn an_id_has_one_spelling() {
        assert!("01HYB7K3M4FXQZ9V2N6PTJD8RC".parse::<EntryId>().is_ok());
        for bad in [
            "01hyb7k3m4fxqz9v2n6ptjd8rc",
            "01HYB7K3M4FXQZ9V2N6PTJD8R",
            "O1HYB7K3M4FXQZ9V2N6PTJD8RC",
            "81HYB7K3M4FXQZ9V2N6PTJD8RC",
            "",
        ] {
            assert!(bad.parse::<EntryId>().is_err(), "{bad}");
        }
    }
}
