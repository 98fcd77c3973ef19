//! HTTP, version 1 of the API: routes, OpenAPI, authentication, limits, and the server that carries
//! them.
//!
//! A request is let in (connection cap, header timeout), authenticated, counted against its
//! credential's rate, read up to its route's limit, handed to the service on a thread that may
//! block, and answered with JSON or an RFC 9457 problem document. Nothing here judges, and
//! nothing here knows SQL: that is `countersign-service` and below. The types on the wire are in
//! `countersign-wire`.
//!
//! [`WitnessServer`] is apart from all that: a witness of other logs, with two routes and no
//! credentials.
//!
//! [`Server::bind`] says on which address it listens before [`Server::run`] serves. The caller
//! runs the service's background work and closes it afterwards.

mod app;
mod auth;
mod body;
mod config;
mod connection;
mod context;
mod error;
mod extract;
mod judges;
mod linger;
mod metrics;
mod observe;
mod openapi;
mod rate;
mod reply;
mod routes;
mod server;
mod telling;
mod tls;
mod witness;

pub use config::{ConfigError, RateLimit, ServerConfig, TlsFiles};
pub use error::{ErrorPage, error_pages};
pub use openapi::openapi_json;
pub use server::{ServeError, Server, serve};
pub use telling::{SinkHealth, Telling};
pub use witness::WitnessServer;
