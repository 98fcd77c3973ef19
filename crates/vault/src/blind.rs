//! Finding a value's pseudonym without storing the value.

use aws_lc_rs::hmac;
use countersign_core::names::TenantId;
use countersign_core::pseudonym::PseudonymKind;
use zeroize::Zeroizing;

use crate::framing::frame;
use countersign_core::hex;

/// A keyed index over values: HMAC-SHA-256 under a key of its own, per tenant and kind.
///
/// The same value always gives the same index, and without the key nobody can try out values.
pub struct BlindIndex {
    tenant: TenantId,
    key: hmac::Key,
}

impl BlindIndex {
    /// An index for one tenant.
    pub fn new(tenant: TenantId, key: &Zeroizing<[u8; 32]>) -> Self {
        Self {
            tenant,
            key: hmac::Key::new(hmac::HMAC_SHA256, key.as_slice()),
        }
    }

    /// Where the pseudonym of `value` is found. The value is taken as it is: whoever wants two
    /// spellings to meet brings them to one form before.
    pub fn index(&self, kind: PseudonymKind, value: &str) -> Blinded {
        let framed = frame(
            "countersign/blind-index/v1\n",
            &[
                self.tenant.as_str().as_bytes(),
                kind.name().as_bytes(),
                value.as_bytes(),
            ],
        );
        self.blinded(&framed)
    }

    /// What a record is tagged with that speaks of somebody, by the form in which they are known.
    /// Never equal to an index of the same text.
    pub fn subject(&self, form: &str) -> SubjectTag {
        let framed = frame(
            "countersign/subject-tag/v1\n",
            &[self.tenant.as_str().as_bytes(), form.as_bytes()],
        );
        let mut bytes = [0u8; 16];
        for (to, from) in bytes.iter_mut().zip(self.blinded(&framed).as_bytes()) {
            *to = *from;
        }
        SubjectTag(bytes)
    }

    fn blinded(&self, framed: &[u8]) -> Blinded {
        let mut bytes = [0u8; 32];
        let tag = hmac::sign(&self.key, framed);
        for (to, from) in bytes.iter_mut().zip(tag.as_ref()) {
            *to = *from;
        }
        Blinded(bytes)
    }
}

/// The index of a value; displayed as 64 lower-case hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Blinded([u8; 32]);

impl Blinded {
    /// The bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl std::fmt::Display for Blinded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

/// Stands for somebody whom a record speaks of; displayed as 32 lower-case hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubjectTag([u8; 16]);

impl std::fmt::Display for SubjectTag {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(tenant: &str, key: u8) -> BlindIndex {
        BlindIndex::new(tenant.parse().unwrap(), &Zeroizing::new([key; 32]))
    }

    #[test]
    fn the_index_depends_on_key_tenant_kind_and_value_and_on_nothing_else() {
        let base = index("acme", 1).index(PseudonymKind::Target, "jo@acme.example");
        assert_eq!(
            base,
            index("acme", 1).index(PseudonymKind::Target, "jo@acme.example")
        );
        let others = [
            index("acme", 2).index(PseudonymKind::Target, "jo@acme.example"),
            index("acm", 1).index(PseudonymKind::Target, "jo@acme.example"),
            index("acme", 1).index(PseudonymKind::Session, "jo@acme.example"),
            index("acme", 1).index(PseudonymKind::Target, "jo@acme.exampl"),
            index("acme", 1).index(PseudonymKind::Target, ""),
        ];
        for other in others {
            assert_ne!(base, other);
        }
        assert_eq!(base.to_string().len(), 64);
    }
}
