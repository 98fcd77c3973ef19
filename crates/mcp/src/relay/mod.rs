//! The core of the relay: what may pass, whatever the transport.
//!
//! A transport makes one [`Relay`] for its server of tools, and one [`Conversation`] for each client
//! that it hears: for a child process there is one; over HTTP there is one per `Mcp-Session-Id`, or
//! one per request where the protocol has no sessions. It gives every message to the conversation,
//! and does with it what the answer says. All methods block and may be called from many threads.
//!
//! ```text
//! client ──▶ read ──▶ from_client ──▶ Forward ──▶ server
//!                          ├────────▶ Answer, Refuse ──▶ client
//!                          └────────▶ Wait: a person is asked, or the server for its list of tools;
//!                                     `Waiting::wait` gives the rest
//! server ──▶ from_server ──▶ Forward ──▶ client
//!                  └───────▶ Reply ──▶ server
//! ```
//!
//! The bytes of `Forward` are those that were judged: a transport sends them as they are.

mod client;
mod conversation;
mod decide;
mod methods;
mod observe;
mod open;
mod options;
mod question;
mod refusal;
mod reports;
mod review;
mod server;
mod signal;
mod tasks;
mod tools;

pub use conversation::{Conversation, Relay, Revision};
pub use methods::{Capability, ClientMethod, JudgedMethod, ServerMethod};
pub use options::{Clients, FindSession, Notices, RelayError, RelayOptions, TurnSource};
pub use review::Waiting;
pub use tools::definition_digest;

/// What to do with a message of the client.
pub enum FromClient {
    /// Send these bytes to the server.
    Forward(Vec<u8>),
    /// Send these bytes to the client: the call was refused in the way of its method, or was
    /// answered here. Over HTTP the status is 200.
    Answer(Vec<u8>),
    /// Send these bytes to the client: a JSON-RPC error, since the message is none that can be
    /// relayed. Over HTTP the status is 400.
    Refuse(Vec<u8>),
    /// Something has to happen first. Send what [`Waiting::ask`] holds to the client and what
    /// [`Waiting::ask_server`] holds to the server, if anything; then call [`Waiting::wait`] on a
    /// thread that may block while other messages go on, and do what it says, which may be to wait
    /// again.
    Wait(Waiting),
    /// Nothing is to be sent: it was meant for the relay, or had no place to go.
    Drop,
}

/// What to do with a message of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FromServer {
    /// Send these bytes to the client.
    Forward(Vec<u8>),
    /// Send these bytes back to the server: it asked for what is not relayed.
    Reply(Vec<u8>),
    /// Nothing is to be sent: nobody asked for it.
    Drop,
}
