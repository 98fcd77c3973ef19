//! Reading an export into memory.

use std::collections::BTreeMap;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_core::entry::{AnyEntry, Body, GrantChange, KeyPurpose};
use countersign_core::refs::Sha256;
use countersign_merkle::AnyTile;
use countersign_merkle::tile::{decode_bundle, tiles_for_size};
use countersign_note::{Checkpoint, Note, SignedCheckpoint, TlogPolicy, VerifierKey};
use countersign_story::log::Key;
use countersign_story::mutate::Court;
use countersign_verify::{MemoryLog, Trust};

use crate::error::Error;

/// Most entries of a log that is taken apart: it is held in memory several times.
const MAX_ENTRIES: u64 = 200_000;

/// A log, read.
pub(super) struct Export {
    pub(super) leaves: Vec<Vec<u8>>,
    pub(super) log: MemoryLog,
    pub(super) signed: Note,
    /// The keys that the export names: as if the auditor had got them by another way.
    pub(super) trust: Trust,
}

impl Export {
    /// Reads a directory in tlog-tiles layout.
    pub(super) fn read(dir: &Path) -> Result<Self, Error> {
        let bytes = file(&dir.join("checkpoint"))?;
        let signed = note(&dir.join("checkpoint"), &bytes)?;
        let checkpoint = Checkpoint::parse(signed.text())
            .map_err(|error| Error::server("the checkpoint")(error))?;
        let size = checkpoint.size();
        if size.get() > MAX_ENTRIES {
            let reason = format!("it has {size} entries; allowed are {MAX_ENTRIES}");
            return Err(Error::server("the export")(reason));
        }
        let mut log = MemoryLog {
            checkpoint: bytes,
            ..MemoryLog::default()
        };
        let mut leaves = Vec::new();
        for tile in tiles_for_size(size) {
            let bytes = file(&dir.join(tile.to_string()))?;
            if let AnyTile::Entries(entries) = &tile {
                let found = decode_bundle(&bytes, entries);
                let found = found.map_err(|error| Error::server("a bundle of entries")(error))?;
                leaves.extend(found.into_iter().map(<[u8]>::to_vec));
            }
            log.tiles.insert(tile, bytes);
        }
        Self::new(leaves, log, signed)
    }

    /// A log whose parts are at hand.
    pub(super) fn new(leaves: Vec<Vec<u8>>, log: MemoryLog, signed: Note) -> Result<Self, Error> {
        let trust = trust(&leaves, &signed)?;
        Ok(Self {
            leaves,
            log,
            signed,
            trust,
        })
    }

    /// The log before the court.
    pub(super) fn court(self) -> Court {
        Court::new(self.leaves, self.log, self.signed, self.trust)
    }

    /// The log's key out of its file, if it is a key of this log.
    pub(super) fn key(&self, path: &Path) -> Result<Key, Error> {
        let wrong = |reason: &str| Error::server("the log's key")(reason);
        let text = String::from_utf8(file(path)?).map_err(|_| wrong("it is no text"))?;
        let secret = text.lines().find_map(|line| line.strip_prefix("secret "));
        let seed = secret.and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
        let seed = seed.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        let seed = seed.ok_or_else(|| wrong("it is no key file"))?;
        let origin = self.signed.text().lines().next().unwrap_or_default();
        let key = Key::from_seed(origin, &seed);
        let known = &self.trust.log_keys;
        match known.contains(countersign_note::NoteSigner::verifier_key(&key)) {
            true => Ok(key),
            false => Err(wrong("it did not sign this log's checkpoint")),
        }
    }
}

/// The log keys that the log grants and that signed its checkpoint, and its root key.
fn trust(leaves: &[Vec<u8>], signed: &Note) -> Result<Trust, Error> {
    let mut trust = Trust::default();
    let mut keep = |text: &str| {
        let Ok(key) = VerifierKey::parse(text) else {
            return;
        };
        let signs = SignedCheckpoint::open(signed, std::slice::from_ref(&key)).is_ok();
        if signs && !trust.log_keys.contains(&key) {
            trust.log_keys.push(key);
        }
    };
    let mut root_key = None;
    for leaf in leaves {
        let Ok(AnyEntry::Known(entry)) = AnyEntry::from_leaf(leaf) else {
            continue;
        };
        match entry.body {
            Body::Genesis(body) => {
                keep(body.log_key.as_str());
                root_key = VerifierKey::parse(body.root_key.as_str()).ok();
            }
            Body::Key(body)
                if body.purpose == KeyPurpose::Log && body.change == GrantChange::Granted =>
            {
                keep(body.key.as_str());
            }
            _ => {}
        }
    }
    if trust.log_keys.is_empty() {
        let reason = "no key that the log grants has signed its checkpoint";
        return Err(Error::server("the export")(reason));
    }
    trust.root_key = root_key;
    Ok(trust)
}

/// The opened documents below an export, by the refs that their names give.
pub(super) fn documents(dir: &Path) -> Result<BTreeMap<Sha256, Vec<u8>>, Error> {
    let mut documents = BTreeMap::new();
    if !dir.is_dir() {
        return Ok(documents);
    }
    for entry in std::fs::read_dir(dir).map_err(Error::io(dir))? {
        let path = entry.map_err(Error::io(dir))?.path();
        let stem = path
            .file_stem()
            .map(|stem| stem.to_string_lossy().into_owned());
        let reference = format!("sha256:{}", stem.unwrap_or_default()).parse();
        if let Ok(reference) = reference {
            documents.insert(reference, file(&path)?);
        }
    }
    Ok(documents)
}

pub(super) fn policy(path: &Path) -> Result<TlogPolicy, Error> {
    TlogPolicy::parse(&file(path)?).map_err(Error::server("the policy"))
}

pub(super) fn held(path: &Path) -> Result<Note, Error> {
    note(path, &file(path)?)
}

fn note(path: &Path, bytes: &[u8]) -> Result<Note, Error> {
    Note::parse(bytes).map_err(|error| {
        let reason = format!("`{}`: {error}", path.display());
        Error::server("a checkpoint")(reason)
    })
}

fn file(path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(Error::io(path))
}
