//! The relay over streamable HTTP.

mod attacks;
mod sessions;
mod world;
