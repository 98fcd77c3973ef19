//! Proofs of many entries against one checkpoint, made from the log's hash tiles: a server proves
//! against a head that may go on meanwhile.

use std::collections::BTreeMap;

use countersign_client::{Client, ClientError};
use countersign_evidence::Chosen;
use countersign_merkle::{
    AnyTile, Hash, LeafIndex, ProofError, TilePath, TileReadError, TileReader, TileSource,
    TreeReader,
};

use super::Head;
use super::gather::patient;
use crate::error::CliError;
use crate::terminal::Terminal;

struct Tiles<'a> {
    client: &'a Client,
    head: &'a Head,
}

#[derive(Debug, thiserror::Error)]
enum TileError {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("the server has no `{0}`, which its checkpoint covers")]
    Missing(AnyTile),
}

impl TileSource for Tiles<'_> {
    type Error = TileError;

    fn tile(&self, path: &TilePath) -> Result<Vec<u8>, TileError> {
        let tile = AnyTile::Hashes(*path);
        let bytes = patient(|| self.client.tile(&self.head.log, &tile.to_string()))?;
        bytes.ok_or(TileError::Missing(tile))
    }
}

/// The inclusion path of every chosen entry.
pub(super) fn paths(
    client: &Client,
    head: &Head,
    chosen: &Chosen,
    terminal: &Terminal,
) -> Result<BTreeMap<u64, Vec<Hash>>, CliError> {
    let tiles = TileReader::new(Tiles { client, head }, head.size);
    let mut reader =
        TreeReader::new(&tiles, head.size).map_err(|error| CliError::usage(error.to_string()))?;
    let bar = terminal.progress("proofs");
    bar.set_length(u64::try_from(chosen.len()).unwrap_or(u64::MAX));
    let mut paths = BTreeMap::new();
    for index in chosen.indices() {
        let path = reader
            .inclusion_proof(LeafIndex::new(index))
            .map_err(unread)?;
        paths.insert(index, path);
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(paths)
}

fn unread(error: ProofError<TileReadError<TileError>>) -> CliError {
    match error {
        ProofError::Source(TileReadError::Source(TileError::Client(error))) => error.into(),
        ProofError::Source(error) => CliError::usage(match error {
            TileReadError::Source(error) => error.to_string(),
            other => other.to_string(),
        }),
        other => CliError::usage(other.to_string()),
    }
}
