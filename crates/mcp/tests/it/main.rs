//! The relay against a real server.
