//! Proofs of entries, all against one checkpoint, made from the log's tiles.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use countersign_client::{Client, LogPath};
use countersign_core::json::CanonicalJson;
use countersign_merkle::tile::TilePath;
use countersign_merkle::{
    LeafIndex, TileReader, TileSource, TreeSize, inclusion_proof, leaf_hash, verify_inclusion,
};
use countersign_note::{Checkpoint, Note, TlogProof};
use countersign_seal::Proven;
use countersign_wire::RawJson;
use serde_json::{Map, Value};

use super::chosen::ChosenEntry;
use crate::connection::Connection;
use crate::error::CliError;
use crate::exit::Exit;
use crate::patience::patient;

/// How long to wait for witnesses to cosign a checkpoint that covers the openings, too.
const WITNESSED_WAIT: Duration = Duration::from_secs(15);
/// How often to ask meanwhile.
const AGAIN: Duration = Duration::from_millis(300);
/// The longest wait for which a server's wish to be asked later is granted.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(120);

/// A log on its server.
pub(super) struct Log {
    client: Client,
    path: LogPath,
    origin: String,
    tiles: RefCell<BTreeMap<String, Vec<u8>>>,
}

/// The checkpoint that entries are proven against.
pub(super) struct Anchor {
    note: Note,
    checkpoint: Checkpoint,
}

/// The leaf of an entry that a server answered with, and where its proof says that it stands, if it
/// came with one.
pub(super) fn leaf_of(entry: &RawJson) -> Result<(Option<u64>, String), CliError> {
    let wrong =
        |reason: String| CliError::usage(format!("the server answered with no entry: {reason}"));
    let mut members: Map<String, Value> =
        serde_json::from_str(entry.get()).map_err(|error| wrong(error.to_string()))?;
    let proof = members.shift_remove("proof");
    let proof = proof.as_ref().and_then(Value::as_str).map(TlogProof::parse);
    let proof = proof
        .transpose()
        .map_err(|error| wrong(error.to_string()))?;
    let leaf = CanonicalJson::of(&members).map_err(|error| wrong(error.to_string()))?;
    let leaf = String::from_utf8(leaf.into_bytes()).map_err(|error| wrong(error.to_string()))?;
    Ok((proof.map(|proof| proof.index().get()), leaf))
}

impl Log {
    pub(super) fn open(connection: &Connection, reader: &Client) -> Result<Self, CliError> {
        let origin = connection.public().head()?.origin;
        let path = LogPath::of_origin(&origin)
            .ok_or_else(|| CliError::usage("the server's log has an origin of an unknown form"))?;
        Ok(Self {
            client: reader.clone(),
            path,
            origin,
            tiles: RefCell::default(),
        })
    }

    pub(super) fn origin(&self) -> &str {
        &self.origin
    }

    /// A checkpoint that somebody holds.
    pub(super) fn held(&self, bytes: &[u8]) -> Result<Anchor, CliError> {
        let wrong = |reason: String| CliError::usage(format!("--checkpoint: {reason}"));
        let anchor = Anchor::read(bytes).map_err(wrong)?;
        match anchor.checkpoint.origin() == self.origin {
            true => Ok(anchor),
            false => Err(wrong(format!(
                "it is of `{}`, and the server's log is `{}`",
                anchor.checkpoint.origin(),
                self.origin
            ))),
        }
    }

    /// The newest checkpoint, with its cosignatures; one that covers this entry, if witnesses sign one
    /// in time.
    pub(super) fn newest(&self, last: Option<u64>) -> Result<Anchor, CliError> {
        let until = Instant::now() + WITNESSED_WAIT;
        loop {
            let bytes = patient(LONGEST_WAIT, || self.client.checkpoint(&self.path))?;
            let anchor = Anchor::read(&bytes)
                .map_err(|reason| CliError::usage(format!("the server's checkpoint: {reason}")))?;
            let covers = last.is_none_or(|last| last < anchor.size());
            if covers || Instant::now() > until {
                return Ok(anchor);
            }
            std::thread::sleep(AGAIN);
        }
    }

    /// Proves an entry, and looks whether the proof holds: a server that shows other entries than its
    /// log has would be found by the recipient otherwise.
    pub(super) fn prove(
        &self,
        index: u64,
        leaf: &str,
        anchor: &Anchor,
    ) -> Result<Proven, CliError> {
        let size = anchor.checkpoint.size();
        let place = LeafIndex::new(index);
        if !size.contains(place) {
            return Err(CliError::usage(format!(
                "entry {index} is not covered by the checkpoint of {size} entries"
            )));
        }
        let failed =
            |error: String| CliError::usage(format!("the proof of entry {index}: {error}"));
        let tiles = TileReader::new(self, size);
        let path = inclusion_proof(&tiles, place, size).map_err(|error| {
            let mut cause: &dyn std::error::Error = &error;
            while let Some(below) = cause.source() {
                cause = below;
            }
            failed(cause.to_string())
        })?;
        let root = anchor.checkpoint.root();
        let hash = leaf_hash(leaf.as_bytes());
        verify_inclusion(&hash, place, size, &path, &root).map_err(|error| {
            failed(format!(
                "{error}: the log does not hold what the server shows"
            ))
            .exiting(Exit::Inconsistent)
        })?;
        let proof = TlogProof::new(place, path, anchor.note.clone());
        let proof = proof.map_err(|error| failed(error.to_string()))?;
        Ok(Proven {
            leaf: leaf.to_owned(),
            proof: proof.to_string(),
        })
    }

    /// Proves the entry of an opening; by the proof that came with it, if the checkpoint is an older
    /// one.
    pub(super) fn opening(
        &self,
        index: u64,
        answered: &RawJson,
        anchor: &Anchor,
    ) -> Result<Proven, CliError> {
        let (_, leaf) = leaf_of(answered)?;
        if index < anchor.size() {
            return self.prove(index, &leaf, anchor);
        }
        let members: Map<String, Value> = serde_json::from_str(answered.get())
            .map_err(|error| CliError::usage(error.to_string()))?;
        let proof = members.get("proof").and_then(Value::as_str);
        Ok(Proven {
            leaf,
            proof: proof.unwrap_or_default().to_owned(),
        })
    }
}

impl TileSource for &Log {
    type Error = CliError;

    fn tile(&self, path: &TilePath) -> Result<Vec<u8>, CliError> {
        let name = path.to_string();
        if let Some(bytes) = self.tiles.borrow().get(&name) {
            return Ok(bytes.clone());
        }
        let bytes = patient(LONGEST_WAIT, || self.client.tile(&self.path, &name))?;
        let bytes = bytes.ok_or_else(|| CliError::usage(format!("the server has no `{name}`")))?;
        self.tiles.borrow_mut().insert(name, bytes.clone());
        Ok(bytes)
    }
}

impl Anchor {
    fn read(bytes: &[u8]) -> Result<Self, String> {
        let note = Note::parse(bytes).map_err(|error| error.to_string())?;
        let checkpoint = Checkpoint::parse(note.text()).map_err(|error| error.to_string())?;
        Ok(Self { note, checkpoint })
    }

    /// How many entries it covers.
    pub(super) fn size(&self) -> u64 {
        self.checkpoint.size().get()
    }

    /// Refuses entries that it does not cover.
    pub(super) fn check_covers(&self, what: &str, entries: &[ChosenEntry]) -> Result<(), CliError> {
        let covers = |index| TreeSize::new(self.size()).contains(LeafIndex::new(index));
        match entries.iter().find(|entry| !covers(entry.index)) {
            None => Ok(()),
            Some(entry) => Err(CliError::usage(format!(
                "{what}: it covers {} entries, and entry {} is to be proven; nothing was opened",
                self.size(),
                entry.index
            ))
            .hint("take a later checkpoint, leave --checkpoint out, or choose with --entry what it covers")),
        }
    }
}
