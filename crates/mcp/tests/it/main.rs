//! The relay against a real server.

mod http;
mod stdio;
