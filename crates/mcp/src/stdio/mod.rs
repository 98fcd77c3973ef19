//! The relay around a server that runs as a child process.
