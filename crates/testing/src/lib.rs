//! A real server for the tests of whatever speaks with one, and the ends that its callers hold.
//!
//! [`TestServer`] is a log in a directory of its own behind a free port, with a credential per role
//! and a clock that tests turn; [`bundles`] reads the bundles of this repository; [`http`] sends any
//! bytes and reads the answer; [`Running`] keeps any other server on a thread. It is *not* a log made
//! up in memory (`countersign-story`), and nothing that is shipped depends on it.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail as tests do"
)]

pub mod bundles;
mod clock;
pub mod http;
mod recorded;
mod running;
mod server;

use std::time::Duration;

pub use clock::TestClock;
pub use running::{Running, Stopped};
pub use server::{AGENT, Setup, TestServer, credential};

/// Nothing that a test waits for takes longer.
pub const PATIENCE: Duration = Duration::from_secs(60);
