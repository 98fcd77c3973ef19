//! What holds for any bytes that are sent to a witness.

use countersign_witness::{AddCheckpoint, MAX_PROOF_LINES};

/// A request that is read is written back.
pub(crate) fn add_checkpoint(data: &[u8]) {
    if let Ok(request) = AddCheckpoint::parse(data) {
        assert_eq!(request.to_string().as_bytes(), data);
        assert!(request.proof().len() <= MAX_PROOF_LINES);
    }
}
