//! The relay before a server that is reached over streamable HTTP.
