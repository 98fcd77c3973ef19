//! One client's conversation with the server, as the relay follows it.

use super::{FromClient, FromServer, RelayError, RelayOptions};
use crate::jsonrpc::{Id, Message, Overlong};

/// A relay before one server of tools. Cloning it shares everything.
#[derive(Clone)]
pub struct Relay;

/// One client's conversation. Cloning it shares everything.
#[derive(Clone)]
pub struct Conversation;

/// A revision of the protocol, as far as the relay's own answers differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Revision {
    /// 2025-11-25 and before: `initialize`, sessions, requests of the server.
    Sessions,
    /// 2026-07-28: stateless, `_meta`, `resultType`, `input_required`.
    Stateless,
}

impl Relay {
    /// A relay; registers the turn if it is given as a text. Blocks.
    pub fn new(_options: RelayOptions) -> Result<Self, RelayError> {
        Ok(Self)
    }

    /// A new conversation. Its revision and the client's capabilities are learned from its
    /// messages: from `initialize`, or from the `_meta` of each request.
    pub fn conversation(&self) -> Conversation {
        Conversation
    }

    /// Tries, for at most [`crate::limits::LAST_TRIES`], to record what could not be recorded yet.
    /// The decisions whose executions are lost are told to the notices and counted.
    pub fn close(&self) -> usize {
        0
    }
}

impl Conversation {
    /// Reads a message of the client. What cannot be read is answered by the bytes of
    /// [`FromClient::Refuse`]; where it was meant as a call, the ledger has the rejection.
    pub fn read(&self, _bytes: Vec<u8>) -> Result<Message, FromClient> {
        Err(FromClient::Drop)
    }

    /// What to do with a message of the client. A call is judged here: this takes as long as the
    /// Countersign server takes, and ends in a refusal if it does not answer.
    pub fn from_client(&self, _message: Message) -> FromClient {
        FromClient::Drop
    }

    /// What to answer to a message of the client that was too long to be kept.
    pub fn overlong_from_client(&self, _head: &Overlong) -> FromClient {
        FromClient::Drop
    }

    /// What to do with a message of the server. What a tool returned is recorded here, before the
    /// client has it.
    pub fn from_server(&self, _bytes: Vec<u8>) -> FromServer {
        FromServer::Drop
    }

    /// What to do about a message of the server that was too long to be kept.
    pub fn overlong_from_server(&self, _head: &Overlong) -> FromServer {
        FromServer::Drop
    }

    /// One request will get no answer from the server, for this reason: what to answer to the client,
    /// if it still waits. What was judged has an execution of the phase `unknown`.
    pub fn failed(&self, _id: &Id, _reason: &str) -> Option<Vec<u8>> {
        None
    }

    /// The server is gone: the answers to everything that is in flight.
    pub fn server_gone(&self, _reason: &str) -> Vec<Vec<u8>> {
        Vec::new()
    }

    /// The client is gone: nobody waits for answers any more, and what the server returns is still
    /// recorded.
    pub fn client_gone(&self) {}

    /// The revision that the client speaks, once that is known.
    pub fn revision(&self) -> Option<Revision> {
        None
    }
}
