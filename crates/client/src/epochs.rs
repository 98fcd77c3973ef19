//! Epochs of the vault's keys.

use countersign_wire::{CompleteRequest, Completion};

use crate::error::ClientError;
use crate::transport::Client;

impl Client {
    /// Completes erasures, or lets a new epoch of keys begin; says how far it is after two seconds at
    /// most. Role `admin`.
    pub fn complete_erasures(&self, request: &CompleteRequest) -> Result<Completion, ClientError> {
        self.post("/v1/vault/complete", request)
    }
}
