//! The MCP relay: it stands between an agent and a server of tools, and no call leaves unjudged.
//!
//! It works on raw JSON-RPC: what has to be judged is read strictly, and the very bytes that were
//! judged go on. [`relay`] is the same for every transport and says which message may pass;
//! [`stdio`] runs a server as a child process, [`http`] stands before one that is reached over HTTP.
//!
//! It decides nothing: a Countersign server does, and the relay asks it through
//! `countersign-client`. It holds one credential per role and never a key. The tool's side of plain
//! HTTP tools is `countersign-gate`, hooks of coding assistants are `countersign-hooks`.

pub mod http;
pub mod jsonrpc;
pub mod limits;
pub mod relay;
#[cfg(test)]
#[path = "../../../fuzz/checks/replay.rs"]
mod replay;
pub mod stdio;
