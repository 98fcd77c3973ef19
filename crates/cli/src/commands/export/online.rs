//! Exporting from a server.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use countersign_client::{Client, LogPath};
use countersign_core::json::CanonicalJson;
use countersign_core::refs::Sha256;
use countersign_merkle::tile::tiles_for_size;
use countersign_merkle::{AnyTile, TreeSize};
use countersign_note::{Checkpoint, Note};

use super::documents::{self, Documents};
use super::{Exported, write};
use crate::connection::Connection;
use crate::error::CliError;
use crate::patience::patient;
use crate::terminal::Terminal;

pub(super) fn export(
    connection: &Connection,
    dir: &Path,
    purpose: Option<&str>,
    terminal: &Terminal,
) -> Result<Exported, CliError> {
    let reader = connection.with_role(&["auditor", "vault-reader"])?;
    let opener = purpose
        .map(|purpose| Ok::<_, CliError>((connection.with_role(&["vault-reader"])?, purpose)))
        .transpose()?;
    let head = connection.public().head()?;
    let log = LogPath::of_origin(&head.origin)
        .ok_or_else(|| CliError::usage("the server's log has an origin of an unknown form"))?;
    let checkpoint = reader.checkpoint(&log)?;
    let (origin, size) = head_of(&checkpoint)
        .map_err(|reason| CliError::usage(format!("the server's checkpoint: {reason}")))?;
    check_standing(dir, &origin, size)?;
    let mut exported = Exported {
        origin,
        size: size.get(),
        tiles_written: 0,
        documents: 0,
        documents_missing: 0,
        dir: dir.to_owned(),
    };
    let mut named = BTreeSet::new();
    let bar = terminal.progress("tiles");
    bar.set_length(u64::try_from(tiles_for_size(size).count()).unwrap_or(u64::MAX));
    for tile in tiles_for_size(size) {
        let bytes = tile_bytes(&reader, &log, &tile, dir, &mut exported)?;
        if let AnyTile::Entries(entries) = &tile
            && opener.is_some()
        {
            let leaves = countersign_merkle::tile::decode_bundle(&bytes, entries);
            let leaves = leaves.map_err(|error| CliError::usage(format!("`{tile}`: {error}")))?;
            leaves
                .iter()
                .for_each(|leaf| documents::named(leaf, &mut named));
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    // Whoever reads meanwhile sees the old checkpoint until all that the new one covers is there.
    write(&dir.join("checkpoint"), &checkpoint)?;
    if let Some((opener, purpose)) = opener {
        open_all(&opener, purpose, &named, &mut exported, terminal)?;
    }
    Ok(exported)
}

/// A tile from the directory, if it is there whole, or else from the server.
fn tile_bytes(
    client: &Client,
    log: &LogPath,
    tile: &AnyTile,
    dir: &Path,
    exported: &mut Exported,
) -> Result<Vec<u8>, CliError> {
    let path = dir.join(tile.to_string());
    if let Ok(bytes) = std::fs::read(&path) {
        return Ok(bytes);
    }
    let bytes = patient(Duration::MAX, || client.tile(log, &tile.to_string()))?;
    let bytes = bytes.ok_or_else(|| {
        CliError::usage(format!(
            "the server has no `{tile}`, which its checkpoint covers"
        ))
    })?;
    write(&path, &bytes)?;
    exported.tiles_written = exported.tiles_written.saturating_add(1);
    Ok(bytes)
}

fn open_all(
    client: &Client,
    purpose: &str,
    named: &BTreeSet<Sha256>,
    exported: &mut Exported,
    terminal: &Terminal,
) -> Result<(), CliError> {
    let documents = Documents::below(&exported.dir)?;
    let bar = terminal.progress("documents");
    bar.set_length(u64::try_from(named.len()).unwrap_or(u64::MAX));
    for reference in named {
        bar.inc(1);
        if documents.has(reference) {
            exported.documents = exported.documents.saturating_add(1);
            continue;
        }
        let opened = match patient(Duration::MAX, || {
            client.open(&reference.to_string(), purpose)
        }) {
            Ok(opened) => opened,
            Err(error) if matches!(error.code(), Some("not-found" | "erased")) => {
                exported.documents_missing = exported.documents_missing.saturating_add(1);
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        let canonical = CanonicalJson::of(&opened.document)
            .map_err(|error| CliError::usage(format!("the document {reference}: {error}")))?;
        if canonical.digest() != *reference {
            return Err(CliError::usage(format!(
                "the server opened {reference} to a document that hashes to {}",
                canonical.digest()
            )));
        }
        documents.put(reference, canonical.as_bytes())?;
        exported.documents = exported.documents.saturating_add(1);
    }
    bar.finish_and_clear();
    Ok(())
}

fn head_of(checkpoint: &[u8]) -> Result<(String, TreeSize), String> {
    let note = Note::parse(checkpoint).map_err(|error| error.to_string())?;
    let checkpoint = Checkpoint::parse(note.text()).map_err(|error| error.to_string())?;
    Ok((checkpoint.origin().to_owned(), checkpoint.size()))
}

/// An export that stands in the directory must be an earlier one of the same log.
fn check_standing(dir: &Path, origin: &str, size: TreeSize) -> Result<(), CliError> {
    let path = dir.join("checkpoint");
    let standing = match std::fs::read(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        read => read.map_err(|error| CliError::io(&path, error))?,
    };
    let (standing_origin, standing_size) =
        head_of(&standing).map_err(|reason| CliError::io(&path, reason))?;
    if standing_origin != origin {
        let found = format!("it is of `{standing_origin}`, and the server's log is `{origin}`");
        return Err(CliError::io(&path, found).hint("export each log into a directory of its own"));
    }
    if standing_size > size {
        let found =
            format!("it covers {standing_size} entries, and the server's log has only {size}");
        return Err(CliError::io(&path, found)
            .exiting(crate::exit::Exit::Inconsistent)
            .hint("keep this directory: if its checkpoint is signed by the log's key, the log has lost entries"));
    }
    Ok(())
}
