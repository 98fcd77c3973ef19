//! What the caller believes before it looks.

use countersign_note::{Note, TlogPolicy, VerifierKey};

/// Keys and anchors, each from a place that the checked log cannot reach.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    /// Keys that may sign the log's checkpoints, older ones included; those of `policy` count too.
    pub log_keys: Vec<VerifierKey>,
    /// The root key, if the caller knows it. It vouches for the log keys that it has signed in the
    /// log's own entries, so that no other key need be given. Without it, the one that `genesis`
    /// names is taken, and the report says so.
    pub root_key: Option<VerifierKey>,
    /// Checkpoints of the same log that the caller got earlier. Each anchors the entries below its
    /// size.
    pub held: Vec<Note>,
    /// Which logs and witnesses to believe. A checkpoint that the policy's quorum has cosigned is
    /// anchored as a whole.
    pub policy: Option<TlogPolicy>,
}

impl Trust {
    /// Only a key of the log: the most that can come of it is `unanchored`.
    pub fn in_key(log_key: VerifierKey) -> Self {
        Self {
            log_keys: vec![log_key],
            ..Self::default()
        }
    }

    /// The same with a checkpoint that the caller holds.
    #[must_use]
    pub fn holding(mut self, checkpoint: Note) -> Self {
        self.held.push(checkpoint);
        self
    }

    /// Every key that may sign checkpoints.
    pub(crate) fn all_log_keys(&self) -> Vec<VerifierKey> {
        let mut keys = self.log_keys.clone();
        for log in self.policy.iter().flat_map(TlogPolicy::logs) {
            if !keys.contains(log.key()) {
                keys.push(log.key().clone());
            }
        }
        keys
    }
}
