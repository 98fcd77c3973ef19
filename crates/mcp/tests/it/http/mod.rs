//! The relay over streamable HTTP.

mod attacks;
mod peers;
mod sessions;
mod streams;
mod world;
