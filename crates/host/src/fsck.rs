//! Checking a data directory that nobody uses at the time.

use countersign_keys::KeyRing;
use countersign_ledger::DirLock;
use countersign_ledger::fsck::{self, Findings, Progress, Subject};
use countersign_service::KeyHistory;
use countersign_service::fsck::StateCheck;
use countersign_store_sqlite::Inspection;

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
        let keys = KeyRing::load(&self.keys())?;
        let store = Inspection::open(&self.database(), repair)?;
        let head_file = self.path().join("head");
        // The stored checkpoint may be that of the key before a rotation; if the log cannot say,
        // the present key has to do.
        let mut log_keys = vec![keys.log_key().clone()];
        log_keys.extend(
            self.key_history()
                .iter()
                .flat_map(KeyHistory::live_log_keys),
        );
        let subject = Subject {
            store: &store,
            log_keys: &log_keys,
            head_file: &head_file,
            repair,
        };
        let mut state = StateCheck::new(&store);
        let mut observe =
            |index, entry: &_, findings: &mut Findings| state.observe(index, entry, findings);
        let mut findings = fsck::check(&subject, &mut observe, progress)?;
        state.finish(&mut findings).map_err(fsck::FsckError::from)?;
        Ok(findings)
    }
}
