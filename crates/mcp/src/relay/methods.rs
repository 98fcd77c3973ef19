//! Which methods pass, by name.

/// What becomes of a message of the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientMethod {
    /// It passes.
    Pass,
    /// It is not relayed.
    Refuse,
}

/// What becomes of a message of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerMethod {
    /// It passes.
    Pass,
    /// It is not relayed.
    Refuse,
}
