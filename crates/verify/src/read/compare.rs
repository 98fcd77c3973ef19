//! A hash tile, held against the nodes that the leaves gave.

use countersign_merkle::{AnyTile, HASH_LEN, Hash, TilePath};

use super::unreadable;
use crate::audit::VerifyError;
use crate::report::{Check, Finding, Findings};
use crate::source::{self, LogSource, SourceError};

/// What came of it.
pub(crate) enum Compared {
    Same,
    Missing(TilePath),
    Io(TilePath, String),
    /// The tile has so many bytes, which is not its width.
    Length(TilePath, usize),
    /// Nodes that are others: their index in the level, what the tile holds, what the leaves gave.
    Differs(TilePath, Vec<(u64, Hash, Hash)>),
}

pub(super) fn compare(source: &dyn LogSource, path: TilePath, nodes: &[Hash]) -> Compared {
    let bytes = match source::fetch(source, &AnyTile::Hashes(path)) {
        Ok(bytes) => bytes,
        Err(SourceError::Missing) => return Compared::Missing(path),
        Err(SourceError::Io(reason)) => return Compared::Io(path, reason),
    };
    let (found, rest) = bytes.as_chunks::<HASH_LEN>();
    if found.len() != nodes.len() || !rest.is_empty() {
        return Compared::Length(path, bytes.len());
    }
    let pairs = found.iter().zip(nodes).zip(path.nodes());
    let differing: Vec<_> = pairs
        .filter(|((found, node), _)| *found != node.as_bytes())
        .map(|((found, node), position)| (position, Hash::from_bytes(*found), *node))
        .collect();
    match differing.is_empty() {
        true => Compared::Same,
        false => Compared::Differs(path, differing),
    }
}

impl Compared {
    /// The first thing that does not hold.
    pub(crate) fn first_finding(self) -> Result<Option<Finding>, VerifyError> {
        let mut findings = Findings::new(1);
        self.report(&mut findings)?;
        Ok(findings.into_parts().0.into_iter().next())
    }

    /// Says what does not hold.
    pub(super) fn report(self, findings: &mut Findings) -> Result<(), VerifyError> {
        match self {
            Self::Same => {}
            Self::Missing(path) => findings.log(Check::TileMissing, "no such file", path),
            Self::Io(path, reason) => return Err(unreadable(&AnyTile::Hashes(path), &reason)),
            Self::Length(path, bytes) => {
                let expected = usize::from(path.width()).saturating_mul(HASH_LEN);
                let found = format!("{path} of {bytes} bytes");
                findings.log(Check::TileForm, found, format!("{expected} bytes"));
            }
            Self::Differs(path, nodes) => {
                for (position, found, node) in nodes {
                    let found = format!("{found} in {path}");
                    match path.level() {
                        0 => findings.entry(position, None, Check::HashTile, found, node),
                        _ => findings.log(Check::HashTile, found, node),
                    }
                }
            }
        }
        Ok(())
    }
}
