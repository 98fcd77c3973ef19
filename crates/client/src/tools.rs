//! Which tools an agent needs to be shown.

use countersign_wire::{VisibleAnswer, VisibleRequest};

use crate::error::ClientError;
use crate::transport::Client;

impl Client {
    /// Which of these tools some call could be permitted of. Role `agent`.
    pub fn visible_tools(&self, request: &VisibleRequest) -> Result<VisibleAnswer, ClientError> {
        self.post("/v1/tools/visible", request)
    }
}
