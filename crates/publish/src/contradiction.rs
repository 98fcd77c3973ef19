//! Two heads of this log that cannot both be true, or a head that this log has forgotten.

use crate::parts::Parts;
use countersign_merkle::TreeSize;
use countersign_note::Checkpoint;
use countersign_verify::{Contradiction, Prefix};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::PathBuf;

/// What a witness holds of this log, signed by the log's key, that does not fit what the log holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// What the policy calls the witness.
    pub witness: String,
    /// The log's newest checkpoint.
    pub ours: String,
    /// What the witness holds.
    pub theirs: String,
    /// The witness's size.
    pub their_size: TreeSize,
    /// The log's size.
    pub our_size: TreeSize,
}

impl Conflict {
    /// In one line.
    pub fn summary(&self) -> String {
        let (witness, theirs, ours) = (&self.witness, self.their_size, self.our_size);
        match theirs > ours {
            true => format!(
                "the witness `{witness}` holds a checkpoint of {theirs} entries, signed by this log, \
                 which has only {ours}: the log was rolled back, or a copy of it runs elsewhere"
            ),
            false => format!(
                "the witness `{witness}` holds a checkpoint of {theirs} entries, signed by this log, \
                 with another root than the log has at that size: two histories were signed"
            ),
        }
    }

    /// Keeps both heads in a file that a stranger can check; its path.
    pub(crate) fn keep(&self, parts: &Parts) -> io::Result<PathBuf> {
        let contradiction = Contradiction {
            ours: self.ours.clone(),
            theirs: self.theirs.clone(),
            prefix: self.prefix(parts),
        };
        let dir = &parts.evidence;
        fs::create_dir_all(dir)?;
        // One file per witness and pair of sizes: a restart loop must not fill the disk.
        let name: String = self.witness.chars().map(safe).take(60).collect();
        let path = dir.join(format!("{name}-{}-{}.txt", self.their_size, self.our_size));
        let temporary = path.with_extension("new");
        let mut file = File::create(&temporary)?;
        file.write_all(contradiction.to_text().as_bytes())?;
        file.sync_all()?;
        fs::rename(&temporary, &path)?;
        File::open(dir)?.sync_all()?;
        Ok(path)
    }

    /// What our tree begins with, where theirs is smaller. Of a larger one we know nothing.
    fn prefix(&self, parts: &Parts) -> Option<Prefix> {
        if self.their_size >= self.our_size || self.their_size == TreeSize::ZERO {
            return None;
        }
        let ours = self.ours.parse::<countersign_note::Note>().ok()?;
        let ours = Checkpoint::parse(ours.text()).ok()?;
        let root = parts.log.root_at(self.their_size).ok()?;
        let path = parts.log.consistency(self.their_size, ours.size()).ok()?;
        Some(Prefix {
            size: self.their_size.get(),
            root,
            path,
        })
    }
}

fn safe(char: char) -> char {
    match char {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '_' => char,
        _ => '_',
    }
}
