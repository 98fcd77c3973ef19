//! One message sealed to one recipient: HPKE in base mode, with the library's own single-shot calls.

use ::hpke::aead::ChaCha20Poly1305;
use ::hpke::kdf::HkdfSha256;
use ::hpke::kem::X25519HkdfSha256;
use ::hpke::rand_core::{TryCryptoRng, TryRng};
use ::hpke::{
    Deserializable as _, Kem, OpModeR, OpModeS, Serializable as _, single_shot_open,
    single_shot_seal_with_rng,
};
use countersign_core::random::Random;
use std::convert::Infallible;

use crate::key::{KEY_BYTES, Public, RecipientKey, RecipientSecret};

/// A sealed message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The encapsulated key, `enc` of RFC 9180.
    pub enc: [u8; KEY_BYTES],
    /// The ciphertext with its tag.
    pub ciphertext: Vec<u8>,
}

/// Why a message was not sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the message could not be sealed")]
pub struct SealError;

/// Why a message was not opened: it does not say what was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it does not open with this key: it was changed, moved, or sealed to another recipient")]
pub struct UnsealError;

/// Seals a message to a recipient. `info` and `aad` are bound to it and are not in it.
pub fn seal(
    recipient: &RecipientKey,
    info: &[u8],
    aad: &[u8],
    plaintext: &[u8],
    random: &dyn Random,
) -> Result<Sealed, SealError> {
    let (enc, ciphertext) =
        single_shot_seal_with_rng::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
            &OpModeS::Base,
            recipient.key(),
            info,
            plaintext,
            aad,
            &mut Drawing(random),
        )
        .map_err(|_| SealError)?;
    Ok(Sealed {
        enc: enc.to_bytes().into(),
        ciphertext,
    })
}

impl RecipientSecret {
    /// Opens a message that was sealed to this key with the same `info` and `aad`.
    pub fn open(&self, sealed: &Sealed, info: &[u8], aad: &[u8]) -> Result<Vec<u8>, UnsealError> {
        let enc = <X25519HkdfSha256 as Kem>::EncappedKey::from_bytes(&sealed.enc);
        let enc = enc.map_err(|_| UnsealError)?;
        single_shot_open::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
            &OpModeR::Base,
            self.key(),
            &enc,
            info,
            &sealed.ciphertext,
            aad,
        )
        .map_err(|_| UnsealError)
    }
}

/// Whether the library refuses to seal to this key.
pub(crate) fn is_small_order(key: &Public) -> bool {
    // Any ephemeral key gives zeroes with such a point, and no other point does.
    struct Fixed;
    impl Random for Fixed {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(1);
        }
    }
    X25519HkdfSha256::encap_with_rng(key, None, &mut Drawing(&Fixed)).is_err()
}

/// Our randomness as the library asks for it.
struct Drawing<'a>(&'a dyn Random);

impl TryRng for Drawing<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.0.fill(&mut bytes);
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.fill(bytes);
        Ok(())
    }
}

impl TryCryptoRng for Drawing<'_> {}

#[cfg(test)]
mod tests {
    use super::*;
    use zeroize::Zeroizing;

    fn bytes<const N: usize>(hex: &str) -> [u8; N] {
        let digits = hex.as_bytes().chunks(2);
        let bytes = digits.map(|pair| {
            let pair = std::str::from_utf8(pair).unwrap();
            u8::from_str_radix(pair, 16).unwrap()
        });
        bytes.collect::<Vec<u8>>().try_into().unwrap()
    }

    /// Gives what a test vector says was drawn.
    struct Vector([u8; 32]);

    impl Random for Vector {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.copy_from_slice(&self.0);
        }
    }

    /// RFC 9180 appendix A.2.1: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20-Poly1305, base mode,
    /// sequence number 0.
    #[test]
    fn the_vector_of_the_rfc_is_sealed_and_opened_as_it_says() {
        let info = bytes::<20>("4f6465206f6e2061204772656369616e2055726e");
        let ikm_e = bytes("909a9b35d3dc4713a5e72a4da274b55d3d3821a37e5d099e74a647db583a904b");
        let pk_r = bytes("4310ee97d88cc1f088a5576c77ab0cf5c3ac797f3d95139c6c84b5429c59662a");
        let sk_r = bytes("8057991eef8f1f1af18f4a9491d16a1ce333f695d4db8e38da75975c4478e0fb");
        let enc = bytes("1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a");
        let plaintext = b"Beauty is truth, truth beauty";
        let ciphertext = bytes::<45>(
            "1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b4db21993c62ce81883d2dd1b51a28",
        );
        let recipient = RecipientKey::from_bytes(pk_r).unwrap();
        let sealed = seal(&recipient, &info, b"Count-0", plaintext, &Vector(ikm_e)).unwrap();
        assert_eq!(sealed.enc, enc);
        assert_eq!(sealed.ciphertext, ciphertext);
        let secret = RecipientSecret::from_bytes(&Zeroizing::new(sk_r)).unwrap();
        assert_eq!(secret.public(), recipient);
        assert_eq!(secret.open(&sealed, &info, b"Count-0").unwrap(), plaintext);
        for (info, aad) in [(&info[1..], &b"Count-0"[..]), (&info[..], b"Count-1")] {
            assert_eq!(secret.open(&sealed, info, aad), Err(UnsealError));
        }
    }

    #[test]
    fn every_changed_bit_is_noticed() {
        let secret = RecipientSecret::from_bytes(&Zeroizing::new([3; 32])).unwrap();
        let sealed = seal(&secret.public(), b"i", b"a", b"words", &Vector([9; 32])).unwrap();
        assert_eq!(secret.open(&sealed, b"i", b"a").unwrap(), b"words");
        for at in 0..sealed.ciphertext.len() {
            let mut wrong = sealed.clone();
            wrong.ciphertext[at] ^= 1;
            assert_eq!(secret.open(&wrong, b"i", b"a"), Err(UnsealError));
        }
        for at in 0..KEY_BYTES {
            let mut wrong = sealed.clone();
            wrong.enc[at] ^= 1;
            assert_eq!(secret.open(&wrong, b"i", b"a"), Err(UnsealError));
        }
        let short = Sealed {
            ciphertext: vec![0; 3],
            ..sealed
        };
        assert_eq!(secret.open(&short, b"i", b"a"), Err(UnsealError));
    }
}
