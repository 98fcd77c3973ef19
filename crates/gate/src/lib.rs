//! A reverse proxy before an HTTP tool: a request passes once, on a permit for exactly this call.
//!
//! What a request asks for is read from the request itself ([`Routes`]): its method and path say
//! which tool it is, its path, query and body are the arguments. So the hash of the arguments that
//! the permit is held against is that of what leaves, not of what somebody claims. Then:
//!
//! 1. The permit's signature is checked here, against the server's key set.
//! 2. The server consumes the permit: an execution `started` is in the ledger before the call
//!    leaves, and there is never a second one. If it cannot be reached, nothing leaves.
//! 3. The bytes that were hashed are sent, and nothing else: a request has one reading here, or it
//!    is refused.
//! 4. What the tool answered is in the ledger (`finished`, or `unknown`) before the agent gets it.
//!
//! It is *not* the place where calls are judged, nor where permits are consumed: that is the server.
//! A tool's side that is a Rust program needs no gate: `countersign_client::Execution` does steps 2
//! and 4 there. The gate speaks HTTP/1.1 without TLS to its clients, reads and sends whole bodies,
//! and does not stream.

mod args;
#[cfg(test)]
mod corpus;
mod gate;
mod head;
mod headers;
mod keys;
pub mod limits;
mod problem;
mod result;
mod routes;
mod server;
mod target;
mod upstream;

pub use gate::{Gate, GateError, GateOptions};
pub use problem::{Answer, Incoming};
pub use routes::{Routes, RoutesError};
pub use server::{GateServer, ListenError};
pub use upstream::{Upstream, UpstreamError, UpstreamOptions};
