//! The agent-hooks 0.1 contract.
