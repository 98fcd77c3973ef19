//! The file: what stands in it, its limits, and how it is written and read.
//!
//! The header is bound to every sealed record by its digest, so nothing in it can be changed, no
//! record be moved to another place or file, and none be left out on the way.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_core::hex;
use countersign_core::json::{self, CanonicalError, CanonicalJson, StrictError};
use countersign_core::limits::LEAF_BYTES;
use countersign_core::random::{Random, bytes32};
use countersign_core::refs::Sha256;
use countersign_note::proof::MAX_PROOF_LEN;
use serde::{Deserialize, Serialize};

use crate::hpke::{SealError, Sealed, seal};
use crate::key::RecipientKey;

/// What `format` says.
pub const FORMAT: &str = "countersign-vault-export/1";
/// What `suite` says: RFC 9180 numbers these 0x0020, 0x0001 and 0x0003.
pub const SUITE: &str = "DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20Poly1305";
/// Most bytes of a file: 64 MiB.
pub const MAX_FILE_BYTES: usize = 64 * 1024 * 1024;
/// Most records of a file.
pub const MAX_RECORDS: usize = 1_024;
/// Most entries of a file, and most entries of openings.
pub const MAX_ENTRIES: usize = 4_096;
/// Most refs that a file names as left out.
pub const MAX_LEFT_OUT: usize = 4_096;
/// Longest purpose, in bytes; as the vault takes it.
pub const MAX_PURPOSE_BYTES: usize = 1_024;
/// Bytes of a file's id that are random.
const ID_BYTES: usize = 16;

/// A file as it is written and read. Nothing of it is believed before [`crate::unseal`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportFile {
    /// What it is, for whom, and which records it holds.
    pub header: Header,
    /// The sealed records, in the header's order.
    pub records: Vec<SealedText>,
    /// Entries that name the records, each with its proof.
    pub entries: Vec<Proven>,
    /// Entries of the openings that this file is made of, each with its proof.
    pub openings: Vec<Proven>,
}

/// What everybody can read of a file, and what binds its records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// [`FORMAT`].
    pub format: String,
    /// [`SUITE`].
    pub suite: String,
    /// 32 random hex digits: no two files have the same.
    pub id: String,
    /// The log's origin.
    pub origin: String,
    /// The recipient's public key.
    pub recipient: String,
    /// When it was made, as whoever made it says.
    pub made_at: String,
    /// What for, in words that are not sealed.
    pub purpose: String,
    /// The records, in order.
    pub records: Vec<RecordName>,
    /// The SHA-256 of each entry's leaf, in order: none is left out on the way. Proofs are not bound,
    /// so that one against a later checkpoint can take an earlier one's place.
    pub entries: Vec<Sha256>,
    /// The same of the entries of openings.
    pub openings: Vec<Sha256>,
    /// Refs that were chosen and are not in the file.
    pub left_out: Vec<LeftOut>,
}

/// A record's name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordName {
    /// The document's kind.
    pub kind: String,
    /// Its commitment.
    #[serde(rename = "ref")]
    pub reference: Sha256,
}

/// A ref that was chosen and is not in the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeftOut {
    /// The commitment.
    #[serde(rename = "ref")]
    pub reference: Sha256,
    /// Why: the server's code, such as `erased`.
    pub why: String,
}

/// A sealed record, in base64 (RFC 4648 section 4).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealedText {
    /// The encapsulated key.
    pub enc: String,
    /// The ciphertext with its tag.
    pub ciphertext: String,
}

/// An entry and what proves that it is in the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proven {
    /// The leaf: canonical JSON, byte for byte.
    pub leaf: String,
    /// A C2SP tlog-proof.
    pub proof: String,
}

/// What a file is made of.
#[derive(Debug, Clone, Default)]
pub struct Draft {
    /// The log's origin.
    pub origin: String,
    /// When it is made.
    pub made_at: String,
    /// What for.
    pub purpose: String,
    /// The documents, canonical JSON, with their names.
    pub documents: Vec<(RecordName, Vec<u8>)>,
    /// Entries that name them.
    pub entries: Vec<Proven>,
    /// Entries of their openings.
    pub openings: Vec<Proven>,
    /// What was chosen and is not there.
    pub left_out: Vec<LeftOut>,
}

/// Why no file was made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DraftError {
    /// There is nothing to hand over.
    #[error("there is no record to seal")]
    Nothing,
    /// There is more than a file holds.
    #[error("{found} {what} are over the limit of {limit} of one file")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many.
        found: usize,
        /// How many are allowed.
        limit: usize,
    },
    /// The file would be too long.
    #[error("the file would be longer than {MAX_FILE_BYTES} bytes")]
    TooLong,
    /// The purpose is none.
    #[error("a purpose is stated in 1 to {MAX_PURPOSE_BYTES} bytes")]
    Purpose,
    /// A document is not the one that its ref commits to.
    #[error("the document {reference} hashes to {found}")]
    OtherDocument {
        /// Its ref.
        reference: Sha256,
        /// What it hashes to.
        found: Sha256,
    },
    /// The same record comes twice.
    #[error("the record {0} comes twice")]
    Twice(Sha256),
    /// It could not be sealed.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The header has no canonical JSON.
    #[error(transparent)]
    Canonical(#[from] CanonicalError),
}

/// Why a text is no such file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// It is not JSON of this form.
    #[error("no export of vault records: {0}")]
    Form(#[from] StrictError),
    /// It is of another format or version.
    #[error("the format is `{0}`, and only `{FORMAT}` is known")]
    Format(String),
    /// It is sealed by other algorithms.
    #[error("the suite is `{0}`, and only `{SUITE}` is known")]
    Suite(String),
    /// There is more in it than a file holds.
    #[error("{found} {what} are over the limit of {limit} of one file")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many.
        found: usize,
        /// How many are allowed.
        limit: usize,
    },
    /// The header names more or fewer records than there are.
    #[error("the header names {named} records, and the file holds {found}: it was cut or added to")]
    Count {
        /// How many are named.
        named: usize,
        /// How many are there.
        found: usize,
    },
    /// A record is named twice.
    #[error("the header names the record {0} twice")]
    Twice(Sha256),
    /// A leaf or proof is longer than any.
    #[error("entry {0} of the file, or its proof, is longer than any can be")]
    Proven(usize),
}

impl Draft {
    /// Seals the documents to a recipient.
    pub fn seal(
        self,
        recipient: &RecipientKey,
        random: &dyn Random,
    ) -> Result<ExportFile, DraftError> {
        self.check()?;
        let id = bytes32(random);
        let header = Header {
            format: FORMAT.to_owned(),
            suite: SUITE.to_owned(),
            id: hex(id.get(..ID_BYTES).unwrap_or_default()),
            origin: self.origin,
            recipient: recipient.to_string(),
            made_at: self.made_at,
            purpose: self.purpose,
            records: self
                .documents
                .iter()
                .map(|(name, _)| name.clone())
                .collect(),
            entries: self.entries.iter().map(Proven::digest).collect(),
            openings: self.openings.iter().map(Proven::digest).collect(),
            left_out: self.left_out,
        };
        let (info, digest) = (header.info(), header.digest()?);
        let mut records = Vec::with_capacity(self.documents.len());
        for (name, document) in &self.documents {
            let aad = name.associated_data(&digest);
            let sealed = seal(recipient, &info, &aad, document, random)?;
            records.push(SealedText::of(&sealed));
        }
        let file = ExportFile {
            header,
            records,
            entries: self.entries,
            openings: self.openings,
        };
        match file.to_bytes().len() > MAX_FILE_BYTES {
            true => Err(DraftError::TooLong),
            false => Ok(file),
        }
    }

    fn check(&self) -> Result<(), DraftError> {
        if self.documents.is_empty() {
            return Err(DraftError::Nothing);
        }
        if self.purpose.is_empty() || self.purpose.len() > MAX_PURPOSE_BYTES {
            return Err(DraftError::Purpose);
        }
        for (what, found, limit) in [
            ("records", self.documents.len(), MAX_RECORDS),
            ("entries", self.entries.len(), MAX_ENTRIES),
            ("openings", self.openings.len(), MAX_ENTRIES),
            ("refs that are left out", self.left_out.len(), MAX_LEFT_OUT),
        ] {
            if found > limit {
                return Err(DraftError::TooMany { what, found, limit });
            }
        }
        let mut seen = BTreeSet::new();
        for (name, document) in &self.documents {
            let (reference, found) = (name.reference, Sha256::of(document));
            if found != reference {
                return Err(DraftError::OtherDocument { reference, found });
            }
            if !seen.insert(reference) {
                return Err(DraftError::Twice(reference));
            }
        }
        Ok(())
    }
}

impl ExportFile {
    /// The file's bytes: JSON for people and programs.
    pub fn to_bytes(&self) -> Vec<u8> {
        // Only strings and lists: nothing of it can fail to be written.
        let mut bytes = serde_json::to_vec_pretty(self).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    /// Reads a file strictly. Nothing is opened and nothing proven.
    pub fn parse(bytes: &[u8]) -> Result<Self, FileError> {
        let file: Self = json::parse_as(bytes, MAX_FILE_BYTES)?;
        if file.header.format != FORMAT {
            return Err(FileError::Format(file.header.format));
        }
        if file.header.suite != SUITE {
            return Err(FileError::Suite(file.header.suite));
        }
        for (what, found, limit) in [
            ("records", file.header.records.len(), MAX_RECORDS),
            ("entries", file.entries.len(), MAX_ENTRIES),
            ("openings", file.openings.len(), MAX_ENTRIES),
            (
                "refs that are left out",
                file.header.left_out.len(),
                MAX_LEFT_OUT,
            ),
        ] {
            if found > limit {
                return Err(FileError::TooMany { what, found, limit });
            }
        }
        let (named, found) = (file.header.records.len(), file.records.len());
        if named != found {
            return Err(FileError::Count { named, found });
        }
        let mut seen = BTreeSet::new();
        for name in &file.header.records {
            if !seen.insert(name.reference) {
                return Err(FileError::Twice(name.reference));
            }
        }
        let all = file.entries.iter().chain(&file.openings);
        for (number, proven) in (1..).zip(all) {
            if proven.leaf.len() > LEAF_BYTES || proven.proof.len() > MAX_PROOF_LEN {
                return Err(FileError::Proven(number));
            }
        }
        Ok(file)
    }
}

impl Header {
    /// The digest that binds the header to every record: SHA-256 of its canonical JSON.
    pub(crate) fn digest(&self) -> Result<Sha256, CanonicalError> {
        Ok(CanonicalJson::of(self)?.digest())
    }

    /// What HPKE calls `info`: the origin and the purpose.
    pub(crate) fn info(&self) -> Vec<u8> {
        frame(
            "countersign/vault-export/v1\n",
            &[self.origin.as_bytes(), self.purpose.as_bytes()],
        )
    }
}

impl RecordName {
    /// What HPKE calls `aad`: the header, the ref and the kind.
    pub(crate) fn associated_data(&self, header: &Sha256) -> Vec<u8> {
        frame(
            "countersign/vault-export/record/v1\n",
            &[
                header.as_bytes(),
                self.reference.as_bytes(),
                self.kind.as_bytes(),
            ],
        )
    }
}

impl Proven {
    /// What the header names it by.
    pub(crate) fn digest(&self) -> Sha256 {
        Sha256::of(self.leaf.as_bytes())
    }
}

impl SealedText {
    fn of(sealed: &Sealed) -> Self {
        Self {
            enc: STANDARD.encode(sealed.enc),
            ciphertext: STANDARD.encode(&sealed.ciphertext),
        }
    }

    /// The sealed message; `None` if it is not base64, or `enc` not of a key's length.
    pub(crate) fn sealed(&self) -> Option<Sealed> {
        Some(Sealed {
            enc: STANDARD.decode(&self.enc).ok()?.try_into().ok()?,
            ciphertext: STANDARD.decode(&self.ciphertext).ok()?,
        })
    }
}

/// A label that ends in a line feed, then every field after its length in eight bytes, so that no two
/// lists of fields give the same bytes.
fn frame(label: &str, fields: &[&[u8]]) -> Vec<u8> {
    let mut framed = label.as_bytes().to_vec();
    for field in fields {
        // A length is at most `isize::MAX`, so eight bytes always hold it.
        framed.extend_from_slice(&(field.len() as u64).to_be_bytes());
        framed.extend_from_slice(field);
    }
    framed
}
