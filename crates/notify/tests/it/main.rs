//! Telling people, over real connections.
