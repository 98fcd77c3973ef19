//! The rules of a witness.

use crate::answer::SIZE_MEDIA_TYPE;
use crate::request::{AddCheckpoint, RequestError};
use crate::store::{Advance, Held, StoreError, WitnessStore};
use countersign_merkle::{EMPTY_ROOT, TreeSize, VerifyError, verify_consistency};
use countersign_note::{
    Checkpoint, CheckpointError, CheckpointFormatError, MlDsaSigner, Note, NoteError,
    NoteSignature, NoteSigner, SignNoteError, SignatureType, SignedCheckpoint, Timestamp,
    VerifierKey, cosign, cosign_ml_dsa,
};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The most logs of one witness.
pub const MAX_LOGS: usize = 1024;

/// What signs for a witness.
pub type Cosigner = dyn NoteSigner + Send + Sync;

/// What signs for a witness a second time, with ML-DSA-44.
pub type MlDsaCosigner = dyn MlDsaSigner + Send + Sync;

/// A witness of the logs that it was told of.
pub struct Witness<S> {
    // By origin.
    logs: BTreeMap<String, Vec<VerifierKey>>,
    origins: BTreeMap<LogName, String>,
    cosigner: Arc<Cosigner>,
    second: Option<Arc<MlDsaCosigner>>,
    store: S,
}

/// How a log is named in the path where its newest cosigned checkpoint is read: the SHA-256 of its
/// origin, in lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogName(String);

/// What is answered to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The media type of the body.
    pub media_type: &'static str,
    /// The body.
    pub body: String,
}

/// Why a checkpoint is not cosigned.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The request cannot be read.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The note is no checkpoint.
    #[error(transparent)]
    Format(#[from] CheckpointFormatError),
    /// The witness was not told of this log.
    #[error("the log `{origin}` is unknown here")]
    UnknownLog {
        /// The origin that came.
        origin: String,
    },
    /// No key that is trusted for this log has signed.
    #[error("{0}")]
    Untrusted(CheckpointError),
    /// The proof begins after the checkpoint.
    #[error("the old size {old} is larger than the checkpoint's, {new}")]
    OldBeyondNew {
        /// The old size that came.
        old: TreeSize,
        /// The checkpoint's size.
        new: TreeSize,
    },
    /// The proof begins elsewhere than at what was cosigned last.
    #[error("the newest checkpoint that was cosigned here has {held} leaves")]
    Conflict {
        /// Its size; 0 if nothing was ever cosigned.
        held: TreeSize,
    },
    /// The checkpoint is not proven to continue what was cosigned last.
    #[error("the checkpoint does not continue the one that was cosigned last: {0}")]
    Inconsistent(VerifyError),
    /// A proof came where none belongs, or a root that no tree without leaves has.
    #[error("{0}")]
    Empty(&'static str),
    /// The key could not sign.
    #[error("the witness could not sign: {0}")]
    Sign(#[from] SignNoteError),
    /// The cosigned checkpoint could not be kept.
    #[error("the witness could not keep the checkpoint: {0}")]
    Store(#[from] StoreError),
    /// The cosigned checkpoint is no note any more.
    #[error("the cosigned checkpoint: {0}")]
    Note(#[from] NoteError),
}

/// Why a witness cannot be set up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WitnessError {
    /// There is nothing to witness.
    #[error("a witness needs at least one log")]
    NoLogs,
    /// There are too many logs.
    #[error("a witness takes at most {MAX_LOGS} logs")]
    TooManyLogs,
    /// A key cannot have signed a checkpoint.
    #[error("`{name}` is of type {found}, which signs no checkpoints of logs")]
    LogKey {
        /// The key's name.
        name: String,
        /// The key's type.
        found: SignatureType,
    },
    /// The witness's own key is of another type.
    #[error(
        "the witness's key is of type {found}, allowed is {}",
        SignatureType::CosignatureV1
    )]
    OwnKey {
        /// The key's type.
        found: SignatureType,
    },
}

impl<S: WitnessStore> Witness<S> {
    /// A witness of the logs with these keys, whose names are the logs' origins.
    pub fn new(
        keys: impl IntoIterator<Item = VerifierKey>,
        cosigner: Arc<Cosigner>,
        store: S,
    ) -> Result<Self, WitnessError> {
        let found = cosigner.verifier_key().signature_type();
        if found != SignatureType::CosignatureV1 {
            return Err(WitnessError::OwnKey { found });
        }
        let logs = by_origin(keys)?;
        let named = |origin: &String| (LogName::of(origin), origin.clone());
        Ok(Self {
            origins: logs.keys().map(named).collect(),
            logs,
            cosigner,
            second: None,
            store,
        })
    }

    /// The same, cosigning with a second key, too.
    #[must_use]
    pub fn with_second(self, second: Arc<MlDsaCosigner>) -> Self {
        Self {
            second: Some(second),
            ..self
        }
    }

    /// The witness's public key.
    pub fn verifier_key(&self) -> &VerifierKey {
        self.cosigner.verifier_key()
    }

    /// The origins of its logs.
    pub fn origins(&self) -> impl Iterator<Item = &str> {
        self.logs.keys().map(String::as_str)
    }

    /// Answers `POST <prefix>/add-checkpoint`. What is cosigned is durable before this returns.
    pub fn add_checkpoint(&self, body: &[u8], now: Timestamp) -> Reply {
        match self.cosigned(body, now) {
            Ok(signatures) => Reply::text(200, signatures),
            Err(refusal) => Reply::from(&refusal),
        }
    }

    /// Answers `GET <prefix>/<name>/checkpoint`: the newest cosigned checkpoint.
    pub fn checkpoint(&self, name: &str) -> Reply {
        let Some(origin) = self.origins.get(&LogName(name.to_owned())) else {
            return Reply::text(404, "no such log is known here\n");
        };
        match self.store.latest(origin) {
            Ok(Some(held)) => Reply::text(200, held.note.to_string()),
            Ok(None) => Reply::text(404, "nothing was cosigned of this log yet\n"),
            Err(error) => Reply::from(&Refusal::Store(error)),
        }
    }

    /// The signature lines for a request, or why there are none.
    fn cosigned(&self, body: &[u8], now: Timestamp) -> Result<String, Refusal> {
        let request = AddCheckpoint::parse(body)?;
        let note = request.checkpoint();
        let checkpoint = self.known(note)?;
        let (old, new) = (request.old(), checkpoint.size());
        if old > new {
            return Err(Refusal::OldBeyondNew { old, new });
        }
        let origin = checkpoint.origin();
        let held = self.store.latest(origin)?;
        check_continues(held.as_ref(), &request, &checkpoint)?;
        let lines = self.sign(note, &checkpoint, now)?;
        let next = Held {
            size: new,
            root: checkpoint.root(),
            note: self.kept(note, held.as_ref(), &lines)?.to_string().into(),
        };
        let expected = held.map(|held| held.size);
        match self.store.advance(origin, expected, &next)? {
            Advance::Done => Ok(lines.iter().map(NoteSignature::to_string).collect()),
            // Another request was quicker; the log asks again from there.
            Advance::Moved(held) => Err(conflict(held.as_ref())),
        }
    }

    /// The checkpoint, if a key that is trusted for its log has signed it.
    fn known(&self, note: &Note) -> Result<Checkpoint, Refusal> {
        let claimed = Checkpoint::parse(note.text())?;
        let Some(keys) = self.logs.get(claimed.origin()) else {
            let origin = claimed.origin().escape_debug().to_string();
            return Err(Refusal::UnknownLog { origin });
        };
        let signed = SignedCheckpoint::open(note, keys).map_err(Refusal::Untrusted)?;
        // ML-DSA-44 does not cover extension lines: anybody could have added them, and our Ed25519
        // cosignature would vouch for them.
        if signed.checkpoint() != &claimed {
            let origin = claimed.origin().to_owned();
            return Err(Refusal::Untrusted(CheckpointError::NoLogSignature {
                origin,
            }));
        }
        Ok(claimed)
    }

    fn sign(
        &self,
        note: &Note,
        checkpoint: &Checkpoint,
        now: Timestamp,
    ) -> Result<Vec<NoteSignature>, Refusal> {
        let mut lines = vec![cosign(note.text(), now, self.cosigner.as_ref())?];
        if let Some(second) = &self.second {
            lines.push(cosign_ml_dsa(checkpoint, now, second.as_ref())?);
        }
        Ok(lines)
    }

    /// What is kept and shown to monitors: one signature of each of the log's trusted keys, and our
    /// own. Lines of strangers would let anybody fill our disk; and anybody can send the same
    /// checkpoint again with fewer of the log's signatures, which takes none away.
    fn kept(
        &self,
        note: &Note,
        held: Option<&Held>,
        own: &[NoteSignature],
    ) -> Result<Note, Refusal> {
        let origin = Checkpoint::parse(note.text())?.origin().to_owned();
        let keys = self.logs.get(&origin);
        let held = held.and_then(|held| held.note.parse::<Note>().ok());
        let held = held.filter(|held| held.text() == note.text());
        let known = note
            .signatures()
            .iter()
            .chain(held.iter().flat_map(Note::signatures));
        let mut lines = Vec::new();
        for key in keys.into_iter().flatten() {
            let is_keys =
                |line: &&NoteSignature| key.id() == line.id() && key.name() == line.name();
            lines.extend(known.clone().find(is_keys).cloned());
        }
        lines.extend_from_slice(own);
        Ok(Note::new(note.text().to_owned(), lines)?)
    }
}

impl LogName {
    /// The name of the log with this origin.
    pub fn of(origin: &str) -> Self {
        let digest = Sha256::digest(origin.as_bytes());
        Self(digest.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Reply {
    fn text(status: u16, body: impl Into<String>) -> Self {
        Self {
            status,
            media_type: "text/plain; charset=utf-8",
            body: body.into(),
        }
    }
}

impl From<&Refusal> for Reply {
    fn from(refusal: &Refusal) -> Self {
        let status = match refusal {
            Refusal::Conflict { held } => {
                return Self {
                    status: 409,
                    media_type: SIZE_MEDIA_TYPE,
                    body: format!("{held}\n"),
                };
            }
            Refusal::Request(RequestError::TooLong { .. }) => 413,
            Refusal::Request(_) | Refusal::Format(_) | Refusal::OldBeyondNew { .. } => 400,
            Refusal::UnknownLog { .. } => 404,
            Refusal::Untrusted(_) => 403,
            Refusal::Inconsistent(_) | Refusal::Empty(_) => 422,
            // What failed inside is for the operator's log alone.
            Refusal::Sign(_) | Refusal::Store(_) | Refusal::Note(_) => {
                return Self::text(500, "the witness failed; nothing was cosigned\n");
            }
        };
        Self::text(status, format!("{refusal}\n"))
    }
}

/// Groups keys by the log that they sign for.
pub(crate) fn by_origin(
    keys: impl IntoIterator<Item = VerifierKey>,
) -> Result<BTreeMap<String, Vec<VerifierKey>>, WitnessError> {
    let mut logs: BTreeMap<String, Vec<VerifierKey>> = BTreeMap::new();
    for key in keys {
        let found = key.signature_type();
        if !matches!(found, SignatureType::Ed25519 | SignatureType::MlDsa44) {
            let name = key.name().to_string();
            return Err(WitnessError::LogKey { name, found });
        }
        let of_log = logs.entry(key.name().to_string()).or_default();
        if !of_log.contains(&key) {
            of_log.push(key);
        }
        if logs.len() > MAX_LOGS {
            return Err(WitnessError::TooManyLogs);
        }
    }
    match logs.is_empty() {
        true => Err(WitnessError::NoLogs),
        false => Ok(logs),
    }
}

/// Checks that the checkpoint continues what is held, and that the proof begins there.
fn check_continues(
    held: Option<&Held>,
    request: &AddCheckpoint,
    new: &Checkpoint,
) -> Result<(), Refusal> {
    if request.old() != size_of(held) {
        return Err(conflict(held));
    }
    match held {
        Some(held) if held.size > TreeSize::ZERO => verify_consistency(
            held.size,
            new.size(),
            request.proof(),
            &held.root,
            &new.root(),
        )
        .map_err(Refusal::Inconsistent),
        // tlog-witness: "The proof MUST be empty if the old size is zero."
        _ if !request.proof().is_empty() => Err(Refusal::Empty(
            "a proof from a tree without leaves must be empty",
        )),
        _ if new.size() == TreeSize::ZERO && new.root() != EMPTY_ROOT => Err(Refusal::Empty(
            "this is not the root of a tree without leaves",
        )),
        _ => Ok(()),
    }
}

fn conflict(held: Option<&Held>) -> Refusal {
    let held = size_of(held);
    Refusal::Conflict { held }
}

fn size_of(held: Option<&Held>) -> TreeSize {
    held.map_or(TreeSize::ZERO, |held| held.size)
}
