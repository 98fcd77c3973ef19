//! Erasing sealed records.

use countersign_wire::{EraseRequest, Erased};

use crate::error::ClientError;
use crate::transport::Client;

impl Client {
    /// Erases records, or says what that would be. Role `admin`.
    pub fn erase(&self, request: &EraseRequest) -> Result<Erased, ClientError> {
        self.post("/v1/vault/erase", request)
    }
}
