//! Checking a data directory that nobody uses at the time.

use std::path::Path;

use countersign_ledger::DirLock;
use countersign_ledger::fsck::{self, Findings, Part, Progress, Subject};
use countersign_note::VerifierKey;
use countersign_service::fsck::StateCheck;
use countersign_store_sqlite::Inspection;

use crate::keys::signers;
use crate::{DataDir, HostError, check_private};

impl DataDir {
    /// Holds the database against its own leaves, its signed checkpoint, the head file and, for
    /// rows of state, the entries. With `repair`, what derives from the leaves is written again,
    /// if they are those that were signed.
    pub fn fsck(
        &self,
        repair: bool,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Findings, HostError> {
        if !self.is_begun() {
            return Err(HostError::Missing(self.path().to_owned()));
        }
        check_private(self.path())?;
        let _lock = DirLock::acquire(self.path())?;
        let log_keys = signers(&self.keys())?;
        let head_file = self.path().join("head");
        check_database(&self.database(), &head_file, &log_keys, repair, progress)
    }
}

/// Holds a database against itself, these keys and this head file. Nobody uses it meanwhile.
pub(crate) fn check_database(
    database: &Path,
    head_file: &Path,
    log_keys: &[VerifierKey],
    repair: bool,
    progress: &mut dyn FnMut(Progress),
) -> Result<Findings, HostError> {
    let store = Inspection::open(database, repair)?;
    let subject = Subject {
        store: &store,
        log_keys,
        head_file,
        repair,
    };
    let mut state = StateCheck::new(&store);
    let mut observe =
        |index, entry: &_, findings: &mut Findings| state.observe(index, entry, findings);
    let mut findings = fsck::check(&subject, &mut observe, progress)?;
    match state.finish(&mut findings) {
        // What cannot be read is among the findings already.
        Err(_) if findings.counted(Part::Database) > 0 => {}
        finished => finished.map_err(fsck::FsckError::from)?,
    }
    Ok(findings)
}
