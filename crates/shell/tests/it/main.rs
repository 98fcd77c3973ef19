//! What command lines do, and what is refused.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

mod bash;
mod bounds;
mod corpus;
mod places;
mod refused;
mod said;
