//! What a relay is told at its start.

use std::sync::Arc;
use std::time::Duration;

use countersign_client::{Client, ClientError};

/// Where the relay says what went wrong and has no other place: one line, without its end.
pub type Notices = Arc<dyn Fn(&str) + Send + Sync>;

/// One client per role: no credential has two.
#[derive(Clone)]
pub struct Clients {
    /// Asks for decisions. Role `agent`, surface `relay`.
    pub agent: Client,
    /// Reports what became of calls. Role `tool`.
    pub tool: Client,
    /// Registers the turn, and gives the answer of the person whose turn it is. Role `ingress`.
    pub ingress: Option<Client>,
}

/// Looks for the session that works here now.
pub type FindSession = Arc<dyn Fn() -> Option<String> + Send + Sync>;

/// Which turn calls follow from, where the call itself does not say so in its
/// `_meta["dev.countersign/intent_ref"]`.
#[derive(Clone)]
pub enum TurnSource {
    /// None: calls are unmandated, and policy says what that means.
    Unmandated,
    /// The newest live turn of this session, which somebody else registers.
    OfSession(String),
    /// The newest live turn of the session that is found at each call; without one, calls are
    /// unmandated.
    Noted(FindSession),
    /// A turn that the relay registers at its start, for one-shot use.
    Text {
        /// The person's words.
        text: String,
        /// Whose words: such as `user:jo`.
        principal: String,
        /// The way by which they came.
        channel: String,
    },
}

impl TurnSource {
    /// The session that calls are of.
    pub(super) fn session(&self) -> Option<String> {
        match self {
            Self::OfSession(session) => Some(session.clone()),
            Self::Noted(find) => find(),
            Self::Unmandated | Self::Text { .. } => None,
        }
    }
}

/// What a relay is told.
#[derive(Clone)]
pub struct RelayOptions {
    /// Who calls.
    pub actor: String,
    /// Which turn calls follow from.
    pub turn: TurnSource,
    /// The server of tools, as decisions name it (`wire.destination`).
    pub server_name: String,
    /// What is put before each tool's name, so that policies can tell servers apart.
    pub prefix: String,
    /// The credentials.
    pub clients: Clients,
    /// How long an escalated call waits for a person.
    pub review_wait: Duration,
    /// Where trouble is told.
    pub notices: Notices,
    /// Where each call is told, with what was decided and how long it took; nowhere by default.
    pub calls: Option<Notices>,
}

/// Why a relay cannot start.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// A turn is to be registered and there is no credential for it.
    #[error("a turn can be registered only with a credential of the role `ingress`")]
    NoIngress,
    /// The turn was not registered.
    #[error("the turn could not be registered: {0}")]
    Turn(#[source] ClientError),
}
