//! Where opened documents are put, and which ones entries name.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use countersign_core::refs::Sha256;
use serde_json::{Map, Value};

use crate::error::CliError;
use crate::private;

/// Members of entries that name a sealed document (docs/wire-format.md, "Documents"). A claimed
/// intent is whatever an agent claimed, and is left out.
const MEMBERS: &[&str] = &[
    "intent_ref",
    "call_ref",
    "facts_ref",
    "reasoning_ref",
    "result_ref",
    "changeset_ref",
    "purpose_ref",
    "authority_ref",
    "shown_ref",
];

/// The directory of opened documents. They are plaintext: only their owner may read them.
pub(super) struct Documents {
    dir: PathBuf,
}

impl Documents {
    /// The directory below an export, made if it is not there.
    pub(super) fn below(export: &Path) -> Result<Self, CliError> {
        let dir = export.join("documents");
        private::make_dir(&dir)?;
        Ok(Self { dir })
    }

    /// Whether a document is there from an earlier export.
    pub(super) fn has(&self, reference: &Sha256) -> bool {
        self.path(reference).exists()
    }

    /// Puts a document's canonical JSON under its ref.
    pub(super) fn put(&self, reference: &Sha256, bytes: &[u8]) -> Result<(), CliError> {
        private::write(&self.path(reference), bytes)
    }

    fn path(&self, reference: &Sha256) -> PathBuf {
        let text = reference.to_string();
        let digits = text.strip_prefix("sha256:").unwrap_or(&text);
        self.dir.join(format!("{digits}.json"))
    }
}

/// The sealed documents that a leaf names.
pub(super) fn named(leaf: &[u8], into: &mut BTreeSet<Sha256>) {
    let Ok(members) = serde_json::from_slice::<Map<String, Value>>(leaf) else {
        return;
    };
    let refs = MEMBERS
        .iter()
        .filter_map(|member| members.get(*member)?.as_str()?.parse::<Sha256>().ok());
    into.extend(refs);
}
